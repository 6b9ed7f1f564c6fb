package outbox_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// happen appends n events of a site that is told of them.
func happen(t *testing.T, w *otltest.World, s site.Registered, n int) {
	t.Helper()
	err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for range n {
			e := otl.Event{
				ID: "evt_" + secret.NewID(w.Clock.Now()), Type: otl.EventRoleAssigned, UserID: "jane", SiteID: s.Site.ID,
				Data: map[string]string{otl.DataRole: "editor"}, CreatedAt: w.Clock.Now(),
			}
			if err := tx.Events.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deliveries gives those of an endpoint, the oldest first.
func deliveries(t *testing.T, w *otltest.World, m webhook.Made) []webhook.Delivery {
	t.Helper()
	all, _, err := w.Webhooks.Deliveries(t.Context(), m.SiteID, m.ID, "", otl.LogFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

func endpoint(t *testing.T, w *otltest.World, m webhook.Made) otl.Endpoint {
	t.Helper()
	e, err := w.Webhooks.Get(t.Context(), m.SiteID, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWH02_Retries: a first try and five more, further and further apart, always with
// the same event id and with the number of the attempt; then it is given up, and can be
// sent again.
func TestWH02_Retries(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		h.Status(http.StatusInternalServerError)
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		for i, pause := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour} {
			before := len(h.Heard())
			if before != i+1 {
				t.Fatalf("%d requests after %d pauses", before, i)
			}
			w.Clock.Advance(pause*8/10 - time.Millisecond)
			w.Deliver(t)
			if len(h.Heard()) != before {
				t.Errorf("try %d came more than a fifth too early", i+2)
			}
			w.Clock.Advance(pause*4/10 + time.Millisecond)
			w.Deliver(t)
		}
		all := h.Heard()
		if len(all) != 6 {
			t.Fatalf("%d requests, want 6", len(all))
		}
		for i, one := range all {
			number := float64(i + 1)
			if one.Text("id") == "" || one.Text("id") != all[0].Text("id") || one.JSON["attempt"] != number || one.Header.Get("X-OTL-Attempt") != strconv.Itoa(i+1) ||
				one.Header.Get("X-OTL-Delivery") != one.Text("id") || one.Header.Get("webhook-id") != one.Text("id") || one.Header.Get("X-OTL-Event") != "role.assigned" {
				t.Errorf("attempt %d: %s %v", i+1, one.Body, one.Header)
			}
		}
		d := deliveries(t, w, m)[0]
		if d.State != otl.DeliveryDead || d.Attempts != 6 || d.Status != 500 || d.Problem == "" || d.SettledAt.IsZero() {
			t.Errorf("%+v", d.Delivery)
		}
		w.Clock.Advance(24 * time.Hour)
		w.Deliver(t)
		if len(h.Heard()) != 6 {
			t.Error("it was tried a seventh time")
		}
		h.Status(http.StatusAccepted)
		if err := w.Webhooks.Resend(t.Context(), m.SiteID, m.ID, d.Event.ID); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		if last := h.Heard()[len(h.Heard())-1]; last.Text("id") != d.Event.ID || last.JSON["attempt"] != 7.0 {
			t.Errorf("sent again as %s", last.Body)
		}
		_, attempts, err := w.Webhooks.Delivery(t.Context(), m.SiteID, m.ID, d.Event.ID)
		if err != nil || len(attempts) != 7 || attempts[6].Status != 202 || attempts[0].Problem != "answered 500" || attempts[0].Request["X-Otl-Attempt"][0] != "1" {
			t.Errorf("%+v %v", attempts, err)
		}
	})
}

// TestWH03_WhatCountsAsDelivered goes through answers.
func TestWH03_WhatCountsAsDelivered(t *testing.T) {
	t.Parallel()
	answers := map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		state  otl.DeliveryState
		says   string
	}{
		"204":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, otl.DeliveryDone, ""},
		"299":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) }, otl.DeliveryDone, ""},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, otl.DeliveryWaiting, "redirects"},
		"404":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, otl.DeliveryWaiting, "404"},
		"410":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, otl.DeliveryDead, "410"},
		"partial": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
		}, otl.DeliveryWaiting, "broke off"},
		"nothing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, otl.DeliveryWaiting, "connection"},
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		made := map[string]webhook.Made{}
		for name, a := range answers {
			h, m := w.Hook(t, w.Notes)
			h.Answer(a.answer)
			made[name] = m
		}
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		for name, a := range answers {
			d := deliveries(t, w, made[name])[0]
			if d.State != a.state || d.Attempts != 1 || a.says == "" && d.Problem != "" || !strings.Contains(d.Problem, a.says) {
				t.Errorf("%s: %+v", name, d.Delivery)
			}
		}
		if e := endpoint(t, w, made["410"]); e.State != otl.EndpointDisabled || e.Reason != otl.ReasonGone {
			t.Errorf("after a 410: %+v", e)
		}
		if e := endpoint(t, w, made["404"]); e.State != otl.EndpointOn || e.FailingSince.IsZero() {
			t.Errorf("after a 404: %+v", e)
		}
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		if n := len(deliveries(t, w, made["410"])); n != 1 {
			t.Errorf("%d deliveries for an endpoint that is gone", n)
		}
	})
}

