package account

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Errors of what sites keep of their people, and of the passwords they give them.
var (
	ErrExternalIDTaken = &otl.Error{Kind: otl.Conflict, Code: "external_id_taken", Text: "Another of the site's people has this external id.", Field: "external_id"}
	ErrHasPassword     = &otl.Error{Kind: otl.Conflict, Code: "password_exists", Text: "The person has a password already."}
	ErrNoPassword      = &otl.Error{Kind: otl.Conflict, Code: "password_missing", Text: "The person has no password yet."}
)

// Members is what a site may do with its people.
type Members struct {
	*Accounts
	Changes *Changes
}

// Welcome adds a person with an address or a number whom nobody knows yet, on behalf of
// a site whose visitor he seems to be, and reports whether it did: an address is looked
// for in the whole network, a number among the site's people who let it see theirs: it would learn whose
// it is of the others. He has proven nothing.
func (a *Members) Welcome(ctx context.Context, site otl.Site, address, number string) (bool, error) {
	c := Creation{Email: address, Site: &site, Sole: true}
	var err error
	if address != "" {
		var e otl.Email
		if e, err = otl.ParseEmail(address); err != nil {
			return false, err
		}
		_, err = a.Store.Read.Users.ByEmail(ctx, e.Key)
	} else {
		if c.Profile.Phone = &number; number == "" {
			return false, otl.InvalidField("phone_number", "required", "is required")
		}
		_, err = a.Store.Read.Grants.MemberByPhone(ctx, site.ID, number)
	}
	if errors.Is(err, store.ErrSeveral) {
		return false, otl.NoSuch("user").Because(err) // one more would be named by it no more than they are
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if err := a.Limits.Take(ctx, limit.Use{Rate: limit.Register, By: []string{site.ID}}); err != nil {
		return false, err
	}
	_, err = a.Create(ctx, c)
	if errors.Is(err, ErrPhoneTaken) { // somebody was faster
		return false, nil
	}
	return err == nil, err
}

// Met counts that a site is answered about somebody of the network who is none of its people, as
// it is not about somebody it would have had to add: that tells it who is known elsewhere. The
// error is limit.Exceeded.
func (a *Members) Met(ctx context.Context, site otl.Site, u otl.User) error {
	_, err := a.Store.Read.Grants.Member(ctx, site.ID, u.ID)
	if errors.Is(err, store.ErrNotFound) {
		err = a.Limits.Told(ctx, site.ID)
	}
	return err
}

// MemberChange is what a site wants to be different about one of its people; nil and
// empty members leave things as they are.
type MemberChange struct {
	Profile
	Email      *string // pending until it is proven
	ExternalID *string
	Data       map[string]json.RawMessage // members of what the site keeps; null takes one away
	Merge      []string                   // those of them that are objects, whose members are changed one by one
	Suspended  *bool
	Until      time.Time                   // of Suspended: when it ends by itself; zero: when the site says so
	Pending    bool                        // the site waits for him to sign in
	Traits     map[string]string           // what the site finds him by besides, by name; "" takes one away
	Roles      func(has []string) []string // those he is to have, made of those he has; nil: as they are
	Password   *GivenPassword              // of a person of the site's own
}

// Change changes what a site may change about one of its people, all of it or
// nothing. His profile it changes as far as he granted it, or wholly where the person
// is its own (Owns). A new address, or a number in the place of a proven one, waits
// until somebody proves to hold it (OT-17). Suspending ends his sessions at the site.
// A role that the site does not know is NotFound. The errors of a password are those of SetPassword.
func (a *Members) Change(ctx context.Context, site otl.Site, userID string, c MemberChange) (m Member, err error) {
	if c.Email == nil && c.Username == nil {
		return a.change(ctx, site, userID, c)
	}
	err = a.Limits.Probe(ctx, site.ID, func() error { // names somebody may have
		m, err = a.change(ctx, site, userID, c)
		return err
	})
	return m, err
}

func (a *Members) change(ctx context.Context, site otl.Site, userID string, c MemberChange) (Member, error) {
	m, err := a.Member(ctx, site.ID, userID)
	if err != nil {
		return m, err
	}
	given, err := a.given(ctx, site, m.User, c.Password)
	if err != nil {
		return m, err
	}
	asked, err := a.Changes.asks(ctx, site, m, &c)
	if err != nil {
		return m, err
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if err := c.lock(ctx, tx, site.ID); err != nil {
			return err
		}
		if err := tx.Grants.Lock(ctx, userID, site.ID); err != nil {
			return err // of what is read now nothing may change before it is written
		}
		if m, err = tx.Grants.Member(ctx, site.ID, userID); err != nil {
			return err
		}
		if err := a.mayGive(ctx, tx, site.ID, m.User, c.Password); err != nil {
			return err // somebody was faster
		}
		if err := a.changeProfile(ctx, tx, site.ID, &m, c.Profile); err != nil {
			return err
		}
		if err := (people{a.Accounts}).become(ctx, tx, &m, c); err != nil {
			return err
		}
		if err := a.give(ctx, tx, m, c.Password, given); err != nil {
			return err
		}
		return a.Changes.send(ctx, tx, asked)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("user")
	}
	return m, err
}

// people are a site's people as changes make them.
type people struct{ *Accounts }

// become makes of a person at a site what a change says: what it keeps of him, whether he is
// let in, and his roles.
func (a people) become(ctx context.Context, tx *store.Tx, m *Member, c MemberChange) error {
	next, err := c.record(m.Record, a.Now())
	if err != nil {
		return err
	}
	if err := keep(ctx, tx, a.Now(), m, next); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Traits)) {
		if err := tx.Records.Trait(ctx, m.Grant.SiteID, m.User.ID, name, c.Traits[name]); err != nil {
			return err
		}
	}
	if err := a.suspend(ctx, tx, m, c); err != nil || c.Roles == nil {
		return err
	}
	return a.assign(ctx, tx, m, c.Roles)
}

