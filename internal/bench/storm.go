package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// stormTime bounds the refreshes beside a storm.
const stormTime = 10 * time.Second

// storm sends that many sign-ins at one moment, each on a connection of its own,
// and refreshes on a few connections beside them until all are answered.
func (r *run) storm(ctx context.Context) error {
	if r.Storm == 0 {
		return nil
	}
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	workers, err := r.refreshWorkers()
	if err != nil {
		return err
	}
	workers = workers[:min(4, len(workers))]
	refreshed := make(chan load, 1)
	go func() { refreshed <- drive(ctx, workers, stormTime) }()
	time.Sleep(stormTime / 10) // until what they do counts

	l, err := r.burst()
	if err != nil {
		return err
	}
	stop()
	beside := <-refreshed
	res, err := r.weigh(context.WithoutCancel(ctx), "logins all at once", l, before, l.took)
	if err != nil {
		return err
	}
	res.Connections = r.Storm
	res.Hash = "argon2id " + r.Hash.String()
	r.add(res)
	beside.took = l.took
	res = result("refresh beside them", beside)
	res.Connections = len(workers)
	r.add(res)
	return beside.err
}

// burst lets everybody sign in at once.
func (r *run) burst() (load, error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	l := load{}
	begin := time.Now()
	for i := range r.Storm {
		w, err := r.loginWorker(i)
		if err != nil {
			return l, err
		}
		all.Go(func() {
			defer w.close()
			begin := time.Now()
			ok, err := w.step()
			took := time.Since(begin)
			mu.Lock()
			defer mu.Unlock()
			l.add(took, ok, err)
		})
	}
	all.Wait()
	l.took = time.Since(begin)
	slices.Sort(l.good)
	slices.Sort(l.refused)
	return l, nil
}
