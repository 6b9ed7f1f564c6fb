package outbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestContract42_15_SignedBytesAndTries: the signature is over the raw bytes of each body, an event is
// tried once and five times more at most, and its id stays the same.
func TestContract42_15_SignedBytesAndTries(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h, m := w.Hook(t, w.Notes)
		h.Status(http.StatusInternalServerError)
		happen(t, w, w.Notes, 1)
		for range 8 {
			w.Deliver(t)
			w.Clock.Advance(3 * time.Hour)
		}
		all := h.Heard()
		if len(all) != 6 {
			t.Fatalf("%d tries", len(all))
		}
		for i, one := range all {
			mac := hmac.New(sha256.New, []byte(m.Secret.Reveal()))
			mac.Write(one.Body)
			if got := one.Header.Get("X-OTL-Signature"); got != hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("try %d is signed %s", i+1, got)
			}
			if one.Text("id") == "" || one.Text("id") != all[0].Text("id") {
				t.Errorf("try %d is %s", i+1, one.Text("id"))
			}
		}
	})
}
