package e2e

import (
	"math/rand/v2"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// TestOS03_KilledWhilePaid kills `otl orders mark-paid` at any moment beside a running server:
// an order is paid if and only if the site is told so, and it is told once.
func TestOS03_KilledWhilePaid(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	key := in.site(t)
	var done map[string]any
	in.otl(t, &done, "plan", "set", "pro", "--amount", "4900", "--currency", "EUR")
	p := in.serve(t)
	c := newClient(t, p.url, key)
	order := func() string {
		var made struct{ ID string }
		in.otl(t, &made, "orders", "create", "--site", "notes", "--plan", "pro")
		return made.ID
	}
	begun := time.Now()
	in.otl(t, &done, "orders", "mark-paid", order())
	took := time.Since(begun)
	for range count(t, "OTL_E2E_ORDERS", 5) {
		cmd := exec.Command(binary(t), "orders", "mark-paid", order())
		cmd.Dir, cmd.Env = in.dir, environ(in.settings...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(rand.Int64N(int64(took)*5/4)), func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed, or done before
	}
	agree := func() (pending []string) {
		t.Helper()
		var all struct {
			Data []struct{ ID, Status string }
		}
		in.otl(t, &all, "orders", "list")
		told := map[string]int{}
		for limit := time.Now().Add(startTime); ; { // until the server has placed what was appended
			clear(told)
			var events struct {
				Data []struct {
					Type string
					Data struct{ Order struct{ ID string } }
				}
			}
			must(t, http.StatusOK)(c.do(http.MethodGet, "/api/v1/events?limit=200", "", nil)).into(&events)
			for _, e := range events.Data {
				if e.Type == "payment.completed" {
					told[e.Data.Order.ID]++
				}
			}
			completed := 0
			for _, o := range all.Data {
				if o.Status == "completed" {
					completed++
				}
			}
			if len(told) >= completed || time.Now().After(limit) {
				break
			}
		}
		for _, o := range all.Data {
			if n := told[o.ID]; (o.Status == "completed") != (n == 1) || n > 1 {
				t.Errorf("%s is %s, and was told of %d times", o.ID, o.Status, n)
			}
			if o.Status == "pending" {
				pending = append(pending, o.ID)
			}
		}
		return pending
	}
	left := agree()
	t.Logf("%d were killed before they were paid", len(left))
	for _, id := range left {
		in.otl(t, &done, "orders", "mark-paid", id)
	}
	if left = agree(); len(left) != 0 {
		t.Errorf("%d are pending still", len(left))
	}
}
