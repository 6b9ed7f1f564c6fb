package outbox_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// appended appends one event of a site.
func appended(t *testing.T, w *otltest.World, e otl.Event) {
	t.Helper()
	e.ID, e.CreatedAt = "evt_"+secret.NewID(w.Clock.Now()), w.Clock.Now()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) }); err != nil {
		t.Fatal(err)
	}
}

// clientHook is a client with an address that is told of its sessions that end, and the
// endpoint that it stands for.
func clientHook(t *testing.T, w *otltest.World) (*otltest.Hook, otl.Endpoint) {
	t.Helper()
	if err := w.Installation.Maintain(t.Context()); err != nil { // makes the key of logout tokens
		t.Fatal(err)
	}
	h := otltest.NewHook(t)
	made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "app", RedirectURIs: []string{"https://notes.test/callback"}, LogoutURI: h.URL})
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.Webhooks.List(t.Context(), w.Notes.Site.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Client == made.ID {
			return h, e
		}
	}
	t.Fatal("the client has no endpoint")
	return nil, otl.Endpoint{}
}

func replayed(t *testing.T, w *otltest.World, e otl.Endpoint, want int) {
	t.Helper()
	all := otl.Replay{SiteID: e.SiteID, EndpointID: e.ID, Since: w.Clock.Now().Add(-time.Hour), Until: w.Clock.Now().Add(time.Hour)}
	for _, dry := range []bool{true, false} {
		if n, err := w.Webhooks.ReplayMany(t.Context(), all, dry); err != nil || n != want {
			t.Errorf("dry %v: %d are sent again, want %d: %v", dry, n, want, err)
		}
	}
	w.Deliver(t)
}

// TestOA13_AReplayTellsAClientOfItsOwnSessions, and of no other's, nor of anything else.
func TestOA13_AReplayTellsAClientOfItsOwnSessions(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, e := clientHook(t, w)
		for _, data := range []map[string]string{{otl.DataClient: e.Client}, {otl.DataClient: "another"}, {}} {
			appended(t, w, otl.Event{Type: otl.EventSessionRevoked, UserID: "jane", SessionID: "s", SiteID: e.SiteID, Data: data})
		}
		happen(t, w, w.Notes, 2)
		w.Deliver(t)
		h.Take()
		replayed(t, w, e, 1)
		if got := h.Take(); len(got) != 1 {
			t.Errorf("%d logout tokens came, want 1", len(got))
		}
	})
}

// TestOA13_AClientsEndpointIsNotTheSitesToChange: where it lies and what it hears of follow
// from the client.
func TestOA13_AClientsEndpointIsNotTheSitesToChange(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		_, e := clientHook(t, w)
		address, none, paused := "https://elsewhere.example/", []string{}, "paused"
		for name, do := range map[string]func() error{
			"url": func() error {
				_, err := w.Webhooks.Update(t.Context(), e.SiteID, e.ID, webhook.Change{URL: &address})
				return err
			},
			"events": func() error {
				_, err := w.Webhooks.Update(t.Context(), e.SiteID, e.ID, webhook.Change{Events: &none})
				return err
			},
			"rotate": func() error { _, err := w.Webhooks.Rotate(t.Context(), e.SiteID, e.ID, 0); return err },
			"test":   func() error { _, err := w.Webhooks.Test(t.Context(), e.SiteID, e.ID, ""); return err },
			"verify": func() error { _, err := verify(t, w, e.SiteID, e.ID); return err },
		} {
			if err := do(); otl.As(err).Kind != otl.Conflict || otl.As(err).Code != "client_endpoint" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after, err := w.Webhooks.Update(t.Context(), e.SiteID, e.ID, webhook.Change{State: &paused}); err != nil || after.State != otl.EndpointPaused || after.URL != e.URL || len(after.Events) != 1 {
			t.Errorf("%+v %v", after, err)
		}
	})
}

