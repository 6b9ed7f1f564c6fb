package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// sent are the times at which messages went, the newest last.
type sent []time.Time

// wait gives for how long rates keep another message from following, counted in another way than the store does.
func (s sent) wait(now time.Time, rates ...limit.Rate) (most time.Duration) {
	for _, r := range rates {
		within := 0
		for i := len(s) - 1; i >= 0 && now.Sub(s[i]) < r.Per; i-- {
			if within++; within == r.Uses {
				most = max(most, r.Per-now.Sub(s[i]))
			}
		}
	}
	return most
}

// most gives how many went in any time of a length.
func (s sent) most(per time.Duration) (most int) {
	for i, begin := range s {
		n := 0
		for _, at := range s[i:] {
			if at.Sub(begin) < per {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// walk asks for messages to one person for days: at once, after a moment, when the next one is due, a moment before, after hours.
type walk struct {
	limits    *limit.Limits
	clock     *otltest.Clock
	random    *rand.Rand
	known     bool
	all, kept sent
}

// ask asks for a message, and fails unless it goes, or is refused, as the rates say.
func (k *walk) ask(t *testing.T, to string) {
	t.Helper()
	now, uses := k.clock.Now(), limit.Sending(to)
	pauses, kept := limit.Sends[:2], []limit.Rate{limit.Sends[0], limit.Sends[1], limit.SendsKept}
	var look error
	if err := k.limits.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		look = k.limits.Look(ctx, tx, uses...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	took := k.limits.Take(t.Context(), uses...)
	want := k.all.wait(now, limit.Sends...)
	for _, err := range []error{look, took} {
		if waits(err) != want {
			t.Fatalf("%v after %v: %v, want a wait of %v", now, k.all, err, want)
		}
	}
	got := k.limits.Keep(t.Context(), took, func() (bool, error) { return k.known, nil }, uses...)
	pause := k.all.wait(now, pauses...)
	switch {
	case want == 0:
		k.all = append(k.all, now)
	case pause > 0:
		want = pause
	case k.known && k.kept.wait(now, kept...) == 0:
		want, k.kept = 0, append(k.kept, now)
	case k.known:
		want = min(want, k.kept.wait(now, kept...))
	}
	if waits(got) != want || errors.Is(got, limit.ErrWithheld) != (want > 0 && pause == 0) {
		t.Fatalf("%v after %v and %v: %v, want a wait of %v", now, k.all, k.kept, got, want)
	}
}

// waits is the wait an error tells of, 0 for none.
func waits(err error) time.Duration {
	if err == nil {
		return 0
	}
	return otl.As(err).RetryAfter
}

// step is how long it is until somebody asks again: seconds, mostly, or the errors could say no exact wait.
func (k *walk) step() time.Duration {
	now := k.clock.Now()
	switch k.random.IntN(10) {
	case 0:
		return 0
	case 1:
		return k.all.wait(now, limit.Sends...)
	case 2:
		return max(k.all.wait(now, limit.Sends[:2]...)-time.Second, 0)
	case 3:
		return time.Duration(k.random.IntN(4)) * time.Hour
	case 4:
		return time.Duration(k.random.IntN(120)) * time.Second
	default:
		return k.all.wait(now, limit.Sends[:2]...)
	}
}

// TestOT07_InNoTimeMoreMessagesGoThanMay walks at random through days: one in 30 seconds, five in 15 minutes and ten in 24
// hours go, whenever these begin, and never fewer; three more of a day to whoever is known. Who is refused is told when the
// next one goes (OT-19).
func TestOT07_InNoTimeMoreMessagesGoThanMay(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for seed := range uint64(4) {
			clock := otltest.NewClock()
			k := walk{limits: &limit.Limits{Store: st, Now: clock.Now}, clock: clock, random: rand.New(rand.NewPCG(seed, 7)), known: seed%2 == 0}
			for begin := clock.Now(); clock.Now().Sub(begin) < 5*24*time.Hour; clock.Advance(k.step()) {
				k.ask(t, fmt.Sprint("walk ", seed))
			}
			for _, r := range limit.Sends {
				if n := k.all.most(r.Per); n != r.Uses {
					t.Errorf("seed %d: at most %d messages in %v, want %d", seed, n, r.Per, r.Uses)
				}
			}
			if n := k.kept.most(24 * time.Hour); k.known && n != limit.SendsKept.Uses || !k.known && n > 0 {
				t.Errorf("seed %d: at most %d messages more in a day", seed, n)
			}
		}
	})
}

// TestMN07_NodesSendTogetherWhatMayGo: three nodes at once send no more than one, and none less.
func TestMN07_NodesSendTogetherWhatMayGo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres, limited)
	nodes := []*otltest.World{w, w.Again(t), w.Again(t)}
	for round := range 8 {
		var went atomic.Int32
		var all sync.WaitGroup
		for i := range 12 {
			to := []string{"jane@dev.test", "+491705550100"}
			if i%2 == 0 {
				to[0], to[1] = to[1], to[0]
			}
			all.Go(func() {
				switch err := nodes[i%3].Limits.Take(t.Context(), limit.Sending(to...)...); {
				case err == nil:
					went.Add(1)
				case otl.As(err).Kind != otl.Limited:
					t.Error(err)
				}
			})
		}
		all.Wait()
		want := int32(1)
		if round >= 5 {
			want = 0
		}
		if went.Load() != want {
			t.Errorf("round %d: %d messages went, want %d", round, went.Load(), want)
		}
		w.Clock.Advance(30 * time.Second)
	}
	if !reflect.DeepEqual(limit.Sending("a", "b"), limit.Sending("b", "a", "b")) {
		t.Error("two transactions lock the rows of the same two in another order")
	}
}

// goes tells whether a message goes to somebody from a node whose clock is off by so much.
func goes(t *testing.T, st *store.Store, now time.Time, to string) bool {
	t.Helper()
	err := (&limit.Limits{Store: st, Now: func() time.Time { return now }}).Take(t.Context(), limit.Sending(to)...)
	if err != nil && otl.As(err).Kind != otl.Limited {
		t.Fatal(err)
	}
	return err == nil
}

// TestDD07_ClocksAndMessages: where a clock is set back nobody waits for longer than he would have from then on; and nodes whose clocks
// differ by minutes do not begin each other's rates anew.
func TestDD07_ClocksAndMessages(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		start := otltest.NewClock().Now()
		used := func(to string) time.Time { // what may go in a quarter of an hour
			now := start
			for range 5 {
				if now = now.Add(30 * time.Second); !goes(t, st, now, to) {
					t.Fatal("refused within the rate")
				}
			}
			return now
		}
		// By a day: everything begins anew.
		now := used("day").Add(-24 * time.Hour)
		for i := range 6 {
			if goes(t, st, now, "day") != (i < 5) {
				t.Errorf("set back by a day: message %d", i+1)
			}
			now = now.Add(30 * time.Second)
		}
		// By half an hour: one goes, and what went before counts as if it had gone with it.
		now = used("half").Add(-30 * time.Minute)
		for _, c := range []struct {
			after time.Duration
			goes  bool
		}{{0, true}, {0, false}, {30 * time.Second, false}, {15*time.Minute - time.Millisecond, false}, {15 * time.Minute, true}} {
			if goes(t, st, now.Add(c.after), "half") != c.goes {
				t.Errorf("set back by half an hour, %v after the first: want %v", c.after, c.goes)
			}
		}
		// Within the skew nothing is forgotten.
		if now = used("skew"); goes(t, st, now.Add(-store.Skew), "skew") || goes(t, st, now.Add(time.Minute), "skew") {
			t.Error("a node that is a minute behind has a rate of its own")
		}
		// Of two nodes, one of them five minutes behind, that are asked by turns for an hour.
		var ahead, behind sent
		for at := start; at.Before(start.Add(time.Hour)); at = at.Add(10 * time.Second) {
			if goes(t, st, at, "two") {
				ahead = append(ahead, at)
			}
			if goes(t, st, at.Add(-5*time.Minute), "two") {
				behind = append(behind, at)
			}
		}
		if n := len(ahead) + len(behind); n < 10 || n > 11 {
			t.Errorf("%d messages went from two nodes, want ten, and no more than one beyond", n)
		}
	})
}

