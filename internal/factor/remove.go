package factor

import (
	"context"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// RemoveAll takes away everything that could stand in for a second step of a person:
// factors, recovery codes, trusted devices, codes and steps under way (OT-16).
func (f *Factors) RemoveAll(ctx context.Context, tx *store.Tx, userID, siteID, by string) error {
	n, err := tx.Factors.DeleteAll(ctx, userID)
	if err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeRecovery, otl.PurposeDevice, otl.PurposeFactor, otl.PurposeStep} {
		if err := tx.Tickets.Void(ctx, userID, p, f.Now()); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return tx.Events.Append(ctx, f.event(otl.EventFactorRemoved, userID, siteID, map[string]string{"by": by, "factors": strconv.Itoa(n)}))
}
