package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestTE04_ResourcesOfOlderClientsBelongToTheFirst: what clients named before resources
// belonged to sites is the oldest one's.
func TestTE04_ResourcesOfOlderClientsBelongToTheFirst(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			at := olderThan(t, e, "resources")
			db := connect(t, e, at)
			for _, id := range []string{"s1", "s2"} {
				run(t, db, fmt.Sprintf(`INSERT INTO sites (id, slug, name, domain, region, first_party, requested, version, created_at, updated_at) VALUES ('%s', '%s', '', '', '', false, '', 1, 1, 1)`, id, id))
			}
			for id, c := range map[string]string{
				"c1": `'s2', 'https://a.test/x https://b.test/ü', 2, NULL`, "c2": `'s1', 'https://b.test/ü https://c.test', 1, NULL`,
				"c3": `'s2', '', 1, NULL`, "c4": `'s2', 'https://d.test', 1, 5`,
			} {
				run(t, db, fmt.Sprintf(`INSERT INTO clients (site_id, resources, created_at, revoked_at, id, name, digest, scopes, redirect_uris) VALUES (%s, '%s', '', '', '', '')`, c, id))
			}
			st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			for resource, want := range map[string]string{"https://a.test/x": "s2", "https://b.test/ü": "s1", "https://c.test": "s1", "https://d.test": "s2"} {
				if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					var got string
					for _, id := range []string{"s2", "s1"} {
						its, err := tx.Clients.Claim(ctx, resource, id, time.UnixMilli(9))
						if err != nil {
							return err
						}
						if its {
							got = id
						}
					}
					if got != want {
						t.Errorf("%s is of %q, want %q", resource, got, want)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
