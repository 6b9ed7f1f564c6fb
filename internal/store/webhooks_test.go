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
		if err := tx.Logs.Append(ctx, []otl.SiteEvent{{Event: e, SiteID: "site", Seq: 1, Told: true, Hash: []byte("h")}}); err != nil {
			return err
		}
		for _, id := range ids {
			to := store.StoredEndpoint{Endpoint: otl.Endpoint{ID: id, SiteID: "site", State: otl.EndpointOn, CreatedAt: start}, Secrets: store.Secrets{Current: []byte("s")}}
			if err := tx.Endpoints.Insert(ctx, to); err != nil {
				return err
			}
			if err := tx.Deliveries.Insert(ctx, start, []otl.Delivery{{EndpointID: id, Seq: 1}}); err != nil {
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
			mine := in(t, st, func(ctx context.Context, tx *store.Tx) ([]int64, error) {
				return tx.Deliveries.Settle(ctx, []otl.Delivery{d})
			})
			return slices.Equal(mine, []int64{1})
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
			var made []store.Attempted
			for n := 1; n <= 3; n++ {
				a := otl.Attempt{
					Number: n, StartedAt: start, Took: 1500 * time.Millisecond, Status: 200 + n, Request: map[string][]string{"A": {fmt.Sprint(n)}}, Body: []byte{0, 0xff},
					Timing: otl.Timing{Lookup: time.Millisecond, Connect: 2 * time.Millisecond, Handshake: 3 * time.Millisecond, Wait: time.Duration(n) * time.Second},
				}
				made = append(made, store.Attempted{Delivery: due[0].Delivery, Attempt: a})
			}
			return tx.Deliveries.Attempted(ctx, made)
		})
		all, err := st.Read.Deliveries.Attempts(t.Context(), "a", 1)
		if err != nil || len(all) != 3 || all[2].Took != 1500*time.Millisecond || all[2].Status != 203 || all[2].Request["A"][0] != "3" || string(all[2].Body) != "\x00\xff" {
			t.Errorf("%+v %v", all, err)
		}
		if want := (otl.Timing{Lookup: time.Millisecond, Connect: 2 * time.Millisecond, Handshake: 3 * time.Millisecond, Wait: 3 * time.Second}); all[2].Timing != want {
			t.Errorf("%+v, want %+v", all[2].Timing, want)
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

// TestManyRowsInOneStatement, of any number: each row gets what is its own.
func TestManyRowsInOneStatement(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		withEndpoints(t, st, "a")
		const n = 150
		var entries []otl.SiteEvent
		var events []store.Entry
		var queued, settled []otl.Delivery
		var heard []store.Hearing
		for i := 2; i <= n; i++ {
			e := otl.Event{ID: fmt.Sprintf("evt_%03d", i), Type: otl.EventRoleAssigned, SiteID: "site", CreatedAt: start, Seq: int64(i), Hash: []byte{byte(i)}}
			events = append(events, store.Entry{Event: e})
			entries = append(entries, otl.SiteEvent{Event: e, SiteID: "site", Seq: int64(i), UserSeq: int64(2 * i), Told: i%2 == 0, Hash: []byte{1, byte(i)}})
			queued = append(queued, otl.Delivery{EndpointID: "a", Seq: int64(i)})
			d := otl.Delivery{EndpointID: "a", Seq: int64(i), State: otl.DeliveryDone, Tries: 1, Attempts: 1, Status: 200 + i, DueAt: start, SettledAt: start.Add(time.Duration(i) * time.Second)}
			if i%3 == 0 {
				d.State, d.Problem, d.SettledAt = otl.DeliveryWaiting, fmt.Sprint("answered ", i), time.Time{}
			}
			if i == n {
				d.Attempts = 2 // no longer the next one
			}
			settled = append(settled, d)
			heard = append(heard, store.Hearing{SiteID: "site", UserID: fmt.Sprint(i), N: int64(i)})
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			for _, e := range events {
				if err := tx.Events.Append(ctx, e.Event); err != nil {
					return err
				}
			}
			if err := tx.Events.Place(ctx, events); err != nil {
				return err
			}
			if err := tx.Logs.Append(ctx, entries); err != nil {
				return err
			}
			if err := tx.Deliveries.Insert(ctx, start, append(queued, queued[0])); err != nil {
				return err
			}
			mine, err := tx.Deliveries.Settle(ctx, settled)
			if len(mine) != n-2 || slices.Contains(mine, n) {
				t.Errorf("%d settled: %v", len(mine), mine)
			}
			return err
		})
		placed, err := st.Read.Events.After(t.Context(), 0, 1000)
		if err != nil || len(placed) != n-1 {
			t.Fatalf("%d placed, %v", len(placed), err)
		}
		for i, e := range placed {
			if want := events[i]; e.ID != want.ID || e.Seq != want.Seq || !slices.Equal(e.Hash, want.Hash) {
				t.Errorf("%+v, want %+v", e, want)
			}
		}
		found, err := st.Read.Deliveries.List(t.Context(), "a", "", otl.LogFilter{Limit: 1000}, 0, 1000)
		if err != nil || len(found) != n {
			t.Fatalf("%d deliveries, %v", len(found), err)
		}
		slices.Reverse(found)
		for i, q := range found[1 : n-1] {
			want, entry := settled[i], entries[i]
			if q.State != want.State || q.Status != want.Status || q.Problem != want.Problem || !q.SettledAt.Equal(want.SettledAt) || q.Event.UserSeq != entry.UserSeq || q.Event.Told != entry.Told {
				t.Errorf("%+v, want %+v", q, want)
			}
		}
		for round := int64(1); round <= 2; round++ {
			now := in(t, st, func(ctx context.Context, tx *store.Tx) ([]store.Hearing, error) { return tx.Logs.Heard(ctx, heard) })
			if len(now) != n-1 {
				t.Fatalf("%d counted", len(now))
			}
			for _, h := range now {
				if fmt.Sprint(h.N/round) != h.UserID {
					t.Errorf("round %d: %+v", round, h)
				}
			}
		}
	})
}

