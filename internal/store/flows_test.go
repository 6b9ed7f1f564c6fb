package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestFlows: what was asked stays, how far it came is kept, and whatever can be done
// once is done once.
func TestFlows(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		st, now := w.Store, w.Clock.Now().Truncate(time.Millisecond)
		jane := w.Person(t, "jane@dev.test")
		do := func(fn func(context.Context, *store.Tx) error) {
			t.Helper()
			if err := st.Write(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		f := otl.Flow{
			ID: "fl_1", Browser: []byte("digest"), SiteID: w.Notes.Site.ID, CreatedAt: now, ExpiresAt: now.Add(time.Minute),
			Asked:    otl.Asked{Redirect: "https://notes.test/callback", State: "s", Challenge: "c", MaxAge: -1, More: map[string]string{"nonce": "n"}},
			Progress: otl.Progress{Name: "jane@dev.test"}, Nonce: []byte("nonce"),
		}
		do(func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Insert(ctx, f) })
		live := func(at time.Time) (otl.Flow, error) { return st.Read.Flows.Live(t.Context(), "fl_1", at) }
		got, err := live(now)
		if err != nil || got.Asked.Redirect != f.Asked.Redirect || got.Asked.More["nonce"] != "n" || got.Progress.Name != "jane@dev.test" || got.UserID != "" ||
			!got.ExpiresAt.Equal(f.ExpiresAt) || string(got.Browser) != "digest" || string(got.Nonce) != "nonce" {
			t.Fatalf("%+v %v", got, err)
		}
		if _, err := live(now.Add(time.Minute)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("a flow that has expired: %v", err)
		}
		got.Progress.Number, got.ExpiresAt = "42", now.Add(time.Hour)
		do(func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Save(ctx, got) })
		do(func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Move(ctx, "fl_1", []byte("other")) })
		got.Progress.Way = otl.MethodMailLink
		do(func(ctx context.Context, tx *store.Tx) error {
			if ok, err := tx.Flows.Prove(ctx, got, jane.ID); err != nil || !ok {
				t.Errorf("%v %v", ok, err)
			}
			return nil
		})
		if got, err = live(now.Add(time.Minute)); err != nil || got.UserID != jane.ID || got.Progress.Number != "42" || got.Progress.Way != otl.MethodMailLink || string(got.Browser) != "other" {
			t.Fatalf("%+v %v", got, err)
		}
		once := func(what string, try func(context.Context, *store.Tx) (bool, error)) {
			t.Helper()
			var wins atomic.Int32
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					var won bool
					if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
						won, err = try(ctx, tx)
						return err
					}); err != nil {
						t.Error(err)
					}
					if won {
						wins.Add(1)
					}
				})
			}
			all.Wait()
			if wins.Load() != 1 {
				t.Errorf("%s: %d times", what, wins.Load())
			}
		}
		once("taken over", func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Flows.Take(ctx, "fl_1", jane.ID) })
		once("its nonce", func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Flows.Renew(ctx, f.ID, f.Nonce, nil) })
		once("finished", func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Flows.Finish(ctx, "fl_1", now) })
		if _, err := live(now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a flow that was finished: %v", err)
		}
		do(func(ctx context.Context, tx *store.Tx) error {
			if ok, err := tx.Flows.Prove(ctx, got, jane.ID); err != nil || ok {
				t.Errorf("proven for a flow that was finished: %v %v", ok, err)
			}
			n, err := tx.Flows.Prune(ctx, now.Add(2*time.Hour), 10)
			if n != 1 {
				t.Errorf("%d flows went", n)
			}
			return err
		})
	})
}
