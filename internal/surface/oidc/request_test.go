package oidc_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOA05_ACodeWithoutAChallengeNeedsItsAddress: nothing else binds it to the request
// (RFC 6749 section 4.1.3).
func TestOA05_ACodeWithoutAChallengeNeedsItsAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		bare := map[string]string{"code_challenge": "", "code_challenge_method": ""}
		code := x.signIn(t, x.ask(x.second, bare)).Get("code")
		if r := x.exchange(t, x.second, code, map[string]string{"code_verifier": "", "redirect_uri": ""}); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_grant" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		x.exchange(t, x.second, code, map[string]string{"code_verifier": ""}).Want(t, http.StatusOK)
		code = x.signIn(t, x.ask(x.client, nil)).Get("code")
		x.exchange(t, x.client, code, map[string]string{"redirect_uri": ""}).Want(t, http.StatusOK)
	})
}

// TestFormPost: the answer stands in a form that goes to the client and nowhere else,
// after the pages, at once, and as an error (OAuth 2.0 Form Post Response Mode).
func TestFormPost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		ask := func(change map[string]string) string {
			all := map[string]string{"response_mode": "form_post"}
			maps.Copy(all, change)
			return x.ask(x.client, all)
		}
		p := x.browser.Get(ask(nil))
		p = x.browser.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
		if p.Fields("consent") != nil {
			p = x.browser.Submit(p, "consent", nil)
		}
		for name, page := range map[string]otltest.Page{"after the pages": p, "at once": x.browser.Get(ask(nil))} {
			f := page.Fields("answer")
			if page.Left != nil || f.Get("state") != "s 1&" || f.Get("iss") != otltest.Issuer || f.Get("code") == "" || len(f) != 3 || page.Actions()[0] != callback {
				t.Fatalf("%s: %d %v %s", name, page.Status, f, page.Raw)
			}
			policy := page.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "form-action 'self' https://notes.test;") || !strings.Contains(policy, "default-src 'none'") || page.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %s", name, policy)
			}
			if !strings.Contains(string(page.Raw), "<h1>Back to \u2068Notes\u2069</h1>") || !strings.Contains(string(page.Raw), "<noscript><p>Scripts don&#39;t run in this browser") || !strings.Contains(string(page.Raw), "<button>Continue</button>") || !strings.Contains(string(page.Raw), "data-auto") {
				t.Errorf("%s", page.Raw)
			}
			x.exchange(t, x.client, f.Get("code"), nil).Want(t, http.StatusOK)
		}
		for name, c := range map[string]struct {
			change map[string]string
			word   string
		}{
			"a bad request": {map[string]string{"scope": "email"}, "invalid_scope"},
			"silence":       {map[string]string{"prompt": "none", "max_age": "0"}, "login_required"},
		} {
			if f := x.browser.Get(ask(c.change)).Fields("answer"); f.Get("error") != c.word || f.Get("error_description") == "" || f.Get("state") != "s 1&" {
				t.Errorf("%s: %v", name, f)
			}
		}
		p = x.browser.Get(ask(map[string]string{"prompt": "consent"}))
		if f := x.browser.Submit(p, "consent", map[string]string{"decision": "cancel"}).Fields("answer"); f.Get("error") != "access_denied" {
			t.Errorf("cancelled: %v", f)
		}
		// What a client sends is text on that page, whatever it is.
		p = x.browser.Get(ask(map[string]string{"state": `"><script>alert(1)</script>`}))
		if strings.Contains(string(p.Raw), "<script>alert") || p.Fields("answer").Get("state") != `"><script>alert(1)</script>` {
			t.Errorf("%s", p.Raw)
		}
	})
}

