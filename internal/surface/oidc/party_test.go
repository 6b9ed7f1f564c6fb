package oidc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// TestOA16_NobodyRegistersAClient: there is no dynamic registration, nor anything that looks
// like it; and addresses that a client is made with are not called for that.
func TestOA16_NobodyRegistersAClient(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		if d.JSON["registration_endpoint"] != nil {
			t.Errorf("%s", d.Raw)
		}
		for _, path := range []string{"/oidc/register", "/oidc/reg", "/oidc/clients", "/oidc/registration", "/register", "/connect/register", "/oauth2/register", "/cis/oidc/register"} {
			if r := x.Do(t, otltest.Call{Path: path, Body: map[string]any{"redirect_uris": []string{callback}}}); r.Status != http.StatusNotFound {
				t.Errorf("%s: %d", path, r.Status)
			}
		}
		var called atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
		t.Cleanup(srv.Close)
		x.made(t, site.NewClient{Auth: "private_key_jwt", JWKSURI: srv.URL + "/keys", LogoutURI: srv.URL + "/logout", RedirectURIs: []string{srv.URL + "/cb"}})
		if called.Load() != 0 {
			t.Errorf("called %d times", called.Load())
		}
	})
}

// TestOA17_AnAddressIsNoIdentity: what a client knows a person by stays when his address changes,
// and is another one of whoever has that address after him.
func TestOA17_AnAddressIsNoIdentity(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		sub := func(browser *otltest.Browser, address string) (sub, email any) {
			x.browser = browser
			p := browser.Submit(browser.Get(x.ask(x.client, nil)), "/signin", map[string]string{"identifier": address, "password": otltest.Password})
			if p.Fields("consent") != nil {
				p = browser.Submit(p, "consent", nil)
			}
			if p.Left == nil {
				t.Fatalf("%s: %d %s", address, p.Status, p.Title)
			}
			id := x.claims(t, x.exchange(t, x.client, p.Left.Query().Get("code"), nil).Want(t, http.StatusOK).Text("id_token"))
			return id["sub"], id["email"]
		}
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, x.jane.ID, jane, x.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		was, _ := sub(x.Browser(t), jane)
		b := x.Browser(t)
		p := b.Submit(b.Get("/account/email"), "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
		b.Submit(p, "address", map[string]string{"email": "jane@new.test"})
		letters := x.Letters(t, "jane@new.test")
		if len(letters) == 0 {
			t.Fatalf("%d %s", p.Status, p.Title)
		}
		b.Submit(b.Get(strings.TrimPrefix(letters[0].Link, otltest.Issuer)), "confirm", nil)
		if is, email := sub(x.Browser(t), "jane@new.test"); is != was || email != "jane@new.test" {
			t.Errorf("with a new address she is %v as %v, was %v", is, email, was)
		}
		x.Clock.Advance(31 * 24 * time.Hour) // it cannot be undone any more
		next := x.Person(t, jane, x.Notes.Site)
		if is, email := sub(x.Browser(t), jane); is == was || is != next.ID || email != jane {
			t.Errorf("who has her old address is %v as %v", is, email)
		}
		if err := x.Accounts.Delete(t.Context(), next.ID); err != nil {
			t.Fatal(err)
		}
		last := x.Person(t, jane, x.Notes.Site)
		if is, _ := sub(x.Browser(t), jane); is != last.ID || is == next.ID || is == was {
			t.Errorf("who has it after that is %v", is)
		}
	})
}

// TestOA18_EmailVerifiedIsABoolean: false in JSON until the person has shown that he reads the
// mailbox, true from then on; in the ID token, at userinfo and after a refresh.
func TestOA18_EmailVerifiedIsABoolean(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		for _, want := range []bool{false, true} {
			b := x.Browser(t)
			if x.browser = b; want { // her password ends with that: it may be another's (OT-16)
				x.Clock.Advance(time.Minute)
				p := b.Submit(b.Get(x.ask(x.client, nil)), "/signin", map[string]string{"identifier": jane, "way": "code"})
				if p = b.Submit(p, "code-form", map[string]string{"code": x.Newest(t, jane).Code}); p.Status >= http.StatusBadRequest {
					t.Fatalf("%d %s", p.Status, p.Title)
				}
			}
			r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
			again := x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
			info := x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: again.Text("access_token")}).Want(t, http.StatusOK)
			for _, got := range []any{x.claims(t, r.Text("id_token"))["email_verified"], x.claims(t, again.Text("id_token"))["email_verified"], info.JSON["email_verified"]} {
				if got != want {
					t.Errorf("%#v, want %v", got, want)
				}
			}
		}
	})
}

