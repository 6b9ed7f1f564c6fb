package pages_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

const (
	jane     = "jane@dev.test"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request gives the address a site sends a browser to, with parameters changed: "" takes
// one away.
func request(s site.Registered, change map[string]string) string {
	q := url.Values{
		"site": {s.Site.ID}, "redirect_uri": {s.Site.CallbackURLs[0]}, "state": {"s/1"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for k, v := range change {
		if q.Set(k, v); v == "" {
			q.Del(k)
		}
	}
	return "/authorize?" + q.Encode()
}

// exchange redeems the code a browser was sent back with.
func exchange(t *testing.T, w *otltest.World, s site.Registered, back *url.URL) otltest.Reply {
	t.Helper()
	return w.Do(t, otltest.Call{Path: "/api/v1/auth/token", Key: s.Key, Body: map[string]string{"code": back.Query().Get("code"), "code_verifier": verifier}})
}

// password signs a browser in on the page it is on.
func password(b *otltest.Browser, p otltest.Page) otltest.Page {
	return b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
}

// arrives fails the test unless the browser was sent back to a site with a code.
func arrives(t *testing.T, p otltest.Page, s site.Registered) *url.URL {
	t.Helper()
	if p.Left == nil || !strings.HasPrefix(p.Left.String(), s.Site.CallbackURLs[0]+"?code=otl_ac_") || p.Status != http.StatusSeeOther {
		t.Fatalf("%d %s %v\n%s", p.Status, p.Path, p.Left, p.Raw)
	}
	if q := p.Left.Query(); q.Get("state") != "s/1" || q.Get("iss") != otltest.Issuer || len(q) != 3 {
		t.Fatalf("sent back with %v", q)
	}
	return p.Left
}

// TestAVisitEndsAtTheSite is contract 1.12: a browser is sent here, the person signs in
// and agrees, and the site exchanges the code; the next site asks for no password, and
// neither asks for consent again.
func TestAVisitEndsAtTheSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		if p.Title != "Sign in" || !strings.Contains(string(p.Raw), "to continue to \u2068Notes\u2069") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		p = password(b, p)
		if p.Title != "\u2068Notes\u2069 wants to connect to your account" || !strings.Contains(string(p.Raw), jane) || !strings.Contains(string(p.Raw), "Jane Doe") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		back := arrives(t, b.Submit(p, "consent", nil), w.Notes)
		r := exchange(t, w, w.Notes, back).Want(t, http.StatusOK)
		if r.Text("user", "email") != jane || r.Text("user", "name") != "Jane Doe" {
			t.Fatalf("%s", r.Raw)
		}
		w.Refresh(t, w.Notes, r.Text("refresh_token")).Want(t, http.StatusOK)

		// The second site: no password, one page, one field left out.
		p = b.Get(request(w.Shop, nil))
		if p.Title != "\u2068Shop\u2069 wants to connect to your account" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		back = arrives(t, b.Submit(p, "consent", map[string]string{"fields": "email"}), w.Shop)
		r = exchange(t, w, w.Shop, back).Want(t, http.StatusOK)
		if r.Text("user", "email") != jane || r.Text("user", "name") != "" {
			t.Fatalf("what was not granted is seen: %s", r.Raw)
		}
		// Neither asks again, also for what was left out (OA-08).
		for _, s := range []site.Registered{w.Notes, w.Shop} {
			exchange(t, w, s, arrives(t, b.Get(request(s, nil)), s)).Want(t, http.StatusOK)
		}
		// A person's session at a site is as old as his proof.
		w.Clock.Advance(time.Hour)
		r = exchange(t, w, w.Notes, arrives(t, b.Get(request(w.Notes, nil)), w.Notes)).Want(t, http.StatusOK)
		a := w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: w.Notes.Key, Body: map[string]string{"token": r.Text("access_token")}}).Want(t, http.StatusOK)
		if at, _ := a.JSON["auth_time"].(float64); int64(at) > w.Clock.Now().Add(-time.Hour).Unix() {
			t.Errorf("auth_time %v", a.JSON["auth_time"])
		}
		if p := b.Get(request(w.Notes, map[string]string{"max_age": "60"})); p.Title != "Confirm it's you" {
			t.Errorf("an old proof shows %q", p.Title)
		}
		if p := b.Get(request(w.Notes, map[string]string{"prompt": "login"})); p.Title != "Confirm it's you" {
			t.Errorf("prompt=login shows %q", p.Title)
		} else {
			arrives(t, password(b, p), w.Notes)
		}
		w.Clock.Advance(time.Second)
		p = b.Get(request(w.Notes, map[string]string{"prompt": "select_account"}))
		if p.Title != "Choose an account" || !strings.Contains(string(p.Raw), janeAs+jane) {
			t.Errorf("prompt=select_account shows %q", p.Title)
		}
		if other := b.Get("/signin?as=new&" + strings.SplitN(p.Path, "?", 2)[1]); other.Title != "Sign in" {
			t.Errorf("another account: %q", other.Title)
		}
		arrives(t, b.Submit(p, "choose", nil), w.Notes)
		if p := b.Get(request(w.Notes, map[string]string{"prompt": "consent"})); !strings.HasPrefix(p.Title, "\u2068Notes\u2069 wants") {
			t.Errorf("prompt=consent shows %q", p.Title)
		}
	})
}

