package account

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Errors of taking a number away.
var (
	// ErrPhoneAlone is the answer where the person has no proven address: without the number
	// he might not get in again, nor be told what became of his account.
	ErrPhoneAlone = &otl.Error{Kind: otl.Conflict, Code: "phone_alone", Text: "The person has no proven e-mail address, and might not get in again without the number."}
	// ErrPhoneFactor is the answer where a second factor sends its codes there. Taking it away
	// along would leave him without one that a site may demand.
	ErrPhoneFactor = &otl.Error{Kind: otl.Conflict, Code: "phone_is_factor", Text: "Codes of a second factor go to this number. Remove that factor first."}
)

// ErrPhoneTaken is the answer to a site that adds somebody with the number of one, or of several, of its people
// who let it see theirs. Of other people, and of other sites', nothing is told (ADR 55).
var ErrPhoneTaken = &otl.Error{Kind: otl.Conflict, Code: "phone_taken", Text: "Another of the site's people has this number.", Field: "phone"}

// sole holds somebody new against the site's people, where his number is to name him alone. Until the
// transaction ends nobody else is added so: of two at once the second finds the first.
func (c Creation) sole(ctx context.Context, tx *store.Tx, u otl.User) error {
	if !c.Sole || u.Phone == "" {
		return nil
	}
	if err := tx.Roles.Lock(ctx, c.Site.ID); err != nil {
		return err
	}
	switch _, err := tx.Grants.MemberByPhone(ctx, c.Site.ID, u.Phone); {
	case err == nil, errors.Is(err, store.ErrSeveral): // which is ErrNotFound, too
		return ErrPhoneTaken
	case errors.Is(err, store.ErrNotFound):
		return nil
	default:
		return err
	}
}

// PhoneStays is why a person cannot take his number away: ErrHeld, ErrPhoneAlone or
// ErrPhoneFactor; nil where he can.
func (a *Changes) PhoneStays(ctx context.Context, u otl.User) error {
	return a.phoneStays(ctx, a.Store.Read, u)
}

func (a *Changes) phoneStays(ctx context.Context, tx *store.Tx, u otl.User) error {
	switch {
	case a.Now().Before(u.HeldUntil): // one change at a time can be taken back
		return ErrHeld
	case u.EmailVerifiedAt.IsZero() && (u.Email.Key == "" || !u.PhoneVerifiedAt.IsZero()):
		return ErrPhoneAlone
	}
	has, err := tx.Factors.Of(ctx, u.ID)
	if err == nil && slices.ContainsFunc(has, func(f otl.Factor) bool { return f.Kind == otl.FactorSMS && f.Target == u.Phone }) {
		err = ErrPhoneFactor
	}
	return err
}

// RemovePhone takes the number of a person away on behalf of himself, who has just proven who
// he is. Codes that went there open nothing any more, and he is told by mail, with a link that
// gives the number back within the time of every change (OT-17). Without a number there is
// nothing to do. The errors are those of PhoneStays, and ErrChange where the number became another in this moment.
func (a *Changes) RemovePhone(ctx context.Context, home otl.Site, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Users.Lock(ctx, userID); err != nil { // or a change that comes into force meanwhile would lose its hold
			return err
		}
		u, err := tx.Users.ByID(ctx, userID)
		if err != nil || u.Phone == "" {
			return err
		}
		if err := a.phoneStays(ctx, tx, u); err != nil {
			return err
		}
		t, refuse := a.takenAway(home, u), secret.NewKey(undoPrefix).Reveal()
		if err := tx.Tickets.Insert(ctx, t, secret.Digest(refuse), nil); err != nil {
			return err
		}
		was := u.Phone
		u.Phone, u.PhoneVerifiedAt = "", time.Time{}
		if err := a.swap(ctx, tx, t, "phone", func() (bool, error) { return tx.Users.ChangePhone(ctx, u, was, a.Now()) }); err != nil {
			return err
		}
		return a.Messages.Mail(ctx, tx, otl.MessagePhoneRemoved, u, home.ID, map[string]string{message.DataLink: a.link(refuse), message.DataTo: otl.Masked(was)})
	})
}

// takenAway is the ticket by which a number is given back: a change to none.
func (a *Changes) takenAway(home otl.Site, u otl.User) otl.Ticket {
	now := a.Now()
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeUndo, UserID: u.ID, SiteID: home.ID, Channel: otl.ChannelSMS, Slot: u.Phone, CreatedAt: now, ExpiresAt: now.Add(otl.UndoTTL),
		Data: map[string]string{dataWas: u.Phone, dataTo: "", dataVerified: ""},
	}
	if !u.PhoneVerifiedAt.IsZero() {
		t.Data[dataVerified] = strconv.FormatInt(u.PhoneVerifiedAt.UnixMilli(), 10)
	}
	return t
}
