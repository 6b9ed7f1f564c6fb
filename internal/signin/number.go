package signin

import (
	"context"
	"strings"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// ErrUnproven is the answer to a code that was texted to a number which anybody may have written.
// It is proven from a session of the person's own.
var ErrUnproven = &otl.Error{Kind: otl.Forbidden, Code: "number_unproven", Text: "This number was never proven. Sign in in another way, and prove it there."}

// texted reports whether using a ticket shows that somebody holds a number. Whoever asks what that
// is worth locks the person's row first: on PostgreSQL somebody else may be proving the address.
func texted(t otl.Ticket) bool {
	return t.Channel == otl.ChannelSMS && t.Data[dataProves] != ""
}

// proveNumber is prove for a number. One that nobody has proven anybody may have written: a site that
// has it granted, or whoever registered with another's. It opens an account that is the site's own and no
// other, for whoever reads what is sent there has not shown that he holds the account, and no site comes into
// the account of somebody whom it shares (OT-16, D1). Of the site's own people it is what they are known by:
// its first proof uproots, unless it comes from the very session that was opened before.
func proveNumber(ctx context.Context, tx *store.Tx, s *Codes, u otl.User, e entry) (otl.User, error) {
	if !u.PhoneVerifiedAt.IsZero() {
		return u, nil
	}
	its, err := tx.Grants.Owns(ctx, e.site.ID, u.ID)
	switch {
	case err != nil:
		return u, err
	case !its && e.join == "":
		return u, ErrUnproven
	case !its:
		return proveBeside(ctx, tx, s, u, e)
	}
	u, err = s.prove(ctx, tx, u, e)
	switch {
	case err != nil, e.join != "":
		return u, err
	case u.PhoneVerifiedAt.IsZero():
		return u, ErrCode // it went to a number that is another one by now
	}
	gone, err := s.Sessions.Uproot(ctx, tx, s.Second.Factors, u.ID, e.site.ID, "")
	if err != nil {
		return u, err
	}
	if _, err := tx.Users.VerifyPhone(ctx, u.ID, u.Phone, s.Now()); err != nil { // beside an address that went, too
		return u, err
	}
	if u, err = tx.Users.ByID(ctx, u.ID); err != nil {
		return u, err
	}
	return u, gone.Tell(ctx, tx, s.Messages, u, otl.ChannelSMS, e.site.ID)
}

// shows gives what the code of an entry shows of its person after it was proven: one that went to a number
// which was proven to nobody, or is another one by now, no more than a code he was handed (MF-06).
func (e entry) shows(u otl.User) otl.Method {
	if texted(e.ticket) && (u.PhoneVerifiedAt.IsZero() || u.Phone != e.ticket.Data[dataProves]) {
		return otl.MethodDirect
	}
	return e.method
}

// proveBeside is prove for a number of somebody who is not the site's own, by a code that the site adds to
// a session there. It may have written the number and hold it: that opens the site alone for a time, as one
// that a site changes does, and its person is told by mail and can take it back (D1, ADR 20). While
// another change can be taken back, and where nobody can be told, it is proven to nobody.
func proveBeside(ctx context.Context, tx *store.Tx, s *Codes, u otl.User, e entry) (otl.User, error) {
	now, siteID := s.Now(), e.site.ID
	if now.Before(u.HeldUntil) || u.Email.Key == "" {
		return u, nil
	}
	u, err := s.prove(ctx, tx, u, e)
	if err != nil || u.PhoneVerifiedAt.IsZero() {
		return u, err // the number is another one by now
	}
	u.HeldFor, u.HeldChannel, u.HeldUntil = siteID, otl.ChannelSMS, now.Add(otl.HoldTTL)
	if _, err := tx.Users.ChangePhone(ctx, u, u.Phone, now); err != nil {
		return u, err
	}
	undo, token := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeUndo, UserID: u.ID, SiteID: siteID, Channel: otl.ChannelSMS, CreatedAt: now, ExpiresAt: now.Add(otl.UndoTTL),
		Data: map[string]string{otl.ChangedFrom: "", otl.ChangedTo: u.Phone, otl.ChangedSeen: ""},
	}, secret.NewKey(otl.UndoPrefix).Reveal()
	if err := tx.Tickets.Insert(ctx, undo, secret.Digest(token), nil); err != nil {
		return u, err
	}
	link := strings.TrimSuffix(s.PublicURL, "/") + "/c/" + token
	if err := s.Messages.Mail(ctx, tx, otl.MessageChangeAsked, u, siteID, map[string]string{message.DataLink: link, message.DataTo: otl.Masked(u.Phone)}); err != nil {
		return u, err
	}
	return tx.Users.ByID(ctx, u.ID)
}
