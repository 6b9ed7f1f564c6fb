package site_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSE13_SitesThatAreOff are told to their owner for as long as they can be restored, with who
// turned them off, and to nobody else (TE-01).
func TestSE13_SitesThatAreOff(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		owner, other := w.Person(t, "owner@dev.test").ID, w.Person(t, "other@dev.test").ID
		own := func(name string) otl.Site {
			w.Clock.Advance(time.Second) // of one moment none is the first
			return w.Register(t, site.Registration{Name: name, Owner: owner}).Site
		}
		mine, held, on := own("Mine"), own("Held"), own("On")
		off := site.Off{Sites: w.Sites}
		if all, err := off.List(t.Context(), owner); err != nil || len(all) != 0 {
			t.Fatalf("%+v %v", all, err)
		}
		_, err := w.Sites.Delete(t.Context(), owner, mine.ID)
		if err == nil {
			_, err = operator(w).TurnOff(t.Context(), held.ID)
		}
		if err == nil {
			_, err = operator(w).TurnOff(t.Context(), w.Shop.Site.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		all, err := off.List(t.Context(), owner)
		if err != nil || len(all) != 2 || all[0].Name != "Mine" || all[0].Held || all[1].Name != "Held" || !all[1].Held || !all[0].DeletedAt.Equal(w.Clock.Now()) {
			t.Fatalf("%+v %v", all, err)
		}
		if all, err := off.List(t.Context(), ""); err != nil || len(all) != 0 {
			t.Errorf("nobody's: %+v %v", all, err)
		}
		if one, err := off.Owned(t.Context(), owner, held.ID); err != nil || !one.Held {
			t.Errorf("%+v %v", one, err)
		}
		for who, ids := range map[string][]string{owner: {on.ID, w.Shop.Site.ID, "x", ""}, other: {mine.ID, held.ID}, "": {mine.ID, held.ID}} {
			for _, id := range ids {
				if one, err := off.Owned(t.Context(), who, id); err == nil {
					t.Errorf("%q: %+v", id, one)
				}
			}
		}
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Businesses.AddOwner(ctx, mine.BusinessID, other, w.Clock.Now())
		}); err != nil {
			t.Fatal(err)
		}
		if all, err := off.List(t.Context(), other); err != nil || len(all) != 2 {
			t.Errorf("the other owner: %+v %v", all, err)
		}
		w.Clock.Advance(site.Grace)
		if all, err := off.List(t.Context(), owner); err != nil || len(all) != 0 {
			t.Errorf("when it is over: %+v %v", all, err)
		}
	})
}
