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
		ok, due, err = tx.Rates.Take(ctx, name, now, 6*time.Second, 54*time.Second, 2*time.Minute)
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

// TestDD07_ARateIsNotUsedUpByAClockThatWasSetBack: what was paid for before is further ahead than any use can
// pay. A clock that is a little behind that of another node gives nobody more.
func TestDD07_ARateIsNotUsedUpByAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for range 10 {
			take(t, st, "a", start)
			take(t, st, "b", start)
		}
		if ok, due := take(t, st, "a", start.Add(-time.Minute)); ok || !due.Equal(start.Add(6*time.Second)) {
			t.Errorf("a node that is a minute behind: %v, due %v", ok, due.Sub(start))
		}
		for i, back := range []time.Duration{35 * time.Minute, 365 * 24 * time.Hour} {
			now := start.Add(-back)
			for j := range 10 {
				if ok, _ := take(t, st, "a", now); !ok {
					t.Fatalf("%d: set back by %v, use %d was refused", i, back, j+1)
				}
			}
			if ok, due := take(t, st, "a", now); ok || !due.Equal(now.Add(6*time.Second)) {
				t.Errorf("set back by %v, the 11th use: %v, due %v", back, ok, due.Sub(now))
			}
		}
		pruned := 0
		write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			now := start.Add(-365 * 24 * time.Hour)
			pruned, err = tx.Rates.Prune(ctx, now, now.Add(time.Hour), 9)
			return err
		})
		if pruned != 1 { // b
			t.Errorf("%d rates were pruned that nobody used since, want 1", pruned)
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

// TestSendsArePruned: whom no message went to since a moment is forgotten, a few at a time, and nobody else.
func TestSendsArePruned(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for i := range 5 {
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				_, _, err := tx.Sends.Take(ctx, fmt.Sprint(i), start.Add(time.Duration(i)*time.Hour), store.Pauses{time.Second})
				return err
			})
		}
		for i, want := range []int{2, 1, 0} { // the first two, and the one that is ahead of what any can be
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				n, err := tx.Sends.Prune(ctx, start.Add(2*time.Hour), start.Add(3*time.Hour), 2)
				if n != want {
					t.Errorf("round %d: %d were pruned, want %d", i, n, want)
				}
				return err
			})
		}
	})
}

func try(t *testing.T, st *store.Store, name string, now time.Time) (ok bool, due time.Time) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		turn, err := tx.Failures.Try(ctx, name, now, 5, 20)
		ok, due = turn.OK, turn.Due
		return err
	})
	return ok, due
}

// lookAndTry is a try that a look has foretold.
func lookAndTry(t *testing.T, st *store.Store, name string, now time.Time) (ok bool, due time.Time) {
	t.Helper()
	var would store.Turn
	write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
		would, err = tx.Failures.Look(ctx, name, now, 20)
		return err
	})
	if ok, due = try(t, st, name, now); would.OK != ok || !ok && !would.Due.Equal(due) {
		t.Errorf("a look says %v, due %v, and a try %v, due %v", would.OK, would.Due, ok, due)
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

// TestDD07_APauseIsServedAfterAClockWasSetBack: as long as it was, from the moment at which somebody comes, and no
// longer. Where there was none nobody waits, what was counted stays, and what is closed stays so.
func TestDD07_APauseIsServedAfterAClockWasSetBack(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for range 4 {
			try(t, st, "person:a", start)
		}
		now := start.Add(-35 * time.Minute)
		if ok, due := lookAndTry(t, st, "person:a", now); !ok || !due.Equal(now.Add(time.Second)) {
			t.Fatalf("the fifth try, before which there is no pause: %v, due %v", ok, due.Sub(now))
		}
		for now = now.Add(time.Second); ; { // up to a pause of eight seconds
			_, due := try(t, st, "person:a", now)
			wait := due.Sub(now)
			if now = due; wait == 8*time.Second {
				break
			}
		}
		if ok, _ := lookAndTry(t, st, "person:a", now.Add(-8*time.Second-store.Skew)); ok {
			t.Error("a node whose clock is a minute behind let a try through")
		}
		for _, back := range []time.Duration{2 * time.Minute, 35 * time.Minute, 365 * 24 * time.Hour} {
			now = now.Add(-back)
			for range 3 { // it does not begin anew with each
				if ok, due := lookAndTry(t, st, "person:a", now); ok || !due.Equal(now.Add(8*time.Second)) {
					t.Errorf("set back by %v: %v, due %v, want a pause of 8 s", back, ok, due.Sub(now))
				}
			}
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Failures.Again(ctx, "person:a", now) })
			later := now.Add(3 * time.Second)
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Failures.Again(ctx, "person:a", later) })
			if ok, due := lookAndTry(t, st, "person:a", later); ok || !due.Equal(now.Add(8*time.Second)) {
				t.Errorf("set back by %v, 3 s later: %v, due %v", back, ok, due.Sub(now))
			}
		}
		if ok, due := lookAndTry(t, st, "person:a", now.Add(8*time.Second)); !ok || !due.Equal(now.Add(24*time.Second)) {
			t.Errorf("after the pause: %v, due %v", ok, due.Sub(now))
		}
		for i := 0; i < 20; i++ {
			try(t, st, "person:closed", start.Add(time.Duration(i)*time.Hour))
		}
		if ok, due := lookAndTry(t, st, "person:closed", start); ok || due.Before(start.Add(time.Hour)) {
			t.Errorf("what was closed: %v, due %v", ok, due.Sub(start))
		}
	})
}

// TestMN08_WhereNoPauseIsDueNoClockMakesOne: the first four failures are followed by no pause, on no node however its
// clock stands. One that is due holds on each, and is no shorter because the last failure was on a node that is behind.
func TestMN08_WhereNoPauseIsDueNoClockMakesOne(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for _, behind := range []time.Duration{time.Millisecond, 4 * time.Second, 30 * time.Second, store.Skew} {
			name, there := "person:"+behind.String(), start.Add(-behind)
			for i := range 4 {
				now := start
				if i%2 == 1 {
					now = there
				}
				if ok, due := lookAndTry(t, st, name, now); !ok || due.After(start) {
					t.Errorf("try %d by a clock that is %v behind: %v, due %v", i+1, start.Sub(now), ok, due.Sub(start))
				}
			}
			if ok, due := lookAndTry(t, st, name, there); !ok || !due.Equal(start.Add(time.Second)) {
				t.Errorf("the fifth, by a clock that is %v behind: %v, due %v, want a second after the others", behind, ok, due.Sub(start))
			}
			for _, now := range []time.Time{start, there, there.Add(time.Second - time.Millisecond)} {
				if ok, due := lookAndTry(t, st, name, now); ok || !due.Equal(start.Add(time.Second)) {
					t.Errorf("%v after the fifth: %v, due %v", now.Sub(start), ok, due.Sub(start))
				}
			}
			if ok, _ := lookAndTry(t, st, name, start.Add(time.Second)); !ok {
				t.Error("refused when it was due")
			}
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
				if rates, err = tx.Rates.Prune(ctx, start.Add(2*time.Minute), start.Add(time.Hour), limit); err != nil {
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
