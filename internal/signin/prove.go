package signin

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// entry is a way in that was just proven.
type entry struct {
	site   otl.Site
	door   *Door  // for a second step that may be due
	join   string // id of the session it is added to; "" opens one
	by     string // id of the client that joins
	ticket otl.Ticket
	method otl.Method
	chosen bool   // a password was chosen that takes the place of the one before
	locked string // id of the person whose row was locked before the ticket, "" for none; see inOrder
	known  bool   // its person was there, and came by the link of a newcomer
}

// takes is otl.ErrWay where a site does not let people in by what is asked for, unless that is
// to be a second factor beside a session which its person has there.
func takes(ctx context.Context, s *Codes, r CodeRequest, w otl.Way) error {
	off := r.Site.Opens(w)
	if off == nil || !r.Joins {
		return off
	}
	if err := r.Who.Check(); err != nil {
		return err
	}
	m, err := s.find(ctx, r.Site, r.Who, true)
	if errors.Is(err, store.ErrNotFound) {
		return off
	}
	if err != nil {
		return err
	}
	live, err := s.Store.Read.Sessions.Live(ctx, m.User.ID, r.Site.ID, "", s.Now(), 1)
	if err == nil && len(live) == 0 {
		err = off
	}
	return err
}

// enter leads the person of a ticket that was just used up to a session, or a second
// step, or adds the proof to a session.
func (s *Codes) enter(ctx context.Context, tx *store.Tx, e entry, from *otl.Request) (entrance, error) {
	if e.join == "" { // what is added to a session is nobody's way in
		if err := e.site.Opens(e.method.Way()); err != nil {
			return entrance{}, err // sent before it was switched off
		}
	}
	if texted(e.ticket) && e.locked != e.ticket.UserID {
		return entrance{}, personFirst{e.ticket.UserID}
	}
	u, grant, err := tx.Users.At(ctx, e.ticket.UserID, e.site.ID)
	if store.Gone(u, err) {
		return entrance{}, ErrDisabled
	}
	if err != nil {
		return entrance{}, err
	}
	if e.ticket.Data[dataProves] != "" && u.Held(e.ticket.Channel, e.site.ID, s.Now()) {
		return entrance{}, ErrHeld
	}
	if texted(e.ticket) {
		u, err = proveNumber(ctx, tx, s, u, e)
	} else {
		u, err = s.prove(ctx, tx, u, e)
	}
	if err != nil {
		return entrance{}, err
	}
	p := Proved{Standing: store.Standing{User: u, Site: e.site, Grant: grant}, Methods: otl.Methods{e.shows(u)}, known: e.known}
	if e.join != "" {
		if err := s.Second.settle(ctx, tx, p); err != nil {
			return entrance{}, err
		}
		if _, err := tx.Users.Came(ctx, u, s.Now()); err != nil {
			return entrance{}, err
		}
		opened, err := s.Sessions.Resume(ctx, tx, session.Holder{Client: e.by}, e.site.ID, u.ID, e.join, e.shows(u))
		return entrance{opened: opened}, err
	}
	return s.Second.admit(ctx, tx, p, e.door, from)
}

// prove notes that a person holds the address or number his ticket was sent to.
// When nobody had proven the address before, whoever set a password, opened a session
// or set up a factor did not either: all of them go (OT-16), also what whoever has proven the number
// has. The session that the proof is added to stays. Whoever has proven the address is told of a password that went,
// unless he has chosen another by the same proof.
func (s *Codes) prove(ctx context.Context, tx *store.Tx, u otl.User, e entry) (otl.User, error) {
	t, siteID, now := e.ticket, e.site.ID, s.Now()
	proven := t.Data[dataProves]
	var first bool
	var gone session.Uprooted
	var err error
	changed := "email_verified"
	switch {
	case proven == "":
		return u, nil
	case t.Channel == otl.ChannelSMS:
		changed = "phone_verified"
		if first, err = tx.Users.VerifyPhone(ctx, u.ID, proven, now); err != nil || !first {
			return u, err
		}
	default:
		address, bad := otl.ParseEmail(proven)
		if bad != nil {
			return u, bad
		}
		if u.EmailVerifiedAt.IsZero() && e.locked != u.ID {
			return u, personFirst{u.ID}
		}
		if first, err = tx.Users.VerifyEmail(ctx, u.ID, address.Key, now); err != nil || !first {
			return u, err
		}
		if gone, err = s.Sessions.Uproot(ctx, tx, s.Second.Factors, u.ID, siteID, e.join); err != nil {
			return u, err
		}
	}
	if err := tx.Events.Append(ctx, s.event(otl.EventUserUpdated, u.ID, siteID, map[string]string{otl.DataChanged: changed})); err != nil {
		return u, err
	}
	if u, err = tx.Users.ByID(ctx, u.ID); err != nil || e.chosen {
		return u, err
	}
	return u, gone.Tell(ctx, tx, s.Messages, u, otl.ChannelMail, siteID)
}

// ErrHeld is the answer to a new address or number that opens one site alone by now.
var ErrHeld = &otl.Error{Kind: otl.Forbidden, Code: "address_held", Text: "A site changed this address a short while ago. Until that can no longer be undone, it opens that site alone."}
