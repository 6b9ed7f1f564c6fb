package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Bounds of one request.
const (
	DefaultTimeout = 10 * time.Second
	MaxBody        = 16 << 10 // bytes of an answer that are read (WH-11)
)

// Errors of requests that are not made.
var (
	ErrURL     = errors.New("must be an https URL without a user name, such as https://example.com/hook")
	ErrBlocked = errors.New("the address is not one this server may call")
)

// Policy says what may be called.
type Policy struct {
	// Trusted is for addresses that the operator configured himself, never for what
	// came in a request: plain http, any port and addresses of the own network.
	Trusted bool
	// Roots are the certificates believed; nil for those of the machine.
	Roots *tls.Config
}

// Client makes requests under a policy. It follows no redirect, uses no proxy of the
// environment, keeps no cookie and reads no more of an answer than MaxBody.
type Client struct {
	policy Policy
	http   *http.Client
}

// New makes a client.
func New(p Policy) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	if !p.Trusted {
		// At this point the name is resolved: what is checked is what is dialled.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return allowed(address) }
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: p.Roots, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 8, MaxIdleConns: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: DefaultTimeout, MaxResponseHeaderBytes: 32 << 10,
	}
	return &Client{p, &http.Client{
		Transport: transport, Timeout: DefaultTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// allowed refuses addresses of this machine and of networks behind it, in whatever
// form they come.
func allowed(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !Public(at.Addr()) {
		return fmt.Errorf("%w: %s", ErrBlocked, address)
	}
	return nil
}

// blocked are the ranges that lead nowhere public, besides those netip knows: this
// network, carrier-grade NAT, protocol assignments, documentation, benchmarks, the
// reserved and the IPv6 ones that carry or translate IPv4.
func blocked() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range strings.Fields(`0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
		64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10 ::/96`) {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Public reports whether an address is one of the public internet.
func Public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	for _, p := range blocked() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Check reports whether a URL may be called as far as it can be told from itself.
func (p Policy) Check(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		return ErrURL
	}
	if p.Trusted {
		if u.Scheme != "https" && u.Scheme != "http" {
			return ErrURL
		}
		return nil
	}
	if u.Scheme != "https" || u.User != nil {
		return ErrURL
	}
	if port := u.Port(); port != "" && port != "443" && port != "8443" {
		return fmt.Errorf("%w: the port must be 443 or 8443", ErrURL)
	}
	return nil
}

// Answer is what came back.
type Answer struct {
	Status     int
	RetryAfter string
	Body       []byte // at most MaxBody
}

// Do makes a request. Its URL is checked first; the address when it is dialled. An
// answer of any status is no error.
func (c *Client) Do(ctx context.Context, method, address string, headers http.Header, body []byte) (Answer, error) {
	if err := c.policy.Check(address); err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(string(body)))
	if err != nil {
		return Answer{}, ErrURL
	}
	if headers != nil {
		req.Header = headers
	}
	res, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error // it quotes the URL, which may hold a token
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return Answer{}, err
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, RetryAfter: res.Header.Get("Retry-After")}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, MaxBody))
	return a, err
}

// Close lets go of connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }
