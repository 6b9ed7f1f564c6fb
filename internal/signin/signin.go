package signin

import (
	"context"
	"errors"
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
	Second   *SecondStep
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
	Client   string // who makes the tokens; "" for us
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

// Proved is somebody who has proven who he is at a site, and for whom no session was
// opened yet.
type Proved struct {
	store.Standing // of person, site and grant; there is no session
	Methods        otl.Methods

	passwordVersion int // of the password that was right; 0 for none
	password        *rightPassword
	client          string         // of Attempt
	known           bool           // of entry
	tried           otl.FactorKind // of the second factor that was not right
}

// otherwise reports whether the latest proof is another one than a code that was sent:
// it opens codes again that wrong guesses have closed (OT-07). A code that a site was
// handed is the site's proof, and no other.
func (p Proved) otherwise() bool {
	if len(p.Methods) == 0 {
		return false
	}
	switch p.Methods[len(p.Methods)-1] {
	case otl.MethodMailCode, otl.MethodSMS, otl.MethodDirect, otl.MethodAdmin:
		return false
	}
	return true
}

// rightPassword is what is still to be written after a right password.
type rightPassword struct {
	account    limit.Account
	old, fresh string // stored hashes, where the old one is to be replaced
	temporary  bool   // the password is to be replaced first
}

// ErrTemporary is the answer to a right password that was given to somebody to begin
// with: he replaces it by the mail of a forgotten one, or whoever gave it does.
var ErrTemporary = &otl.Error{Kind: otl.Forbidden, Code: "password_temporary", Text: "This password was given to begin with. It lets nobody in before it is replaced."}

// Prove checks a password, and opens nothing. Whatever is wrong (nobody has the
// address, the person is disabled, has no password, or another one) the error is
// otl.ErrCredentials after the same work (PW-09). Beyond the rates of sign-ins it is
// limit.Exceeded, and otl.ErrWay where the site takes no passwords.
func (s *SignIn) Prove(ctx context.Context, a Attempt) (Proved, error) {
	if err := a.Site.Opens(otl.WayPassword); err != nil {
		return Proved{}, err
	}
	key, err := a.key()
	if err != nil {
		return Proved{}, err
	}
	if n := len(a.Password.Reveal()); n == 0 || n > MaxPassword {
		return Proved{}, otl.InvalidField("password", "bad_length", "must be 1 to 1024 bytes")
	}
	who, err := s.Store.Read.Users.Credential(ctx, key, a.Site.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Proved{}, err
	}
	failed := failure{site: a.Site.ID, name: key, user: who.User.ID, method: otl.MethodPassword}
	account, err := s.try(ctx, a.Site, key, who.User)
	if err != nil {
		return Proved{}, s.Second.Failures.note(ctx, failed, err)
	}
	checked, err := s.Hasher.Check(ctx, a.Site.ID, secret.Stored{Hash: who.Hash, Imported: who.Imported}, a.Password)
	if err != nil {
		return Proved{}, err
	}
	if failed.reason = fault(who, checked.Match); failed.reason != "" {
		return Proved{}, s.Second.Failures.note(ctx, failed, otl.ErrCredentials)
	}
	otl.RequestOf(ctx).UserID = who.User.ID
	right := &rightPassword{account: account, old: who.Hash, temporary: who.Temporary}
	if checked.Rehash {
		if right.fresh, _, err = s.Hasher.Hash(ctx, a.Site.ID, a.Password); err != nil {
			return Proved{}, err
		}
	}
	return Proved{
		Standing: store.Standing{User: who.User, Site: a.Site, Grant: who.Grant}, Methods: otl.Methods{otl.MethodPassword},
		passwordVersion: who.PasswordVersion, password: right, client: a.Client,
	}, nil
}

// Password signs a person in at a site by a wire that knows no second step: where one
// is due, the error is ErrSecondStep. The first sign-in at a site grants it the
// minimal fields (contract 1.4).
func (s *SignIn) Password(ctx context.Context, a Attempt) (session.Tokens, error) {
	p, err := s.Prove(ctx, a)
	if err != nil {
		return session.Tokens{}, err
	}
	in, err := s.Second.Enter(ctx, p, nil)
	return in.Tokens, err
}

// try counts the attempt before the password is looked at, under the person's
// account, or, so that the two look alike, under the name of nobody (PW-11).
func (s *SignIn) try(ctx context.Context, site otl.Site, key string, u otl.User) (limit.Account, error) {
	place, err := places(s.Second).At(ctx, s.Store.Read, store.Standing{User: u, Site: site})
	account := limit.Unknown(key)
	if u.ID != "" {
		account = limit.Person(u.ID, place)
	}
	if err != nil {
		return account, err
	}
	return account, s.Limits.Try(ctx, account,
		limit.Use{Rate: limit.LoginPerIdentifier, By: []string{site.ID, key}},
		limit.Use{Rate: limit.LoginPerAddress, By: []string{site.ID, limit.Network(otl.RequestOf(ctx).Client)}})
}

// firstGrant lets the site see the minimal fields if the person has not
// decided otherwise before. The first-party site needs no grant. It is ErrDisabled
// for somebody whom the site has barred, and ErrOvertaken where a grant ends that was live
// when it was read.
func firstGrant(ctx context.Context, tx *store.Tx, s *session.Sessions, st store.Standing, now time.Time) (otl.Grant, error) {
	if st.Site.FirstParty {
		return st.Grant, nil
	}
	if st.Grant.Live() {
		g, err := tx.Grants.SignedIn(ctx, st.Grant, now)
		if errors.Is(err, store.ErrNotFound) {
			err = ErrOvertaken // he left the site, or was barred, in this moment: whoever tries again has it read again
		}
		return g, err
	}
	if !st.Grant.SuspendedAt.IsZero() {
		return st.Grant, ErrDisabled
	}
	g := otl.Grant{UserID: st.User.ID, SiteID: st.Site.ID, Fields: otl.MinimalFields(), CreatedAt: now, UpdatedAt: now, LastLoginAt: now}
	return s.Join(ctx, tx, g)
}

// ErrOvertaken is the answer to a sign-in during which its person left the site, or was barred from it.
var ErrOvertaken = &otl.Error{Kind: otl.Conflict, Code: "signin_overtaken", Text: "What this site may know of the person changed during the sign-in. Sign in again."}

// ErrConsent is the answer where somebody has not granted the site what it requires: he
// decides on it at the pages (contract 1.4). Its Field is the first one missing.
var ErrConsent = &otl.Error{Kind: otl.Forbidden, Code: "consent_required", Text: "The site requires this field, and the person has not granted it. He can at the pages of this server."}

// consents is ErrConsent where a session would be opened without what the site requires.
// The first sign-in grants the minimal fields.
func consents(st store.Standing) error {
	granted := st.Grant.Fields
	if !st.Grant.Live() {
		granted = otl.MinimalFields()
	}
	if lacks := st.Site.Lacks(granted); len(lacks) > 0 {
		missing := *ErrConsent
		missing.Field = string(lacks[0])
		return &missing
	}
	return nil
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
		pass, _, err := s.Second.Factors.Admit(ctx, tx, st, otl.Methods{otl.MethodAdmin}, nil)
		if err != nil {
			return err
		}
		refresh, err = s.Sessions.Open(ctx, tx, &st, pass, from)
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

// Resume gives new tokens of a live session to a holder of it at the site it is of. The
// error is session.ErrNone.
func (s *SignIn) Resume(ctx context.Context, site otl.Site, by session.Holder, id string) (t session.Tokens, err error) {
	var opened session.Opened
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		opened, err = s.Sessions.Resume(ctx, tx, by, site.ID, "", id, "")
		return err
	})
	if err != nil {
		return t, err
	}
	otl.RequestOf(ctx).UserID = opened.User.ID
	return opened.For(by.Client, s.Sessions)
}

// Refresh exchanges a refresh token presented with the key of a site.
func (s *SignIn) Refresh(ctx context.Context, raw secret.Text, site otl.Site) (session.Tokens, error) {
	return s.RefreshFor(ctx, raw, site, session.Holder{})
}

// RefreshFor exchanges a refresh token presented by a client of a site.
func (s *SignIn) RefreshFor(ctx context.Context, raw secret.Text, site otl.Site, by session.Holder) (session.Tokens, error) {
	t, err := s.Sessions.RenewFor(ctx, raw, site.ID, by)
	otl.RequestOf(ctx).UserID = t.User.ID
	return t, err
}
