package factor

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// RemoveAll takes away everything that could stand in for a second step of a person:
// factors, recovery codes, trusted devices, codes and steps under way (OT-16).
func (f *Factors) RemoveAll(ctx context.Context, tx *store.Tx, userID, siteID, by string) error {
	has, err := tx.Factors.Of(ctx, userID)
	if err != nil {
		return err
	}
	if err := tx.Factors.DeleteAll(ctx, userID); err != nil {
		return err
	}
	if err := Forgotten(ctx, tx, userID, "", f.Now()); err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeRecovery, otl.PurposeDevice, otl.PurposeFactor, otl.PurposeStep, otl.PurposeStandIn, otl.PurposeFactorUndo} {
		if err := tx.Tickets.Void(ctx, userID, p, "", f.Now()); err != nil {
			return err
		}
	}
	for _, one := range has {
		if err := tx.Events.Append(ctx, f.event(otl.EventFactorRemoved, userID, siteID, facts(one, by))); err != nil {
			return err
		}
	}
	return nil
}

// facts gives what an event says of a factor, and who had it added or removed where that
// was not the person himself.
func facts(one otl.Factor, by string) map[string]string {
	return map[string]string{otl.DataFactor: one.ID, otl.DataKind: string(one.Kind), otl.DataBy: by}
}
