package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// decisions says in one line what a person let sites see: of each the site, the fields and since when, and until when.
func decisions(t *testing.T, st *store.Store, userID string) (out string) {
	t.Helper()
	all, err := st.Read.Ledger.Consents(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		out += fmt.Sprintf(" %s:%s:%d", c.SiteID, c.Fields, c.Since.UnixMilli())
		if !c.Until.IsZero() {
			out += fmt.Sprintf("-%d", c.Until.UnixMilli())
		}
	}
	return out
}

// TestAU07_DecisionsStandInTheirOrderWhateverClocksSaid: those of an older program in that of their times, the later ones as
// they were made, by whichever node; what one of the program before adds meanwhile is the newest.
func TestAU07_DecisionsStandInTheirOrderWhateverClocksSaid(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			at := olderThan(t, e, "order_of_consents")
			db := connect(t, e, at)
			for _, u := range []string{"jane", "john"} {
				run(t, db, `INSERT INTO users (id, email, email_key, name, display_name, phone, picture, locale, preferences, session_version, password_version, version, created_at, updated_at)
					VALUES ('`+u+`', '`+u+`@dev.test', '`+u+`@dev.test', '', '', '', '', '', '{}', 1, 1, 1, 1, 1)`)
			}
			for _, s := range []string{"a", "b", "c"} {
				run(t, db, `INSERT INTO sites (id, slug, name, domain, region, first_party, requested, version, created_at, updated_at) VALUES ('`+s+`', '`+s+`', '', '', '', false, '', 1, 1, 1)`)
			}
			for _, row := range []string{`'jane', 'b', 'email', 300, NULL`, `'jane', 'a', 'email', 100, 200`, `'john', 'a', 'email', 50, NULL`, `'jane', 'a', 'name', 200, 200`, `'jane', 'a', 'phone', 200, NULL`} {
				run(t, db, `INSERT INTO consents (user_id, site_id, fields, since_at, until_at) VALUES (`+row+`)`)
			}
			st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			want := " b:email:300 a:phone:200 a:name:200-200 a:email:100-200"
			if got := decisions(t, st, "jane"); got != want {
				t.Errorf("of before:%s, want%s", got, want)
			}
			for i, g := range []otl.Grant{
				{SiteID: "c", Fields: otl.Fields{otl.FieldEmail}, UpdatedAt: time.UnixMilli(40)}, // the clock was set back
				{SiteID: "b", Fields: otl.Fields{otl.FieldName}, UpdatedAt: time.UnixMilli(90)},  // of a node that is not as far behind
				{SiteID: "c", Fields: otl.Fields{otl.FieldPhone}, UpdatedAt: time.UnixMilli(30)},
				{SiteID: "c", Fields: otl.Fields{otl.FieldPhone}, UpdatedAt: time.UnixMilli(20)}, // which changes nothing
			} {
				g.UserID, g.CreatedAt = "jane", g.UpdatedAt
				write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) })
				want = []string{
					" c:email:40" + want, " b:name:90 c:email:40 b:email:300-90 a:phone:200 a:name:200-200 a:email:100-200",
					" c:phone:30 b:name:90 c:email:40-30 b:email:300-90 a:phone:200 a:name:200-200 a:email:100-200", want,
				}[i]
				if got := decisions(t, st, "jane"); got != want {
					t.Errorf("after %d:%s, want%s", i+1, got, want)
				}
			}
			run(t, db, `UPDATE consents SET until_at = 25 WHERE site_id = 'a' AND until_at IS NULL AND user_id = 'jane'`,
				`INSERT INTO consents (user_id, site_id, fields, since_at) VALUES ('jane', 'a', 'email', 25)`)
			if got, first := decisions(t, st, "jane"), " a:email:25 c:phone:30"; len(got) < len(first) || got[:len(first)] != first {
				t.Errorf("of an older node:%s", got)
			}
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.Grants.Put(ctx, otl.Grant{UserID: "jane", SiteID: "b", Fields: otl.Fields{otl.FieldPhone}, CreatedAt: time.UnixMilli(22), UpdatedAt: time.UnixMilli(22)})
			})
			if got, first := decisions(t, st, "jane"), " b:phone:22 "; !strings.HasPrefix(got, first) || !strings.Contains(got, "a:email:25") {
				t.Errorf("after one of an older node:%s", got)
			}
			if got := decisions(t, st, "john"); got != " a:email:50" {
				t.Errorf("of another person:%s", got)
			}
		})
	}
}
