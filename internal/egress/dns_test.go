package egress_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// resolver gives a resolver that asks a DNS server of the test's own. answer says
// what a question gets; the number counts all questions for addresses of one kind.
func resolver(t *testing.T, answer func(name string, kind dnsmessage.Type, n int64) []netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go serveDNS(conn, answer)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func serveDNS(conn net.PacketConn, answer func(string, dnsmessage.Type, int64) []netip.Addr) {
	var v4, v6 atomic.Int64
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		number := &v4
		if q.Type == dnsmessage.TypeAAAA {
			number = &v6
		}
		for _, a := range answer(q.Name.String(), q.Type, number.Add(1)) {
			head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
		if raw, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(raw, from)
		}
	}
}

// trap counts the connections that arrive at an address of this machine.
type trap struct {
	port  uint16
	calls atomic.Int64
}

func newTrap(t *testing.T, address string) *trap {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	tr := &trap{port: ln.Addr().(*net.TCPAddr).AddrPort().Port()}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			tr.calls.Add(1)
			go func() { // what was sent is read, or closing would reset the connection, now and then
				defer c.Close()
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return tr
}
