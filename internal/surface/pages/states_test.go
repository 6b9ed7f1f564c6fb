package pages_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT10_WhatIsWrongWithACode is said: how many tries are left once there are few, that its
// time is over, that it is worthless; the same where there is nobody.
func TestOT10_WhatIsWrongWithACode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for _, who := range []string{jane, "nobody@dev.test"} {
			b := w.Browser(t)
			p := asks(b, b.Get(request(w.Notes, nil)), who)
			for i, want := range []string{"Check the newest message", "Check the newest message", "Tries left: 2.", "Tries left: 1.", "this code no longer works"} {
				got := b.Submit(p, "code-form", map[string]string{"code": "000000"})
				if spent := got.Fields("code-form") == nil; spent != (i == 4) || spent == strings.Contains(string(got.Raw), `class="quiet"`) {
					t.Errorf("%s, wrong for the %d. time: a code can be entered: %v", who, i+1, !spent)
				}
				if got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), want) {
					t.Errorf("%s, wrong for the %d. time: %d %s", who, i+1, got.Status, got.Raw)
				}
			}
			holds(t, b.Get("/signin/code?f="+p.Fields("again").Get("f")), "this code no longer works", "!The code works for", "!code-form", "a link is on its way") // in another language, too
			w.Clock.Advance(time.Minute)
			p = b.Submit(p, "again", nil)
			holds(t, b.Submit(p, "code-form", map[string]string{"code": "000000"}), "Check the newest message", `aria-invalid="true"`, "The code works for")
			w.Clock.Advance(6 * time.Minute)
			holds(t, b.Submit(p, "code-form", map[string]string{"code": "000000"}), "That code has run out", "!The code works for")
			late := b.Get("/signin/code?f=" + p.Fields("again").Get("f"))
			holds(t, late, "That code has run out", "!code-form", "a link is on its way", "!The code works for")
			if late.Status != http.StatusOK {
				t.Errorf("nothing was wrong with what was asked: %d", late.Status)
			}
			w.Clock.Advance(10 * time.Minute)
			holds(t, b.Get("/signin/code?f="+p.Fields("again").Get("f")), "That code has run out", "!a link is on its way")
			w.Clock.Advance(time.Hour)
		}
	})
}

// TestAnotherMailIsWaitedFor twice as long each time, up to two minutes.
func TestAnotherMailIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	b := w.Browser(t)
	p := asks(b, b.Get(request(w.Notes, nil)), jane)
	for _, want := range []string{"30", "60", "120", "120"} {
		holds(t, p, `data-left="`+want+`"`)
		w.Clock.Advance(3 * time.Minute)
		p = b.Submit(p, "again", nil)
	}
}

// TestALinkSaysWhyItIsDead: H20. Used, expired and replaced are told apart, and of one that
// never was nothing is said.
func TestALinkSaysWhyItIsDead(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		old := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(time.Minute)
		b.Submit(p, "again", nil)
		link := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(2 * time.Minute)
		holds(t, w.Browser(t).Get(old), "a newer link in your inbox", "It was sent on 2 January 2026, 03:05 UTC", `<a href="/account">Your account</a>`)
		b.Submit(b.Get(link), "confirm", nil)
		holds(t, b.Get(link), "This link was already used", "It was used on 2 January 2026, 03:07 UTC")
		w.Clock.Advance(time.Hour)
		b = w.Browser(t)
		asks(b, b.Get(request(w.Notes, nil)), jane)
		late := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(16 * time.Minute)
		holds(t, b.Get(late), "This link has expired", "It worked until 2 January 2026, 04:22 UTC", "Send a new link")
		holds(t, b.Get("/l/otl_ln_nothing"), "This link no longer works", "!It was used on")
	})
}

