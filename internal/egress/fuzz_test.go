package egress_test

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/onetimelogin/otl/internal/egress"
)

// FuzzCheck: what is let through is https, to a host, on one of two ports, without a
// user; and an address in it is public.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://example.com", "https://[::1]:443/", "https://127.1", "http://x", "https://a@b", "https://a:1", "https://%31", "https://exa\tmple", "https:\\\\x", "https://[fe80::1%25eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if (egress.Policy{}).Check(s) != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q was let through", s)
		}
		if p := u.Port(); p != "" && p != "443" && p != "8443" {
			t.Fatalf("%q: port %s", s, p)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !egress.Public(a) {
			t.Fatalf("%q is not public", s)
		}
	})
}
