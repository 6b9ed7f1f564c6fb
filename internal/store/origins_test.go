package store_test

import (
	"fmt"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestAD11_OriginsOfOlderClients: those of the redirect URIs there were, and of no others.
func TestAD11_OriginsOfOlderClients(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			at := olderThan(t, e, "client_origins")
			db := connect(t, e, at)
			run(t, db, `INSERT INTO sites (id, slug, name, domain, region, first_party, requested, version, created_at, updated_at) VALUES ('s', 's', '', '', '', false, '', 1, 1, 1)`)
			for id, c := range map[string]string{
				"c1": `'https://a.test/cb https://a.test/cb?x=https://q.test/ http://localhost:3000', NULL`, "c2": `'https://b.test?x=/y com.example.app:/cb/x', NULL`, "c3": `'', NULL`, "c4": `'https://gone.test/', 5`,
			} {
				run(t, db, fmt.Sprintf(`INSERT INTO clients (redirect_uris, revoked_at, site_id, resources, created_at, id, name, digest, scopes) VALUES (%s, 's', '', 1, '%s', '', '', '')`, c, id))
			}
			st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			for origin, want := range map[string]bool{
				"https://a.test": true, "http://localhost:3000": true, "https://b.test": true, "https://q.test": false, "https://a.test/cb": false, "https://gone.test": false, "": false, "com.example.app:": false,
			} {
				if got, err := st.Read.Clients.HasOrigin(t.Context(), origin); err != nil || got != want {
					t.Errorf("%q: %v %v", origin, got, err)
				}
			}
		})
	}
}
