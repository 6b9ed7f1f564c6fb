package secret

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// poolWait is how long a caller waits for a permit before he is told to come
// back (DS-02).
const poolWait = 2 * time.Second

// leastQueue is how many callers may always wait, however slow hashing is.
const leastQueue = 16

// Pool bounds how many hashes are computed at once and shares the permits
// fairly between owners. A permit is held until the work ends, whether or not
// the caller is still there (DS-03), so memory stays within permits times the
// cost of one hash. The queue is as long as can be served within poolWait;
// beyond it callers are refused at once, those of the busiest owner first, and
// no owner keeps more than a quarter of the queue from the others (DS-06).
type Pool struct {
	permits int

	mu      sync.Mutex
	running int
	waiting int
	queues  map[string][]*waiter // by owner, oldest first
	turn    []string             // owners with waiters, next one first
	took    time.Duration        // moving average of one piece of work
	refused uint64
	done    uint64
}

type waiter struct {
	ready chan error // receives nil with a permit, or why there is none
}

// NewPool makes a pool of that many permits, at least one.
func NewPool(permits int) *Pool {
	return &Pool{permits: max(permits, 1), queues: map[string][]*waiter{}, took: 60 * time.Millisecond}
}

// PoolStats says how a pool is doing.
type PoolStats struct {
	Permits, Running, Waiting int
	Refused                   uint64        // since the start
	Done                      uint64        // pieces of work since the start
	Took                      time.Duration // moving average of one piece of work
}

// Stats gives the state of the pool at this moment.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{p.permits, p.running, p.waiting, p.refused, p.done, p.took}
}

// errTransaction is a mistake in our own code: hashing takes long enough to
// stall every other writer of SQLite.
var errTransaction = errors.New("password hashing inside a store transaction")

// Do runs work in the caller's goroutine once a permit is free. The error is
// otl.Busy when the queue is full or two seconds passed, or the context's.
// Owner is whose share of the queue the caller uses: a site, or an address
// where no site is known.
func (p *Pool) Do(ctx context.Context, owner string, work func()) error {
	if otl.Transactional(ctx) {
		return errTransaction
	}
	if err := ctx.Err(); err != nil {
		return err // he left before it began
	}
	if err := p.acquire(ctx, owner); err != nil {
		return err
	}
	start := time.Now()
	defer func() { p.release(time.Since(start)) }()
	work()
	return nil
}

func (p *Pool) acquire(ctx context.Context, owner string) error {
	p.mu.Lock()
	if p.running < p.permits && p.waiting == 0 {
		p.running++
		p.mu.Unlock()
		return nil
	}
	if !p.admit(owner) {
		p.refused++
		p.mu.Unlock()
		return otl.Busy(time.Second)
	}
	w := &waiter{ready: make(chan error, 1)}
	p.push(owner, w)
	p.mu.Unlock()
	return p.wait(ctx, owner, w)
}

func (p *Pool) wait(ctx context.Context, owner string, w *waiter) error {
	timer := time.NewTimer(poolWait)
	defer timer.Stop()
	var late error
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		late = ctx.Err()
	case <-timer.C:
		late = otl.Busy(time.Second)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remove(owner, w) {
		if ctx.Err() == nil {
			p.refused++
		}
		return late
	}
	// The permit, or the refusal, was given in the same moment.
	err := <-w.ready
	if err == nil && ctx.Err() != nil {
		p.running--
		p.next()
		return ctx.Err()
	}
	return err
}

func (p *Pool) release(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took += (took - p.took) / 16
	p.running--
	p.done++
	p.next()
}

// capacity is how many callers can be served within poolWait.
func (p *Pool) capacity() int {
	n := int(poolWait/max(p.took, time.Millisecond)) * p.permits
	return max(n, leastQueue)
}

// admit decides whether the owner may queue one more. When the queue is full it
// makes room by refusing the newest caller of the owner with the most, if that
// one holds more than his quarter and is somebody else.
func (p *Pool) admit(owner string) bool {
	limit := p.capacity()
	share := max(limit/4, 1)
	alone := len(p.queues) == 0 || len(p.queues) == 1 && len(p.queues[owner]) > 0
	if !alone && len(p.queues[owner]) >= share {
		return false
	}
	if p.waiting < limit {
		return true
	}
	busiest := owner
	for o, q := range p.queues {
		if len(q) > len(p.queues[busiest]) {
			busiest = o
		}
	}
	if busiest == owner || len(p.queues[busiest]) <= share {
		return false
	}
	q := p.queues[busiest]
	last := q[len(q)-1]
	p.remove(busiest, last)
	p.refused++
	last.ready <- otl.Busy(time.Second)
	return true
}

func (p *Pool) push(owner string, w *waiter) {
	if len(p.queues[owner]) == 0 {
		p.turn = append(p.turn, owner)
	}
	p.queues[owner] = append(p.queues[owner], w)
	p.waiting++
}

// next gives free permits to waiters, one owner after the other.
func (p *Pool) next() {
	for p.running < p.permits && len(p.turn) > 0 {
		owner := p.turn[0]
		p.turn = p.turn[1:]
		w := p.queues[owner][0]
		p.queues[owner] = p.queues[owner][1:]
		if len(p.queues[owner]) > 0 {
			p.turn = append(p.turn, owner)
		} else {
			delete(p.queues, owner)
		}
		p.waiting--
		p.running++
		w.ready <- nil
	}
}

// remove takes a waiter out of the queue and reports whether he was in it.
func (p *Pool) remove(owner string, w *waiter) bool {
	i := slices.Index(p.queues[owner], w)
	if i < 0 {
		return false
	}
	p.queues[owner] = slices.Delete(p.queues[owner], i, i+1)
	p.waiting--
	if len(p.queues[owner]) == 0 {
		delete(p.queues, owner)
		p.turn = slices.DeleteFunc(p.turn, func(o string) bool { return o == owner })
	}
	return true
}
