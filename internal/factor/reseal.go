package factor

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// resealPage is how many factors are brought under another key in one transaction.
const resealPage = 200

// Reseal brings what is sealed of factors under a master key that was replaced under
// the current one, as webhook.Reseal does for endpoints, and at the same moment.
func Reseal(ctx context.Context, st *store.Store, master secret.Master) error {
	for after := ""; ; {
		found, err := st.Read.Factors.Sealed(ctx, after, resealPage)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].ID
		fresh := map[string][]byte{}
		for _, f := range found {
			if !master.Stale(f.Sealed) {
				continue
			}
			if plain, err := master.Open(f.Sealed, place(otl.Factor{ID: f.ID, UserID: f.UserID, Kind: f.Kind})); err == nil {
				fresh[f.ID] = master.Seal(plain, place(otl.Factor{ID: f.ID, UserID: f.UserID, Kind: f.Kind}))
			}
		}
		if len(fresh) == 0 {
			continue
		}
		if err := st.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, f := range found {
				if fresh[f.ID] == nil {
					continue
				}
				if err := tx.Factors.Reseal(ctx, f.ID, f.Sealed, fresh[f.ID]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}
