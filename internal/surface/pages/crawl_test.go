package pages_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// everyPage takes a person through the pages on behalf of a site and gives each to see,
// with the browser that is on it.
func everyPage(t *testing.T, w *otltest.World, s site.Registered, email string, see func(*otltest.Browser, otltest.Page)) {
	t.Helper()
	b := w.Browser(t)
	visit := func(b *otltest.Browser, path string) otltest.Page {
		p := b.Get(path)
		see(b, p)
		return p
	}
	visit(b, "/nothing")
	visit(b, "/signin?error=session_token")
	visit(b, request(s, map[string]string{"redirect_uri": "https://evil.test/"}))
	visit(b, request(s, map[string]string{"site": "x"}))
	p := visit(b, request(s, map[string]string{"login_hint": `"><script>alert(1)</script>`, "ui_locales": "<b>"}))
	flow := "?" + strings.SplitN(p.Path, "?", 2)[1]
	see(b, b.Submit(p, "/signin", map[string]string{"identifier": `"><img src=x onerror=alert(1)>`, "password": "x"}))
	visit(b, "/signup"+flow)
	see(b, b.Submit(b.Get("/signup"+flow), "/signup", map[string]string{"email": `x"><svg onload=alert(1)>`, "name": "<i>", "password": "short"}))
	visit(b, "/forgot"+flow)
	see(b, b.Submit(b.Get("/forgot"+flow), "/forgot", map[string]string{"email": email}))
	visit(b, pathOf(letter(t, w, email).Link))
	visit(b, "/reset/x")
	w.Clock.Advance(time.Minute)
	p = asks(b, b.Get(request(s, nil)), email)
	see(b, p)
	link := pathOf(letter(t, w, email).Link)
	visit(b, link)
	other := w.Browser(t)
	other.Headers["User-Agent"] = `<script>alert(1)</script> Firefox/1 Linux`
	see(other, other.Submit(visit(other, link), "deny", nil))
	visit(b, link)
	p = b.Get(request(s, nil))
	p = b.Submit(p, "/signin", map[string]string{"identifier": email, "password": otltest.Password})
	see(b, p)
	visit(b, "/account")
	see(b, b.Submit(visit(b, "/account/profile"), "profile", map[string]string{"picture": `x"><svg onload=alert(1)>`, "display_name": `"><img src=x onerror=alert(1)>`}))
	for _, path := range []string{"/account/email", "/account/phone", "/account/activity", "/account/ledger", "/account/data"} {
		visit(b, path)
	}
	p = visit(b, "/account/security")
	p = b.Submit(p, "add", nil)
	see(b, p)
	see(b, b.Submit(p, "way-totp", nil))
	visit(b, "/signout")
}

// TestAD10_EveryPageSaysWhatABrowserMayDo crawls the pages: policy, caching, referrer,
// the flags of cookies (SE-03), nothing from elsewhere (AD-12).
func TestAD10_EveryPageSaysWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	pages := 0
	everyPage(t, w, w.Notes, jane, func(_ *otltest.Browser, p otltest.Page) {
		pages++
		h := p.Header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-Robots-Tag": "noindex",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %q", p.Path, name, h.Get(name))
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("AD-03 %s: no %s in %q", p.Path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "evil") {
			t.Errorf("AD-03 %s: %q", p.Path, policy)
		}
		for _, c := range (&http.Response{Header: h}).Cookies() {
			if !strings.HasPrefix(c.Name, "__Host-otl_") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("SE-03 %s: %v", p.Path, c)
			}
		}
		harmless(t, p)
	})
	if pages < 18 {
		t.Errorf("only %d pages were seen", pages)
	}
}

