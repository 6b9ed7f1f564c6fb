package outbox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// Couriers bring events to endpoints. Each endpoint that is to be told something has a
// courier of its own, so that one which hangs delays nobody else (WH-07); the lease of
// the endpoint says which node's courier that is (WH-04, ADR 16).
type Couriers struct {
	Store    *store.Store
	Webhooks *webhook.Webhooks
	Messages *message.Messages
	Client   *egress.Client
	Node     string // tells this node from others
	Now      func() time.Time
	Log      *slog.Logger

	mu    sync.Mutex
	out   map[string]chan struct{} // couriers under way, by endpoint, and how to tell them of more
	woken chan struct{}
	all   sync.WaitGroup

	Delivered, Failed atomic.Uint64 // attempts
}

const (
	// width is how many requests an endpoint gets at once, as long as it takes them.
	width = 8
	// load is how many deliveries a courier takes along.
	load = 256
	// endpoints is how many couriers are set off at a time.
	endpoints = 64
	// hold is how long an endpoint stays a node's: longer than a request may take.
	hold = 15 * time.Second
	// linger is how long a courier waits for more before he goes home.
	linger = time.Second
	// parting is what a request, or a letter that is handed over, is given when the node stops.
	parting = 2 * time.Second
)

// Wake tells of endpoints for which something was queued.
func (c *Couriers) Wake(ids []string) {
	woken, wanted := c.alarm(), false
	c.mu.Lock()
	for _, id := range ids {
		more, out := c.out[id]
		if !out {
			wanted = true
			continue
		}
		ring(more)
	}
	c.mu.Unlock()
	if wanted {
		ring(woken)
	}
}

// Ask is a webhook.Ask.
func (c *Couriers) Ask(ctx context.Context, siteID, url string, head map[string][]string, body []byte) (status int, answer []byte, problem string) {
	a, err := c.Client.For(siteID).Do(ctx, http.MethodPost, url, head, body)
	if err != nil {
		return a.Status, nil, egress.Problem(err)
	}
	return a.Status, a.Body, ""
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default: // it rings already
	}
}

func (c *Couriers) alarm() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.woken == nil {
		c.woken, c.out = make(chan struct{}, 1), map[string]chan struct{}{}
	}
	return c.woken
}

// Run delivers until ctx ends.
func (c *Couriers) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	woken := c.alarm()
	if err := c.inherit(ctx); err != nil && ctx.Err() == nil {
		c.Log.Error("take over endpoints", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			c.all.Wait()
			return
		case <-tick.C:
		case <-woken:
		}
		if _, err := c.setOff(ctx, linger); err != nil && ctx.Err() == nil {
			c.Log.Error("find endpoints to deliver to", "err", err)
		}
	}
}

// inherit ends the leases of a server that ran before on the same SQLite file: it is
// gone, because a file has one.
func (c *Couriers) inherit(ctx context.Context) error {
	if c.Store.Stats().Engine != "sqlite" {
		return nil
	}
	return c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Endpoints.ReleaseAll(ctx) })
}

// Deliver delivers all that is due by now and says how many endpoints were called
// on.
func (c *Couriers) Deliver(ctx context.Context) (int, error) {
	c.alarm()
	n, err := c.setOff(ctx, 0)
	c.all.Wait()
	return n, err
}

// setOff sends a courier to each endpoint that has something due and none yet.
func (c *Couriers) setOff(ctx context.Context, linger time.Duration) (n int, err error) {
	ids, err := c.Store.Read.Endpoints.Ready(ctx, c.Now(), endpoints)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		more := make(chan struct{}, 1)
		c.mu.Lock()
		_, out := c.out[id]
		if !out {
			c.out[id] = more
		}
		c.mu.Unlock()
		if out {
			continue
		}
		n++
		c.all.Go(func() {
			defer func() { c.mu.Lock(); delete(c.out, id); c.mu.Unlock() }()
			if err := c.serve(ctx, id, more, linger); err != nil && ctx.Err() == nil {
				c.Log.Error("deliver to an endpoint", "endpoint", id, "err", err)
			}
		})
	}
	return n, nil
}

// serve delivers to one endpoint until nothing is due there, as long as its lease is
// this node's.
func (c *Couriers) serve(ctx context.Context, id string, more <-chan struct{}, linger time.Duration) error {
	var until time.Time
	defer func() {
		if !until.IsZero() {
			c.release(context.WithoutCancel(ctx), id)
		}
	}()
	for ctx.Err() == nil {
		if c.Now().Add(egress.DefaultTimeout + time.Second).After(until) {
			mine, err := c.lease(ctx, id)
			if err != nil || !mine {
				until = time.Time{}
				return err
			}
			until = c.Now().Add(hold - time.Second) // a second for clocks that differ
		}
		n, err := c.round(ctx, id, until)
		if err != nil {
			until = time.Time{} // and tries again when the lease has ended, not at once
			return err
		}
		if n > 0 {
			continue
		}
		if linger == 0 || !waitFor(ctx, more, linger) {
			return nil
		}
	}
	return nil
}

// waitFor reports whether there is more within d.
func waitFor(ctx context.Context, more <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-more:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (c *Couriers) lease(ctx context.Context, id string) (mine bool, err error) {
	err = c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		mine, err = tx.Endpoints.Lease(ctx, id, c.Node, c.Now().Add(hold), c.Now())
		return err
	})
	return mine, err
}

func (c *Couriers) release(ctx context.Context, id string) {
	err := c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Endpoints.Release(ctx, id, c.Node) })
	if err != nil {
		c.Log.Warn("release an endpoint", "endpoint", id, "err", err) // its lease ends by itself
	}
}

// round takes along what is due to an endpoint, delivers it and says how much it was.
// One that fails gets one request at a time.
func (c *Couriers) round(ctx context.Context, id string, until time.Time) (int, error) {
	to, err := c.Store.Read.Endpoints.ByID(ctx, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil || to.State != otl.EndpointOn {
		return 0, err
	}
	if to.AskedAt.IsZero() && to.VerifiedAt.IsZero() && to.Client == "" {
		verification := webhook.Verification{Webhooks: c.Webhooks}
		if err := verification.Introduce(ctx, to.Endpoint); err != nil {
			return 0, err
		}
		return 1, nil // and comes again, for what it is told now
	}
	t := trip{Couriers: c, to: to, until: until, wide: width}
	most := load
	if !to.FailingSince.IsZero() {
		t.wide, most = 1, 1
	}
	due, err := c.Store.Read.Deliveries.Due(ctx, id, c.Now(), most)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	if t.secrets, err = c.Webhooks.Secrets(to); err != nil {
		return 0, err
	}
	return len(due), t.make(ctx, due)
}
