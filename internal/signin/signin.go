package signin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// SignIn signs people in and out.
type SignIn struct {
	Store    *store.Store
	Sessions *session.Sessions
	Hasher   *secret.Hasher
	Limits   *limit.Limits
	Now      func() time.Time
}

// Attempt is one try to sign in with a password at a site.
type Attempt struct {
	Site     otl.Site
	Email    string // one of Email and Username
	Username string
	Password secret.Text
}

// Named is an attempt of somebody who gave an address or a username.
func Named(site otl.Site, name string, password secret.Text) Attempt {
	a := Attempt{Site: site, Password: password}
	if strings.Contains(name, "@") {
		a.Email = name
	} else {
		a.Username = name
	}
	return a
}

// key gives what the person is looked up by.
func (a Attempt) key() (string, error) {
	if a.Username != "" {
		u, err := otl.ParseUsername(a.Username)
		return u.Key, err
	}
	e, err := otl.ParseEmail(a.Email)
	return e.Key, err
}

// MaxPassword is the longest password that is looked at, in bytes (PW-01).
const MaxPassword = 1024

// Password signs a person in at a site. Whatever is wrong (nobody has the
// address, the person is disabled, has no password, or another one) the error is
// otl.ErrCredentials after the same work (PW-09). The first sign-in at a site
// grants it the minimal fields (contract 1.4). Beyond the rates of sign-ins the
// error is limit.Exceeded. A hash made elsewhere, or with
// other parameters than today's, is replaced on the way.
func (s *SignIn) Password(ctx context.Context, a Attempt) (session.Tokens, error) {
	key, err := a.key()
	if err != nil {
		return session.Tokens{}, err
	}
	if n := len(a.Password.Reveal()); n == 0 || n > MaxPassword {
		return session.Tokens{}, otl.InvalidField("password", "bad_length", "must be 1 to 1024 bytes")
	}
	who, err := s.Store.Read.Users.Credential(ctx, key, a.Site.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return session.Tokens{}, err
	}
	account, err := s.try(ctx, a.Site.ID, key, who.User)
	if err != nil {
		return session.Tokens{}, err
	}
	checked, err := s.Hasher.Check(ctx, a.Site.ID, secret.Stored{Hash: who.Hash, Imported: who.Imported}, a.Password)
	if err != nil {
		return session.Tokens{}, err
	}
	if !checked.Match || !who.User.DisabledAt.IsZero() {
		return session.Tokens{}, otl.ErrCredentials
	}
	otl.RequestOf(ctx).UserID = who.User.ID
	var rehash string
	if checked.Rehash {
		if rehash, _, err = s.Hasher.Hash(ctx, a.Site.ID, a.Password); err != nil {
			return session.Tokens{}, err
		}
	}
	return s.open(ctx, a.Site, who, account, rehash)
}

// try counts the attempt before the password is looked at, under the person's
// account, or, so that the two look alike, under the name of nobody (PW-11).
func (s *SignIn) try(ctx context.Context, siteID, key string, u otl.User) (limit.Account, error) {
	from := otl.RequestOf(ctx).Client
	account := limit.Unknown(key)
	if u.ID != "" {
		known, err := s.known(ctx, u.ID, from)
		if err != nil {
			return account, err
		}
		account = limit.Person(u.ID, known)
	}
	return account, s.Limits.Try(ctx, account,
		limit.Use{Rate: limit.LoginPerIdentifier, By: []string{siteID, key}},
		limit.Use{Rate: limit.LoginPerAddress, By: []string{siteID, limit.Network(from)}})
}

// known gives the address of a request if the person is signed in from there.
func (s *SignIn) known(ctx context.Context, userID string, from netip.Addr) (netip.Addr, error) {
	if !from.IsValid() {
		return from, nil
	}
	live, err := s.Store.Read.Sessions.LiveFrom(ctx, userID, from.String(), s.Now())
	if err != nil || !live {
		return netip.Addr{}, err
	}
	return from, nil
}

