package oidc_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// made adds a client of Notes.
func (x *provider) made(t *testing.T, n site.NewClient) site.MadeClient {
	t.Helper()
	if n.Name = "client"; n.RedirectURIs == nil {
		n.RedirectURIs = []string{callback}
	}
	c, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bare posts a form without Basic, with a header where one is given.
func (x *provider) bare(t *testing.T, path string, form url.Values, proof ...string) otltest.Reply {
	t.Helper()
	h := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if len(proof) > 0 && proof[0] != "" {
		h["DPoP"] = proof[0]
	}
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: h})
}

func codeForm(c site.MadeClient, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {c.ID}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {verifier}}
}

// TestPublicClients: a program that keeps no secret signs people in by PKCE, renews by
// rotation, and can do nothing in its own name.
func TestPublicClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		app := x.made(t, site.NewClient{Auth: "none", RedirectURIs: []string{"http://127.0.0.1/back", callback}})
		if !app.Secret.Empty() || app.Scopes.String() != "auth" {
			t.Fatalf("%+v", app)
		}
		for name, n := range map[string]site.NewClient{
			"without PKCE": {Auth: "none", NoPKCE: true}, "with power": {Auth: "none", Scopes: otl.AllScopes()}, "a strange way": {Auth: "magic"},
			"keys": {Auth: "none", JWKS: otltest.NewSigner(t, jose.ES256).JWKS(t)}, "no keys": {Auth: "private_key_jwt"}, "a blocked address": {Auth: "private_key_jwt", JWKSURI: "https://10.0.0.1/keys"},
			"two": {Auth: "private_key_jwt", JWKS: otltest.NewSigner(t, jose.ES256).JWKS(t), JWKSURI: "https://notes.test/keys"}, "a secret's keys": {JWKSURI: "https://notes.test/keys"},
		} {
			n.Name = name
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, n); otl.As(err).Kind != otl.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		// At whatever port of this machine (RFC 8252 section 7.3), and nowhere else.
		const port = "http://127.0.0.1:53123/back"
		q := x.signIn(t, x.ask(app, map[string]string{"redirect_uri": port}))
		f := codeForm(app, q.Get("code"))
		f.Set("redirect_uri", port)
		r := x.bare(t, "/oidc/token", f).Want(t, http.StatusOK)
		for _, uri := range []string{"http://127.0.0.1:53123/other", "http://127.0.0.1:0/back", "http://127.0.0.1:99999/back", "http://127.0.0.1:1x/back", "http://127.0.0.1:@evil.test/back", "http://127.0.0.1.evil.test/back", "http://localhost:5/back", "https://127.0.0.1:5/back", "http://127.0.0.1:5", "https://notes.test:5/callback"} {
			if p := x.browser.Get(x.ask(app, map[string]string{"redirect_uri": uri})); p.Left != nil || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %v", uri, p.Status, p.Left)
			}
		}
		if p := x.browser.Get(x.ask(x.client, map[string]string{"redirect_uri": "https://notes.test:5/callback"})); p.Left != nil {
			t.Errorf("%v", p.Left)
		}
		// Rotation: the one before the last ends the session.
		renew := func(token string) otltest.Reply {
			return x.bare(t, "/oidc/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "refresh_token": {token}})
		}
		first := r.Text("refresh_token")
		second := renew(first).Want(t, http.StatusOK)
		x.Clock.Advance(time.Minute)
		if r := renew(first); r.Text("error") != "invalid_grant" {
			t.Errorf("%s", r.Raw)
		}
		if r := renew(second.Text("refresh_token")); r.Text("error") != "invalid_grant" {
			t.Errorf("after a reuse: %s", r.Raw)
		}
		for name, c := range map[string]struct {
			path, word string
			form       url.Values
		}{
			"its own token": {"/oidc/token", "unauthorized_client", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}}},
			"introspection": {"/oidc/introspect", "invalid_client", url.Values{"token": {second.Text("access_token")}, "client_id": {app.ID}}},
			"a secret":      {"/oidc/token", "invalid_client", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "client_secret": {"x"}}},
			"an empty one":  {"/oidc/token", "invalid_client", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "client_secret": {""}}},
			"another's id":  {"/oidc/token", "invalid_client", url.Values{"grant_type": {"refresh_token"}, "client_id": {x.client.ID}}},
			"nobody":        {"/oidc/token", "invalid_client", url.Values{"grant_type": {"refresh_token"}}},
			"no challenge":  {"/oidc/par", "invalid_request", url.Values{"client_id": {app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}}},
		} {
			if r := x.bare(t, c.path, c.form); r.Text("error") != c.word {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		x.bare(t, "/oidc/revoke", url.Values{"token": {"x"}, "client_id": {app.ID}}).Want(t, http.StatusOK)
	})
}