// strict is a client as a profile of FAPI 2.0 asks for it: it proves itself and its key by what
// it signs, and sends its requests ahead.
type strict struct {
	*provider
	client    site.MadeClient
	key, held otltest.Signer
}

// asserts makes the parameters by which it proves itself, with changes of what it says.
func (x *strict) asserts(t *testing.T, form url.Values, change map[string]any) url.Values {
	form.Set("client_assertion", x.key.Sign(t, nil, x.assertion(x.client, change)))
	form.Set("client_assertion_type", site.AssertionType)
	return form
}

// code goes as far as the code.
func (x *strict) code(t *testing.T) string {
	t.Helper()
	_, query, _ := strings.Cut(x.ask(x.client, nil), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	pushed := x.bare(t, "/oidc/par", x.asserts(t, q, nil), x.proof(t, x.held, "POST", "/oidc/par", "", nil)).Want(t, http.StatusCreated)
	if life := pushed.JSON["expires_in"].(float64); life > 600 {
		t.Errorf("a request is good for %v seconds", life)
	}
	back := x.signIn(t, "/oidc/authorize?"+url.Values{"client_id": {x.client.ID}, "request_uri": {pushed.Text("request_uri")}}.Encode())
	if back.Get("iss") != otltest.Issuer || back.Get("code") == "" {
		t.Fatalf("%v", back)
	}
	return back.Get("code")
}

// TestOA23_AClientOfFAPI: what FAPI 2.0's security profile asks of a server is had by one switch:
// requests sent ahead alone, clients by private_key_jwt, tokens bound to a key, codes of a minute,
// clocks ten seconds ahead taken and a minute refused, refresh tokens that stay, no RS256, also where other access tokens are signed with it.
func TestOA23_AClientOfFAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *provider) {
		x := &strict{provider: p, key: otltest.NewSigner(t, jose.ES256), held: otltest.NewSigner(t, jose.ES256)}
		x.client = x.made(t, site.NewClient{Auth: "private_key_jwt", JWKS: x.key.JWKS(t), FAPI: true})
		const path = "/oidc/token"
		exchange := func(code string, change map[string]any, proof map[string]any) otltest.Reply {
			f := codeForm(x.client, code)
			return x.bare(t, path, x.asserts(t, f, change), x.proof(t, x.held, "POST", path, "", proof))
		}
		if q := x.signIn(t, x.ask(x.client, nil)); q.Get("error") != "invalid_request" {
			t.Errorf("not sent ahead: %v", q)
		}
		now := func(ahead int64) map[string]any { return map[string]any{"iat": x.Clock.Now().Unix() + ahead} }
		r := exchange(x.code(t), now(10), now(10)).Want(t, http.StatusOK)
		if r.Text("token_type") != "DPoP" || head(t, r.Text("id_token"), "alg") != "ES256" || head(t, r.Text("access_token"), "alg") != "ES256" {
			t.Errorf("%s", r.Raw)
		}
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusUnauthorized)
		access := r.Text("access_token")
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Headers: map[string]string{"Authorization": "DPoP " + access, "DPoP": x.proof(t, x.held, "GET", "/oidc/userinfo", access, nil)}}).Want(t, http.StatusOK)
		if r := x.bare(t, path, x.asserts(t, codeForm(x.client, x.code(t)), nil)); r.Text("error") != "invalid_dpop_proof" {
			t.Errorf("without a key: %s", r.Raw)
		}
		if r := exchange(x.code(t), now(61), nil); r.Text("error") != "invalid_client" {
			t.Errorf("an assertion a minute ahead: %s", r.Raw)
		}
		if r := exchange(x.code(t), map[string]any{"aud": otltest.Issuer + path}, nil); r.Text("error") != "invalid_client" {
			t.Errorf("an assertion for the endpoint: %s", r.Raw)
		}
		if r := exchange(x.code(t), map[string]any{"aud": []string{otltest.Issuer}}, nil); r.Text("error") != "invalid_client" {
			t.Errorf("an assertion for a list: %s", r.Raw)
		}
		if r := exchange(x.code(t), nil, now(61)); r.Text("error") != "invalid_dpop_proof" {
			t.Errorf("a proof a minute ahead: %s", r.Raw)
		}
		late := x.code(t)
		x.Clock.Advance(61 * time.Second)
		if r := exchange(late, nil, nil); r.Text("error") != "invalid_grant" {
			t.Errorf("a code after a minute: %s", r.Raw)
		}
		renew := func(token string) otltest.Reply {
			f := url.Values{"grant_type": {"refresh_token"}, "client_id": {x.client.ID}, "refresh_token": {token}}
			return x.bare(t, path, x.asserts(t, f, nil), x.proof(t, x.held, "POST", path, "", nil))
		}
		first := exchange(x.code(t), nil, nil).Want(t, http.StatusOK)
		for range 3 {
			x.Clock.Advance(time.Hour) // beyond any grace
			again := renew(first.Text("refresh_token")).Want(t, http.StatusOK)
			if again.Text("refresh_token") != first.Text("refresh_token") || again.Text("access_token") == first.Text("access_token") {
				t.Errorf("renewed with %s", again.Raw)
			}
		}
		x.bare(t, "/oidc/revoke", x.asserts(t, url.Values{"token": {first.Text("refresh_token")}, "client_id": {x.client.ID}}, nil)).Want(t, http.StatusOK)
		if r := renew(first.Text("refresh_token")); r.Text("error") != "invalid_grant" {
			t.Errorf("revoked, and still %d %s", r.Status, r.Raw)
		}
		own := url.Values{"grant_type": {"client_credentials"}, "client_id": {x.client.ID}}
		if r := x.bare(t, path, x.asserts(t, own, nil), x.proof(t, x.held, "POST", path, "", nil)); r.Text("error") != "unauthorized_client" {
			t.Errorf("a token that is bound to no key: %d %s", r.Status, r.Raw)
		}
		if id := secret.NewID(x.Clock.Now()); fmt.Sprint(x.bare(t, "/oidc/par", url.Values{"client_id": {id}}).Text("error")) != "invalid_client" {
			t.Error("a client that does not prove itself sends ahead")
		}
	}, func(o *node.Options) { o.Algorithm = token.RS256 })
}