// changeProfile writes the parts of a profile, and grants the site those of a person
// of its own.
func (a *Members) changeProfile(ctx context.Context, tx *store.Tx, siteID string, m *Member, p Profile) error {
	owns, err := tx.Grants.Owns(ctx, siteID, m.User.ID)
	if err != nil {
		return err
	}
	if more := m.Grant.Fields.With(p.fields()...); owns && len(more) > len(m.Grant.Fields) {
		m.Grant.Fields, m.Grant.UpdatedAt = more, a.Now()
		if err := tx.Grants.Put(ctx, m.Grant); err != nil {
			return err
		}
	}
	if p.Username != nil && !owns {
		return otl.ErrFirstParty // what he signs in with, whatever the site sees
	}
	if err := p.within(m.Grant.Fields); err != nil {
		return err
	}
	before := m.User
	if err := p.apply(&m.User); err != nil || m.User == before {
		return err
	}
	if err := keepsNumber(before, m.User); err != nil {
		return err
	}
	return a.saveProfile(ctx, tx, &m.User, p.fields())
}

// Owns reports whether a person is a site's own: it added him, no other site knows
// him, and he has proven no address or number. Of such a person alone it may set what
// he signs in with (decision D1).
func (a *Members) Owns(ctx context.Context, siteID string, u otl.User) (bool, error) {
	return a.Store.Read.Grants.Owns(ctx, siteID, u.ID)
}

