package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// proof makes a DPoP proof for a request at this moment, with changes.
func (x *provider) proof(t *testing.T, k otltest.Signer, method, path, access string, change map[string]any) string {
	t.Helper()
	says := map[string]any{"jti": secret.NewID(x.Clock.Now()), "htm": method, "htu": otltest.Issuer + path, "iat": x.Clock.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		says["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	maps.Copy(says, change)
	return k.Sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": k.JWK()}, says)
}

// TestDPoP: access tokens are bound to the key that the client proves to hold, refresh
// tokens of public clients too (RFC 9449).
func TestDPoP(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		key := otltest.NewSigner(t, jose.ES256)
		app := x.made(t, site.NewClient{Auth: "none", RequireDPoP: true})
		const path = "/oidc/token"
		code := func(change map[string]string) string { return x.signIn(t, x.ask(app, change)).Get("code") }
		proof := func() string { return x.proof(t, key, "POST", path, "", nil) }
		bound := code(map[string]string{"dpop_jkt": key.Thumbprint(t)})
		if r := x.bare(t, path, codeForm(app, bound)); r.Text("error") != "invalid_dpop_proof" {
			t.Errorf("without: %s", r.Raw)
		}
		if r := x.bare(t, path, codeForm(app, bound), x.proof(t, otltest.NewSigner(t, jose.ES256), "POST", path, "", nil)); r.Text("error") != "invalid_grant" {
			t.Errorf("another key: %s", r.Raw)
		}
		once := proof()
		r := x.bare(t, path, codeForm(app, bound), once).Want(t, http.StatusOK)
		if r.Text("token_type") != "DPoP" {
			t.Errorf("%s", r.Raw)
		}
		now := x.Clock.Now().Unix()
		for name, bad := range map[string]string{
			"used before":    once,
			"another method": x.proof(t, key, "GET", path, "", nil),
			"another path":   x.proof(t, key, "POST", "/oidc/userinfo", "", nil),
			"another host":   x.proof(t, key, "POST", path, "", map[string]any{"htu": "https://evil.test" + path}),
			"old":            x.proof(t, key, "POST", path, "", map[string]any{"iat": now - 61}),
			"ahead":          x.proof(t, key, "POST", path, "", map[string]any{"iat": now + 11}),
			"no id":          x.proof(t, key, "POST", path, "", map[string]any{"jti": ""}),
			"for a token":    x.proof(t, key, "POST", path, "x", nil),
			"nothing":        "x",
		} {
			if r := x.bare(t, path, codeForm(app, code(nil)), bad); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_dpop_proof" {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		// One spelling of the address is as good as another.
		x.bare(t, path, codeForm(app, code(nil)), x.proof(t, key, "POST", path, "", map[string]any{"htu": "HTTPS://ID.test:443" + path + "?x#y"})).Want(t, http.StatusOK)

		// The refresh token.
		renew := func(proof string) otltest.Reply {
			return x.bare(t, path, url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "refresh_token": {r.Text("refresh_token")}}, proof)
		}
		if got := renew(x.proof(t, otltest.NewSigner(t, jose.ES256), "POST", path, "", nil)); got.Text("error") != "invalid_grant" {
			t.Errorf("renewed with another key: %s", got.Raw)
		}
		renew(proof()).Want(t, http.StatusOK)
	})
}

// TestDPoPAtUserInfo: an access token that is bound to a key is worth nothing without a
// proof of that key, for that token and request; nor can one that is not bound pass for one.
func TestDPoPAtUserInfo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		key, app := otltest.NewSigner(t, jose.ES256), x.made(t, site.NewClient{Auth: "none"})
		r := x.bare(t, "/oidc/token", codeForm(app, x.signIn(t, x.ask(app, nil)).Get("code")), x.proof(t, key, "POST", "/oidc/token", "", nil)).Want(t, http.StatusOK)
		access := r.Text("access_token")
		info := func(scheme, proof string) otltest.Reply {
			h := map[string]string{"Authorization": scheme + " " + access}
			if proof != "" {
				h["DPoP"] = proof
			}
			return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Headers: h})
		}
		good := x.proof(t, key, "GET", "/oidc/userinfo", access, nil)
		if got := info("DPoP", good).Want(t, http.StatusOK); got.Text("sub") != x.jane.ID {
			t.Errorf("%s", got.Raw)
		}
		for name, c := range map[string]struct{ scheme, proof string }{
			"as a bearer":      {"Bearer", ""},
			"as a bearer, too": {"Bearer", x.proof(t, key, "GET", "/oidc/userinfo", access, nil)},
			"without a proof":  {"DPoP", ""},
			"used":             {"DPoP", good},
			"of another key":   {"DPoP", x.proof(t, otltest.NewSigner(t, jose.ES256), "GET", "/oidc/userinfo", access, nil)},
			"of another token": {"DPoP", x.proof(t, key, "GET", "/oidc/userinfo", access+"x", nil)},
			"of no token":      {"DPoP", x.proof(t, key, "GET", "/oidc/userinfo", "", nil)},
		} {
			if got := info(c.scheme, c.proof); got.Status != http.StatusUnauthorized || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "DPoP ") {
				t.Errorf("%s: %d %s %v", name, got.Status, got.Raw, got.Header)
			}
		}
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/v1/auth/logout", Bearer: access}).Want(t, http.StatusUnauthorized)
		plain := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		access = plain.Text("access_token")
		if got := info("DPoP", x.proof(t, key, "GET", "/oidc/userinfo", access, nil)); got.Status != http.StatusUnauthorized {
			t.Errorf("one that is bound to nothing: %d", got.Status)
		}
	})
}

// TestDPoPOfConfidentialClients: the token is bound, as introspection says; the refresh
// token is the client's, with whatever key it has by then.
func TestDPoPOfConfidentialClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		send := func(form url.Values, k otltest.Signer) otltest.Reply {
			form.Set("client_id", x.client.ID)
			form.Set("client_secret", x.client.Secret.Reveal())
			return x.bare(t, "/oidc/token", form, x.proof(t, k, "POST", "/oidc/token", "", nil))
		}
		one, two := otltest.NewSigner(t, jose.ES256), otltest.NewSigner(t, jose.ES256)
		r := send(codeForm(x.client, x.signIn(t, x.ask(x.client, nil)).Get("code")), one).Want(t, http.StatusOK)
		r = send(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}, two).Want(t, http.StatusOK)
		got := x.form(t, "/oidc/introspect", x.client, url.Values{"token": {r.Text("access_token")}}).Want(t, http.StatusOK)
		if got.Text("token_type") != "DPoP" || got.Text("cnf", "jkt") != two.Thumbprint(t) {
			t.Errorf("%s", got.Raw)
		}
		pushed := x.bare(t, "/oidc/par", url.Values{
			"client_id": {x.client.ID}, "client_secret": {x.client.Secret.Reveal()}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {callback},
			"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}, "dpop_jkt": {two.Thumbprint(t)},
		}, x.proof(t, one, "POST", "/oidc/par", "", nil))
		if pushed.Text("error") != "invalid_dpop_proof" {
			t.Errorf("%s", pushed.Raw)
		}
	})
}
