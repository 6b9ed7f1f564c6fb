package pages_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// entries gives how many rows all tables and indexes of a database hold together.
func entries(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	err := db.QueryRowContext(t.Context(), `SELECT sum(d.ncell) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
		WHERE s.type = 'index' OR d.pagetype = 'leaf'`).Scan(&n) // rows of a table stand in its leaves alone
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOT10_ASignUpIsTheSameWorkWhoeverItIs: as many transactions, statements, rows and entries of indexes, and the same
// page, whether an address is that of somebody of the site, of somebody elsewhere, disabled, unproven or who may have it back, or
// nobody's: with a password or without.
func TestOT10_ASignUpIsTheSameWorkWhoeverItIs(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			signUps(t, e)
		})
	}
}

func signUps(t *testing.T, e otltest.Engine) {
	t.Helper()
	var file string
	w := otltest.New(t, e, func(o *node.Options) { file, o.Limits = o.Store.URL, true })
	mails := w.Register(t, site.Registration{Name: "Mails", Callbacks: []string{"https://mails.test/callback"}})
	ways := []string{"email_code", "link"}
	if _, err := w.Sites.Set(t.Context(), mails.Site.ID, site.Change{Ways: &ways}); err != nil {
		t.Fatal(err)
	}
	for i, end := range []string{"0@dev.test", "1@dev.test"} {
		w.Crowd(t, i, "member", "elsewhere", "disabled", "unproven")
		was, now := "back"+end, "moved"+end
		moved := w.Person(t, was, w.Notes.Site)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, moved.ID, was, w.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, moved.ID, account.MemberChange{Email: &now}); err != nil {
			t.Fatal(err)
		}
		link := letter(t, w, now).Link
		if err := w.Members.Changes.Follow(t.Context(), link[strings.LastIndex(link, "/")+1:]); err != nil {
			t.Fatal(err)
		}
	}
	rows := func() int { return 0 }
	if e == otltest.SQLite {
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows = func() int { return entries(t, db) }
	}
	for _, at := range []struct {
		site     site.Registered
		end      string
		password string
	}{{w.Notes, "0@dev.test", "staple-battery-8"}, {mails, "1@dev.test", ""}} {
		want := ""
		for _, kind := range []string{"first", "member", "elsewhere", "disabled", "unproven", "back", otltest.Nobody} {
			w.Clock.Advance(time.Hour)
			b := w.Browser(t)
			_, visit, _ := strings.Cut(b.Get(request(at.site, nil)).Path, "?")
			p := b.Get("/signup?" + visit)
			had, before := rows(), w.Store.Stats()
			var said string
			b.Seen = func(_ string, p otltest.Page) {
				if said == "" { // the answer, and not the page it leads to
					after := w.Store.Stats()
					said = fmt.Sprintf("%d, %d transactions, %d statements, %d rows", p.Status, after.Writes-before.Writes, after.Statements-before.Statements, rows()-had)
				}
			}
			p = b.Submit(p, "/signup", map[string]string{"email": kind + at.end, "name": "Nia New", "password": at.password})
			if p.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", kind, p.Status, p.Raw)
			}
			switch kind {
			case "first": // what counts all sign-ups is there afterwards
			case "member":
				want = said
			default:
				if said != want {
					t.Errorf("%s at %s: %s, want %s", kind, at.site.Site.Name, said, want)
				}
			}
		}
	}
}

// TestNobodysRowsAreGoneWithinTheHour: what a sign-up with a known address wrote in the place of a person.
func TestNobodysRowsAreGoneWithinTheHour(t *testing.T) {
	t.Parallel()
	var file string
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { file = o.Store.URL })
	w.Person(t, jane, w.Notes.Site)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := func() (n int, text string) {
		t.Helper()
		if err := w.Accounts.PruneTickets(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRowContext(t.Context(), `SELECT count(*), COALESCE(max(address || filler), '') FROM nobodies`).Scan(&n, &text); err != nil {
			t.Fatal(err)
		}
		return n, text
	}
	signUp(w.Browser(t), jane, "staple-battery-8")
	if n, text := rows(); n != 1 || strings.Contains(text, "jane") || strings.Contains(text, "Nia") {
		t.Errorf("%d rows: %s", n, text)
	}
	w.Clock.Advance(61 * time.Minute)
	if n, _ := rows(); n != 0 {
		t.Errorf("%d rows an hour later", n)
	}
}
