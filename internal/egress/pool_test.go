package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/onetimelogin/otl/internal/egress"
)

// receiver is a server under a name, a client that may call it, and how many connections were
// made to it.
func receiver(t *testing.T) (*egress.Client, string, *atomic.Int64) {
	t.Helper()
	var made atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			made.Add(1)
		}
	}
	srv.StartTLS()
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
	return c, "https://example.com:" + port, &made
}

// TestTE11_ConnectionsAreTheirOwners: a site that calls a host for the first time connects to it,
// whoever else has just called it, and keeps its own connection whatever others do.
func TestTE11_ConnectionsAreTheirOwners(t *testing.T) {
	t.Parallel()
	c, url, made := receiver(t)
	for i, one := range []struct {
		owner string
		fresh bool
	}{{"notes", true}, {"shop", true}, {"notes", false}, {"", true}, {"shop", false}, {"", false}} {
		a, err := c.For(one.owner).Do(t.Context(), http.MethodPost, url, nil, []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Timing; got.Connect > 0 != one.fresh || got.Handshake > 0 != one.fresh || got.Lookup > 0 != one.fresh {
			t.Errorf("%d, of %q: %+v", i, one.owner, got)
		}
	}
	if made.Load() != 3 {
		t.Errorf("%d connections for three", made.Load())
	}
}

// TestConnectionsOfFewAreKept: of very many owners those who called latest.
func TestConnectionsOfFewAreKept(t *testing.T) {
	t.Parallel()
	c, url, made := receiver(t)
	ask := func(owner string) {
		t.Helper()
		if _, err := c.For(owner).Do(t.Context(), http.MethodPost, url, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range egress.MaxPools {
		ask(strconv.Itoa(i))
	}
	ask("0")    // is the latest now
	ask("more") // 1 makes room
	before := made.Load()
	if ask("0"); made.Load() != before {
		t.Error("who called lately has no connection any more")
	}
	if ask("1"); made.Load() == before {
		t.Error("nobody made room")
	}
}

// TestWH11_TimeTellsNoName: a name that does not exist and one that leads inside took as long.
func TestWH11_TimeTellsNoName(t *testing.T) {
	t.Parallel()
	c := egress.New(egress.Policy{Resolver: resolver(t, func(name string, _ dnsmessage.Type, _ int64) []netip.Addr {
		if name == "inside.test." {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		}
		return nil
	})})
	t.Cleanup(c.Close)
	for _, host := range []string{"inside.test", "nowhere.test"} {
		a, err := c.Do(t.Context(), http.MethodPost, "https://"+host, nil, nil)
		if egress.Problem(err) != "the URL "+egress.ErrBlocked.Error() || a.Timing != (egress.Timing{}) {
			t.Errorf("%s: %+v %v", host, a.Timing, err)
		}
	}
}
