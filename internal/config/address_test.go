package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

func TestPublicURLIsAnOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://id.example.com":         "https://id.example.com",
		"https://id.example.com/":        "https://id.example.com",
		"HTTPS://ID.Example.COM":         "https://id.example.com",
		"https://id.example.com:443":     "https://id.example.com",
		"https://id.example.com:8443/":   "https://id.example.com:8443",
		"https://xn--bcher-kva.example":  "https://xn--bcher-kva.example",
		"https://idp":                    "https://idp", // inside a network
		"https://192.0.2.7:8443":         "https://192.0.2.7:8443",
		"https://[2001:DB8::1]":          "https://[2001:db8::1]",
		"https://[2001:db8:0:0::1]:8443": "https://[2001:db8::1]:8443",
		"http://localhost:8787":          "http://localhost:8787",
		"http://LOCALHOST:80":            "http://localhost",
		"http://notes.localhost:3000":    "http://notes.localhost:3000",
		"http://127.0.0.1:8787":          "http://127.0.0.1:8787",
		"http://[::1]:8787":              "http://[::1]:8787",
		"https://localhost":              "https://localhost",
		"":                               "",
	} {
		c, err := value("public_url", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.PublicURL != want {
			t.Errorf("%s: got %s, want %s", text, c.PublicURL, want)
		}
	}
}

func TestPublicURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		"id.example.com":                       "such as https://id.example.com",
		"//id.example.com":                     "such as https://id.example.com",
		"ftp://id.example.com":                 "such as https://id.example.com",
		"https:id.example.com":                 "such as https://id.example.com",
		"https://":                             "such as https://id.example.com",
		"https:///path":                        "such as https://id.example.com",
		" https://id.example.com":              "such as https://id.example.com",
		"https://id.example.com\n":             "such as https://id.example.com",
		"https://id example.com":               "such as https://id.example.com",
		"javascript:alert(1)":                  "such as https://id.example.com",
		"https://id.example.com/auth":          "scheme and host only",
		"https://id.example.com//":             "scheme and host only",
		"https://id.example.com?":              "scheme and host only",
		"https://id.example.com?a=b":           "scheme and host only",
		"https://id.example.com#":              "scheme and host only",
		"https://id.example.com#a":             "scheme and host only",
		"https://me:pw@id.example.com":         "scheme and host only",
		"http://id.example.com":                "must be https",
		"http://10.0.0.1":                      "must be https",
		"http://localhost.example.com":         "must be https",
		"http://notlocalhost":                  "must be https",
		"http://0.0.0.0:8787":                  "must be https",
		"https://id.example.com:":              "host name",
		"https://id.example.com:0":             "host name",
		"https://id.example.com:65536":         "host name",
		"https://id.example.com.":              "host name",
		"https://.example.com":                 "host name",
		"https://id..example.com":              "host name",
		"https://*.example.com":                "host name",
		"https://bücher.example":               "host name",
		"https://-id.example.com":              "host name",
		"https://id_1.example.com":             "host name",
		"https://1.2.3.999":                    "host name",
		"https://[fe80::1%25eth0]":             "host name",
		"https://%69d.example.com":             "such as https://id.example.com",
		"https://a" + strings.Repeat("a", 63):  "host name",
		"https://" + strings.Repeat("a.", 130): "host name",
	} {
		_, err := value("public_url", text)
		if err == nil {
			t.Errorf("%s is taken", text)
			continue
		}
		wantRefusal(t, err, "OTL_PUBLIC_URL", why)
	}
}

func FuzzPublicURL(f *testing.F) {
	for _, s := range []string{
		"https://id.example.com", "http://localhost:8787/", "http://[::1]:80", "https://[::ffff:1.2.3.4]", "https://a:0443",
		"https://id.example.com:443", "https://ID/", "https://1.2.3.4", "https://1.2.3", "https://xn--a", "http://x.localhost", "https://a@b", "https://a\\b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got, again string
		if publicURL(&got)(s) != nil || s == "" {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Host == "" || u.String() != got {
			t.Fatalf("%q became %q, which is no origin", s, got)
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !otl.Loopback(u.Hostname())) {
			t.Fatalf("%q became %q, without encryption", s, got)
		}
		if err := publicURL(&again)(got); err != nil || again != got {
			t.Fatalf("%q became %q and then %q, %v", s, got, again, err)
		}
	})
}

func TestListenAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"127.0.0.1:8787", ":8787", "0.0.0.0:0", "[::]:443", "[::1]:65535", "localhost:80", "id.example.com:443",
		"unix:/run/otl.sock", "unix:otl.sock",
	} {
		for _, path := range []string{"listen", "admin_listen"} {
			if _, err := value(path, text); err != nil {
				t.Error(err)
			}
		}
	}
	for _, text := range []string{
		"127.0.0.1", "8787", "::1:8787", "http://127.0.0.1:8787", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1",
		"127.0.0.1:65536", "127.0.0.1:080", "127.0.0.1:+80", "127.0.0.1: 80", "unix:", "127.0.0.1:8787:1", "[::1:8787",
	} {
		for _, path := range []string{"listen", "admin_listen"} {
			_, err := value(path, text)
			if err == nil {
				t.Errorf("%s=%q is taken", path, text)
				continue
			}
			wantRefusal(t, err, variable(path), "")
		}
	}
	_, err := value("listen", "")
	wantRefusal(t, err, "OTL_LISTEN", "host:port")
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                "[]",
		" , ,":                            "[]",
		"10.0.0.0/8":                      "[10.0.0.0/8]",
		"10.1.2.3/8":                      "[10.0.0.0/8]",
		"10.0.0.0/8,192.168.0.0/16":       "[10.0.0.0/8 192.168.0.0/16]",
		" 10.0.0.0/8 , fd00::/8 ,":        "[10.0.0.0/8 fd00::/8]",
		"192.0.2.7":                       "[192.0.2.7/32]",
		"2001:db8::1":                     "[2001:db8::1/128]",
		"::ffff:10.0.0.1":                 "[10.0.0.1/32]",
		"::ffff:10.0.0.0/104":             "[10.0.0.0/8]",
		"0.0.0.0/0,::/0":                  "[0.0.0.0/0 ::/0]",
		"2001:db8:0:0:0:0:0:0/32":         "[2001:db8::/32]",
		"10.0.0.0/8,10.0.0.0/8":           "[10.0.0.0/8 10.0.0.0/8]",
		"[10.0.0.0/8]":                    "",
		"10.0.0.0/33":                     "",
		"10.0.0/8":                        "",
		"10.0.0.0/8;192.168.0.0/16":       "",
		"10.0.0.0/8 192.168.0.0/16":       "",
		"10.0.0.0/-1":                     "",
		"proxy.example.com":               "",
		"010.0.0.1":                       "",
		"::ffff:10.0.0.0/8":               "",
		"10.0.0.0/255.0.0.0":              "",
		"10.0.0.0/8,nonsense":             "",
		"10.0.0.0/08":                     "",
		"2001:db8::/129":                  "",
		"*":                               "",
		"fe80::1%eth0":                    "", // callers are compared without their zone
		"fe80::1%eth0/64":                 "",
		"10.0.0.1:8080":                   "",
		"10.0.0.0/8\t,\t192.168.0.0/16\n": "[10.0.0.0/8 192.168.0.0/16]",
	} {
		c, err := value("trusted_proxies", text)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken as %v", text, c.TrustedProxies)
				continue
			}
			wantRefusal(t, err, "OTL_TRUSTED_PROXIES", "such as 10.0.0.0/8")
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := fmt.Sprint(c.TrustedProxies); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	c := load(t, Sources{File: file(t, "trusted_proxies:\n  - 10.0.0.0/8\n  - fd00::/8\n")})
	if got := fmt.Sprint(c.TrustedProxies); got != "[10.0.0.0/8 fd00::/8]" {
		t.Errorf("a list in the file: got %s", got)
	}
}

// TestHT08_TheSocketOfAProxy is named beside networks, in any place.
func TestHT08_TheSocketOfAProxy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"unix": "true []", "10.0.0.0/8, unix": "true [10.0.0.0/8]", "unix,fd00::/8": "true [fd00::/8]", "10.0.0.0/8": "false [10.0.0.0/8]", "": "false []",
	} {
		if c, err := value("trusted_proxies", text); err != nil || fmt.Sprint(c.TrustedSocket, c.TrustedProxies) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"unix:/run/otl.sock", "Unix", "unix 10.0.0.0/8", "socket", "unix,nonsense"} {
		_, err := value("trusted_proxies", text)
		wantRefusal(t, err, "OTL_TRUSTED_PROXIES", "such as 10.0.0.0/8, or unix")
	}
}

func FuzzTrustedProxies(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8, fd00::/8", "::ffff:1.2.3.4/100", "192.0.2.7", "fe80::1%a", "0.0.0.0/0", ",,", "::/96"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []netip.Prefix
		var socket bool
		if proxies(&got, &socket)(s) != nil {
			return
		}
		for _, p := range got {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
				t.Errorf("%q gave %v, which callers cannot be compared with", s, p)
			}
		}
	})
}

func TestDatabaseURLs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "postgres://otl:pw@db.test:5432/otl?sslmode=require", "postgresql://db.test/otl", "postgres:///otl?host=/run/postgresql",
		"sqlite:/var/lib/otl/other.db", "sqlite:other.db",
	} {
		if c, err := value("database_url", text); err != nil || c.DatabaseURL.Reveal() != text {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"mysql://otl:canary@db.test/otl", "host=db.test password=canary", "sqlite:", "/var/lib/otl.db", "otl.db", "postgres:canary",
		"POSTGRES://canary", "postgres://otl:canary%zz@db.test/otl", "postgres://otl:canary@db.test:port/otl",
	} {
		_, err := value("database_url", text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		wantRefusal(t, err, "OTL_DATABASE_URL", "")
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%v repeats the password", err)
		}
	}
}

func FuzzDatabaseURL(f *testing.F) {
	f.Add("postgres://otl:pw@db.test/otl")
	f.Add("sqlite:x")
	f.Add("postgres://%")
	f.Fuzz(func(t *testing.T, s string) {
		var got secret.Text
		err := databaseURL(&got)(s)
		if err == nil && s != "" && !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") && !strings.HasPrefix(s, "sqlite:") {
			t.Errorf("%q is taken, and would be opened as a file", s)
		}
		if err != nil && len(s) > 12 && strings.Contains(err.Error(), s) {
			t.Errorf("%v repeats the value", err)
		}
	})
}

// TestLinksOfPages are https or a mailbox: nothing else belongs at the foot of a page.
func TestLinksOfPages(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://example.com/help", "mailto:help@example.com", ""} {
		if _, err := value("pages.help_url", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"http://example.com", "javascript:alert(1)", "mailto:", "mailto:a@b.test,c@d.test", "https://", "https://u:p@example.com", "/help", "data:text/html,x"} {
		for _, key := range []string{"pages.help_url", "pages.privacy_url", "pages.terms_url"} {
			if _, err := value(key, bad); err == nil {
				t.Errorf("%s takes %s", key, bad)
			}
		}
	}
}
