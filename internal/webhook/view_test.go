package webhook_test

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// TestTheWeekOfAnEndpoint: days, what succeeded, how long nearly all took; what is older than
// deliveries are kept is forgotten.
func TestTheWeekOfAnEndpoint(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		_, m := w.Hook(t, w.Notes)
		var made []store.Attempted
		note := func(ago time.Duration, took time.Duration, problem string, n int) {
			for range n {
				made = append(made, store.Attempted{Delivery: otl.Delivery{EndpointID: m.ID}, Attempt: otl.Attempt{StartedAt: w.Clock.Now().Add(-ago), Took: took, Problem: problem}})
			}
		}
		const day = 24 * time.Hour
		note(0, 20*time.Millisecond, "", 190)
		note(day, 3*time.Second, "", 10)
		note(6*day, 9*time.Second, "answered 500", 50)
		note(7*day, time.Second, "", 1000)
		note(40*day, time.Second, "", 1)
		for range 2 { // twice is added
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Deliveries.Tally(ctx, webhook.Tallies(made)) }); err != nil {
				t.Fatal(err)
			}
		}
		view := webhook.View{Webhooks: w.Webhooks}
		week, err := view.Week(t.Context(), m.SiteID, m.ID)
		if err != nil || week.Good != 400 || week.Bad != 100 || week.Days[6].Good != 380 || week.Days[5].Good != 20 || week.Days[0].Bad != 100 {
			t.Errorf("%+v %v", week, err)
		}
		if week.P95 < 20*time.Millisecond || week.P95 > 24*time.Millisecond {
			t.Errorf("95 of 100 within %s", week.P95)
		}
		if _, err := view.Week(t.Context(), w.Shop.Site.ID, m.ID); !otl.Is(err, "not_found") {
			t.Errorf("of another site: %v", err)
		}
		if err := w.Webhooks.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := w.Store.Read.Deliveries.Tallies(t.Context(), m.ID, 0); err != nil || len(all) != 4 {
			t.Errorf("%d are left: %v", len(all), err)
		}
	})
}

// TestTE07_SearchesHaveARateOfTheirOwn: a listing by a filter looks at thousands of deliveries,
// and a site gets fifty in ten seconds; one without a filter is a call like any other.
func TestTE07_SearchesHaveARateOfTheirOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		_, m := w.Hook(t, w.Notes)
		_, other := w.Hook(t, w.Shop)
		list := func(of otl.Endpoint, state string, f otl.LogFilter) error {
			f.Limit = 1
			_, _, err := w.Webhooks.Deliveries(t.Context(), of.SiteID, of.ID, state, f)
			return err
		}
		typed := otl.LogFilter{Type: otl.EventSessionCreated}
		for i := range 25 {
			if err := errors.Join(list(m.Endpoint, "dead", otl.LogFilter{}), list(m.Endpoint, "", typed)); err != nil {
				t.Fatalf("after %d: %v", 2*i, err)
			}
		}
		if err := list(m.Endpoint, "", typed); !otl.Is(err, "rate_limited") {
			t.Errorf("the 51st: %v", err)
		}
		if err := errors.Join(list(m.Endpoint, "", otl.LogFilter{}), list(other.Endpoint, "", typed)); err != nil {
			t.Errorf("without a filter, or at another site: %v", err)
		}
		w.Clock.Advance(10 * time.Second)
		if err := list(m.Endpoint, "", typed); err != nil {
			t.Errorf("ten seconds later: %v", err)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestWH15_OnIsOn: an endpoint that is stopped while its owner says that it is to be on is on,
// whatever it was when his change was read. One that was on all the time has not forgotten that
// it fails.
func TestWH15_OnIsOn(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres)
	_, m := w.Hook(t, w.Notes)
	write := func(do func(ctx context.Context, tx *store.Tx) error) {
		t.Helper()
		if err := w.Store.Write(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	write(func(ctx context.Context, tx *store.Tx) error {
		_, _, err := tx.Endpoints.Failed(ctx, m.ID, w.Clock.Now())
		return err
	})
	on := string(otl.EndpointOn)
	if e, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{State: &on}); err != nil || e.FailingSince.IsZero() {
		t.Errorf("fails since %s: %v", e.FailingSince, err)
	}
	check := w.Webhooks.Check
	w.Webhooks.Check = func(url string) error { // between reading and writing
		write(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Endpoints.Stop(ctx, m.ID, otl.EndpointPaused, otl.ReasonFailing, w.Clock.Now())
			return err
		})
		return check(url)
	}
	e, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{State: &on, URL: &m.URL})
	if err != nil || e.State != otl.EndpointOn || e.Reason != "" || !e.FailingSince.IsZero() {
		t.Errorf("%s for %q, fails since %s: %v", e.State, e.Reason, e.FailingSince, err)
	}
}

// TestCurl: a shell reads the words as they are meant, whatever is in them.
func TestCurl(t *testing.T) {
	t.Parallel()
	const hostile = "it's $(id) `id` \"x\" \\ \n!"
	r := webhook.Request{Head: map[string][]string{"X-A": {hostile}}, Body: []byte(hostile)}
	const url = "https://notes.test/a?b='c'&d"
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `curl() { printf '%s\n' "$@"; }; `+r.Curl(url)).CombinedOutput()
	if want := "-X\nPOST\n" + url + "\n-H\nx-a: " + hostile + "\n--data-raw\n" + hostile + "\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}