// TestOA05_ACode is good once, for a minute, for its site, address and verifier; one
// that is presented again ends what it opened.
func TestOA05_ACode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		fresh := func() string {
			p := b.Get(request(w.Notes, nil))
			if p.Left == nil {
				p = password(b, p)
			}
			return arrives(t, p, w.Notes).Query().Get("code")
		}
		try := func(s site.Registered, body map[string]string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/token", Key: s.Key, Body: body})
		}
		code := fresh()
		for name, c := range map[string]struct {
			s    site.Registered
			body map[string]string
		}{
			"another site":      {w.Shop, map[string]string{"code": code, "code_verifier": verifier}},
			"another verifier":  {w.Notes, map[string]string{"code": code, "code_verifier": strings.Repeat("a", 43)}},
			"no verifier":       {w.Notes, map[string]string{"code": code, "code_verifier": ""}},
			"the challenge":     {w.Notes, map[string]string{"code": code, "code_verifier": challengeOf(verifier)}},
			"another address":   {w.Notes, map[string]string{"code": code, "code_verifier": verifier, "redirect_uri": "https://notes.test/callback/"}},
			"another code":      {w.Notes, map[string]string{"code": code + "x", "code_verifier": verifier}},
			"a code of a link":  {w.Notes, map[string]string{"code": "otl_lc_x", "code_verifier": verifier}},
			"nothing in a code": {w.Notes, map[string]string{"code": "", "code_verifier": verifier}},
		} {
			if r := try(c.s, c.body); r.Status != http.StatusUnauthorized || r.Text("code") != "code_invalid" {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		good := map[string]string{"code": code, "code_verifier": verifier, "redirect_uri": "https://notes.test/callback"}
		r := try(w.Notes, good).Want(t, http.StatusOK)
		me := func() int {
			return w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: r.Text("access_token")}).Status
		}
		try(w.Shop, good).Want(t, http.StatusUnauthorized) // a stranger's second use ends nothing
		if me() != http.StatusOK {
			t.Fatal("the session has ended already")
		}
		try(w.Notes, good).Want(t, http.StatusUnauthorized)
		if me() != http.StatusUnauthorized {
			t.Error("a code was presented twice, and its session goes on")
		}
		try(w.Notes, good).Want(t, http.StatusUnauthorized)

		late := fresh()
		w.Clock.Advance(time.Minute)
		try(w.Notes, map[string]string{"code": late, "code_verifier": verifier}).Want(t, http.StatusUnauthorized)

		left := fresh()
		b.Submit(b.Get("/signout"), "signout", nil)
		try(w.Notes, map[string]string{"code": left, "code_verifier": verifier}).Want(t, http.StatusUnauthorized) // he signed out meanwhile
	})
}

