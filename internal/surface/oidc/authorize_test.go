package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOA02_RedirectURIs are compared to the letter: whatever differs is shown here, and
// nobody is sent anywhere (OA-03).
func TestOA02_RedirectURIs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		all := otltest.Hostile()
		if len(all) < 500 {
			t.Errorf("only %d addresses", len(all))
		}
		for _, uri := range all {
			r := x.Do(t, otltest.Call{Path: x.ask(x.client, map[string]string{"redirect_uri": uri, "state": "x"}), Headers: map[string]string{"Accept": "text/html"}})
			if r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" || len(uri) > 10 && strings.Contains(string(r.Raw), `href="`+uri) {
				t.Fatalf("%q: %d %v", uri, r.Status, r.Header)
			}
			out := x.Do(t, otltest.Call{Path: "/oidc/logout?" + url.Values{"client_id": {x.client.ID}, "post_logout_redirect_uri": {uri}}.Encode(), Headers: map[string]string{"Accept": "text/html"}})
			if to := out.Header.Get("Location"); to != "" && to != "/signout" || uri != "" && out.Status != http.StatusBadRequest {
				t.Fatalf("after a sign-out %q: %d %v", uri, out.Status, out.Header)
			}
			if ahead := x.form(t, "/oidc/par", x.client, url.Values{"redirect_uri": {uri}}); ahead.Status != http.StatusBadRequest || ahead.Text("error") != "invalid_request" {
				t.Fatalf("ahead %q: %d %s", uri, ahead.Status, ahead.Raw)
			}
		}
		for _, c := range []string{"", "x", x.Notes.Site.ID, "01HKZ3M5Q8J9X2V7C4B6N1D0FG", "\x00"} {
			if r := x.Do(t, otltest.Call{Path: x.ask(x.client, map[string]string{"client_id": c}), Headers: map[string]string{"Accept": "text/html"}}); r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
				t.Errorf("%q: %d", c, r.Status)
			}
		}
		// The address's own query stays.
		if q := x.signIn(t, x.ask(x.client, map[string]string{"redirect_uri": callback + "?keep=1"})); q.Get("keep") != "1" || q.Get("code") == "" {
			t.Errorf("%v", q)
		}
	})
}

// TestOA01_OnlyCodes: everything else a client could ask for is an error it is told.
func TestOA01_OnlyCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		for _, c := range []struct {
			name, value, word string
		}{
			{"response_type", "", "invalid_request"},
			{"response_type", "token", "unsupported_response_type"},
			{"response_type", "id_token", "unsupported_response_type"},
			{"response_type", "code id_token", "unsupported_response_type"},
			{"response_mode", "fragment", "invalid_request"},
			{"request", "x", "request_not_supported"},
			{"request_uri", "https://evil.test", "request_uri_not_supported"},
			{"scope", "", "invalid_scope"},
			{"scope", "email", "invalid_scope"},
			{"prompt", "none login", "invalid_request"},
			{"prompt", "dance", "invalid_request"},
			{"max_age", "-1", "invalid_request"},
			{"max_age", "x", "invalid_request"},
			{"nonce", strings.Repeat("n", 513), "invalid_request"},
			{"prompt", "none", "login_required"},
		} {
			p := x.browser.Get(x.ask(x.client, map[string]string{c.name: c.value}))
			if p.Left == nil || p.Left.Query().Get("error") != c.word || p.Left.Query().Get("state") != "s 1&" || p.Left.Query().Get("iss") != otltest.Issuer {
				t.Errorf("%s=%s: %d %v", c.name, c.value, p.Status, p.Left)
			}
		}
		if p := x.browser.Get(x.ask(x.client, nil) + "&scope=openid"); p.Left == nil || p.Left.Query().Get("error") != "invalid_request" {
			t.Errorf("twice: %v", p.Left)
		}
		// A request may come as a form too.
		p := x.browser.Send("/oidc/authorize", url.Values{})
		if p.Status != http.StatusBadRequest {
			t.Errorf("%d", p.Status)
		}
		_, query, _ := strings.Cut(x.ask(x.client, nil), "?")
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if p = x.browser.Send("/oidc/authorize", q); p.Title != "Sign in" {
			t.Errorf("%d %s", p.Status, p.Title)
		}
	})
}

// TestPromptsAndAges: who has just signed in is not asked again, unless that is wished.
func TestPromptsAndAges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		x.signIn(t, x.ask(x.client, nil))
		x.Clock.Advance(time.Hour)
		for _, c := range []struct {
			name, value, title string
		}{
			{"prompt", "", ""},
			{"max_age", "7200", ""},
			{"max_age", "60", "Confirm it's you"},
			{"max_age", "0", "Confirm it's you"},
			{"prompt", "login", "Confirm it's you"},
			{"prompt", "select_account", "Choose an account"},
			{"prompt", "consent", "\u2068Notes\u2069 wants to connect to your account"},
		} {
			p := x.browser.Get(x.ask(x.client, map[string]string{c.name: c.value}))
			if p.Title != c.title || (p.Left == nil) != (c.title != "") {
				t.Errorf("%s=%s: %q %v", c.name, c.value, p.Title, p.Left)
			}
		}
		for name, change := range map[string]map[string]string{
			"too old":   {"prompt": "none", "max_age": "60"},
			"a forgery": {"prompt": "none", "id_token_hint": "x"},
		} {
			if p := x.browser.Get(x.ask(x.client, change)); p.Left == nil || p.Left.Query().Get("error") != "login_required" {
				t.Errorf("%s: %v", name, p.Left)
			}
		}
		if p := x.browser.Get(x.ask(x.shop, map[string]string{"prompt": "none"})); p.Left == nil || p.Left.Query().Get("error") != "consent_required" {
			t.Errorf("a site she does not know: %v", p.Left)
		}
		if p := x.Browser(t).Get(x.ask(x.client, map[string]string{"login_hint": "hint@dev.test", "ui_locales": "de"})); !strings.Contains(string(p.Raw), `value="hint@dev.test"`) || !strings.Contains(string(p.Raw), `lang="de"`) {
			t.Errorf("%s", p.Raw)
		}
	})
}

// TestOA13_Logout ends the session of the browser and the site for whoever has an ID
// token, and asks everybody else.
func TestOA13_Logout(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		out := func(q url.Values) otltest.Page { return x.browser.Get("/oidc/logout?" + q.Encode()) }
		hint := r.Text("id_token")
		for name, q := range map[string]url.Values{
			"a forgery":         {"id_token_hint": {"x"}},
			"an access token":   {"id_token_hint": {r.Text("access_token")}},
			"another client":    {"id_token_hint": {hint}, "client_id": {x.second.ID}},
			"a strange address": {"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.test"}},
		} {
			if p := out(q); p.Left != nil || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %v", name, p.Status, p.Left)
			}
		}
		if p := out(url.Values{"post_logout_redirect_uri": {callback}}); p.Left != nil || !strings.HasPrefix(p.Path, "/signout") {
			t.Errorf("without a token: %s %v", p.Path, p.Left)
		}
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		x.Clock.Advance(2 * time.Hour) // the ID token has expired, and is a hint all the same
		p := out(url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {callback}, "state": {"bye 1"}})
		if p.Left == nil || p.Left.String() != callback+"?state=bye+1" {
			t.Fatalf("%d %v", p.Status, p.Left)
		}
		if r := x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}); r.Text("error") != "invalid_grant" {
			t.Errorf("%s", r.Raw)
		}
		if p := x.browser.Get(x.ask(x.client, map[string]string{"prompt": "none"})); p.Left == nil || p.Left.Query().Get("error") != "login_required" {
			t.Errorf("still signed in: %v", p.Left)
		}
	})
}
