package signin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestAnotherNetworkIsTold: the part of an address that a provider has; on a device that the
// person trusts it is no news.
func TestAnotherNetworkIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		signsIn := func(address string, device secret.Text) int {
			t.Helper()
			ctx := from(t, address)
			signin.FromDevice(ctx, device)
			p, err := w.SignIn.Prove(ctx, signin.Attempt{Site: home, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.SignIn.Second.Open(ctx, p); err != nil {
				t.Fatal(err)
			}
			defer w.Inbox.Empty()
			return len(w.Letters(t, "jane@dev.test"))
		}
		var token secret.Text
		write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			token, err = w.Factors.Trust(ctx, tx, u.ID, w.Factors.Home, time.Hour)
			return err
		})
		for _, c := range []struct {
			address string
			device  secret.Text
			want    int
		}{
			{"198.51.100.7", secret.Text{}, 0},
			{"198.51.7.9", secret.Text{}, 0}, // another address of the same provider
			{"203.0.113.9", token, 0},
			{"203.0.200.1", secret.Text{}, 0}, // seen on the trusted device
			{"192.0.2.1", secret.Text{}, 1},
			{"2001:db8:1::1", secret.Text{}, 1},
			{"2001:db8:ffff::1", secret.Text{}, 0},
			{"::ffff:192.0.2.77", secret.Text{}, 0},
		} {
			if got := signsIn(c.address, c.device); got != c.want {
				t.Errorf("%s: %d mails, want %d", c.address, got, c.want)
			}
		}
	})
}

// TestPR08_WhatIsKeptOfPlacesIsKeyed: there are few browsers and networks, and whoever reads the
// row without the key could try them all.
func TestPR08_WhatIsKeptOfPlacesIsKeyed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		signedIn(t, w, "jane@dev.test", "198.51.100.7")
		what := []string{"browser " + otl.Agent(""), "network 198.51.0.0/16"}
		key := w.Factors.Master.Derive("places")
		for name, digest := range map[string]func(string) []byte{
			"keyed":   func(s string) []byte { return secret.CodeDigest(key, s, u.ID)[:16] },
			"unkeyed": func(s string) []byte { return secret.Digest(u.ID + " " + s)[:16] },
		} {
			known, err := w.Store.Read.SeenPlaces.Known(t.Context(), u.ID, digest(what[0]), digest(what[1]))
			if err != nil || known != (name == "keyed") {
				t.Errorf("%s: %v %v", name, known, err)
			}
		}
	})
}

// TestWhoOnlyCameByASiteIsTold of his first sign-in at the pages: he has come before.
func TestWhoOnlyCameByASiteIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		if _, err := password(t, w, w.Notes, "jane@dev.test", otltest.Password); err != nil {
			t.Fatal(err)
		}
		signedIn(t, w, "jane@dev.test", "198.51.100.7")
		if n := len(w.Letters(t, "jane@dev.test")); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

// TestWhoWasThrownOutIsNews when he comes again: after all sessions were ended, and after a new password.
func TestWhoWasThrownOutIsNews(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		told := func(want int) {
			t.Helper()
			w.Letters(t, "jane@dev.test")
			w.Inbox.Empty()
			signedIn(t, w, "jane@dev.test", "198.51.100.7")
			if n := len(w.Letters(t, "jane@dev.test")); n != want {
				t.Errorf("%d mails, want %d", n, want)
			}
		}
		told(0)
		told(0)
		if _, err := w.SignIn.RevokeAll(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		told(1)
		told(0)
		if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, "jane@dev.test"); err != nil {
			t.Fatal(err)
		}
		all := w.Letters(t, "jane@dev.test")
		_, token, _ := strings.Cut(all[len(all)-1].Link, "/reset/")
		if err := w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText(otltest.Password)); err != nil {
			t.Fatal(err)
		}
		told(1)
	})
}

// TestASiteThatSignsInIsConnected, and its person told: once, where his address is proven, and not where the code
// that he has just used named the site.
func TestASiteThatSignsInIsConnected(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		tells := func(email string, want int, in func()) {
			t.Helper()
			in()
			n := 0
			for _, l := range w.Letters(t, email) {
				if l.Kind == otl.MessageSiteConnected {
					n++
				}
			}
			if w.Inbox.Empty(); n != want {
				t.Errorf("%s: %d mails, want %d", email, n, want)
			}
		}
		signs := func(email string) func() {
			return func() {
				if _, err := password(t, w, w.Shop, email, otltest.Password); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, email := range []string{"jane@dev.test", "joe@dev.test", "ann@dev.test"} {
			u := w.Person(t, email, w.Notes.Site)
			if email == "joe@dev.test" {
				continue // nobody has proven his address
			}
			w.Proven(t, u)
		}
		tells("jane@dev.test", 1, signs("jane@dev.test"))
		tells("jane@dev.test", 0, signs("jane@dev.test"))
		tells("joe@dev.test", 0, signs("joe@dev.test"))
		tells("ann@dev.test", 0, func() { provesByCode(t, w, "ann@dev.test") })
	})
}
