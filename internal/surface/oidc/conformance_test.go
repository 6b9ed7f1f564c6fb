package oidc_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// module is one case of the OpenID Foundation's certification plans for providers, by its
// name there. It is a check of our own of what that module checks.
type module struct {
	name  string
	check func(*testing.T, *run)
}

// run is a provider under test in one variant: how the client proves itself, and how the
// answer comes back.
type run struct {
	*provider
	client site.MadeClient
	mode   string // response_mode, "" for the usual one
}

// go asks for something, signing in where that is asked, and gives the answer.
func (x *run) answer(t *testing.T, change map[string]string) url.Values {
	t.Helper()
	all := map[string]string{"response_mode": x.mode}
	maps.Copy(all, change)
	return x.follow(t, x.ask(x.client, all))
}

// follow goes to an address that asks for something, as far as the answer.
func (x *run) follow(t *testing.T, path string) url.Values {
	t.Helper()
	p := x.browser.Get(path)
	if p.Fields("/signin") != nil {
		p = x.browser.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	}
	if p.Fields("consent") != nil {
		p = x.browser.Submit(p, "consent", nil)
	}
	switch {
	case p.Left != nil:
		return p.Left.Query()
	case p.Fields("answer") != nil:
		return p.Fields("answer")
	}
	t.Fatalf("stays at %s: %d %s", p.Path, p.Status, p.Title)
	return nil
}

// tokens goes through a whole sign-in.
func (x *run) tokens(t *testing.T, change map[string]string) otltest.Reply {
	t.Helper()
	q := x.answer(t, change)
	if q.Get("code") == "" || q.Get("state") != "s 1&" || q.Get("iss") != otltest.Issuer {
		t.Fatalf("%v", q)
	}
	return x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK)
}

func (x *run) info(t *testing.T, r otltest.Reply) map[string]any {
	t.Helper()
	return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK).JSON
}

// succeeds is a module that is passed by a whole sign-in with parameters changed.
func succeeds(name string, change map[string]string) module {
	return module{name, func(t *testing.T, x *run) { x.claims(t, x.tokens(t, change).Text("id_token")) }}
}

// scope is a module about the claims of a scope at userinfo, as far as they were granted.
func scope(name, scopes string, claims ...string) module {
	return module{name, func(t *testing.T, x *run) {
		info := x.info(t, x.tokens(t, map[string]string{"scope": "openid " + scopes}))
		for _, c := range claims {
			if info[c] == nil {
				t.Errorf("lacks %s: %v", c, info)
			}
		}
	}}
}

// refuses is a module in which the browser is sent nowhere.
func refuses(name string, change map[string]string) module {
	return module{name, func(t *testing.T, x *run) {
		if p := x.browser.Get(x.ask(x.client, change)); p.Left != nil || p.Status != http.StatusBadRequest {
			t.Errorf("%d %v", p.Status, p.Left)
		}
	}}
}

// fails is a module that ends in an error at the client.
func fails(name, word string, change map[string]string) module {
	return module{name, func(t *testing.T, x *run) {
		if q := x.answer(t, change); q.Get("error") != word || q.Get("state") != "s 1&" {
			t.Errorf("%v", q)
		}
	}}
}

// basic are the modules of the plans Basic and Form Post Basic.
func basic() []module { return append(requests(), answers()...) }

