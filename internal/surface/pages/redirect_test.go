package pages_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/pages"
)

// TestG2_AnOwnerMendsARedirect: strangers are told that the address is not registered;
// the owner, signed in with two factors, sees where it differs and registers it, which
// is an entry of the site's log.
func TestG2_AnOwnerMendsARedirect(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w)
		s := w.Register(t, site.Registration{Name: "Mine", Owner: u.ID, Callbacks: []string{"https://mine.test/callback", "https://mine.test/other"}})
		const wrong = "https://mine.test/callback/"
		ask := request(s, map[string]string{"redirect_uri": wrong})
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Brands.Put(ctx, s.Site.ID, otl.Brand{Links: []otl.BrandLink{{Text: "Help", URL: "https://mine.test/help"}}})
		}); err != nil {
			t.Fatal(err)
		}
		plain := w.Browser(t).Get(ask)
		holds(t, plain, "hasn&#39;t registered", "!/redirect?", "!<mark>", `href="https://mine.test/help"`)
		b := home(t, w)
		p := b.Get(ask)
		if p.Status != http.StatusBadRequest {
			t.Errorf("%d", p.Status)
		}
		holds(t, p, "https://mine.test/callback<mark>/</mark>", "hasn&#39;t registered", `href="/redirect?`)
		look := mend(s.Site.ID, wrong)
		p = b.Get(look)
		holds(t, p, "with a second step only", "!<form id=\"mend\"") // decision D2
		form := b.Get("/signout").Fields("signout")
		form.Set("site", s.Site.ID)
		form.Set("redirect_uri", wrong)
		if holds(t, b.Send("/redirect", form), "with a second step only"); registered(t, w, s.Site.ID, wrong) {
			t.Fatal("registered with one factor")
		}
		seed := secondFactors(t, w, u)
		b = w.Browser(t)
		p = b.Submit(password(b, b.Get("/account")), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		if p.Title != "Your account" {
			t.Fatalf("%s", p.Title)
		}
		p = b.Get(look)
		holds(t, p, "Register it only if it is yours", "\u2068Mine\u2069")
		if registered(t, w, s.Site.ID, wrong) {
			t.Fatal("looking registers")
		}
		w.Clock.Advance(16 * time.Minute)
		if got := b.Submit(p, "mend", nil); got.Title != "Confirm it's you" || registered(t, w, s.Site.ID, wrong) {
			t.Fatalf("without a fresh proof: %s", got.Title)
		} else if got = b.Submit(password(b, got), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())}); got.Title != "Register this return address" {
			t.Fatalf("%s %s", got.Path, got.Title)
		}
		holds(t, b.Submit(b.Get(look), "mend", nil), "The return address is registered", wrong)
		if !registered(t, w, s.Site.ID, wrong) {
			t.Fatal("and it is not")
		}
		if got := b.Get(ask); got.Status != http.StatusOK && got.Left == nil {
			t.Errorf("then: %d %s", got.Status, got.Title)
		}
		all, err := w.Store.Read.Events.List(t.Context(), "", s.Site.ID, "", 1)
		if err != nil || all[0].Type != otl.EventSiteUpdated || all[0].By != (otl.Actor{Kind: otl.ActorPerson, ID: u.ID}) || all[0].Changes[0].Field != "callback_urls" {
			t.Errorf("%+v %v", all, err)
		}
	})
}

// FuzzMendingARedirect: whatever addresses are held against each other, what is marked and
// what is not are the whole of them.
func FuzzMendingARedirect(f *testing.F) {
	for _, seed := range []string{"https://a.test/cb", "https://a.test/cb/", "", "aaaa", "aa", "https://a.test/cb?x=%00", "\xff\xfe"} {
		f.Add(seed, "https://a.test/cb")
		f.Add("aaa", seed)
	}
	f.Fuzz(func(t *testing.T, received, registered string) {
		for _, pair := range [][2]string{{received, registered}, {registered, received}} {
			whole, marked := pages.Pieces(pair[0], pair[1])
			if whole != pair[0] || (pair[0] == pair[1]) != (marked == "" && len(pair[0]) == len(pair[1])) && len(pair[0]) == len(pair[1]) {
				t.Fatalf("%q beside %q: %q, marked %q", pair[0], pair[1], whole, marked)
			}
		}
	})
}

func mend(siteID, redirect string) string {
	return "/redirect?" + url.Values{"site": {siteID}, "redirect_uri": {redirect}}.Encode()
}

func registered(t *testing.T, w *otltest.World, siteID, redirect string) bool {
	t.Helper()
	all, err := w.Store.Read.Sites.Callbacks(t.Context(), siteID)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(all, redirect)
}

// TestG2_NobodyElseMendsARedirect: somebody else's site is as unknown as one that never
// was (TE-01), no form from elsewhere counts (AD-01), and what could not be a callback
// URL is none here either (OA-02).
func TestG2_NobodyElseMendsARedirect(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := verified(t, w)
	seed := secondFactors(t, w, u)
	b := w.Browser(t)
	b.Submit(password(b, b.Get("/account")), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
	holds(t, b.Get(request(w.Notes, map[string]string{"redirect_uri": "https://evil.test/"})), "!/redirect?", "!https://notes.test/callback")
	form := b.Get("/signout").Fields("signout")
	mine := w.Register(t, site.Registration{Name: "Mine", Owner: u.ID, Callbacks: []string{"https://mine.test/callback"}})
	for _, c := range []struct {
		site, redirect string
		status         int
	}{
		{w.Notes.Site.ID, "https://evil.test/", http.StatusNotFound},
		{"01HKZ3M5Q8J9X2V7C4B6N1D0FG", "https://evil.test/", http.StatusNotFound},
		{"", "https://evil.test/", http.StatusNotFound},
		{mine.Site.ID, "http://evil.test/", http.StatusBadRequest},
		{mine.Site.ID, "javascript:alert(1)", http.StatusBadRequest},
		{mine.Site.ID, "https://mine.test/#x", http.StatusBadRequest},
		{mine.Site.ID, "https://mine.test/*", http.StatusBadRequest},
		{mine.Site.ID, "", http.StatusBadRequest},
	} {
		if got := b.Get(mend(c.site, c.redirect)); got.Status != c.status {
			t.Errorf("GET %+v: %d", c, got.Status)
		}
		form.Set("site", c.site)
		form.Set("redirect_uri", c.redirect)
		if got := b.Send("/redirect", form); got.Status != c.status {
			t.Errorf("POST %+v: %d", c, got.Status)
		}
	}
	p := b.Get(mend(mine.Site.ID, "https://mine.test/new"))
	values := p.Fields("mend")
	values.Set("token", strings.Repeat("A", 43))
	if got := b.Send("/redirect", values); got.Status != http.StatusForbidden {
		t.Errorf("with another's token: %d", got.Status)
	}
	if registered(t, w, mine.Site.ID, "https://mine.test/new") {
		t.Error("registered all the same")
	}
	if got := w.Browser(t).Get(mend(mine.Site.ID, "https://mine.test/new")); got.Title != "Sign in" {
		t.Errorf("a stranger sees %s", got.Title)
	}
}
