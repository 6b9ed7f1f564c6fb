package signin

import (
	"context"
	"strings"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// proveBeside is prove for a number beside a proven address, by a code that a site adds to a session
// there. The site may have written the number and hold it: it opens that site alone for a time, as one
// that a site changes does, and its person is told by mail and can take it back (D1, ADR 20). While
// another change can be taken back it is proven to nobody.
func proveBeside(ctx context.Context, tx *store.Tx, s *Codes, u otl.User, siteID string, t otl.Ticket) (otl.User, error) {
	now := s.Now()
	if now.Before(u.HeldUntil) {
		return u, nil
	}
	u, err := s.prove(ctx, tx, u, siteID, t)
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