// TestOA05_OneOfMany: of any number of exchanges of one code at once one succeeds, and
// since the others presented it again, what it opened has ended.
func TestOA05_OneOfMany(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		back := arrives(t, password(b, b.Get(request(w.Notes, nil))), w.Notes)
		var won atomic.Int32
		var access atomic.Value
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				switch r := exchange(t, w, w.Notes, back); r.Status {
				case http.StatusOK:
					won.Add(1)
					access.Store(r.Text("access_token"))
				case http.StatusUnauthorized:
				default:
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d exchanges of one code", won.Load())
		}
		exchange(t, w, w.Notes, back).Want(t, http.StatusUnauthorized)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: access.Load().(string)}).Want(t, http.StatusUnauthorized)
	})
}

// BenchmarkSecondVisit is a browser that is signed in, sent here by a site it was
// connected to before, and the exchange of its code: three requests.
func BenchmarkSecondVisit(b *testing.B) {
	w := otltest.New(b, otltest.SQLite)
	w.Person(b, jane, w.Notes.Site)
	first := w.Browser(b)
	password(first, first.Get(request(w.Notes, nil)))
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		mine := w.Browser(b)
		mine.Cookies = maps.Clone(first.Cookies)
		for pb.Next() {
			p := mine.Get(request(w.Notes, nil))
			if p.Left == nil {
				b.Fatalf("%d %s", p.Status, p.Raw)
			}
			r := w.Do(b, otltest.Call{Path: "/api/v1/auth/token", Key: w.Notes.Key, Body: map[string]string{"code": p.Left.Query().Get("code"), "code_verifier": verifier}})
			if r.Status != http.StatusOK {
				b.Fatalf("%s", r.Raw)
			}
		}
	})
}

// TestOA03_NobodyIsSentAwayUnchecked: what is wrong before site and address are known
// to belong together is shown; afterwards the site is told.
func TestOA03_NobodyIsSentAwayUnchecked(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b := w.Browser(t)
	for _, address := range otltest.Hostile() {
		p := b.Get(request(w.Notes, map[string]string{"redirect_uri": address}))
		if p.Left != nil || p.Status != http.StatusBadRequest || !strings.Contains(string(p.Raw), "\u2068Notes\u2069 sent a return address it hasn&#39;t registered") {
			t.Errorf("OA-02 %q: %d %v", address, p.Status, p.Left)
		}
	}
	for _, id := range []string{"", "x", w.Installation.SiteID, "01HKZ2A7R4T6Y8W3E5P9S1K0MH", w.Notes.Site.Slug} {
		if p := b.Get(request(w.Notes, map[string]string{"site": id})); p.Left != nil || p.Status != http.StatusBadRequest {
			t.Errorf("site %q: %d %v", id, p.Status, p.Left)
		}
	}
	if p := b.Get(request(w.Shop, map[string]string{"redirect_uri": "https://notes.test/callback"})); p.Left != nil {
		t.Errorf("another site's address: %v", p.Left)
	}
	if p := b.Get(request(w.Notes, nil) + "&redirect_uri=https://notes.test/callback"); p.Left != nil {
		t.Errorf("two addresses: %v", p.Left)
	}
	for name, change := range map[string]map[string]string{
		"no challenge":       {"code_challenge": ""},
		"plain":              {"code_challenge_method": "plain"},
		"no method":          {"code_challenge_method": ""},
		"a short challenge":  {"code_challenge": "abc"},
		"a strange one":      {"code_challenge": strings.Repeat("+", 43)},
		"a long state":       {"state": strings.Repeat("x", 1025)},
		"an unknown prompt":  {"prompt": "create"},
		"a negative max_age": {"max_age": "-1"},
	} {
		p := b.Get(request(w.Notes, change))
		if p.Left == nil || p.Left.Query().Get("error") != "invalid_request" || p.Left.Query().Get("iss") != otltest.Issuer || p.Left.Host != "notes.test" {
			t.Errorf("%s: %v %d", name, p.Left, p.Status)
		}
	}
}

