package server

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// FuzzPeer: a stranger's address is his own whatever he sends; behind a proxy of
// ours it is the proxy's or the right-most entry that is none of ours, with
// nothing unreadable to the right of it.
func FuzzPeer(f *testing.F) {
	for _, s := range []string{
		"", "1.1.1.1", "1.1.1.1, 2.2.2.2", ",,,", "::1", "10.0.0.1, 10.0.0.2", "\x00", "[::1]:80", "[::1]", "1.1.1.1:80", "1.1.1.1:99999", "fe80::1%eth0",
		"1.1.1.1,x", "x,1.1.1.1", "::ffff:10.0.0.1", "1.1.1.1\t,\t2.2.2.2 ", strings.Repeat("10.0.0.1,", 1000), "[10.0.0.1]", "[[::1]]",
	} {
		f.Add(s)
	}
	s := &Server{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	ask := func(remote, forwarded string) netip.Addr {
		return s.peer(&http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}})
	}
	f.Fuzz(func(t *testing.T, forwarded string) {
		if got := ask("203.0.113.7:1", forwarded); got.String() != "203.0.113.7" {
			t.Fatalf("a stranger becomes %s by %q", got, forwarded)
		}
		got := ask("10.0.0.9:1", forwarded)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q gives %v", forwarded, got)
		}
		hops := strings.Split(forwarded, ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, ok := parseHop(strings.Trim(hops[i], " \t"))
			if !ok {
				break
			}
			if hop = hop.Unmap().WithZone(""); !s.trusted(hop) {
				if got != hop {
					t.Fatalf("%q gives %s, want %s", forwarded, got, hop)
				}
				return
			}
		}
		if !s.trusted(got) {
			t.Fatalf("%q gives %s, which is no proxy and not the right-most of the others", forwarded, got)
		}
	})
}

func TestHT08_AnEntryMayCarryAPort(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:80": "192.0.2.1", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:80": "2001:db8::1",
		"": "", "2001:db8::1]": "", "[2001:db8::1": "", "[192.0.2.1]": "", "192.0.2.1:": "", "192.0.2.1:x": "", "192.0.2.1/24": "", "192.0.2": "", "_hidden": "",
		`"192.0.2.1"`: "", "for=192.0.2.1": "", "3221225985": "",
	} {
		ip, ok := parseHop(s)
		if ok != (want != "") || ok && ip.String() != want {
			t.Errorf("%q: %v %v, want %q", s, ip, ok, want)
		}
	}
}
