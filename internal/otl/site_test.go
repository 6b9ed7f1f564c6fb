package otl_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestCallbackURLs(t *testing.T) {
	t.Parallel()
	for s, rule := range map[string]string{
		"https://notes.test/cb": "", "https://notes.test/cb?x=1&y=%20": "", "http://localhost:3000/cb": "", "http://127.0.0.1/cb": "", "http://[::1]:8080/cb": "",
		"http://notes.localhost/cb": "", "https://notes.test": "", "https://notes.test:8443/": "", "HTTPS://notes.test/cb": "",
		"http://notes.test/cb": "not_https", "http://localhost.evil.test/cb": "not_https", "http://127.0.0.1.evil.test/": "not_https", "http://10.0.0.1/": "not_https",
		"javascript:alert(1)": "not_a_url", "data:text/html,x": "not_a_url", "ftp://notes.test/": "not_https", "myapp://cb": "not_https",
		"": "not_a_url", "/cb": "not_a_url", "//notes.test/cb": "not_a_url", "https:///cb": "not_a_url", "https://:443/": "not_a_url", "notes.test/cb": "not_a_url",
		"https://a@notes.test/": "bad_url", "https://a:b@notes.test/": "bad_url", "https://notes.test/#": "bad_url", "https://notes.test/#x": "bad_url",
		"https://*.notes.test/": "bad_url", "https://notes.test/*": "bad_url", "https://notes.test\\@evil.test/": "not_a_url", "https://notes.test/a b": "not_a_url",
		"https://notes.test/\t": "not_a_url", "https://notes.test/\n": "not_a_url", "https://bücher.test/": "not_a_url", "https://notes.test/ü": "not_a_url",
		"https://notes.test/%zz": "not_a_url", "https://notes.test/" + strings.Repeat("a", otl.MaxURL): "too_long",
	} {
		err := otl.CheckCallbackURL("callback_url", s)
		if rule == "" {
			if err != nil {
				t.Errorf("%q: %v", s, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q was taken", s)
			continue
		}
		if m, r := field(t, err); m != "callback_url" || r != rule {
			t.Errorf("%q: %s %s, want %s", s, m, r, rule)
		}
	}
}

// FuzzCallbackURL: what is taken names one host, over https or on this machine,
// and reads the same to whoever parses it.
func FuzzCallbackURL(f *testing.F) {
	for _, s := range []string{"https://a.test/cb", "http://localhost/", "https://a@b/", "https://a\\b/", "https:/\\a", "http://[::1]:1/", "https://a.test/%2f..", "http://[::ffff:127.0.0.1]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if otl.CheckCallbackURL("u", s) != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.Host == "" || u.Fragment != "" || strings.ContainsAny(s, "\\# \t\r\n*") {
			t.Fatalf("%q: %+v %v", s, u, err)
		}
		if u.Scheme != "https" && !otl.Loopback(u.Hostname()) {
			t.Fatalf("%q leads to %s without https", s, u.Hostname())
		}
	})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "a.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.test": false, "xlocalhost": false, "0.0.0.0": false, "128.0.0.1": false, "127.1": false, "2130706433": false, "::": false, "fe80::1": false,
	} {
		if otl.Loopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestDomainsAndRegions(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"notes.test": "notes.test", "NOTES.Test": "notes.test", "bücher.example": "xn--bcher-kva.example", "localhost": "localhost", "localhost:3000": "localhost:3000",
		"127.0.0.1:80": "127.0.0.1:80", "": "!", "notes": "!", "notes.test:443": "!", "https://notes.test": "!", "notes.test/": "!", "-a.test": "!", "10.0.0.1": "!", "a b.test": "!",
	} {
		got, err := otl.CheckDomain(given)
		if want == "!" {
			if err == nil {
				t.Errorf("%q was taken as %q", given, got)
			} else if m, _ := field(t, err); m != "domain" {
				t.Error(m)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
	for region, ok := range map[string]bool{"": true, "eu": true, "us": true, "EU": false, "mars": false} {
		if err := otl.CheckRegion(region); (err == nil) != ok {
			t.Errorf("%q: %v", region, err)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	all, err := otl.ParseScopes(strings.Fields(otl.AllScopes().String()))
	if err != nil || all.String() != otl.AllScopes().String() {
		t.Error(all, err)
	}
	one, err := otl.ParseScopes([]string{string(otl.ScopeUsers), string(otl.ScopeUsers)})
	if err != nil || !one.Has(otl.ScopeUsers) || one.Has(otl.ScopeAdmin) || len(one) != 1 {
		t.Error(one, err)
	}
	for _, bad := range [][]string{{"users auth"}, {""}, {"USERS"}, {"users", "root"}} {
		if got, err := otl.ParseScopes(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		} else if m, _ := field(t, err); m != "scopes" {
			t.Error(m)
		}
	}
}

func TestASiteKeyLivesUntilItsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, one := range map[string]struct {
		key  otl.SiteKey
		live bool
	}{
		"without an end":  {otl.SiteKey{}, true},
		"before its end":  {otl.SiteKey{ExpiresAt: now.Add(1)}, true},
		"at its end":      {otl.SiteKey{ExpiresAt: now}, false},
		"revoked":         {otl.SiteKey{RevokedAt: now}, false},
		"revoked, no end": {otl.SiteKey{RevokedAt: now.Add(time.Hour)}, false},
	} {
		if one.key.Live(now) != one.live {
			t.Error(name)
		}
	}
	for name, one := range map[string]struct {
		s    otl.Session
		live bool
	}{
		"live":          {otl.Session{ExpiresAt: now.Add(2), RefreshBy: now.Add(1)}, true},
		"at its end":    {otl.Session{ExpiresAt: now, RefreshBy: now.Add(1)}, false},
		"not refreshed": {otl.Session{ExpiresAt: now.Add(2), RefreshBy: now}, false},
		"ended":         {otl.Session{ExpiresAt: now.Add(2), RefreshBy: now.Add(1), EndedAt: now}, false},
	} {
		if one.s.Live(now) != one.live {
			t.Error(name)
		}
	}
}

func TestAppURLs(t *testing.T) {
	t.Parallel()
	for s, rule := range map[string]string{
		"com.example.app:/cb": "", "com.example.app://cb/x?y=1": "", "https://notes.test/cb": "", "http://127.0.0.1/": "",
		"app:/cb": "not_a_url", "com.example.app:cb": "not_a_url", "com.example.app:": "not_a_url", "COM.example:/cb": "not_a_url", "com.:/cb": "not_a_url", "com..app:/cb": "not_a_url",
		"com.example.app:/c b": "not_a_url", "com.example.app://a@b/": "bad_url", "com.example.app:/#x": "bad_url", "com.example.app:/*": "bad_url",
		"javascript:/x": "not_a_url", "http://notes.test/": "not_https", "": "not_a_url", "com.example.app:/" + strings.Repeat("a", otl.MaxURL): "too_long",
	} {
		err := otl.CheckAppURL("redirect_uri", s)
		if rule == "" && err != nil || rule != "" && err == nil {
			t.Errorf("%q: %v", s, err)
		} else if err != nil {
			if _, r := field(t, err); r != rule {
				t.Errorf("%q: %s, want %s", s, r, rule)
			}
		}
	}
	for address, want := range map[string]string{"https://a.test/x": "https://a.test", "com.example.app:/cb": "com.example.app:", "com.example.app://x/cb": "com.example.app:", "javascript:alert(1)": "", "/x": "", "%": ""} {
		if got := otl.Origin(address); got != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}

// FuzzAppURL: what is taken is a callback URL, or of a scheme with a dot, and reads the same
// to whoever parses it.
func FuzzAppURL(f *testing.F) {
	for _, s := range []string{"com.example.app:/cb", "com.example.app://h/cb", "a.b:", "a.b:/\\", "a.b:/%zz", "A.b:/", "https://a.test/", "a.b:/#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if otl.CheckAppURL("u", s) != nil || otl.CheckCallbackURL("u", s) == nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsAny(s, "\\# \t\r\n*;,'\"") && !strings.HasPrefix(s, u.Scheme+":/") {
			t.Fatalf("%q: %+v %v", s, u, err)
		}
		if !strings.Contains(u.Scheme, ".") || otl.Origin(s) != u.Scheme+":" {
			t.Fatalf("%q is of %s", s, u.Scheme)
		}
	})
}