// TestWH05_AReplayBringsWhatTheEndpointGets: a test that was for another one stays away, and
// an event that was played comes to whoever hears of what it plays.
func TestWH05_AReplayBringsWhatTheEndpointGets(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		every, m := w.Hook(t, w.Notes)
		some, filtered := w.Hook(t, w.Notes, "role.assigned")
		_, other := w.Hook(t, w.Notes, "user.updated")
		happen(t, w, w.Notes, 1)
		if _, err := w.Webhooks.Test(t.Context(), other.SiteID, other.ID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Webhooks.Trigger(t.Context(), other.SiteID, "role.assigned", nil); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		for h, e := range map[*otltest.Hook]otl.Endpoint{every: m.Endpoint, some: filtered.Endpoint} {
			if first := len(h.Take()); first != 2 {
				t.Errorf("%d came at first, want 2", first)
			}
			replayed(t, w, e, 2)
			if again := len(h.Take()); again != 2 {
				t.Errorf("%d came again, want 2", again)
			}
		}
	})
}

// TestWH03_NothingWaitsForADisabledEndpoint: neither what was asked for by hand, nor what
// waited when it answered 410 or was disabled.
func TestWH03_NothingWaitsForADisabledEndpoint(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		h.Status(http.StatusInternalServerError)
		happen(t, w, w.Notes, 3)
		w.Deliver(t)
		h.Status(http.StatusGone)
		w.Clock.Advance(time.Hour)
		w.Deliver(t)
		event := ""
		for _, d := range deliveries(t, w, m) {
			if event = d.Event.ID; d.State != otl.DeliveryDead || d.SettledAt.IsZero() || d.Problem == "" {
				t.Errorf("after a 410: %+v", d.Delivery)
			}
		}
		for name, do := range map[string]func() error{
			"test":   func() error { _, err := w.Webhooks.Test(t.Context(), m.SiteID, m.ID, ""); return err },
			"resend": func() error { return w.Webhooks.Resend(t.Context(), m.SiteID, m.ID, event) },
			"verify": func() error { _, err := verify(t, w, m.SiteID, m.ID); return err },
		} {
			if err := do(); otl.As(err).Code != "endpoint_disabled" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := w.Webhooks.Replay(t.Context(), m.SiteID, event); err != nil || n != 0 {
			t.Errorf("replayed to %d: %v", n, err)
		}
		h.Status(http.StatusOK)
		h.Take()
		turn(t, w, m, "on")
		w.Clock.Advance(time.Hour)
		if w.Deliver(t); len(h.Take()) != 0 {
			t.Error("something had been kept for it")
		}
		turn(t, w, m, "paused")
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		turn(t, w, m, "disabled")
		turn(t, w, m, "on")
		if w.Deliver(t); len(h.Take()) != 0 {
			t.Error("what waited was kept while it was disabled")
		}
	})
}

func turn(t *testing.T, w *otltest.World, m webhook.Made, state string) {
	t.Helper()
	if _, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{State: &state}); err != nil {
		t.Fatal(err)
	}
}

// TestWH05_WhatIsDueIsWhatCanBeSent: what waits for an endpoint that is paused, or whose site
// was deleted, alarms nobody.
func TestWH05_WhatIsDueIsWhatCanBeSent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		owner := w.Person(t, "owner@dev.test")
		blog := w.Register(t, site.Registration{Name: "Blog", Owner: owner.ID})
		w.Deliver(t) // what happened until now
		_, m := w.Hook(t, blog)
		due := func(want int) {
			t.Helper()
			n, oldest, err := w.Store.Read.Deliveries.Counts(t.Context(), w.Clock.Now())
			if err != nil || n != want || oldest.IsZero() != (want == 0) {
				t.Errorf("%d are due since %v, want %d: %v", n, oldest, want, err)
			}
		}
		happen(t, w, blog, 1)
		if _, err := w.Events.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		due(1)
		turn(t, w, m, "paused")
		due(0)
		turn(t, w, m, "on")
		due(1)
		if _, err := w.Sites.Delete(t.Context(), owner.ID, blog.Site.ID); err != nil {
			t.Fatal(err)
		}
		due(0)
	})
}

