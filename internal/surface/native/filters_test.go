package native_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

func reversed(all []string) []string {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}

// deliveriesFiltered replays everything to an endpoint of Notes, and holds the types of its
// deliveries that queries want, page by page, against what they are to be.
func deliveriesFiltered(t *testing.T, w *otltest.World, wants map[string]string) {
	t.Helper()
	_, m := w.Hook(t, w.Notes)
	call(t, w, w.Notes, http.MethodPost, "/webhooks/"+m.ID+"/replay", object{"since": "2020-01-01T00:00:00Z", "until": "2098-01-01T00:00:00Z", "which": "all"}).Want(t, http.StatusAccepted)
	w.Deliver(t)
	list := "/webhooks/" + m.ID + "/deliveries?limit=2"
	for _, bad := range []string{"&type=site.created", "&since=yesterday", "&state=lost"} {
		call(t, w, w.Notes, http.MethodGet, list+bad, nil).Want(t, http.StatusUnprocessableEntity)
	}
	for query, want := range wants {
		var types []string
		for page, more := "&"+query, true; more; {
			r := call(t, w, w.Notes, http.MethodGet, list+page, nil).Want(t, http.StatusOK)
			for _, d := range r.Items(t) {
				types = append(types, d["type"].(string))
			}
			more = r.JSON["next_cursor"] != nil
			page = "&" + query + "&cursor=" + r.Text("next_cursor")
		}
		if got := strings.Join(types, " "); got != want {
			t.Errorf("deliveries, %s: %s, want %s", query, got, want)
		}
	}
}

// TestAU06_FiltersLeaveSome: type, person, time and order, of what the site was told and of its
// log, page by page and to its end.
func TestAU06_FiltersLeaveSome(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, john := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "john@dev.test", w.Notes.Site)
		stranger := w.Person(t, "stranger@dev.test", w.Shop.Site)
		for range 3 {
			w.Login(t, w.Notes, "jane@dev.test")
			w.Login(t, w.Notes, "john@dev.test")
			w.Clock.Advance(time.Minute)
		}
		half := w.Clock.Now().Add(-90 * time.Second).Format(time.RFC3339)
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "editor"}).Want(t, http.StatusCreated)
		call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": "editor"}).Want(t, http.StatusOK)
		placeAll(t, w)
		all := func(list, query string) (types []string, seqs []float64) {
			t.Helper()
			for page := query; ; {
				r := call(t, w, w.Notes, http.MethodGet, list+"?limit=2"+page, nil).Want(t, http.StatusOK)
				for _, e := range r.Items(t) {
					types = append(types, e["type"].(string))
					seq, ok := e["sequence"].(float64)
					if !ok {
						seq = e["seq"].(float64)
					}
					seqs = append(seqs, seq)
				}
				if r.JSON["next_cursor"] == nil {
					return types, seqs
				}
				page = query + "&cursor=" + r.Text("next_cursor")
			}
		}
		for _, c := range []struct{ list, query, want string }{
			{"/events", "&type=role.assigned", "role.assigned"},
			{"/events", "&user_id=" + john.ID, strings.Repeat("session.created ", 3)},
			{"/events", "&user_id=" + jane.ID + "&since=" + half, "session.created role.assigned"},
			{"/events", "&order=desc&user_id=" + jane.ID, "role.assigned " + strings.Repeat("session.created ", 3)},
			{"/events", "&since=2099-01-01T00:00:00Z", ""},
			{"/audit", "&type=role.created", "role.created"},
			{"/audit", "&user_id=" + jane.ID + "&order=desc&since=" + half, "role.assigned session.created"},
			{"/audit", "&type=nothing.happened", ""},
		} {
			types, seqs := all(c.list, c.query)
			if got := strings.Join(types, " "); got != strings.TrimSpace(c.want) {
				t.Errorf("%s%s: %s, want %s", c.list, c.query, got, c.want)
			}
			if strings.Contains(c.query, "desc") {
				slices.Reverse(seqs)
			}
			if !slices.IsSorted(seqs) {
				t.Errorf("%s%s: in the order %v", c.list, c.query, seqs)
			}
		}
		plain, _ := all("/events", "")
		if backwards, _ := all("/events", "&order=desc"); !slices.Equal(reversed(plain), backwards) || len(plain) < 7 {
			t.Errorf("%v\n%v", plain, backwards)
		}
		one := call(t, w, w.Notes, http.MethodGet, "/events?limit=1&order=desc", nil)
		call(t, w, w.Notes, http.MethodGet, "/events?limit=1&cursor="+one.Text("cursor"), nil).Want(t, http.StatusBadRequest, "bad_cursor")
		call(t, w, w.Notes, http.MethodGet, "/events?user_id="+stranger.ID, nil).Want(t, http.StatusNotFound)
		for _, bad := range []string{"/events?type=site.created", "/events?order=up", "/events?since=yesterday", "/audit?order=up", "/audit?type=" + strings.Repeat("x", 65)} {
			call(t, w, w.Notes, http.MethodGet, bad, nil).Want(t, http.StatusUnprocessableEntity)
		}
		deliveriesFiltered(t, w, map[string]string{
			"type=role.assigned": "role.assigned", "user_id=" + john.ID: strings.TrimSpace(strings.Repeat("session.created ", 3)), "type=payment.completed": "",
			"state=delivered&user_id=" + jane.ID + "&since=" + half: "role.assigned session.created", "since=2099-01-01T00:00:00Z": "", "state=dead&type=role.assigned": "",
			"": strings.Join(reversed(plain), " "),
		})
		narrow := call(t, w, w.Notes, http.MethodGet, "/events?type=payment.completed", nil)
		if narrow.JSON["next_cursor"] != nil || narrow.Text("cursor") == "" {
			t.Errorf("%s", narrow.Raw)
		}
		call(t, w, w.Notes, http.MethodPost, "/events/test", object{"type": "payment.completed"}).Want(t, http.StatusAccepted)
		placeAll(t, w)
		if r := call(t, w, w.Notes, http.MethodGet, "/events?type=webhook.test", nil); len(r.Items(t)) != 1 {
			t.Errorf("played: %s", r.Raw)
		}
	})
}