// TestALinkThatWasRefusedWasNotUsed (H20, OT-14): by a press, by a wrong number, or with the
// change of an address that was taken back. Nobody is told that somebody got in by it.
func TestALinkThatWasRefusedWasNotUsed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		for how, refuse := range map[string]func(link string){
			"by a press": func(link string) { b := w.Browser(t); b.Submit(b.Get(link), "deny", nil) },
			"by a wrong number": func(link string) {
				b := w.Browser(t)
				b.Submit(b.Get(link), "confirm", map[string]string{"where": "start", "number": "00"})
			},
			"with a change": func(string) {
				if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					return tx.Tickets.Void(ctx, u.ID, otl.PurposeSignIn, "", w.Clock.Now())
				}); err != nil {
					t.Fatal(err)
				}
			},
		} {
			w.Clock.Advance(10 * time.Minute)
			b := w.Browser(t)
			asks(b, b.Get(request(w.Notes, nil)), jane)
			link := pathOf(letter(t, w, jane).Link)
			refuse(link)
			want := "Nobody was signed in"
			if how == "with a change" {
				want = "This link has expired"
			}
			got := w.Browser(t).Get(link)
			if got.Status != http.StatusGone {
				t.Errorf("%s: %d", how, got.Status)
			}
			holds(t, got, want, "!already used", "!It was used on")
		}
	})
}

// TestALinkSaysWhoAskedForIt: H4, by which browser, from where and when; whoever refuses it
// is led on to secure his account.
func TestALinkSaysWhoAskedForIt(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		b.Headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		asks(b, b.Get(request(w.Notes, nil)), jane)
		link := pathOf(letter(t, w, jane).Link)
		app := w.Browser(t)
		holds(t, app.Get(link), "Asked from \u2068Firefox, Linux\u2069 (\u2068127.0.0.1\u2069), just now.", "! 0 min")
		w.Clock.Advance(time.Minute)
		holds(t, app.Get(link), ", 1 minute ago.")
		w.Clock.Advance(time.Minute)
		app.Headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Version/4.0 Chrome/126.0 Mobile Safari/537.36 Instagram 340.0"
		p := app.Get(link)
		holds(t, p, "Asked from \u2068Firefox, Linux\u2069 (\u2068127.0.0.1\u2069), 2 minutes ago.", "open inside another app")
		holds(t, app.Submit(p, "deny", nil), `<a href="/account/secure">Secure your account</a>`)
		holds(t, app.Get(request(w.Notes, nil)), "open inside another app")
		holds(t, b.Get(request(w.Notes, nil)), "!open inside another app")
	})
}

// TestAPageWearsTheLookOfItsSite: name in the title, logo, links; the logo is served as the
// image it is, and as nothing else.
func TestAPageWearsTheLookOfItsSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		image := []byte("\x89PNG\r\n\x1a\nxxxx")
		dress := func(b otl.Brand) {
			t.Helper()
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Brands.Put(ctx, w.Notes.Site.ID, b) }); err != nil {
				t.Fatal(err)
			}
		}
		b := w.Browser(t)
		holds(t, b.Get(request(w.Notes, nil)), "<title>Sign in · Notes</title>", "!<img", "!/logo/")
		logo := "/logo/" + w.Notes.Site.ID
		dress(otl.Brand{
			Logo:  "data:image/png;base64," + base64.StdEncoding.EncodeToString(image),
			Links: []otl.BrandLink{{Text: "Privacy", URL: "https://notes.test/privacy"}, {Text: "Help", URL: "javascript:alert(1)"}},
		})
		holds(t, b.Get(request(w.Notes, nil)), `<img class="logo" src="`+logo+`" alt="">`, `<a href="https://notes.test/privacy" rel="noreferrer">Privacy</a>`, "!javascript:")
		holds(t, b.Get("/signin"), "· OneTimeLogin</title>", "!/logo/")
		r := w.Do(t, otltest.Call{Path: logo}).Want(t, http.StatusOK)
		if string(r.Raw) != string(image) || r.Header.Get("Content-Type") != "image/png" || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%q %v", r.Raw, r.Header)
		}
		dress(otl.Brand{Logo: "data:text/html;base64," + base64.StdEncoding.EncodeToString([]byte("<script>alert(1)</script>"))})
		for _, path := range []string{logo, "/logo/" + w.Shop.Site.ID, "/logo/x"} {
			w.Do(t, otltest.Call{Path: path}).Want(t, http.StatusNotFound)
		}
	})
}
