package session

import (
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Uproot removes, at the first proof of a person's address, what somebody planted in
// the account who had not proven to hold it: password, factors, sessions, and everything that
// waits to be used to change the account. Whoever proved the number besides the address
// may have been somebody else too: it has to be proven again (OT-16). Keep is the id of the session that the proof is
// added to, "" for none. A site says which that is, and may have proven a number of its own in it: the number goes all the same (D1).
func (s *Sessions) Uproot(ctx context.Context, tx *store.Tx, f *factor.Factors, userID, siteID, keep string) error {
	had, err := tx.Passwords.Remove(ctx, userID)
	if err != nil {
		return err
	}
	if had {
		if err := tx.Events.Append(ctx, s.event(otl.EventPasswordRemoved, userID, siteID, "", map[string]string{"by": "first proof of the address"})); err != nil {
			return err
		}
	}
	if err := tx.Users.UnprovePhone(ctx, userID); err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeUndo} {
		if err := tx.Tickets.Void(ctx, userID, p, "", s.Now()); err != nil {
			return err
		}
	}
	if err := f.RemoveAll(ctx, tx, userID, siteID, "first proof of the address"); err != nil {
		return err
	}
	_, err = s.EndAll(ctx, tx, userID, "", keep, otl.EndUnproven) // and changes that wait to be proven
	return err
}