// suspend bars a person from a site, for a time or until it says otherwise, or lets him
// in again. A time takes the place of another, and never of none.
func (a people) suspend(ctx context.Context, tx *store.Tx, m *Member, c MemberChange) error {
	was := m.Grant
	switch barred := !was.SuspendedAt.IsZero(); {
	case c.Suspended == nil, !*c.Suspended && !barred, *c.Suspended && barred && was.SuspendedUntil.IsZero():
		return nil
	case !*c.Suspended:
		m.Grant.SuspendedAt, m.Grant.SuspendedUntil = time.Time{}, time.Time{}
	case barred:
		m.Grant.SuspendedUntil = c.Until
	default:
		m.Grant.SuspendedAt, m.Grant.SuspendedUntil = a.Now(), c.Until
	}
	changed, err := tx.Grants.Suspend(ctx, was, m.Grant.SuspendedAt, m.Grant.SuspendedUntil)
	if err != nil || !changed || was.SuspendedAt.IsZero() != *c.Suspended {
		return err
	}
	event := otl.EventMemberRestored
	if *c.Suspended {
		event = otl.EventMemberSuspended
		if _, err := a.Sessions.EndAll(ctx, tx, m.User.ID, m.Grant.SiteID, "", otl.EndSuspended); err != nil {
			return err
		}
	}
	return tx.Events.Append(ctx, a.event(event, m.User.ID, m.Grant.SiteID, nil))
}

// Unlock lets those in again who were barred from a site for a time that is over.
func (a *Members) Unlock(ctx context.Context) error {
	const most = 100
	for {
		now := a.Now()
		due, err := a.Store.Read.Grants.Locked(ctx, now, most)
		if err != nil {
			return err
		}
		for _, g := range due {
			if err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				was, err := tx.Grants.Unlock(ctx, g.UserID, g.SiteID, now)
				if err != nil || !was {
					return err
				}
				return tx.Events.Append(ctx, a.event(otl.EventMemberRestored, g.UserID, g.SiteID, nil))
			}); err != nil {
				return err
			}
		}
		if len(due) < most {
			return nil
		}
	}
}

// keep writes what a site keeps of a person, if that is anything new.
func keep(ctx context.Context, tx *store.Tx, now time.Time, m *Member, r otl.Record) error {
	if r == m.Record {
		return nil
	}
	if len(r.Data) > otl.MaxRecord {
		return otl.InvalidField("data", "too_long", "holds more than "+strconv.Itoa(otl.MaxRecord)+" bytes of JSON in all")
	}
	id, err := otl.CheckText("external_id", r.ExternalID, otl.MaxExternalID)
	if err != nil {
		return err
	}
	r.ExternalID = id
	err = tx.Records.Put(ctx, m.Grant.SiteID, m.User.ID, r)
	if errors.Is(err, store.ErrTaken) {
		err = ErrExternalIDTaken
	}
	if err != nil {
		return err
	}
	changed := map[string]string{}
	for _, c := range otl.Changes(recordState(m.Record), recordState(r)) {
		changed[otl.DataChanged] = strings.TrimSpace(changed[otl.DataChanged] + " " + c.Field)
	}
	m.Record = r
	return tx.Events.Append(ctx, event(now, otl.EventRecordUpdated, m.User.ID, m.Grant.SiteID, changed))
}

func recordState(r otl.Record) map[string]string {
	return map[string]string{"external_id": r.ExternalID, "data": r.Data, "pending": r.PendingAt.String()}
}

// record applies the change to what the site keeps.
func (c MemberChange) record(r otl.Record, now time.Time) (otl.Record, error) {
	if c.ExternalID != nil {
		r.ExternalID = *c.ExternalID
	}
	switch {
	case c.Pending:
		r.PendingAt = now
	case c.Suspended != nil:
		r.PendingAt = time.Time{}
	}
	if len(c.Data) == 0 {
		return r, nil
	}
	kept := map[string]json.RawMessage{}
	if r.Data != "" {
		if err := json.Unmarshal([]byte(r.Data), &kept); err != nil {
			return r, err
		}
	}
	if err := c.merge(kept); err != nil {
		return r, err
	}
	raw, err := json.Marshal(kept)
	r.Data = string(raw)
	return r, err
}