// TestOA23_WhatTheProfileForbids: a client of it cannot be made with less, and signs with nothing
// that the profile does not name.
func TestOA23_WhatTheProfileForbids(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *provider) {
		keys := otltest.NewSigner(t, jose.ES256).JWKS(t)
		good := site.NewClient{Name: "bank", Auth: "private_key_jwt", JWKS: keys, FAPI: true, RedirectURIs: []string{callback}}
		for field, change := range map[string]func(*site.NewClient){
			"auth": func(n *site.NewClient) { n.Auth, n.JWKS = "", "" }, "signing_alg": func(n *site.NewClient) { n.SigningAlg = "RS256" }, "no_pkce": func(n *site.NewClient) { n.NoPKCE = true },
			"device": func(n *site.NewClient) { n.Device = true }, "redirect_uris": func(n *site.NewClient) { n.RedirectURIs = []string{"http://localhost:3000/callback"} },
			"post_logout_redirect_uris": func(n *site.NewClient) { n.PostLogout = []string{"http://localhost:3000/out"} },
		} {
			n := good
			change(&n)
			if _, err := p.Clients.Create(t.Context(), p.Notes.Site.ID, n); otl.As(err).Kind != otl.Invalid || otl.As(err).Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		made, err := p.Clients.Create(t.Context(), p.Notes.Site.ID, good)
		if err != nil || !made.RequirePAR || !made.RequireDPoP || made.SigningAlg != otl.ES256 {
			t.Errorf("%+v %v", made.Client, err)
		}
		if err := p.Clients.AddRedirect(t.Context(), p.Notes.Site.ID, made.ID, "http://localhost:3000/callback"); otl.As(err).Kind != otl.Invalid {
			t.Errorf("an address is added: %v", err)
		}
		if err := p.Clients.AddPostLogout(t.Context(), p.Notes.Site.ID, made.ID, "http://localhost:3000/out"); otl.As(err).Kind != otl.Invalid {
			t.Errorf("an address after a sign-out is added: %v", err)
		}
		for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES384} {
			x := &strict{provider: p, key: otltest.NewSigner(t, alg), held: otltest.NewSigner(t, jose.ES256)}
			x.client = x.made(t, site.NewClient{Auth: "private_key_jwt", JWKS: x.key.JWKS(t), FAPI: true})
			if r := x.bare(t, "/oidc/par", x.asserts(t, url.Values{}, nil)); r.Text("error") != "invalid_client" {
				t.Errorf("an assertion by %s: %d %s", alg, r.Status, r.Raw)
			}
			x.key, x.held = otltest.NewSigner(t, jose.ES256), otltest.NewSigner(t, alg)
			x.client = x.made(t, site.NewClient{Auth: "private_key_jwt", JWKS: x.key.JWKS(t), FAPI: true})
			if r := x.bare(t, "/oidc/token", x.asserts(t, codeForm(x.client, "x"), nil), x.proof(t, x.held, "POST", "/oidc/token", "", nil)); r.Text("error") != "invalid_dpop_proof" {
				t.Errorf("a proof by %s: %d %s", alg, r.Status, r.Raw)
			}
		}
	})
}
