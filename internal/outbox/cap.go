package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// capped is a provider that is handed so many letters in 24 hours.
type capped struct {
	Sender
	most    int
	counter string // in the database: nodes count together
}

// day is the time that caps are for.
const day = 24 * time.Hour

// ErrCaps means that there are more caps than providers.
var ErrCaps = errors.New("must not name more caps than there are providers")

// Cap bounds how many letters providers of a channel are handed in 24 hours, each by the cap that stands where
// it does; 0 and a missing one are no bound. What is beyond goes to the next provider. The error is ErrCaps.
func Cap(c otl.Channel, all []Sender, caps []int) ([]Sender, error) {
	if len(caps) > len(all) {
		return nil, ErrCaps
	}
	out, same := make([]Sender, len(all)), map[string]int{}
	for i, s := range all {
		out[i] = s
		same[s.Name()]++ // two may be of one kind
		if i < len(caps) && caps[i] > 0 {
			out[i] = capped{s, caps[i], "provider:" + string(c) + ":" + s.Name() + " " + strconv.Itoa(same[s.Name()])}
		}
	}
	return out, nil
}

// every is the time one letter pays for, as with the rates of limits.
func (c capped) every() time.Duration { return day / time.Duration(c.most) }

// count counts a letter before its provider is handed it: of those that nodes hand over at once no more go than
// may. The error says when the next one can; the first one in a day is told in the log.
func (q *Queue) count(ctx context.Context, channel otl.Channel, s Sender) error {
	c, is := s.(capped)
	if !is {
		return nil
	}
	var full error
	now := q.Now()
	err := q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		ok, due, err := tx.Rates.Take(ctx, c.counter, now, c.every(), day-c.every())
		if full = nil; err != nil || ok {
			return err
		}
		full = usedUp{due}
		first, _, err := tx.Rates.Take(ctx, c.counter+" told", now, day, 0)
		if err != nil || !first {
			return err
		}
		q.Log.Warn("provider has as many messages as its cap allows", "provider", s.Name(), "channel", string(channel))
		return tx.Events.Append(ctx, otl.Event{
			ID: "evt_" + secret.NewID(now), Type: otl.EventProviderFull, CreatedAt: now, Data: map[string]string{"provider": s.Name(), "channel": string(channel)},
		})
	})
	if err == nil {
		err = full
	}
	return err
}

// uncount takes that back of a letter the provider did not take. One that did not answer in time may have.
func (q *Queue) uncount(ctx context.Context, s Sender, err error) error {
	c, is := s.(capped)
	var late interface{ Timeout() bool }
	if !is || err == nil || errors.As(err, &late) && late.Timeout() {
		return nil
	}
	return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Rates.Forgive(ctx, c.counter, c.every()) })
}

// usedUp is the error where a provider was handed as many letters as its cap allows.
type usedUp struct{ due time.Time }

// Error says when it takes the next one.
func (u usedUp) Error() string {
	return fmt.Sprintf("has as many as its cap allows, the next one at %s", u.due.UTC().Format(time.RFC3339))
}
