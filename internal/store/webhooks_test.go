package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// withEndpoints is a store with a site that has endpoints, each with a delivery of the
// first entry of its log.
func withEndpoints(t *testing.T, st *store.Store, ids ...string) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Sites.Insert(ctx, otl.Site{ID: "site", Slug: "site", Version: 1, CreatedAt: start, UpdatedAt: start}); err != nil {
			return err
		}
		e := otl.Event{ID: "evt_1", Type: otl.EventRoleAssigned, SiteID: "site", CreatedAt: start}
		if err := tx.Events.Append(ctx, e); err != nil {
			return err
		}
		if err := tx.Logs.Append(ctx, otl.SiteEvent{Event: e, SiteID: "site", Seq: 1, Told: true, Hash: []byte("h")}); err != nil {
			return err
		}
		for _, id := range ids {
			to := store.StoredEndpoint{Endpoint: otl.Endpoint{ID: id, SiteID: "site", State: otl.EndpointOn, CreatedAt: start}, Secrets: store.Secrets{Current: []byte("s")}}
			if err := tx.Endpoints.Insert(ctx, to); err != nil {
				return err
			}
			if err := tx.Deliveries.Insert(ctx, id, 1, start); err != nil {
				return err
			}
		}
		return nil
	})
}

func ready(t *testing.T, st *store.Store, now time.Time) []string {
	t.Helper()
	ids, err := st.Read.Endpoints.Ready(t.Context(), now, 10)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestWH04_LeasesOfEndpoints(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		withEndpoints(t, st, "a", "b", "c")
		if got := ready(t, st, start); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("ready %v", got)
		}
		lease := func(node string, now time.Time) bool {
			return in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.Endpoints.Lease(ctx, "a", node, now.Add(time.Minute), now)
			})
		}
		if !lease("one", start) || lease("two", start) || !lease("one", start.Add(time.Second)) {
			t.Error("the first node holds it alone, and again")
		}
		if got := ready(t, st, start.Add(time.Second)); !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("ready %v", got)
		}
		if !lease("two", start.Add(time.Minute+time.Second)) || lease("one", start.Add(time.Minute+2*time.Second)) {
			t.Error("the second node takes over when the lease has ended")
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Endpoints.Release(ctx, "a", "one") })
		if lease("one", start.Add(time.Minute+3*time.Second)) {
			t.Error("released by one who did not hold it")
		}
		for state, ids := range map[otl.EndpointState][]string{otl.EndpointPaused: {"b"}, otl.EndpointDisabled: {"c"}} {
			for _, id := range ids {
				if !in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
					return tx.Endpoints.Stop(ctx, id, state, "x", start)
				}) {
					t.Errorf("%s was not on", id)
				}
			}
		}
		if got := ready(t, st, start.Add(time.Hour)); !slices.Equal(got, []string{"a"}) {
			t.Errorf("ready %v", got)
		}
		heard := in(t, st, func(ctx context.Context, tx *store.Tx) ([]string, error) {
			return tx.Endpoints.Hearing(ctx, otl.EventUserCreated)
		})
		if !slices.Equal(heard, []string{"site"}) {
			t.Errorf("hearing: %v", heard)
		}
	})
}

// TestADeliveryIsSettledOnce: by its next attempt, and by no other.
func TestADeliveryIsSettledOnce(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		withEndpoints(t, st, "a")
		settle := func(attempts int, state otl.DeliveryState) bool {
			d := otl.Delivery{EndpointID: "a", Seq: 1, State: state, Attempts: attempts, Tries: attempts, DueAt: start.Add(time.Minute)}
			return in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Deliveries.Settle(ctx, d) })
		}
		for i, c := range []struct {
			attempts int
			state    otl.DeliveryState
			want     bool
		}{{2, otl.DeliveryWaiting, false}, {1, otl.DeliveryWaiting, true}, {1, otl.DeliveryDone, false}, {2, otl.DeliveryDone, true}, {3, otl.DeliveryDead, false}} {
			if got := settle(c.attempts, c.state); got != c.want {
				t.Errorf("%d: attempt %d settled %v", i, c.attempts, got)
			}
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Deliveries.Again(ctx, "a", 1, start) })
		due, err := st.Read.Deliveries.Due(t.Context(), "a", start, 10)
		if err != nil || len(due) != 1 || due[0].Attempts != 2 || due[0].Tries != 0 || due[0].Event.Event.ID != "evt_1" || due[0].Event.SiteID != "site" {
			t.Errorf("%+v %v", due, err)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			for n := 1; n <= 3; n++ {
				a := otl.Attempt{Number: n, StartedAt: start, Took: 1500 * time.Millisecond, Status: 200 + n, Request: map[string][]string{"A": {fmt.Sprint(n)}}, Body: []byte{0, 0xff}}
				if err := tx.Deliveries.Attempted(ctx, due[0].Delivery, a); err != nil {
					return err
				}
			}
			return nil
		})
		all, err := st.Read.Deliveries.Attempts(t.Context(), "a", 1)
		if err != nil || len(all) != 3 || all[2].Took != 1500*time.Millisecond || all[2].Status != 203 || all[2].Request["A"][0] != "3" || string(all[2].Body) != "\x00\xff" {
			t.Errorf("%+v %v", all, err)
		}
		waiting, oldest, err := st.Read.Deliveries.Counts(t.Context(), start)
		if err != nil || waiting != 1 || !oldest.Equal(start) {
			t.Errorf("%d waiting since %v, %v", waiting, oldest, err)
		}
		if n := in(t, st, func(ctx context.Context, tx *store.Tx) (int, error) {
			return tx.Deliveries.Prune(ctx, start.Add(time.Second), 10)
		}); n != 1 {
			t.Errorf("%d pruned", n)
		}
		if all, err := st.Read.Deliveries.Attempts(t.Context(), "a", 1); err != nil || len(all) != 0 {
			t.Errorf("attempts stay: %v %v", all, err)
		}
	})
}
