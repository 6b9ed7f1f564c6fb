package server

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/onetimelogin/otl/internal/otl"
)

// Connections bounds how many connections are open at once (HT-06). Where as many are there, a
// new one takes the place of one that is idle, of those looked at the one that is so for longest:
// that waits for a request or for the rest of one, over HTTP/2 of all that it has open.
// Where none is idle it is closed as soon as it is taken: it is never left to wait where it would
// hold back others.
type Connections struct {
	Total int // of everybody; 0 for no bound
	// PerAddress is for one IPv4 address, or the 64 bits of an IPv6 one that a single household
	// has; prefixShare times as many for the 48 bits that a single customer may have. Trusted
	// proxies and what comes over a socket stand for many people and count in the total alone.
	// 0 for no bound.
	PerAddress int
}

// prefixShare is how many households of one /48 of IPv6 may have all connections of theirs.
const prefixShare = 4

// looked is how many connections are looked at, taken at random, for one that can go: enough
// that it is among the older ones, and as many however full it is.
const looked = 64

// going is what member.idle is of a connection that was chosen to go.
const going = -1

// maxUnread is of how many bytes of a body that nobody read net/http closes the connection, and
// does not wait for them.
const maxUnread = 256 << 10

// crowd is the connections that are open.
type crowd struct {
	Connections
	proxy func(netip.Addr) bool
	// full is told whenever there was no room: of which bound, and whether the new connection
	// was refused or an idle one was closed for it.
	full func(bound string, from netip.Addr, refused bool)

	turns atomic.Int64 // counts how often a connection became idle

	mu   sync.Mutex
	all  group
	from map[netip.Prefix]*group // none for proxies
}

// group is connections that are counted together.
type group struct {
	bound string // what it is called in metrics
	most  int    // 0 for no bound
	key   netip.Prefix
	open  map[*member]struct{}
}

func newCrowd(c Connections, proxy func(netip.Addr) bool, full func(bound string, from netip.Addr, refused bool)) *crowd {
	return &crowd{
		Connections: c, proxy: proxy, full: full,
		all: group{bound: "total", most: c.Total, open: map[*member]struct{}{}}, from: map[netip.Prefix]*group{},
	}
}

// enter lets a connection in and gives the one that must go for it, nil for none: that is in
// itself where none is idle.
func (c *crowd) enter(conn net.Conn, ip netip.Addr) (in, out *member) {
	in = &member{Conn: conn, crowd: c}
	out, full := c.seat(in, ip)
	if full != "" {
		c.full(full, ip, in == out)
	}
	return in, out
}

// seat does what enter says and gives the bound that was reached. Every group lies in the next
// one, so that who leaves the first that is full makes room in all.
func (c *crowd) seat(in *member, ip netip.Addr) (out *member, full string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in.of = c.groups(ip)
	for _, g := range in.of {
		if out == nil && g.most > 0 && len(g.open) >= g.most {
			if out, full = g.goer(), g.bound; out == nil {
				out = in
			}
		}
		g.open[in] = struct{}{}
	}
	in.rest()
	if out != nil {
		out.leave()
	}
	return out, full
}

// goer gives a connection that goes from now on, nil where none of those looked at is idle. Whose
// request came in this moment stays, and another one is looked for.
func (g *group) goer() *member {
	for {
		m, since := g.idlest()
		if m == nil || m.idle.CompareAndSwap(since, going) {
			return m
		}
	}
}

// idlest gives the connection that is idle for longest, and since when, of those looked at.
func (g *group) idlest() (out *member, first int64) {
	n := 0
	for m := range g.open { // a map gives them in no order
		if since := m.idle.Load(); since > 0 && (out == nil || since < first) {
			out, first = m, since
		}
		if n++; n == looked {
			break
		}
	}
	return out, first
}

// groups gives what an address is counted in, the narrowest first.
func (c *crowd) groups(ip netip.Addr) []*group {
	var of []*group
	if home := otl.Household(ip); c.PerAddress > 0 && home.IsValid() && !c.proxy(ip) {
		of = append(of, c.group("address", home, c.PerAddress))
		if home.Addr().Is6() {
			of = append(of, c.group("prefix", netip.PrefixFrom(home.Addr(), 48).Masked(), prefixShare*c.PerAddress))
		}
	}
	return append(of, &c.all)
}

func (c *crowd) group(bound string, key netip.Prefix, most int) *group {
	g := c.from[key]
	if g == nil {
		g = &group{bound: bound, most: most, key: key, open: map[*member]struct{}{}}
		c.from[key] = g
	}
	return g
}

// size gives how many connections are open.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all.open)
}

// largest gives the address of the household that has the most connections; none where nobody is
// counted by address.
func (c *crowd) largest() (of netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	for home, g := range c.from {
		if g.bound == "address" && len(g.open) > most {
			most, of = len(g.open), home.Addr()
		}
	}
	return of
}

// memberOf gives the member of the crowd that a connection of the http.Server is, nil for none.
func memberOf(conn net.Conn) *member {
	if t, is := conn.(*tls.Conn); is {
		conn = t.NetConn()
	}
	m, _ := conn.(*member)
	return m
}

