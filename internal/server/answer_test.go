package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/server"
)

// TestAHandlerMayGiveUp: http.ErrAbortHandler is how a handler cuts a
// connection; it is no panic to be explained.
func TestAHandlerMayGiveUp(t *testing.T) {
	t.Parallel()
	s, log := serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	srv := httptest.NewServer(s)
	res, err := srv.Client().Get(srv.URL)
	if err == nil {
		res.Body.Close()
		t.Error("there was an answer")
	}
	srv.Close()
	for _, line := range log.lines(t) {
		if line["stack"] != nil {
			t.Errorf("logged as a panic: %v", line)
		}
	}
}

// TestEachSurfaceFailsInItsOwnShape: what goes wrong outside the handlers is
// worded by the surface the path belongs to.
func TestEachSurfaceFailsInItsOwnShape(t *testing.T) {
	t.Parallel()
	shape := func(word string) func(http.ResponseWriter, *http.Request, error) {
		return func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, word+" "+otl.As(err).Code)
		}
	}
	broken := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })
	s, _ := serve(nil, func(o *server.Options) {
		o.Mounts = []server.Mount{
			{Patterns: []string{"/"}, Handler: broken, Fail: shape("pages")},
			{Patterns: []string{"/api/", "/api"}, Handler: broken, Fail: shape("api")},
		}
	})
	for path, want := range map[string]string{"/": "pages internal", "/x": "pages internal", "/api": "api internal", "/api/x": "api internal"} {
		if rec := ask(s, http.MethodGet, path); rec.Body.String() != want {
			t.Errorf("%s: %q, want %q", path, rec.Body, want)
		}
	}
	many := func(r *http.Request) { r.Header["X-A"] = make([]string, 101) }
	if rec := ask(s, http.MethodGet, "/api/x", many); rec.Body.String() != "api too_many_headers" {
		t.Errorf("too many headers: %q", rec.Body)
	}
	for _, path := range []string{"*", "", "api", "/api/x/..", "/api/."} { // "*" and "" are what OPTIONS * and CONNECT leave
		rec := ask(s, http.MethodOptions, "/", func(r *http.Request) { r.URL.Path, r.RequestURI = path, path })
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", path, rec.Code, rec.Body)
		}
	}
}

// TestAnswersAreCountedByRouteAndStatus: what is counted is what was sent.
func TestAnswersAreCountedByRouteAndStatus(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/things/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusAccepted) // too late: the first one counts
	})
	s, log := serve(nil, func(o *server.Options) {
		o.Mounts = []server.Mount{{Patterns: []string{"/"}, Handler: mux, Fail: func(http.ResponseWriter, *http.Request, error) {}}}
	})
	s.Metrics.Counter("otl_test_total", "A count.", func() float64 { return 7 })
	s.Metrics.Gauge("otl_test", "A level.", map[string]string{"state": "full"}, func() float64 { return 3 })
	for _, id := range []string{"jane@dev.test", "john@dev.test"} {
		ask(s, http.MethodGet, "/api/things/"+id)
	}
	text := ask(s.Admin(), http.MethodGet, "/metrics").Body.String()
	for _, line := range []string{
		`otl_http_requests_total{code="201",method="GET",route="GET /api/things/{id}"} 2`, `otl_test_total 7`, `otl_test{state="full"} 3`,
		`otl_http_request_duration_seconds_count{route="GET /api/things/{id}"} 2`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(text, "dev.test") || strings.Contains(log.b.String(), "dev.test") {
		t.Error("people are named in the metrics or the log")
	}
}

// TestReadinessWithoutARequestOfOurs: the admin listener has no middleware, and
// its handlers need none.
func TestReadinessWithoutARequestOfOurs(t *testing.T) {
	t.Parallel()
	s, _ := serve(http.NotFound, func(o *server.Options) {
		o.Ready = func(context.Context) error { return errors.New("down") }
	})
	if rec := ask(s.Admin(), http.MethodGet, "/readyz"); rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "down") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
