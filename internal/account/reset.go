package account

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	// resetPrefix starts every reset token.
	resetPrefix = "otl_pr_"
	// ResetTTL is how long a reset token can be used (PW-15, at most an hour).
	ResetTTL = 30 * time.Minute
)

// ResetPause is how long after another message to an address no reset token is sent there.
func ResetPause() time.Duration { return limit.Sends[0].Per }

// ErrResetToken is the answer to a reset token that is unknown, used or expired.
var ErrResetToken = &otl.Error{Kind: otl.Unauthenticated, Code: "reset_token_invalid", Text: "The reset link was used already or has expired. Ask for a new one."}

// Forgot queues a mail with a reset token to the person with this address. What
// the caller learns, and how long it takes, is the same where there is nobody. Whoever is
// known where he is passes what strangers have used up (PW-13).
func (a *Accounts) Forgot(ctx context.Context, siteID, address string) error {
	return Resets{a}.ask(ctx, siteID, address, "")
}

// Resets asks for mails to choose a new password.
type Resets struct{ *Accounts }

// Quietly is Forgot for pages, which would tell a neighbour behind the same address who is
// signed in there (OT-10): where messages to the address or of the site are used up it seems to
// queue one. It is limit.Exceeded for a household that asks too often, whomever it asks for.
// Flow is the id of the visit it is asked for in, and ResetFor gives it to whoever has the mail.
func (a Resets) Quietly(ctx context.Context, siteID, address, flow string) error {
	return a.ask(ctx, siteID, address, flow)
}

// dataFlow is the member of the data of a reset ticket that says in which visit it was asked for.
const dataFlow = "flow"

// ask queues the mail: quietly in a visit, which has an id.
func (a Resets) ask(ctx context.Context, siteID, address, flow string) error {
	email, err := otl.ParseEmail(address)
	if err != nil {
		return err
	}
	if err := a.Messages.Reaches(otl.ChannelMail); err != nil {
		return err
	}
	u, err := a.Store.Read.Users.ByEmail(ctx, email.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known := func() (bool, error) {
		return factor.Places{Factors: a.Factors}.Knows(ctx, a.Store.Read, store.Standing{User: u, Site: otl.Site{ID: siteID}})
	}
	if err := a.Limits.Take(ctx, limit.From(ctx, limit.SendsFrom)); err != nil {
		return err
	}
	if err := a.Mail.Take(ctx, siteID, known, limit.Sending(email.Key)...); err != nil {
		if flow == "" || otl.As(err).Kind != otl.Limited {
			return err
		}
		u = otl.User{}
	}
	now := a.Now()
	if !u.DisabledAt.IsZero() || u.Held(otl.ChannelMail, "", now) {
		u = otl.User{} // a password would open what the address does not yet
	}
	t := otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeReset, UserID: u.ID, SiteID: siteID, CreatedAt: now, ExpiresAt: now.Add(ResetTTL)}
	if flow != "" {
		t.Data = map[string]string{dataFlow: flow}
	}
	if u.ID == "" { // nobody's takes the place of the one before, too
		t.Slot = secret.Slot(email.Key)
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return a.send(ctx, tx, u, t) })
}

// Errors where a link to choose a new password would lead nobody in.
var (
	errNoAddress = &otl.Error{Kind: otl.NotFound, Code: "no_address", Text: "The person has no e-mail address."}
	errDisabled  = &otl.Error{Kind: otl.Forbidden, Code: "user_disabled", Text: "The person is disabled."}
)

// Send mails a person a link to choose a new password, on behalf of whoever runs the server,
// however many were sent there lately. Where a password would open nothing, the error says why:
// he has no address, is disabled, or his address is held (ErrHeld).
func (a Resets) Send(ctx context.Context, siteID string, u otl.User) error {
	if err := a.Messages.Reaches(otl.ChannelMail); err != nil {
		return err
	}
	now := a.Now()
	t := otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeReset, UserID: u.ID, SiteID: siteID, CreatedAt: now, ExpiresAt: now.Add(ResetTTL)}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		u, err := tx.Users.ByID(ctx, u.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return otl.NoSuch("user")
		case err != nil:
			return err
		case u.Email.Key == "":
			return errNoAddress
		case !u.DisabledAt.IsZero():
			return errDisabled
		case u.Held(otl.ChannelMail, "", now):
			return ErrHeld
		}
		if err := tx.Events.Append(ctx, a.event(otl.EventResetSent, u.ID, "", nil)); err != nil {
			return err
		}
		return a.send(ctx, tx, u, t)
	})
}

