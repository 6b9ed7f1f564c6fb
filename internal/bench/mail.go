package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Mailbox is where a run has its mails delivered, by the webhook of a mail provider.
type Mailbox struct {
	URL string // http, on loopback

	server *http.Server
	mu     sync.Mutex
	waits  map[string]chan string // for the code in the next mail to an address
}

// NewMailbox opens one. Close it in the end.
func NewMailbox() (*Mailbox, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &Mailbox{URL: "http://" + ln.Addr().String() + "/", waits: map[string]chan string{}}
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: callTime}
	go func() { _ = m.server.Serve(ln) }() // until it is closed
	return m, nil
}

// Close ends it.
func (m *Mailbox) Close() error { return m.server.Close() }

// inMail finds the code in the text of a mail.
var inMail = regexp.MustCompile(`\b[0-9]{6}\b`)

// ServeHTTP takes a mail in.
func (m *Mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var mail struct{ To, Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAnswer)).Decode(&mail); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if wait := m.waits[mail.To]; wait != nil {
		wait <- inMail.FindString(mail.Text)
		delete(m.waits, mail.To)
	}
}

// next gives the channel on which the code of the next mail to an address comes.
func (m *Mailbox) next(to string) <-chan string {
	wait := make(chan string, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waits[to] = wait
	return wait
}

// mailed signs one person after the other in with a code that is delivered by mail.
type mailed struct {
	coder
	box *Mailbox
}

func (w *mailed) step() (bool, error) {
	p := w.person()
	arrives := w.box.next(p.Email)
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/otp/send", w.header, marshal(map[string]string{"email": p.Email})))
	if err != nil || status != http.StatusAccepted {
		return false, orUnexpected(err, status, w.body)
	}
	select {
	case code := <-arrives:
		return w.verify(p, code)
	case <-time.After(callTime):
		return false, errors.New("a mail does not arrive")
	}
}

// mailConnections is how many people wait for a mail at once: a node looks for mails ten
// times a second.
const mailConnections = 512

// mails signs people in with codes that are delivered to a mailbox.
func (r coding) mails(ctx context.Context) error {
	if r.Mailbox == nil {
		return nil
	}
	workers, err := r.coders(mailConnections, func(c coder) worker { return &mailed{c, r.Mailbox} })
	return r.simple(ctx, "otp by mail", workers, err)
}
