package node

import (
	"context"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// What the standing of the parts goes by.
const (
	healthAge  = 5 * time.Second  // how long what was found is told again
	healthTime = 2 * time.Second  // a database has to answer
	late       = time.Minute      // of messages
	overdue    = 5 * time.Minute  // of deliveries
	skew       = 30 * time.Second // of clocks (MN-08)
)

// health looks at the parts of a node for whoever asks, however many: once in healthAge.
type health struct {
	n   *Node
	now func() time.Time

	mu   sync.Mutex
	last otl.Health
}

// look gives the standing of the parts. It ends in time, whatever became of whoever asked.
func (h *health) look(ctx context.Context) otl.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if age := now.Sub(h.last.At); h.last.At.IsZero() || age < 0 || age >= healthAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime)
		defer cancel()
		h.last = otl.Health{At: now, Parts: []otl.Part{
			{Name: otl.PartDatabase, Standing: standing(h.n.Store.Ping(ctx) == nil, otl.StandingDown)},
			{Name: otl.PartKeys, Standing: standing(h.n.Installation.Ring.Ready(now), otl.StandingDown)},
			{Name: otl.PartMessages, Standing: h.messages(ctx, now)},
			{Name: otl.PartWebhooks, Standing: h.webhooks(ctx, now)},
			{Name: otl.PartClock, Standing: h.clock(ctx, now)},
		}}
	}
	return h.last
}

func standing(ok bool, otherwise otl.Standing) otl.Standing {
	if ok {
		return otl.StandingOK
	}
	return otherwise
}

// messages are late where nobody takes those that are due, or all providers of a channel fail. One
// that is put off is the affair of its mailbox.
func (h *health) messages(ctx context.Context, now time.Time) otl.Standing {
	for _, channel := range []otl.Channel{otl.ChannelMail, otl.ChannelSMS} {
		waits, err := h.n.Store.Read.Messages.Due(ctx, channel, now.Add(-late))
		switch {
		case err != nil:
			return otl.StandingDown
		case waits || h.n.Outbox.Failing(channel):
			return otl.StandingDegraded
		}
	}
	return otl.StandingOK
}

// webhooks are late where most endpoints wait for what is due: a single one is its site's own
// affair.
func (h *health) webhooks(ctx context.Context, now time.Time) otl.Standing {
	waiting, err := h.n.Store.Read.Deliveries.Late(ctx, now.Add(-overdue))
	if err != nil {
		return otl.StandingDown
	}
	count, err := h.n.Store.Read.Endpoints.Count(ctx)
	if err != nil {
		return otl.StandingDown
	}
	return standing(2*waiting <= count[otl.EndpointOn], otl.StandingDegraded)
}

// clock is wrong where the log holds what is yet to come: another node is ahead, or this one
// went back.
func (h *health) clock(ctx context.Context, now time.Time) otl.Standing {
	newest, err := h.n.Store.Read.Events.Newest(ctx)
	return standing(err != nil || newest.Sub(now) < skew, otl.StandingDegraded) // without a database nobody can tell
}