// TestAPageIsHadInAnotherLanguage: the choice at the foot leads to the same page, whatever
// form it answered; what is shown once offers none, because it would be lost.
func TestAPageIsHadInAnotherLanguage(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	offered := 0
	everyPage(t, w, w.Notes, jane, func(b *otltest.Browser, p otltest.Page) {
		to := p.In("de")
		if to == "" {
			return
		}
		offered++
		other := *b // so that this one goes on in English
		other.Cookies = maps.Clone(b.Cookies)
		got := other.Get(to)
		if !strings.Contains(string(got.Raw), `<html lang="de"`) || got.Left != nil || got.Status >= 400 && got.Status != p.Status {
			t.Errorf("%s leads to %s: %d", p.Path, to, got.Status)
		}
		for _, action := range p.Actions() {
			if !slices.Contains(got.Actions(), action) {
				t.Errorf("%s leads to %s, where there is no %s: %v", p.Path, to, action, got.Actions())
			}
		}
	})
	if offered < 18 {
		t.Errorf("only %d pages offered it", offered)
	}
}

// TestWhatIsShownOnceStays: no choice of a language where it would lose what cannot be
// shown again.
func TestWhatIsShownOnceStays(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
	b := w.Browser(t)
	p := password(b, b.Get("/account/security"))
	if in := p.In("de"); !strings.HasPrefix(in, "/mfa?") || !strings.Contains(in, "with=") {
		t.Errorf("%s", in)
	}
	p = b.Submit(p, "second", map[string]string{"code": "000000"})
	if in := p.In("de"); !strings.Contains(in, "sent=1") {
		t.Errorf("after a wrong code: %s", in)
	}
}

// harmless fails the test for everything on a page that could run or load anything but
// our own script and style.
func harmless(t *testing.T, p otltest.Page) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(p.Raw))
	if err != nil {
		t.Fatal(err)
	}
	known := []string{
		"html", "head", "meta", "title", "link", "script", "body", "a", "header", "span", "strong", "main", "div", "h1", "h2", "h3", "p", "form", "input", "label", "button", "footer",
		"select", "option", "code", "nav", "mark", "fieldset", "legend", "ul", "ol", "li", "bdi", "svg", "path",
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(known, n.Data) {
			t.Errorf("%s has <%s>", p.Path, n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "formaction":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			case n.Data == "script" && (a.Key == "src" && a.Val != "/static/page.js"), n.Data == "link" && a.Key == "href" && a.Val != "/static/style.css" && a.Val != "/static/icon.svg":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			case n.Data == "a" && strings.HasPrefix(value, "otpauth://totp/id.test:"): // an authenticator app of this device
			case (a.Key == "href" || a.Key == "action" || a.Key == "src") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && value != "data:,":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s has a script of its own: %q", p.Path, n.FirstChild.Data)
		}
	}
}

// TestAD01_NoFormFromElsewhere replays every form of every page as another site would:
// with the person's cookies, and with or without the token of somebody else's page.
func TestAD01_NoFormFromElsewhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	tried := map[string]bool{}
	everyPage(t, w, w.Notes, jane, func(b *otltest.Browser, p otltest.Page) {
		cookies := make([]string, 0, len(b.Cookies))
		for k, v := range b.Cookies {
			cookies = append(cookies, k+"="+v)
		}
		for _, action := range p.Actions() {
			fields := p.Fields(action)
			for name, c := range map[string]struct {
				headers map[string]string
				change  map[string]string
			}{
				"another site":         {map[string]string{"Sec-Fetch-Site": "cross-site"}, nil},
				"a sibling":            {map[string]string{"Sec-Fetch-Site": "same-site"}, nil},
				"another origin":       {map[string]string{"Origin": "https://evil.test"}, nil},
				"an old browser":       {nil, map[string]string{"token": ""}},
				"with another's token": {nil, map[string]string{"token": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}},
			} {
				values := url.Values{}
				for k, v := range fields {
					values[k] = v
				}
				for k, v := range c.change {
					values.Set(k, v)
				}
				h := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Cookie": strings.Join(cookies, "; ")}
				for k, v := range c.headers {
					h[k] = v
				}
				if r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: action, Body: values.Encode(), Headers: h}); r.Status != http.StatusForbidden {
					t.Errorf("%s, %s: %d", action, name, r.Status)
				}
			}
			tried[strings.SplitN(action, "/otl_", 2)[0]] = true
		}
	})
	for _, want := range []string{"/signin", "/signup", "/forgot", "/reset", "/signin/code", "/signin/again", "/signin/continue", "/l", "/consent", "/signout", "/account/profile", "/account/email", "/account/phone", "/account/data/export", "/account/data/delete"} {
		if !tried[want] {
			t.Errorf("%s was not tried: %v", want, tried)
		}
	}
}

