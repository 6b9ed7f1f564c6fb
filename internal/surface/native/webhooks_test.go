package native_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// endpointOf registers a receiver over the API and gives the answer.
func endpointOf(t *testing.T, w *otltest.World, h *otltest.Hook, events ...string) otltest.Reply {
	t.Helper()
	body := object{"url": h.URL}
	if events != nil {
		body["events"] = events
	}
	return call(t, w, w.Notes, http.MethodPost, "/webhooks", body).Want(t, http.StatusCreated)
}

func TestWebhooks_AnEndpointFromFirstToLast(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := otltest.NewHook(t)
		made := endpointOf(t, w, h, "session.created", "user.updated")
		id, path := made.Text("id"), "/webhooks/"+made.Text("id")
		if !strings.HasPrefix(made.Text("secret"), "whsec_") || made.Text("state") != "on" || len(made.JSON["events"].([]any)) != 2 {
			t.Errorf("made %s", made.Raw)
		}
		if got := list(call(t, w, w.Notes, http.MethodGet, "/webhooks", nil)); len(got) != 1 || got[0]["id"] != id || got[0]["secret"] != nil {
			t.Errorf("%v", got)
		}
		if got := list(call(t, w, w.Shop, http.MethodGet, "/webhooks", nil)); len(got) != 0 {
			t.Errorf("Shop sees %v", got)
		}
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Login(t, w.Notes, "jane@dev.test")
		w.Deliver(t)
		if got := h.Take(); len(got) != 1 || got[0].Text("type") != "session.created" || got[0].Text("data", "session", "site_id") != w.Notes.Site.ID {
			t.Fatalf("%d requests", len(got))
		}
		call(t, w, w.Notes, http.MethodPatch, path, object{"state": "paused", "description": "ours", "events": []string{}}).Want(t, http.StatusOK)
		if r := call(t, w, w.Notes, http.MethodGet, path, nil); r.Text("reason") != "owner" || r.Text("description") != "ours" || len(r.JSON["events"].([]any)) != 12 {
			t.Errorf("%s", r.Raw)
		}
		w.Login(t, w.Notes, "jane@dev.test")
		w.Deliver(t)
		waiting := list(call(t, w, w.Notes, http.MethodGet, path+"/deliveries?state=waiting", nil))
		if len(waiting) != 1 || waiting[0]["next_attempt_at"] == nil || waiting[0]["status"] != nil || len(h.Heard()) != 0 {
			t.Errorf("while paused: %v", waiting)
		}
		call(t, w, w.Notes, http.MethodPatch, path, object{"state": "on"}).Want(t, http.StatusOK)
		w.Deliver(t)
		if len(h.Take()) != 1 {
			t.Error("what waited did not come")
		}
		rotated := call(t, w, w.Notes, http.MethodPost, path+"/rotate-secret", object{"overlap_seconds": 60}).Want(t, http.StatusCreated)
		if rotated.Text("secret") == made.Text("secret") || rotated.Text("previous_secret_until") == "" {
			t.Errorf("%s", rotated.Raw)
		}
		tested := call(t, w, w.Notes, http.MethodPost, path+"/test", object{"type": "role.assigned"}).Want(t, http.StatusAccepted)
		call(t, w, w.Notes, http.MethodPost, path+"/test", object{}).Want(t, http.StatusAccepted)
		w.Deliver(t)
		got := h.Take()
		slices.SortFunc(got, func(a, b otltest.Heard) int { return strings.Compare(a.Text("type"), b.Text("type")) })
		if len(got) != 2 || got[0].Text("id") != tested.Text("event_id") || got[0].Text("type") != "role.assigned" || got[0].JSON["test"] != true || got[1].Text("type") != "webhook.test" {
			t.Errorf("tests: %+v", got)
		}
		call(t, w, w.Notes, http.MethodDelete, path, nil).Want(t, http.StatusOK)
		w.Login(t, w.Notes, "jane@dev.test")
		w.Deliver(t)
		if len(h.Heard()) != 0 {
			t.Error("a deleted endpoint is sent to")
		}
		call(t, w, w.Notes, http.MethodGet, path, nil).Want(t, http.StatusNotFound)
	})
}