// requests are those about what may be asked for.
func requests() []module {
	return []module{
		{"oidcc-server", func(t *testing.T, x *run) {
			id := x.claims(t, x.tokens(t, nil).Text("id_token"))
			for _, c := range []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"} {
				if id[c] == nil {
					t.Errorf("lacks %s: %v", c, id)
				}
			}
		}},
		{"oidcc-idtoken-signature", func(t *testing.T, x *run) {
			raw := x.tokens(t, nil).Text("id_token")
			if x.claims(t, raw); head(t, raw, "alg") != "RS256" || head(t, raw, "kid") == "" {
				t.Errorf("%s", raw)
			}
		}},
		{"oidcc-idtoken-unsigned", func(t *testing.T, x *run) {
			d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
			if slices.Contains(d.JSON["id_token_signing_alg_values_supported"].([]any), any("none")) {
				t.Errorf("%s", d.Raw)
			}
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "x", SigningAlg: "none"}); err == nil {
				t.Error("a client whose tokens nobody signs")
			}
		}},
		fails("oidcc-response-type-missing", "invalid_request", map[string]string{"response_type": ""}),
		{"oidcc-userinfo-get", func(t *testing.T, x *run) { x.info(t, x.tokens(t, nil)) }},
		{"oidcc-userinfo-post-header", func(t *testing.T, x *run) {
			x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/oidc/userinfo", Bearer: x.tokens(t, nil).Text("access_token")}).Want(t, http.StatusOK)
		}},
		{"oidcc-userinfo-post-body", func(t *testing.T, x *run) {
			x.bare(t, "/oidc/userinfo", url.Values{"access_token": {x.tokens(t, nil).Text("access_token")}}).Want(t, http.StatusOK)
		}},
		succeeds("oidcc-ensure-request-without-nonce-succeeds-for-code-flow", map[string]string{"nonce": ""}),
		scope("oidcc-scope-profile", "profile", "name", "updated_at"),
		scope("oidcc-scope-email", "email", "email", "email_verified"),
		scope("oidcc-scope-address", "address", "sub"),
		scope("oidcc-scope-phone", "phone", "sub"),
		scope("oidcc-scope-all", "profile email address phone", "name", "email"),
		{"oidcc-ensure-other-scope-order-succeeds", func(t *testing.T, x *run) {
			if info := x.info(t, x.tokens(t, map[string]string{"scope": "email openid"})); info["email"] != jane || info["name"] != nil {
				t.Errorf("%v", info)
			}
		}},
		{"oidcc-alternate-happy-flow", func(t *testing.T, x *run) {
			path, query, _ := strings.Cut(x.ask(x.client, map[string]string{"scope": "email openid", "response_mode": x.mode}), "?")
			all := strings.Split(query, "&")
			slices.Reverse(all)
			q := x.follow(t, path+"?"+strings.Join(all, "&"))
			if x.info(t, x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK))["email"] != jane {
				t.Errorf("%v", q)
			}
		}},
		succeeds("oidcc-display-page", map[string]string{"display": "page"}),
		succeeds("oidcc-display-popup", map[string]string{"display": "popup"}),
		{"oidcc-prompt-login", func(t *testing.T, x *run) { x.again(t, map[string]string{"prompt": "login"}, true) }},
		{"oidcc-prompt-none-not-logged-in", func(t *testing.T, x *run) {
			x.browser = x.Browser(t)
			if q := x.answer(t, map[string]string{"prompt": "none"}); q.Get("error") != "login_required" {
				t.Errorf("%v", q)
			}
		}},
		{"oidcc-prompt-none-logged-in", func(t *testing.T, x *run) { x.again(t, map[string]string{"prompt": "none"}, false) }},
		{"oidcc-max-age-1", func(t *testing.T, x *run) { x.again(t, map[string]string{"max_age": "1"}, true) }},
		{"oidcc-max-age-10000", func(t *testing.T, x *run) { x.again(t, map[string]string{"max_age": "10000"}, false) }},
		succeeds("oidcc-ensure-request-with-unknown-parameter-succeeds", map[string]string{"extra": "foobar"}),
	}
}

