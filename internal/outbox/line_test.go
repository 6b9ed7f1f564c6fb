package outbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

// postOffice takes mails by SMTP as far as a client needs it to.
type postOffice struct {
	net.Listener
	mu           sync.Mutex
	calls, mails int
	envelopes    []string // what follows MAIL and RCPT
	each         int      // mails on one connection before it hangs up, 0 for any number
	// answers are what it says to a verb in the place of the usual, "." for the end of a mail.
	answers map[string]string
}

// answer gives what it was told to say to a line.
func (p *postOffice) answer(line string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	said, is := p.answers[verb]
	return said, is
}

// told has it answer something to a verb from now on.
func (p *postOffice) told(verb, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = map[string]string{verb: answer}
}

func openPostOffice(t testing.TB, each int) *postOffice {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{Listener: ln, each: each}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.calls++
			p.mu.Unlock()
			go p.serve(c)
		}
	}()
	return p
}

func (p *postOffice) counts() (calls, mails int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.mails
}

// serve talks to one client (RFC 5321).
func (p *postOffice) serve(c net.Conn) {
	defer c.Close()
	say := func(line string) { _, _ = fmt.Fprint(c, line+"\r\n") }
	say("220 post.test")
	in, data, took := bufio.NewScanner(c), false, 0
	for in.Scan() {
		if own, is := p.answer(in.Text()); is && (!data || in.Text() == ".") {
			data = false
			say(own)
			continue
		}
		verb := strings.ToUpper(in.Text())
		if !data && (strings.HasPrefix(verb, "MAIL") || strings.HasPrefix(verb, "RCPT")) {
			if strings.ContainsFunc(verb, func(r rune) bool { return r > unicode.MaxASCII }) { // it has not announced SMTPUTF8
				say("501 5.1.3 bad address syntax")
				continue
			}
			p.mu.Lock()
			p.envelopes = append(p.envelopes, in.Text())
			p.mu.Unlock()
		}
		switch {
		case data && in.Text() == ".":
			p.mu.Lock()
			p.mails++
			p.mu.Unlock()
			data, took = false, took+1
			say("250 taken")
		case data:
		case strings.HasPrefix(verb, "DATA"):
			data = true
			say("354 go on")
		case strings.HasPrefix(verb, "EHLO"):
			say("250-post.test")
			say("250 AUTH CRAM-MD5")
		case strings.HasPrefix(verb, "AUTH"):
			if say("334 PDE+"); in.Scan() { // whatever it says
				say("235 come in")
			}
		case strings.HasPrefix(verb, "RCPT") && strings.Contains(verb, "NOBODY"):
			say("550 no such mailbox")
		case strings.HasPrefix(verb, "RSET"):
			say("250 ok")
			if p.each > 0 && took >= p.each {
				return // as servers do that have had enough
			}
		case strings.HasPrefix(verb, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 post.test")
		}
	}
}

func (p *postOffice) sender(t testing.TB) outbox.Sender {
	t.Helper()
	all, err := outbox.NewMail("smtp://"+p.Addr().String()+"?tls=none", outbox.Post{From: "login@notes.test", Host: "id.test", Now: time.Now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// TestMailsShareAConnection: a mail after another one needs no connection of its own; where
// the server has ended it, or refused what came before, a new one is made.
func TestMailsShareAConnection(t *testing.T) {
	t.Parallel()
	l, _ := letter()
	for each, want := range map[int]int{0: 1, 2: 3} {
		p := openPostOffice(t, each)
		s := p.sender(t)
		for range 6 {
			if err := s.Send(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		if calls, mails := p.counts(); calls != want || mails != 6 {
			t.Errorf("%d mails on %d connections, want 6 on %d", mails, calls, want)
		}
		bad := l
		bad.To = "nobody@dev.test"
		if err := s.Send(t.Context(), bad); !errors.Is(err, outbox.ErrRefused) {
			t.Errorf("nobody's mailbox: %v", err)
		}
		if err := s.Send(t.Context(), l); err != nil {
			t.Error(err)
		}
		if _, mails := p.counts(); mails != 7 {
			t.Errorf("%d mails, want 7", mails)
		}
	}
}

// hanging is a provider that hangs until the test ends.
type hanging struct{ faulty }

func (h *hanging) Send(ctx context.Context, _ message.Letter) error {
	<-ctx.Done()
	return ctx.Err()
}

// told is a provider that tells of each letter.
type told struct {
	faulty
	of chan message.Letter
}

func (s *told) Send(_ context.Context, l message.Letter) error {
	s.of <- l
	return nil
}

// TestAMailServerThatHangsHoldsNoSMS: each channel has a line of its own.
func TestAMailServerThatHangsHoldsNoSMS(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d, arrived := newDesk(st), make(chan message.Letter, 1)
		d.Senders = map[otl.Channel][]outbox.Sender{otl.ChannelMail: {&hanging{faulty{name: "hangs"}}}, otl.ChannelSMS: {&told{faulty{name: "sms"}, arrived}}}
		for range 20 {
			d.queue(t, message.Note{})
		}
		d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelSMS, To: "+491705550100"})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.Run(ctx) }()
		if l := <-arrived; l.To != "+491705550100" {
			t.Errorf("%+v", l)
		}
		stop()
		<-done
	})
}

// BenchmarkSMTP hands mails to a server on this machine, sixteen at a time.
func BenchmarkSMTP(b *testing.B) {
	p := openPostOffice(b, 0)
	s := p.sender(b)
	l, _ := letter()
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Send(b.Context(), l); err != nil {
				b.Error(err)
				return
			}
		}
	})
	calls, mails := p.counts()
	b.ReportMetric(float64(mails)/b.Elapsed().Seconds(), "mails/s")
	b.ReportMetric(float64(calls), "connections")
}