// TestWH07_ABacklogIsGivenUpInSteps: of an endpoint that is disabled, and of no other; and no
// more is counted of one than whether it is too much.
func TestWH07_ABacklogIsGivenUpInSteps(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		withEndpoints(t, st, "a", "b")
		var queued []otl.Delivery
		for seq := range int64(5) {
			queued = append(queued, otl.Delivery{EndpointID: "a", Seq: 10 + seq}, otl.Delivery{EndpointID: "b", Seq: 10 + seq})
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Deliveries.Insert(ctx, start, queued) })
		give := func(id string) int {
			return in(t, st, func(ctx context.Context, tx *store.Tx) (int, error) { return tx.Deliveries.GiveUp(ctx, id, start, 4) })
		}
		if n := give(""); n != 0 {
			t.Errorf("%d of endpoints that are on", n)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Endpoints.Stop(ctx, "a", otl.EndpointDisabled, otl.ReasonGone, start)
			return err
		})
		if n := give("b"); n != 0 {
			t.Errorf("%d of another", n)
		}
		for most, want := range map[int]int{3: 1, 100: 0} {
			if full, err := st.Read.Endpoints.Full(t.Context(), most); err != nil || len(full) != want {
				t.Errorf("more than %d: %d endpoints, %v", most, len(full), err)
			}
		}
		if first, then, last := give("a"), give(""), give("a"); first != 4 || then == 0 || last != 0 {
			t.Errorf("%d, %d and %d", first, then, last)
		}
	})
}

// TestWH15_AChangeUndoesNothingElse: an endpoint that is verified or stopped while somebody
// changes what it is called is so still.
func TestWH15_AChangeUndoesNothingElse(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		withEndpoints(t, st, "a")
		of := func() store.StoredEndpoint {
			e, err := st.Read.Endpoints.ByID(t.Context(), "", "a")
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		set := func(c store.EndpointChange) {
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Endpoints.Update(ctx, "a", c, start) })
		}
		was := of()
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.Endpoints.Verified(ctx, "a", was.URL, start); err != nil {
				return err
			}
			_, err := tx.Endpoints.Stop(ctx, "a", otl.EndpointPaused, otl.ReasonFailing, start)
			return err
		})
		name := "renamed"
		set(store.EndpointChange{Description: &name})
		if e := of(); e.Description != name || e.VerifiedAt.IsZero() || e.State != otl.EndpointPaused || e.Reason != otl.ReasonFailing || e.URL != was.URL {
			t.Errorf("%+v", e)
		}
		on, elsewhere := string(otl.EndpointOn), "https://elsewhere.example/"
		set(store.EndpointChange{State: &on, URL: &was.URL})
		if e := of(); e.State != otl.EndpointOn || e.Reason != "" || e.VerifiedAt.IsZero() {
			t.Errorf("the same URL: %+v", e)
		}
		set(store.EndpointChange{URL: &elsewhere})
		if e := of(); e.URL != elsewhere || !e.VerifiedAt.IsZero() || !e.AskedAt.IsZero() || e.Description != name {
			t.Errorf("another URL: %+v", e)
		}
	})
}
