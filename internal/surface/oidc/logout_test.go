package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// logoutToken checks a request to a back-channel logout address, and gives what its token
// says.
func (x *provider) logoutToken(t *testing.T, h otltest.Heard) map[string]any {
	t.Helper()
	form, err := url.ParseQuery(string(h.Body))
	if err != nil || len(form) != 1 || h.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || h.Header.Get("X-Otl-Signature") != "" {
		t.Fatalf("%s %v", h.Body, h.Header)
	}
	raw := form.Get("logout_token")
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || jws.Signatures[0].Protected.ExtraHeaders["typ"] != "logout+jwt" {
		t.Fatalf("%s: %v", raw, err)
	}
	return x.claims(t, raw)
}

// TestOA13_BackChannelLogout: a client is told of its sessions that end, whatever the
// cause, by a token that says whose and which (OpenID Connect Back-Channel Logout 1.0).
func TestOA13_BackChannelLogout(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		hook := otltest.NewHook(t)
		app := x.made(t, site.NewClient{LogoutURI: hook.URL})
		heard := func() []map[string]any {
			t.Helper()
			x.Deliver(t)
			var out []map[string]any
			for _, h := range hook.Take() {
				out = append(out, x.logoutToken(t, h))
			}
			return out
		}
		sid := func(c site.MadeClient) string {
			r := x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK)
			return x.claims(t, r.Text("id_token"))["sid"].(string)
		}
		ends := map[string]func(string){
			"the session": func(id string) {
				x.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + id, Key: x.Notes.Key}).Want(t, http.StatusOK)
			},
			"the browser": func(string) {
				x.browser.Submit(x.browser.Get("/signout"), "signout", map[string]string{"where": "here"})
			},
			"the person": func(string) {
				x.browser.Submit(x.browser.Get("/signout"), "signout", map[string]string{"where": "everywhere"})
			},
		}
		for name, end := range ends {
			sid(x.second) // another client's, of which this one hears nothing
			id := sid(app)
			if got := heard(); len(got) != 0 {
				t.Fatalf("%s: too early: %v", name, got)
			}
			end(id)
			got := heard()
			if len(got) != 1 {
				t.Fatalf("%s: %d tokens, want 1", name, len(got))
			}
			c := got[0]
			events, _ := json.Marshal(c["events"])
			if c["iss"] != otltest.Issuer || c["aud"] != app.ID || c["sub"] != x.jane.ID || c["sid"] != id || c["nonce"] != nil || c["jti"] == "" ||
				string(events) != `{"http://schemas.openid.net/event/backchannel-logout":{}}` || c["exp"].(float64)-c["iat"].(float64) > 120 {
				t.Errorf("%s: %v", name, c)
			}
			st, err := x.Store.Read.Sessions.Standing(t.Context(), id)
			if want := map[string]otl.EndReason{"the browser": otl.EndSSOLogout, "the person": otl.EndLogout}[name]; err != nil || want != "" && st.Session.EndReason != want {
				t.Errorf("%s: it ended for %s, want %s: %v", name, st.Session.EndReason, want, err)
			}
			x.browser.Cookies = map[string]string{}
		}
	})
}

// TestOA13_LogoutTokensAreTriedAgain as webhooks are, each time with a token made anew,
// and are found among the webhook endpoints of the site. A client that is gone is told
// nothing.
func TestOA13_LogoutTokensAreTriedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		hook := otltest.NewHook(t)
		hook.Status(http.StatusBadRequest)
		app := x.made(t, site.NewClient{LogoutURI: hook.URL})
		end := func() {
			r := x.exchange(t, app, x.signIn(t, x.ask(app, nil)).Get("code"), nil).Want(t, http.StatusOK)
			x.form(t, "/oidc/revoke", app, url.Values{"token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
			x.Deliver(t)
		}
		end()
		x.Clock.Advance(15 * time.Second)
		hook.Status(http.StatusOK)
		x.Deliver(t)
		got := hook.Take()
		if len(got) != 2 {
			t.Fatalf("%d requests, want 2", len(got))
		}
		one, two := x.logoutToken(t, got[0]), x.logoutToken(t, got[1])
		if one["sid"] != two["sid"] || one["jti"] == two["jti"] || two["iat"].(float64) < one["iat"].(float64)+15 {
			t.Errorf("%v\n%v", one, two)
		}
		all, err := x.Webhooks.List(t.Context(), x.Notes.Site.ID)
		if err != nil || len(all) != 1 || all[0].Client != app.ID || all[0].URL != hook.URL || !strings.Contains(all[0].Description, "client") {
			t.Errorf("%+v %v", all, err)
		}
		if sent, _, err := x.Webhooks.Deliveries(t.Context(), x.Notes.Site.ID, all[0].ID, "", otl.LogFilter{Limit: 10}); err != nil || len(sent) != 1 || sent[0].State != otl.DeliveryDone {
			t.Errorf("%+v %v", sent, err)
		}
		for _, uri := range []string{"http://notes.test/out", "https://10.0.0.1/out", "x"} {
			if _, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "x", LogoutURI: uri}); otl.As(err).Kind != otl.Invalid {
				t.Errorf("%s: %v", uri, err)
			}
		}
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, app.ID); err != nil {
			t.Fatal(err)
		}
		if all, err = x.Webhooks.List(t.Context(), x.Notes.Site.ID); err != nil || len(all) != 0 {
			t.Errorf("%+v %v", all, err)
		}
	})
}

