package wire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

func request(ctx context.Context) (*http.Request, *otl.Request) {
	from := &otl.Request{}
	return httptest.NewRequestWithContext(otl.WithRequest(ctx, from), http.MethodGet, "/", nil), from
}

func TestFailed_TellsTheLogAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	r, from := request(t.Context())
	w := httptest.NewRecorder()
	err := &otl.Error{Kind: otl.Limited, Code: "rate_limited", RetryAfter: 1200 * time.Millisecond}
	if e := wire.Failed(w, r, err); e != err || !errors.Is(from.Err, err) || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%v, %v, %v", e, from.Err, w.Header())
	}
}

// TestFailed_ARequestThatEndedIsNoFaultOfOurs: its statements fail, and that is a 503.
func TestFailed_ARequestThatEndedIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	broken := errors.New("statement cut short")
	r, _ := request(t.Context())
	if e := wire.Failed(httptest.NewRecorder(), r, broken); e.Kind != otl.Internal {
		t.Errorf("%v while the client waits", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, from := request(ctx)
	w := httptest.NewRecorder()
	if e := wire.Failed(w, r, broken); e.Kind != otl.Unavailable || !errors.Is(from.Err, broken) || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%v, %v, %v", e, from.Err, w.Header())
	}
	if e := wire.Failed(w, r, otl.ErrToken); e.Kind != otl.Unauthenticated {
		t.Errorf("%v", e)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range map[otl.Kind]int{
		otl.Internal: 500, otl.Malformed: 400, otl.Invalid: 422, otl.Unauthenticated: 401, otl.Forbidden: 403,
		otl.NotFound: 404, otl.Conflict: 409, otl.Limited: 429, otl.Unavailable: 503,
	} {
		if got := wire.Status(&otl.Error{Kind: kind, Code: "x"}); got != want {
			t.Errorf("kind %d: %d, want %d", kind, got, want)
		}
	}
	for code, want := range map[string]int{wire.CodeTooLarge: 413, wire.CodeMediaType: 415, wire.CodeMethod: 405} {
		if got := wire.Status(&otl.Error{Kind: otl.Malformed, Code: code}); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// TestHT07_OneMediaType: told once, in UTF-8, and nothing around it.
func TestHT07_OneMediaType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given []string
		want  bool
	}{
		{[]string{"application/json"}, true},
		{[]string{"Application/JSON; charset=UTF-8"}, true},
		{[]string{`application/json;charset="utf-8"`}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"application/json", "application/json"}, false},
		{[]string{"application/json, text/plain"}, false},
		{[]string{"application/json; charset=utf-16"}, false},
		{[]string{"application/json; charset"}, false},
		{[]string{"application/jsonp"}, false},
		{[]string{"text/plain"}, false},
		{[]string{"text/plain; application/json"}, false},
		{[]string{"application/vnd.api+json"}, false},
		{[]string{"*/*"}, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Content-Type"] = c.given
		if got := wire.Sends(r, wire.MediaJSON); got != c.want {
			t.Errorf("%q: %v", c.given, got)
		}
		if r.Header.Set("Content-Encoding", "gzip"); wire.Sends(r, wire.MediaJSON) {
			t.Errorf("%q, zipped", c.given)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	wire.JSON(w, http.StatusCreated, map[string]string{"a": "<b>"})
	if w.Code != 201 || w.Body.String() != "{\"a\":\"\\u003cb\\u003e\"}\n" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	w.Header().Set("Cache-Control", "public, max-age=60")
	wire.JSON(w, http.StatusOK, 1)
	if w.Header().Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("%v", w.Header())
	}
	defer func() {
		if recover() == nil {
			t.Error("a value that cannot be marshalled was sent")
		}
	}()
	wire.JSON(httptest.NewRecorder(), http.StatusOK, func() {})
}
