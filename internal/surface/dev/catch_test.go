package dev_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

type request struct {
	ID, Method, Path, Body string
	Headers                map[string]string
	ReceivedAt             string `json:"received_at"`
}

func (w *world) caught(t *testing.T, query string) []request {
	t.Helper()
	var out struct{ Requests []request }
	rec := w.do(http.MethodGet, "/dev/catch.json"+query, "")
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || out.Requests == nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return out.Requests
}

// TestCatcher: what comes is kept as it came, by name, newest first.
func TestCatcher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if rec := w.do(http.MethodPost, "/dev/catch/notes?x=1", `{"a":"<b>"}`, "X-OTL-Signature", "abc", "X-Two", "1"); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	w.do(http.MethodPut, "/dev/catch/shop", "")
	w.do(http.MethodGet, "/dev/catch/shop", "")
	all := w.caught(t, "")
	if len(all) != 3 || all[0].Method != http.MethodGet || all[1].Method != http.MethodPut {
		t.Errorf("%+v", all)
	}
	notes := w.caught(t, "?name=notes")
	if len(notes) != 1 || notes[0].Path != "/dev/catch/notes?x=1" || notes[0].Body != `{"a":"<b>"}` || notes[0].Headers["x-otl-signature"] != "abc" ||
		!strings.HasPrefix(notes[0].ID, "req_") || notes[0].ReceivedAt == "" {
		t.Errorf("%+v", notes)
	}
	if page := w.do(http.MethodGet, "/dev/catch", ""); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "&lt;b&gt;") {
		t.Errorf("%d %s", page.Code, page.Body)
	}
	for _, missing := range []string{"/dev/catch/", "/dev/catch/a/b", "/dev/catch/" + strings.Repeat("x", 65), "/dev/catch/a%2fb"} {
		if rec := w.do(http.MethodPost, missing, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", missing, rec.Code)
		}
	}
	if rec := w.do(http.MethodPost, "/dev/catch/notes", strings.Repeat("x", 64<<10+1)); rec.Code != http.StatusBadRequest {
		t.Errorf("a body too large: %d", rec.Code)
	}
	for range 1100 {
		w.do(http.MethodPost, "/dev/catch/many", "")
	}
	if n := len(w.caught(t, "")); n != 1000 {
		t.Errorf("%d requests are kept", n)
	}
	if w.do(http.MethodDelete, "/dev/catch.json", ""); len(w.caught(t, "")) != 0 {
		t.Error("it is not empty")
	}
}

// TestCatcherFails: it answers as it was told to, so often, and only under its name.
func TestCatcherFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(name string) int { return w.do(http.MethodPost, "/dev/catch/"+name, "x").Code }
	if rec := w.do(http.MethodPost, "/dev/catch/notes/behaviour", `{"status":500,"times":2,"delay_ms":1}`); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if got := fmt.Sprint(post("shop"), post("notes"), post("notes"), post("notes")); got != "200 500 500 200" {
		t.Error(got)
	}
	w.do(http.MethodPost, "/dev/catch/notes/behaviour", `{"status":204}`)
	if got := fmt.Sprint(post("notes"), post("notes"), post("notes")); got != "204 204 204" {
		t.Error(got)
	}
	w.do(http.MethodPost, "/dev/catch/notes/behaviour", `{}`)
	if got := post("notes"); got != http.StatusOK {
		t.Error(got)
	}
	for body, want := range map[string]int{
		`{"status":199}`: 422, `{"status":600}`: 422, `{"times":-1}`: 422, `{"delay_ms":60001}`: 422, `{"delay_ms":-1}`: 422, `{"x":1}`: 400, `[]`: 400, ``: 400, `{"status":"500"}`: 400,
	} {
		if rec := w.do(http.MethodPost, "/dev/catch/notes/behaviour", body); rec.Code != want {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	if rec := w.do(http.MethodPost, "/dev/catch/"+strings.Repeat("x", 65)+"/behaviour", `{}`); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("a long name: %d", rec.Code)
	}
	for i := range 99 {
		w.do(http.MethodPost, fmt.Sprintf("/dev/catch/n%d/behaviour", i), `{"status":500}`)
	}
	if rec := w.do(http.MethodPost, "/dev/catch/onemore/behaviour", `{}`); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("the 101st behaviour: %d", rec.Code)
	}
}
