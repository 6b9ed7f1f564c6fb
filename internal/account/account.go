package account

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Accounts registers people and keeps their profiles.
type Accounts struct {
	Store    *store.Store
	Sessions *session.Sessions
	Factors  *factor.Factors
	Hasher   *secret.Hasher
	Limits   *limit.Limits
	Ledger   *ledger.Ledger
	Messages *message.Messages
	Rules    *PasswordRules
	Mail     limit.Mail
	Now      func() time.Time

	PublicURL string // links in mails lead there, whatever a request calls the server (OT-12)
}

// Registration is what a new person tells a site.
type Registration struct {
	Site     otl.Site
	Email    string
	Password secret.Text
	Profile  Profile
	Fields   []string // what he grants the site; nil for the minimum and what he filled in

	unaddressed bool // an address may be missing
}

// Register adds a person and signs him in at the site he registered with. A
// site that demands a second factor of everybody cannot do that: the error is
// factor.ErrEnrolment. One that takes no passwords neither: otl.ErrWay. A known address is otl.ErrEmailTaken; every other faulty field is named at once.
func (a *Accounts) Register(ctx context.Context, r Registration) (t session.Tokens, err error) {
	if err := r.Site.Opens(otl.WayPassword); err != nil {
		return t, err
	}
	err = a.Limits.Probe(ctx, r.Site.ID, func() error {
		t, err = a.register(ctx, r)
		return err
	})
	return t, err
}

func (a *Accounts) register(ctx context.Context, r Registration) (session.Tokens, error) {
	u, grant, err := a.newUser(r, func(e otl.Email) error { return a.Rules.Check(r.Password, e, r.Site.Name) })
	if err != nil {
		return session.Tokens{}, err
	}
	if lacks := r.Site.Lacks(grant.Fields); len(lacks) > 0 {
		return session.Tokens{}, consentFor(lacks[0])
	}
	if err := a.Limits.Take(ctx, limit.Use{Rate: limit.Register, By: []string{r.Site.ID}}); err != nil {
		return session.Tokens{}, err
	}
	// Refused before the costly hash; the insert below decides.
	if _, err := a.Store.Read.Users.ByEmail(ctx, u.Email.Key); !errors.Is(err, store.ErrNotFound) {
		if err == nil {
			err = otl.ErrEmailTaken
		}
		return session.Tokens{}, err
	}
	hash, scheme, err := a.Hasher.Hash(ctx, r.Site.ID, r.Password)
	if err != nil {
		return session.Tokens{}, err
	}
	u.LastLoginAt = u.CreatedAt
	st := store.Standing{User: u, Site: r.Site, Grant: grant}
	from := otl.RequestOf(ctx)
	var t session.Tokens
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := a.insert(ctx, tx, u, "register", r.Site.ID); err != nil {
			return err
		}
		if err := a.setPassword(ctx, tx, u.ID, password{hash, scheme, false}); err != nil {
			return err
		}
		grant.LastLoginAt = u.CreatedAt
		if st.Grant, err = a.Sessions.Join(ctx, tx, grant); err != nil {
			return err
		}
		pass, _, err := a.Factors.Admit(ctx, tx, st, otl.Methods{otl.MethodPassword}, nil)
		if err != nil {
			return err // and nobody was registered
		}
		refresh, err := a.Sessions.Open(ctx, tx, &st, pass, from)
		if err != nil {
			return err
		}
		if t, err = a.Sessions.Issue(st, refresh); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, from.Once, a.Now(), t)
	})
	if err != nil {
		return session.Tokens{}, err
	}
	from.UserID = u.ID
	return t, nil
}

// Registrations says beforehand what becomes of them.
type Registrations struct{ *Accounts }

// Faults says what is wrong with a registration, as far as that can be told without looking
// anybody up. A password that is empty is none.
func (a Registrations) Faults(r Registration) error {
	_, _, err := a.newUser(r, func(e otl.Email) error {
		if r.Password.Empty() {
			return nil
		}
		return a.Rules.Check(r.Password, e, r.Site.Name)
	})
	return err
}

