package oidc_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// plain gives an answer with the payload of each token in it.
func plain(t *testing.T, raw string) string {
	t.Helper()
	out := raw
	for _, one := range regexp.MustCompile(`eyJ[\w-]+\.([\w-]+)\.[\w-]+`).FindAllStringSubmatch(raw, -1) {
		payload, err := base64.RawURLEncoding.DecodeString(one[1])
		if err != nil {
			t.Fatal(err)
		}
		out += "\n" + string(payload)
	}
	return out
}

// sector is a client of pairwise subjects in a test, and what it learned.
type sector struct {
	*provider
	client site.MadeClient
	hook   *otltest.Hook
}

// told fails the test where an answer to the client names the person by her own id, and gives it.
func (s sector) told(t *testing.T, r otltest.Reply) otltest.Reply {
	t.Helper()
	if all := plain(t, string(r.Raw)); strings.Contains(all, s.jane.ID) {
		t.Errorf("%s is told her id: %s", s.client.Name, all)
	}
	return r
}

func (s sector) sub(t *testing.T, raw string) string {
	t.Helper()
	sub, _ := s.claims(t, raw)["sub"].(string)
	return sub
}

// whole goes through every call of an OpenID client and gives the one subject that all of them name.
func (s sector) whole(t *testing.T) string {
	t.Helper()
	x, c := s.provider, s.client
	q := x.signIn(t, x.ask(c, nil))
	if strings.Contains(q.Encode(), x.jane.ID) {
		t.Errorf("%v", q)
	}
	r := s.told(t, x.exchange(t, c, q.Get("code"), nil)).Want(t, http.StatusOK)
	sub := s.sub(t, r.Text("id_token"))
	same := func(what, got string) {
		t.Helper()
		if got != sub || got == "" {
			t.Errorf("%s: she is %q by %s, was %q", c.Name, got, what, sub)
		}
	}
	same("the access token", s.sub(t, r.Text("access_token")))
	info := func(access string) otltest.Reply {
		return s.told(t, x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: access}))
	}
	same("userinfo", info(r.Text("access_token")).Want(t, http.StatusOK).Text("sub"))
	for _, one := range []string{"access_token", "refresh_token"} {
		same("introspection of the "+one, s.told(t, x.form(t, "/oidc/introspect", c, url.Values{"token": {r.Text(one)}})).Want(t, http.StatusOK).Text("sub"))
	}
	again := s.told(t, x.form(t, "/oidc/token", c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}})).Want(t, http.StatusOK)
	same("the refreshed ID token", s.sub(t, again.Text("id_token")))
	resumed := s.told(t, x.call(t, c, "/v1/auth/session/authenticate", map[string]any{"session_id": again.Text("session_id")})).Want(t, http.StatusOK)
	same("the resumed session", s.sub(t, resumed.Text("id_token")))
	byPassword := s.told(t, x.call(t, c, "/v1/auth/password/authenticate", map[string]any{"username": jane, "password": otltest.Password})).Want(t, http.StatusOK)
	same("a password", s.sub(t, byPassword.Text("id_token")))
	// Both ways to name her find her session without a page.
	for name, change := range map[string]map[string]string{
		"the hint": {"prompt": "none", "id_token_hint": r.Text("id_token")}, "the claim": {"prompt": "none", "claims": `{"id_token":{"sub":{"value":"` + sub + `"}}}`},
	} {
		if q := x.signIn(t, x.ask(c, change)); q.Get("code") == "" {
			t.Errorf("%s: by %s: %v", c.Name, name, q)
		}
	}
	// A logout by the hint ends the session it is of, and the client is told.
	if p := x.browser.Get("/oidc/logout?" + url.Values{"id_token_hint": {again.Text("id_token")}, "post_logout_redirect_uri": {c.RedirectURIs[0]}}.Encode()); p.Left == nil {
		t.Errorf("%s: %d %s", c.Name, p.Status, p.Title)
	}
	info(again.Text("access_token")).Want(t, http.StatusUnauthorized)
	x.Deliver(t)
	heard := s.hook.Take()
	if len(heard) == 0 {
		t.Errorf("%s: no logout token", c.Name)
	}
	for _, h := range heard {
		if strings.Contains(plain(t, string(h.Body)), x.jane.ID) {
			t.Errorf("%s: %s", c.Name, h.Body)
		}
		same("the logout token", x.logoutToken(t, h)["sub"].(string))
	}
	return sub
}