// TestWH03_WhoDoesNotAnswerInTimeIsAskedAgain.
func TestWH03_WhoDoesNotAnswerInTimeIsAskedAgain(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, made := w.Hook(t, w.Notes)
		h.Answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		if d := deliveries(t, w, made)[0]; d.State != otl.DeliveryWaiting || d.Attempts != 1 || !strings.Contains(d.Problem, "in time") {
			t.Errorf("%+v", d.Delivery)
		}
	}, func(o *node.Options) { o.Egress = egress.Policy{Loopback: true, Timeout: 500 * time.Millisecond} })
}

func TestWH03_RetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		for value, least := range map[string]time.Duration{
			"3600": time.Hour, "99999999999": 24 * time.Hour, "-5": 0, "soon": 0, w.Clock.Now().Add(2 * time.Hour).Format(http.TimeFormat): 2 * time.Hour,
			w.Clock.Now().Add(-2 * time.Hour).Format(http.TimeFormat): 0, "": 0,
		} {
			h.Answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			happen(t, w, w.Notes, 1)
			w.Deliver(t)
			all := deliveries(t, w, m)
			wait := all[len(all)-1].DueAt.Sub(w.Clock.Now())
			if wait < max(least, 8*time.Second) || wait > max(least, 12*time.Second) {
				t.Errorf("Retry-After %q: tried again after %v", value, wait)
			}
		}
	})
}

