package pages_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestPW14_ANewPasswordIsChosenWhereOneIs (H16): who has just proven who he is chooses one without
// a mail, which may be in other hands; everybody else is signed out, and he is not.
func TestPW14_ANewPasswordIsChosenWhereOneIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		other, b := home(t, w), home(t, w)
		w.Clock.Advance(20 * time.Minute)
		p := b.Get("/account/password?secure=1")
		if p.Title != "Confirm it's you" {
			t.Fatalf("%d %s", p.Status, p.Title)
		}
		p = password(b, p)
		holds(t, p, "<h1>Choose a new password</h1>", "signed out everywhere but here", `href="/account/secure">Cancel</a>`, `name="username" autocomplete="username" value="`+jane+`"`)
		wrong := b.Submit(p, "password-form", map[string]string{"password": "short"})
		if wrong.Status != http.StatusUnprocessableEntity && wrong.Status != http.StatusBadRequest {
			t.Errorf("%d", wrong.Status)
		}
		holds(t, wrong, "Use at least 8 characters.", `aria-invalid="true"`)
		if got := other.Get("/account"); got.Title != "Your account" {
			t.Errorf("a password that was refused ended a session: %s", got.Title)
		}
		p = b.Submit(p, "password-form", map[string]string{"password": "a rather new password"})
		if p.Path != "/account/secure?saved=1&alone=1" {
			t.Errorf("%s", p.Path)
		}
		holds(t, p, "Saved. You are signed out everywhere but here.")
		if got := other.Get("/account"); got.Title != "Sign in" {
			t.Errorf("still signed in: %s", got.Title)
		}
		if l := letter(t, w, jane); l.Subject != "Your password was changed" {
			t.Errorf("%s", l.Subject)
		}
		p = b.Get("/account/security")
		holds(t, p, `<a href="/account/password">Change<span class="unseen">: Password</span></a>`)
		fresh := w.Browser(t)
		if p = password(fresh, fresh.Get("/account")); p.Status != http.StatusUnauthorized {
			t.Errorf("the old one: %d", p.Status)
		}
		p = fresh.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "a rather new password"})
		if p.Title != "Your account" {
			t.Errorf("the new one: %d %s", p.Status, p.Title)
		}
	})
}

// TestTimesAreSaidInTheReadersZone: each time of a page is an element that a script can read
// (in UTC), and without one the text of the page's language; what looks like a time is none.
func TestTimesAreSaidInTheReadersZone(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := home(t, w)
	for path, wants := range map[string][]string{
		"/account/sessions": {`last active ` + "\u2068" + `<time datetime="2026-01-02T03:04:05Z">2 January 2026, 03:04` + "\u00a0" + `UTC</time>` + "\u2069"},
		"/account/security": {`since ` + "\u2068" + `<time datetime="2026-01-02T03:04:05Z" data-day>2 January 2026</time>` + "\u2069"},
		"/account/activity": {`<time datetime="2026-01-02T03:04:05Z">`},
		"/account":          {`<time datetime="2026-01-02T03:04:05Z">`},
		"/status":           {`<time datetime="2026-01-02T03:04:`},
	} {
		has(t, b.Get(path), wants...)
	}
	has(t, w.Browser(t).Get("/status?lang=de"), `>2. Januar 2026, 03:04`) // a choice of another browser's
	b.Headers["User-Agent"] = "2 January 2026, 03:04\u00a0UTC <b>"
	has(t, home(t, w).Get("/account/sessions"), "!<b>")
}

// TestTheStatusOfTheParts is named with a word, not a colour alone, and the clock is one of them.
func TestTheStatusOfTheParts(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	p := w.Browser(t).Get("/status")
	for _, part := range []string{"Database", "Signing keys", "Mails and SMS", "Webhooks", "Clock"} {
		has(t, p, "<span>"+part+`</span> <strong class="tag good">works</strong>`)
	}
	if n := strings.Count(string(p.Raw), "<time "); n != 1 {
		t.Errorf("%d times", n)
	}
}
