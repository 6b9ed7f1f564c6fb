package pages_test

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/pages"
)

// TestEveryPatternIsCrawled: a page that is added is on the way of the crawler, or this fails.
func TestEveryPatternIsCrawled(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	been := everyPage(t, w, w.Notes, jane, func(*otltest.Browser, otltest.Page) {})
	for _, pattern := range pages.Patterns() {
		if !been[pattern] {
			t.Errorf("%s was not asked for", pattern)
		}
	}
}

// TestAD03_AD10_AD12_AD13_EveryPageSaysWhatABrowserMayDo crawls the pages: policy, caching,
// referrer, the flags of cookies (SE-03), nothing from elsewhere, and what a password manager may
// fill into each field.
func TestAD03_AD10_AD12_AD13_EveryPageSaysWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	seen, fields := 0, map[string]bool{}
	everyPage(t, w, w.Notes, jane, func(_ *otltest.Browser, p otltest.Page) {
		seen++
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
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "evil") || strings.Contains(policy, "object-src") || strings.Contains(policy, "http:") {
			t.Errorf("AD-03 %s: %q", p.Path, policy) // object-src is default-src
		}
		for _, one := range filled(t, p) {
			fields[one] = true
		}
		for _, c := range (&http.Response{Header: h}).Cookies() {
			if !strings.HasPrefix(c.Name, "__Host-otl_") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("SE-03 %s: %v", p.Path, c)
			}
		}
		harmless(t, p)
	})
	if seen < 60 {
		t.Errorf("only %d pages were seen", seen)
	}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, autocompletes()) {
		t.Errorf("AD-13: the fields are\n%q", got)
	}
}

// autocompletes are the fields that people fill in, by name and type, with what a password
// manager, or whatever else knows them, is told of each (WCAG 2.2 success criterion 1.3.5).
func autocompletes() []string {
	return []string{
		"code text: one-time-code", "color text: off", "display_name text: nickname", "domain text: off", "email email: email", "email email: username", "footer text: off", "identifier text: username webauthn", "label text: off",
		"link_text_0 text: off", "link_url_0 url: off", "name text: name", "name text: off", "password password: current-password", "password password: new-password", "phone tel: tel", "picture url: photo", "sender text: off", "url url: off", "user text: off", "user_code text: off",
		"username text: username",
	}
}

// filled gives the fields of a page that people fill in, but for those that choose a number, a day
// or a file. A password is as long as its manager makes it.
func filled(t *testing.T, p otltest.Page) (all []string) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(p.Raw))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
		}
		if n.Type != html.ElementNode || n.Data != "input" || slices.Contains([]string{"hidden", "checkbox", "radio", "number", "date", "file"}, at["type"]) {
			continue
		}
		if at["autocomplete"] == "" || at["type"] == "password" && at["maxlength"] != "1024" {
			t.Errorf("AD-13 %s: %v", p.Path, at)
		}
		all = append(all, at["name"]+" "+at["type"]+": "+at["autocomplete"])
	}
	return all
}

// TestAPageIsHadInAnotherLanguage: the choice at the foot leads to the same page, whatever
// form it answered, and from where nothing is left to do to the front page or the first of
// its kind; what is shown once offers none, because it would be lost.
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
		other.Cookies, other.Seen = maps.Clone(b.Cookies), nil
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
		"select", "option", "code", "time", "nav", "mark", "fieldset", "legend", "ul", "ol", "li", "bdi", "svg", "path", "rect", "pre", "img", "details", "summary", "textarea",
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
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "formaction", n.Data == "details":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			case n.Data == "script" && (a.Key == "src" && a.Val != "/static/page.js"), n.Data == "link" && a.Key == "href" && a.Val != "/static/style.css" && a.Val != "/static/icon.svg":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			case n.Data == "a" && strings.HasPrefix(value, "otpauth://totp/id.test:"): // an authenticator app of this device
			case n.Data == "a" && strings.HasPrefix(value, "https://brand.test/"): // the site's own
			case n.Data == "img" && a.Key == "src" && !strings.HasPrefix(a.Val, "/logo/"):
				t.Errorf("%s: <img src=%q>", p.Path, a.Val)
			case (a.Key == "href" || a.Key == "action" || a.Key == "src") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && value != "data:,":
				t.Errorf("%s: <%s %s=%q>", p.Path, n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s has a script of its own: %q", p.Path, n.FirstChild.Data)
		}
	}
}

