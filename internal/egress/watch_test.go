package egress_test

import (
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/egress"
)

// TestTiming: each part of a request that happened took some time, and on a connection that was
// kept only waiting did.
func TestTiming(t *testing.T) {
	t.Parallel()
	c, address, _ := receiver(t)
	ask := func() egress.Timing {
		t.Helper()
		a, err := c.Do(t.Context(), http.MethodPost, address, nil, []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		return a.Timing
	}
	if first := ask(); first.Lookup <= 0 || first.Connect <= 0 || first.Handshake <= 0 || first.Wait <= 0 {
		t.Errorf("%+v", first)
	}
	if next := ask(); next.Wait <= 0 || next != (egress.Timing{Wait: next.Wait}) {
		t.Errorf("on the same connection: %+v", next)
	}
	a, err := c.Do(t.Context(), http.MethodPost, "https://example.com:1", nil, nil)
	if err == nil || a.Sent || a.Timing.Lookup <= 0 || a.Timing.Handshake != 0 || a.Timing.Wait != 0 {
		t.Errorf("where nobody listens: %+v %v", a, err)
	}
}
