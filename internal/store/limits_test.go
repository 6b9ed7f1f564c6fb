package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// take uses a rate of 10 a minute once.
func take(t *testing.T, st *store.Store, name string, now time.Time) (ok bool, due time.Time) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
		ok, due, err = tx.Rates.Take(ctx, name, now, 6*time.Second, 54*time.Second)
		return err
	})
	return ok, due
}

func TestARateAllowsABurstAndThenItsPace(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for i := range 10 {
			if ok, _ := take(t, st, "a", start); !ok {
				t.Fatalf("use %d was refused", i+1)
			}
		}
		ok, due := take(t, st, "a", start)
		if ok || !due.Equal(start.Add(6*time.Second)) {
			t.Fatalf("the 11th: %v, due %v", ok, due.Sub(start))
		}
		if ok, _ := take(t, st, "b", start); !ok {
			t.Error("another name is counted apart")
		}
		if ok, _ := take(t, st, "a", due.Add(-time.Millisecond)); ok {
			t.Error("a moment too early")
		}
		if ok, _ := take(t, st, "a", due); !ok {
			t.Error("refused when it was due")
		}
		if ok, _ := take(t, st, "a", due); ok {
			t.Error("only one was due")
		}
		for i := range 10 {
			if ok, _ := take(t, st, "a", start.Add(time.Hour)); !ok {
				t.Fatalf("an hour later, use %d was refused", i+1)
			}
		}
	})
}

// TestMN07_ParallelUsesShareARate: nodes have nothing in common but the store,
// and together get the rate once.
func TestMN07_ParallelUsesShareARate(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		var within atomic.Int32
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if ok, _ := take(t, st, "a", start); ok {
					within.Add(1)
				}
			})
		}
		wg.Wait()
		if within.Load() != 10 {
			t.Errorf("%d uses of a rate of 10", within.Load())
		}
	})
}

func try(t *testing.T, st *store.Store, name string, now time.Time) (ok bool, due time.Time) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
		ok, due, err = tx.Failures.Try(ctx, name, now, 5, 20)
		return err
	})
	return ok, due
}

// lookAndTry is a try that a look has foretold.
func lookAndTry(t *testing.T, st *store.Store, name string, now time.Time) (ok bool, due time.Time) {
	t.Helper()
	var would bool
	var when time.Time
	write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
		would, when, err = tx.Failures.Look(ctx, name, now, 20)
		return err
	})
	if ok, due = try(t, st, name, now); would != ok || !ok && !when.Equal(due) {
		t.Errorf("a look says %v, due %v, and a try %v, due %v", would, when, ok, due)
	}
	return ok, due
}

func TestPW11_FailuresSlowDownAndStop(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		now := start
		for i := 1; i <= 20; i++ {
			ok, due := lookAndTry(t, st, "person:a", now)
			if !ok {
				t.Fatalf("try %d was refused at its time", i)
			}
			want := time.Duration(0)
			if i >= 5 {
				want = min(time.Second<<(i-5), time.Hour)
			}
			if wait := due.Sub(now); wait != want {
				t.Errorf("after %d failures the wait is %v, want %v", i, wait, want)
			}
			if want > 0 {
				if ok, again := lookAndTry(t, st, "person:a", due.Add(-time.Millisecond)); ok || i < 20 && !again.Equal(due) {
					t.Errorf("try %d came early: %v, due %v", i+1, ok, again)
				}
			}
			now = due
		}
		if ok, due := lookAndTry(t, st, "person:a", now.Add(1000*time.Hour)); ok || due.Before(now.Add(1001*time.Hour)) {
			t.Errorf("beyond the last: %v, due %v", ok, due)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Failures.Clear(ctx, []string{"person:a"}) })
		if ok, _ := lookAndTry(t, st, "person:a", now); !ok {
			t.Error("refused after a success")
		}
	})
}

// TestPW11_ParallelTriesAreNoMoreThanSerialOnes: guesses sent at once are
// counted before any is looked at.
func TestPW11_ParallelTriesAreNoMoreThanSerialOnes(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		var let atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if ok, _ := try(t, st, "person:a", start); ok {
					let.Add(1)
				}
			})
		}
		wg.Wait()
		if let.Load() != 5 {
			t.Errorf("%d guesses were let through at once, want 5", let.Load())
		}
	})
}

func TestCountersArePruned(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for i := range 3 {
			take(t, st, fmt.Sprint("r", i), start.Add(time.Duration(i)*time.Minute))
			try(t, st, fmt.Sprint("unknown:", i), start.Add(time.Duration(i)*time.Minute))
		}
		try(t, st, "person:a", start)
		for range 2 { // as many as close an account
			try(t, st, "unknown:closed", start)
		}
		closed := start
		prune := func(limit int) (rates, failures int) {
			write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
				if rates, err = tx.Rates.Prune(ctx, start.Add(2*time.Minute), limit); err != nil {
					return err
				}
				failures, err = tx.Failures.Prune(ctx, "unknown:", 2, start.Add(2*time.Minute), closed, limit)
				return err
			})
			return rates, failures
		}
		for i, want := range []int{1, 1, 0} {
			if rates, failures := prune(1); rates != want || failures != want {
				t.Errorf("round %d pruned %d rates and %d failures, want %d", i, rates, failures, want)
			}
		}
		closed = start.Add(time.Millisecond)
		if _, failures := prune(9); failures != 1 {
			t.Errorf("%d accounts of nobody that had been closed for long were pruned, want 1", failures)
		}
	})
}