// newUser checks a registration and makes the person and the grant of it. The
// rule checks the password, which depends on the address.
func (a *Accounts) newUser(r Registration, rule func(otl.Email) error) (otl.User, otl.Grant, error) {
	now := a.Now()
	u := otl.User{ID: secret.NewID(now), Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: now, UpdatedAt: now}
	var bad []otl.FieldError
	var broken error
	note := func(err error) {
		var e *otl.Error
		if errors.As(err, &e) && len(e.More) > 0 {
			bad = append(bad, e.More...)
		} else if err != nil {
			broken = err
		}
	}
	var err error
	if r.Email != "" || !r.unaddressed {
		u.Email, err = otl.ParseEmail(r.Email)
		note(err)
	}
	note(rule(u.Email))
	note(r.Profile.apply(&u))
	fields := otl.MinimalFields().With(r.Profile.fields()...)
	if r.Fields != nil {
		fields, err = otl.ParseFields("fields", r.Fields)
		note(err)
	}
	if broken != nil {
		return u, otl.Grant{}, broken
	}
	if len(bad) > 0 {
		return u, otl.Grant{}, otl.InvalidFields(bad)
	}
	return u, otl.Grant{UserID: u.ID, SiteID: r.Site.ID, Fields: fields, CreatedAt: now, UpdatedAt: now}, nil
}

func (a *Accounts) insert(ctx context.Context, tx *store.Tx, u otl.User, source, siteID string) error {
	if reserved, err := tx.Tickets.Reserved(ctx, u.Email.Key, u.ID, a.Now()); err != nil || reserved {
		if err == nil {
			err = otl.ErrEmailTaken // by whom it may go back to
		}
		return err
	}
	ok, err := tx.Users.Insert(ctx, u)
	if err != nil {
		return err
	}
	if !ok {
		return clash(ctx, tx, u)
	}
	return tx.Events.Append(ctx, a.event(otl.EventUserCreated, u.ID, siteID, map[string]string{otl.DataSource: source}))
}

// clash says what of a new person somebody else has.
func clash(ctx context.Context, tx *store.Tx, u otl.User) error {
	if _, err := tx.Users.ByEmail(ctx, u.Email.Key); u.Email.Key != "" && !errors.Is(err, store.ErrNotFound) {
		if err == nil {
			err = otl.ErrEmailTaken
		}
		return err
	}
	return otl.ErrUsernameTaken
}

// password is a hash about to be stored.
type password struct {
	hash, scheme string
	imported     bool
}

func (a *Accounts) setPassword(ctx context.Context, tx *store.Tx, userID string, p password) error {
	if err := tx.Passwords.Set(ctx, userID, p.hash, p.imported, a.Now()); err != nil {
		return err
	}
	return tx.Passwords.AddScheme(ctx, p.scheme, a.Now())
}

func (a *Accounts) event(t otl.EventType, userID, siteID string, data map[string]string) otl.Event {
	return event(a.Now(), t, userID, siteID, data)
}

func event(now time.Time, t otl.EventType, userID, siteID string, data map[string]string) otl.Event {
	return otl.Event{ID: "evt_" + secret.NewID(now), Type: t, UserID: userID, SiteID: siteID, Data: data, CreatedAt: now}
}

// Creation is a person added by an operator rather than by himself.
type Creation struct {
	Email    string // may be missing where he has a number or a username
	Profile  Profile
	Password secret.Text // one of Password, Digest and Hash, or none
	Digest   *secret.Digested
	Replace  bool       // the password is to be replaced before it lets him in
	Hash     string     // a hash made elsewhere
	Site     *otl.Site  // joined at once, nil for none
	Fields   otl.Fields // granted to that site; nil for the minimum and what is filled in
	Verified bool       // the operator knows that address and number are his
	Sole     bool       // his number may name nobody else among the site's people (ErrPhoneTaken)
	// Change says what the site keeps of him, his roles and whether it lets him in.
	Change MemberChange
}

// Create adds a person without signing him in. The grant is of the site he
// joined, if any. A site that asks for too many who are known is limit.Exceeded.
func (a *Accounts) Create(ctx context.Context, c Creation) (m Member, err error) {
	var siteID string
	if c.Site != nil {
		siteID = c.Site.ID
	}
	err = a.Limits.Probe(ctx, siteID, func() error {
		m, err = a.create(ctx, c)
		return err
	})
	return m, err
}