func (c MemberChange) merge(kept map[string]json.RawMessage) error {
	for name, value := range c.Data {
		if slices.Contains(c.Merge, name) {
			var object map[string]json.RawMessage
			if err := json.Unmarshal(value, &object); err != nil || object == nil {
				return otl.InvalidField(name, "not_an_object", "must be a JSON object")
			}
			all := map[string]json.RawMessage{}
			if kept[name] != nil {
				if err := json.Unmarshal(kept[name], &all); err != nil {
					return err
				}
			}
			maps.Copy(all, object)
			maps.DeleteFunc(all, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
			raw, err := json.Marshal(all)
			if err != nil {
				return err
			}
			value = raw
		}
		if kept[name] = value; string(value) == "null" {
			delete(kept, name)
		}
	}
	return nil
}

// GivenPassword is a password that a site gives one of its own people.
type GivenPassword struct {
	Password secret.Text
	Digest   *secret.Digested // in place of Password, which nobody knows then
	Replace  bool             // the one he has, rather than his first one
	Either   bool             // the one he has or his first one, whatever Replace says
	Initial  bool             // it is to be replaced before it lets him in
	Profile  Profile          // changed with it
}

// PasswordState is what a site sees of the password of a person of its own.
type PasswordState struct {
	ChangedAt time.Time // zero where he has none
	Temporary bool      // it is to be replaced before it lets him in
}

// PasswordOf gives the state of the password of one of a site's people. Of somebody who
// is not its own (Owns) it is zero: that is no site's to know.
func (a *Members) PasswordOf(ctx context.Context, siteID string, u otl.User) (p PasswordState, err error) {
	its, err := a.Owns(ctx, siteID, u)
	if err != nil || !its {
		return p, err
	}
	if p.ChangedAt, err = a.Store.Read.Passwords.ChangedAt(ctx, u.ID); err == nil {
		p.Temporary, err = a.Store.Read.Passwords.Temporary(ctx, u.ID)
	}
	return p, err
}

// SetPassword gives a person of the site's own a password. The errors are
// otl.ErrIndependent, ErrHasPassword and ErrNoPassword. The first proof of his address
// takes it away again: until then nobody knows whose it is (OT-16).
func (a *Members) SetPassword(ctx context.Context, site otl.Site, userID string, g GivenPassword) error {
	_, err := a.Change(ctx, site, userID, MemberChange{Profile: g.Profile, Password: &g})
	return err
}

// given gives what is kept of a password that a site gives, if it gives one and may. Of a digest
// nobody knows whether the password keeps the rules.
func (a *Members) given(ctx context.Context, site otl.Site, u otl.User, g *GivenPassword) (p password, err error) {
	if err := a.mayGive(ctx, a.Store.Read, site.ID, u, g); err != nil || g == nil {
		return p, err
	}
	if g.Digest != nil {
		p.hash, p.scheme, err = a.Hasher.HashDigest(ctx, site.ID, *g.Digest)
		p.imported = true
		return p, err
	}
	if err := a.Rules.Check(g.Password, u.Email, site.Name); err != nil {
		return p, err
	}
	p.hash, p.scheme, err = a.Hasher.Hash(ctx, site.ID, g.Password)
	return p, err
}

func (a *Members) mayGive(ctx context.Context, tx *store.Tx, siteID string, u otl.User, g *GivenPassword) error {
	if g == nil {
		return nil
	}
	owns, err := tx.Grants.Owns(ctx, siteID, u.ID)
	if err != nil {
		return err
	}
	if !owns {
		return otl.ErrIndependent
	}
	has, err := tx.Passwords.Has(ctx, u.ID)
	switch {
	case err != nil, g.Either:
		return err
	case has && !g.Replace:
		return ErrHasPassword
	case !has && g.Replace:
		return ErrNoPassword
	}
	return nil
}

// give stores a password that a site gives, if it does.
func (a *Members) give(ctx context.Context, tx *store.Tx, m Member, g *GivenPassword, p password) error {
	if g == nil {
		return nil
	}
	if _, err := a.changed(ctx, tx, m.User, m.Grant.SiteID, p, "site", ""); err != nil || !g.Initial {
		return err
	}
	return tx.Passwords.MustReplace(ctx, m.User.ID)
}
