package node_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestPR08_AddressesAreNotKeptForEver: after 90 days neither the log nor a session says from
// where or with what somebody came, not in the bytes of SQLite's file either, and the log
// verifies; what is younger says it still.
func TestPR08_AddressesAreNotKeptForEver(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			var url string
			w := otltest.New(t, e, func(o *node.Options) { url, o.AddressRetention = o.Store.URL, 90*24*time.Hour })
			jane := w.Person(t, "jane@dev.test", w.Notes.Site)
			login := func(ip, browser, password string) otltest.Reply {
				return w.Do(t, otltest.Call{
					Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": password},
					Headers: map[string]string{"X-OTL-Client-IP": ip, "X-OTL-Client-User-Agent": browser},
				})
			}
			old := login("203.0.113.77", "OldBrowser/1", otltest.Password).Want(t, http.StatusOK)
			login("203.0.113.78", "OldBrowser/2", "wrong-horse-7").Want(t, http.StatusUnauthorized)
			if err := w.SignIn.Second.Failures.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Deliver(t)
			for range 4 { // it stays in use
				w.Clock.Advance(20 * 24 * time.Hour)
				old = w.Refresh(t, w.Notes, old.Text("refresh_token")).Want(t, http.StatusOK)
			}
			login("198.51.100.9", "NewBrowser/1", otltest.Password).Want(t, http.StatusOK)
			fade := func() {
				t.Helper()
				for range 2 {
					if err := w.Events.Fade(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := w.SignIn.Fade(t.Context(), 90*24*time.Hour); err != nil {
						t.Fatal(err)
					}
					w.Deliver(t)
				}
			}
			fade()
			if live := sessions(t, w, jane.ID); live[1].IP != "203.0.113.77" || live[1].UserAgent != "OldBrowser/1" {
				t.Errorf("after 80 days: %+v", live[1])
			}
			w.Clock.Advance(10*24*time.Hour + time.Minute)
			fade()
			if live := sessions(t, w, jane.ID); live[0].IP != "198.51.100.9" || live[0].UserAgent != "NewBrowser/1" {
				t.Errorf("of ten days ago: %+v", live[0])
			}
			for _, siteID := range []string{"", w.Notes.Site.ID} {
				if r, err := w.Events.Verify(t.Context(), siteID); err != nil || len(r.Faults) != 0 || r.Head.Length < 5 {
					t.Errorf("the log of %q: %+v %v", siteID, r, err)
				}
			}
			forged(t, w)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			raw := everything(t, e, url)
			for canary, want := range map[string]bool{"203.0.113.77": false, "203.0.113.78": false, "OldBrowser": false, "198.51.100.9": true, "NewBrowser": true} {
				if i := bytes.Index(raw, []byte(canary)); (i >= 0) != want {
					t.Errorf("%s is found %v: %q", canary, i >= 0, raw[max(i-60, 0):max(i, 0)+min(60, len(raw)-max(i, 0))])
				}
			}
		})
	}
}

func sessions(t *testing.T, w *otltest.World, userID string) []otl.Session {
	t.Helper()
	all, err := w.Store.Read.Sessions.Live(t.Context(), userID, w.Notes.Site.ID, "", w.Clock.Now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// forged takes the address out of an entry that is not old enough: that is found (AU-03).
func forged(t *testing.T, w *otltest.World) {
	t.Helper()
	w.Do(t, otltest.Call{Path: "/api/v1/roles", Key: w.Notes.Key, Body: map[string]string{"name": "late"}}).Want(t, http.StatusCreated)
	w.Deliver(t)
	span, err := w.Store.Read.Logs.Span(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := w.Store.Read.Events.Stored(t.Context(), span.Head.Length-1, span.Head.Length, 1)
	if err != nil || len(found) != 1 {
		t.Fatal(err)
	}
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Events.Erase(ctx, found[0].Read(), make([]byte, 32))
	}); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Events.Verify(t.Context(), ""); err != nil || len(r.Faults) < 2 { // another hash, and nobody had it erased
		t.Errorf("%+v %v", r.Faults, err)
	}
}

// everything gives what a database holds: the bytes of SQLite's files, or the rows of
// PostgreSQL as text.
func everything(t *testing.T, e otltest.Engine, url string) (out []byte) {
	t.Helper()
	if e == otltest.SQLite {
		for _, end := range []string{"", "-wal"} {
			raw, err := os.ReadFile(url + end)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			out = append(out, raw...)
		}
		return out
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"events", "sessions", "site_events", "tickets", "counters", "failures"} {
		rows, err := db.QueryContext(t.Context(), `SELECT t::text FROM `+table+` t`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			out = append(out, row...)
		}
		if err := errorsOf(rows); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func errorsOf(rows *sql.Rows) error {
	defer rows.Close()
	return rows.Err()
}
