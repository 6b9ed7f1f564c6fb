package session_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

func revocations(t *testing.T, w *otltest.World, s site.Registered, query string) otltest.Reply {
	t.Helper()
	return w.Do(t, otltest.Call{Path: "/api/v1/revocations" + query, Key: s.Key}).Want(t, http.StatusOK)
}

// entries gives the entries of an answer.
func entries(r otltest.Reply) (out []map[string]any) {
	list, _ := r.JSON["data"].([]any)
	for _, one := range list {
		out = append(out, one.(map[string]any))
	}
	return out
}

func logout(t *testing.T, w *otltest.World, s site.Registered, access string) {
	t.Helper()
	w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/logout", Key: s.Key, Bearer: access}).Want(t, http.StatusOK)
}

func TestD18_TheFeedTellsEachSiteWhatConcernsIt(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		w.Person(t, "john@dev.test", w.Notes.Site)
		notes, shop := revocations(t, w, w.Notes, "").Text("cursor"), revocations(t, w, w.Shop, "").Text("cursor")
		if notes == "" || notes == shop {
			t.Fatalf("cursors %q and %q", notes, shop)
		}
		logout(t, w, w.Notes, w.Login(t, w.Notes, "john@dev.test").Text("access_token"))
		login := w.Login(t, w.Notes, "jane@dev.test")
		logout(t, w, w.Notes, login.Text("access_token"))

		atNotes := revocations(t, w, w.Notes, "?cursor="+notes)
		if found := entries(atNotes); len(found) != 2 || found[1]["user_id"] != jane.ID || found[1]["session_id"] == nil || found[1]["session_version"] != 2.0 {
			t.Errorf("Notes hears %s", atNotes.Raw)
		}
		atShop := revocations(t, w, w.Shop, "?cursor="+shop)
		if found := entries(atShop); len(found) != 1 || found[0]["user_id"] != jane.ID || found[0]["session_id"] != nil || found[0]["session_version"] != 2.0 {
			t.Errorf("Shop hears %s", atShop.Raw) // her tokens there are void too, but not whose session ended
		}
		if found := entries(revocations(t, w, w.Notes, "?cursor="+atNotes.Text("cursor"))); len(found) != 0 {
			t.Errorf("twice: %v", found)
		}
		one := revocations(t, w, w.Notes, "?limit=1&cursor="+notes)
		if found := entries(revocations(t, w, w.Notes, "?cursor="+one.Text("cursor"))); len(entries(one)) != 1 || len(found) != 1 || found[0]["user_id"] != jane.ID {
			t.Errorf("page by page: %s, then %v", one.Raw, found)
		}
		for _, query := range []string{"?cursor=" + shop, "?cursor=x", "?cursor=" + notes + "&wait=61", "?cursor=" + notes + "&wait=-1", "?limit=201&cursor=" + notes} {
			if r := w.Do(t, otltest.Call{Path: "/api/v1/revocations" + query, Key: w.Notes.Key}); r.Status/100 != 4 {
				t.Errorf("%s: %d %s", query, r.Status, r.Raw)
			}
		}
	})
}

func TestD18_WaitingEndsWithAnEntry(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		access := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		cursor := revocations(t, w, w.Notes, "").Text("cursor")
		other := w // the session ends at another node, where there can be one
		if w.Engine == otltest.Postgres {
			other = w.Again(t)
		}
		answer := make(chan otltest.Reply, 1)
		go func() {
			answer <- w.Do(t, otltest.Call{Path: "/api/v1/revocations?wait=60&cursor=" + cursor, Key: w.Notes.Key})
		}()
		logout(t, other, w.Notes, access)
		if r := <-answer; len(entries(r)) != 1 {
			t.Errorf("got %s", r.Raw)
		}
		if r := revocations(t, w, w.Notes, "?wait=1&cursor="+revocations(t, w, w.Notes, "").Text("cursor")); len(entries(r)) != 0 || r.Text("cursor") == "" {
			t.Errorf("nothing within a second: %s", r.Raw)
		}
	})
}

func TestD18_AsServerSentEvents(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		first := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		start := revocations(t, w, w.Notes, "").Text("cursor")
		logout(t, w, w.Notes, first)
		id, data := event(t, w, "?cursor="+start, "")
		if !strings.Contains(data, `"session_version":2`) {
			t.Errorf("the first event is %s", data)
		}
		second := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		logout(t, w, w.Notes, second)
		if _, data := event(t, w, "", id); !strings.Contains(data, `"session_version":3`) || strings.Contains(data, `"session_version":2`) {
			t.Errorf("after Last-Event-ID comes %s", data)
		}
	})
}

// event opens a stream and reads its first event.
func event(t *testing.T, w *otltest.World, query, last string) (id, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/v1/revocations"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("X-OTL-Site-Key", w.Notes.Key.Reveal())
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			id = value
		case "data":
			return id, value
		}
	}
	t.Fatal("the stream ended")
	return "", ""
}

func TestTheFeedIsPruned(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		start := revocations(t, w, w.Notes, "").Text("cursor")
		logout(t, w, w.Notes, w.Login(t, w.Notes, "jane@dev.test").Text("access_token"))
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{24 * time.Hour, 1}, {time.Millisecond, 0}} {
			w.Clock.Advance(step.after)
			if err := w.Feed.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if found := entries(revocations(t, w, w.Notes, "?cursor="+start)); len(found) != step.want {
				t.Errorf("%v later: %v", step.after, found)
			}
		}
	})
}
