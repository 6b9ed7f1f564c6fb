package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/server"
	"github.com/onetimelogin/otl/internal/surface/native"
)

// logged is a log that can be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) lines(t *testing.T) (out []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

// serve builds a server around one handler.
func serve(h http.HandlerFunc, change ...func(*server.Options)) (*server.Server, *logged) {
	log := &logged{}
	o := server.Options{
		Mounts: []server.Mount{{Patterns: []string{"/"}, Handler: h, Fail: native.Fail}},
		Ready:  func(context.Context) error { return nil }, PII: "mask",
		Log:     slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: server.NewMetrics(map[string]string{"version": "test"}),
	}
	for _, c := range change {
		c(&o)
	}
	return server.New(o), log
}

func ask(s http.Handler, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, c := range change {
		c(r)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	return rec
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

// TestHT11_APanicIsA500AndTheServerLives: one envelope, the stack in the log
// only.
func TestHT11_APanicIsA500AndTheServerLives(t *testing.T) {
	t.Parallel()
	s, log := serve(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("secret of the inside")
		}
	})
	rec := ask(s, http.MethodGet, "/panic")
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Code != http.StatusInternalServerError {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if body["request_id"] != rec.Header().Get("X-Request-Id") || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("answered %s", rec.Body)
	}
	lines := log.lines(t)
	if len(lines) != 2 || lines[0]["stack"] == nil || lines[1]["status"] != 500.0 || lines[1]["level"] != "ERROR" {
		t.Errorf("logged %v", lines)
	}
	if rec := ask(s, http.MethodGet, "/"); rec.Code != http.StatusOK {
		t.Errorf("afterwards %d", rec.Code)
	}
}

// TestAPanicAfterTheHeadCutsTheConnection: nobody must take half an answer for a
// whole one.
func TestAPanicAfterTheHeadCutsTheConnection(t *testing.T) {
	t.Parallel()
	s, _ := serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
		panic("late")
	})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	res, err := srv.Client().Get(srv.URL)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("a whole answer")
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{false, true} {
		s, _ := serve(func(http.ResponseWriter, *http.Request) {}, func(o *server.Options) { o.HTTPS = https })
		h := ask(s, http.MethodGet, "/").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Content-Security-Policy":    "default-src 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()", // AD-10
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %q", name, h.Get(name))
			}
		}
		if got := h.Get("Strict-Transport-Security") != ""; got != https {
			t.Errorf("HSTS with https=%v: %v", https, got)
		}
	}
}

// TestRequestIDsAreOurs: a caller cannot choose what the log is searched for.
func TestRequestIDsAreOurs(t *testing.T) {
	t.Parallel()
	s, _ := serve(func(http.ResponseWriter, *http.Request) {})
	a, b := ask(s, http.MethodGet, "/", header("X-Request-Id", "mine")), ask(s, http.MethodGet, "/")
	x, y := a.Header().Get("X-Request-Id"), b.Header().Get("X-Request-Id")
	if len(x) != 36 || x == "mine" || x == y {
		t.Errorf("%q and %q", x, y)
	}
}

func TestStrangeRequestsAreRefusedBeforeTheSurfaces(t *testing.T) {
	t.Parallel()
	s, _ := serve(func(http.ResponseWriter, *http.Request) { t.Error("a surface was asked") })
	for target, want := range map[string]int{
		"/" + strings.Repeat("a", 8<<10): 400, "/a//b": 404, "/a/./b": 404, "/a/../b": 404, "//": 404,
	} {
		rec := ask(s, http.MethodPost, "/", func(r *http.Request) { r.RequestURI, r.URL.Path = target, target })
		if rec.Code != want || !strings.Contains(rec.Body.String(), "request_id") {
			t.Errorf("%.20s: %d %s", target, rec.Code, rec.Body)
		}
	}
	rec := ask(s, http.MethodGet, "/", func(r *http.Request) {
		for range 101 {
			r.Header.Add("X-A", "b")
		}
	})
	if rec.Code != http.StatusBadRequest {
		t.Errorf("101 headers: %d", rec.Code)
	}
}

