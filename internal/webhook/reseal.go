package webhook

import (
	"bytes"
	"context"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Reseal brings the secrets of endpoints that are sealed under a master key that was
// replaced under the current one. It comes before the installation notes that the
// former is not needed any more. What no key at hand opens stays as it is: then this is
// the wrong key, and whoever looks at the proof of it says so.
func Reseal(ctx context.Context, st *store.Store, master secret.Master) error {
	for after := ""; ; {
		found, err := st.Read.Endpoints.All(ctx, after, page)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].ID
		var stale []store.StoredEndpoint
		for _, e := range found {
			if e.Client != "" {
				continue // it has none
			}
			if master.Stale(e.Secrets.Current) || len(e.Secrets.Old) > 0 && master.Stale(e.Secrets.Old) {
				stale = append(stale, e)
			}
		}
		if len(stale) == 0 {
			continue
		}
		if err := st.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, e := range stale {
				next := store.Secrets{Current: anew(master, e.Secrets.Current, e.ID), Old: anew(master, e.Secrets.Old, e.ID)}
				if bytes.Equal(next.Current, e.Secrets.Current) {
					continue
				}
				if err := tx.Endpoints.Seal(ctx, e.ID, e.Secrets, next); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}

// anew seals a secret under the current key.
func anew(master secret.Master, sealed []byte, id string) []byte {
	plain, err := master.Open(sealed, place(id))
	if err != nil {
		return sealed
	}
	return master.Seal(plain, place(id))
}
