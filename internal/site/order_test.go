package site_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// plan sets the price of a plan.
func plan(t *testing.T, w *otltest.World, amount int64) {
	t.Helper()
	if _, err := w.Orders.SetPlan(t.Context(), otl.Plan{Name: "pro", Amount: amount, Currency: "eur"}); err != nil {
		t.Fatal(err)
	}
}

func ordered(t *testing.T, w *otltest.World) otl.Order {
	t.Helper()
	o, err := w.Orders.Create(t.Context(), w.Notes.Site.ID, "pro")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// told gives how often each order is told of as paid.
func told(t *testing.T, w *otltest.World) map[string]int {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), "", w.Notes.Site.ID, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, e := range all {
		if e.Type == otl.EventPaymentDone {
			out[e.Data[otl.DataOrder]]++
		}
	}
	return out
}

// TestOS01_ThePriceIsThatOfThePlan at the moment of the order, and a plan that nobody could
// pay is refused.
func TestOS01_ThePriceIsThatOfThePlan(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		plan(t, w, 4900)
		o := ordered(t, w)
		plan(t, w, 5900)
		later := ordered(t, w)
		if again, err := w.Orders.Get(t.Context(), o.ID); err != nil || again.Amount != 4900 || again.Currency != "EUR" || again.Status != otl.OrderPending || !again.CompletedAt.IsZero() || later.Amount != 5900 {
			t.Errorf("%+v %+v %v", again, later, err)
		}
		for want, p := range map[string]otl.Plan{
			"name not_a_plan_name": {Name: "Pro Plan", Currency: "EUR"}, "amount out_of_range": {Name: "pro", Amount: -1, Currency: "EUR"}, "currency unknown_value": {Name: "pro", Currency: "EU"},
			"amount out_of_range, currency unknown_value": {Name: "pro", Amount: otl.MaxAmount + 1, Currency: "€"},
		} {
			if _, err := w.Orders.SetPlan(t.Context(), p); faults(err) != want {
				t.Errorf("%+v: %v, want %s", p, err, want)
			}
		}
		for name, id := range map[string]string{"gold": w.Notes.Site.ID, "pro": w.Installation.SiteID} {
			if _, err := w.Orders.Create(t.Context(), id, name); otl.As(err).Kind != otl.NotFound {
				t.Errorf("%s for %s: %v", name, id, err)
			}
		}
		if all, err := w.Orders.Plans(t.Context(), "", 10); err != nil || len(all) != 1 || all[0].Amount != 5900 {
			t.Errorf("%+v %v", all, err)
		}
	})
}

// TestOS03_PaidIsToldOnce, of a hundred who say so at once.
func TestOS03_PaidIsToldOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		plan(t, w, 4900)
		o := ordered(t, w)
		var done, refused atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				switch _, err := w.Orders.Move(t.Context(), o.ID, otl.OrderCompleted); {
				case err == nil:
					done.Add(1)
				case otl.Is(err, "order_status"):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := told(t, w)[o.ID]; done.Load() != 1 || refused.Load() != 99 || n != 1 {
			t.Errorf("%d did it, %d were refused, told %d times", done.Load(), refused.Load(), n)
		}
	})
}

// TestOS04_StatusesAreAClosedMachine walks at random and holds each order against a model.
func TestOS04_StatusesAreAClosedMachine(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		leads := map[otl.OrderStatus][]otl.OrderStatus{otl.OrderPending: {otl.OrderCompleted, otl.OrderFailed}, otl.OrderCompleted: {otl.OrderRefunded}}
		plan(t, w, 0)
		random := rand.New(rand.NewPCG(4, 4))
		model, paid := map[string]otl.OrderStatus{}, map[string]int{}
		var ids []string
		for range 8 {
			w.Clock.Advance(time.Millisecond) // of one moment none is the newer
			o := ordered(t, w)
			ids, model[o.ID] = append(ids, o.ID), o.Status
		}
		all := []otl.OrderStatus{otl.OrderPending, otl.OrderCompleted, otl.OrderFailed, otl.OrderRefunded}
		for range 120 {
			id, to := ids[random.IntN(len(ids))], all[random.IntN(len(all))]
			allowed := false
			for _, next := range leads[model[id]] {
				allowed = allowed || next == to
			}
			o, err := w.Orders.Move(t.Context(), id, to)
			if allowed != (err == nil) || !allowed && !otl.Is(err, "order_status") {
				t.Fatalf("%s to %s: %v", model[id], to, err)
			}
			if allowed {
				model[id] = to
				if to == otl.OrderCompleted {
					paid[id]++
				}
			}
			now, err := w.Orders.Get(t.Context(), id)
			if err != nil || now.Status != model[id] || allowed && o != now || now.CompletedAt.IsZero() != (paid[id] == 0) {
				t.Fatalf("%+v %+v, want %s: %v", o, now, model[id], err)
			}
		}
		got := told(t, w)
		for _, id := range ids {
			if got[id] != paid[id] {
				t.Errorf("%s is %s, and was told of %d times", id, model[id], got[id])
			}
		}
		if _, err := w.Orders.Move(t.Context(), w.Notes.Site.ID, otl.OrderCompleted); otl.As(err).Kind != otl.NotFound {
			t.Errorf("no order: %v", err)
		}
		if page, err := w.Orders.List(t.Context(), w.Notes.Site.ID, ids[4], 3); err != nil || len(page) != 3 || page[0].ID != ids[3] {
			t.Errorf("%+v %v", page, err)
		}
		if page, err := w.Orders.List(t.Context(), "", "", 100); err != nil || len(page) != 8 || page[0].ID != ids[7] {
			t.Errorf("%+v %v", page, err)
		}
	})
}
