package event_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// tampered is a log with a way to change it behind the program's back.
type tampered struct {
	*event.Log
	db *sql.DB
}

func newTampered(t testing.TB, e otltest.Engine, entries int) tampered {
	t.Helper()
	url := otltest.DatabaseURL(t, e)
	st, err := store.Open(t.Context(), store.Options{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	driver := "sqlite"
	if e == otltest.Postgres {
		driver = "pgx"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(); _ = st.Close() })
	l := tampered{&event.Log{Store: st, Now: time.Now, Log: quiet()}, db}
	ctx := otl.WithRequest(t.Context(), &otl.Request{ID: "request", By: otl.Actor{Kind: otl.ActorSiteKey, ID: "key"}})
	for n := 0; n < entries; {
		err := st.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for range min(1000, entries-n) {
				n++
				if err := tx.Events.Append(ctx, otl.Event{
					ID: fmt.Sprintf("evt_%07d", n), Type: otl.EventSiteUpdated, SiteID: "site", UserID: "person " + strconv.Itoa(n%5), CreatedAt: start.Add(time.Duration(n) * time.Second),
					Data: map[string]string{"changed": "name"}, Changes: []otl.Change{{Field: "name", Before: "a", After: "b"}},
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			if placed, err := l.Place(t.Context()); err != nil {
				t.Fatal(err)
			} else if placed == 0 {
				break
			}
		}
	}
	return l
}

func (l tampered) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := l.db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func (l tampered) faults(t testing.TB, siteID string) []event.Fault {
	t.Helper()
	r, err := l.Verify(t.Context(), siteID)
	if err != nil {
		t.Fatal(err)
	}
	return r.Faults
}

// TestAU03_EveryChangedRowIsNamed changes each of 10,000 rows, one member of it in
// turn, and looks whether each is named.
func TestAU03_EveryChangedRowIsNamed(t *testing.T) {
	t.Parallel()
	const entries = 10_000
	l := newTampered(t, otltest.SQLite, entries)
	for _, siteID := range []string{"", "site"} {
		if found := l.faults(t, siteID); len(found) != 0 {
			t.Fatalf("%q: %v", siteID, found)
		}
	}
	members := []string{
		"id = id || 'x'", "type = 'site.deleted'", "user_id = 'another'", "site_id = 'another'", "session_id = 'x'", `data = '{}'`, "created_at = created_at + 1",
		"actor_kind = 'person'", "actor_id = 'x'", "via = 'x'", "address = '192.0.2.1'", "request_id = 'x'", "changes = ''",
	}
	l.exec(t, `PRAGMA foreign_keys = OFF`)
	for i, m := range members {
		l.exec(t, `UPDATE events SET `+m+` WHERE seq % `+strconv.Itoa(len(members))+` = `+strconv.Itoa(i))
	}
	named := map[int64]bool{}
	for _, f := range l.faults(t, "") {
		named[f.Seq] = true
	}
	if len(named) != entries {
		t.Errorf("%d of %d changed rows are named", len(named), entries)
	}
}

// TestAU03_WhatWasDoneIsFound does one thing at a time to a log of a thousand, finds
// it, and takes it back.
func TestAU03_WhatWasDoneIsFound(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			l := newTampered(t, e, 500)
			for name, c := range map[string]struct {
				site, do, undo string
				seq            int64
			}{
				"a byte of the data":         {"", `UPDATE events SET data = '{"changed":"Name"}' WHERE seq = 250`, `UPDATE events SET data = '{"changed":"name"}' WHERE seq = 250`, 250},
				"the same in the site's":     {"site", `UPDATE events SET data = '{"changed":"Name"}' WHERE seq = 250`, `UPDATE events SET data = '{"changed":"name"}' WHERE seq = 250`, 250},
				"a blank in the data":        {"", `UPDATE events SET data = '{"changed": "name"}' WHERE seq = 1`, `UPDATE events SET data = '{"changed":"name"}' WHERE seq = 1`, 1},
				"the newest, out of the log": {"", `UPDATE events SET seq = NULL WHERE seq = 500`, `UPDATE events SET seq = 500 WHERE seq IS NULL`, 500},
				"one, out of the log":        {"", `UPDATE events SET seq = NULL WHERE seq = 77`, `UPDATE events SET seq = 77 WHERE seq IS NULL`, 77},
				"two that change places": {
					"", `UPDATE events SET seq = CASE seq WHEN 10 THEN -11 WHEN 11 THEN -10 END WHERE seq IN (10, 11); UPDATE events SET seq = -seq WHERE seq < 0`,
					`UPDATE events SET seq = CASE seq WHEN 10 THEN -11 WHEN 11 THEN -10 END WHERE seq IN (10, 11); UPDATE events SET seq = -seq WHERE seq < 0`, 10,
				},
				"whether the site is told":  {"site", `UPDATE site_events SET told = true WHERE seq = 3`, `UPDATE site_events SET told = false WHERE seq = 3`, 3},
				"an entry of another event": {"site", `UPDATE site_events SET event_id = 'evt_0000009' WHERE seq = 8`, `UPDATE site_events SET event_id = 'evt_0000008' WHERE seq = 8`, 8},
				"one, out of the site's":    {"site", `UPDATE site_events SET site_id = 'x' WHERE seq = 500`, `UPDATE site_events SET site_id = 'site' WHERE seq = 500`, 500},
				"the length":                {"", `UPDATE chains SET length = 501 WHERE site_id = ''`, `UPDATE chains SET length = 500 WHERE site_id = ''`, 501},
				"the beginning":             {"", `UPDATE chains SET pruned = 5 WHERE site_id = ''`, `UPDATE chains SET pruned = 0 WHERE site_id = ''`, 6},
			} {
				l.exec(t, c.do)
				found := l.faults(t, c.site)
				l.exec(t, c.undo)
				if len(found) == 0 || found[0].Seq != c.seq {
					t.Errorf("%s: %+v", name, found)
				}
				if again := l.faults(t, c.site); len(again) != 0 {
					t.Fatalf("%s, taken back: %+v", name, again)
				}
			}
			// A row and its hash: it fits, and what follows it does not.
			l.exec(t, `UPDATE events SET hash = (SELECT hash FROM events WHERE seq = 5) WHERE seq = 6`)
			if found := l.faults(t, ""); len(found) != 2 || found[0].Seq != 6 || found[1].Seq != 7 {
				t.Errorf("a hash: %+v", found)
			}
			l.exec(t, `UPDATE chains SET hash = (SELECT hash FROM events WHERE seq = 5) WHERE site_id = 'site'`)
			if found := l.faults(t, "site"); len(found) != 1 || found[0].Seq != 500 {
				t.Errorf("the end: %+v", found)
			}
		})
	}
}

// BenchmarkVerify measures how many entries are checked a second, of the
// installation's log and of a site's. OTL_BENCH_ENTRIES sets how many there are.
func BenchmarkVerify(b *testing.B) {
	entries, err := strconv.Atoi(os.Getenv("OTL_BENCH_ENTRIES"))
	if err != nil {
		entries = 20_000
	}
	for _, e := range otltest.Engines() {
		b.Run(string(e), func(b *testing.B) {
			l := newTampered(b, e, entries)
			for name, siteID := range map[string]string{"installation": "", "site": "site"} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if found := l.faults(b, siteID); len(found) != 0 {
							b.Fatal(found)
						}
					}
					b.ReportMetric(float64(entries*b.N)/b.Elapsed().Seconds(), "entries/s")
				})
			}
		})
	}
}
