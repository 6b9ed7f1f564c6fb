package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// worker is one connection's part in a load: step does one operation, and says
// whether it counts. An operation that does not, such as a refusal under
// overload, is counted apart.
type worker interface {
	step() (ok bool, err error)
	close()
}

// load is what many workers did.
type load struct {
	took    time.Duration
	good    []time.Duration // sorted
	refused []time.Duration // sorted
	failed  int
	err     error // the first one
}

// drive lets workers work at once for a while, after a tenth of it unmeasured.
// It ends early when ctx does.
func drive(ctx context.Context, workers []worker, d time.Duration) load {
	warm := time.Now().Add(d / 10)
	end := warm.Add(d)
	parts := make([]load, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			defer w.close()
			parts[i] = work(ctx, w, warm, end)
		})
	}
	wg.Wait()
	all := load{took: d}
	for _, p := range parts {
		all.took = max(all.took, p.took)
		all.good = append(all.good, p.good...)
		all.refused = append(all.refused, p.refused...)
		all.failed += p.failed
		if all.err == nil {
			all.err = p.err
		}
	}
	slices.Sort(all.good)
	slices.Sort(all.refused)
	return all
}

// work repeats one worker's step and counts what ends between warm and end: of
// the steps cut by either edge, one is in and one is out. On a machine so slow
// that none ends in time it goes on until one does, so that no rate is zero.
func work(ctx context.Context, w worker, warm, end time.Time) load {
	var l load
	for ctx.Err() == nil {
		begin := time.Now()
		if begin.After(end) && l.took > 0 {
			break
		}
		ok, err := w.step()
		now := time.Now()
		if now.Before(warm) || now.After(end) && l.took > 0 {
			continue
		}
		l.took = now.Sub(warm)
		l.add(now.Sub(begin), ok, err)
	}
	return l
}

// rate gives the operations a second.
func (l load) rate() float64 { return float64(len(l.good)) / l.took.Seconds() }

// quantile gives the time within which the share q of sorted durations lies.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// flood starts steps at a steady rate, whether or not those before have been
// answered, and waits for all of them: the load of many people who do not know
// of each other. Workers are made as they are needed and used again.
func flood(ctx context.Context, rate float64, d time.Duration, newWorker func() worker) load {
	var (
		mu   sync.Mutex
		idle []worker
		wg   sync.WaitGroup
	)
	all := load{took: d}
	start := time.Now()
	take := func() worker {
		mu.Lock()
		defer mu.Unlock()
		if n := len(idle); n > 0 {
			w := idle[n-1]
			idle = idle[:n-1]
			return w
		}
		return newWorker()
	}
	for i := 0; ctx.Err() == nil; i++ {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if due.Sub(start) > d {
			break
		}
		time.Sleep(time.Until(due))
		w := take()
		wg.Go(func() {
			begin := time.Now()
			ok, err := w.step()
			took := time.Since(begin)
			mu.Lock()
			defer mu.Unlock()
			idle = append(idle, w)
			all.add(took, ok, err)
		})
	}
	wg.Wait()
	for _, w := range idle {
		w.close()
	}
	slices.Sort(all.good)
	slices.Sort(all.refused)
	return all
}

func (l *load) add(took time.Duration, ok bool, err error) {
	switch {
	case err != nil:
		l.failed++
		if l.err == nil {
			l.err = err
		}
	case ok:
		l.good = append(l.good, took)
	default:
		l.refused = append(l.refused, took)
	}
}
