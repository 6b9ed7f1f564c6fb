package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	mail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// line is a connection to a mail server on which mails can be handed over, one after the
// other.
type line struct {
	mail  *mail.Client
	conn  *smtp.Client
	bored *time.Timer // hangs up
}

// lines are the connections to one mail server that nobody uses at the moment.
type lines struct {
	mu   sync.Mutex
	free []*line
}

// boredom is how long a connection is kept for the next mail. Servers hang up by
// themselves, but later than that (RFC 5321 section 4.5.3.2.7).
const boredom = 5 * time.Second

// take gives a connection that was used before, nil where there is none.
func (s *lines) take() *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) > 0 {
		last := len(s.free) - 1
		l := s.free[last]
		s.free = s.free[:last]
		if l.bored.Stop() {
			return l
		}
	}
	return nil
}

// keep has a connection used again, or hangs up when nobody does.
func (s *lines) keep(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.bored = time.AfterFunc(boredom, func() {
		s.mu.Lock()
		s.free = slices.DeleteFunc(s.free, func(one *line) bool { return one == l })
		s.mu.Unlock()
		l.hangUp()
	})
	s.free = append(s.free, l)
}

// hangUp ends a connection; a server that is gone already is no error.
func (l *line) hangUp() { _ = l.mail.CloseWithSMTPClient(l.conn) }

// dial connects to the mail server.
func (s *SMTP) dial(ctx context.Context) (*line, error) {
	client, err := mail.NewClient(s.address, s.options...)
	if err != nil {
		return nil, err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	return &line{mail: client, conn: conn}, err
}

// handOver hands a mail over on a connection that was used before, or on a new one. One
// that the server has ended meanwhile is tried no further.
func (s *SMTP) handOver(ctx context.Context, m *mail.Msg) error {
	for {
		l := s.lines.take()
		used := l != nil
		if !used {
			var err error
			if l, err = s.dial(ctx); err != nil {
				return err
			}
		}
		err := l.mail.SendWithSMTPClient(l.conn, m)
		if err == nil {
			s.lines.keep(l)
			return nil
		}
		l.hangUp()
		if m.IsDelivered() { // and only what was said afterwards failed
			return nil
		}
		if !used || !ended(err) || ctx.Err() != nil {
			return err
		}
	}
}

// ended reports whether an error is that of a connection rather than an answer about a
// mail: there was none, or that the server closes (421, RFC 5321 section 3.8).
func ended(err error) bool {
	var failed *mail.SendError
	return errors.As(err, &failed) && (failed.ErrorCode() == 0 || failed.ErrorCode() == 421)
}