func (a *Accounts) create(ctx context.Context, c Creation) (Member, error) {
	r := Registration{Email: c.Email, Profile: c.Profile, unaddressed: c.Profile.names()}
	if c.Site != nil {
		r.Site = *c.Site
	}
	u, grant, err := a.newUser(r, func(e otl.Email) error {
		if c.Password.Empty() {
			return nil
		}
		return a.Rules.Check(c.Password, e, r.Site.Name)
	})
	if err != nil {
		return Member{}, err
	}
	u.CreatedBy = r.Site.ID
	if c.Fields != nil {
		grant.Fields = c.Fields
	}
	if c.Verified {
		if u.Email.Key != "" {
			u.EmailVerifiedAt = u.CreatedAt
		}
		if u.Phone != "" {
			u.PhoneVerifiedAt = u.CreatedAt
		}
	}
	set, err := c.initial(ctx, a.Hasher)
	if err != nil {
		return Member{}, err
	}
	m, again := Member{User: u}, otl.RequestOf(ctx).Once
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := c.Change.lock(ctx, tx, r.Site.ID); err != nil {
			return err
		}
		if err := c.sole(ctx, tx, u); err != nil {
			return err
		}
		if err := a.insert(ctx, tx, u, "admin", r.Site.ID); err != nil {
			return err
		}
		if set.hash != "" {
			if err := a.setPassword(ctx, tx, u.ID, set); err != nil {
				return err
			}
			if c.Replace {
				if err := tx.Passwords.MustReplace(ctx, u.ID); err != nil {
					return err
				}
			}
		}
		if c.Site != nil {
			if m.Grant, err = a.Sessions.Join(ctx, tx, grant); err != nil {
				return err
			}
			if err := (people{a}).become(ctx, tx, &m, c.Change); err != nil {
				return err
			}
		}
		return tx.Answers.Keep(ctx, again, a.Now(), m)
	})
	return m, err
}

// initial gives the password a created person starts with, if any.
func (c Creation) initial(ctx context.Context, h *secret.Hasher) (password, error) {
	switch {
	case c.Hash != "":
		parsed, err := secret.ParseHash(c.Hash)
		if err != nil {
			return password{}, otl.InvalidField("password_hash", "bad_hash", err.Error())
		}
		return password{c.Hash, parsed.Scheme, true}, nil
	case c.Digest != nil:
		hash, scheme, err := h.HashDigest(ctx, "operator", *c.Digest)
		return password{hash, scheme, true}, err
	case c.Password.Empty():
		return password{}, nil
	}
	hash, scheme, err := h.Hash(ctx, "operator", c.Password)
	return password{hash, scheme, false}, err
}

// Find gives a person by id or e-mail address.
func (a *Accounts) Find(ctx context.Context, idOrEmail string) (otl.User, error) {
	u, err := a.Store.Read.Users.ByID(ctx, idOrEmail)
	if errors.Is(err, store.ErrNotFound) {
		if email, bad := otl.ParseEmail(idOrEmail); bad == nil {
			u, err = a.Store.Read.Users.ByEmail(ctx, email.Key)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return u, otl.NoSuch("user")
	}
	return u, err
}

// SetDisabled disables or enables a person. Disabling ends all his sessions in
// the same transaction (SE-13); enabling gives none of them back.
func (a *Accounts) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	at, event := time.Time{}, otl.EventUserEnabled
	if disabled {
		at, event = a.Now(), otl.EventUserDisabled
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		changed, err := tx.Users.SetDisabled(ctx, userID, at)
		if err != nil || !changed {
			return err
		}
		if disabled {
			if _, err := a.Sessions.EndAll(ctx, tx, userID, "", "", otl.EndUserDisabled); err != nil {
				return err
			}
		}
		return tx.Events.Append(ctx, a.event(event, userID, "", nil))
	})
}

// LearnSchemes tells the hasher which kinds of hash the store holds, so that a
// failed sign-in takes as long as the costliest of them (PW-10).
func (a *Accounts) LearnSchemes(ctx context.Context) error {
	schemes, err := a.Store.Read.Passwords.Schemes(ctx)
	if err != nil {
		return err
	}
	for _, s := range schemes {
		if err := a.Hasher.Learn(s); err != nil {
			return err
		}
	}
	return nil
}