func TestWebhooks_DeliveriesAndEvents(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Deliver(t)
		h := otltest.NewHook(t)
		h.Answer(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("X-Trace", "7")
			rw.WriteHeader(http.StatusTeapot)
			_, _ = rw.Write([]byte("<b>no\xff" + strings.Repeat("x", 20<<10)))
		})
		path := "/webhooks/" + endpointOf(t, w, h).Text("id")
		from := call(t, w, w.Notes, http.MethodGet, "/events?from=end", nil)
		for range 5 {
			w.Login(t, w.Notes, "jane@dev.test")
		}
		w.Deliver(t)
		page := call(t, w, w.Notes, http.MethodGet, path+"/deliveries?limit=3", nil)
		rest := call(t, w, w.Notes, http.MethodGet, path+"/deliveries?limit=3&cursor="+page.Text("next_cursor"), nil)
		if len(list(page)) != 3 || len(list(rest)) != 2 || rest.JSON["next_cursor"] != nil {
			t.Errorf("%s\n%s", page.Raw, rest.Raw)
		}
		id := list(rest)[1]["event_id"].(string) // the oldest, which was tried
		one := call(t, w, w.Notes, http.MethodGet, path+"/deliveries/"+id, nil).Want(t, http.StatusOK)
		attempt := one.JSON["attempt_log"].([]any)[0].(object)
		body := attempt["response_body"].(string)
		if attempt["status"] != 418.0 || len(body) > 16<<10+3 || !strings.HasPrefix(body, "<b>no\ufffd") || one.Text("payload", "id") != id ||
			attempt["response_headers"].(object)["x-trace"].([]any)[0] != "7" || attempt["request_headers"].(object)["webhook-id"].([]any)[0] != id {
			t.Errorf("%s", one.Raw)
		}

		first := call(t, w, w.Notes, http.MethodGet, "/events?limit=2&cursor="+from.Text("cursor"), nil)
		second := call(t, w, w.Notes, http.MethodGet, "/webhooks/events?cursor="+first.Text("next_cursor"), nil)
		all := slices.Concat(list(first), list(second))
		if len(all) != 5 || second.JSON["next_cursor"] != nil || second.Text("cursor") == "" {
			t.Fatalf("%s\n%s", first.Raw, second.Raw)
		}
		for i, e := range all {
			if e["type"] != "session.created" || e["user_sequence"] != float64(i+1) || len(e["deliveries"].([]any)) != 1 { // WH-14
				t.Errorf("%d: %v", i, e)
			}
		}
		if again := list(call(t, w, w.Notes, http.MethodGet, "/events?cursor="+second.Text("cursor"), nil)); len(again) != 0 {
			t.Errorf("twice: %v", again)
		}
		h.Status(http.StatusOK)
		h.Take()
		call(t, w, w.Notes, http.MethodPost, path+"/deliveries/"+id+"/resend", nil).Want(t, http.StatusAccepted)
		w.Deliver(t)
		if got := h.Take(); len(got) < 1 || got[0].Text("id") != id && !slices.ContainsFunc(got, func(o otltest.Heard) bool { return o.Text("id") == id }) {
			t.Errorf("%d came", len(got))
		}
		w.Clock.Advance(time.Hour)
		w.Deliver(t)
		h.Take()
		r := call(t, w, w.Notes, http.MethodPost, "/webhooks/events/"+id+"/replay", nil).Want(t, http.StatusAccepted)
		w.Deliver(t)
		if got := h.Take(); r.JSON["queued"] != 1.0 || len(got) != 1 || got[0].Text("id") != id {
			t.Errorf("%s, %d came", r.Raw, len(got))
		}
		since := object{"since": "2026-01-02T03:04:05Z", "which": "all"}
		if r := call(t, w, w.Notes, http.MethodPost, path+"/replay?dry_run=true", since); r.JSON["queued"] != 5.0 || r.Status != http.StatusAccepted {
			t.Errorf("%s", r.Raw)
		}
		if w.Deliver(t); len(h.Take()) != 0 {
			t.Error("a dry run sends")
		}
		call(t, w, w.Notes, http.MethodPost, path+"/replay", since).Want(t, http.StatusAccepted)
		if w.Deliver(t); len(h.Take()) != 5 {
			t.Error("not all came again")
		}
	})
}

func TestWebhooks_BadInput(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		path := "/webhooks/" + endpointOf(t, w, otltest.NewHook(t)).Text("id")
		for _, c := range []struct {
			method, path string
			body         object
			field        string
		}{
			{"POST", "/webhooks", object{"url": "ftp://x.test"}, "url"},
			{"POST", "/webhooks", object{"url": "http://notes.test/hook"}, "url"},
			{"POST", "/webhooks", object{"url": "https://10.0.0.1/"}, "url"},
			{"POST", "/webhooks", object{"url": "https://u:p@notes.test/"}, "url"},
			{"POST", "/webhooks", object{"url": "https://notes.test/" + strings.Repeat("x", 2048)}, "url"},
			{"POST", "/webhooks", object{}, "url"},
			{"POST", "/webhooks", object{"url": "https://notes.test/", "events": []string{"user.password_changed"}}, "events"},
			{"POST", "/webhooks", object{"url": "https://notes.test/", "description": "a\nb"}, "description"},
			{"PATCH", path, object{"state": "off"}, "state"},
			{"PATCH", path, object{"url": ""}, "url"},
			{"POST", path + "/rotate-secret", object{"overlap_seconds": 604801}, "overlap_seconds"},
			{"POST", path + "/test", object{"type": "site.created"}, "type"},
			{"POST", path + "/replay", object{"since": "yesterday"}, "since"},
			{"POST", path + "/replay", object{"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"},
			{"POST", path + "/replay?dry_run=perhaps", object{"since": "2026-01-02T00:00:00Z"}, "dry_run"},
			{"POST", path + "/replay", object{"since": "2026-01-02T00:00:00Z", "which": "some"}, "which"},
			{"GET", path + "/deliveries?state=lost", nil, "state"},
			{"GET", path + "/deliveries?limit=0&limit=1", nil, "limit"},
			{"GET", "/events?from=middle", nil, "from"},
		} {
			var body any
			if c.body != nil {
				body = c.body
			}
			r := call(t, w, w.Notes, c.method, c.path, body)
			if r.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(r.Text("detail"), c.field) {
				t.Errorf("%s %s %v: %d %s", c.method, c.path, c.body, r.Status, r.Raw)
			}
		}
		if got := list(call(t, w, w.Notes, http.MethodGet, "/webhooks", nil)); len(got) != 1 {
			t.Errorf("%d endpoints", len(got))
		}
		h := otltest.NewHook(t)
		for range 19 {
			endpointOf(t, w, h)
		}
		call(t, w, w.Notes, http.MethodPost, "/webhooks", object{"url": h.URL}).Want(t, http.StatusConflict, "too_many_endpoints")
		call(t, w, w.Notes, http.MethodPatch, path, object{"state": "disabled"}).Want(t, http.StatusOK)
		call(t, w, w.Notes, http.MethodPost, path+"/replay", object{"since": "2026-01-02T00:00:00Z"}).Want(t, http.StatusConflict, "endpoint_disabled")
	})
}