// TestAD01_NoFormFromElsewhere sends every form there is as another site would: with the
// person's cookies, and with or without the token of a page, of his or of somebody else's.
func TestAD01_NoFormFromElsewhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := w.Browser(t)
	password(b, b.Get("/account"))
	form := b.Get("/signout").Fields("signout")
	pairs := make([]string, 0, len(b.Cookies))
	for k, v := range b.Cookies {
		pairs = append(pairs, k+"="+v)
	}
	forms := 0
	for _, pattern := range pages.Patterns() {
		path, isForm := strings.CutPrefix(pattern, "POST ")
		if !isForm {
			continue
		}
		forms++
		path = strings.NewReplacer("{id}", w.Notes.Site.ID, "{token}", "otl_ln_x").Replace(path)
		for name, c := range map[string]struct {
			headers map[string]string
			token   string
		}{
			"another site":         {map[string]string{"Sec-Fetch-Site": "cross-site"}, form.Get("token")},
			"a sibling":            {map[string]string{"Sec-Fetch-Site": "same-site"}, form.Get("token")},
			"another origin":       {map[string]string{"Origin": "https://evil.test"}, form.Get("token")},
			"an old browser":       {nil, ""},
			"with another's token": {nil, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		} {
			h := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Cookie": strings.Join(pairs, "; ")}
			maps.Copy(h, c.headers)
			r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: url.Values{"token": {c.token}, "where": {"everywhere"}}.Encode(), Headers: h})
			if r.Status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", path, name, r.Status)
			}
		}
	}
	if forms < 30 {
		t.Errorf("only %d forms", forms)
	}
	if b.Get("/account").Title != "Your account" {
		t.Error("one of them did something")
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

// dressed gives a person and a site of whom everything that is stored and shown is a payload,
// past what checks it where it is set: each field another one, by the turn.
func dressed(t *testing.T, w *otltest.World, all []string, turn int) (site.Registered, string) {
	t.Helper()
	pick := func(field int) string { return all[(turn+7*field)%len(all)] }
	s := w.Register(t, site.Registration{
		Name: pick(0), Slug: "s" + strings.ToLower(secret.NewID(w.Clock.Now())), Callbacks: []string{"https://notes.test/callback"}, Requested: otl.AllFields(),
	})
	email := "p" + strings.ToLower(secret.NewID(w.Clock.Now())) + "@dev.test"
	m, err := w.Accounts.Create(t.Context(), account.Creation{Email: email, Password: secret.NewText(otltest.Password), Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	u := m.User
	u.Name, u.DisplayName, u.Picture, u.Locale, u.Preferences = pick(0), pick(1), pick(2), pick(3), pick(4)
	u.Username = otl.Username{Name: pick(5), Key: pick(5)}
	look := otl.Brand{Color: pick(1), Logo: pick(2), Sender: pick(3), Footer: pick(4), Links: []otl.BrandLink{{Text: pick(5), URL: "https://brand.test/" + pick(6)}, {Text: pick(6), URL: pick(5)}}}
	err = w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Users.UpdateProfile(ctx, u); err != nil {
			return err
		}
		if _, err := tx.Roles.Insert(ctx, otl.Role{SiteID: s.Site.ID, Name: pick(6), Default: true, CreatedAt: w.Clock.Now()}); err != nil {
			return err
		}
		return tx.Brands.Put(ctx, s.Site.ID, look)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, email
}

// TestAD04_WhatIsStoredStaysText puts sixty payloads into every field of sites and people that
// a page shows: on none does one become anything but text, and none leads elsewhere.
func TestAD04_WhatIsStoredStaysText(t *testing.T) {
	t.Parallel()
	all := payloads()
	if len(all) < 60 {
		t.Fatalf("only %d payloads", len(all))
	}
	for i := 0; i < len(all); i += 6 {
		t.Run(all[i], func(t *testing.T) {
			t.Parallel()
			w := otltest.New(t, otltest.SQLite)
			for turn := i; turn < min(i+6, len(all)); turn++ {
				s, email := dressed(t, w, all, turn)
				everyPage(t, w, s, email, func(_ *otltest.Browser, p otltest.Page) {
					harmless(t, p)
					if p.Left != nil && p.Left.Host != "notes.test" {
						t.Errorf("%q sends to %s", all[turn], p.Left)
					}
				})
			}
		})
	}
}
