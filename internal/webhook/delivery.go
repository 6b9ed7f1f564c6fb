package webhook

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Kept is how long deliveries are kept, and so how far back something can be sent
// again (WH-05).
const Kept = 30 * 24 * time.Hour

// page is how many events are sent again in one transaction.
const page = 200

// Delivery is a delivery with the event it brings.
type Delivery = store.Queued

// window is how many deliveries are looked at for one page of those that a filter lets pass:
// a page may have none, and still lead on.
const window = 5_000

// Deliveries gives deliveries of an endpoint that a filter wants, newest first, those in one
// state or all for "", and the place before which the next page begins, 0 on the last one.
func (w *Webhooks) Deliveries(ctx context.Context, siteID, id, state string, f otl.LogFilter) (found []Delivery, before int64, err error) {
	switch otl.DeliveryState(state) {
	case "", otl.DeliveryWaiting, otl.DeliveryDone, otl.DeliveryDead, otl.DeliveryWithdrawn:
	default:
		return nil, 0, otl.InvalidField("state", "unknown_value", "must be one of waiting, delivered, dead, withdrawn")
	}
	if _, err := find(ctx, w.Store.Read, siteID, id); err != nil {
		return nil, 0, err
	}
	from, err := event.From(ctx, w.Store, siteID, f.Since)
	if err != nil {
		return nil, 0, err
	}
	look, limit, plain := window, f.Limit, state == "" && f.Plain()
	if f.Limit++; plain {
		look = f.Limit
	} else if w.Search != nil {
		if err := w.Search(ctx, siteID); err != nil {
			return nil, 0, err
		}
	}
	deliveries := w.Store.Read.Deliveries
	if found, err = deliveries.List(ctx, id, otl.DeliveryState(state), f, from, look); err != nil {
		return nil, 0, err
	}
	switch {
	case len(found) > limit:
		return found[:limit], found[limit-1].Seq, nil
	case plain:
		return found, 0, nil
	}
	before, err = deliveries.Edge(ctx, id, f.At, from, look)
	if errors.Is(err, store.ErrNotFound) || before == from {
		return found, 0, nil
	}
	return found, before, err
}

// Delivery gives one delivery of an endpoint with its attempts.
func (w *Webhooks) Delivery(ctx context.Context, siteID, id, eventID string) (Delivery, []otl.Attempt, error) {
	d, err := w.delivery(ctx, w.Store.Read, siteID, id, eventID)
	if err != nil {
		return d, nil, err
	}
	attempts, err := w.Store.Read.Deliveries.Attempts(ctx, id, d.Seq)
	return d, attempts, err
}

func (w *Webhooks) delivery(ctx context.Context, tx *store.Tx, siteID, id, eventID string) (Delivery, error) {
	if _, err := find(ctx, tx, siteID, id); err != nil {
		return Delivery{}, err
	}
	if !validEvent(eventID) {
		return Delivery{}, noEvent()
	}
	all, err := tx.Deliveries.Of(ctx, siteID, eventID)
	if err != nil {
		return Delivery{}, err
	}
	for _, d := range all {
		if d.EndpointID == id {
			return d, nil
		}
	}
	return Delivery{}, noEvent()
}

func noEvent() error { return otl.NoSuch("event") }

func validEvent(id string) bool {
	ulid, ok := strings.CutPrefix(id, "evt_")
	return ok && secret.ValidID(ulid)
}

// Resend has one event sent to one endpoint again, under the same id, whatever became
// of it before.
func (w *Webhooks) Resend(ctx context.Context, siteID, id, eventID string) error {
	err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := sendable(ctx, tx, siteID, id); err != nil {
			return err
		}
		d, err := w.delivery(ctx, tx, siteID, id, eventID)
		if err != nil {
			return err
		}
		if err := tx.Deliveries.Again(ctx, id, d.Seq, w.Now()); err != nil {
			return err
		}
		return noteReplay(ctx, tx, w.Now(), siteID, id, eventID, 1)
	})
	if err == nil {
		w.wake(id)
	}
	return err
}

// Event gives one event a site is told of, with what became of it.
func (w *Webhooks) Event(ctx context.Context, siteID, eventID string) (Past, error) {
	if !validEvent(eventID) {
		return Past{}, noEvent()
	}
	e, err := w.Store.Read.Logs.ByEvent(ctx, siteID, eventID)
	if errors.Is(err, store.ErrNotFound) {
		return Past{}, noEvent()
	}
	if err != nil {
		return Past{}, err
	}
	told, ok, err := w.Tell(ctx, e)
	if err != nil {
		return Past{}, err
	}
	if !ok {
		return Past{}, noEvent()
	}
	w.Shown(told)
	sent, err := w.Store.Read.Deliveries.Between(ctx, siteID, e.Seq, e.Seq)
	return Past{told, sent}, err
}

// Replay has one event of a site sent again to each of its endpoints that hears of
// such events, and says how many they are.
func (w *Webhooks) Replay(ctx context.Context, siteID, eventID string) (int, error) {
	if !validEvent(eventID) {
		return 0, noEvent()
	}
	var told []string
	err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		told = nil
		e, err := tx.Logs.ByEvent(ctx, siteID, eventID)
		if errors.Is(err, store.ErrNotFound) {
			return noEvent()
		}
		if err != nil {
			return err
		}
		endpoints, err := tx.Endpoints.OfSite(ctx, siteID)
		if err != nil {
			return err
		}
		for _, p := range endpoints {
			if !p.Gets(e.Event) {
				continue
			}
			if err := requeue(ctx, tx, w.Now(), p.ID, e.Seq); err != nil {
				return err
			}
			told = append(told, p.ID)
		}
		return noteReplay(ctx, tx, w.Now(), siteID, "", eventID, len(told))
	})
	if err == nil {
		w.wake(told...)
	}
	return len(told), err
}

