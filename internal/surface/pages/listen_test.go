package pages_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// listens opens the stream of a page that waits, with the cookie of a browser, until the test ends.
func listens(t *testing.T, b *otltest.Browser, p otltest.Page) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.World.URL+"/signin/listen?"+strings.SplitN(p.Path, "?", 2)[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cookie", "__Host-otl_flow="+b.Cookies["__Host-otl_flow"])
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// TestOT18_ThePageThatWaitsIsTold: H3. It hears that the link was opened elsewhere and its number named, in the browser that asked
// alone; a third page of a visit asks by itself, as does one of a browser without scripts by a press.
func TestOT18_ThePageThatWaitsIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first, phone := w.Browser(t), w.Browser(t)
		p := asks(first, first.Get(request(w.Notes, nil)), jane)
		holds(t, p, `data-listen="/signin/listen?f=`, `data-wait="/signin/wait?f=`)
		waits := listens(t, first, p)
		if waits.StatusCode != http.StatusOK || waits.Header.Get("Content-Type") != "text/event-stream" || waits.Header.Get("Cache-Control") != "no-store" || waits.Header.Get("X-Accel-Buffering") != "no" {
			t.Fatalf("%s %v", waits.Status, waits.Header)
		}
		lines := bufio.NewScanner(waits.Body)
		if !lines.Scan() || lines.Text() != "retry: 3000" {
			t.Errorf("%q", lines.Text())
		}
		page := phone.Get(pathOf(letter(t, w, jane).Link))
		if got := listens(t, phone, p); got.StatusCode != http.StatusNotFound {
			t.Errorf("another browser: %s", got.Status)
		}
		listens(t, first, p)
		if got := listens(t, first, p); got.StatusCode != http.StatusNoContent {
			t.Errorf("a third page: %s", got.Status)
		}
		phone.Submit(page, "confirm", map[string]string{"where": "start", "number": shown(t, p)}).Want(t, http.StatusOK)
		said := ""
		for lines.Scan() {
			said += lines.Text() + "\n"
		}
		if said != "\nevent: ready\ndata: {}\n\n" {
			t.Errorf("%q", said)
		}
		arrives(t, first.Submit(p, "continue", nil), w.Notes)
		if got := listens(t, first, p); got.StatusCode != http.StatusNotFound {
			t.Errorf("afterwards: %s", got.Status)
		}
	})
}
