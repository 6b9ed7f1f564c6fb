package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/onetimelogin/otl/internal/otl"
)

// Connections bounds how many connections are open at once (HT-06). Where as many are there, a
// new one takes the place of one that is idle, of those looked at the one that is so for longest.
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

// crowd is the connections that are open.
type crowd struct {
	Connections
	proxy func(netip.Addr) bool
	// full is told whenever there was no room: of which bound, and whether the new connection
	// was refused or an idle one was closed for it.
	full func(bound string, from netip.Addr, refused bool)

	turn atomic.Int64 // counts how often a connection became idle

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
			if out, full = g.idlest(), g.bound; out == nil {
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

// idlest gives a connection that can go, nil where none of those looked at is idle.
func (g *group) idlest() (out *member) {
	n, first := 0, int64(0)
	for m := range g.open { // a map gives them in no order
		if since := m.idle.Load(); since > 0 && (out == nil || since < first) {
			out, first = m, since
		}
		if n++; n == looked {
			break
		}
	}
	return out
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

// moved is the http.Server.ConnState of the crowd. A connection is idle from the start, until
// the headers of its first request are there, and between requests.
func (c *crowd) moved(conn net.Conn, state http.ConnState) {
	if t, is := conn.(*tls.Conn); is {
		conn = t.NetConn()
	}
	m, is := conn.(*member)
	if !is {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		m.idle.Store(0)
	case http.StateIdle:
		m.rest()
	case http.StateNew, http.StateClosed: // it is idle from the start, and Close says the other
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
	idle  atomic.Int64 // the turn since which it is, 0 while it works
	of    []*group     // none once it left; the crowd's lock guards it
}

// rest says that the connection is idle from now on.
func (m *member) rest() { m.idle.Store(m.crowd.turn.Add(1)) }

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
