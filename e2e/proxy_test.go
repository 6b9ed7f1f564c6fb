package e2e

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// wire stands between a server and its database and can be cut.
type wire struct {
	url    string // of the database, by way of the wire
	target string
	mu     sync.Mutex
	cut    bool
	open   map[net.Conn]bool
}

// newWire leads to the database of a URL.
func newWire(t testing.TB, database string) *wire {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{target: u.Host, open: map[net.Conn]bool{}}
	u.Host = ln.Addr().String()
	w.url = u.String()
	t.Cleanup(func() {
		ln.Close()
		w.set(true)
	})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(conn)
		}
	}()
	return w
}

// keep notes a connection, unless the wire is cut.
func (w *wire) keep(all ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range all {
		if w.cut {
			c.Close()
		} else {
			w.open[c] = true
		}
	}
	return !w.cut
}

func (w *wire) carry(near net.Conn) {
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		near.Close()
		return
	}
	if !w.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // until either end goes away
			to.Close()
		})
	}
	both.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, near)
	delete(w.open, far)
}

// set cuts the wire, with everything that is under way, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.open {
			c.Close()
		}
	}
}
