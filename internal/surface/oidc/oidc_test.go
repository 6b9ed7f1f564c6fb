package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

const (
	jane     = "jane@dev.test"
	callback = "https://notes.test/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// provider is a world with two clients of Notes, one of Shop, and a browser.
type provider struct {
	*otltest.World
	client, second, shop site.MadeClient
	jane                 otl.User
	browser              *otltest.Browser
}

func each(t *testing.T, test func(*testing.T, *provider), change ...func(*node.Options)) {
	t.Helper()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if err := w.Installation.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		made := func(of otl.Site, n site.NewClient) site.MadeClient {
			c, err := w.Clients.Create(t.Context(), of.ID, n)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		test(t, &provider{
			World:  w,
			client: made(w.Notes.Site, site.NewClient{Name: "web", RedirectURIs: []string{callback, callback + "?keep=1"}}),
			second: made(w.Notes.Site, site.NewClient{Name: "old", RedirectURIs: []string{callback}, NoPKCE: true}),
			shop:   made(w.Shop.Site, site.NewClient{Name: "shop", RedirectURIs: []string{"https://shop.test/callback"}}),
			jane:   w.Person(t, jane, w.Notes.Site), browser: w.Browser(t),
		})
	}, change...)
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ask gives the address a client sends a browser to, with parameters changed: "" takes
// one away.
func (x *provider) ask(c site.MadeClient, change map[string]string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]}, "scope": {"openid profile email"}, "state": {"s 1&"}, "nonce": {"n1"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for k, v := range change {
		if q.Set(k, v); v == "" {
			q.Del(k)
		}
	}
	return "/oidc/authorize?" + q.Encode()
}

// signIn goes through the pages as far as the client, agreeing to what is asked.
func (x *provider) signIn(t *testing.T, path string) url.Values {
	t.Helper()
	p := x.browser.Get(path)
	if p.Left == nil && p.Fields("/signin") != nil {
		p = x.browser.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	}
	if p.Left == nil && p.Fields("consent") != nil {
		p = x.browser.Submit(p, "consent", nil)
	}
	if p.Left == nil {
		t.Fatalf("stays at %s: %d %s", p.Path, p.Status, p.Title)
	}
	return p.Left.Query()
}

// form posts a form as a client does, which proves itself by Basic.
func (x *provider) form(t *testing.T, path string, c site.MadeClient, form url.Values) otltest.Reply {
	t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte(c.ID + ":" + c.Secret.Reveal()))
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic " + basic}})
}

func (x *provider) exchange(t *testing.T, c site.MadeClient, code string, change map[string]string) otltest.Reply {
	t.Helper()
	f := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {verifier}}
	for k, v := range change {
		if f.Set(k, v); v == "" {
			f.Del(k)
		}
	}
	return x.form(t, "/oidc/token", c, f)
}