// TestOA08_ClaimsByName: a client gets the claims it names, where it names them, as far as
// the person granted them, also after a refresh (OpenID Connect Core section 5.5).
func TestOA08_ClaimsByName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		asked, err := json.Marshal(map[string]any{
			"userinfo": map[string]any{"name": map[string]any{"essential": true}, "phone_number": nil, "no_such": nil},
			"id_token": map[string]any{"email": nil, "auth_time": map[string]any{"essential": true}, "acr": map[string]any{"values": []string{"2"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, map[string]string{"scope": "openid", "claims": string(asked)})).Get("code"), nil).Want(t, http.StatusOK)
		again := x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
		for _, one := range []otltest.Reply{r, again} {
			id := x.claims(t, one.Text("id_token"))
			if id["email"] != jane || id["name"] != nil || id["auth_time"] == nil || id["acr"] != "1" {
				t.Errorf("%v", id)
			}
			info := x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: one.Text("access_token")}).Want(t, http.StatusOK)
			if names := slices.Sorted(maps.Keys(info.JSON)); fmt.Sprint(names) != "[name sub]" { // the number was not granted
				t.Errorf("%s", info.Raw)
			}
		}
		for _, bad := range []string{"x", "[]", "null", `{"userinfo":1}`, `{"id_token":{"email":1}}`} {
			if p := x.browser.Get(x.ask(x.client, map[string]string{"claims": bad})); p.Left == nil || p.Left.Query().Get("error") != "invalid_request" {
				t.Errorf("%.40q: %v", bad, p.Left)
			}
		}
		for bad, word := range map[string]string{
			`{"id_token":{"sub":{"value":"nobody"}}}`:                   "login_required",
			`{"id_token":{"sub":{"value":1}}}`:                          "login_required",
			`{"id_token":{"acr":{"essential":true,"values":["gold"]}}}`: "unmet_authentication_requirements",
		} {
			if p := x.browser.Get(x.ask(x.client, map[string]string{"claims": bad})); p.Left == nil || p.Left.Query().Get("error") != word {
				t.Errorf("%s: %v", bad, p.Left)
			}
		}
		// Two factors where one is not enough, and where it is.
		for value, want := range map[string]bool{`{"essential":true,"value":"2"}`: false, `{"essential":true,"values":["2","1"]}`: true, `{"values":["2"]}`: true} {
			p := x.browser.Get(x.ask(x.client, map[string]string{"claims": `{"id_token":{"acr":` + value + `}}`, "prompt": "none"}))
			if got := p.Left != nil && p.Left.Query().Get("code") != ""; got != want {
				t.Errorf("%s: %d %v", value, p.Status, p.Left)
			}
		}
	})
}

// TestTheOneWhoIsAskedFor: an ID token, or the claim sub, says whom the client takes the
// person for. Somebody else can give way, but is not taken for that person.
func TestTheOneWhoIsAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		mia := x.Person(t, "mia@dev.test", x.Notes.Site)
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		x.Clock.Advance(2 * time.Hour)
		hers := map[string]string{"claims": fmt.Sprintf(`{"id_token":{"sub":{"value":%q}}}`, mia.ID)}
		if q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none", "id_token_hint": r.Text("id_token")})); q.Get("code") == "" {
			t.Errorf("an expired ID token is a hint: %v", q)
		}
		if q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none", "claims": hers["claims"]})); q.Get("error") != "login_required" {
			t.Errorf("%v", q)
		}
		if q := x.signIn(t, x.ask(x.client, map[string]string{"claims": hers["claims"], "id_token_hint": r.Text("id_token")})); q.Get("error") != "login_required" {
			t.Errorf("two people: %v", q)
		}
		p := x.browser.Get(x.ask(x.client, hers))
		if p.Title != "Sign in" || strings.Contains(string(p.Raw), jane) {
			t.Errorf("%s: %s", p.Title, p.Raw)
		}
		wrong := x.browser.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
		x.Clock.Advance(time.Second)
		if wrong.Left == nil || wrong.Left.Query().Get("error") != "login_required" {
			t.Fatalf("%d %s %v", wrong.Status, wrong.Title, wrong.Left)
		}
		p = x.browser.Submit(x.browser.Get(x.ask(x.client, hers)), "/signin", map[string]string{"identifier": "mia@dev.test", "password": otltest.Password})
		if p.Left == nil && p.Fields("consent") != nil {
			p = x.browser.Submit(p, "consent", nil)
		}
		if p.Left == nil || p.Left.Query().Get("code") == "" {
			t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
		}
		got := x.exchange(t, x.client, p.Left.Query().Get("code"), nil).Want(t, http.StatusOK)
		if x.claims(t, got.Text("id_token"))["sub"] != mia.ID {
			t.Errorf("%s", got.Raw)
		}
	})
}

// TestMF05_FactorsThatAreEssential: acr 2 that is essential asks for the second step, though
// the site asks for none; who has no factor is told so and comes back with nothing.
func TestMF05_FactorsThatAreEssential(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		x.signIn(t, x.ask(x.client, nil))
		p := x.browser.Get(x.ask(x.client, map[string]string{"claims": `{"id_token":{"acr":{"essential":true,"value":"2"}}}`}))
		if p.Left != nil || p.Status == http.StatusInternalServerError {
			t.Errorf("without a second factor: %d %v", p.Status, p.Left)
		}
	})
}