// TestDD07_ClocksOf1970: whatever a clock was set to, nobody has been sent anything before the first message. Rows of before, where 0
// stands for never, are none of it: their last message is ahead of such a clock, and they begin anew.
func TestDD07_ClocksOf1970(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		if !goes(t, st, otltest.NewClock().Now(), "was known") {
			t.Fatal("the first message does not go")
		}
		for i, now := range []time.Time{time.UnixMilli(1), time.Unix(0, 0).Add(time.Hour), time.Unix(0, 0).Add(-time.Hour), time.Unix(0, 0).AddDate(-100, 0, 0)} {
			for _, to := range []string{fmt.Sprint("1970 ", i), "was known"} {
				at := now
				if to == "was known" && i > 0 {
					continue
				}
				for n := 1; n <= 12; n++ {
					if want := n <= 10; goes(t, st, at, to) != want {
						t.Errorf("%v, %s: message %d: want %v", at, to, n, want)
					}
					if goes(t, st, at, to) {
						t.Errorf("%v, %s: a second one at once", at, to)
					}
					at = at.Add(5 * time.Minute)
				}
			}
		}
	})
}

// BenchmarkSending is what it costs to count a message to somebody, who was sent one hours ago, in a transaction that does much.
func BenchmarkSending(b *testing.B) {
	const people, once = 1000, 100
	for _, e := range otltest.Engines() {
		b.Run(string(e), func(b *testing.B) {
			st, clock := otltest.Store(b, e), otltest.NewClock()
			limits := &limit.Limits{Store: st, Now: clock.Now}
			for i := 0; b.Loop(); i++ {
				if i%(people/once) == 0 {
					clock.Advance(3 * time.Hour)
				}
				err := st.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
					for j := range once {
						if err := limits.TakeIn(ctx, tx, limit.Sending(strconv.Itoa((i*once+j)%people))...); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*once), "µs/message")
		})
	}
}
