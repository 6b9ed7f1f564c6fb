package wire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/onetimelogin/otl/internal/wire"
)

// TestAD11_AnOriginIsAllowedToTheLetter: what is no origin is not even asked about, and one that
// is not allowed loses what it was let before.
func TestAD11_AnOriginIsAllowedToTheLetter(t *testing.T) {
	t.Parallel()
	const known = "https://spa.notes.test"
	var asked []string
	may := func(_ context.Context, origin string) (bool, error) {
		asked = append(asked, origin)
		return origin == known, nil
	}
	nobody := func(context.Context, string) (bool, error) { return false, nil }
	for origin, good := range map[string]bool{
		known: true, "https://other.test": false, "null": false, "*": false, "https://": false, "https://spa.notes.test/": false, "https://SPA.notes.test": false, "x": false, "": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		if err := wire.Share(w, r, may); err != nil {
			t.Errorf("%q: %v", origin, err)
		}
		h, want, vary := w.Header(), "", "Origin"
		if good {
			want = origin
		}
		if origin == "" {
			vary = ""
		}
		if h.Get("Access-Control-Allow-Origin") != want || h.Get("Vary") != vary || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%q: %v", origin, h)
		}
		if err := wire.Share(w, r, nobody); err != nil || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q keeps what it was let before: %v %v", origin, err, h)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked about %q", asked)
	}
}

// TestAD11_APreflightNamesWhatMayBeSent, to pages that may call, and no more than that it was
// heard to all others.
func TestAD11_APreflightNamesWhatMayBeSent(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	for _, c := range []struct {
		ok      bool
		err     error
		status  int
		methods string
	}{
		{true, nil, http.StatusNoContent, "GET, POST"}, {false, nil, http.StatusNoContent, ""}, {true, broken, http.StatusInternalServerError, ""},
	} {
		r := httptest.NewRequest(http.MethodOptions, "/", nil)
		r.Header.Set("Origin", "https://spa.notes.test")
		w := httptest.NewRecorder()
		wire.Preflight("GET, POST", func(context.Context, string) (bool, error) { return c.ok, c.err }, fail)(w, r)
		if h := w.Header(); w.Code != c.status || h.Get("Access-Control-Allow-Methods") != c.methods || (h.Get("Access-Control-Allow-Headers") != "") != (c.methods != "") {
			t.Errorf("%+v: %d %v", c, w.Code, h)
		}
	}
}
