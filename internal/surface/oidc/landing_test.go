package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestOA13_AddressesToGoOnAt: who signed out goes on at an address registered for that, or
// at a redirect URI; nobody is signed in at the former.
func TestOA13_AddressesToGoOnAt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		const bye = "https://notes.test/bye"
		app := x.made(t, site.NewClient{PostLogout: []string{bye}})
		for to, good := range map[string]bool{bye: true, callback: true, bye + "/": false, "https://notes.test/Bye": false, "https://shop.test/callback": false} {
			p := x.browser.Get("/oidc/logout?" + url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {to}, "state": {"s"}}.Encode())
			if left := p.Left != nil && p.Left.String() == to+"?state=s"; left != good {
				t.Errorf("%s: %d %v", to, p.Status, p.Left)
			}
		}
		if p := x.browser.Get(x.ask(app, map[string]string{"redirect_uri": bye})); p.Status != http.StatusBadRequest {
			t.Errorf("signs in at %v", p.Left)
		}
	})
}

// TestAppAddresses: an app is reached at a scheme of its own (RFC 8252 section 7.1), which
// the policy of the pages lets their forms lead to; a client with a secret has none.
func TestAppAddresses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		const cb = "com.example.notes:/callback"
		for _, n := range []site.NewClient{{Name: "x", RedirectURIs: []string{cb}}, {Name: "x", PostLogout: []string{cb}}, {Name: "x", Auth: "none", RedirectURIs: []string{"notes:/cb"}}} {
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, n); otl.As(err).Kind != otl.Invalid {
				t.Errorf("%+v: %v", n, err)
			}
		}
		app := x.made(t, site.NewClient{Auth: "none", RedirectURIs: []string{cb}, PostLogout: []string{"com.example.notes:/bye"}})
		p := x.browser.Get(x.ask(app, map[string]string{"redirect_uri": cb}))
		if policy := p.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' com.example.notes:;") {
			t.Errorf("%s", policy)
		}
		q := x.signIn(t, x.ask(app, map[string]string{"redirect_uri": cb}))
		x.bare(t, "/oidc/token", codeForm(app, q.Get("code"))).Want(t, http.StatusOK)
		out := x.browser.Submit(x.browser.Get("/oidc/logout?"+url.Values{"client_id": {app.ID}, "post_logout_redirect_uri": {"com.example.notes:/bye"}}.Encode()), "signout", map[string]string{"where": "here"})
		if out.Left == nil || out.Left.String() != "com.example.notes:/bye" {
			t.Errorf("%d %v", out.Status, out.Left)
		}
	})
}

// TestTheOtherNameOfAuthorize: /oidc/auth is /oidc/authorize (contract 1.12), and a client
// that sends a wrong address ahead is told which it was.
func TestTheOtherNameOfAuthorize(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		q := x.signIn(t, strings.Replace(x.ask(x.client, nil), "/oidc/authorize?", "/oidc/auth?", 1))
		x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK)
		r := x.form(t, "/oidc/par", x.client, url.Values{"redirect_uri": {"https://evil.test/\"\\\u00fc"}})
		if want := "redirect_uri 'https://evil.test/???' is not one of"; r.Status != http.StatusBadRequest || !strings.HasPrefix(r.Text("error_description"), want) {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		for _, name := range []string{"introspection_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported", "ui_locales_supported", "claim_types_supported"} {
			if list, _ := d.JSON[name].([]any); len(list) == 0 {
				t.Errorf("%s: %v", name, d.JSON[name])
			}
		}
	})
}
