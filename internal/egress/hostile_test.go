package egress_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/onetimelogin/otl/internal/egress"
)

// TestWH08_RefusedSpellings calls every URL of the corpus. Each is refused before a
// socket is opened, whatever its name stands for.
func TestWH08_RefusedSpellings(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	inside := newTrap(t, "127.0.0.1:0")
	c := egress.New(egress.Policy{Ports: []uint16{443, 8443, inside.port}, Resolver: resolver(t, func(string, dnsmessage.Type, int64) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	})})
	t.Cleanup(c.Close)
	n := 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		n++
		address := strings.ReplaceAll(line, "PORT", strconv.Itoa(int(inside.port)))
		if _, err := c.Do(t.Context(), http.MethodPost, address, nil, nil); !errors.Is(err, egress.ErrURL) && !errors.Is(err, egress.ErrBlocked) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if n < 200 {
		t.Errorf("the corpus has %d URLs", n)
	}
	if calls := inside.calls.Load(); calls != 0 {
		t.Errorf("%d connections arrived", calls)
	}
}

// TestWH09_Rebinding: a name whose answer changes with every question, and one that
// stands for a good and a bad address at once, never lead to the bad one. 127.0.0.2
// plays the good address, because no test may call the internet.
func TestWH09_Rebinding(t *testing.T) {
	t.Parallel()
	good, bad := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	inside := newTrap(t, "127.0.0.1:0")
	outside := newTrap(t, fmt.Sprintf("127.0.0.2:%d", inside.port))
	names := resolver(t, func(name string, kind dnsmessage.Type, n int64) []netip.Addr {
		switch {
		case kind == dnsmessage.TypeAAAA:
			return nil
		case strings.HasPrefix(name, "both"):
			return []netip.Addr{good, bad}
		case n%2 == 0:
			return []netip.Addr{bad}
		}
		return []netip.Addr{good}
	})
	c := egress.New(egress.Policy{Networks: []netip.Prefix{netip.PrefixFrom(good, 32)}, Ports: []uint16{inside.port}, Resolver: names})
	t.Cleanup(c.Close)
	blocked := 0
	for i := range 1000 {
		name := fmt.Sprintf("https://flip%d.example:%d/", i, inside.port)
		if i%4 == 3 {
			name = strings.Replace(name, "flip", "both", 1)
		}
		_, err := c.Do(t.Context(), http.MethodGet, name, nil, nil)
		if err == nil {
			t.Fatal("a trap answered")
		}
		if errors.Is(err, egress.ErrBlocked) {
			blocked++
		}
	}
	if n := inside.calls.Load(); n != 0 {
		t.Errorf("%d connections to the blocked address", n)
	}
	if n := outside.calls.Load(); n < 250 || blocked < 500 {
		t.Errorf("%d connections to the good address and %d refusals: the answers did not change", n, blocked)
	}
}

// TestWH08_Networks: what the operator opened may be called, on the ports he opened,
// and nothing beside it.
func TestWH08_Networks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy egress.Policy
		url    string
		want   error
	}{
		{egress.Policy{}, "https://10.1.2.3/", egress.ErrBlocked},
		{egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "https://10.1.2.3/", nil},
		{egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "https://[::ffff:10.1.2.3]/", nil},
		{egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "https://10.2.2.3/", egress.ErrBlocked},
		{egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "http://10.1.2.3/", egress.ErrURL},
		{egress.Policy{Ports: []uint16{9000}}, "https://example.com:9000/", nil},
		{egress.Policy{Ports: []uint16{9000}}, "https://example.com:443/", egress.ErrURL},
		{egress.Policy{Loopback: true}, "http://localhost:3000/hooks", nil},
		{egress.Policy{Loopback: true}, "http://127.0.0.1:3000/hooks", nil},
		{egress.Policy{Loopback: true}, "http://notes.localhost/", nil},
		{egress.Policy{Loopback: true}, "ftp://localhost/", egress.ErrURL},
		{egress.Policy{Loopback: true}, "http://example.com/", egress.ErrURL},
		{egress.Policy{Loopback: true}, "http://localhost.example.com/", egress.ErrURL},
		{egress.Policy{Loopback: true}, "https://10.0.0.1/", egress.ErrBlocked},
	} {
		if err := c.policy.Check(c.url); !errors.Is(err, c.want) {
			t.Errorf("%+v %s: %v", c.policy, c.url, err)
		}
	}
}

// TestWH08_OwnAddresses: what listens on this machine is not called, even on an
// address that is public.
func TestWH08_OwnAddresses(t *testing.T) {
	t.Parallel()
	mine, other := netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("9.9.9.10")
	if egress.Permits(egress.Policy{}, mine, mine) {
		t.Error("an own address may be called")
	}
	if !egress.Permits(egress.Policy{}, other, mine) || !egress.Permits(egress.Policy{Networks: []netip.Prefix{netip.PrefixFrom(mine, 32)}}, mine, mine) {
		t.Error("a foreign one, or one the operator opened, may not")
	}
	own, err := egress.OwnAddresses()
	if err != nil || len(own) == 0 {
		t.Errorf("%v %v", own, err)
	}
}

// TestWH10_NoProxy: a proxy named in the environment is not used.
func TestWH10_NoProxy(t *testing.T) {
	proxy := newTrap(t, "127.0.0.1:0")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"} {
		t.Setenv(name, fmt.Sprintf("http://127.0.0.1:%d", proxy.port))
	}
	outside := newTrap(t, "127.0.0.2:0")
	names := resolver(t, func(string, dnsmessage.Type, int64) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})
	c := egress.New(egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Ports: []uint16{outside.port}, Resolver: names})
	t.Cleanup(c.Close)
	_, err := c.Do(t.Context(), http.MethodGet, fmt.Sprintf("https://hook.example:%d/", outside.port), nil, nil)
	if err == nil || outside.calls.Load() == 0 || proxy.calls.Load() != 0 {
		t.Errorf("%v: %d direct, %d through the proxy", err, outside.calls.Load(), proxy.calls.Load())
	}
}

// TestWH11_Problem: what a site is told about its address names neither the address
// nor whether something is behind it.
func TestWH11_Problem(t *testing.T) {
	t.Parallel()
	names := resolver(t, func(name string, _ dnsmessage.Type, _ int64) []netip.Addr {
		if strings.HasPrefix(name, "inside") {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		}
		return nil
	})
	c := egress.New(egress.Policy{Resolver: names})
	t.Cleanup(c.Close)
	_, inside := c.Do(t.Context(), http.MethodGet, "https://inside.example/?token=canary", nil, nil)
	_, nobody := c.Do(t.Context(), http.MethodGet, "https://nobody.example/?token=canary", nil, nil)
	if egress.Problem(inside) != egress.Problem(nobody) || strings.Contains(inside.Error(), "canary") {
		t.Errorf("%v, %v", inside, nobody)
	}
	open := newTrap(t, "127.0.0.2:0")
	local := egress.New(egress.Policy{Loopback: true})
	t.Cleanup(local.Close)
	for address, want := range map[string]string{
		"http://127.0.0.1:1/":                          "the connection was refused",
		fmt.Sprintf("http://127.0.0.2:%d/", open.port): "the connection failed",
		"http://example.com/":                          "the URL must be an https URL without a user name, such as https://example.com/hook",
		"https://10.0.0.1/":                            "the URL leads to no address that this server may call",
	} {
		_, err := local.Do(t.Context(), http.MethodGet, address, nil, nil)
		if got := egress.Problem(err); got != want {
			t.Errorf("%s: %q (%v)", address, got, err)
		}
	}
}