// claims checks an ID token against the published keys and gives what it says.
func (x *provider) claims(t *testing.T, raw string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(x.Do(t, otltest.Call{Path: "/oidc/keys"}).Want(t, http.StatusOK).Raw, &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set.Key(jws.Signatures[0].Header.KeyID)[0])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOA06_ACodeFlow is the way from the client and back: state and nonce are echoed,
// the issuer is named, tokens say what was asked for, and the second time nobody is
// asked anything.
func TestOA06_ACodeFlow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		if d.Text("issuer") != otltest.Issuer || d.Text("authorization_endpoint") != otltest.Issuer+"/oidc/authorize" || fmt.Sprint(d.JSON["code_challenge_methods_supported"]) != "[S256]" ||
			fmt.Sprint(d.JSON["response_types_supported"]) != "[code]" || d.JSON["authorization_response_iss_parameter_supported"] != true || d.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s", d.Raw)
		}
		before := x.Clock.Now().Unix()
		q := x.signIn(t, x.ask(x.client, nil))
		if q.Get("state") != "s 1&" || q.Get("iss") != otltest.Issuer || len(q) != 3 {
			t.Fatalf("%v", q)
		}
		r := x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK)
		id := x.claims(t, r.Text("id_token"))
		if id["iss"] != otltest.Issuer || id["sub"] != x.jane.ID || id["aud"] != x.client.ID || id["nonce"] != "n1" || fmt.Sprint(id["amr"]) != "[pwd]" ||
			int64(id["auth_time"].(float64)) < before || id["email"] != jane || id["name"] != "Jane Doe" || id["phone_number"] != nil {
			t.Errorf("%v", id)
		}
		info := func(token string) otltest.Reply { return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: token}) }
		u := info(r.Text("access_token")).Want(t, http.StatusOK)
		if u.Text("sub") != x.jane.ID || u.Text("email") != jane || u.JSON["email_verified"] != false || u.Text("name") != "Jane Doe" {
			t.Errorf("%s", u.Raw)
		}
		// A second time, and silently, with fewer scopes.
		q = x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none", "scope": "openid nonsense", "nonce": "", "id_token_hint": r.Text("id_token")}))
		again := x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK)
		if u := info(again.Text("access_token")).Want(t, http.StatusOK); len(u.JSON) != 1 || x.claims(t, again.Text("id_token"))["nonce"] != nil {
			t.Errorf("%s", u.Raw)
		}
		// A refresh keeps scope and client.
		f := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.Text("refresh_token")}}
		if other := x.form(t, "/oidc/token", x.second, f); other.Text("error") != "invalid_grant" {
			t.Errorf("another client of the site refreshed: %d %s", other.Status, other.Raw)
		}
		x.Refresh(t, x.Notes, again.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		renewed := x.form(t, "/oidc/token", x.client, f).Want(t, http.StatusOK)
		if u := info(renewed.Text("access_token")).Want(t, http.StatusOK); len(u.JSON) != 1 {
			t.Errorf("%s", u.Raw)
		}
		// What was withdrawn is not told any more (OA-14).
		if err := x.Accounts.Leave(t.Context(), x.Notes.Site.ID, x.jane.ID); err != nil {
			t.Fatal(err)
		}
		info(renewed.Text("access_token")).Want(t, http.StatusUnauthorized)
		for _, bad := range []string{"", "x", r.Text("id_token")} {
			if r := info(bad); r.Status != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%q: %d %v", bad, r.Status, r.Header)
			}
		}
	})
}

// TestOA04_PKCE is every pair of challenge and verifier, for a client that must and one
// that need not.
func TestOA04_PKCE(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		other := strings.Repeat("x", 43)
		for _, c := range []struct {
			client            site.MadeClient
			challenge, method string
			verifier          string
			asked, exchanged  bool
		}{
			{x.client, challenge(verifier), "S256", verifier, true, true},
			{x.client, challenge(verifier), "S256", "", true, false},
			{x.client, challenge(verifier), "S256", other, true, false},
			{x.client, verifier, "plain", verifier, false, false},
			{x.client, challenge(verifier), "", verifier, false, false},
			{x.client, "", "", "", false, false},
			{x.client, "", "S256", verifier, false, false},
			{x.second, "", "", "", true, true},
			{x.second, "", "", verifier, true, false},
			{x.second, challenge(verifier), "S256", verifier, true, true},
			{x.second, challenge(verifier), "S256", "", true, false},
			{x.second, verifier, "plain", verifier, false, false},
			{x.second, "", "plain", "", false, false},
			{x.second, challenge(verifier)[1:], "S256", verifier, false, false},
		} {
			q := x.signIn(t, x.ask(c.client, map[string]string{"code_challenge": c.challenge, "code_challenge_method": c.method}))
			if (q.Get("error") == "") != c.asked || !c.asked && (q.Get("error") != "invalid_request" || q.Get("state") != "s 1&") {
				t.Errorf("%+v: %v", c, q)
				continue
			}
			if !c.asked {
				continue
			}
			r := x.exchange(t, c.client, q.Get("code"), map[string]string{"code_verifier": c.verifier})
			if (r.Status == http.StatusOK) != c.exchanged || !c.exchanged && r.Text("error") != "invalid_grant" {
				t.Errorf("%+v: %d %s", c, r.Status, r.Raw)
			}
		}
	})
}

