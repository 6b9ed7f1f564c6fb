package account

import (
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Locks are what proofs that failed have closed to people.
type Locks struct{ *Accounts }

// Unlock forgets everything of a person that failed in a row, which may have closed his
// password, codes or second factors to him.
func (a Locks) Unlock(ctx context.Context, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		places, err := factor.Places{Factors: a.Factors}.Of(ctx, tx, userID)
		if err != nil {
			return err
		}
		has, err := tx.Factors.Of(ctx, userID)
		if err != nil {
			return err
		}
		at, err := tx.Grants.OfPerson(ctx, userID)
		if err != nil {
			return err
		}
		var more []limit.Account
		for _, g := range at {
			for _, one := range has {
				more = append(more, limit.FactorAt(userID, g.SiteID, one.ID))
			}
		}
		if err := limit.ClearAll(ctx, tx, userID, places, more...); err != nil {
			return err
		}
		return tx.Events.Append(ctx, a.event(otl.EventUserUnlocked, userID, "", nil))
	})
}
