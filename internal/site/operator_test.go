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

// operator acts on behalf of whoever runs the server.
func operator(w *otltest.World) site.Operator { return site.Operator{Sites: w.Sites} }

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
			if _, err := operator(w).TurnOff(t.Context(), id); err != nil {
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
			if _, err := operator(w).TurnOn(t.Context(), id); err != nil {
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
			until, err := operator(w).TurnOff(t.Context(), id)
			if err != nil || !until.Equal(w.Clock.Now().Add(site.Grace)) {
				t.Fatalf("%s %v", until, err)
			}
			if err := auth(t, w, key); !otl.Is(err, "site_key_unknown") {
				t.Errorf("its key: %v", err)
			}
			if _, err := operator(w).TurnOff(t.Context(), id); !otl.Is(err, "not_found") {
				t.Errorf("twice: %v", err)
			}
			w.Clock.Advance(site.Grace - time.Second)
			if s, err := operator(w).TurnOn(t.Context(), id); err != nil || s.ID != id || len(s.CallbackURLs) != len(w.Notes.Site.CallbackURLs) {
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
			if _, err := operator(w).TurnOn(t.Context(), no); !otl.Is(err, "not_found") {
				t.Errorf("on, %s: %v", no, err)
			}
			if no != id {
				if _, err := operator(w).TurnOff(t.Context(), no); !otl.Is(err, "not_found") {
					t.Errorf("off, %s: %v", no, err)
				}
			}
		}
		if _, err := operator(w).TurnOff(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(site.Grace)
		if _, err := operator(w).TurnOn(t.Context(), id); !otl.Is(err, "not_found") {
			t.Errorf("after the grace: %v", err)
		}
	})
}

// TestSE13_WhatAnOwnerDeletedIsHeld by whoever runs the server, who sees it before it is gone: the owner
// cannot restore it then, it is gone when he was told, and the log says who held it.
func TestSE13_WhatAnOwnerDeletedIsHeld(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id, owner, op := w.Notes.Site.ID, w.Person(t, "owner@dev.test").ID, operator(w)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Businesses.AddOwner(ctx, w.Notes.Site.BusinessID, owner, w.Clock.Now())
		}); err != nil {
			t.Fatal(err)
		}
		deleted := func(held bool) {
			t.Helper()
			all, err := op.Off(t.Context(), "", 10)
			if err != nil || len(all) != 1 || all[0].ID != id || all[0].Held != held || len(all[0].CallbackURLs) != len(w.Notes.Site.CallbackURLs) {
				t.Errorf("deleted: %+v %v", all, err)
			}
			if one, err := op.Find(t.Context(), id); err != nil || one.Held != held || one.DeletedAt.IsZero() || len(one.CallbackURLs) != len(w.Notes.Site.CallbackURLs) {
				t.Errorf("found: %+v %v", one, err)
			}
		}
		until, err := w.Sites.Delete(t.Context(), owner, id)
		if err != nil {
			t.Fatal(err)
		}
		deleted(false)
		w.Clock.Advance(time.Hour)
		if end, err := op.TurnOff(t.Context(), id); err != nil || !end.Equal(until) {
			t.Fatalf("held until %s, %v; the owner was told %s", end, err, until)
		}
		deleted(true)
		if _, err := w.Sites.Restore(t.Context(), owner, id); !otl.Is(err, "site_turned_off") {
			t.Errorf("restored by its owner: %v", err)
		}
		if _, err := op.TurnOff(t.Context(), id); !otl.Is(err, "not_found") {
			t.Errorf("held twice: %v", err)
		}
		held, err := w.Store.Read.Events.Select(t.Context(), store.EventQuery{SiteID: id, Type: otl.EventSiteDeleted, Limit: 10})
		if err != nil || len(held) != 2 || held[0].Data[otl.DataBy] != "operator" || held[0].Data["held"] != "true" || held[1].Data[otl.DataBy] != owner {
			t.Errorf("the log: %+v %v", held, err)
		}
		if one, err := op.Find(t.Context(), w.Shop.Site.Slug); err != nil || !one.DeletedAt.IsZero() || one.ID != w.Shop.Site.ID {
			t.Errorf("one that is on: %+v %v", one, err)
		}
		w.Clock.Advance(site.Grace - time.Hour)
		if all, err := op.Off(t.Context(), "", 10); err != nil || len(all) != 0 {
			t.Errorf("after the grace: %+v %v", all, err)
		}
		for _, no := range []string{id, "nothing", secret.NewID(w.Clock.Now()), w.Notes.Site.Slug} {
			if _, err := op.Find(t.Context(), no); !otl.Is(err, "not_found") {
				t.Errorf("%s: %v", no, err)
			}
		}
	})
}
