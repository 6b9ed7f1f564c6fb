package outbox

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// pauses are those between the tries of a delivery (decision D20), each give or take a
// fifth.
var pauses = [...]time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}

const (
	// stopAfter is how long an endpoint fails until nothing is sent to it any more.
	stopAfter = 5 * 24 * time.Hour
	// longestWait bounds what an endpoint may ask for by Retry-After.
	longestWait = 24 * time.Hour
	// keptHead bounds what is kept of the head of an answer, keptBody of the body of one
	// that says yes, both in bytes (WH-07).
	keptHead = 4 << 10
	keptBody = 1 << 10
)

// warnings are how long an endpoint fails when its owners hear of it, and hear again.
var warnings = [...]time.Duration{3 * time.Hour, 24 * time.Hour}

// trip is one load of deliveries on its way to an endpoint.
type trip struct {
	*Couriers
	to      store.StoredEndpoint
	secrets []secret.Text
	until   time.Time // of the lease
	wide    int
	failed  atomic.Bool
}

// outcome is what became of one attempt.
type outcome struct {
	otl.Delivery
	attempt   otl.Attempt
	gone      bool
	withdrawn bool
	err       error // nothing was attempted
}

// make delivers a load. When an attempt fails the rest stays for the next round, which
// is more careful. What became of attempts is written while others are under way,
// as many in one transaction as there are by then.
func (t *trip) make(ctx context.Context, due []store.Queued) error {
	done := make(chan outcome, len(due))
	go func() {
		var all sync.WaitGroup
		room := make(chan struct{}, t.wide)
		for _, d := range due {
			room <- struct{}{}
			if t.failed.Load() || ctx.Err() != nil || t.Now().Add(egress.DefaultTimeout).After(t.until) {
				break
			}
			all.Go(func() {
				o := t.try(ctx, d)
				done <- o
				<-room
			})
		}
		all.Wait()
		close(done)
	}()
	var problems []error
	for first := range done {
		some := []outcome{first}
		for more := true; more; {
			select {
			case o, open := <-done:
				if more = open; open {
					some = append(some, o)
				}
			default:
				more = false
			}
		}
		problems = append(problems, t.settle(context.WithoutCancel(ctx), some))
	}
	return errors.Join(problems...)
}

// try makes one attempt.
func (t *trip) try(ctx context.Context, d store.Queued) outcome {
	o := outcome{Delivery: d.Delivery}
	told, ok, err := t.Webhooks.Tell(ctx, d.Event)
	if err != nil || !ok {
		o.err, o.withdrawn = err, err == nil
		return o
	}
	told = told.For(t.to.Endpoint)
	ask, err := t.request(ctx, told, d)
	if err != nil {
		o.err = err
		return o
	}
	o.attempt = otl.Attempt{Number: d.Attempts + 1, StartedAt: t.Now(), Request: ask.Head}
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(parting, cancel) })()
	start := time.Now()
	a, err := t.Client.For(t.to.SiteID).Do(asking, http.MethodPost, t.to.URL, ask.Head, ask.Body)
	if asking.Err() != nil {
		o.err = asking.Err() // the node stops: whether it arrived nobody knows
		return o
	}
	o.attempt.Took, o.attempt.Timing = time.Since(start), otl.Timing(a.Timing)
	if a.Sent && t.to.Client == "" {
		t.Webhooks.Shown(told)
	}
	t.judge(&o, a, err)
	return o
}

// request gives what is sent: a webhook to a site, a logout token to a client.
func (t *trip) request(ctx context.Context, told webhook.Told, d store.Queued) (webhook.Request, error) {
	if t.to.Client != "" {
		token, err := t.Webhooks.LogoutToken(ctx, t.to.Client, d.Event.UserID, d.Event.SessionID)
		return webhook.Logout(token), err
	}
	return told.Request(t.secrets, t.Now(), d.Attempts+1)
}

// judge says what an answer means for the delivery: any 2xx is success, all else is
// not, 410 is for good (WH-03).
func (t *trip) judge(o *outcome, a egress.Answer, err error) {
	now := t.Now()
	at := &o.attempt
	at.Status, at.Response, at.Body = a.Status, bounded(a.Header), a.Body
	if a.Status/100 == 2 {
		at.Body = at.Body[:min(len(at.Body), keptBody)]
	}
	switch {
	case err != nil && a.Status != 0:
		at.Problem = "the answer broke off"
	case err != nil:
		at.Problem = egress.Problem(err)
	case a.Status/100 == 2:
	case a.Status/100 == 3:
		at.Problem = "answered " + strconv.Itoa(a.Status) + "; redirects are not followed"
	default:
		at.Problem = "answered " + strconv.Itoa(a.Status)
	}
	o.Attempts++
	o.Tries++
	o.Status, o.Problem = a.Status, at.Problem
	if at.Problem == "" {
		o.State, o.SettledAt = otl.DeliveryDone, now
		t.Delivered.Add(1)
		return
	}
	t.failed.Store(true)
	t.Failed.Add(1)
	o.gone = a.Status == http.StatusGone
	if o.gone || o.Tries > len(pauses) {
		o.State, o.SettledAt = otl.DeliveryDead, now
		t.Log.Warn("delivery given up", "endpoint", o.EndpointID, "seq", o.Seq, "tries", o.Tries, "problem", o.Problem)
		return
	}
	pause := pauses[o.Tries-1]
	o.DueAt = now.Add(max(pause*8/10+spread(o.EndpointID+strconv.FormatInt(o.Seq, 10), o.Tries, pause*4/10), asked(a.RetryAfter, now)))
}

