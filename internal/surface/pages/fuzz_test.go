package pages_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// serve sends a request straight to the pages, as whatever a client may write.
func serve(w *otltest.World, method, target, body string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL = &url.URL{Path: target}
	if path, query, ok := strings.Cut(target, "?"); ok {
		r.URL = &url.URL{Path: path, RawQuery: query}
	}
	r.RequestURI = r.URL.String()
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.Server.ServeHTTP(rec, r)
	return rec
}

// FuzzTheRequestOfASite: whatever stands in the address, nobody is sent anywhere but to
// pages of ours and to the callback URL, and nothing fails on our side (OA-02, OA-03).
func FuzzTheRequestOfASite(f *testing.F) {
	w := otltest.New(f, otltest.SQLite)
	good := strings.TrimPrefix(request(w.Notes, nil), "/authorize?")
	for _, seed := range []string{
		"", good, good + "&prompt=login&max_age=5", good + "&redirect_uri=https://evil.test", "site=" + w.Notes.Site.ID + "&redirect_uri=https://notes.test/callback@evil.test",
		good + "&state=%0d%0aLocation:%20https://evil.test", "%", "&&==;", good + "&max_age=99999999999999999999", good + "&ui_locales=%ff%fe", good + "&lang=%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rec := serve(w, http.MethodGet, "/authorize?"+query, "", map[string]string{"Accept": anyPage})
		to := rec.Header().Get("Location")
		if rec.Code >= 500 || to != "" && !strings.HasPrefix(to, "/signin?f=fl_") && !strings.HasPrefix(to, "https://notes.test/callback?") || strings.ContainsAny(to, "\r\n") {
			t.Fatalf("%q: %d %q", query, rec.Code, to)
		}
	})
}

// FuzzAForm: whatever the body of a form, and the cookies and the browser's name beside
// it, it is refused or understood.
func FuzzAForm(f *testing.F) {
	w := otltest.New(f, otltest.SQLite)
	w.Person(f, jane, w.Notes.Site)
	b := w.Browser(f)
	p := b.Get(request(w.Notes, nil))
	cookie := "__Host-otl_flow=" + b.Cookies["__Host-otl_flow"]
	good := p.Fields("/signin").Encode()
	for _, seed := range []string{"", good, good + "&identifier=x&password=y", good + "&way=code&identifier=%ff", "token=&token=", "f=fl_x&token=%zz", "&;=", good + "&identifier=a%00b&password=x"} {
		f.Add(seed, cookie, "Mozilla/5.0 (Linux) Firefox/1")
		f.Add(seed, "__Host-otl_flow=x; __Host-otl_session=otl_bs_x; __Host-otl_lang=xx", "\xff")
	}
	f.Fuzz(func(t *testing.T, body, cookies, agent string) {
		for _, path := range []string{"/signin", "/signup", "/forgot", "/consent", "/choose", "/signin/code", "/mfa", "/mfa/send", "/signin/passkey", "/mfa/setup", "/mfa/setup/confirm", "/mfa/setup/saved", "/account/security/codes", "/l/otl_ln_x", "/signout"} {
			rec := serve(w, http.MethodPost, path, body, map[string]string{
				"Accept": anyPage, "Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies, "User-Agent": agent, "Sec-Fetch-Site": "same-origin",
			})
			if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable {
				t.Fatalf("%s %q: %d %s", path, body, rec.Code, rec.Body)
			}
		}
	})
}
