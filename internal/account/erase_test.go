package account_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// stored gives everything that a database holds: on SQLite the bytes of its files once it
// was closed, on PostgreSQL every row as text.
func stored(t *testing.T, e otltest.Engine, url string) []byte {
	t.Helper()
	if e == otltest.SQLite {
		var out []byte
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
	return rowsOf(t, db)
}

// gone fails the test where one of a few texts stands in what is stored.
func gone(t *testing.T, raw []byte, canaries ...string) {
	t.Helper()
	for _, canary := range canaries {
		if i := bytes.Index(raw, []byte(canary)); i >= 0 {
			t.Errorf("%s remains: %q", canary, raw[max(i-80, 0):min(i+80, len(raw))])
		}
	}
}

func rowsOf(t *testing.T, db *sql.DB) (out []byte) {
	t.Helper()
	texts := func(query string) (all []string) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, table := range texts(`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`) {
		for _, row := range texts(`SELECT t::text FROM "` + table + `" t`) {
			out = append(out, row...)
		}
	}
	return out
}

// TestPR05_NothingOfADeletedPersonRemains: neither in a row nor, on SQLite, in the bytes of
// the file; the log keeps an id that stands for nobody, and still verifies.
func TestPR05_NothingOfADeletedPersonRemains(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			var url string
			w := otltest.New(t, e, func(o *node.Options) { url = o.Store.URL })
			u := lived(t, w)
			other := w.Person(t, "other-canary@dev.test", w.Notes.Site)
			asked := proven(t, w, "asked-canary@dev.test", w.Notes.Site)
			from := map[string]string{"X-OTL-Client-IP": "203.0.113.77", "X-OTL-Client-User-Agent": "CanaryBrowser/1"}
			for _, email := range []string{"canary-jane@dev.test", "other-canary@dev.test"} {
				r := w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Shop.Key, Body: map[string]string{"email": email, "password": otltest.Password}, Headers: from})
				if r.Status != http.StatusOK && r.Text("detail") != "mfa_required" {
					t.Fatalf("%s", r.Raw)
				}
			}
			if _, err := w.SignIn.Admin(otl.WithRequest(t.Context(), &otl.Request{ID: "r1", UserAgent: "CanaryBrowser/2"}), u.ID, w.Installation.SiteID); err != nil {
				t.Fatal(err)
			}
			w.Letters(t, "canary-jane@dev.test")
			w.Deliver(t)
			if err := w.Ledger.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := (account.Erasures{Accounts: w.Accounts}).Delete(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			for range 2 { // before the deletion has its place nothing is taken out
				if err := w.Events.Forget(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.Deliver(t)
			}
			for _, site := range []string{"", w.Notes.Site.ID, w.Shop.Site.ID} {
				if r, err := w.Events.Verify(t.Context(), site); err != nil || len(r.Faults) != 0 {
					t.Errorf("the log of %q: %+v %v", site, r.Faults, err)
				}
			}
			kept, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
			if err != nil || len(kept) < 4 {
				t.Errorf("%d entries, %v", len(kept), err)
			}
			if people, err := w.Store.Read.Events.Forgotten(t.Context(), 10); err != nil || len(people) != 0 {
				t.Errorf("left to do: %v %v", people, err)
			}
			theirs, err := w.Store.Read.Events.List(t.Context(), other.ID, "", "", 100)
			if err != nil || !strings.Contains(theirs[0].Data[otl.DataIP]+theirs[1].Data[otl.DataIP], "203.0.113.77") {
				t.Errorf("of somebody else: %+v %v", theirs, err)
			}
			if err := w.Accounts.Delete(t.Context(), other.ID); err != nil { // whose browser was the same
				t.Fatal(err)
			}
			if err := (account.Erasures{Accounts: w.Accounts}).AtOnce(t.Context(), asked.ID); err != nil {
				t.Fatal(err)
			}
			if n := len(w.Letters(t, "asked-canary@dev.test")); n != 1 {
				t.Errorf("%d mails that it is done", n)
			}
			w.Deliver(t)
			if err := w.Events.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			raw := stored(t, e, url)
			if !bytes.Contains(raw, []byte(u.ID)) {
				t.Error("the log lost the id")
			}
			gone(t, raw, "canary", "Canary", "+491705550123", "+491705550124", "203.0.113.77")
		})
	}
}

// TestPR05_NobodyIsErasedByHand: who takes an address out of the log of somebody who was
// not deleted, or leaves one where he says it was, is found (AU-03).
func TestPR05_NobodyIsErasedByHand(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Do(t, otltest.Call{
			Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": otltest.Password},
			Headers: map[string]string{"X-OTL-Client-IP": "203.0.113.77"},
		}).Want(t, http.StatusOK)
		w.Deliver(t)
		found, _, err := w.Store.Read.Events.About(t.Context(), u.ID, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(found, func(e store.Entry) bool { return e.From != "" }) // of one moment, in any order
		if i < 0 {
			t.Fatal("no entry says from where somebody came")
		}
		faults := func() int {
			r, err := w.Events.Verify(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			return len(r.Faults)
		}
		if n := faults(); n != 0 {
			t.Fatalf("%d faults before", n)
		}
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Erase(ctx, found[i], make([]byte, 32)) }); err != nil {
			t.Fatal(err)
		}
		if n := faults(); n < 3 { // another hash, an address that is there, and nobody was deleted
			t.Errorf("%d faults", n)
		}
	})
}