// bounded gives as much of a head as is kept of it.
func bounded(h http.Header) http.Header {
	out, size := http.Header{}, 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if size += len(name) + len(value); size > keptHead {
				return out
			}
			out[name] = append(out[name], value)
		}
	}
	return out
}

// asked reads a Retry-After: seconds, or a date (RFC 9110 section 10.2.3).
func asked(header string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return min(max(time.Duration(min(n, int(longestWait/time.Second)))*time.Second, 0), longestWait)
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), 0), longestWait)
	}
	return 0
}

// settle writes what became of attempts, and what it says of the endpoint.
func (t *trip) settle(ctx context.Context, all []outcome) error {
	var problems []error
	err := t.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		problems = nil
		var made []outcome
		for _, o := range all {
			switch {
			case errors.Is(o.err, context.Canceled):
			case o.err != nil:
				problems = append(problems, o.err)
			case o.withdrawn:
				if err := tx.Deliveries.Withdraw(ctx, o.EndpointID, o.Seq, t.Now()); err != nil {
					return err
				}
			default:
				made = append(made, o)
			}
		}
		return t.write(ctx, tx, made)
	})
	if err == nil && slices.ContainsFunc(all, func(o outcome) bool { return o.gone }) {
		err = t.Webhooks.GiveUp(ctx, t.to.ID)
	}
	return errors.Join(append(problems, err)...)
}

// write writes attempts that were made.
func (t *trip) write(ctx context.Context, tx *store.Tx, made []outcome) error {
	settled := make([]otl.Delivery, len(made))
	for i, o := range made {
		settled[i] = o.Delivery
	}
	mine, err := tx.Deliveries.Settle(ctx, settled)
	if err != nil {
		return err
	}
	var attempts []store.Attempted
	var good, bad, gone bool
	for _, o := range made {
		if !slices.Contains(mine, o.Seq) { // another node had the lease meanwhile
			continue
		}
		attempts = append(attempts, store.Attempted{Delivery: o.Delivery, Attempt: o.attempt})
		good, bad, gone = good || o.State == otl.DeliveryDone, bad || o.Problem != "", gone || o.gone
	}
	if err := tx.Deliveries.Attempted(ctx, attempts); err != nil {
		return err
	}
	if err := tx.Deliveries.Tally(ctx, webhook.Tallies(attempts)); err != nil {
		return err
	}
	return t.mark(ctx, tx, good, bad, gone)
}

// mark notes whether the endpoint takes what it is sent, and acts when it has not for
// long.
func (t *trip) mark(ctx context.Context, tx *store.Tx, good, bad, gone bool) error {
	switch {
	case gone:
		return t.stop(ctx, tx, t.to.Endpoint, otl.EndpointDisabled, otl.ReasonGone)
	case good && (bad || t.failed.Load() || !t.to.FailingSince.IsZero()):
		return tx.Endpoints.Answered(ctx, t.to.ID)
	case good || !bad:
		return nil
	}
	since, warned, err := tx.Endpoints.Failed(ctx, t.to.ID, t.Now())
	if errors.Is(err, store.ErrNotFound) { // it was deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	failing := t.Now().Sub(since)
	if failing >= stopAfter {
		return t.stop(ctx, tx, t.to.Endpoint, otl.EndpointPaused, otl.ReasonFailing)
	}
	if !overdue(since, warned, t.Now()) {
		return nil
	}
	if err := tx.Endpoints.Warned(ctx, t.to.ID, t.Now()); err != nil {
		return err
	}
	return t.tell(ctx, tx, t.to.Endpoint, otl.MessageWebhookFailing)
}

// overdue reports whether the owners of an endpoint that fails since a moment are to hear
// of it: they were last told so before the latest of the warnings fell due.
func overdue(since, warned, now time.Time) bool {
	for _, after := range warnings {
		if due := since.Add(after); !now.Before(due) && warned.Before(due) {
			return true
		}
	}
	return false
}
