package egress_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/egress"
)

// TestWH08_OnlyPublicAddresses goes through the ranges that are not.
func TestWH08_OnlyPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range strings.Fields(`0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.1.2.3 169.254.169.254 169.254.0.1 172.16.0.1 172.31.255.255
		192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
		:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:a9fe:a9fe::
		fc00::1 fd00:ec2::254 fdff::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 3fff::1 5f00::1 2001:10::1 2001:2::1`) {
		if egress.Public(netip.MustParseAddr(s)) {
			t.Errorf("%s counts as public", s)
		}
	}
	for _, s := range strings.Fields(`1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.0.1 198.17.0.1 198.20.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8`) {
		if !egress.Public(netip.MustParseAddr(s)) {
			t.Errorf("%s does not count as public", s)
		}
	}
	if egress.Public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

// TestWH10_URLs: https, two ports, no user.
func TestWH10_URLs(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"http://example.com", "ftp://example.com", "https://user:pass@example.com", "https://user@example.com", "https://example.com:22", "https://example.com:80", "//example.com",
		"https:example.com", "https://", "https:///x", "https://example.com#x", "file:///etc/passwd", "gopher://example.com", "https://exa mple.com", "", "example.com", "https://:443",
	} {
		if err := (egress.Policy{}).Check(s); !errors.Is(err, egress.ErrURL) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := (egress.Policy{Ports: []uint16{443, 9000}}).Check("https://example.com:8443"); err == nil || err.Error() != "the port must be 443 or 9000" {
		t.Error(err)
	}
	for _, s := range []string{"https://example.com", "https://example.com:443/x?y=1", "https://example.com:8443/"} {
		if err := (egress.Policy{}).Check(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := (egress.Policy{Trusted: true}).Check("http://sms.internal:8080/x"); err != nil {
		t.Error(err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/long":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		default:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(r.Method + " " + r.Header.Get("X-Test")))
		}
	}))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := egress.New(egress.Policy{Trusted: true, Roots: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	t.Cleanup(c.Close)
	a, err := c.Do(t.Context(), http.MethodPut, srv.URL, http.Header{"X-Test": {"1"}}, []byte("body"))
	if err != nil || a.Status != 429 || a.RetryAfter != "7" || string(a.Body) != "PUT 1" || a.Cut || a.Header.Get("Retry-After") != "7" {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := c.Do(t.Context(), http.MethodGet, srv.URL+"/redirect", nil, nil); err != nil || a.Status != http.StatusFound {
		t.Errorf("a redirect was followed: %+v %v", a, err)
	}
	if a, err := c.Do(t.Context(), http.MethodGet, srv.URL+"/long", nil, nil); err != nil || len(a.Body) != egress.MaxBody || !a.Cut {
		t.Errorf("%d bytes were read: %v", len(a.Body), err)
	}
	plain := egress.New(egress.Policy{Trusted: true})
	t.Cleanup(plain.Close)
	if _, err := plain.Do(t.Context(), http.MethodGet, srv.URL+"/?token=canary", nil, nil); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("an unknown certificate: %v", err)
	}
}