// open writes everything a right password leads to in one transaction.
func (s *SignIn) open(ctx context.Context, site otl.Site, who store.Credential, account limit.Account, rehash string) (session.Tokens, error) {
	st := store.Standing{User: who.User, Site: site, Grant: who.Grant}
	from := otl.RequestOf(ctx)
	var refresh secret.Text
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := s.Now()
		version, err := tx.Users.SignedIn(ctx, who.User.ID, who.PasswordVersion, now)
		if errors.Is(err, store.ErrNotFound) {
			return otl.ErrCredentials // disabled, or given a new password, meanwhile
		}
		if err != nil {
			return err
		}
		st.User.SessionVersion, st.User.LastLoginAt = version, now
		if err := s.Limits.Clear(ctx, tx, account); err != nil {
			return err
		}
		if err := limit.ClearCodes(ctx, tx, who.User.ID); err != nil {
			return err
		}
		if rehash != "" {
			if err := tx.Passwords.Rehash(ctx, who.User.ID, who.Hash, rehash); err != nil {
				return err
			}
		}
		if st.Grant, err = firstGrant(ctx, tx, s.Sessions, st, now); err != nil {
			return err
		}
		refresh, err = s.Sessions.Open(ctx, tx, &st, otl.Methods{otl.MethodPassword}, from)
		return err
	})
	if err != nil {
		return session.Tokens{}, err
	}
	return s.Sessions.Issue(st, refresh)
}

// firstGrant lets the site see the minimal fields if the person has not
// decided otherwise before. The first-party site needs no grant.
func firstGrant(ctx context.Context, tx *store.Tx, s *session.Sessions, st store.Standing, now time.Time) (otl.Grant, error) {
	if st.Site.FirstParty {
		return st.Grant, nil
	}
	if st.Grant.Live() {
		st.Grant.LastLoginAt = now
		return st.Grant, tx.Grants.SignedIn(ctx, st.User.ID, st.Site.ID, now)
	}
	g := otl.Grant{UserID: st.User.ID, SiteID: st.Site.ID, Fields: otl.MinimalFields(), CreatedAt: now, UpdatedAt: now, LastLoginAt: now}
	return s.Join(ctx, tx, g)
}

// Admin opens a first-party session for a person on behalf of somebody at the
// server's own command line, who could read the database anyway. Its "amr" says
// so.
func (s *SignIn) Admin(ctx context.Context, userID, firstPartySite string) (session.Tokens, error) {
	var st store.Standing
	from := otl.RequestOf(ctx)
	var refresh secret.Text
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		var err error
		if st.User, err = tx.Users.ByID(ctx, userID); err != nil {
			return err
		}
		if !st.User.DisabledAt.IsZero() {
			return otl.ErrCredentials
		}
		if st.Site, err = tx.Sites.ByID(ctx, firstPartySite); err != nil {
			return err
		}
		refresh, err = s.Sessions.Open(ctx, tx, &st, otl.Methods{otl.MethodAdmin}, from)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return session.Tokens{}, otl.NoSuch("user")
	}
	if err != nil {
		return session.Tokens{}, err
	}
	return s.Sessions.Issue(st, refresh)
}

// Resume gives new tokens of a live session to the site it is of. The error is
// session.ErrNone.
func (s *SignIn) Resume(ctx context.Context, site otl.Site, id string) (t session.Tokens, err error) {
	var opened session.Opened
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		opened, err = s.Sessions.Resume(ctx, tx, site.ID, "", id, "")
		return err
	})
	if err != nil {
		return t, err
	}
	otl.RequestOf(ctx).UserID = opened.User.ID
	return s.Sessions.Tokens(opened)
}

// Refresh exchanges a refresh token presented with the key of a site.
func (s *SignIn) Refresh(ctx context.Context, raw secret.Text, site otl.Site) (session.Tokens, error) {
	t, err := s.Sessions.Renew(ctx, raw, site.ID)
	otl.RequestOf(ctx).UserID = t.User.ID
	return t, err
}
