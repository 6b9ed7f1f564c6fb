package session

import (
	"context"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Feed tells sites that verify tokens offline which sessions have ended
// (decision D18). Entries come from the store, where they are written in the
// transaction that ends the session; so every node tells the same.
type Feed struct {
	Store *store.Store
	Now   func() time.Time

	mu      sync.Mutex
	newest  int64         // entry any node wrote, as far as this one knows
	risen   chan struct{} // closed when newest rises; nil until somebody waits
	waiting int
	looking bool
}

// lookEvery is how often a node looks for entries of other nodes while somebody
// waits for them.
const lookEvery = 100 * time.Millisecond

// keepFeed is how long entries are kept: far longer than a token lives that
// they could still void.
const keepFeed = 24 * time.Hour

// Newest gives the number of the newest entry.
func (f *Feed) Newest(ctx context.Context) (int64, error) {
	return f.Store.Read.Revocations.Newest(ctx)
}

// Since gives entries after a number that concern a site, and the number to go
// on from, which rises even where no entry concerns it. With none it waits for
// one, as long as ctx lasts and stop is open, and then gives none.
func (f *Feed) Since(ctx context.Context, stop <-chan struct{}, siteID string, after int64, limit int, wait bool) ([]otl.Revocation, int64, error) {
	for {
		newest, err := f.Newest(ctx)
		if err != nil && wait && ctx.Err() != nil {
			return nil, after, nil //nolint:nilerr // the wait is over
		}
		if err != nil || newest <= after && !wait {
			return nil, after, err
		}
		if newest > after {
			found, err := f.Store.Read.Revocations.Of(ctx, siteID, after, newest, limit)
			if err != nil {
				return nil, after, err
			}
			if len(found) == limit {
				newest = found[limit-1].Seq
			}
			after = newest
			if len(found) > 0 || !wait {
				return found, after, nil
			}
		}
		if !f.await(ctx, stop, after) {
			return nil, after, nil
		}
	}
}

// await waits until an entry after a number was written anywhere. It reports
// false when it gave up.
func (f *Feed) await(ctx context.Context, stop <-chan struct{}, after int64) bool {
	f.mu.Lock()
	if f.newest > after {
		f.mu.Unlock()
		return true
	}
	f.waiting++
	if f.risen == nil {
		f.risen = make(chan struct{})
	}
	if !f.looking {
		f.looking = true
		go f.look() //nolint:gosec // G118: it looks for all who wait, and ends when none does
	}
	risen := f.risen
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.waiting--
		f.mu.Unlock()
	}()
	select {
	case <-risen:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// look watches the newest entry while somebody waits for one.
func (f *Feed) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for range tick.C {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		newest, err := f.Newest(ctx)
		cancel()
		f.mu.Lock()
		if err == nil && newest > f.newest {
			f.newest = newest
			if f.risen != nil {
				close(f.risen)
			}
			f.risen = nil
		}
		if f.waiting == 0 {
			f.looking = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
	}
}

// Prune deletes entries that no token outlives.
func (f *Feed) Prune(ctx context.Context) error {
	return f.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Revocations.Prune(ctx, f.Now().Add(-keepFeed), store.Batch)
	})
}