// answers are those about hints, codes and what comes of them.
func answers() []module {
	return []module{
		{"oidcc-id-token-hint", func(t *testing.T, x *run) {
			x.again(t, map[string]string{"prompt": "none", "id_token_hint": x.tokens(t, nil).Text("id_token")}, false)
		}},
		succeeds("oidcc-login-hint", map[string]string{"login_hint": jane}),
		succeeds("oidcc-ui-locales", map[string]string{"ui_locales": "se"}),
		succeeds("oidcc-claims-locales", map[string]string{"claims_locales": "se"}),
		succeeds("oidcc-ensure-request-with-acr-values-succeeds", map[string]string{"acr_values": "1 2"}),
		{"oidcc-codereuse", func(t *testing.T, x *run) { x.reuse(t, 0) }},
		{"oidcc-codereuse-30seconds", func(t *testing.T, x *run) { x.reuse(t, 30*time.Second) }},
		refuses("oidcc-ensure-registered-redirect-uri", map[string]string{"redirect_uri": "https://notes.test/callback/foobar"}),
		{"oidcc-ensure-post-request-succeeds", func(t *testing.T, x *run) {
			x.tokens(t, nil)
			_, query, _ := strings.Cut(x.ask(x.client, nil), "?")
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			if p := x.browser.Send("/oidc/authorize", q); p.Left == nil || p.Left.Query().Get("code") == "" {
				t.Errorf("%d %v", p.Status, p.Left)
			}
		}},
		{"oidcc-server-client-secret-post", func(t *testing.T, x *run) {
			f := codeForm(x.client, x.answer(t, nil).Get("code"))
			f.Set("client_secret", x.client.Secret.Reveal())
			x.bare(t, "/oidc/token", f).Want(t, http.StatusOK)
		}},
		fails("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", "request_uri_not_supported", map[string]string{"request_uri": "https://notes.test/request.jwt"}),
		fails("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", "request_not_supported", map[string]string{"request": "eyJhbGciOiJub25lIn0.e30."}),
		{"oidcc-claims-essential", func(t *testing.T, x *run) {
			r := x.tokens(t, map[string]string{"scope": "openid", "claims": `{"userinfo":{"name":{"essential":true}}}`})
			if x.info(t, r)["name"] == nil || x.claims(t, r.Text("id_token"))["name"] != nil {
				t.Errorf("%s", r.Raw)
			}
		}},
		refuses("oidcc-ensure-request-object-with-redirect-uri", map[string]string{"redirect_uri": "https://notes.test/other", "request": "eyJhbGciOiJub25lIn0.e30."}),
		{"oidcc-refresh-token", func(t *testing.T, x *run) {
			r := x.tokens(t, map[string]string{"scope": "openid offline_access", "prompt": "consent"})
			fresh := x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
			was, is := x.claims(t, r.Text("id_token")), x.claims(t, fresh.Text("id_token"))
			if was["sub"] != is["sub"] || was["iss"] != is["iss"] || was["aud"] != is["aud"] || was["auth_time"] != is["auth_time"] {
				t.Errorf("%v\n%v", was, is)
			}
			if r := x.form(t, "/oidc/token", x.second, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fresh.Text("refresh_token")}}); r.Text("error") != "invalid_grant" {
				t.Errorf("another client: %s", r.Raw)
			}
		}},
		succeeds("oidcc-ensure-request-with-valid-pkce-succeeds", nil),
	}
}

// again signs in twice and reports whether the person proved himself the second time.
func (x *run) again(t *testing.T, change map[string]string, anew bool) {
	t.Helper()
	first := x.claims(t, x.tokens(t, nil).Text("id_token"))
	x.Clock.Advance(2 * time.Second)
	second := x.claims(t, x.tokens(t, change).Text("id_token"))
	if second["sub"] != first["sub"] || (second["auth_time"].(float64) > first["auth_time"].(float64)) != anew {
		t.Errorf("%v\n%v", first["auth_time"], second["auth_time"])
	}
}

// reuse presents a code twice; what the first time gave is worthless then.
func (x *run) reuse(t *testing.T, pause time.Duration) {
	t.Helper()
	code := x.answer(t, nil).Get("code")
	r := x.exchange(t, x.client, code, nil).Want(t, http.StatusOK)
	x.Clock.Advance(pause)
	if again := x.exchange(t, x.client, code, nil); again.Status != http.StatusBadRequest || again.Text("error") != "invalid_grant" {
		t.Errorf("%s", again.Raw)
	}
	x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusUnauthorized)
}

// discovery is the plan Config, and what the logout plans want announced.
func discovery(name string, announced ...string) module {
	return module{name, func(t *testing.T, x *run) {
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		for _, member := range append(announced, "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "response_types_supported",
			"subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "claims_supported", "claims_parameter_supported", "request_parameter_supported") {
			if d.JSON[member] == nil {
				t.Errorf("lacks %s", member)
			}
		}
		if d.Text("issuer") != otltest.Issuer || !slices.Contains(d.JSON["id_token_signing_alg_values_supported"].([]any), any("RS256")) {
			t.Errorf("%s", d.Raw)
		}
		for member, v := range d.JSON {
			if s, ok := v.(string); ok && !strings.HasPrefix(s, "https://") {
				t.Errorf("%s is %s", member, s)
			}
		}
	}}
}

// out is a module about the logout that a client asks for: where the browser ends up, "" for
// a page of ours, and whether the person is signed out by then.
func out(name string, change func(q url.Values, hint string), to string, gone bool) module {
	return module{name, func(t *testing.T, x *run) {
		q := url.Values{"id_token_hint": {x.tokens(t, nil).Text("id_token")}, "post_logout_redirect_uri": {callback}, "state": {"bye"}}
		if change != nil {
			change(q, q.Get("id_token_hint"))
		}
		p := x.browser.Get("/oidc/logout?" + q.Encode())
		if got := fmt.Sprint(p.Left); p.Left != nil && got != to || p.Left == nil && to != "" {
			t.Errorf("ends at %d %s %v, want %q", p.Status, p.Title, p.Left, to)
		}
		if q := x.answer(t, map[string]string{"prompt": "none"}); (q.Get("error") == "login_required") != gone {
			t.Errorf("afterwards: %v", q)
		}
	}}
}