// assertion is what a client says of itself, with changes.
func (x *provider) assertion(c site.MadeClient, change map[string]any) map[string]any {
	now := x.Clock.Now().Unix()
	out := map[string]any{"iss": c.ID, "sub": c.ID, "aud": otltest.Issuer, "jti": secret.NewID(x.Clock.Now()), "iat": now, "exp": now + 60}
	maps.Copy(out, change)
	return out
}

// TestOA15_SignedAssertions: a client proves itself by what it signs, for this server and
// once; each thing wrong alone is refused (RFC 7523).
func TestOA15_SignedAssertions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		key := otltest.NewSigner(t, jose.ES256)
		c := x.made(t, site.NewClient{Auth: "private_key_jwt", JWKS: key.JWKS(t)})
		form := func(raw string, more ...string) url.Values {
			f := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {raw}, "client_assertion_type": {site.AssertionType}}
			for i := 0; i < len(more); i += 2 {
				f.Set(more[i], more[i+1])
			}
			return f
		}
		sign := func(change map[string]any) string { return key.Sign(t, nil, x.assertion(c, change)) }
		raw := sign(nil)
		x.bare(t, "/oidc/token", form(raw)).Want(t, http.StatusOK)
		x.bare(t, "/oidc/token", form(sign(map[string]any{"aud": []string{otltest.Issuer}}), "client_id", c.ID)).Want(t, http.StatusOK)
		x.bare(t, "/oidc/introspect", form(sign(nil), "token", "x")).Want(t, http.StatusOK)
		now := x.Clock.Now().Unix()
		for name, f := range map[string]url.Values{
			"used before":            form(raw),
			"another's key":          form(otltest.NewSigner(t, jose.ES256).Sign(t, nil, x.assertion(c, nil))),
			"another issuer":         form(sign(map[string]any{"iss": "x"})),
			"about another":          form(sign(map[string]any{"sub": x.client.ID})),
			"for another server":     form(sign(map[string]any{"aud": "https://evil.test"})),
			"for its token endpoint": form(sign(map[string]any{"aud": otltest.Issuer + "/oidc/token"})),
			"for two":                form(sign(map[string]any{"aud": []string{otltest.Issuer, "https://evil.test"}})),
			"without an id":          form(sign(map[string]any{"jti": ""})),
			"without an end":         form(sign(map[string]any{"exp": nil})),
			"expired":                form(sign(map[string]any{"exp": now - 31})),
			"for a day":              form(sign(map[string]any{"exp": now + 86400})),
			"from the future":        form(sign(map[string]any{"iat": now + 60})),
			"not yet":                form(sign(map[string]any{"nbf": now + 60})),
			"another id beside it":   form(sign(nil), "client_id", x.client.ID),
			"no token at all":        form("x"),
		} {
			if r := x.bare(t, "/oidc/token", f); r.Status != http.StatusUnauthorized || r.Text("error") != "invalid_client" {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		for name, f := range map[string]url.Values{
			"a secret too": form(sign(nil), "client_secret", "x"), "of another type": form(sign(nil), "client_assertion_type", "x"),
		} {
			if r := x.bare(t, "/oidc/token", f); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_request" {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		if r := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"client_credentials"}}); r.Status != http.StatusUnauthorized {
			t.Errorf("by an empty secret: %d", r.Status)
		}
		// MN-01: of many at once, one.
		raw = sign(nil)
		var good atomic.Int32
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if x.bare(t, "/oidc/token", form(raw)).Status == http.StatusOK {
					good.Add(1)
				}
			})
		}
		if all.Wait(); good.Load() != 1 {
			t.Errorf("one assertion was taken %d times", good.Load())
		}
	})
}