// TestHT08_ForwardedFor: X-Forwarded-For counts from trusted proxies only, and
// then its right-most entry that is none of ours.
func TestHT08_ForwardedFor(t *testing.T) {
	t.Parallel()
	var got netip.Addr
	s, _ := serve(func(_ http.ResponseWriter, r *http.Request) { got = otl.RequestOf(r.Context()).Peer }, func(o *server.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"203.0.113.7:1", nil, "203.0.113.7"},
		{"203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:1", []string{"nonsense"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1, nonsense, 10.0.0.2"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"198.51.100.1:4711x"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"nonsense, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"198.51.100.1 "}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"10.0.0.1:1", []string{"[2001:db8::1"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"[198.51.100.1]"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"0xc6.51.100.1"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.051.100.1"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"::ffff:10.0.0.9"}, "10.0.0.9"},
		{"10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[fd00::1%eth0]:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		ask(s, http.MethodGet, "/", func(r *http.Request) {
			r.RemoteAddr = c.remote
			for _, v := range c.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			r.Header.Set("Forwarded", "for=1.2.3.4")
			r.Header.Set("X-Real-IP", "1.2.3.4")
		})
		if got.String() != c.want {
			t.Errorf("%s %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestTheLogLine(t *testing.T) {
	t.Parallel()
	for pii, want := range map[string]any{"mask": "203.0.113.0/24", "full": "203.0.113.7", "none": nil} {
		s, log := serve(func(w http.ResponseWriter, r *http.Request) {
			req := otl.RequestOf(r.Context())
			req.SiteID, req.UserID, req.Err = "site", "user", errors.New("cause")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short")
		}, func(o *server.Options) { o.PII = pii })
		rec := ask(s, http.MethodPost, "/?password=secret", func(r *http.Request) { r.RemoteAddr = "203.0.113.7:1" }, header("Authorization", "Bearer secret"))
		line := log.lines(t)[0]
		if line["request_id"] != rec.Header().Get("X-Request-Id") || line["status"] != 418.0 || line["bytes"] != 5.0 || line["site_id"] != "site" ||
			line["user_id"] != "user" || line["err"] != "cause" || line["ip"] != want || line["method"] != "POST" {
			t.Errorf("%s: %v", pii, line)
		}
		if strings.Contains(log.b.String(), "secret") {
			t.Errorf("%s logs a secret: %s", pii, log.b.String())
		}
	}
	s, log := serve(func(http.ResponseWriter, *http.Request) {}, func(o *server.Options) { o.PII = "mask" })
	ask(s, http.MethodGet, "/", func(r *http.Request) { r.RemoteAddr = "[2001:db8:1:2::3]:1" })
	if ip := log.lines(t)[0]["ip"]; ip != "2001:db8:1::/48" {
		t.Errorf("IPv6 is logged as %v", ip)
	}
}

// TestLabelsAreBounded: no caller adds a time series by what he asks for.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := serve(http.NotFound)
	for _, path := range []string{"/a", "/b", "/c/d", "/jane@dev.test"} {
		for _, method := range []string{http.MethodGet, "BREW", "STEEP"} {
			ask(s, method, path)
		}
	}
	text := ask(s.Admin(), http.MethodGet, "/metrics").Body.String()
	if strings.Count(text, "otl_http_requests_total{") != 2 || strings.Contains(text, "jane") || strings.Contains(text, "BREW") {
		t.Errorf("metrics are %s", text)
	}
	for _, name := range []string{"otl_build_info{version=\"test\"} 1", "otl_http_request_duration_seconds_bucket", "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(text, name) {
			t.Errorf("no %s", name)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	down := errors.New("postgres://user:secret@db is away")
	var err error
	s, log := serve(http.NotFound, func(o *server.Options) { o.Ready = func(context.Context) error { return err } })
	for _, want := range []int{200, 503, 200} {
		err = nil
		if want == 503 {
			err = down
		}
		rec := ask(s, http.MethodGet, "/readyz")
		if rec.Code != want || strings.Contains(rec.Body.String(), "secret") || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s, want %d", rec.Code, rec.Body, want)
		}
		if rec := ask(s, http.MethodGet, "/healthz"); rec.Code != http.StatusOK {
			t.Errorf("health is %d", rec.Code)
		}
	}
	for _, line := range log.lines(t) {
		if line["level"] != "DEBUG" {
			t.Errorf("a probe is logged at %v", line["level"])
		}
	}
}
