package oidc_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// BenchmarkCodeFlow is a browser that is signed in, sent here by a client it was at
// before, and the exchange of its code for an access token and an ID token, which are signed
// as the client wants.
func BenchmarkCodeFlow(b *testing.B) {
	for _, alg := range []otl.SigningAlg{otl.RS256, otl.ES256} {
		b.Run(string(alg), func(b *testing.B) { codeFlow(b, alg) })
	}
}

func codeFlow(b *testing.B, alg otl.SigningAlg) {
	w := otltest.New(b, otltest.SQLite)
	if err := w.Installation.Maintain(b.Context()); err != nil {
		b.Fatal(err)
	}
	c, err := w.Clients.Create(b.Context(), w.Notes.Site.ID, site.NewClient{Name: "web", RedirectURIs: []string{callback}, SigningAlg: string(alg)})
	if err != nil {
		b.Fatal(err)
	}
	w.Person(b, jane, w.Notes.Site)
	x := &provider{World: w, client: c, browser: w.Browser(b)}
	path := x.ask(c, nil)
	p := x.browser.Get(path)
	p = x.browser.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
	if p.Left == nil && p.Fields("consent") != nil {
		p = x.browser.Submit(p, "consent", nil)
	}
	if p.Left == nil {
		b.Fatalf("stays at %s: %d", p.Path, p.Status)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	headers := map[string]string{
		"Content-Type":  "application/x-www-form-urlencoded",
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret.Reveal())),
	}
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		mine := w.Browser(b)
		mine.Cookies = maps.Clone(x.browser.Cookies)
		for pb.Next() {
			p := mine.Get(path)
			if p.Left == nil {
				b.Fatalf("stays at %s: %d", p.Path, p.Status)
			}
			f := maps.Clone(form)
			f.Set("code", p.Left.Query().Get("code"))
			if r := w.Do(b, otltest.Call{Method: http.MethodPost, Path: "/oidc/token", Body: f.Encode(), Headers: headers}); r.Status != http.StatusOK {
				b.Fatalf("%d %s", r.Status, r.Raw)
			}
		}
	})
}