// TestOA05_Codes: a code is for its client, address and verifier, each wrong alone is
// refused; it is good for a minute and once, and a second use ends what the first gave.
func TestOA05_Codes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		code := x.signIn(t, x.ask(x.client, nil)).Get("code")
		refused := func(r otltest.Reply) {
			t.Helper()
			if r.Status != http.StatusBadRequest || r.Text("error") != "invalid_grant" {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
		refused(x.exchange(t, x.second, code, nil))
		refused(x.exchange(t, x.shop, code, map[string]string{"redirect_uri": callback}))
		refused(x.exchange(t, x.client, code, map[string]string{"redirect_uri": callback + "?keep=1"}))
		refused(x.exchange(t, x.client, code+"x", nil))
		refused(x.exchange(t, x.client, "", nil))
		x.Do(t, otltest.Call{Path: "/api/v1/auth/token", Key: x.Notes.Key, Body: map[string]string{"code": code, "code_verifier": verifier}}).Want(t, http.StatusUnauthorized)
		r := x.exchange(t, x.client, code, nil).Want(t, http.StatusOK)
		refused(x.exchange(t, x.client, code, nil))
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusUnauthorized)
		refused(x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}))

		code = x.signIn(t, x.ask(x.client, nil)).Get("code")
		x.Clock.Advance(time.Minute)
		refused(x.exchange(t, x.client, code, nil))
	})
}

// TestOA09_TokensAreTheirClientsOwn: introspection and revocation know no other's, and
// say nothing of them.
func TestOA09_TokensAreTheirClientsOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		look := func(c site.MadeClient, token string) otltest.Reply {
			return x.form(t, "/oidc/introspect", c, url.Values{"token": {token}}).Want(t, http.StatusOK)
		}
		const none = `{"active":false}`
		for _, token := range []string{r.Text("access_token"), r.Text("refresh_token")} {
			if got := look(x.client, token); got.JSON["active"] != true || got.Text("sub") != x.jane.ID || got.Text("client_id") != x.client.ID || got.Text("scope") != "openid profile email" {
				t.Errorf("%s", got.Raw)
			}
			for _, c := range []site.MadeClient{x.second, x.shop} {
				if got := strings.TrimSpace(string(look(c, token).Raw)); got != none {
					t.Errorf("%s knows %s", c.Name, got)
				}
				if got := x.form(t, "/oidc/revoke", c, url.Values{"token": {token}}).Want(t, http.StatusOK); strings.TrimSpace(string(got.Raw)) != "{}" {
					t.Errorf("%s", got.Raw)
				}
			}
		}
		for _, bad := range []string{"x", r.Text("id_token"), r.Text("access_token")[1:]} {
			if got := strings.TrimSpace(string(look(x.client, bad).Raw)); got != none {
				t.Errorf("%s", got)
			}
		}
		for _, path := range []string{"/oidc/introspect", "/oidc/revoke"} {
			if got := x.form(t, path, x.client, nil); got.Text("error") != "invalid_request" {
				t.Errorf("%s", got.Raw)
			}
			wrong := x.client
			wrong.Secret = x.second.Secret
			if got := x.form(t, path, wrong, url.Values{"token": {"x"}}); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
				t.Errorf("%d %s", got.Status, got.Raw)
			}
			if got := x.Do(t, otltest.Call{Path: path}); got.Status != http.StatusMethodNotAllowed {
				t.Errorf("%d", got.Status)
			}
		}
		x.form(t, "/oidc/revoke", x.client, url.Values{"token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
		for _, token := range []string{r.Text("access_token"), r.Text("refresh_token")} {
			if got := strings.TrimSpace(string(look(x.client, token).Raw)); got != none {
				t.Errorf("revoked, and still %s", got)
			}
		}
	})
}
