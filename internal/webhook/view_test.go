package webhook_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

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
