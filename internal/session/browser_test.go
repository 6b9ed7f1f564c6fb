package session_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// browse opens a browser session for a person.
func browse(t *testing.T, w *otltest.World, u otl.User) session.Browser {
	t.Helper()
	first, err := w.Store.Read.Sites.ByID(t.Context(), w.Installation.SiteID)
	if err != nil {
		t.Fatal(err)
	}
	from := &otl.Request{Client: netip.MustParseAddr("192.0.2.7"), UserAgent: "Firefox"}
	var b session.Browser
	if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
		st := store.Standing{User: u, Site: first}
		b, err = w.SignIn.Sessions.OpenBrowser(ctx, tx, st, pass(t, w, tx, st, otl.MethodPassword), from)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func holds(t *testing.T, w *otltest.World, cookie secret.Text) bool {
	t.Helper()
	b, err := w.SignIn.Sessions.Browser(t.Context(), cookie)
	if err != nil && !errors.Is(err, session.ErrNoBrowserSession) {
		t.Fatal(err)
	}
	return err == nil && b.User.Email.Key == jane
}

func TestABrowserHoldsASessionByItsCookie(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		b := browse(t, w, u)
		if !holds(t, w, b.Cookie) {
			t.Fatal("the cookie holds nothing")
		}
		live, err := w.SignIn.List(t.Context(), scopeOf(u), "", 10)
		if err != nil || len(live) != 1 || live[0].ID != b.Session.ID || live[0].IP != "192.0.2.7" || live[0].UserAgent != "Firefox" {
			t.Fatalf("%+v %v", live, err)
		}
		if _, err := w.SignIn.Revoke(t.Context(), scopeOf(u), b.Session.ID, otl.EndLogout); err != nil {
			t.Fatal(err)
		}
		if holds(t, w, b.Cookie) {
			t.Fatal("the cookie holds a session that ended")
		}
	})
}

func TestSE06_EveryOtherCookieIsRefused(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b := browse(t, w, w.Person(t, jane))
	good := b.Cookie.Reveal()
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		for _, bad := range []string{good[:i], string(changed), good + good[i:i+1]} {
			if holds(t, w, secret.NewText(bad)) {
				t.Fatalf("%q was taken", bad)
			}
		}
	}
	if _, err := w.SignIn.Sessions.Renew(t.Context(), b.Cookie, w.Installation.SiteID); !errors.Is(err, otl.ErrRefresh) {
		t.Fatalf("the cookie as a refresh token: %v", err)
	}
	tokens := open(t, w, w.Notes.Site)
	if holds(t, w, tokens.Refresh) || !holds(t, w, b.Cookie) {
		t.Fatal("a refresh token passes for a cookie")
	}
}

func TestABrowserSessionSlidesUpToItsAbsoluteEnd(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b := browse(t, w, w.Person(t, jane))
		for day := 0; day < 90; day += 29 {
			if !holds(t, w, b.Cookie) {
				t.Fatalf("refused on day %d", day)
			}
			w.Clock.Advance(29 * 24 * time.Hour)
		}
		if holds(t, w, b.Cookie) {
			t.Fatal("it lives beyond 90 days")
		}
		idle := browse(t, w, b.User)
		w.Clock.Advance(30 * 24 * time.Hour)
		if holds(t, w, idle.Cookie) {
			t.Fatal("it lives though nobody used it for 30 days")
		}
	})
}

func TestSE13_ADisabledPersonsBrowserSessionHoldsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		b := browse(t, w, u)
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		if holds(t, w, b.Cookie) {
			t.Fatal("it holds")
		}
	})
}

// TestH14_AFormerSession expired or made room for another; one that was ended on purpose, or
// that is live, is none.
func TestH14_AFormerSession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		former := func(c secret.Text) bool {
			b, err := session.Formers{Sessions: w.SignIn.Sessions}.Of(t.Context(), c)
			if err != nil && !errors.Is(err, session.ErrNoBrowserSession) {
				t.Fatal(err)
			}
			return err == nil && b.User.ID == u.ID && b.Cookie.Reveal() == c.Reveal()
		}
		superseded, ended, idle := browse(t, w, u), browse(t, w, u), browse(t, w, u)
		if former(idle.Cookie) || former(secret.NewText("x")) || former(secret.Text{}) {
			t.Error("one that is live, or none")
		}
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			return w.SignIn.Sessions.Supersede(ctx, tx, superseded)
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn.Revoke(t.Context(), scopeOf(u), ended.Session.ID, otl.EndLogout); err != nil {
			t.Fatal(err)
		}
		if !former(superseded.Cookie) || former(ended.Cookie) {
			t.Error("superseded, or signed out")
		}
		w.Clock.Advance(31 * 24 * time.Hour)
		if !former(idle.Cookie) || former(ended.Cookie) {
			t.Error("expired, or signed out")
		}
		changed := superseded.Cookie.Reveal()
		if former(secret.NewText(changed[:len(changed)-2] + "!!")) {
			t.Error("a cookie nobody was given")
		}
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		if former(superseded.Cookie) {
			t.Error("a disabled person's")
		}
	})
}

// TestH14_WhoIsSignedOutEverywhereIsNoFormer: nor who chose a new password, also where another
// took his place before. Others stay, and so does a session that was kept, or one site's end.
func TestH14_WhoIsSignedOutEverywhereIsNoFormer(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, other := w.Person(t, jane, w.Notes.Site), w.Person(t, "bob@dev.test")
		former := func(b session.Browser) bool {
			_, err := session.Formers{Sessions: w.SignIn.Sessions}.Of(t.Context(), b.Cookie)
			if err != nil && !errors.Is(err, session.ErrNoBrowserSession) {
				t.Fatal(err)
			}
			return err == nil
		}
		gone := func(held ...session.Browser) {
			t.Helper()
			if err := write(t, w, func(ctx context.Context, tx *store.Tx) error { return w.SignIn.Sessions.Supersede(ctx, tx, held...) }); err != nil {
				t.Fatal(err)
			}
		}
		end := func(site, keep string, reason otl.EndReason) {
			t.Helper()
			if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := w.SignIn.Sessions.EndAll(ctx, tx, u.ID, site, keep, reason)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			site   string
			reason otl.EndReason
			stays  bool
		}{{w.Notes.Site.ID, otl.EndLogout, true}, {"", otl.EndUserDisabled, true}, {"", otl.EndLogout, false}, {"", otl.EndPasswordChange, false}, {"", otl.EndAdmin, false}} {
			one, bobs := browse(t, w, u), browse(t, w, other)
			gone(one, bobs)
			if !former(one) {
				t.Fatal("superseded")
			}
			if end(c.site, "", c.reason); former(one) != c.stays || !former(bobs) {
				t.Errorf("%q %s: %v, the other %v", c.site, c.reason, former(one), former(bobs))
			}
		}
		kept := browse(t, w, u)
		end("", kept.Session.ID, otl.EndPasswordChange)
		if gone(kept); !former(kept) {
			t.Error("one that was kept, whose place was taken later")
		}
	})
}
