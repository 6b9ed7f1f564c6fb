package event_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func appendOne(t *testing.T, st *store.Store, e otl.Event) {
	t.Helper()
	if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) }); err != nil {
		t.Fatal(err)
	}
}

func place(t *testing.T, l *event.Log) (n int) {
	t.Helper()
	for {
		m, err := l.Place(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m == 0 {
			return n
		}
		n += m
	}
}

// whole reads the log of the installation page by page and checks that it has no
// gap and that every hash follows from the one before.
func whole(t *testing.T, st *store.Store) []otl.Event {
	t.Helper()
	unbroken(t, st, "")
	var all []otl.Event
	for {
		page, err := st.Read.Events.After(t.Context(), int64(len(all)), 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func unbroken(t *testing.T, st *store.Store, siteID string) {
	t.Helper()
	if r, err := (&event.Log{Store: st}).Verify(t.Context(), siteID); err != nil || len(r.Faults) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
}

func siteLog(t *testing.T, st *store.Store, siteID string) []otl.SiteEvent {
	t.Helper()
	all, err := st.Read.Logs.Of(t.Context(), siteID, 0, false, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) > 0 {
		unbroken(t, st, siteID)
	}
	return all
}

// TestMN12_PlacesAreGivenOnce: while many append, several nodes place. Each event
// gets one place, without a gap, and a reader who goes on behind the last place he
// has seen misses none.
func TestMN12_PlacesAreGivenOnce(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		const writers, each = 6, 40
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var nodes, appending sync.WaitGroup
		for range 3 {
			l := &event.Log{Store: st, Now: time.Now, Log: quiet()}
			nodes.Go(func() {
				for ctx.Err() == nil {
					if _, err := l.Place(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var read []otl.Event
		nodes.Go(func() {
			for len(read) < writers*each && ctx.Err() == nil {
				var last int64
				if len(read) > 0 {
					last = read[len(read)-1].Seq
				}
				page, err := st.Read.Events.After(ctx, last, 10)
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				read = append(read, page...)
			}
			stop()
		})
		for w := range writers {
			appending.Go(func() {
				for i := range each {
					appendOne(t, st, otl.Event{ID: fmt.Sprintf("evt_%d_%02d", w, i), Type: otl.EventSessionCreated, SiteID: "site " + strconv.Itoa(w%2), UserID: "jane", CreatedAt: start})
				}
			})
		}
		appending.Wait()
		nodes.Wait()
		ids := map[string]bool{}
		for i, e := range read {
			if ids[e.ID] || e.Seq != int64(i+1) {
				t.Fatalf("read %d: %+v", i, e)
			}
			ids[e.ID] = true
		}
		if all := whole(t, st); len(all) != writers*each || len(read) != len(all) {
			t.Errorf("%d placed, %d read, want %d", len(all), len(read), writers*each)
		}
		for _, site := range []string{"site 0", "site 1"} {
			all := siteLog(t, st, site)
			if len(all) != writers*each/2 {
				t.Errorf("%s has %d entries", site, len(all))
			}
			for i, e := range all {
				if e.UserSeq != int64(i+1) { // WH-14
					t.Fatalf("%s, entry %d: %+v", site, i, e)
				}
			}
		}
	})
}

// TestAU07_ClocksDoNotDecide: events stand in the order in which they were
// appended, whatever time and id they have.
func TestAU07_ClocksDoNotDecide(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		l := &event.Log{Store: st, Now: time.Now, Log: quiet()}
		want := []string{"evt_9", "evt_5", "evt_7", "evt_1", "evt_3"}
		for i, id := range want {
			appendOne(t, st, otl.Event{ID: id, Type: otl.EventKeyRotated, CreatedAt: start.Add(-time.Duration(i) * time.Hour)})
			if i == 1 {
				place(t, l)
			}
		}
		if n := place(t, l); n != 3 {
			t.Errorf("placed %d", n)
		}
		var got []string
		for _, e := range whole(t, st) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestAU07_WhatWaitsComesFirst: what another process appended stands before what was held until
// the end of a commit, also where it is more than gets its place at once.
func TestAU07_WhatWaitsComesFirst(t *testing.T) {
	t.Parallel()
	for _, one := range [][2]int{{0, 70}, {3, 70}, {event.Batch - 1, 70}, {event.Batch, 70}, {event.Batch + 1, 70}, {0, event.Batch}, {5, 2 * event.Batch}} {
		waiting, held := one[0], one[1]
		t.Run(fmt.Sprint(waiting, " and ", held), func(t *testing.T) {
			t.Parallel()
			st, err := store.Open(t.Context(), store.Options{URL: otltest.DatabaseURL(t, otltest.SQLite), Serve: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = st.Close() }()
			l := &event.Log{Store: st, Now: time.Now, Log: quiet()}
			var want []string
			write := func(n int) {
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					for range n {
						id := fmt.Sprintf("evt_%03d", len(want))
						want = append(want, id)
						if err := tx.Events.Append(ctx, otl.Event{ID: id, Type: otl.EventSessionCreated, SiteID: "site", UserID: "jane", CreatedAt: start}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			write(waiting)
			st.AtLast(l.Last)
			write(held)
			if n := len(whole(t, st)); n != min(waiting+held, event.Batch) {
				t.Errorf("%d have a place after the commit", n)
			}
			place(t, l)
			var got []string
			for _, e := range whole(t, st) {
				got = append(got, e.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if at := siteLog(t, st, "site"); len(at) != len(want) || at[len(at)-1].UserSeq != int64(len(want)) {
				t.Errorf("the site has %d entries of %d", len(at), len(want))
			}
		})
	}
}

// TestAU03_EveryMemberIsInTheHash changes one member after the other.
func TestAU03_EveryMemberIsInTheHash(t *testing.T) {
	t.Parallel()
	e := store.Entry{Event: otl.Event{
		ID: "evt_1", Type: otl.EventUserUpdated, UserID: "u", SiteID: "s", SessionID: "x", CreatedAt: start,
		By: otl.Actor{Kind: otl.ActorPerson, ID: "p"}, From: "192.0.2.1", RequestID: "r",
	}, Data: `{"a":"b"}`, Changes: `[["name","a","b"]]`}
	seen := map[string]string{string(event.Link(nil, 1, e)): "unchanged"}
	try := func(name string, before []byte, seq int64, change func(*store.Entry)) {
		c := e
		change(&c)
		h := string(event.Link(before, seq, c))
		if was, ok := seen[h]; ok || len(h) != 32 {
			t.Errorf("%s has the hash of %s", name, was)
		}
		seen[h] = name
	}
	none := func(*store.Entry) {}
	try("another before", []byte{1}, 1, none)
	try("another place", nil, 2, none)
	try("id", nil, 1, func(e *store.Entry) { e.ID = "evt_2" })
	try("type", nil, 1, func(e *store.Entry) { e.Type = otl.EventUserCreated })
	try("person", nil, 1, func(e *store.Entry) { e.UserID = "us" })
	try("moved between members", nil, 1, func(e *store.Entry) { e.UserID, e.SiteID = "us", "" })
	try("session", nil, 1, func(e *store.Entry) { e.SessionID = "" })
	try("data", nil, 1, func(e *store.Entry) { e.Data = `{"a":"c"}` })
	try("a blank in data", nil, 1, func(e *store.Entry) { e.Data = `{"a": "b"}` })
	try("kind of actor", nil, 1, func(e *store.Entry) { e.By.Kind = otl.ActorClient })
	try("actor", nil, 1, func(e *store.Entry) { e.By.ID = "q" })
	try("site it came through", nil, 1, func(e *store.Entry) { e.Via = "x" })
	try("address", nil, 1, func(e *store.Entry) { e.From = "192.0.2.2" })
	try("request", nil, 1, func(e *store.Entry) { e.RequestID = "s" })
	try("changes", nil, 1, func(e *store.Entry) { e.Changes = `[["name","a","c"]]` })
	try("no data", nil, 1, func(e *store.Entry) { e.Data = "" })
	try("time", nil, 1, func(e *store.Entry) { e.CreatedAt = start.Add(time.Millisecond) })
	for name, h := range map[string][]byte{
		"of a site": event.LinkSite(nil, 1, e, false, 1), "told": event.LinkSite(nil, 1, e, true, 1), "another number of the person": event.LinkSite(nil, 1, e, true, 2),
	} {
		if was, ok := seen[string(h)]; ok {
			t.Errorf("%s has the hash of %s", name, was)
		}
		seen[string(h)] = name
	}
}

// told gives what the site is told of, by type.
func told(t *testing.T, w *otltest.World, siteID string) (types []string) {
	t.Helper()
	place(t, w.Events)
	for _, e := range siteLog(t, w.Store, siteID) {
		if e.Told {
			types = append(types, string(e.Type))
		}
	}
	return types
}

// TestPR06_WhoHearsOfWhat: a site hears of a person only while that person lets it
// in, and of a change only where it may see what changed.
func TestPR06_WhoHearsOfWhat(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		change := func(p account.Profile) {
			t.Helper()
			u, err := w.Store.Read.Users.ByID(t.Context(), jane.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Accounts.Update(t.Context(), jane.ID, u.Version, otl.AllFields(), p); err != nil {
				t.Fatal(err)
			}
			place(t, w.Events)
		}
		name, locale := "Jane Roe", "de"
		w.Login(t, w.Notes, "jane@dev.test")
		change(account.Profile{Name: &name})
		change(account.Profile{Locale: &locale}) // which neither may see
		if err := w.Accounts.Leave(t.Context(), w.Shop.Site.ID, jane.ID); err != nil {
			t.Fatal(err)
		}
		name = "Jane Moe"
		change(account.Profile{Name: &name})
		if err := w.Accounts.Delete(t.Context(), jane.ID); err != nil {
			t.Fatal(err)
		}
		if got, want := told(t, w, w.Notes.Site.ID), []string{"session.created", "user.updated", "user.updated", "session.revoked", "user.deleted"}; !slices.Equal(got, want) {
			t.Errorf("Notes: %v, want %v", got, want)
		}
		if got, want := told(t, w, w.Shop.Site.ID), []string{"user.updated", "consent.revoked"}; !slices.Equal(got, want) {
			t.Errorf("Shop: %v, want %v", got, want)
		}
		for i, e := range siteLog(t, w.Store, w.Notes.Site.ID)[1:] { // behind what came of registering the site
			if e.Told && e.UserID == jane.ID && e.UserSeq == 0 {
				t.Errorf("entry %d has no number: %+v", i, e)
			}
		}
	})
}

// TestASiteHearsOfWhoRegistersThere, in the order in which it happened.
func TestASiteHearsOfWhoRegistersThere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": otltest.Password}}).Want(t, http.StatusCreated)
		if got, want := told(t, w, w.Notes.Site.ID), []string{"user.created", "consent.granted", "session.created"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got := told(t, w, w.Shop.Site.ID); len(got) != 0 {
			t.Errorf("Shop hears %v", got)
		}
	})
}

// TestTheLogFollowsTheCommit: Run places what is appended in its own process when
// it is committed, and what others appended when it looks.
func TestTheLogFollowsTheCommit(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		place(t, w.Events)
		select {
		case <-w.Store.Appended():
		default:
			t.Error("nobody told that the registration of the sites was appended")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Events.Run(ctx); close(done) }()
		appendOne(t, w.Store, otl.Event{ID: "evt_x", Type: otl.EventKeyRotated, CreatedAt: start})
		if w.Engine == otltest.SQLite {
			inTheCommit(t, w.Store)
		}
		for {
			found, err := w.Store.Read.Events.Unplaced(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		stop()
		<-done
	})
}

// inTheCommit waits until Run has begun, and holds it to placing events in the very commits
// that append them: once may be chance, twenty times in a row is not.
func inTheCommit(t *testing.T, st *store.Store) {
	t.Helper()
	for i, row := 0, 0; row < 20; i++ {
		before := st.Stats().Commits
		appendOne(t, st, otl.Event{ID: fmt.Sprintf("evt_%03d", i), Type: otl.EventKeyRotated, CreatedAt: start})
		found, err := st.Read.Events.Unplaced(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := st.Stats().Commits - before; len(found) == 0 && n == 1 {
			row++
		} else {
			row = 0
		}
		if i == 500 {
			t.Fatalf("%d events wait, %d commits in all", len(found), st.Stats().Commits)
		}
	}
}