// TestPR04_ShownIsWhatWasSent: the ledger has a reading for each request that reached the
// endpoint with something personal in it, and for no other.
func TestPR04_ShownIsWhatWasSent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		h, m := w.Hook(t, w.Notes, "user.updated")
		shown := func(want int64) {
			t.Helper()
			all, err := w.Ledger.Of(t.Context(), jane.ID)
			n := int64(0)
			for _, r := range all {
				n += r.Times
			}
			if err != nil || n != want {
				t.Errorf("%d readings, want %d: %v", n, want, err)
			}
		}
		change := func() {
			t.Helper()
			u, err := w.Store.Read.Users.ByID(t.Context(), jane.ID)
			if err != nil {
				t.Fatal(err)
			}
			name := u.Name + " Roe"
			if _, err := w.Accounts.Update(t.Context(), u.ID, u.Version, otl.AllFields(), account.Profile{Name: &name}); err != nil {
				t.Fatal(err)
			}
			w.Deliver(t)
		}
		move := func(url string) {
			t.Helper()
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.Endpoints.Update(ctx, m.ID, store.EndpointChange{URL: &url, VerifiedAt: w.Clock.Now()}, w.Clock.Now())
			}); err != nil {
				t.Fatal(err)
			}
		}
		w.Doubt(t, m.Endpoint, true)
		change()
		if shown(0); len(h.Take()) != 1 {
			t.Error("nothing came to the unverified endpoint")
		}
		move("http://127.0.0.1:1/")
		change()
		shown(0)
		move(m.URL)
		h.Status(http.StatusInternalServerError) // it has read it
		change()
		shown(1)
	})
}

// TestWH05_WhatIsSentAgainIsKeptUntilItIs: a delivery of 29 days ago that is sent again waits
// as long as any other.
func TestWH05_WhatIsSentAgainIsKeptUntilItIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		_, m := w.Hook(t, w.Notes)
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		old := deliveries(t, w, m)[0]
		turn(t, w, m, "paused")
		w.Clock.Advance(29 * 24 * time.Hour)
		if err := w.Webhooks.Resend(t.Context(), m.SiteID, m.ID, old.Event.ID); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(2 * 24 * time.Hour)
		if err := w.Webhooks.Prune(t.Context()); err != nil || len(deliveries(t, w, m)) != 1 {
			t.Errorf("pruned two days after it was sent again: %v", err)
		}
		w.Clock.Advance(29 * 24 * time.Hour)
		if err := w.Webhooks.Prune(t.Context()); err != nil || len(deliveries(t, w, m)) != 0 {
			t.Errorf("it waits for ever: %v", err)
		}
	})
}

// TestWH15_ADeliveryIsShownAsItIsSent: withheld where the endpoint is not verified, and as no
// body at all where a client gets a token.
func TestWH15_ADeliveryIsShownAsItIsSent(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, "jane@dev.test", w.Notes.Site)
	_, m := w.Hook(t, w.Notes, "session.created")
	_, e := clientHook(t, w)
	w.Doubt(t, m.Endpoint, true)
	w.Login(t, w.Notes, "jane@dev.test")
	appended(t, w, otl.Event{Type: otl.EventSessionRevoked, UserID: "jane", SessionID: "s", SiteID: e.SiteID, Data: map[string]string{otl.DataClient: e.Client}})
	w.Deliver(t)
	show := func(id string) otltest.Reply {
		t.Helper()
		list := w.Do(t, otltest.Call{Path: "/api/v1/webhooks/" + id + "/deliveries", Key: w.Notes.Key}).Items(t)
		if len(list) != 1 {
			t.Fatalf("%d deliveries", len(list))
		}
		return w.Do(t, otltest.Call{Path: "/api/v1/webhooks/" + id + "/deliveries/" + list[0]["event_id"].(string), Key: w.Notes.Key}).Want(t, http.StatusOK)
	}
	if r := show(m.ID); !strings.Contains(string(r.Raw), `"withheld":true`) || strings.Contains(string(r.Raw), "127.0.0.1\"") {
		t.Errorf("%s", r.Raw)
	}
	if r := show(e.ID); r.JSON["payload"] != nil {
		t.Errorf("a client's: %s", r.Raw)
	}
}

