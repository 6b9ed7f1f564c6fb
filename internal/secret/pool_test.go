package secret

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// until yields until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

// busy is a pool of one permit that somebody holds, whose work takes so long that few may wait.
type busy struct {
	*Pool
	t       *testing.T
	all     sync.WaitGroup
	release chan struct{} // receives what lets one piece of work end
	mu      sync.Mutex
	order   []string // whose work was done
	refused []string // who was told to come back
}

func newBusy(t *testing.T) *busy {
	b := &busy{Pool: NewPool(1), t: t, release: make(chan struct{})}
	b.took = poolWait
	b.call("holder")
	until(t, "the permit is held", func() bool { return b.Stats().Running == 1 })
	return b
}

// call has an owner ask for work, and waits until he is in the queue, at work or refused.
func (b *busy) call(owner string) {
	b.t.Helper()
	before := b.Stats()
	b.all.Go(func() {
		err := b.Do(context.Background(), owner, func() {
			<-b.release
			b.mu.Lock()
			defer b.mu.Unlock()
			b.order = append(b.order, owner)
		})
		if err != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.refused = append(b.refused, owner)
		}
	})
	until(b.t, owner+" is somewhere", func() bool {
		now := b.Stats()
		return now.Waiting != before.Waiting || now.Running != before.Running || now.Refused != before.Refused
	})
}

func (b *busy) turned() []string {
	b.t.Helper()
	var out []string
	until(b.t, "who was refused is told", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		out = append([]string(nil), b.refused...)
		return uint64(len(out)) == b.Stats().Refused
	})
	return out
}

// end lets all the work be done and gives whose it was, in its order.
func (b *busy) end() []string {
	b.t.Helper()
	close(b.release)
	b.all.Wait()
	return b.order
}

// TestDS01_NoMoreAtOnceThanPermits, however many come.
func TestDS01_NoMoreAtOnceThanPermits(t *testing.T) {
	t.Parallel()
	p := NewPool(3)
	var now, most atomic.Int32
	var all sync.WaitGroup
	for range 90 { // as many as may wait
		all.Go(func() {
			if err := p.Do(t.Context(), "site", func() {
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				for range 10 {
					runtime.Gosched()
				}
				now.Add(-1)
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s := p.Stats(); most.Load() > 3 || s.Done != 90 || s.Running != 0 || s.Waiting != 0 {
		t.Errorf("%d at once, then %+v", most.Load(), s)
	}
	if NewPool(0).Stats().Permits != 1 {
		t.Error("nobody can work")
	}
}

// TestDS02_AFullQueueRefusesAtOnce: who would wait longer than he may is told to come back.
func TestDS02_AFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	for range leastQueue {
		b.call("a")
	}
	err := b.Do(t.Context(), "a", func() { t.Error("worked") })
	if e := otl.As(err); e.Kind != otl.Unavailable || e.Code != "overloaded" || e.RetryAfter <= 0 {
		t.Errorf("%v", err)
	}
	if s := b.Stats(); s.Refused != 1 || s.Waiting != leastQueue {
		t.Errorf("%+v", s)
	}
	if done := b.end(); len(done) != leastQueue+1 {
		t.Errorf("%v", done)
	}
}

// TestDS03_APermitIsHeldUntilTheWorkEnds: whoever leaves while he is served frees nothing for
// others, and whoever leaves while he waits leaves his place.
func TestDS03_APermitIsHeldUntilTheWorkEnds(t *testing.T) {
	t.Parallel()
	p, started, release := NewPool(1), make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	ctx, leave := context.WithCancel(t.Context())
	all.Go(func() {
		_ = p.Do(ctx, "leaves", func() { close(started); <-release })
	})
	<-started
	leave()
	var worked atomic.Bool
	all.Go(func() {
		if err := p.Do(t.Context(), "next", func() { worked.Store(true) }); err != nil {
			t.Error(err)
		}
	})
	until(t, "the next one waits", func() bool { return p.Stats().Waiting == 1 })
	impatient, give := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- p.Do(impatient, "impatient", func() { t.Error("he is gone") }) }()
	until(t, "two wait", func() bool { return p.Stats().Waiting == 2 })
	give()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := p.Stats(); s.Running != 1 || s.Waiting != 1 || worked.Load() {
		t.Errorf("the first one is gone, and %+v", s)
	}
	if err := p.Do(impatient, "impatient", func() { t.Error("he was gone before") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	all.Wait()
	if s := p.Stats(); !worked.Load() || s.Running != 0 || s.Refused != 0 || s.Done != 2 {
		t.Errorf("%+v", s)
	}
}

// TestDS06_NobodyKeepsTheQueueFromOthers: who fills it alone makes room for another, who gets a
// quarter of it, and they are served by turns.
func TestDS06_NobodyKeepsTheQueueFromOthers(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	for range leastQueue {
		b.call("busy")
	}
	for range leastQueue/4 + 1 {
		b.call("other")
	}
	counts := map[string]int{}
	for _, owner := range b.turned() {
		counts[owner]++
	}
	if counts["busy"] != leastQueue/4 || counts["other"] != 1 {
		t.Errorf("refused: %v", counts)
	}
	done := b.end()
	if len(done) != 1+leastQueue {
		t.Fatalf("%v", done)
	}
	for i, owner := range done[1 : 1+leastQueue/2] {
		if want := []string{"busy", "other"}[i%2]; owner != want {
			t.Errorf("%d: %s, not %s: %v", i, owner, want, done)
		}
	}
}

// TestPoolWorksOutsideTransactions: hashing inside of one would hold up every other writer.
func TestPoolWorksOutsideTransactions(t *testing.T) {
	t.Parallel()
	if err := NewPool(1).Do(otl.InTransaction(t.Context()), "a", func() { t.Error("worked") }); !errors.Is(err, errTransaction) {
		t.Error(err)
	}
}
