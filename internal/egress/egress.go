package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// Bounds of one request.
const (
	DefaultTimeout = 10 * time.Second
	MaxBody        = 16 << 10 // bytes of an answer that are read (WH-11)
	maxHead        = 32 << 10 // bytes of an answer's head; a longer one is an error
)

// Client makes requests under a policy. It follows no redirect, uses no proxy of the
// environment, keeps no cookie, unpacks nothing and reads no more of an answer than
// the policy says.
type Client struct {
	policy Policy
	owner  string // on whose behalf
	pools  *pools
}

// New makes a client.
func New(p Policy) *Client {
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	if p.Most == 0 {
		p.Most = MaxBody
	}
	return &Client{policy: p, pools: &pools{make: p.client, of: map[string]*pool{}}}
}

// client makes what keeps the connections of an owner under a policy.
func (p Policy) client(owner string) *http.Client {
	idle := 512
	if owner != "" {
		idle = ownIdle
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer{p, ownAddresses}.dial, TLSClientConfig: p.Roots, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: 64, MaxIdleConns: idle, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: p.Timeout, MaxResponseHeaderBytes: maxHead,
		},
		Timeout:       p.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// For gives the client that calls on behalf of somebody, a site by its id: connections that are
// kept are its own, those of New belong to nobody.
func (c *Client) For(owner string) *Client { return &Client{c.policy, owner, c.pools} }

// Check reports whether a URL may be called, as Policy.Check does.
func (c *Client) Check(raw string) error { return c.policy.Check(raw) }

// Answer is what came back.
type Answer struct {
	Status     int
	Header     http.Header
	RetryAfter string
	Body       []byte // as it came, cut at Policy.Most
	Cut        bool   // there was more
	Sent       bool   // the request went out, whatever came back
	Timing     Timing
}

// Do makes a request. Its URL is checked first; the addresses when they are dialled.
// An answer of any status is no error.
func (c *Client) Do(ctx context.Context, method, address string, headers http.Header, body []byte) (Answer, error) {
	if err := c.policy.Check(address); err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return Answer{}, ErrURL
	}
	if headers != nil {
		req.Header = headers
	}
	var w watch
	res, err := c.pools.get(c.owner).Do(req.WithContext(httptrace.WithClientTrace(ctx, w.trace())))
	if err != nil {
		var wrapped *url.Error // it quotes the URL, which may hold a token
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		sent, timing := w.seen()
		if errors.Is(err, ErrBlocked) { // nor does time tell which names lead inside (WH-11)
			timing = Timing{}
		}
		return Answer{Sent: sent, Timing: timing}, err
	}
	defer res.Body.Close()
	_, timing := w.seen()
	a := Answer{Status: res.StatusCode, Header: res.Header, RetryAfter: res.Header.Get("Retry-After"), Sent: true, Timing: timing}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, c.policy.Most+1))
	if a.Cut = int64(len(a.Body)) > c.policy.Most; a.Cut {
		a.Body = a.Body[:c.policy.Most]
	}
	return a, err
}

// Close lets go of connections that are kept.
func (c *Client) Close() { c.pools.close() }
