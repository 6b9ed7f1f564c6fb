package signin

import (
	"context"
	"sync"
	"time"
)

// Listeners are the pages that wait to be told that somebody has proven himself for their visit by a link which
// another browser opened. Each holds a connection that makes no room for others, so there are so many
// and no more; a page beyond that asks by itself now and then.
type Listeners struct {
	Flows *Flows
	Most  int // on this node

	mu   sync.Mutex
	all  int
	open map[string]int // by visit
}

// perVisit is how many pages of one visit are told: one, and what it was before it was asked for anew.
const perVisit = 2

// listenEvery is how often the store is asked for a visit that is listened to: whatever node the link was opened at
// wrote it there.
const listenEvery = time.Second

// Enter takes a place among those of a visit, until leave is called. It reports false where there is none.
func (l *Listeners) Enter(id string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.Most || l.open[id] >= perVisit {
		return nil, false
	}
	if l.open == nil {
		l.open = map[string]int{}
	}
	l.all++
	l.open[id]++
	return sync.OnceFunc(func() { l.leave(id) }), true
}

func (l *Listeners) leave(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[id]--; l.open[id] == 0 {
		delete(l.open, id)
	}
}

// Await waits until a visit is ready (Visit.Ready), as long as ctx lasts and stop is open, and says whether it is. The
// error is ErrFlow where the visit is over.
func (l *Listeners) Await(ctx context.Context, stop <-chan struct{}, id string) (bool, error) {
	tick := time.NewTicker(listenEvery)
	defer tick.Stop()
	for {
		f, err := l.Flows.live(ctx, id)
		if err != nil && ctx.Err() != nil {
			return false, nil // the wait is over
		}
		if ready := (Visit{Flow: f}).Ready(); err != nil || ready {
			return ready, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-stop:
			return false, nil
		case <-tick.C:
		}
	}
}
