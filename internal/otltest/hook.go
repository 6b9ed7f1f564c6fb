package otltest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// Hook is a receiver of webhooks.
type Hook struct {
	URL string

	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
	got    []Heard
}

// Heard is one request a receiver got.
type Heard struct {
	Header http.Header
	Body   []byte
	JSON   map[string]any
}

// Text gives a member of the body by its path, "" if there is none.
func (h Heard) Text(path ...string) string { return Reply{JSON: h.JSON}.Text(path...) }

// NewHook runs a receiver that answers 200 until the test ends.
func NewHook(t testing.TB) *Hook {
	t.Helper()
	h := &Hook{}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.URL = srv.URL + "/hook"
	return h
}

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := Heard{Header: r.Header}
	one.Body, _ = io.ReadAll(r.Body)
	_ = json.Unmarshal(one.Body, &one.JSON)
	h.mu.Lock()
	h.got = append(h.got, one)
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// Answer says how requests are answered from now on; nil for 200.
func (h *Hook) Answer(answer func(http.ResponseWriter, *http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// Status has requests answered with a status from now on.
func (h *Hook) Status(status int) {
	h.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// Echo has every request answered with the challenge it holds.
func (h *Hook) Echo() {
	h.Answer(func(w http.ResponseWriter, _ *http.Request) {
		all := h.Heard()
		_, _ = io.WriteString(w, all[len(all)-1].Text("data", "challenge"))
	})
}

// Heard gives the requests so far, the first one first.
func (h *Hook) Heard() []Heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// Take gives the requests since the last call.
func (h *Hook) Take() []Heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

// Doubt makes an endpoint one that has not shown that it is its site's, asked to or not.
func (w *World) Doubt(t testing.TB, e otl.Endpoint, asked bool) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, url := range []string{e.URL + "?", e.URL} {
			if err := tx.Endpoints.Update(ctx, e.ID, store.EndpointChange{URL: &url}, w.Clock.Now()); err != nil {
				return err
			}
		}
		if !asked {
			return nil
		}
		_, err := tx.Endpoints.Asked(ctx, e.ID, e.URL, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Hook registers a receiver as an endpoint of a site, for some types of events or
// for all.
func (w *World) Hook(t testing.TB, s site.Registered, events ...string) (*Hook, webhook.Made) {
	t.Helper()
	h := NewHook(t)
	m, err := w.Webhooks.Create(t.Context(), s.Site.ID, webhook.NewEndpoint{URL: h.URL, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return h, m
}
