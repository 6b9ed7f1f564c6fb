package pages_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestWhereOneIsSignedIn: this browser first, with how and when last; page by page where
// there are many.
func TestWhereOneIsSignedIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		b.Headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		password(b, b.Get("/account"))
		w.Clock.Advance(time.Hour)
		w.Login(t, w.Notes, jane)
		p := b.Get("/account/sessions")
		own, notes := strings.Index(string(p.Raw), "Firefox, Linux"), strings.Index(string(p.Raw), "an app of the site")
		if own < 0 || notes < own {
			t.Errorf("this browser is not first: %d %d\n%s", own, notes, p.Raw)
		}
		holds(t, p, "last active 2 January 2026, 04:04 UTC · password · IP 127.0.0.1", "This session", "!before=")
		holds(t, b.Get("/account/sessions?lang=ar"), "Firefox، Linux")
		b.Get("/account/sessions?lang=en")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for range 60 {
				now := w.Clock.Now()
				s := otl.Session{
					ID: secret.NewID(now), UserID: u.ID, SiteID: w.Notes.Site.ID, Methods: otl.Methods{otl.MethodPassword}, AuthAt: now, CreatedAt: now, LastSeenAt: now,
					RefreshBy: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour), Refresh: otl.Rotation{Digest: secret.Bytes(32)},
				}
				if err := tx.Sessions.Insert(ctx, s); err != nil {
					return err
				}
				w.Clock.Advance(time.Millisecond)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		p = b.Get("/account/sessions")
		i := strings.Index(string(p.Raw), "/account/sessions?before=")
		if i < 0 || strings.Count(string(p.Raw), `class="item row"`) != 51 {
			t.Fatalf("%d\n%s", strings.Count(string(p.Raw), `class="item row"`), p.Raw)
		}
		older := string(p.Raw)[i:]
		p = b.Get(older[:strings.IndexByte(older, '"')])
		if n := strings.Count(string(p.Raw), `class="item row"`); n != 11 || strings.Contains(string(p.Raw), "This session") {
			t.Errorf("%d older\n%s", n, p.Raw)
		}
		for _, bad := range []string{"x", strings.Repeat("Z", 27), "'"} {
			if got := b.Get("/account/sessions?before=" + bad); got.Status != http.StatusNotFound {
				t.Errorf("%s: %d", bad, got.Status)
			}
		}
	})
}

// TestSE07_SignedOutEverywhereElse: every session but the one of this browser ends; whoever
// was led here because it was not he is led on.
func TestSE07_SignedOutEverywhereElse(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b, other := home(t, w), home(t, w)
		site := w.Login(t, w.Notes, jane)
		p := b.Submit(b.Get("/account/sessions"), "others", nil)
		holds(t, p, "signed out everywhere but here")
		if p.Path != "/account/sessions" || other.Get("/account").Title != "Sign in" || b.Get("/account").Title != "Your account" {
			t.Errorf("%s", p.Path)
		}
		w.Refresh(t, w.Notes, site.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		if live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10); err != nil || len(live) != 1 {
			t.Errorf("%v %v", live, err)
		}
		guide := b.Get("/account/secure")
		holds(t, guide, `href="/account/password?secure=1"`, `href="/account/security"`, `href="/account/profile"`)
		w.Clock.Advance(16 * time.Minute)
		proof := b.Submit(guide, "others", nil)
		if proof.Title != "Confirm it's you" {
			t.Fatalf("AD-06: without a proof: %s", proof.Title)
		}
		if p = password(b, proof); p.Path != "/account/secure?proven=1" {
			t.Errorf("then at %s", p.Path)
		}
		holds(t, b.Submit(p, "others", nil), "signed out everywhere but here", `id="others"`)
	})
}

// TestWhomAnOperatorSignedIn did not come from a program of a site.
func TestWhomAnOperatorSignedIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		b := home(t, w)
		if _, err := w.SignIn.Admin(t.Context(), u.ID, w.Installation.SiteID); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get("/account/activity"), "operator", "!an app of the site")
	})
}

// TestD1_ASessionThatASiteOpenedIsCalledThat: whoever looks for what he does not know finds
// which site signed him in here, and may hold the session.
func TestD1_ASessionThatASiteOpenedIsCalledThat(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		holds(t, password(b, b.Get("/account/sessions")), "!opened by")
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := signin.Proved{Standing: store.Standing{User: u, Site: w.Notes.Site}, Methods: otl.Methods{otl.MethodPassword}}
		given, err := w.SignIn.Second.HandOver(t.Context(), p, signin.Door{Name: "test"}, signin.Handover{})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := w.SignIn.Second.Arrive(t.Context(), signin.Presented{Token: given.Token}); err != nil || a.Session.SiteID != home.ID {
			t.Fatal(a.Session, err)
		}
		holds(t, b.Get("/account/sessions"), "opened by \u2068Notes\u2069 · last active", "an app of the site")
	})
}
