package server

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Connections bounds how many connections are open at once (HT-06). What goes beyond is
// closed as soon as it is taken: it is never left to wait where it would hold back others.
type Connections struct {
	Total int // of everybody; 0 for no bound
	// PerAddress is for one IPv4 address, or the 64 bits of an IPv6 one that a single household
	// has. Trusted proxies and what comes over a socket stand for many people and count in the
	// total alone. 0 for no bound.
	PerAddress int
}

// crowd counts the connections that are open.
type crowd struct {
	Connections
	proxy   func(netip.Addr) bool
	refused atomic.Int64

	mu   sync.Mutex
	open int
	from map[netip.Prefix]int // by household, none for proxies
}

// enter lets a connection in, or does not; leave is called when it is closed.
func (c *crowd) enter(ip netip.Addr) (leave func(), ok bool) {
	home := household(ip)
	counted := c.PerAddress > 0 && home.IsValid() && !c.proxy(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Total > 0 && c.open >= c.Total || counted && c.from[home] >= c.PerAddress {
		c.refused.Add(1)
		return nil, false
	}
	c.open++
	if counted {
		c.from[home]++
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open--
		if !counted {
			return
		}
		if c.from[home]--; c.from[home] == 0 {
			delete(c.from, home)
		}
	}), true
}

// size gives how many connections are open.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// household gives what addresses are counted together (HT-09); it is invalid for none.
func household(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	home, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return home
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
		leave, ok := g.crowd.enter(direct(conn.RemoteAddr().String()))
		if ok {
			return &member{conn, leave}, nil
		}
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
