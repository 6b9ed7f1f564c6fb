package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/token"
)

// head gives a member of the header of a token.
func head(t *testing.T, raw, name string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	var h map[string]string
	if err != nil || json.Unmarshal(b, &h) != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return h[name]
}

// TestSE08_AClientsAlgorithm: the tokens of a client that wants ES256 are signed with it, all
// of them, are read wherever those of RS256 are, and stand beside them at /oidc/keys; the
// keys where clients of Transmit's wire look are RS256 (contract 3.7). Access tokens of
// people are signed with ES256 for either (decision D5).
func TestSE08_AClientsAlgorithm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		hook := otltest.NewHook(t)
		for alg, c := range map[string]site.MadeClient{"RS256": x.made(t, site.NewClient{LogoutURI: hook.URL}), "ES256": x.made(t, site.NewClient{SigningAlg: "ES256", LogoutURI: hook.URL})} {
			r := x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK)
			own := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"client_credentials"}}).Want(t, http.StatusOK)
			again := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
			for _, raw := range []string{r.Text("access_token"), again.Text("access_token")} {
				if got := head(t, raw, "alg"); got != "ES256" || x.claims(t, raw)["iss"] != otltest.Issuer {
					t.Errorf("%s: access token of %s", alg, got)
				}
			}
			for _, raw := range []string{r.Text("id_token"), again.Text("id_token"), own.Text("access_token")} {
				if got := head(t, raw, "alg"); got != alg || x.claims(t, raw)["iss"] != otltest.Issuer {
					t.Errorf("%s: %s", alg, got)
				}
			}
			x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
			if got := x.form(t, "/oidc/introspect", c, url.Values{"token": {r.Text("access_token")}}).Want(t, http.StatusOK); got.JSON["active"] != true {
				t.Errorf("%s: %s", alg, got.Raw)
			}
			if q := x.signIn(t, x.ask(c, map[string]string{"prompt": "none", "id_token_hint": r.Text("id_token")})); q.Get("code") == "" {
				t.Errorf("%s: the hint is not read: %v", alg, q)
			}
			x.form(t, "/oidc/revoke", c, url.Values{"token": {again.Text("access_token")}}).Want(t, http.StatusOK)
			x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: again.Text("access_token")}).Want(t, http.StatusUnauthorized)
			x.Deliver(t)
			got := hook.Take()
			if len(got) != 1 {
				t.Fatalf("%s: %d logout tokens", alg, len(got))
			}
			form, err := url.ParseQuery(string(got[0].Body))
			if err != nil || head(t, form.Get("logout_token"), "alg") != alg || x.logoutToken(t, got[0])["aud"] != c.ID {
				t.Errorf("%s: %s", alg, got[0].Body)
			}
		}
		for path, want := range map[string]string{"/oidc/keys": "[RS256 ES256]", "/oidc/jwks": "[RS256]", "/cis/oidc/jwks": "[RS256]"} {
			if got := fmt.Sprint(x.algorithms(t, path)); got != want {
				t.Errorf("%s: %s", path, got)
			}
		}
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		if fmt.Sprint(d.JSON["id_token_signing_alg_values_supported"]) != "[RS256 ES256]" || d.Text("jwks_uri") != otltest.Issuer+"/oidc/keys" {
			t.Errorf("%s", d.Raw)
		}
		for _, alg := range []string{"HS256", "none", "EdDSA", "es256"} {
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "x", SigningAlg: alg}); otl.As(err).Kind != otl.Invalid {
				t.Errorf("%s: %v", alg, err)
			}
		}
	})
}

// TestSE08_AnInstallationOfRS256: where access tokens are signed with RS256 those of clients are,
// whatever the client reads.
func TestSE08_AnInstallationOfRS256(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		for _, c := range []site.MadeClient{x.client, x.made(t, site.NewClient{SigningAlg: "ES256"})} {
			r := x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK)
			if got := head(t, r.Text("access_token"), "alg"); got != "RS256" {
				t.Errorf("access token of %s", got)
			}
			x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		}
	}, func(o *node.Options) { o.Algorithm = token.RS256 })
}

// TestContract37_ASessionOfTheHostedPages: what Transmit's calls give of a session that began at
// /authorize is read with the keys where their clients look.
func TestContract37_ASessionOfTheHostedPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		own := x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"client_credentials"}}).Want(t, http.StatusOK)
		renewed := x.Do(t, otltest.Call{
			Method: http.MethodPost, Path: "/v1/auth/token/refresh", Bearer: own.Text("access_token"), Body: map[string]string{"refresh_token": r.Text("refresh_token")},
		}).Want(t, http.StatusOK)
		for _, name := range []string{"access_token", "id_token"} {
			if got := head(t, renewed.Text(name), "alg"); got != "RS256" {
				t.Errorf("%s of %s", name, got)
			}
		}
	})
}

func (x *provider) algorithms(t *testing.T, path string) []string {
	t.Helper()
	var set struct{ Keys []struct{ Alg string } }
	if err := json.Unmarshal(x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusOK).Raw, &set); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		out = append(out, k.Alg)
	}
	return out
}

// TestSE16_BothChainsRotate: the keys of either algorithm are replaced, what the older ones
// signed is good until they are revoked.
func TestSE16_BothChainsRotate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		for _, alg := range []string{"RS256", "ES256"} {
			c := x.made(t, site.NewClient{SigningAlg: alg})
			fresh := func() string {
				return x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("access_token")
			}
			status := func(access string) int { return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: access}).Status }
			old := fresh()
			if err := x.Installation.Rotate(t.Context(), true, false); err != nil {
				t.Fatal(err)
			}
			next := fresh()
			if head(t, old, "kid") == head(t, next, "kid") || status(old) != http.StatusOK || status(next) != http.StatusOK {
				t.Errorf("%s: %d %d", alg, status(old), status(next))
			}
			if err := x.Installation.Rotate(t.Context(), true, true); err != nil {
				t.Fatal(err)
			}
			if status(old) != http.StatusUnauthorized || status(next) != http.StatusUnauthorized || status(fresh()) != http.StatusOK {
				t.Errorf("%s: %d %d after the older keys were revoked", alg, status(old), status(next))
			}
		}
	})
}
