package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/onetimelogin/otl/internal/egress"
)

// TestTiming: each part of a request that happened took some time, and on a connection that was
// kept only waiting did.
func TestTiming(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := egress.New(egress.Policy{
		Trusted: true, Roots: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		Resolver: resolver(t, func(string, dnsmessage.Type, int64) []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}),
	})
	t.Cleanup(c.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() egress.Timing {
		t.Helper()
		a, err := c.Do(t.Context(), http.MethodPost, "https://example.com:"+port, nil, []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		return a.Timing
	}
	if first := ask(); first.Lookup <= 0 || first.Connect <= 0 || first.Handshake <= 0 || first.Wait <= 0 {
		t.Errorf("%+v", first)
	}
	if next := ask(); next.Wait <= 0 || next != (egress.Timing{Wait: next.Wait}) {
		t.Errorf("on the same connection: %+v", next)
	}
	c.Close()
	srv.Close()
	a, err := c.Do(t.Context(), http.MethodPost, "https://example.com:"+port, nil, nil)
	if err == nil || a.Sent || a.Timing.Lookup <= 0 || a.Timing.Handshake != 0 || a.Timing.Wait != 0 {
		t.Errorf("where nobody listens: %+v %v", a, err)
	}
}