// TestWH04_OneNodeDelivers: of several nodes one sends to an endpoint, and one that
// dies leaves its endpoints to the others.
func TestWH04_OneNodeDelivers(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		happen(t, w, w.Notes, 150)
		for {
			if n, err := w.Events.Place(t.Context()); err != nil || n == 0 {
				break
			}
		}
		nodes := []*outbox.Couriers{w.Couriers}
		for i := range 3 {
			nodes = append(nodes, &outbox.Couriers{
				Store: w.Store, Webhooks: w.Webhooks, Messages: w.Messages, Client: w.Egress, Node: fmt.Sprint("node ", i), Now: w.Clock.Now, Log: w.Couriers.Log,
			})
		}
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() {
				for range 20 {
					if _, err := n.Deliver(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		ids := map[string]bool{}
		for _, one := range h.Heard() {
			ids[one.Text("id")] = true
		}
		if len(ids) != 150 || len(h.Heard()) != 150 {
			t.Errorf("%d requests with %d ids, want 150", len(h.Heard()), len(ids))
		}

		happen(t, w, w.Notes, 1)
		if _, err := w.Events.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // a node takes it, and dies
			_, err := tx.Endpoints.Lease(ctx, m.ID, "dead", w.Clock.Now().Add(30*time.Second), w.Clock.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if w.Deliver(t); len(h.Heard()) != 150 {
			t.Error("sent beside the lease of another node")
		}
		w.Clock.Advance(30 * time.Second)
		if w.Deliver(t); len(h.Heard()) != 151 {
			t.Error("not sent after the lease of a dead node had ended")
		}
	})
}

// TestWH05_AnEndpointThatFailsForDays is paused; its owners hear of it, after three hours,
// after a day, and then. What was given up can be counted and sent again.
func TestWH05_AnEndpointThatFailsForDays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "owner@dev.test")
		owner, err := w.Store.Read.Users.ByEmail(t.Context(), "owner@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		blog := w.Register(t, site.Registration{Name: "Blog", Owner: owner.ID})
		h, m := w.Hook(t, blog)
		h.Status(http.StatusBadGateway)
		first := w.Clock.Now()
		for hour := 0; endpoint(t, w, m).State == otl.EndpointOn && hour < 150; hour++ {
			happen(t, w, blog, 1)
			w.Deliver(t)
			want := 0
			for _, after := range []time.Duration{3 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour} {
				if w.Clock.Now().Sub(first) >= after {
					want++
				}
			}
			if n := len(w.Letters(t, "owner@dev.test")); n != want {
				t.Fatalf("after %d hours: %d letters, want %d", hour, n, want)
			}
			w.Clock.Advance(time.Hour)
		}
		e := endpoint(t, w, m)
		if e.State != otl.EndpointPaused || e.Reason != otl.ReasonFailing || w.Clock.Now().Sub(first) < 5*24*time.Hour || w.Clock.Now().Sub(first) > 5*24*time.Hour+2*time.Hour {
			t.Errorf("after %v: %+v", w.Clock.Now().Sub(first), e)
		}
		letters := w.Letters(t, "owner@dev.test")
		if len(letters) != 3 || !strings.Contains(letters[0].Text, h.URL) || !strings.Contains(letters[0].Subject, "Blog") || letters[0].Subject == letters[1].Subject {
			t.Errorf("%d letters: %+v", len(letters), letters)
		}
		h.Take()
		happen(t, w, blog, 1) // waits
		w.Deliver(t)
		if len(h.Take()) != 0 {
			t.Error("a paused endpoint is sent to")
		}
		h.Status(http.StatusOK)
		on := "on"
		if _, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{State: &on}); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(3 * time.Hour)
		w.Deliver(t)
		resumed := len(h.Take())
		dead := otl.Replay{SiteID: m.SiteID, EndpointID: m.ID, Since: first, Until: w.Clock.Now(), Failed: true}
		n, err := w.Webhooks.ReplayMany(t.Context(), dead, true)
		if err != nil || n < 100 || resumed == 0 || len(h.Heard()) != 0 {
			t.Errorf("%d could be sent again (%v), %d had waited", n, err, resumed)
		}
		if again, err := w.Webhooks.ReplayMany(t.Context(), dead, false); err != nil || again != n {
			t.Errorf("%d are sent again, %v", again, err)
		}
		w.Deliver(t)
		if got := len(h.Take()); got != n {
			t.Errorf("%d came, want %d", got, n)
		}
		all := otl.Replay{SiteID: m.SiteID, EndpointID: m.ID, Since: first, Until: w.Clock.Now()}
		if n, err := w.Webhooks.ReplayMany(t.Context(), all, false); err != nil || n != len(deliveries(t, w, m)) {
			t.Errorf("%d of all are sent again, %v", n, err)
		}
		for _, d := range deliveries(t, w, m) {
			if d.State != otl.DeliveryWaiting {
				t.Fatalf("%+v", d.Delivery)
			}
		}
		w.Clock.Advance(31 * 24 * time.Hour)
		if err := w.Webhooks.Prune(t.Context()); err != nil || len(deliveries(t, w, m)) != 0 {
			t.Errorf("kept longer than 30 days: %v", err)
		}
	})
}