// TestAVisitIsOfOneBrowser: its id, which stands in addresses, is nothing without the
// cookie (SE-04, login CSRF).
func TestAVisitIsOfOneBrowser(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	a, b := w.Browser(t), w.Browser(t)
	p := a.Get(request(w.Notes, nil))
	if got := b.Get(p.Path); got.Status != http.StatusNotFound || !strings.Contains(string(got.Raw), "another browser") || b.Cookies["__Host-otl_flow"] == "" {
		t.Errorf("without cookies: %d %s", got.Status, got.Raw)
	}
	b.Get(request(w.Notes, nil))
	if got := b.Get(p.Path); got.Status != http.StatusNotFound || !strings.Contains(string(got.Raw), "another browser") {
		t.Errorf("with another browser's: %d %s", got.Status, got.Raw)
	}
	w.Clock.Advance(31 * time.Minute)
	if got := a.Get(p.Path); got.Status != http.StatusNotFound {
		t.Errorf("half an hour later: %d", got.Status)
	}
	p = a.Get(request(w.Notes, nil))
	before := a.Cookies["__Host-otl_session"]
	back := password(a, p)
	arrives(t, back, w.Notes)
	if got := a.Get(p.Path); got.Status != http.StatusNotFound {
		t.Errorf("a visit that is over: %d", got.Status)
	}
	first := a.Cookies["__Host-otl_session"]
	w.Clock.Advance(time.Second)
	password(a, a.Get(request(w.Notes, map[string]string{"prompt": "login"})))
	if second := a.Cookies["__Host-otl_session"]; before != "" || first == "" || second == "" || first == second {
		t.Errorf("the cookie stays the same: %q %q %q", before, first, second)
	}
	a.Cookies["__Host-otl_session"] = first
	if got := a.Get("/account"); got.Title != "Sign in" {
		t.Errorf("the session before: %q", got.Title)
	}
}

// TestWhatGoesWrongAtSignIn stays on the page, with what was typed.
func TestWhatGoesWrongAtSignIn(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane, w.Notes.Site)
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	var pages []string
	for _, name := range []string{jane, "nobody@dev.test", "nobody", "not an address@", ""} {
		got := b.Submit(p, "/signin", map[string]string{"identifier": name, "password": "wrong-horse-7"})
		if got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "password don&#39;t match") {
			t.Errorf("%q: %d %s", name, got.Status, got.Raw)
		}
		if got.Fields("/signin").Get("identifier") != name {
			t.Errorf("%q is forgotten", name)
		}
		page := strings.ReplaceAll(string(got.Raw), `value="`+name+`"`, "")
		pages = append(pages, page)
	}
	if pages[0] != pages[1] {
		t.Error("a page tells who is known")
	}
	if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := password(b, p); got.Status != http.StatusUnauthorized {
		t.Errorf("somebody disabled: %d", got.Status)
	}
}

// TestACancelledConsent tells the site so, and grants nothing.
func TestACancelledConsent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		back := b.Submit(p, "consent", map[string]string{"decision": "cancel"})
		if back.Left == nil || back.Left.Query().Get("error") != "access_denied" || back.Left.Query().Get("state") != "s/1" {
			t.Fatalf("%v", back.Left)
		}
		if sites, err := (account.Consents{Accounts: w.Accounts}).Sites(t.Context(), u.ID); err != nil || len(sites) != 0 {
			t.Errorf("%v %v", sites, err)
		}
		p = b.Get(request(w.Notes, nil))
		for _, fields := range []string{"password", "email password_hash"} {
			if got := b.Submit(p, "consent", map[string]string{"fields": fields}); got.Left != nil {
				t.Errorf("%s: %v", fields, got.Left)
			}
		}
		// A field that the site did not ask for is not granted by naming it.
		arrives(t, b.Submit(p, "consent", map[string]string{"fields": "email phone"}), w.Notes)
		if sites, err := (account.Consents{Accounts: w.Accounts}).Sites(t.Context(), u.ID); err != nil || len(sites) != 1 || sites[0].Grant.Fields.String() != "email" {
			t.Errorf("%v %v", sites, err)
		}
	})
}
