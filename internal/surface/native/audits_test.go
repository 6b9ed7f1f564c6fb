package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

func placeAll(t *testing.T, w *otltest.World) {
	t.Helper()
	for {
		if n, err := w.Events.Place(t.Context()); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			return
		}
	}
}

// TestAU06_TheLogOfASite is read by the site page by page and from where it was left
// off, by its owner, and by nobody else.
func TestAU06_TheLogOfASite(t *testing.T) {
	t.Parallel()
	eachSeen(t, func(t *testing.T, w seen) {
		own := owner(t, w.World, "owner@dev.test")
		mine := ownSite(t, w.World, own)
		for i := range 5 {
			call(t, w.World, w.Notes, http.MethodPost, "/roles", object{"name": fmt.Sprintf("role%d", i)}).Want(t, http.StatusCreated)
		}
		placeAll(t, w.World)
		read := func(query string) otltest.Reply {
			t.Helper()
			r := call(t, w.World, w.Notes, http.MethodGet, "/audit"+query, nil).Want(t, http.StatusOK)
			placeAll(t, w.World)
			return r
		}
		var types []string
		var seq float64
		var cursor string
		for page := "?limit=3"; ; page = "?limit=3&cursor=" + cursor {
			r := read(page)
			for _, e := range r.Items(t) {
				if seq++; e["seq"] != seq {
					t.Errorf("entry %v comes after %v", e["seq"], seq-1)
				}
				types = append(types, e["type"].(string))
			}
			if cursor = r.Text("cursor"); r.JSON["next_cursor"] == nil {
				break
			}
		}
		if got := strings.Join(types, " "); !strings.HasPrefix(got, "site.created site_key.created role.created role.created") || !strings.HasSuffix(got, "role.created audit.read audit.read") {
			t.Errorf("%s", got)
		}
		for _, want := range []int{1, 0, 0} { // his own latest reading, and that is the end
			r := read("?cursor=" + cursor)
			if cursor = r.Text("cursor"); len(r.Items(t)) != want || r.JSON["next_cursor"] != nil || cursor == "" {
				t.Errorf("behind its end: %s", r.Raw)
			}
		}
		call(t, w.World, w.Notes, http.MethodPost, "/roles", object{"name": "late"}).Want(t, http.StatusCreated)
		placeAll(t, w.World)
		late := read("?cursor=" + cursor).Items(t)
		by, _ := late[0]["by"].(object)
		if len(late) != 1 || late[0]["type"] != "role.created" || late[0]["ip"] != "127.0.0.1" || by["kind"] != "site_key" || by["id"] != w.Notes.KeyRow.ID || len(late[0]["changes"].([]any)) == 0 {
			t.Errorf("%v", late)
		}
		if r := as(t, w.World, own)(http.MethodGet, "/sites/"+mine.Text("id")+"/audit", nil); r.Items(t)[0]["type"] != "site.created" {
			t.Errorf("the owner: %s", r.Raw)
		}
		as(t, w.World, owner(t, w.World, "stranger@dev.test"))(http.MethodGet, "/sites/"+mine.Text("id")+"/audit", nil).Want(t, http.StatusNotFound)
		call(t, w.World, w.Shop, http.MethodGet, "/audit?cursor="+cursor, nil).Want(t, http.StatusBadRequest, "bad_cursor")
		narrow, err := w.Sites.CreateKey(t.Context(), w.Notes.Site.ID, site.NewKey{Name: "narrow", Scopes: otl.Scopes{otl.ScopeAuth, otl.ScopeUsers}})
		if err != nil {
			t.Fatal(err)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/audit", Key: narrow.Key}).Want(t, http.StatusForbidden, "scope_missing")

		mend := breakLog(t, w) // AU-05: what cannot be noted is not shown
		defer mend()
		call(t, w.World, w.Notes, http.MethodGet, "/audit", nil).Want(t, http.StatusInternalServerError)
	})
}

// TestTriggerPlaysAnEvent to every endpoint that hears of such, with what was set in its
// sample data, marked as a test; and to who pulls.
func TestTriggerPlaysAnEvent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hears, deaf := otltest.NewHook(t), otltest.NewHook(t)
		m := endpointOf(t, w, hears, "user.updated")
		endpointOf(t, w, deaf, "session.created")
		trigger := func(body object) otltest.Reply { return call(t, w, w.Notes, http.MethodPost, "/events/test", body) }
		id := trigger(object{"type": "user.updated", "set": object{"user.email": "me@example.com", "user.preferences.city": "Ulm", "changed": []string{"email"}}}).
			Want(t, http.StatusAccepted).Text("event_id")
		w.Deliver(t)
		got := hears.Take()
		if len(got) != 1 || len(deaf.Take()) != 0 {
			t.Fatalf("%d came", len(got))
		}
		one := got[0]
		if one.Text("id") != id || one.Text("type") != "user.updated" || one.JSON["test"] != true || one.Text("data", "user", "email") != "me@example.com" ||
			one.Text("data", "user", "preferences", "city") != "Ulm" || one.Text("data", "user", "name") != "Jane Doe" {
			t.Errorf("%s", one.Body)
		}
		shown := call(t, w, w.Notes, http.MethodGet, "/events/"+id, nil).Want(t, http.StatusOK)
		if shown.Text("data", "user", "email") != "me@example.com" || len(shown.JSON["deliveries"].([]any)) != 1 {
			t.Errorf("%s", shown.Raw)
		}
		if all := list(call(t, w, w.Notes, http.MethodGet, "/events", nil)); all[len(all)-1]["id"] != id {
			t.Errorf("%v", all)
		}
		call(t, w, w.Shop, http.MethodGet, "/events/"+id, nil).Want(t, http.StatusNotFound)
		call(t, w, w.Notes, http.MethodPost, "/webhooks/events/"+id+"/replay", nil).Want(t, http.StatusAccepted)
		w.Deliver(t)
		if again := hears.Take(); len(again) != 1 || again[0].Text("id") != id || len(deaf.Take()) != 0 {
			t.Errorf("%d came again", len(again))
		}
		deep := strings.Repeat("a.", 8) + "a"
		for _, bad := range []object{
			{"type": "webhook.test"},
			{"type": "audit.read"},
			{"type": "user.updated", "set": object{"": 1}},
			{"type": "user.updated", "set": object{"a..b": 1}},
			{"type": "user.updated", "set": object{"user.email.x": 1}},
			{"type": "role.assigned", "set": object{"user.email": "x"}},
			{"type": "user.updated", "set": object{deep: 1}},
			{"type": "user.updated", "set": object{"a": strings.Repeat("x", 5000)}},
		} {
			trigger(bad).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		}
		if r := trigger(object{"type": "role.assigned", "set": object{"rol": "x"}}); !strings.Contains(string(r.Raw), `it has assigned_by, role, user_id`) {
			t.Errorf("%s", r.Raw)
		}
		shown = call(t, w, w.Notes, http.MethodGet, "/webhooks/"+m.Text("id")+"/deliveries", nil)
		if one := shown.Items(t)[0]; one["type"] != "user.updated" || one["test"] != true {
			t.Errorf("listed as %s", shown.Raw)
		}
	})
}