// TestWH07_OneOfAHundredThatHangsDelaysNobody: while one endpoint takes requests and does
// not answer them, all events reach the 99 others, 19 of them at the same site.
func TestWH07_OneOfAHundredThatHangsDelaysNobody(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const sites, each, events = 5, 20, 20
		release := make(chan struct{})
		var hanging *otltest.Hook
		var others []*otltest.Hook
		var all []site.Registered
		for i := range sites {
			s := w.Register(t, site.Registration{Name: fmt.Sprint("Site ", i)})
			all = append(all, s)
			for range each {
				h, _ := w.Hook(t, s)
				others = append(others, h)
			}
		}
		hanging, others = others[0], others[1:]
		hanging.Answer(func(http.ResponseWriter, *http.Request) { <-release })
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Events.Run(ctx) })
		running.Go(func() { w.Couriers.Run(ctx) })
		for _, s := range all {
			happen(t, w, s, events)
		}
		for _, h := range others {
			for len(h.Heard()) < events { // the test's own deadline ends it
				time.Sleep(time.Millisecond)
			}
		}
		for len(hanging.Heard()) == 0 {
			time.Sleep(time.Millisecond)
		}
		if n := len(hanging.Heard()); n > 8 {
			t.Errorf("one that hangs holds %d requests", n)
		}
		for _, h := range others {
			if n := len(h.Heard()); n != events {
				t.Errorf("%d requests came instead of %d", n, events)
			}
		}
		close(release)
		stop()
		running.Wait()
	})
}

// TestWH06_TwoSecretsWhileOneIsReplaced.
func TestWH06_TwoSecretsWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		next, err := w.Webhooks.Rotate(t.Context(), m.SiteID, m.ID, time.Hour)
		if err != nil || next.Secret.Reveal() == m.Secret.Reveal() || !strings.HasPrefix(next.Secret.Reveal(), "whsec_") {
			t.Fatal(err)
		}
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		w.Clock.Advance(time.Hour)
		happen(t, w, w.Notes, 1)
		w.Deliver(t)
		for i, secrets := range [][]secret.Text{{next.Secret, m.Secret}, {next.Secret}} {
			one := h.Heard()[i]
			at, err := strconv.ParseInt(one.Header.Get("webhook-timestamp"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range webhook.Sign(secrets, one.Text("id"), time.Unix(at, 0), one.Body) {
				if got := one.Header.Get(name); got != want[0] {
					t.Errorf("%d: %s is %s, want %s", i, name, got, want[0])
				}
			}
		}
	})
}

// TestPR06_WithdrawalStopsTheNextEvent, also one that is queued already.
func TestPR06_WithdrawalStopsTheNextEvent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		h, m := w.Hook(t, w.Shop, "user.updated", "consent.revoked")
		h.Status(http.StatusInternalServerError)
		name := "Jane Roe"
		if _, err := w.Accounts.Update(t.Context(), jane.ID, jane.Version, otl.AllFields(), account.Profile{Name: &name}); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		if got := h.Take(); len(got) != 1 || got[0].Text("data", "user", "name") != name {
			t.Fatalf("%d requests: %v", len(got), got[0].JSON)
		}
		if err := w.Accounts.Leave(t.Context(), w.Shop.Site.ID, jane.ID); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Hour)
		w.Deliver(t)
		h.Status(http.StatusOK)
		w.Clock.Advance(time.Hour)
		w.Deliver(t)
		for _, one := range h.Take() {
			if one.Text("type") == "user.updated" || strings.Contains(string(one.Body), name) || strings.Contains(string(one.Body), "jane@") {
				t.Errorf("after the withdrawal came %s", one.Body)
			}
		}
		if d := deliveries(t, w, m)[0]; d.State != otl.DeliveryWithdrawn || d.Attempts != 1 {
			t.Errorf("%+v", d.Delivery)
		}
	})
}
