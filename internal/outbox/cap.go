package outbox

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// capped is a provider that is handed so many letters in a day (UTC).
type capped struct {
	Sender
	most    int
	counter string // in the database: nodes count together
}

// accounted is a provider that a URL names, with what tells it from others of its name.
type accounted struct {
	Sender
	account string
}

// Send implements Sender. Whoever delivers mails gets domains in ASCII, whatever their people write:
// a server without SMTPUTF8 refuses others (RFC 6531), and no provider has to know them apart.
func (a accounted) Send(ctx context.Context, l message.Letter) error {
	if l.Channel == otl.ChannelMail {
		l.To = otl.Mailbox(l.To)
	}
	return a.Sender.Send(ctx, l)
}

// account tells URLs apart by everything but their passwords, which are changed now and then.
func account(u *url.URL) string {
	plain := *u
	if u.User != nil {
		plain.User = url.User(u.User.Username())
	}
	return hex.EncodeToString(secret.Digest(plain.String())[:8])
}

// named gives what tells a provider from others, wherever it stands in the list. Two of one account are the same.
func named(s Sender) string {
	if c, is := s.(capped); is {
		s = c.Sender
	}
	if a, is := s.(accounted); is {
		return a.Name() + " " + a.account
	}
	return s.Name()
}

// identity gives the same as a word.
func identity(s Sender) string { return hex.EncodeToString(secret.Digest(named(s))[:8]) }

const (
	day = 24 * time.Hour
	// one is what a letter adds to the counter of a day, which is a rate that nothing fills: its uses are paid
	// for from the end of the day on.
	one = time.Millisecond
	// spared is the part of a cap, one in so many, that is kept for what is no code: strangers ask for those.
	spared = 20
	// relook is when messages that no cap allows are looked at again at the latest: an operator may have raised one.
	relook = time.Hour
)

// ErrCaps means that there are more caps than providers.
var ErrCaps = errors.New("must not name more caps than there are providers")

// Cap bounds how many letters providers of a channel are handed in a day (UTC), each by the cap that stands where
// it does; 0 and a missing one are no bound. What is beyond goes to the next provider. The error is ErrCaps.
func Cap(c otl.Channel, all []Sender, caps []int) ([]Sender, error) {
	if len(caps) > len(all) {
		return nil, ErrCaps
	}
	out, same := make([]Sender, len(all)), map[string]int{}
	for i, s := range all {
		out[i] = s
		name := named(s)
		same[name]++ // one may be named twice
		if i < len(caps) && caps[i] > 0 {
			out[i] = capped{s, caps[i], "provider:" + string(c) + ":" + name + " " + strconv.Itoa(same[name])}
		}
	}
	return out, nil
}

// allows gives how many letters like a message a provider is handed in a day.
func (c capped) allows(m otl.Message) int {
	if m.ExpiresAt.IsZero() || m.Kind.Last() { // which is no code, though it expires
		return c.most
	}
	return c.most - c.most/spared
}

// count counts a letter before its provider is handed it: of those that nodes hand over at once no more go than
// may. The error says when the next one can; the first one of a day is told in the log, and the operator.
func (q *Queue) count(ctx context.Context, m otl.Message, s Sender) error {
	c, is := s.(capped)
	if !is {
		return nil
	}
	var full error
	now := q.Now()
	ends := now.UTC().Truncate(day).Add(day)
	reach := day // more than any cap comes to: an operator may lower one, and nodes have theirs from their own files
	if ends.Sub(now) <= store.Skew {
		reach += day // another node may be in the next one already
	}
	err := q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		ok, _, err := tx.Rates.Take(ctx, c.counter, ends, one, time.Duration(c.allows(m)-1)*one, reach)
		if full = nil; err != nil || ok {
			return err
		}
		full = usedUp{ends}
		first, _, err := tx.Rates.Take(ctx, c.counter+" told", ends, one, 0, reach)
		if err != nil || !first {
			return err
		}
		q.Log.Warn("provider has as many messages as its cap allows", "provider", s.Name(), "channel", string(m.Channel))
		data := map[string]string{"provider": s.Name(), "channel": string(m.Channel)}
		if err := tx.Events.Append(ctx, otl.Event{ID: "evt_" + secret.NewID(now), Type: otl.EventProviderFull, CreatedAt: now, Data: data}); err != nil {
			return err
		}
		return q.Messages.ToOperator(ctx, tx, otl.MessageProviderFull, "", data)
	})
	if err == nil {
		err = full
	}
	return err
}

// uncount takes that back of a letter the provider did not take. One that did not answer in time, or before the node
// stopped, may have.
func (q *Queue) uncount(ctx context.Context, s Sender, err error) error {
	c, is := s.(capped)
	var late interface{ Timeout() bool }
	if !is || err == nil || errors.Is(err, context.Canceled) || errors.As(err, &late) && late.Timeout() {
		return nil
	}
	return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Rates.Forgive(ctx, c.counter, one) })
}

// usedUp is the error where a provider was handed as many letters as its cap allows.
type usedUp struct{ due time.Time }

// again gives when a message that no provider may be handed by now is looked at again: when it can go, or is of no
// use any more.
func (u usedUp) again(m otl.Message, now time.Time) time.Time {
	at := now.Add(relook)
	for _, sooner := range []time.Time{u.due, m.ExpiresAt} {
		if !sooner.IsZero() && sooner.Before(at) {
			at = sooner
		}
	}
	return at
}

// Error says when it takes the next one.
func (u usedUp) Error() string {
	return fmt.Sprintf("has as many as its cap allows, the next one at %s", u.due.UTC().Format(time.RFC3339))
}