// TestOA12_KeysByAddress are read when they are needed, again when one is missing, and
// not more often than every five minutes.
func TestOA12_KeysByAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		var mu sync.Mutex
		key, reads := otltest.NewSigner(t, jose.ES256), 0
		answer := http.StatusOK
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			reads++
			w.WriteHeader(answer)
			fmt.Fprint(w, key.JWKS(t))
		}))
		t.Cleanup(srv.Close)
		c := x.made(t, site.NewClient{Auth: "private_key_jwt", JWKSURI: srv.URL + "/keys"})
		try := func() int {
			mu.Lock()
			k := key
			mu.Unlock()
			raw := k.Sign(t, map[jose.HeaderKey]any{"kid": k.Thumbprint(t)}, x.assertion(c, nil))
			return x.bare(t, "/oidc/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {raw}, "client_assertion_type": {site.AssertionType}}).Status
		}
		answers := func(status int) {
			mu.Lock()
			defer mu.Unlock()
			answer = status
		}
		change := func(status int) {
			answers(status)
			mu.Lock()
			defer mu.Unlock()
			key = otltest.NewSigner(t, jose.ES256)
		}
		for _, step := range []struct {
			does  func()
			want  int
			reads int
		}{
			{func() {}, http.StatusOK, 1},
			{func() {}, http.StatusOK, 1},
			{func() { change(http.StatusOK) }, http.StatusUnauthorized, 1}, // too soon
			{func() { x.Clock.Advance(5 * time.Minute) }, http.StatusOK, 2},
			// What is known stays good for a day while nothing can be read.
			{func() { answers(http.StatusInternalServerError); x.Clock.Advance(time.Hour) }, http.StatusOK, 3},
			{func() { x.Clock.Advance(22 * time.Hour) }, http.StatusOK, 4},
			{func() { x.Clock.Advance(time.Hour) }, http.StatusUnauthorized, 5},
			{func() {}, http.StatusUnauthorized, 5},
			{func() { change(http.StatusOK); x.Clock.Advance(time.Minute) }, http.StatusOK, 6},
		} {
			step.does()
			if got := try(); got != step.want || reads != step.reads {
				t.Errorf("%d after %d reads, want %+v", got, reads, step)
			}
		}
	})
}

// TestTE11_KeysAreReadForEachSite: how long it takes to read them tells no site whether another
// has clients whose keys stand at the same address.
func TestTE11_KeysAreReadForEachSite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		key := otltest.NewSigner(t, jose.ES256)
		var mu sync.Mutex
		reads, from := 0, map[string]bool{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			reads++
			from[r.RemoteAddr] = true
			fmt.Fprint(w, key.JWKS(t))
		}))
		t.Cleanup(srv.Close)
		for _, of := range []otl.Site{x.Notes.Site, x.Shop.Site} {
			for range 2 {
				c, err := x.Clients.Create(t.Context(), of.ID, site.NewClient{Name: "signs", Auth: "private_key_jwt", JWKSURI: srv.URL + "/keys"})
				if err != nil {
					t.Fatal(err)
				}
				x.bare(t, "/oidc/token", url.Values{
					"grant_type": {"client_credentials"}, "client_assertion": {key.Sign(t, nil, x.assertion(c, nil))}, "client_assertion_type": {site.AssertionType},
				}).Want(t, http.StatusOK)
			}
		}
		if reads != 2 || len(from) != 2 {
			t.Errorf("read %d times by %d connections, want each site to read once by its own", reads, len(from))
		}
	})
}

