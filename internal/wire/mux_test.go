package wire_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// TestHT07_WhatIsNotServed is an error of the surface: 405 with Allow where the path takes
// other methods, 404 where it takes none.
func TestHT07_WhatIsNotServed(t *testing.T) {
	t.Parallel()
	m := wire.NewMux(func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, otl.As(err).Code, wire.Status(otl.As(err)))
	})
	for _, pattern := range []string{"GET /a/{id}", "POST /a/{id}", "PUT /b", "GET /c/{rest...}"} {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Pattern)) })
	}
	for _, c := range []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/a/1", 200, "", "GET /a/{id}"},
		{"HEAD", "/a/1", 200, "", "GET /a/{id}"},
		{"DELETE", "/a/1", 405, "GET, HEAD, POST", "method_not_allowed\n"},
		{"TRACE", "/b", 405, "PUT", "method_not_allowed\n"},
		{"OPTIONS", "/b", 405, "PUT", "method_not_allowed\n"},
		{"BREW", "/c/x/y", 405, "GET, HEAD", "method_not_allowed\n"},
		{"GET", "/a", 404, "", "no_such_path\n"},
		{"GET", "/", 404, "", "no_such_path\n"},
	} {
		rec := httptest.NewRecorder()
		m.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, nil))
		if rec.Code != c.status || rec.Header().Get("Allow") != c.allow || rec.Body.String() != c.body {
			t.Errorf("%s %s: %d %q %q", c.method, c.path, rec.Code, rec.Header().Get("Allow"), rec.Body)
		}
	}
	if got := m.Patterns(); !slices.Equal(got, []string{"GET /a/{id}", "POST /a/{id}", "PUT /b", "GET /c/{rest...}"}) {
		t.Errorf("%v", got)
	}
	if r := httptest.NewRequest(http.MethodPost, "/b", nil); m.Serves(http.MethodPost, r) || !m.Serves(http.MethodPut, r) {
		t.Error("does not know what /b takes")
	}
	var large *otl.Error
	if err := error(wire.TooLarge(7)); !errors.As(err, &large) || large.Text != "The body is larger than 7 bytes." {
		t.Errorf("%v", err)
	}
}