// payloads are texts that become code where somebody forgot to escape them.
func payloads() []string {
	out := []string{
		`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><script>alert(1)</script>`, `</title><script>alert(1)</script>`, `</textarea><script>alert(1)</script>`,
		`</style><script>alert(1)</script>`, `</script><script>alert(1)</script>`, `<!--><script>alert(1)</script>`, `<![CDATA[<script>alert(1)</script>]]>`, `<ScRiPt>alert(1)</sCrIpT>`,
		`<img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg/onload=alert(1)>`, `<body onload=alert(1)>`,
		`<iframe src=javascript:alert(1)>`, `<iframe srcdoc="<script>alert(1)</script>">`, `<object data=javascript:alert(1)>`, `<embed src=javascript:alert(1)>`,
		`<a href=javascript:alert(1)>x</a>`, `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, `<math><mi xlink:href="javascript:alert(1)">`, `<base href=//evil.test/>`,
		`<meta http-equiv=refresh content="0;url=//evil.test">`, `<link rel=stylesheet href=//evil.test>`, `<form action=//evil.test><input name=x>`, `<input autofocus onfocus=alert(1)>`,
		`<details open ontoggle=alert(1)>`, `<video><source onerror=alert(1)>`, `<audio src=x onerror=alert(1)>`, `<marquee onstart=alert(1)>`, `<button formaction=javascript:alert(1)>`,
		`" onmouseover="alert(1)`, `' onmouseover='alert(1)`, "` onmouseover=`alert(1)", `" autofocus onfocus="alert(1)`, `" style="background:url(javascript:alert(1))`, `x" onload=alert(1) y="`,
		`{{.}}`, `{{template "top" .}}`, `{{printf "%s" .}}`, `${alert(1)}`, `#{alert(1)}`, `<%= 1 %>`, `{site}`, `{address}`, `%3Cscript%3Ealert(1)%3C/script%3E`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
		`&#60;script&#62;alert(1)`, `\u003cscript\u003ealert(1)`, `\x3cscript\x3e`, `+ADw-script+AD4-alert(1)`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, `<<script>alert(1)//<</script>`,
		`<template><script>alert(1)</script></template>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<select><style></select><img src=x onerror=alert(1)>`, `<plaintext>`,
	}
	return out
}

// TestAD04_NamesStayText puts sixty payloads into the names of sites and people: on no
// page does one become anything but text.
func TestAD04_NamesStayText(t *testing.T) {
	t.Parallel()
	all := payloads()
	if len(all) < 60 {
		t.Fatalf("only %d payloads", len(all))
	}
	for i := 0; i < len(all); i += 6 {
		t.Run(all[i], func(t *testing.T) {
			t.Parallel()
			w := otltest.New(t, otltest.SQLite)
			for _, payload := range all[i:min(i+6, len(all))] {
				s := w.Register(t, site.Registration{
					Name: payload, Slug: "s" + strings.ToLower(secret.NewID(w.Clock.Now())), Callbacks: []string{"https://notes.test/callback"}, Requested: otl.AllFields(),
				})
				email := "p" + strings.ToLower(secret.NewID(w.Clock.Now())) + "@dev.test"
				if _, err := w.Accounts.Create(t.Context(), account.Creation{
					Email: email, Password: secret.NewText(otltest.Password), Verified: true,
					Profile: account.Profile{Name: &payload, DisplayName: &payload},
				}); err != nil {
					t.Fatal(err)
				}
				everyPage(t, w, s, email, func(_ *otltest.Browser, p otltest.Page) {
					harmless(t, p)
					if p.Left != nil && p.Left.Host != "notes.test" {
						t.Errorf("%q sends to %s", payload, p.Left)
					}
				})
			}
		})
	}
}