// TestPAR: a request that was sent ahead is its client's, good once and for 90 seconds, and
// what the browser brings besides does not count (RFC 9126).
func TestPAR(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		asked := func(c site.MadeClient, change map[string]string) url.Values {
			_, query, _ := strings.Cut(x.ask(c, change), "?")
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		push := func(change map[string]string) string {
			r := x.form(t, "/oidc/par", x.client, asked(x.client, change)).Want(t, http.StatusCreated)
			if r.JSON["expires_in"] != 90.0 || !strings.HasPrefix(r.Text("request_uri"), "urn:ietf:params:oauth:request_uri:") {
				t.Errorf("%s", r.Raw)
			}
			return r.Text("request_uri")
		}
		at := func(c site.MadeClient, name string) string {
			return "/oidc/authorize?" + url.Values{"client_id": {c.ID}, "request_uri": {name}, "scope": {"nothing"}, "redirect_uri": {"https://evil.test"}}.Encode()
		}
		name := push(nil)
		for i, c := range []site.MadeClient{x.second, x.shop} {
			if p := x.browser.Get(at(c, name)); p.Left != nil || p.Status != http.StatusBadRequest {
				t.Errorf("another client %d: %d %v", i, p.Status, p.Left)
			}
		}
		q := x.signIn(t, at(x.client, name))
		if q.Get("state") != "s 1&" {
			t.Errorf("%v", q)
		}
		id := x.claims(t, x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK).Text("id_token"))
		if id["nonce"] != "n1" || id["email"] != jane {
			t.Errorf("%v", id)
		}
		late := push(nil)
		x.Clock.Advance(time.Second)
		silent := push(map[string]string{"prompt": "none", "max_age": "0"})
		if q := x.signIn(t, at(x.client, silent)); q.Get("error") != "login_required" {
			t.Errorf("%v", q)
		}
		if q := x.signIn(t, at(x.client, push(nil))); q.Get("code") == "" { // at once
			t.Errorf("%v", q)
		}
		x.Clock.Advance(90 * time.Second)
		for what, name := range map[string]string{"used": name, "late": late, "none": "urn:ietf:params:oauth:request_uri:x", "another form": "urn:ietf:params:oauth:request_uri:fl_x"} {
			if p := x.browser.Get(at(x.client, name)); p.Left != nil || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %v", what, p.Status, p.Left)
			}
		}
		for word, form := range map[string]url.Values{
			"invalid_request":           asked(x.client, map[string]string{"redirect_uri": "https://evil.test/"}),
			"invalid_scope":             asked(x.client, map[string]string{"scope": "email"}),
			"unsupported_response_type": asked(x.client, map[string]string{"response_type": "token"}),
		} {
			if r := x.form(t, "/oidc/par", x.client, form); r.Status != http.StatusBadRequest || r.Text("error") != word {
				t.Errorf("%s: %d %s", word, r.Status, r.Raw)
			}
		}
		for _, change := range []map[string]string{{"request_uri": name}, {"client_id": x.second.ID}} {
			if r := x.form(t, "/oidc/par", x.client, asked(x.client, change)); r.Text("error") != "invalid_request" {
				t.Errorf("%v: %s", change, r.Raw)
			}
		}
		strict := x.made(t, site.NewClient{RequirePAR: true})
		if q := x.signIn(t, x.ask(strict, nil)); q.Get("error") != "invalid_request" {
			t.Errorf("not sent ahead: %v", q)
		}
	})
}

// TestMN01_PushedRequests: of many browsers that bring one name at once, one gets on.
func TestMN01_PushedRequests(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		_, query, _ := strings.Cut(x.ask(x.client, nil), "?")
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		name := x.form(t, "/oidc/par", x.client, q).Want(t, http.StatusCreated).Text("request_uri")
		path := "/oidc/authorize?" + url.Values{"client_id": {x.client.ID}, "request_uri": {name}}.Encode()
		var got atomic.Int32
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if r := x.Do(t, otltest.Call{Path: path}); r.Status == http.StatusSeeOther {
					got.Add(1)
				}
			})
		}
		if all.Wait(); got.Load() != 1 {
			t.Errorf("one request went to %d browsers", got.Load())
		}
	})
}
