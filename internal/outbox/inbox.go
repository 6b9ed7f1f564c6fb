package outbox

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/message"
)

// Inbox keeps letters in memory instead of delivering them: the provider of both
// channels under `otl dev`.
type Inbox struct {
	Now func() time.Time

	mu       sync.Mutex
	received []Received
}

// Received is a letter in the inbox.
type Received struct {
	message.Letter
	At time.Time
}

// inboxSize is how many letters an inbox keeps; the oldest go first.
const inboxSize = 1000

// Name implements Sender.
func (*Inbox) Name() string { return "inbox" }

// Send implements Sender.
func (b *Inbox) Send(_ context.Context, l message.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.HTML = l.Whole()
	b.received = append(b.received, Received{l, b.Now()})
	if extra := len(b.received) - inboxSize; extra > 0 {
		b.received = slices.Delete(b.received, 0, extra)
	}
	return nil
}

// Letters gives the letters to an address or number, or all for "", newest first.
func (b *Inbox) Letters(to string) []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Received
	for _, r := range slices.Backward(b.received) {
		if to == "" || r.To == to {
			out = append(out, r)
		}
	}
	return out
}

// Empty throws all letters away.
func (b *Inbox) Empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received = nil
}