// TestOA13_LogoutAfterAQuestion: without an ID token of who is signed in, a page asks, and
// the browser goes on to the client afterwards; whoever is asked may also stay.
func TestOA13_LogoutAfterAQuestion(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		hint := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("id_token")
		out := func(q url.Values) otltest.Page { return x.browser.Get("/oidc/logout?" + q.Encode()) }
		back := url.Values{"client_id": {x.client.ID}, "post_logout_redirect_uri": {callback}, "state": {"a b"}}
		p := out(back)
		if p.Left != nil || p.Title != "Sign out" || !strings.HasPrefix(p.Path, "/signout?f=") {
			t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
		}
		if visit := x.browser.Get("/signin?" + strings.SplitN(p.Path, "?", 2)[1]); visit.Left != nil || visit.Status == http.StatusOK {
			t.Errorf("the way out is a way in: %d %v", visit.Status, visit.Left)
		}
		if other := x.Browser(t).Get(p.Path); other.Left != nil {
			t.Errorf("another browser is sent to %v", other.Left)
		}
		p = x.browser.Submit(p, "signout", map[string]string{"where": "here"})
		if p.Left == nil || p.Left.String() != callback+"?state=a+b" {
			t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
		}
		if p = out(back); p.Left == nil || p.Left.String() != callback+"?state=a+b" {
			t.Errorf("nobody is signed in, and still %s is asked", p.Title)
		}
		if p = out(url.Values{"id_token_hint": {hint}}); p.Left != nil || p.Title != "You're signed out" {
			t.Errorf("%s %v", p.Title, p.Left)
		}
		for name, q := range map[string]url.Values{
			"a strange client":  {"client_id": {"x"}, "post_logout_redirect_uri": {callback}},
			"a strange address": {"client_id": {x.client.ID}, "post_logout_redirect_uri": {"https://evil.test/"}},
			"another's address": {"client_id": {x.client.ID}, "post_logout_redirect_uri": {"https://shop.test/callback"}},
		} {
			if p := out(q); p.Left != nil || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %v", name, p.Status, p.Left)
			}
		}
	})
}

// TestSE05_OneBrowser: who signs out of a browser is signed out of what clients opened
// from it, and of nothing that was opened elsewhere or by a site itself.
func TestSE05_OneBrowser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		here := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		first := x.browser
		x.browser = x.Browser(t)
		there := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Notes.Key, Body: map[string]string{"email": jane, "password": otltest.Password}}).Want(t, http.StatusOK)
		first.Submit(first.Get("/signout"), "signout", map[string]string{"where": "here"})
		renew := func(r otltest.Reply) int {
			return x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Status
		}
		if got := []int{renew(here), renew(there)}; !slices.Equal(got, []int{http.StatusBadRequest, http.StatusOK}) {
			t.Errorf("here and there: %v", got)
		}
		live, err := x.Store.Read.Sessions.Live(t.Context(), x.jane.ID, "", "", x.Clock.Now(), 10)
		if err != nil || len(live) != 3 { // the other browser, its client's, and the site's own
			t.Errorf("%d sessions: %s %v", len(live), fmt.Sprint(live), err)
		}
	})
}

// TestSE11_LogoutEndsWhatStandsBeside: the session that a script of a site's page opened
// beside the one of our own pages ends with it, whosever it is.
func TestSE11_LogoutEndsWhatStandsBeside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		hint := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("id_token")
		x.Person(t, "bob@dev.test")
		beside := x.Browser(t)
		beside.Submit(beside.Get("/account"), "/signin", map[string]string{"identifier": "bob@dev.test", "password": otltest.Password})
		x.browser.Cookies["__Host-otl_across"] = beside.Cookies["__Host-otl_session"]
		x.browser.Get("/oidc/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
		if p := beside.Get("/account"); p.Title != "Sign in" || x.browser.Cookies["__Host-otl_across"] != "" {
			t.Errorf("%s, %v", p.Title, x.browser.Cookies)
		}
	})
}
