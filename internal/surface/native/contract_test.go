package native_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// TestContract42_13_BothFormsOfAPath answer alike, byte for byte but for the id of the request; and
// every error is a detail in words with that id, also where there is no such path or method, and
// where a body is too long or of another type.
func TestContract42_13_BothFormsOfAPath(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	seen := map[int]bool{}
	for what, c := range everyFailure(w) {
		versioned := w.Do(t, c.call)
		c.call.Path = strings.Replace(c.call.Path, "/api/v1/", "/api/", 1)
		plain := w.Do(t, c.call)
		bare := func(r otltest.Reply) string {
			if _, isText := r.JSON["detail"].(string); !isText || !uuid.MatchString(r.Text("request_id")) {
				t.Errorf("%s: %d %s", what, r.Status, r.Raw)
			}
			return strings.ReplaceAll(string(r.Raw), r.Text("request_id"), "")
		}
		if versioned.Status != plain.Status || bare(versioned) != bare(plain) || versioned.Header.Get("Allow") != plain.Header.Get("Allow") {
			t.Errorf("%s: %d %s, without the version %d %s", what, versioned.Status, versioned.Raw, plain.Status, plain.Raw)
		}
		seen[versioned.Status] = true
	}
	for _, status := range []int{400, 401, 404, 405, 413, 415, 422} {
		if !seen[status] {
			t.Errorf("no %d among the failures", status)
		}
	}
	w.Person(t, "jane@dev.test", w.Notes.Site)
	login := w.Login(t, w.Notes, "jane@dev.test")
	for _, path := range []string{"/users/me", "/sessions", "/sites"} {
		one, other := w.Do(t, otltest.Call{Path: "/api/v1" + path, Bearer: login.Text("access_token")}), w.Do(t, otltest.Call{Path: "/api" + path, Bearer: login.Text("access_token")})
		if one.Status != http.StatusOK || string(one.Raw) != string(other.Raw) {
			t.Errorf("%s: %s and %s", path, one.Raw, other.Raw)
		}
	}
}

// TestContract42_14_WhatIsOver is refused at the next call: a refresh token that was exchanged, and the
// access tokens of a session that was deleted. What is another site's is unknown.
func TestContract42_14_WhatIsOver(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		first, other := w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Notes, "jane@dev.test")
		second := w.Refresh(t, w.Notes, first.Text("refresh_token")).Want(t, http.StatusOK)
		w.Refresh(t, w.Notes, second.Text("refresh_token")).Want(t, http.StatusOK) // the grace of the first is over
		w.Refresh(t, w.Notes, first.Text("refresh_token")).Want(t, http.StatusUnauthorized)

		me := func(token string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: token})
		}
		other = w.Refresh(t, w.Notes, other.Text("refresh_token")).Want(t, http.StatusOK) // with the session version of now
		me(other.Text("access_token")).Want(t, http.StatusOK)
		sessions := w.Do(t, otltest.Call{Path: "/api/v1/sessions", Bearer: other.Text("access_token")}).Items(t)
		if len(sessions) != 1 {
			t.Fatalf("%v", sessions)
		}
		path := "/api/v1/sessions/" + sessions[0]["id"].(string)
		foreign := w.Login(t, w.Shop, "jane@dev.test")
		w.Do(t, otltest.Call{Method: http.MethodDelete, Path: path, Bearer: foreign.Text("access_token")}).Want(t, http.StatusNotFound)
		w.Do(t, otltest.Call{Method: http.MethodDelete, Path: path, Bearer: other.Text("access_token")}).Want(t, http.StatusOK)
		me(other.Text("access_token")).Want(t, http.StatusUnauthorized)
	})
}
