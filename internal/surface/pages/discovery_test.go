package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestPasswordManagersFindTheirWay to where passkeys and passwords are looked after.
func TestPasswordManagersFindTheirWay(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	r := w.Do(t, otltest.Call{Path: "/.well-known/passkey-endpoints"}).Want(t, http.StatusOK)
	if r.Header.Get("Content-Type") != "application/json" || r.Text("enroll") != otltest.Issuer+"/account/security" || r.Text("manage") != otltest.Issuer+"/account/security" {
		t.Errorf("%s", r.Raw)
	}
	if p := w.Browser(t).Get("/.well-known/change-password"); p.Title != "Reset your password" {
		t.Errorf("%d %s", p.Status, p.Title)
	}
}

// TestPW15_WhoIsSignedInChoosesANewPassword by the mail that everybody gets, his address
// filled in; it ends his sessions.
func TestPW15_WhoIsSignedInChoosesANewPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		b := home(t, w)
		var link string
		for _, path := range []string{"/forgot", "/.well-known/change-password"} {
			p := b.Get(path)
			if p.Title != "Reset your password" {
				t.Fatalf("%s: %d %s", path, p.Status, p.Title)
			}
			holds(t, p, `value="`+jane+`"`)
			holds(t, b.Submit(p, "/forgot", nil), "<h1>Check your email</h1>", "If "+jane+" has an account, a link is on its way.")
			link = pathOf(letter(t, w, jane).Link)
		}
		p := b.Get(link)
		p = b.Submit(p, link, map[string]string{"password": "a rather new password"})
		holds(t, p, "you were signed out everywhere")
		if got := b.Get("/account"); got.Title != "Sign in" {
			t.Errorf("still signed in: %s", got.Title)
		}
		changed := letter(t, w, jane)
		if link := otltest.Issuer + "/forgot"; !strings.Contains(changed.Text, link+"\n") || !strings.Contains(changed.HTML, `<a href="`+link+`"`) || !strings.Contains(changed.HTML, ">This wasn&#39;t me</a>") {
			t.Errorf("no %s\n%s", link, changed.Text)
		}
	})
}
