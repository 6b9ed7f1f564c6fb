package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestAVisitThatTookTooLongIsBegunAnew by a press, with what the site asked for and what
// the person called himself; in the browser it belonged to and nowhere else.
func TestAVisitThatTookTooLongIsBegunAnew(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		w.Clock.Advance(31 * time.Minute)
		over := b.Get(p.Path)
		if over.Status != http.StatusNotFound || over.Fields("restart") == nil {
			t.Fatalf("%d\n%s", over.Status, over.Raw)
		}
		holds(t, over, "<h1>This took too long</h1>", `<strong dir="auto">Notes</strong></header>`, "<p>Your email address or username is kept.</p>")
		stranger := w.Browser(t)
		stranger.Get("/signin")
		if got := stranger.Get(p.Path); got.Fields("restart") != nil {
			t.Error("another browser may begin it anew")
		}
		form := stranger.Get("/signin").Fields("/signin")
		form.Set("f", over.Fields("restart").Get("f"))
		if got := stranger.Send("/signin/restart", form); got.Status != http.StatusNotFound {
			t.Errorf("and does: %d", got.Status)
		}
		again := b.Submit(over, "restart", nil)
		if again.Title != "Sign in" || again.Fields("/signin").Get("identifier") != jane {
			t.Fatalf("%s %v", again.Title, again.Fields("/signin"))
		}
		arrives(t, password(b, again), w.Notes)
		// What ended at the site is not begun anew, nor what was begun too long ago.
		if got := b.Get(again.Path); got.Fields("restart") != nil || !strings.Contains(string(got.Raw), `href="/account"`) {
			t.Errorf("after its end: %s", got.Raw)
		}
		b = w.Browser(t)
		p = b.Get(request(w.Notes, nil))
		w.Clock.Advance(24 * time.Hour)
		if got := b.Get(p.Path); got.Fields("restart") != nil {
			t.Error("after a day")
		}
	})
}

// TestOA02_AVisitIsNotBegunAnewForAnAddressTakenBack by its site, or by its client.
func TestOA02_AVisitIsNotBegunAnewForAnAddressTakenBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		callback := w.Notes.Site.CallbackURLs[0]
		c, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "web", RedirectURIs: []string{callback}})
		if err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		own := b.Get(request(w.Notes, nil)).Path
		client := b.Get("/oidc/authorize?" + url.Values{
			"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {callback}, "state": {"s"},
			"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
		}.Encode()).Path
		// A program of its own machine, which takes whatever port is free (RFC 8252).
		app, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "app", Auth: string(otl.AuthNone), RedirectURIs: []string{"http://127.0.0.1/cb"}})
		if err != nil {
			t.Fatal(err)
		}
		loops := b.Get("/oidc/authorize?" + url.Values{
			"client_id": {app.ID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"http://127.0.0.1:49152/cb"}, "state": {"s"},
			"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
		}.Encode()).Path
		w.Clock.Advance(31 * time.Minute)
		if b.Get(loops).Fields("restart") == nil {
			t.Error("a program at a loopback address cannot begin anew")
		}
		for _, path := range []string{own, client} {
			if b.Get(path).Fields("restart") == nil {
				t.Errorf("%s cannot be begun anew", path)
			}
		}
		if err := w.Sites.RemoveCallback(t.Context(), w.Notes.Site.ID, callback); err != nil {
			t.Fatal(err)
		}
		if err := w.Clients.Revoke(t.Context(), w.Notes.Site.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{own, client} {
			if b.Get(path).Fields("restart") != nil {
				t.Errorf("%s is begun anew", path)
			}
		}
	})
}

// TestCookiesThatAreBlocked: a browser that keeps none is told so, and led back to where it
// was once it does; one that only opened an address of another is not told what is not true.
func TestCookiesThatAreBlocked(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	path := w.Browser(t).Get(request(w.Notes, nil)).Path
	blocked := w.Browser(t)
	blocked.Seen = func(string, otltest.Page) { clear(blocked.Cookies) }
	p := blocked.Get(path)
	holds(t, p, "blocks cookies", `href="`+path+`">Try again`)
	if p.Status != http.StatusNotFound {
		t.Errorf("%d", p.Status)
	}
	copied := w.Browser(t).Get(path)
	holds(t, copied, "<h1>This didn&#39;t work</h1>", "begun in another browser", "!blocks cookies", `class="button second" href="/account">Your account</a>`)
	if copied.Status != http.StatusNotFound {
		t.Errorf("an address of another browser: %d", copied.Status)
	}
	// A program that asks for no page is sent nowhere.
	w.Do(t, otltest.Call{Path: path}).Want(t, http.StatusNotFound, "flow_unknown")
}
