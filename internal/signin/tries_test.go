package signin_test

import (
	"context"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
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

// TestOT07_APasswordKeepsAProof: what happened to a visit while a password was looked at, right
// or wrong, stays: who proved himself elsewhere, and to whom a code was sent.
func TestOT07_APasswordKeepsAProof(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "bob@dev.test", w.Notes.Site)
		for given, want := range map[string]string{"wrong-battery-9": otl.ErrCredentials.Code, otltest.Password: ""} {
			browser := signin.NewBrowser()
			f, err := w.Flows.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{})
			if err != nil {
				t.Fatal(err)
			}
			before, err := w.Flows.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			proven := before.Flow
			proven.Progress.Name, proven.Progress.SentAt, proven.Progress.New, proven.Progress.Way = "jane@dev.test", w.Clock.Now(), true, otl.MethodMailLink
			write(t, w, func(ctx context.Context, tx *store.Tx) error { _, err := tx.Flows.Prove(ctx, proven, u.ID); return err })
			_, err = signin.Arrivals{Flows: w.Flows}.Password(t.Context(), before, "bob@dev.test", secret.NewText(given))
			if err == nil != (want == "") || err != nil && !otl.Is(err, want) {
				t.Errorf("%q: %v", want, err)
			}
			if err := (signin.Tries{Flows: w.Flows}).Named(t.Context(), before, "bob@dev.test"); err != nil {
				t.Error(err)
			}
			v, err := w.Flows.Visit(t.Context(), f.ID, browser, nil)
			if err != nil || !v.Ready() || v.Progress.Name != "jane@dev.test" || !v.Progress.New || v.Progress.SentAt.IsZero() {
				t.Errorf("%q: %+v %v", want, v.Progress, err)
			}
		}
	})
}
