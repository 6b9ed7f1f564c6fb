package site_test

import (
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// TestWhoRunsTheServerTurnsASiteOff, whoever owns it, and on again while it can be; each is an
// entry of the log. The installation's own site is none of those.
func TestWhoRunsTheServerTurnsASiteOff(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id, key := w.Notes.Site.ID, w.Notes.Key.Reveal()
		if err := auth(t, w, key); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			until, err := w.Sites.TurnOff(t.Context(), id)
			if err != nil || !until.Equal(w.Clock.Now().Add(site.Grace)) {
				t.Fatalf("%s %v", until, err)
			}
			if err := auth(t, w, key); !otl.Is(err, "site_key_unknown") {
				t.Errorf("its key: %v", err)
			}
			if _, err := w.Sites.TurnOff(t.Context(), id); !otl.Is(err, "not_found") {
				t.Errorf("twice: %v", err)
			}
			w.Clock.Advance(site.Grace - time.Second)
			if s, err := w.Sites.TurnOn(t.Context(), id); err != nil || s.ID != id || len(s.CallbackURLs) != len(w.Notes.Site.CallbackURLs) {
				t.Errorf("%+v %v", s, err)
			}
			if err := auth(t, w, key); err != nil {
				t.Errorf("its key, turned on again: %v", err)
			}
		}
		counts := map[otl.EventType]int{}
		all, err := w.Store.Read.Events.List(t.Context(), "", id, "", 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Data[otl.DataBy] == "operator" {
				counts[e.Type]++
			}
		}
		if counts[otl.EventSiteDeleted] != 2 || counts[otl.EventSiteRestored] != 2 {
			t.Errorf("%v", counts)
		}
		for _, no := range []string{w.Installation.SiteID, "nothing", secret.NewID(w.Clock.Now()), id} {
			if _, err := w.Sites.TurnOn(t.Context(), no); !otl.Is(err, "not_found") {
				t.Errorf("on, %s: %v", no, err)
			}
			if no != id {
				if _, err := w.Sites.TurnOff(t.Context(), no); !otl.Is(err, "not_found") {
					t.Errorf("off, %s: %v", no, err)
				}
			}
		}
		if _, err := w.Sites.TurnOff(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(site.Grace)
		if _, err := w.Sites.TurnOn(t.Context(), id); !otl.Is(err, "not_found") {
			t.Errorf("after the grace: %v", err)
		}
	})
}
