package limit

import (
	"context"
	"sync"
	"time"
)

// Pace limits how fast one caller's requests follow each other, for the sake of
// the machine. It costs no write on SQLite, where one server sees them all; on
// PostgreSQL nodes take shares of the rate from the store, so that all of them
// together give it once.
type Pace struct {
	Limits *Limits
	Rate   Rate
	Shared bool // take shares from the store

	mu      sync.Mutex
	callers map[string]*caller
}

// caller is where one caller stands at this node.
type caller struct {
	paidTo time.Time // where the rate is this node's alone
	left   int       // of the share taken last
	until  time.Time // when that share is forfeit
}

const (
	shares     = 10    // that a rate is handed out in
	maxCallers = 16384 // remembered; beyond that all are forgotten, which favours them
)

// Take counts one request of a caller, who is not counted if he has no name. The
// error says when to come back.
func (p *Pace) Take(ctx context.Context, by string) error {
	if p == nil || p.Limits == nil || by == "" {
		return nil
	}
	now := p.Limits.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callers[by]
	if c == nil {
		if p.callers == nil || len(p.callers) >= maxCallers {
			p.callers = map[string]*caller{}
		}
		c = &caller{}
		p.callers[by] = c
	}
	if !p.Shared {
		paidTo, err := p.Limits.Paid(p.Rate, c.paidTo, now)
		c.paidTo = paidTo
		return err
	}
	if c.left > 0 && now.Before(c.until) {
		c.left--
		return nil
	}
	return p.share(ctx, c, by, now)
}

// Left says how many more requests of a caller this node would let through at this
// moment, without asking the store for a share.
func (p *Pace) Left(by string) int {
	if p.Limits == nil {
		return p.Rate.Uses
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, now := p.callers[by], p.Limits.Now()
	switch {
	case c == nil:
		return p.Rate.Uses
	case p.Shared && now.Before(c.until):
		return c.left
	case p.Shared || !c.paidTo.After(now):
		return p.Rate.Uses
	}
	return max(int(now.Add(p.Rate.Per).Sub(c.paidTo)/p.Rate.every()), 0)
}

// share takes a share of the rate for this node. The lock is given up meanwhile:
// others of the same caller may take one too.
func (p *Pace) share(ctx context.Context, c *caller, by string, now time.Time) error {
	p.mu.Unlock()
	err := p.Limits.Take(ctx, Use{Rate: Rate{p.Rate.Name, shares, p.Rate.Per}, By: []string{by}})
	p.mu.Lock()
	if err != nil {
		return err
	}
	c.left, c.until = c.left+p.Rate.Uses/shares-1, now.Add(p.Rate.Per)
	return nil
}
