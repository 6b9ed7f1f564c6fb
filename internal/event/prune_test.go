package event_test

import (
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestMN12_TwoPruneAtOnce, and take addresses out at once: what goes is noted by one, each
// span once, and the log is whole.
func TestMN12_TwoPruneAtOnce(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			l := newTampered(t, e, 900)
			const keep = 100 * time.Hour
			now := func() time.Time { return start.Add(keep + 450*time.Second) }
			nodes := make([]*event.Log, 3)
			for i := range nodes {
				nodes[i] = &event.Log{Store: l.Store, Log: quiet(), Now: now, Keep: keep, KeepAddresses: keep - 200*time.Second}
			}
			var all sync.WaitGroup
			for _, one := range nodes {
				all.Go(func() {
					for _, do := range []func() error{func() error { return one.Fade(t.Context()) }, func() error { return one.Prune(t.Context()) }} {
						if err := do(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			for {
				if n, err := l.Place(t.Context()); err != nil {
					t.Fatal(err)
				} else if n == 0 {
					break
				}
			}
			if found := l.faults(t, ""); len(found) != 0 {
				t.Errorf("%v", found)
			}
			notes, err := l.Store.Read.Events.List(t.Context(), "", "", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			spans := map[string]int{}
			for _, n := range notes {
				if n.Type == otl.EventAuditPruned || n.Type == otl.EventAddressesGone {
					spans[string(n.Type)+" "+n.Data["from"]]++
				}
			}
			for span, n := range spans {
				if n != 1 {
					t.Errorf("%s was noted %d times", span, n)
				}
			}
			span, err := l.Store.Read.Logs.Span(t.Context(), "")
			if err != nil || span.Pruned.Length != 449 || span.Faded != 649 || len(spans) == 0 {
				t.Errorf("%+v, %d spans: %v", span, len(spans), err)
			}
		})
	}
}
