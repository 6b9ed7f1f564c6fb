package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestAD11_ProgramsInBrowsers: a page reads what the server answers a client whose redirect
// URI is of its origin, or whose site allows that, to the letter; no other page does, no
// cookie is looked at, and nothing with a token in it is for everybody.
func TestAD11_ProgramsInBrowsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		app := x.made(t, site.NewClient{Auth: "none", RedirectURIs: []string{"https://spa.notes.test/cb?x=1", "http://localhost:5173/", "com.example.app:/cb"}})
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Origins.Add(ctx, x.Notes.Site.ID, "https://more.notes.test")
		}); err != nil {
			t.Fatal(err)
		}
		calls := map[string]func(h map[string]string) otltest.Reply{}
		for path, form := range map[string]url.Values{
			"/oidc/token":  {"grant_type": {"refresh_token"}, "client_id": {app.ID}, "refresh_token": {"x"}},
			"/oidc/revoke": {"client_id": {app.ID}, "token": {"x"}},
			"/oidc/par":    {"client_id": {app.ID}, "redirect_uri": {"x"}},
		} {
			calls[path] = func(h map[string]string) otltest.Reply {
				h["Content-Type"] = "application/x-www-form-urlencoded"
				return x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: h})
			}
		}
		ask := x.ask(app, map[string]string{"redirect_uri": app.RedirectURIs[0]})
		r := x.bare(t, "/oidc/token", codeForm(app, x.signIn(t, ask).Get("code"))).Want(t, http.StatusOK)
		calls["/oidc/userinfo"] = func(h map[string]string) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token"), Headers: h})
		}
		for origin, known := range map[string]struct{ before, at bool }{
			"https://spa.notes.test": {true, true}, "http://localhost:5173": {true, true}, "https://more.notes.test": {true, true},
			"https://shop.test": {true, false}, // another client's
			"null":              {}, "*": {}, "https://evil.test": {}, "https://spa.notes.test.evil.test": {}, "https://spa.notes.tes": {}, "https://notes.test.": {}, "http://spa.notes.test": {},
			"https://SPA.notes.test": {}, "https://spa.notes.test/": {}, "https://spa.notes.test:443": {}, "https://spa.notes.test:8443": {}, "https://spa_notes.test": {}, "https://spa%notes.test": {},
			"https://%.notes.test": {}, "http://localhost": {}, "http://localhost:51730": {}, "http://localhost:517": {}, "com.example.app:": {}, "com.example.app://": {}, "https://user@spa.notes.test": {}, "https://x,https://spa.notes.test": {},
			"https://spa.notes.test https://evil.test": {}, "file://": {}, "https://": {}, "https://\\": {}, "https://sp\u00e4.test": {},
		} {
			for path, call := range calls {
				pre := x.Do(t, otltest.Call{Method: http.MethodOptions, Path: path, Headers: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "dpop"}})
				got := call(map[string]string{"Origin": origin})
				for name, c := range map[string]struct {
					otltest.Reply
					good bool
				}{"preflight": {pre, known.before}, "call": {got, known.at}} {
					want := ""
					if c.good {
						want = origin
					}
					if h := c.Header; h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Vary") != "Origin" {
						t.Errorf("%s %s of %q: %d %v", name, path, origin, c.Status, h)
					}
				}
			}
		}
		for path, call := range calls {
			if h := call(map[string]string{}).Header; h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, h)
			}
		}
		// What is wrong with a token that is over can be read, by pages that have to do with us.
		x.Clock.Advance(2 * time.Hour)
		late := calls["/oidc/userinfo"](map[string]string{"Origin": "https://spa.notes.test"})
		if late.Status != http.StatusUnauthorized || late.Header.Get("Access-Control-Allow-Origin") != "https://spa.notes.test" {
			t.Errorf("%d %v", late.Status, late.Header)
		}
		for _, path := range []string{"/.well-known/openid-configuration", "/oidc/keys", "/oidc/jwks"} {
			if h := x.Do(t, otltest.Call{Path: path, Headers: map[string]string{"Origin": "https://evil.test"}}).Header; h.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s is public: %v", path, h)
			}
		}
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, app.ID); err != nil {
			t.Fatal(err)
		}
		if h := calls["/oidc/token"](map[string]string{"Origin": "https://spa.notes.test"}).Header; h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("of a client that is no more: %v", h)
		}
	})
}
