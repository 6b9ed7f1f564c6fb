package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// backlog is how many events wait when the rate of delivery is measured.
	backlog = 5000
	// eventRate is how many happen a second when the first delivery is timed.
	eventRate = 500
)

// toggler gives a person a role and takes it: each step is one event of the site.
type toggler struct {
	*client
	give, take []byte
	session    *tokens // knows whether the person has the role
	one        sync.Mutex
}

func (w *toggler) step() (bool, error) {
	w.one.Lock()
	defer w.one.Unlock()
	raw := w.give
	if w.session.role {
		raw = w.take
	}
	status, err := w.do(raw)
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	w.session.role = !w.session.role
	return true, nil
}

// telling is the loads about what sites are told.
type telling struct{ *run }

// togglers makes one worker for each session. They may be used by several at once.
func (r telling) togglers() ([]worker, error) {
	key := siteKey(r.SiteKey)
	var workers []worker
	for _, s := range r.sessions {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return nil, err
		}
		path := "/api/v1/users/" + s.user + "/roles"
		workers = append(workers, &toggler{
			client: c, give: c.request(http.MethodPost, path, key, marshal(map[string]string{"role": benchRole})),
			take: c.request(http.MethodDelete, path+"/"+benchRole, key, nil), session: s,
		})
	}
	return workers, nil
}

// floodOf makes events at a steady rate.
func (r telling) floodOf(ctx context.Context, rate float64, d time.Duration) (load, error) {
	workers, err := r.togglers()
	if err != nil {
		return load{}, err
	}
	next := 0
	l := flood(ctx, rate, d, func() worker {
		next++
		return workers[(next-1)%len(workers)]
	})
	return l, l.err
}

const benchRole = "bench"

// limited is a worker that stops counting once so many steps were taken by all.
type limited struct {
	worker
	left *atomic.Int64
}

var errEnough = errors.New("enough")

func (w limited) step() (bool, error) {
	if w.left.Add(-1) < 0 {
		return false, errEnough
	}
	return w.worker.step()
}

// call makes one request with the site key that must succeed.
func (r telling) call(c *client, method, path string, body any, status int) error {
	var raw []byte
	if body != nil {
		raw = marshal(body)
	}
	got, err := c.do(c.request(method, path, siteKey(r.SiteKey), raw))
	if err != nil || got != status {
		return fmt.Errorf("%s %s: %w", method, path, orUnexpected(err, got, c.body))
	}
	return nil
}

// webhooks measures what it takes to tell a site: how fast a backlog is delivered, how
// soon an event arrives while many happen, and what is left for refreshes beside it.
func (r telling) webhooks(ctx context.Context) error {
	if r.Receiver == nil {
		return nil
	}
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return err
	}
	defer c.close()
	if err := r.call(c, http.MethodPost, "/api/v1/roles", map[string]string{"name": benchRole}, http.StatusCreated); err != nil {
		return err
	}
	told := map[string]any{"url": r.Receiver.URL, "events": []string{"role.assigned", "role.removed"}}
	if err := r.call(c, http.MethodPost, "/api/v1/webhooks", told, http.StatusCreated); err != nil {
		return err
	}
	path := "/api/v1/webhooks/" + c.text("id")
	for _, part := range []func(context.Context, *client, string) error{r.deliverBacklog, r.deliverFirst, r.deliverBesideHanging, r.refreshBeside} {
		if err := part(ctx, c, path); err != nil {
			return err
		}
	}
	return r.call(c, http.MethodDelete, path, nil, http.StatusOK)
}

// deliverBesideHanging times deliveries while another endpoint of the site takes
// requests and answers none.
func (r telling) deliverBesideHanging(ctx context.Context, c *client, _ string) error {
	told := map[string]any{"url": strings.TrimSuffix(r.Receiver.URL, "/") + hanging, "events": []string{"role.assigned", "role.removed"}}
	if err := r.call(c, http.MethodPost, "/api/v1/webhooks", told, http.StatusCreated); err != nil {
		return err
	}
	path := "/api/v1/webhooks/" + c.text("id")
	err := r.deliver(ctx, "the same beside one that hangs")
	return errors.Join(err, r.call(c, http.MethodDelete, path, nil, http.StatusOK))
}

