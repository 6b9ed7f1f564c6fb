package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// abroad reports whether a browser that is told an address leaves for the canary's host.
func abroad(t *testing.T, address string) bool {
	t.Helper()
	base, err := url.Parse(otltest.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	u, err := base.Parse(strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(strings.TrimSpace(address)))
	return err != nil || strings.Contains(u.Host+u.Opaque, "canary")
}

// links gives where a page leads.
func links(t *testing.T, r otltest.Reply) (out []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(string(r.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "href", "action", "formaction", "src":
				out = append(out, a.Val)
			case "content":
				if _, to, ok := strings.Cut(strings.ToLower(a.Val), "url="); ok {
					out = append(out, to)
				}
			}
		}
	}
	return out
}

// TestAD05_NoWayToAnywhere: whatever parameter brings an address (OA-07), at every door a
// browser comes to, signed in or not, nobody is sent to one that is not registered.
func TestAD05_NoWayToAnywhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	if err := w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := &provider{World: w, jane: w.Person(t, jane, w.Notes.Site), browser: w.Browser(t)}
	client := x.made(t, site.NewClient{})
	x.signIn(t, x.ask(client, nil))
	var cookies []string
	for name, value := range x.browser.Cookies {
		cookies = append(cookies, name+"="+value)
	}
	params := []string{
		"return_to", "returnTo", "return", "next", "redirect", "redirect_uri", "post_logout_redirect_uri", "RelayState", "callback", "callback_url", "callback_uri", "url", "uri", "continue", "target", "to", "then",
		"back", "goto", "dest", "destination", "referer", "service", "origin", "site", "client", "link", "error", "error_uri", "request_uri", "f", "here", "lang", "ui_locales", "state", "login_hint",
	}
	paths := []string{
		"/", "/signin", "/signup", "/forgot", "/signout", "/choose", "/mfa", "/mfa/setup", "/consent", "/barred", "/leaving", "/device", "/device/confirm", "/redirect", "/authorize", "/docs", "/l/x", "/c/x", "/reset/x",
		"/account", "/account/profile", "/account/security", "/account/sites", "/account/sessions", "/account/data", "/account/activity", "/account/email", "/account/connect/x",
		"/oidc/authorize", "/oidc/auth", "/oidc/logout", "/session_via_api_token", "/.well-known/change-password", "//canary.test/", "/\\canary.test/", "/%2f%2fcanary.test", "/canary.test/..//",
	}
	n := 0
	for _, value := range []string{"https://canary.test/", "//canary.test/x", "/\\canary.test", "\\\\canary.test", "https:canary.test", "/\t/canary.test", "javascript:canary", "https://notes.test@canary.test/", "/%2f/canary.test"} {
		all := url.Values{}
		for _, name := range params {
			all.Set(name, value)
		}
		ours := url.Values{"client_id": {client.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}
		for _, name := range params {
			if !ours.Has(name) && name != "request_uri" && name != "post_logout_redirect_uri" {
				ours.Set(name, value)
			}
		}
		partner := url.Values{"site": {w.Notes.Site.ID}, "redirect_uri": {w.Notes.Site.CallbackURLs[0]}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}, "state": {value}, "return_to": {value}}
		for _, path := range paths {
			for _, q := range []url.Values{all, ours, partner} {
				for _, cookie := range []string{"", strings.Join(cookies, "; ")} {
					n++
					h := map[string]string{"Accept": "text/html", "Cookie": cookie}
					got := []otltest.Reply{w.Do(t, otltest.Call{Path: path + "?" + q.Encode(), Headers: h})}
					h["Content-Type"], h["Sec-Fetch-Site"] = "application/x-www-form-urlencoded", "same-origin"
					got = append(got, w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: q.Encode(), Headers: h}))
					for _, r := range got {
						for _, to := range append(links(t, r), r.Header.Get("Location"), r.Header.Get("Refresh"), r.Header.Get("Content-Location")) {
							if abroad(t, to) {
								t.Fatalf("%s with %q leads to %q (%d)", path, value, to, r.Status)
							}
						}
					}
				}
			}
		}
	}
	if n < 1500 {
		t.Errorf("only %d requests", n)
	}
}