// logout are the modules of the plan RP-Initiated Logout.
func logout() []module {
	set := func(name, value string) func(url.Values, string) {
		return func(q url.Values, _ string) {
			if q.Set(name, value); value == "" {
				q.Del(name)
			}
		}
	}
	return []module{
		discovery("oidcc-rp-initiated-logout-discovery-endpoint-verification", "end_session_endpoint"),
		out("oidcc-rp-initiated-logout", nil, callback+"?state=bye", true),
		out("oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", set("post_logout_redirect_uri", callback+"/foobar"), "", false),
		out("oidcc-rp-initiated-logout-modified-id-token-hint", func(q url.Values, hint string) { q.Set("id_token_hint", hint[:len(hint)-5]+"AAAAA") }, "", false),
		out("oidcc-rp-initiated-logout-no-id-token-hint", set("id_token_hint", ""), "", false),
		out("oidcc-rp-initiated-logout-no-params", func(q url.Values, _ string) { clear(q) }, "", false),
		out("oidcc-rp-initiated-logout-no-post-logout-redirect-uri", set("post_logout_redirect_uri", ""), "", true),
		out("oidcc-rp-initiated-logout-no-state", set("state", ""), callback, true),
		out("oidcc-rp-initiated-logout-only-state", func(q url.Values, _ string) { q.Del("id_token_hint"); q.Del("post_logout_redirect_uri") }, "", false),
		out("oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", set("post_logout_redirect_uri", callback+"?foo=bar"), "", false),
		out("oidcc-rp-initiated-logout-bad-id-token-hint", set("id_token_hint", "bad"), "", false),
	}
}

// backChannel are the modules of the plan Back-Channel Logout.
func backChannel() []module {
	return []module{
		discovery("oidcc-backchannel-logout-discovery-endpoint-verification", "end_session_endpoint", "backchannel_logout_supported", "backchannel_logout_session_supported"),
		{"oidcc-backchannel-rp-initiated-logout", func(t *testing.T, x *run) {
			hook := otltest.NewHook(t)
			x.client = x.made(t, site.NewClient{LogoutURI: hook.URL})
			r := x.tokens(t, nil)
			p := x.browser.Get("/oidc/logout?" + url.Values{"id_token_hint": {r.Text("id_token")}, "post_logout_redirect_uri": {callback}, "state": {"bye"}}.Encode())
			if p.Left == nil || p.Left.String() != callback+"?state=bye" {
				t.Fatalf("%d %v", p.Status, p.Left)
			}
			x.Deliver(t)
			told := hook.Take()
			if len(told) != 1 {
				t.Fatalf("%d logout tokens", len(told))
			}
			id, c := x.claims(t, r.Text("id_token")), x.logoutToken(t, told[0])
			if c["sub"] != id["sub"] || c["sid"] != id["sid"] || c["aud"] != id["aud"] || c["nonce"] != nil {
				t.Errorf("%v\n%v", id, c)
			}
			if q := x.answer(t, map[string]string{"prompt": "none"}); q.Get("error") != "login_required" {
				t.Errorf("%v", q)
			}
		}},
	}
}

// TestOA22_Conformance goes through the plans of the OpenID Foundation that this provider is
// held against, every module that they named in August 2026, each on a browser of its own. Those
// that the Foundation passes over for clients made by hand are among them: idtoken-signature,
// idtoken-unsigned, request-uri-unsigned.
func TestOA22_Conformance(t *testing.T) {
	t.Parallel()
	plans := []struct {
		name, mode string
		modules    []module
	}{
		{"oidcc-basic-certification-test-plan", "", basic()},
		{"oidcc-formpost-basic-certification-test-plan", "form_post", basic()},
		{"oidcc-config-certification-test-plan", "", []module{discovery("oidcc-discovery-endpoint-verification")}},
		{"oidcc-rp-initiated-logout-certification-test-plan", "", logout()},
		{"oidcc-backchannel-rp-initiated-logout-certification-test-plan", "", backChannel()},
	}
	each(t, func(t *testing.T, x *provider) {
		for _, plan := range plans {
			for _, m := range plan.modules {
				t.Run(plan.name+"/"+m.name, func(t *testing.T) {
					one := *x
					one.browser = x.Browser(t)
					m.check(t, &run{provider: &one, client: x.client, mode: plan.mode})
				})
			}
		}
	})
}
