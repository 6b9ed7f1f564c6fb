package signin_test

import (
	"context"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT07_AWrongCodeKeepsAProof: whoever proved himself for a visit in another browser
// between a wrong code and its being counted is let in all the same, and wrong codes at once
// are counted each.
func TestOT07_AWrongCodeKeepsAProof(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		browser := signin.NewBrowser()
		f, err := w.Flows.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{})
		if err != nil {
			t.Fatal(err)
		}
		visit := func() signin.Visit {
			t.Helper()
			v, err := w.Flows.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		before := visit()
		proven := before.Flow
		proven.Progress.Way = otl.MethodMailLink
		write(t, w, func(ctx context.Context, tx *store.Tx) error { _, err := tx.Flows.Prove(ctx, proven, u.ID); return err })
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := (signin.Tries{Flows: w.Flows}).Missed(t.Context(), before); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		v := visit()
		if !v.Ready() || v.Progress.Missed != 4 {
			t.Errorf("%+v", v.Progress)
		}
		a, err := signin.Arrivals{Flows: w.Flows}.Continue(t.Context(), v)
		if err != nil || a.Browser.Session.Methods.String() != string(otl.MethodMailLink) {
			t.Errorf("%+v %v", a.Browser.Session.Methods, err)
		}
		if _, err := w.Flows.Finish(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if _, err := (signin.Tries{Flows: w.Flows}).Missed(t.Context(), v); !otl.Is(err, signin.ErrFlow.Code) {
			t.Errorf("of a visit that ended: %v", err)
		}
	})
}
