package site_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSE13_AnOwnerRestoresWhatHeDeletedAlone: what whoever runs the server turned off he cannot,
// also where he had deleted and restored it before; once it was turned on for him, his own is his again.
func TestSE13_AnOwnerRestoresWhatHeDeletedAlone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id, owner := w.Notes.Site.ID, w.Person(t, "owner@dev.test").ID
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Businesses.AddOwner(ctx, w.Notes.Site.BusinessID, owner, w.Clock.Now())
		}); err != nil {
			t.Fatal(err)
		}
		restore := func() error { _, err := w.Sites.Restore(t.Context(), owner, id); return err }
		for range 2 {
			if _, err := w.Sites.Delete(t.Context(), owner, id); err != nil {
				t.Fatal(err)
			}
			if err := restore(); err != nil {
				t.Errorf("his own: %v", err)
			}
			if _, err := w.Sites.TurnOff(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if err := restore(); !otl.Is(err, "site_turned_off") {
				t.Errorf("the operator's: %v", err)
			}
			if err := auth(t, w, w.Notes.Key.Reveal()); !otl.Is(err, "site_key_unknown") {
				t.Errorf("its key: %v", err)
			}
			if _, err := w.Sites.Restore(t.Context(), secret.NewID(w.Clock.Now()), id); !otl.Is(err, "not_found") {
				t.Errorf("somebody else learns of it: %v", err)
			}
			if _, err := w.Sites.TurnOn(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	})
}

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