// TestPR07_PairwiseSubjects: a person is one id for the clients of a site and another at each
// site, in every answer an OpenID client gets, and it stays that after a restart.
func TestPR07_PairwiseSubjects(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		made := func(name string, of otl.Site, to string) sector {
			hook := otltest.NewHook(t)
			c, err := x.Clients.Create(t.Context(), of.ID, site.NewClient{Name: name, RedirectURIs: []string{to}, SubjectType: "pairwise", LogoutURI: hook.URL})
			if err != nil {
				t.Fatal(err)
			}
			return sector{x, c, hook}
		}
		notes, app, shop := made("notes", x.Notes.Site, callback), made("app", x.Notes.Site, callback), made("shop", x.Shop.Site, "https://shop.test/callback")
		one := notes.whole(t)
		if two, other := app.whole(t), shop.whole(t); one != two || one == other || one == x.jane.ID || other == x.jane.ID {
			t.Errorf("she is %s, %s and at another site %s", one, two, other)
		}
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		if got := x.claims(t, r.Text("id_token"))["sub"]; got != x.jane.ID {
			t.Errorf("for a client of public subjects she is %v", got)
		}
		x.World = x.Again(t)
		x.browser.World = x.World
		if err := x.Installation.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		r = x.exchange(t, notes.client, x.signIn(t, x.ask(notes.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		if got := notes.sub(t, r.Text("id_token")); got != one {
			t.Errorf("after a restart she is %s, was %s", got, one)
		}
	})
}

// TestPR07_NothingElseIsEqualAtTwoSites: of all that clients of two sites are told of a person, what
// is the same is what everybody is told, how and when she signed in, and what she granted.
func TestPR07_NothingElseIsEqualAtTwoSites(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.RaiseSessionVersion(ctx, x.jane.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, name := range []string{"iss", "aud", "iat", "exp", "scope", "role", "roles", "nonce", "tid", "auth_time", "amr", "acr", "email", "email_verified", "name"} {
			known[name] = true
		}
		told := func(of otl.Site, to string) (all []map[string]any) {
			c, err := x.Clients.Create(t.Context(), of.ID, site.NewClient{Name: "of " + of.Slug, RedirectURIs: []string{to}, SubjectType: "pairwise"})
			if err != nil {
				t.Fatal(err)
			}
			claims := `{"id_token":{"updated_at":{"essential":true}},"userinfo":{"updated_at":null}}`
			r := x.exchange(t, c, x.signIn(t, x.ask(c, map[string]string{"scope": "openid profile email", "claims": claims})).Get("code"), nil).Want(t, http.StatusOK)
			access := r.Text("access_token")
			info := x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: access}).Want(t, http.StatusOK)
			if _, ok := info.JSON["email"]; !ok {
				t.Errorf("she is not known at %s: %s", of.Slug, info.Raw)
			}
			return []map[string]any{x.claims(t, r.Text("id_token")), x.claims(t, access), info.JSON}
		}
		one, two := told(x.Notes.Site, callback), told(x.Shop.Site, "https://shop.test/callback")
		for i, what := range []string{"the ID token", "the access token", "userinfo"} {
			for name, v := range one[i] {
				if !known[name] && fmt.Sprint(v) == fmt.Sprint(two[i][name]) {
					t.Errorf("%s: %s is %v at both", what, name, v)
				}
			}
		}
		public := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		if id, access := x.claims(t, public.Text("id_token")), x.claims(t, public.Text("access_token")); id["updated_at"] == nil || access["session_version"] != 2.0 {
			t.Errorf("a client of public subjects is told %v %v", id, access)
		}
	})
}

// TestPR07_NobodyIsNamedByAnotherId: a client of pairwise subjects that has heard of an id
// elsewhere does not learn by it who is signed in, and gets at nothing that shows such ids.
func TestPR07_NobodyIsNamedByAnotherId(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		c := x.made(t, site.NewClient{SubjectType: "pairwise"})
		theirs, err := x.Clients.Create(t.Context(), x.Shop.Site.ID, site.NewClient{Name: "shop", RedirectURIs: []string{"https://shop.test/callback"}, SubjectType: "pairwise"})
		if err != nil {
			t.Fatal(err)
		}
		token := func(c site.MadeClient) string {
			return x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("id_token")
		}
		public, elsewhere := token(x.client), token(theirs)
		token(c) // she is signed in and has agreed
		for name, change := range map[string]map[string]string{
			"her own id": {"claims": `{"id_token":{"sub":{"value":"` + x.jane.ID + `"}}}`}, "a hint with her own id": {"id_token_hint": public}, "a hint of another site": {"id_token_hint": elsewhere},
		} {
			change["prompt"] = "none"
			if q := x.signIn(t, x.ask(c, change)); q.Get("error") != "login_required" {
				t.Errorf("%s: %v", name, q)
			}
		}
		if q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none", "id_token_hint": elsewhere})); q.Get("error") != "login_required" {
			t.Errorf("a client of public subjects takes a pairwise one: %v", q)
		}
		own := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"client_credentials"}}).Want(t, http.StatusOK).Text("access_token")
		if r := x.Do(t, otltest.Call{Path: "/v1/users/" + x.jane.ID, Bearer: own}); r.Status != http.StatusForbidden {
			t.Errorf("users: %d %s", r.Status, r.Raw)
		}
		for path, more := range map[string]map[string]any{
			"/v1/auth/otp/send": {"channel": "email"}, "/v1/auth/otp/authenticate": {"passcode": "123456"}, "/v1/auth/link/email/send": {"redirect_uri": callback},
		} {
			for _, id := range []string{x.jane.ID, theirs.ID} {
				body := map[string]any{"identifier_type": "user_id", "identifier": id}
				maps.Copy(body, more)
				if r := x.call(t, c, path, body); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), "user_id") {
					t.Errorf("%s of %s: %d %s", path, id, r.Status, r.Raw)
				}
			}
		}
		if r := x.call(t, x.client, "/v1/auth/otp/send", map[string]any{"channel": "email", "identifier_type": "user_id", "identifier": x.jane.ID}); r.Status != http.StatusOK {
			t.Errorf("a client of public subjects: %d %s", r.Status, r.Raw)
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret.Reveal()))
		if r := x.Do(t, otltest.Call{Path: "/auth/oauth2/v2/token", Body: map[string]string{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": basic}}); r.Status != http.StatusUnauthorized {
			t.Errorf("a wire of numbers: %d %s", r.Status, r.Raw)
		}
		for _, bad := range []site.NewClient{{SubjectType: "private"}, {SubjectType: "pairwise", Scopes: otl.Scopes{otl.ScopeAuth, otl.ScopeUsers}}, {SubjectType: "pairwise", Scopes: otl.Scopes{otl.ScopeAdmin}}} {
			bad.Name = "x"
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, bad); otl.As(err).Kind != otl.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