// TestWH07_ASlowReceiverKeepsLittle: of heads and of bodies that say yes a part is kept, and
// no more than so many deliveries wait.
func TestWH07_ASlowReceiverKeepsLittle(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		owner := w.Person(t, "owner@dev.test")
		blog := w.Register(t, site.Registration{Name: "Blog", Owner: owner.ID})
		w.Deliver(t)
		h, m := w.Hook(t, blog)
		talk := func(status int) {
			h.Answer(func(rw http.ResponseWriter, _ *http.Request) {
				for i := range 20 {
					rw.Header().Set(fmt.Sprint("X-Much-", i), strings.Repeat("y", 1000))
				}
				rw.WriteHeader(status)
				_, _ = rw.Write([]byte(strings.Repeat("x", 20<<10)))
			})
		}
		for status, most := range map[int]int{http.StatusOK: 1 << 10, http.StatusTeapot: 16 << 10} {
			talk(status)
			happen(t, w, blog, 1)
			w.Deliver(t)
			all := deliveries(t, w, m)
			_, attempts, err := w.Webhooks.Delivery(t.Context(), m.SiteID, m.ID, all[len(all)-1].Event.ID)
			if err != nil || len(attempts) != 1 {
				t.Fatal(err)
			}
			head := 0
			for name, values := range attempts[0].Response {
				head += len(name) + len(strings.Join(values, ""))
			}
			if len(attempts[0].Body) != most || head > 4<<10 || head < 3<<10 {
				t.Errorf("%d: a body of %d and a head of %d bytes", status, len(attempts[0].Body), head)
			}
		}
		turn(t, w, m, "paused")
		happen(t, w, blog, 4)
		w.Deliver(t)
		if err := w.Couriers.Bound(t.Context(), 5); err != nil || endpoint(t, w, m).State != otl.EndpointPaused { // one of them failed before
			t.Errorf("%+v %v", endpoint(t, w, m), err)
		}
		if err := w.Couriers.Bound(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		e := endpoint(t, w, m)
		letters := w.Letters(t, "owner@dev.test")
		if e.State != otl.EndpointDisabled || e.Reason != otl.ReasonBacklog || len(letters) != 1 || !strings.Contains(letters[0].Text, h.URL) {
			t.Errorf("%+v, %d letters", e, len(letters))
		}
		turn(t, w, m, "on")
		h.Status(http.StatusOK)
		h.Take()
		if w.Deliver(t); len(h.Take()) != 0 {
			t.Error("it was kept all the same")
		}
		replayed(t, w, e, len(deliveries(t, w, m)))
		if len(h.Take()) < 4 {
			t.Error("it cannot be sent again")
		}
	})
}

// TestWH05_TheOperatorHearsWhereNobodyOwnsTheSite: that an endpoint was stopped is told to
// somebody.
func TestWH05_TheOperatorHearsWhereNobodyOwnsTheSite(t *testing.T) {
	t.Parallel()
	const operator = "ops@dev.test"
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Operator = operator })
	w.Person(t, "owner@dev.test")
	owner, err := w.Store.Read.Users.ByEmail(t.Context(), "owner@dev.test")
	if err != nil {
		t.Fatal(err)
	}
	blog := w.Register(t, site.Registration{Name: "Blog", Owner: owner.ID})
	for to, of := range map[string]site.Registered{operator: w.Notes, "owner@dev.test": blog} {
		w.Letters(t, "")
		w.Inbox.Empty()
		h, _ := w.Hook(t, of)
		h.Status(http.StatusGone)
		happen(t, w, of, 1)
		w.Deliver(t)
		if mails := w.Letters(t, ""); len(mails) != 1 || mails[0].To != to || !strings.Contains(mails[0].Text, h.URL) {
			t.Errorf("%s: %+v", of.Site.Name, mails)
		}
		w.Inbox.Empty()
	}
}
