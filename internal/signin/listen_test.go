package signin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestHT06_ListenersAreBounded: two of a visit, so many of a node, and who leaves makes room, once.
func TestHT06_ListenersAreBounded(t *testing.T) {
	t.Parallel()
	l := &signin.Listeners{Most: 3}
	enters := func(id string, want bool) func() {
		t.Helper()
		leave, ok := l.Enter(id)
		if ok != want {
			t.Fatalf("%s: %t", id, ok)
		}
		return leave
	}
	leave := enters("a", true)
	enters("a", true)
	enters("a", false) // of one visit
	other := enters("b", true)
	enters("c", false) // of the node
	leave()
	leave()
	enters("a", true)
	enters("c", false)
	other()
	enters("c", true)
}

// TestAListenerGivesUp where the server stops, its time is over or the visit is.
func TestAListenerGivesUp(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		l := &signin.Listeners{Flows: w.Flows, Most: 1}
		f, err := w.Flows.Begin(t.Context(), w.Notes.Site, signin.NewBrowser(), otl.Asked{})
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan struct{})
		close(stopped)
		if ready, err := l.Await(t.Context(), stopped, f.ID); ready || err != nil {
			t.Errorf("stopped: %t %v", ready, err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if ready, err := l.Await(over, nil, f.ID); ready || err != nil {
			t.Errorf("over: %t %v", ready, err)
		}
		if ready, err := l.Await(t.Context(), nil, f.ID+"x"); ready || !errors.Is(err, signin.ErrFlow) {
			t.Errorf("nobody's: %t %v", ready, err)
		}
	})
}