// send writes a reset ticket in the place of the one before, and the mail that brings it.
func (a Resets) send(ctx context.Context, tx *store.Tx, u otl.User, t otl.Ticket) error {
	token := secret.NewKey(resetPrefix)
	if err := tx.Tickets.Void(ctx, u.ID, otl.PurposeReset, t.SiteID, t.CreatedAt); err != nil {
		return err
	}
	if err := tx.Tickets.Insert(ctx, t, secret.Digest(token.Reveal()), nil); err != nil {
		return err
	}
	_, err := a.Messages.Queue(ctx, tx, message.Note{
		Kind: otl.MessageReset, Channel: otl.ChannelMail, To: u.Email.Address, UserID: u.ID, SiteID: t.SiteID, Locale: u.Locale, Expires: t.ExpiresAt,
		Data: map[string]string{
			message.DataToken: token.Reveal(), message.DataLink: strings.TrimSuffix(a.PublicURL, "/") + "/reset/" + token.Reveal(),
			message.DataMinutes: strconv.Itoa(int(ResetTTL.Minutes())),
		},
	})
	return err
}

// Reset is what a reset token was given out for.
type Reset struct {
	Email  otl.Email // of whom a password is chosen for
	SiteID string    // of the site it was asked for at
	Flow   string    // id of the visit it was asked for in, which may be over; "" for none
}

// ResetFor gives what a reset token is for, without using it up. The error is
// ErrResetToken.
func (a *Accounts) ResetFor(ctx context.Context, digest []byte) (Reset, error) {
	t, err := a.Store.Read.Tickets.Live(ctx, otl.PurposeReset, digest, a.Now())
	if errors.Is(err, store.ErrNotFound) {
		return Reset{}, ErrResetToken
	}
	if err != nil {
		return Reset{}, err
	}
	u, err := a.Store.Read.Users.ByID(ctx, t.UserID)
	return Reset{u.Email, t.SiteID, t.Data[dataFlow]}, err
}

// Reset sets a new password with a reset token. It signs nobody in: all sessions
// of the person end, and all his other reset tokens are void (PW-15, PW-17). A
// password that is refused leaves the token as it was.
func (a *Accounts) Reset(ctx context.Context, site otl.Site, token, chosen secret.Text) error {
	digest := secret.Digest(token.Reveal())
	t, err := a.Store.Read.Tickets.Live(ctx, otl.PurposeReset, digest, a.Now())
	if errors.Is(err, store.ErrNotFound) {
		return ErrResetToken
	}
	if err != nil {
		return err
	}
	u, err := a.Store.Read.Users.ByID(ctx, t.UserID)
	if err != nil {
		return err
	}
	if err := a.Rules.Check(chosen, u.Email, site.Name); err != nil {
		return err
	}
	hash, scheme, err := a.Hasher.Hash(ctx, site.ID, chosen)
	if err != nil {
		return err
	}
	otl.RequestOf(ctx).UserID = u.ID
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Users.Lock(ctx, u.ID); err != nil { // before the ticket, as a change of the address does, which makes it worthless
			return err
		}
		_, err := tx.Tickets.Use(ctx, otl.PurposeReset, digest, a.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrResetToken // somebody was faster
		}
		if err != nil {
			return err
		}
		u, err := tx.Users.ByID(ctx, t.UserID)
		if store.Gone(u, err) {
			return ErrResetToken
		}
		if err != nil {
			return err
		}
		if _, invited := t.Data[dataSent]; invited { // D1: he may have become his own since
			if its, err := tx.Grants.Owns(ctx, t.SiteID, u.ID); err != nil || !its {
				if err == nil {
					err = ErrResetToken
				}
				return err
			}
		}
		if proves(t, u) {
			if err := limit.ClearCodes(ctx, tx, u.ID); err != nil {
				return err
			}
			first, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, a.Now())
			if err != nil {
				return err
			}
			if first { // what was planted before goes (OT-16)
				if _, err := a.Sessions.Uproot(ctx, tx, a.Factors, u.ID, site.ID, ""); err != nil { // changed tells him
					return err
				}
			}
		}
		_, err = a.changed(ctx, tx, u, site.ID, password{hash, scheme, false}, "reset", "")
		return err
	})
}

