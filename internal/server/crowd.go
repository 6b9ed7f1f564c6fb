package server

import (
	"net"
	"net/netip"
	"sync"

	"github.com/onetimelogin/otl/internal/otl"
)

// Connections bounds how many connections are open at once (HT-06). What goes beyond is
// closed as soon as it is taken: it is never left to wait where it would hold back others.
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

// crowd counts the connections that are open.
type crowd struct {
	Connections
	proxy func(netip.Addr) bool
	full  func(bound string, from netip.Addr) // told of each connection that is refused

	mu   sync.Mutex
	open map[netip.Prefix]int // by household and /48, none for proxies; all by the zero prefix
}

// bound is how many connections may be counted together.
type bound struct {
	name string // in metrics
	of   netip.Prefix
	most int // 0 for no bound
}

// enter lets a connection in, to which leave belongs when it is closed, or gives the name of
// the bound that is reached.
func (c *crowd) enter(ip netip.Addr) (leave func(), full string) {
	of := c.bounds(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range of {
		if b.most > 0 && c.open[b.of] >= b.most {
			return nil, b.name
		}
	}
	for _, b := range of {
		c.open[b.of]++
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, b := range of {
			if c.open[b.of]--; c.open[b.of] == 0 {
				delete(c.open, b.of)
			}
		}
	}), ""
}

// bounds gives what an address is counted in.
func (c *crowd) bounds(ip netip.Addr) []bound {
	all := []bound{{"total", netip.Prefix{}, c.Total}}
	home := otl.Household(ip)
	if c.PerAddress == 0 || !home.IsValid() || c.proxy(ip) {
		return all
	}
	if home.Addr().Is6() {
		all = append(all, bound{"prefix", netip.PrefixFrom(home.Addr(), 48).Masked(), prefixShare * c.PerAddress})
	}
	return append(all, bound{"address", home, c.PerAddress})
}

// size gives how many connections are open.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[netip.Prefix{}]
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
		ip := direct(conn.RemoteAddr().String())
		leave, full := g.crowd.enter(ip)
		if full == "" {
			return &member{conn, leave}, nil
		}
		g.crowd.full(full, ip)
		if tcp, is := conn.(*net.TCPConn); is {
			_ = tcp.SetLinger(0) // forget it at once: it is one of very many
		}
		_ = conn.Close() // it is of no use either way
	}
}

// member is a connection of the crowd.
type member struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (m *member) Close() error {
	defer m.leave()
	return m.Conn.Close()
}
