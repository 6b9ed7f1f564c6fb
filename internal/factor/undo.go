package factor

import (
	"context"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Undos take back that a person has second factors. Whoever holds a copy of his session could
// lock him out by a factor of his own; the mail that tells of a first one leads to a page that takes
// it away. Before it his mailbox opened the account too, so that nobody gains by that (ADR 46).
type Undos struct{ *Factors }

// UndoPrefix begins the token of such a link.
const UndoPrefix = "otl_fu_"

// link gives the address of the page, "" where there is no page or nobody to tell. A later one
// takes the place of the one before.
func (f Undos) link(ctx context.Context, tx *store.Tx, u otl.User, siteID string) (string, error) {
	base := strings.TrimSuffix(f.Messages.PublicURL, "/")
	if base == "" || u.Email.Key == "" {
		return "", nil
	}
	now, token := f.Now(), secret.NewKey(UndoPrefix).Reveal()
	t := otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeFactorUndo, UserID: u.ID, SiteID: siteID, CreatedAt: now, ExpiresAt: now.Add(otl.UndoTTL)}
	return base + "/c/" + token, tx.Tickets.Insert(ctx, t, secret.Digest(token), nil)
}

// Undo takes everything away that could stand in for a second step of a person, and tells him by
// mail what that was. Whoever calls ends his sessions.
func (f Undos) Undo(ctx context.Context, tx *store.Tx, u otl.User, siteID string) error {
	return f.takeAll(ctx, tx, u, siteID, "undo")
}

// Since takes away what came since a moment at which somebody else may have been in the account, and
// all of it where no second factor from before is left: recovery codes alone are none. He is told by
// mail what that was. Whoever calls ends his sessions first, so that nobody adds one meanwhile.
func (f Undos) Since(ctx context.Context, tx *store.Tx, u otl.User, siteID string, at time.Time) error {
	has, err := tx.Factors.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	var late, before []otl.Factor
	for _, one := range has {
		if one.ConfirmedAt.Before(at) {
			before = append(before, one)
		} else {
			late = append(late, one)
		}
	}
	if len(late) == 0 {
		return nil
	}
	if !enrolled(before) {
		return f.Undo(ctx, tx, u, siteID)
	}
	for _, one := range late {
		if err := (&Setup{f.Factors}).remove(ctx, tx, one); err != nil {
			return err
		}
		if err := tx.Events.Append(ctx, f.event(otl.EventFactorRemoved, u.ID, siteID, facts(one, "undo"))); err != nil {
			return err
		}
	}
	return f.tell(ctx, tx, u, siteID, late)
}

// takeAll does it on somebody's behalf.
func (f Undos) takeAll(ctx context.Context, tx *store.Tx, u otl.User, siteID, by string) error {
	has, err := tx.Factors.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	if err := f.RemoveAll(ctx, tx, u.ID, siteID, by); err != nil {
		return err
	}
	if err := limit.ClearFactors(ctx, tx, u.ID); err != nil || len(has) == 0 {
		return err
	}
	return f.tell(ctx, tx, u, siteID, has)
}

// tell says to a person what was taken away.
func (f Undos) tell(ctx context.Context, tx *store.Tx, u otl.User, siteID string, gone []otl.Factor) error {
	return f.Messages.Mail(ctx, tx, otl.MessageFactorRemoved, u, siteID, map[string]string{message.DataLabel: called(gone...)})
}
