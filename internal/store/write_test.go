package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// business adds a business; an id twice is an error of the database.
func business(id string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		return tx.Businesses.Insert(ctx, otl.Business{ID: id, Name: id, CreatedAt: start})
	}
}

// businesses counts those that are stored.
func businesses(t *testing.T, e otltest.Engine, url string) (n int) {
	t.Helper()
	if err := connect(t, e, url).QueryRowContext(t.Context(), `SELECT count(*) FROM businesses`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// eachOpen runs a test on a store of each engine and its URL.
func eachOpen(t *testing.T, test func(t *testing.T, st *store.Store, count func() int)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, e otltest.Engine, url string) {
		test(t, open(t, url, true), func() int { return businesses(t, e, url) })
	})
}

func TestDD01_AFailedWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	eachOpen(t, func(t *testing.T, st *store.Store, count func() int) {
		no := errors.New("no")
		for name, fn := range map[string]func(context.Context, *store.Tx) error{
			"an error of the caller": func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(business("a")(ctx, tx), no)
			},
			"an error of the database": func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(business("a")(ctx, tx), business("a")(ctx, tx))
			},
			"an error that was passed over": func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Users.ByID(ctx, "nobody")
				return errors.Join(business("a")(ctx, tx), err)
			},
			"a panic": func(ctx context.Context, tx *store.Tx) error {
				if err := business("a")(ctx, tx); err != nil {
					return err
				}
				panic("at the disco")
			},
		} {
			var panicked any
			err := func() error {
				defer func() { panicked = recover() }()
				return st.Write(t.Context(), fn)
			}()
			if err == nil && panicked == nil {
				t.Errorf("%s: no error", name)
			}
			if n := count(); n != 0 {
				t.Fatalf("%s: %d left", name, n)
			}
		}
		write(t, st, business("a"))
		if n := count(); n != 1 {
			t.Errorf("%d after a write that succeeded", n)
		}
	})
}

func TestATransactionIsNotNested(t *testing.T) {
	t.Parallel()
	eachOpen(t, func(t *testing.T, st *store.Store, count func() int) {
		err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(business("outer")(ctx, tx), st.Write(ctx, business("inner")))
		})
		if err == nil || !strings.Contains(err.Error(), "inside a transaction") || count() != 0 {
			t.Errorf("%v, %d left", err, count())
		}
	})
}

func TestACallerWhoLeftEarlierWritesNothing(t *testing.T) {
	t.Parallel()
	eachOpen(t, func(t *testing.T, st *store.Store, count func() int) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := st.Write(ctx, business("a")); !errors.Is(err, context.Canceled) || count() != 0 {
			t.Errorf("%v, %d left", err, count())
		}
	})
}

// A caller who leaves while his transaction runs does not break it in two.
func TestATransactionThatBeganIsFinished(t *testing.T) {
	t.Parallel()
	eachOpen(t, func(t *testing.T, st *store.Store, count func() int) {
		ctx, cancel := context.WithCancel(t.Context())
		err := st.Write(ctx, func(inner context.Context, tx *store.Tx) error {
			cancel()
			return errors.Join(business("a")(inner, tx), business("b")(inner, tx))
		})
		if err != nil || count() != 2 {
			t.Errorf("%v, %d written", err, count())
		}
	})
}

func TestOneCallersErrorIsHisAlone(t *testing.T) {
	t.Parallel()
	eachOpen(t, func(t *testing.T, st *store.Store, count func() int) {
		const callers = 200
		no := errors.New("no")
		var wrong atomic.Int32
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					if err := business(fmt.Sprint("b", i))(ctx, tx); err != nil {
						return err
					}
					if i%2 == 1 {
						return no
					}
					return nil
				})
				if (i%2 == 1) != errors.Is(err, no) || i%2 == 0 && err != nil {
					wrong.Add(1)
				}
			})
		}
		wg.Wait()
		if n := count(); wrong.Load() != 0 || n != callers/2 {
			t.Errorf("%d wrong answers, %d written", wrong.Load(), n)
		}
		if s := st.Stats(); s.Engine == "sqlite" && (s.Commits >= s.Writes || s.Writes != callers) {
			t.Errorf("no commit carried more than one write: %+v", s)
		}
	})
}

func TestEveryReadSeesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 25 {
					name := fmt.Sprint("evt_", w, "-", i)
					err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						return tx.Events.Append(ctx, otl.Event{ID: name, Type: otl.EventKeyRotated, UserID: name, CreatedAt: start})
					})
					got, readErr := st.Read.Events.List(t.Context(), name, "", "", 2)
					if err != nil || readErr != nil || len(got) != 1 || got[0].ID != name {
						t.Errorf("%v %v %v", err, readErr, got)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		const raises = 64
		seen := make([]atomic.Int32, raises+2)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range raises {
			wg.Go(func() {
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					v, err := tx.Users.RaiseSessionVersion(ctx, "jane")
					if err == nil && v < len(seen) {
						seen[v].Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
				u := otl.User{ID: "jane", Name: fmt.Sprint(i), Preferences: "{}", Version: 1, UpdatedAt: start}
				err = st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					ok, err := tx.Users.UpdateProfile(ctx, u)
					if ok {
						won.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for v := 2; v < raises+2; v++ {
			if seen[v].Load() != 1 {
				t.Errorf("version %d was given %d times", v, seen[v].Load())
			}
		}
		if u, err := st.Read.Users.ByID(t.Context(), "jane"); err != nil || u.SessionVersion != raises+1 || u.Version != 2 || won.Load() != 1 {
			t.Errorf("%+v, %d profiles were written, %v", u, won.Load(), err)
		}
	})
}

// TestSE10_OneOfManyRotates: of many that read the same one exchanges it, also where the token stays
// what it was.
func TestSE10_OneOfManyRotates(t *testing.T) {
	t.Parallel()
	t.Run("another", func(t *testing.T) {
		t.Parallel()
		oneRotates(t, func(i int) []byte { return []byte(fmt.Sprint("next", i)) })
	})
	t.Run("the same", func(t *testing.T) { t.Parallel(); oneRotates(t, func(int) []byte { return []byte("a") }) })
}

func oneRotates(t *testing.T, next func(int) []byte) {
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane", "a")
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					ok, err := tx.Sessions.Rotate(ctx, "a", otl.Rotation{Digest: []byte("a")}, otl.Rotation{
						Digest: next(i), Generation: 1, Nonce: []byte("n"), RotatedAt: start, PaidTo: start,
					}, start)
					if ok {
						won.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d rotated", won.Load())
		}
	})
}

// Two that want each other's row: PostgreSQL ends one of them, and the store runs
// it again. SQLite has one writer, so that it cannot come to this.
func TestMN13_ALostRaceIsRunAgain(t *testing.T) {
	t.Parallel()
	url := otltest.DatabaseURL(t, otltest.Postgres)
	st := open(t, url, false)
	for _, id := range []string{"jane", "joe"} {
		email, err := otl.ParseEmail(id + "@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.Insert(ctx, otl.User{ID: id, Email: email, SessionVersion: 1, Version: 1, Preferences: "{}", CreatedAt: start, UpdatedAt: start})
			return err
		})
	}
	var both, done sync.WaitGroup
	both.Add(2)
	var tries atomic.Int32
	for _, order := range [][2]string{{"jane", "joe"}, {"joe", "jane"}} {
		done.Go(func() {
			held := sync.OnceFunc(both.Done)
			err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				tries.Add(1)
				if _, err := tx.Users.RaiseSessionVersion(ctx, order[0]); err != nil {
					return err
				}
				held()
				both.Wait() // each has his first row
				_, err := tx.Users.RaiseSessionVersion(ctx, order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	jane, err1 := st.Read.Users.ByID(t.Context(), "jane")
	joe, err2 := st.Read.Users.ByID(t.Context(), "joe")
	if err1 != nil || err2 != nil || jane.SessionVersion != 3 || joe.SessionVersion != 3 || tries.Load() < 3 {
		t.Errorf("%d and %d after %d tries, %v %v", jane.SessionVersion, joe.SessionVersion, tries.Load(), err1, err2)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, _ otltest.Engine, url string) {
		st, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if err := st.Write(t.Context(), business("a")); err == nil {
			t.Error("written into a closed store")
		}
		if err := st.Ping(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
	})
}

// DD-06: connections that the server cut are replaced, and the caller learns
// that the database was away, never that the row was not there.
func TestDD06_CutConnectionsAreUnavailableAndHeal(t *testing.T) {
	t.Parallel()
	url := otltest.DatabaseURL(t, otltest.Postgres)
	st := open(t, url, false)
	cut := connect(t, otltest.Postgres, url)
	err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := business("a")(ctx, tx); err != nil {
			return err
		}
		run(t, cut, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		return business("b")(ctx, tx)
	})
	if known := otl.As(err); err == nil || known.Kind != otl.Unavailable || known.RetryAfter <= 0 {
		t.Errorf("%v", err)
	}
	write(t, st, business("c"))
	if n := businesses(t, otltest.Postgres, url); n != 1 {
		t.Errorf("%d written", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, e := range otltest.Engines() {
		b.Run(string(e), func(b *testing.B) {
			st := otltest.Store(b, e)
			var n atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := fmt.Sprint("b", n.Add(1))
					if err := st.Write(b.Context(), business(id)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, e := range otltest.Engines() {
		b.Run(string(e), func(b *testing.B) {
			st := otltest.Store(b, e)
			if err := st.Write(b.Context(), business("a")); err != nil {
				b.Fatal(err)
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := st.Read.Businesses.Oldest(b.Context()); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestDrain_HoweverManyThereAreTheyGo: in steps that keep nobody waiting; an error ends
// it, and what went before stays gone.
func TestDrain_HoweverManyThereAreTheyGo(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		start := time.UnixMilli(1_700_000_000_000)
		fill := func() {
			t.Helper()
			if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				for i := range 2*store.Batch + 1 {
					if _, err := tx.SeenTokens.First(ctx, []byte(strconv.Itoa(i)), start); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		var steps []int
		drain := func(end error) error {
			steps = nil
			return st.Drain(t.Context(), func(ctx context.Context, tx *store.Tx) (int, error) {
				n, err := tx.SeenTokens.Prune(ctx, start.Add(time.Second), store.Batch)
				steps = append(steps, n)
				if err == nil && len(steps) == 2 {
					err = end
				}
				return n, err
			})
		}
		fill()
		if err := drain(nil); err != nil || !slices.Equal(steps, []int{store.Batch, store.Batch, 1}) {
			t.Errorf("%v %v", steps, err)
		}
		fill()
		end := errors.New("enough")
		if err := drain(end); !errors.Is(err, end) {
			t.Error(err)
		}
		if err := drain(nil); err != nil || !slices.Equal(steps, []int{store.Batch, 1}) {
			t.Errorf("afterwards %v %v", steps, err)
		}
	})
}

// TestAtLast_ComesInTheSameCommit: events are held until the end of the commit that appended them
// and written there, or without a place where that fails, which is told.
func TestAtLast_ComesInTheSameCommit(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name          string
		rest          bool
		err           error
		panics        bool
		placed, after bool
	}{
		{name: "all", placed: true, after: true},
		{name: "some", rest: true, after: true},
		{name: "none", err: errors.New("no")},
		{name: "a panic", panics: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			url := otltest.DatabaseURL(t, otltest.SQLite)
			st, after := open(t, url, true), 0
			st.AtLast(func(ctx context.Context, tx *store.Tx, held []store.Entry) (func(), bool, error) {
				err := business("a")(ctx, tx)
				if one.rest {
					err = errors.Join(err, tx.Events.Insert(ctx, held[0]))
				} else {
					err = errors.Join(err, tx.Events.InsertPlaced(ctx, numbered(held)))
				}
				if err != nil {
					t.Error(err)
				}
				if one.panics {
					panic("no")
				}
				return func() { after++ }, one.rest, one.err
			})
			before := st.Stats().Commits
			appendEvent(t, st, "evt_a")
			if n := st.Stats().Commits - before; n != 1 {
				t.Errorf("%d commits", n)
			}
			if stays := businesses(t, otltest.SQLite, url) == 1; stays != one.after {
				t.Errorf("what came last stays: %t", stays)
			}
			if e, err := st.Read.Events.List(t.Context(), "", "", "", 10); err != nil || len(e) != 1 || (e[0].Seq == 1) != one.placed {
				t.Errorf("%+v %v", e, err)
			}
			if told(st) == one.placed {
				t.Errorf("told: %t", !one.placed)
			}
			st.AtLast(nil)
			// The writer answers before it does what comes after: it is through with that once it takes the next write.
			if err := st.Write(t.Context(), func(context.Context, *store.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if (after == 1) != one.after {
				t.Errorf("done afterwards %d times", after)
			}
		})
	}
}

// numbered gives events the first places.
func numbered(held []store.Entry) []store.Entry {
	for i := range held {
		held[i].Seq = int64(i + 1)
	}
	return held
}

// TestAtLast_WhatIsTakenBackIsNotHeld: of the writes of one commit those that fail leave no event.
func TestAtLast_WhatIsTakenBackIsNotHeld(t *testing.T) {
	t.Parallel()
	st := open(t, otltest.DatabaseURL(t, otltest.SQLite), true)
	st.AtLast(func(ctx context.Context, tx *store.Tx, held []store.Entry) (func(), bool, error) {
		return nil, false, tx.Events.InsertPlaced(ctx, numbered(held))
	})
	before, taken, release := st.Stats().Commits, make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	run := func(id string, then func() error) {
		all.Go(func() {
			defer func() { _ = recover() }()
			_ = st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if err := tx.Events.Append(ctx, otl.Event{ID: id, Type: otl.EventUserCreated, CreatedAt: start}); err != nil {
					return err
				}
				return then()
			})
		})
	}
	run("evt_a", func() error { close(taken); <-release; return nil })
	<-taken
	run("evt_b", func() error { return errors.New("no") })
	run("evt_c", func() error { panic("no") })
	run("evt_d", func() error { return nil })
	for st.Stats().Queued < 3 {
		runtime.Gosched()
	}
	close(release)
	all.Wait()
	var got []string
	found, err := st.Read.Events.After(t.Context(), 0, 10)
	for _, e := range found {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, []string{"evt_a", "evt_d"}) || err != nil || st.Stats().Commits != before+1 {
		t.Errorf("%v %v, %d commits", got, err, st.Stats().Commits-before)
	}
}

// TestTheFirstOfACommitLeavesNothing where it fails, and those after it are as they would be without it: it has no
// savepoint, the transaction begins anew.
func TestTheFirstOfACommitLeavesNothing(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for name, fail := range map[string]func(context.Context, *store.Tx) error{
		"an error":                 func(context.Context, *store.Tx) error { return no },
		"a panic":                  func(context.Context, *store.Tx) error { panic(no) },
		"an error of the database": business("first"), // twice
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := otltest.DatabaseURL(t, otltest.SQLite)
			st, taken, release := open(t, url, true), make(chan struct{}), make(chan struct{})
			before := st.Stats().Commits
			var all sync.WaitGroup
			all.Go(func() {
				defer func() { _ = recover() }()
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					if err := business("first")(ctx, tx); err != nil {
						t.Error(err)
					}
					close(taken)
					<-release
					return fail(ctx, tx)
				})
				if err == nil {
					t.Error("it did not fail")
				}
			})
			<-taken
			for _, id := range []string{"first", "second"} { // the id is free again
				all.Go(func() {
					if err := st.Write(t.Context(), business(id)); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				})
			}
			for st.Stats().Queued < 2 {
				runtime.Gosched()
			}
			close(release)
			all.Wait()
			if n := businesses(t, otltest.SQLite, url); n != 2 || st.Stats().Commits != before+1 {
				t.Errorf("%d businesses by %d commits", n, st.Stats().Commits-before)
			}
		})
	}
}

// TestWriteWithOthers_WaitsForThem until one comes who does not wait, or the round is over, or the caller gives up, or
// the store closes.
func TestWriteWithOthers_WaitsForThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end            func(w *waiting) error
		err            error // of the one that waits
		commits, stays int   // and the businesses that stay
	}{
		"another comes":     {func(w *waiting) error { return w.st.Write(w.ctx, business("other")) }, nil, 1, 2},
		"the round is over": {func(w *waiting) error { close(w.round); return nil }, nil, 1, 1},
		"it is given up":    {func(w *waiting) error { w.leave(); return nil }, context.Canceled, 0, 0},
		"the store closes":  {func(w *waiting) error { return w.close() }, nil, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := otltest.DatabaseURL(t, otltest.SQLite)
			w := waitFor(t, url)
			before := w.st.Stats().Commits
			came := make(chan error, 1)
			go func() { came <- w.st.WriteWithOthers(w.ctx, business("one")) }()
			select {
			case <-w.waits:
			case err := <-came:
				t.Fatalf("it waited for nobody: %v", err)
			}
			if err := c.end(w); err != nil {
				t.Error(err)
			}
			if err := <-came; !errors.Is(err, c.err) {
				t.Errorf("it came to %v, not %v", err, c.err)
			}
			if n, made := businesses(t, otltest.SQLite, url), int(w.st.Stats().Commits-before); n != c.stays || made != c.commits {
				t.Errorf("%d businesses by %d commits, not %d by %d", n, made, c.stays, c.commits)
			}
		})
	}
}

// TestWriteWithOthers_OneCommitCarriesAllWhoWait and whoever does not, and as many of them as a commit carries wait for nobody else.
func TestWriteWithOthers_OneCommitCarriesAllWhoWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waits int
		more  bool // somebody comes who does not wait
	}{"three": {2, true}, "full": {128, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := otltest.DatabaseURL(t, otltest.SQLite)
			w := waitFor(t, url)
			before := w.st.Stats()
			var all sync.WaitGroup
			for i := range c.waits {
				all.Go(func() {
					if err := w.st.WriteWithOthers(t.Context(), business(strconv.Itoa(i))); err != nil {
						t.Error(err)
					}
				})
			}
			for c.more && w.st.Stats().Queued < c.waits {
				runtime.Gosched()
			}
			stay := c.waits
			if c.more {
				stay++
				if err := w.st.Write(t.Context(), business("other")); err != nil {
					t.Error(err)
				}
			}
			all.Wait()
			if n, made := businesses(t, otltest.SQLite, url), w.st.Stats().Commits-before.Commits; n != stay || made != 1 {
				t.Errorf("%d businesses by %d commits, not %d by 1", n, made, stay)
			}
		})
	}
}

// waiting is a store in which a write waits for others, for a round that the test ends.
type waiting struct {
	st           *store.Store
	ctx          context.Context //nolint:containedctx // of the one that waits
	leave        func()
	close        func() error
	waits, round chan struct{}
}

func waitFor(t *testing.T, url string) *waiting {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: url, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &waiting{st: st, close: sync.OnceValue(st.Close), waits: make(chan struct{}), round: make(chan struct{})}
	w.ctx, w.leave = context.WithCancel(t.Context())
	waits := sync.OnceFunc(func() { close(w.waits) })
	store.Round(st, func() <-chan struct{} { waits(); return w.round })
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// TestAtLast_IsLeftAloneForAWhile once it failed: each commit would try, and fail, again.
func TestAtLast_IsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	st, tries := open(t, otltest.DatabaseURL(t, otltest.SQLite), true), 0
	st.AtLast(func(context.Context, *store.Tx, []store.Entry) (func(), bool, error) {
		tries++
		return nil, false, errors.New("no")
	})
	begin := time.Now()
	for i := range 5 {
		if appendEvent(t, st, "evt_"+strconv.Itoa(i)); !told(st) {
			t.Error("nobody was told of an event that nothing came last to")
		}
	}
	if took := time.Since(begin); tries > 1+int(took/(100*time.Millisecond)) {
		t.Errorf("tried %d times in %s", tries, took)
	}
}

func appendEvent(t *testing.T, st *store.Store, id string) {
	t.Helper()
	err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Events.Append(ctx, otl.Event{ID: id, Type: otl.EventUserCreated, CreatedAt: start})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func told(st *store.Store) bool {
	select {
	case <-st.Appended():
		return true
	default:
		return false
	}
}