// Change is a new password of somebody who is signed in.
type Change struct {
	Bearer       store.Standing
	Current, New secret.Text
}

// Change sets a new password for somebody who knows the present one. All his
// sessions end but the one he asks with, which goes on after a refresh: the
// session version is raised, and given (seed 000, PW-14). A wrong present
// password counts as a failed sign-in (PW-11), and beyond the rate of new ones it is limit.Exceeded.
func (a *Accounts) Change(ctx context.Context, c Change) (version int, err error) {
	u := c.Bearer.User
	if err := a.Rules.Check(c.New, u.Email, c.Bearer.Site.Name); err != nil {
		return 0, err
	}
	who, account, err := Renewal{a}.knows(ctx, c.Bearer, c.Current)
	if err != nil {
		return 0, err
	}
	if err := a.Limits.Take(ctx, newPassword(u.ID)); err != nil {
		return 0, err
	}
	hash, scheme, err := a.Hasher.Hash(ctx, c.Bearer.Site.ID, c.New)
	if err != nil {
		return 0, err
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Users.Lock(ctx, u.ID); err != nil { // or the first proof of his address could come between what is read here and what is written (OT-16)
			return err
		}
		now, err := tx.Users.Credential(ctx, cmp.Or(u.Email.Key, u.Username.Key), c.Bearer.Site.ID)
		if err != nil {
			return err
		}
		if now.PasswordVersion != who.PasswordVersion || now.User.ID != u.ID {
			return otl.ErrVersion // changed elsewhere in the meantime
		}
		if err := a.Limits.Clear(ctx, tx, account); err != nil {
			return err
		}
		version, err = a.changed(ctx, tx, now.User, c.Bearer.Site.ID, password{hash, scheme, false}, "change", c.Bearer.Session.ID)
		return err
	})
	return version, err
}

// holder names whose failures a wrong present password counts as: those of the
// person, apart from strangers' only where the call comes from where his session
// was opened (PW-13).
func (a *Accounts) holder(ctx context.Context, b store.Standing) limit.Account {
	return limit.Person(b.User.ID, factor.Places{Factors: a.Factors}.Opened(ctx, b.Session))
}

// changed stores a new password and does everything that goes with one.
func (a *Accounts) changed(ctx context.Context, tx *store.Tx, u otl.User, siteID string, p password, how, keep string) (version int, err error) {
	if err := a.setPassword(ctx, tx, u.ID, p); err != nil {
		return 0, err
	}
	if err := tx.Tickets.Void(ctx, u.ID, otl.PurposeReset, "", a.Now()); err != nil {
		return 0, err
	}
	places, err := factor.Places{Factors: a.Factors}.Of(ctx, tx, u.ID)
	if err != nil {
		return 0, err
	}
	for _, place := range append(places, "") {
		if err := a.Limits.Clear(ctx, tx, limit.Person(u.ID, place)); err != nil {
			return 0, err
		}
	}
	if err := tx.Events.Append(ctx, a.event(otl.EventPasswordChanged, u.ID, siteID, map[string]string{"by": how})); err != nil {
		return 0, err
	}
	if err := a.Messages.Mail(ctx, tx, otl.MessagePasswordChanged, u, siteID, nil); err != nil {
		return 0, err
	}
	return a.Sessions.EndAll(ctx, tx, u.ID, "", keep, otl.EndPasswordChange)
}

// PruneTickets deletes one-time secrets that expired a day ago, and what was written in the place of people
// an hour ago.
func (a *Accounts) PruneTickets(ctx context.Context) error {
	return a.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		dayAgo := a.Now().Add(-24 * time.Hour)
		if err := tx.Origins.Prune(ctx, dayAgo); err != nil {
			return 0, err
		}
		n, err := tx.Tickets.Prune(ctx, dayAgo, store.Batch)
		if err != nil {
			return n, err
		}
		more, err := tx.Nobodies.Prune(ctx, secret.FirstID(a.Now().Add(-time.Hour)), store.Batch)
		return max(n, more), err
	})
}
