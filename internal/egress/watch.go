package egress

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// Timing is how long the parts of a request took: looking its name up, connecting, the TLS
// handshake, and waiting for the first byte of the answer once it was sent. A part that did not
// happen took 0, as the first three on a connection that was kept.
type Timing struct{ Lookup, Connect, Handshake, Wait time.Duration }

// watch is what happened of a request so far. The transport tells of connections from goroutines
// of its own, also of one that nobody waits for any more.
type watch struct {
	mu        sync.Mutex
	timing    Timing
	part      *time.Duration // of timing, which is under way; nil for none
	since     time.Time      // when that began
	connected bool
	sent      bool
}

// turn ends the part that is under way and begins another one, none for nil. Of connecting nothing
// counts once there is a connection.
func (w *watch) turn(connecting bool, part *time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !connecting || !w.connected {
		w.next(part)
	}
}

func (w *watch) next(part *time.Duration) {
	now := time.Now()
	if w.part != nil {
		*w.part += now.Sub(w.since)
	}
	w.part, w.since = part, now
}

// begin notes that a connection is wanted: the first one, or another because one that was kept
// turned out to be closed.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timing, w.part, w.connected = Timing{}, nil, false
}

// got notes that there is a connection.
func (w *watch) got(kept bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next(nil)
	if w.connected = true; kept {
		w.timing = Timing{}
	}
}

// wrote notes that the request went out, or did not.
func (w *watch) wrote(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next(&w.timing.Wait)
	w.sent = w.sent || err == nil
}

// seen gives whether the request went out, and how long its parts took up to now.
func (w *watch) seen() (sent bool, timing Timing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next(nil)
	return w.sent, w.timing
}

func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { w.begin() },
		DNSStart:             func(httptrace.DNSStartInfo) { w.turn(true, &w.timing.Lookup) },
		DNSDone:              func(httptrace.DNSDoneInfo) { w.turn(true, nil) },
		ConnectStart:         func(string, string) { w.turn(true, &w.timing.Connect) },
		ConnectDone:          func(string, string, error) { w.turn(true, nil) },
		TLSHandshakeStart:    func() { w.turn(true, &w.timing.Handshake) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { w.turn(true, nil) },
		GotConn:              func(i httptrace.GotConnInfo) { w.got(i.Reused) },
		WroteRequest:         func(i httptrace.WroteRequestInfo) { w.wrote(i.Err) },
		GotFirstResponseByte: func() { w.turn(false, nil) },
	}
}