// noteReplay appends that somebody had n deliveries sent again: of one event or many,
// to one endpoint or to all.
func noteReplay(ctx context.Context, tx *store.Tx, now time.Time, siteID, endpointID, eventID string, n int) error {
	return tx.Events.Append(ctx, otl.Event{
		ID: "evt_" + secret.NewID(now), Type: otl.EventReplayed, SiteID: siteID, CreatedAt: now,
		Data: map[string]string{otl.DataEndpoint: endpointID, "event": eventID, "deliveries": strconv.Itoa(n)},
	})
}

func requeue(ctx context.Context, tx *store.Tx, now time.Time, endpointID string, seq int64) error {
	if err := tx.Deliveries.Insert(ctx, now, []otl.Delivery{{EndpointID: endpointID, Seq: seq}}); err != nil {
		return err
	}
	return tx.Deliveries.Again(ctx, endpointID, seq, now)
}

// ReplayMany has an endpoint told again of the events of a span of time: those it was
// given up on, or all, as far as they are for it. A dry run changes nothing. It says how
// many they are.
func (w *Webhooks) ReplayMany(ctx context.Context, r otl.Replay, dry bool) (n int, err error) {
	to, err := find(ctx, w.Store.Read, r.SiteID, r.EndpointID)
	if err != nil {
		return 0, err
	}
	if !r.Since.Before(r.Until) {
		return 0, otl.InvalidField("until", "out_of_range", "must be later than since")
	}
	if !dry && to.State == otl.EndpointDisabled {
		return 0, errDisabled()
	}
	to.State = otl.EndpointOn // what a disabled one would get is counted
	for after := int64(0); ; {
		found, err := w.Store.Read.Deliveries.Replayable(ctx, r, after, page)
		if err != nil || len(found) == 0 {
			if n > 0 && !dry {
				w.wake(r.EndpointID)
			}
			return n, err
		}
		after = found[len(found)-1].Seq
		found = slices.DeleteFunc(found, func(e otl.SiteEvent) bool { return !to.Gets(e.Event) })
		if n += len(found); dry || len(found) == 0 {
			continue
		}
		if err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, e := range found {
				if err := requeue(ctx, tx, w.Now(), r.EndpointID, e.Seq); err != nil {
					return err
				}
			}
			return noteReplay(ctx, tx, w.Now(), r.SiteID, r.EndpointID, "", len(found))
		}); err != nil {
			return n, err
		}
	}
}

// Past is an event a site was told of, with what became of it.
type Past struct {
	Told
	Deliveries []otl.Delivery
}

// Events gives what a site is told of as far as a filter wants it, and the place to go on
// from, which may be behind the last event given: what must not be told any more is left
// out.
func (w *Webhooks) Events(ctx context.Context, siteID string, f otl.LogFilter) (past []Past, last int64, more bool, err error) {
	if err := pulled(ctx, w, siteID); err != nil {
		return nil, f.At, false, err
	}
	found, last, more, err := event.Page(ctx, w.Store, siteID, true, f)
	if err != nil || len(found) == 0 {
		return nil, last, more, err
	}
	from, to := found[0].Seq, found[len(found)-1].Seq
	sent, err := w.Store.Read.Deliveries.Between(ctx, siteID, min(from, to), max(from, to))
	if err != nil {
		return nil, f.At, false, err
	}
	by := map[int64][]otl.Delivery{}
	for _, d := range sent {
		by[d.Seq] = append(by[d.Seq], d)
	}
	for _, e := range found {
		told, ok, err := w.Tell(ctx, e)
		if err != nil {
			return nil, f.At, false, err
		}
		if ok {
			w.Shown(told)
			past = append(past, Past{told, by[e.Seq]})
		}
	}
	return past, last, more, nil
}

// pulled notes that a site reads what it is told of, once an hour: as who has an endpoint, it
// hears of what happens anywhere in the network from then on.
func pulled(ctx context.Context, w *Webhooks, siteID string) error {
	now := w.Now()
	last, err := w.Store.Read.Sites.PulledAt(ctx, siteID)
	if err != nil || now.Sub(last) < time.Hour {
		return err
	}
	return w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Sites.Pulled(ctx, siteID, now) })
}

// End gives the place of the newest event a site is told of.
func (w *Webhooks) End(ctx context.Context, siteID string) (int64, error) {
	return w.Store.Read.Logs.Newest(ctx, siteID)
}

// Prune deletes deliveries that are older than Kept, and do not wait since they were sent
// again, and what was counted of attempts.
func (w *Webhooks) Prune(ctx context.Context) error {
	if err := w.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Deliveries.PruneTallies(ctx, dayOf(w.Now().Add(-Kept)), store.Batch)
	}); err != nil {
		return err
	}
	return w.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Deliveries.Prune(ctx, w.Now().Add(-Kept), store.Batch)
	})
}
