package pages_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// strong signs jane in with the second factor she is given.
func strong(t *testing.T, w *otltest.World, u otl.User) (*otltest.Browser, secret.Text) {
	t.Helper()
	seed := secondFactors(t, w, u)
	b := w.Browser(t)
	if p := b.Submit(password(b, b.Get("/account")), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())}); p.Title != "Your account" {
		t.Fatalf("%s", p.Title)
	}
	return b, seed
}

// TestG2_AnOwnerMendsAClient: at OpenID's doors too, the page names site, program and
// address; the owner, with a fresh proof of two factors, registers it for the client,
// which is an entry of the log.
func TestG2_AnOwnerMendsAClient(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w)
		s := w.Register(t, site.Registration{Name: "Mine", Owner: u.ID})
		c, err := w.Clients.Create(t.Context(), s.Site.ID, site.NewClient{Name: "Desk <b>", RedirectURIs: []string{"https://other.test/", "https://mine.test/callback"}})
		if err != nil {
			t.Fatal(err)
		}
		b, seed := strong(t, w, u)
		for _, door := range []struct{ path, param, wrong, field string }{
			{"/oidc/authorize?scope=openid&response_type=code&", "redirect_uri", "https://mine.test/Callback", "redirect_uris"},
			{"/oidc/logout?", "post_logout_redirect_uri", "https://mine.test/bye", "post_logout_redirect_uris"},
		} {
			q := url.Values{"client_id": {c.ID}, door.param: {door.wrong}}
			ask := door.path + q.Encode()
			stranger := w.Browser(t).Get(ask)
			holds(t, stranger, "Mine sent a return address it hasn&#39;t registered", door.wrong, "Desk &lt;b&gt;", door.param, "!/redirect?", "!<mark>", "!https://other.test/")
			p := b.Get(ask)
			if p.Status != http.StatusBadRequest || stranger.Status != http.StatusBadRequest {
				t.Errorf("%d %d", stranger.Status, p.Status)
			}
			holds(t, p, "Mine sent a return address it hasn&#39;t registered", "Program: Desk &lt;b&gt;", "https://mine.test/<mark>", `href="/redirect?client=`+c.ID)
			look := "/redirect?" + url.Values{"client": {c.ID}, door.param: {door.wrong}}.Encode()
			w.Clock.Advance(16 * time.Minute)
			if p = b.Get(look); p.Title != "Confirm it's you" {
				t.Fatalf("without a fresh proof: %s", p.Title)
			}
			p = b.Submit(password(b, p), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
			holds(t, p, "Register it only if it is yours", "Program: Desk &lt;b&gt;")
			holds(t, b.Submit(p, "mend", nil), "The return address is registered", door.wrong)
			if p = b.Get(ask); p.Status == http.StatusBadRequest {
				t.Errorf("then: %d %s\n%s", p.Status, p.Title, p.Raw)
			}
			all, err := w.Store.Read.Events.List(t.Context(), "", s.Site.ID, "", 10)
			if i := slices.IndexFunc(all, func(e otl.Event) bool {
				return e.Type == otl.EventClientUpdated && e.Data[otl.DataChanged] == door.field
			}); err != nil || i < 0 || all[i].By.ID != u.ID {
				t.Errorf("%+v %v", all, err)
			}
		}
	})
}

// TestG2_NobodyElseMendsAClient: another's client is as unknown as one that never was
// (TE-01); what could be no address of the client is none here either (OA-02).
func TestG2_NobodyElseMendsAClient(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := verified(t, w)
	b, _ := strong(t, w, u)
	mine := w.Register(t, site.Registration{Name: "Mine", Owner: u.ID})
	client := func(of site.Registered, auth string) string {
		c, err := w.Clients.Create(t.Context(), of.Site.ID, site.NewClient{Name: "c", Auth: auth, RedirectURIs: []string{"https://mine.test/cb"}})
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	ours, app, notes := client(mine, ""), client(mine, "none"), client(w.Notes, "")
	holds(t, b.Get("/oidc/authorize?client_id="+notes+"&redirect_uri=https://evil.test/"), "Notes sent", "!/redirect?", "!https://mine.test/cb")
	form := b.Get("/signout").Fields("signout")
	for _, c := range []struct {
		client, redirect string
		status           int
	}{
		{notes, "https://evil.test/", http.StatusNotFound},
		{"01HKZ3M5Q8J9X2V7C4B6N1D0FG", "https://evil.test/", http.StatusNotFound},
		{"x", "https://evil.test/", http.StatusNotFound},
		{ours, "com.example.app:/cb", http.StatusBadRequest},
		{ours, "http://mine.test/", http.StatusBadRequest},
		{app, "app:/cb", http.StatusBadRequest},
		{app, "", http.StatusBadRequest},
		{app, "com.example.app:/cb", http.StatusOK},
	} {
		q := url.Values{"client": {c.client}, "redirect_uri": {c.redirect}}
		if got := b.Get("/redirect?" + q.Encode()); got.Status != c.status {
			t.Errorf("GET %+v: %d", c, got.Status)
		}
		form.Set("client", c.client)
		form.Set("redirect_uri", c.redirect)
		if got := b.Send("/redirect", form); got.Status != c.status {
			t.Errorf("POST %+v: %d", c, got.Status)
		}
	}
}

// TestMF05_ASiteWishesForTwoFactors: acr_values at /authorize, of a site that asks nobody.
func TestMF05_ASiteWishesForTwoFactors(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := verified(t, w, w.Notes.Site)
	if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{MFA: new(string(otl.MFAOff))}); err != nil {
		t.Fatal(err)
	}
	b := home(t, w)
	two := request(w.Notes, map[string]string{"acr_values": "2"})
	arrives(t, b.Get(two), w.Notes)
	secondFactors(t, w, u)
	arrives(t, b.Get(request(w.Notes, nil)), w.Notes)
	if p := b.Get(two); p.Left != nil || p.Title != "One more step" {
		t.Errorf("%d %s %v", p.Status, p.Title, p.Left)
	}
}