// moved is the http.Server.ConnState of the crowd. A connection is idle from the start, until
// the headers of a request are there, and between requests.
func (c *crowd) moved(conn net.Conn, state http.ConnState) {
	m := memberOf(conn)
	if m == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		m.quiet(false)
	case http.StateIdle:
		m.quiet(true)
	case http.StateNew, http.StateClosed: // it is idle from the start, and Close says the other
	}
}

// memberKey is that of the member in the context of a connection.
type memberKey struct{}

// known is the http.Server.ConnContext of the crowd.
func (c *crowd) known(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, memberKey{}, memberOf(conn))
}

// staying gives a handler the requests of connections that stay: one that came while its
// connection was chosen to go is not begun, because its answer would reach nobody. A connection
// is idle while all its requests wait for their bodies.
func staying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, _ := r.Context().Value(memberKey{}).(*member)
		if m == nil {
			next.ServeHTTP(w, r)
			return
		}
		if !m.tally(1, 0, 0) {
			panic(http.ErrAbortHandler)
		}
		defer m.tally(-1, 0, 0)
		if r.Body != http.NoBody {
			whole := *r // that of net/http stays as it is
			body := &awaited{ReadCloser: r.Body, from: m, since: m.crowd.turns.Add(1)}
			if r.ProtoMajor == 1 && !r.Close && r.Header.Get("Expect") == "" {
				body.left = r.ContentLength
			}
			whole.Body, r = body, &whole
		}
		next.ServeHTTP(w, r)
	})
}

// awaited is a body whose connection may go while more of it is waited for, for as long as one
// that is idle since the request began, however often a little comes.
type awaited struct {
	io.ReadCloser
	from  *member
	since int64
	left  int64 // how many bytes net/http would wait for before it answers; 0 or less for none
}

// Read implements io.Reader. The error is net.ErrClosed where the connection goes.
func (a *awaited) Read(p []byte) (n int, err error) {
	if a.from.tally(-1, 1, a.since) {
		n, err = a.ReadCloser.Read(p)
		a.left -= int64(n)
	}
	if !a.from.tally(1, -1, 0) {
		return 0, net.ErrClosed
	}
	return n, err
}

// drain takes what nobody read of a body, where net/http would wait for it unseen by the crowd.
// It is for right before the answer.
func drain(body io.Reader) {
	if a, is := body.(*awaited); is && a.left > 0 && a.left < maxUnread {
		_, _ = io.Copy(io.Discard, a) // whatever fails, the answer is as before
	}
}

// gate is a listener that lets no more in than the crowd may be.
type gate struct {
	net.Listener
	crowd *crowd
}

// Accept implements net.Listener.
func (g gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		in, out := g.crowd.enter(conn, direct(conn.RemoteAddr().String()))
		if tcp, is := conn.(*net.TCPConn); is && in == out {
			_ = tcp.SetLinger(0) // forget it at once: it is one of very many
		}
		if out != nil {
			_ = out.Close() // it is of no use either way
		}
		if in != out {
			return in, nil
		}
	}
}

// member is a connection of the crowd.
type member struct {
	net.Conn
	crowd *crowd
	idle  atomic.Int64 // the turn since which it is, 0 while it works, going once it was chosen to go
	of    []*group     // none once it left; the crowd's lock guards it

	mu      sync.Mutex // never held with the crowd's
	none    bool       // net/http says that no request is there
	working int        // requests that are worked on, one at a time over HTTP/1
	waiting int        // requests whose bodies are waited for
}

// quiet says that the connection has no request and is idle from now on, or that it has one. What
// still works on one that was taken back does so for nobody.
func (m *member) quiet(none bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.none = none; none {
		m.rest()
	} else {
		m.turn(0)
	}
}

// tally counts requests that are worked on and that wait for their bodies. The connection works while
// one of the first is there; where others alone are left it is idle, since a turn or, for 0, since now. With
// neither net/http says what it is, once the answer is out. It reports false where the connection goes.
func (m *member) tally(working, waiting int, since int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.working += working
	m.waiting += waiting
	switch {
	case m.none:
	case m.working > 0:
		return m.turn(0)
	case m.waiting > 0 && since == 0:
		return m.rest()
	case m.waiting > 0:
		return m.turn(since)
	}
	return m.idle.Load() != going
}

// rest says that the connection is idle from now on. It reports false where it goes.
func (m *member) rest() bool { return m.turn(m.crowd.turns.Add(1)) }

// turn says since which turn the connection is idle, 0 where it works. It reports false where
// it goes: that stays so.
func (m *member) turn(to int64) bool {
	for {
		was := m.idle.Load()
		if was == going {
			return false
		}
		if m.idle.CompareAndSwap(was, to) {
			return true
		}
	}
}

// Close implements net.Conn.
func (m *member) Close() error {
	m.crowd.mu.Lock()
	m.leave()
	m.crowd.mu.Unlock()
	return m.Conn.Close()
}

// leave takes a connection out of its groups. It may be done again. The crowd is locked.
func (m *member) leave() {
	for _, g := range m.of {
		if delete(g.open, m); len(g.open) == 0 && g != &m.crowd.all {
			delete(m.crowd.from, g.key)
		}
	}
	m.of = nil
}