// deliverBacklog lets events pile up for an endpoint that is paused, then turns it on.
func (r telling) deliverBacklog(ctx context.Context, c *client, path string) error {
	if err := r.call(c, http.MethodPatch, path, map[string]string{"state": "paused"}, http.StatusOK); err != nil {
		return err
	}
	n, err := r.happen(ctx, backlog)
	if err != nil {
		return err
	}
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := r.call(c, http.MethodPatch, path, map[string]string{"state": "on"}, http.StatusOK); err != nil {
		return err
	}
	late, err := r.Receiver.await(n)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	res, err := r.weigh(ctx, "webhooks delivered", load{took: took, good: late}, before, took)
	// How old they were says when they happened.
	res.P50, res.P99, res.Max, res.Connections = 0, 0, 0, 1
	r.add(res)
	return err
}

// happen makes about n events and says how many.
func (r telling) happen(ctx context.Context, n int) (int, error) {
	workers, err := r.togglers()
	if err != nil {
		return 0, err
	}
	left, made := &atomic.Int64{}, &atomic.Int64{}
	left.Store(int64(n))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for i, w := range workers {
		workers[i] = counting{limited{w, left}, made, stop}
	}
	l := drive(ctx, workers, time.Hour)
	if l.err != nil && !errors.Is(l.err, errEnough) {
		return 0, l.err
	}
	return int(made.Load()), nil
}

// counting counts the steps that were done, and ends the load after the last.
type counting struct {
	worker
	made *atomic.Int64
	stop context.CancelFunc
}

func (w counting) step() (bool, error) {
	ok, err := w.worker.step()
	if ok {
		w.made.Add(1)
	}
	if err != nil {
		w.stop()
	}
	return ok, err
}

// deliverFirst times each event from when it happened to when it arrived.
func (r telling) deliverFirst(ctx context.Context, _ *client, _ string) error {
	return r.deliver(ctx, "event to its first delivery")
}

func (r telling) deliver(ctx context.Context, name string) error {
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	l, err := r.floodOf(ctx, eventRate, r.Duration)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	late, err := r.Receiver.await(len(l.good))
	if err != nil {
		return err
	}
	res, err := r.weigh(ctx, name, load{took: took, good: late}, before, took)
	res.Connections = 1
	r.add(res)
	return err
}

// besideRate is how many events a second happen beside refreshes.
const besideRate = 50

// refreshBeside refreshes while nobody is told of anything, then while events happen
// and are delivered, then as at first: the raw limit is the mean of the two.
func (r telling) refreshBeside(ctx context.Context, c *client, path string) error {
	var rates []float64
	var told Result
	for i, state := range []string{"paused", "on", "paused"} {
		if err := r.call(c, http.MethodPatch, path, map[string]string{"state": state}, http.StatusOK); err != nil {
			return err
		}
		res, err := r.refreshWhile(ctx)
		if err != nil {
			return err
		}
		if rates = append(rates, res.Ops); i == 1 {
			told = res
		}
	}
	told.limit("refresh", (rates[0]+rates[2])/2)
	r.add(told)
	return nil
}

// refreshWhile refreshes while events happen at a steady rate.
func (r telling) refreshWhile(ctx context.Context) (Result, error) {
	refreshing, err := r.refreshWorkers()
	if err != nil {
		return Result{}, err
	}
	happened := make(chan error, 1)
	go func() {
		_, err := r.floodOf(ctx, besideRate, r.Duration*11/10)
		happened <- err
	}()
	res, err := r.measured(ctx, "refresh while events are delivered", refreshing)
	return res, errors.Join(err, <-happened)
}
