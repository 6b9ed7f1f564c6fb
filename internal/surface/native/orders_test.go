package native_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/webhook"
)

// orderOf has a site order something.
func orderOf(t *testing.T, w *otltest.World, siteID string) otl.Order {
	t.Helper()
	if _, err := w.Orders.SetPlan(t.Context(), otl.Plan{Name: "pro", Amount: 4900, Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	o, err := w.Orders.Create(t.Context(), siteID, "pro")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestOS03_AnOrderFromFirstToLast: the owner sees his orders, newest first, and the site is
// told, signed, when one is paid.
func TestOS03_AnOrderFromFirstToLast(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		own, stranger := owner(t, w, "owner@dev.test"), owner(t, w, "stranger@dev.test")
		mine := ownSite(t, w, own).Text("id")
		var all []otl.Order
		for range 3 {
			all = append(all, orderOf(t, w, mine))
			w.Clock.Advance(time.Second)
		}
		h := otltest.NewHook(t)
		if _, err := w.Webhooks.Create(t.Context(), mine, webhook.NewEndpoint{URL: h.URL, Events: []string{"payment.completed"}}); err != nil {
			t.Fatal(err)
		}
		paid, err := w.Orders.Move(t.Context(), all[1].ID, otl.OrderCompleted)
		if err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		got := h.Take()
		want := `"data":{"order":{"amount":4900,"currency":"EUR","id":"` + paid.ID + `","plan":"pro"}}`
		if len(got) != 1 || got[0].Text("type") != "payment.completed" || !strings.Contains(string(got[0].Body), want) || got[0].Header.Get("X-OTL-Signature") == "" {
			t.Fatalf("%d requests: %+v", len(got), got)
		}
		page := as(t, w, own)(http.MethodGet, "/payments/orders?limit=2", nil)
		first := page.Items(t)
		rest := as(t, w, own)(http.MethodGet, "/payments/orders?limit=2&cursor="+page.Text("next_cursor"), nil)
		if len(first) != 2 || first[0]["id"] != all[2].ID || first[0]["completed_at"] != nil || first[1]["status"] != "completed" || first[1]["completed_at"] == nil || rest.Items(t)[0]["id"] != all[0].ID || rest.JSON["next_cursor"] != nil {
			t.Errorf("%s\n%s", page.Raw, rest.Raw)
		}
		if r := as(t, w, own)(http.MethodGet, "/payments/orders/"+paid.ID, nil).Want(t, http.StatusOK); r.Text("plan") != "pro" || r.JSON["amount"] != 4900.0 || r.Text("site_id") != mine {
			t.Errorf("%s", r.Raw)
		}
		as(t, w, stranger)(http.MethodGet, "/payments/orders/"+paid.ID, nil).Want(t, http.StatusNotFound)
		if r := as(t, w, stranger)(http.MethodGet, "/payments/orders", nil); len(r.Items(t)) != 0 {
			t.Errorf("a stranger: %s", r.Raw)
		}
		as(t, w, stranger)(http.MethodGet, "/payments/orders?cursor="+page.Text("next_cursor"), nil).Want(t, http.StatusBadRequest, "bad_cursor")
	})
}

// TestOS01_NobodyOutsideWritesAnOrder: below /payments everything only looks.
func TestOS01_NobodyOutsideWritesAnOrder(t *testing.T) {
	t.Parallel()
	n := 0
	for name := range describe(t).operations() {
		method, path, _ := strings.Cut(name, " ")
		if !strings.Contains(path, "/payments/") {
			continue
		}
		if n++; method != http.MethodGet {
			t.Errorf("%s changes orders", name)
		}
	}
	if n != 2 {
		t.Errorf("%d operations", n)
	}
}
