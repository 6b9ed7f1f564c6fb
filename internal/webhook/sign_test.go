package webhook_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/webhook"
)

// TestWH06_Signatures holds the headers against the vector of the Standard Webhooks
// specification, and against what `openssl dgst -sha256 -hmac` gives.
func TestWH06_Signatures(t *testing.T) {
	t.Parallel()
	current, old := secret.NewText("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), secret.NewText("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
	body, id, now := []byte(`{"test": 2432232314}`), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0)
	const (
		raw       = "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"
		timed     = "t=1614265330"
		v1        = ",v1=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964"
		standard  = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		timestamp = "1614265330"
	)
	h := http.Header(webhook.Sign([]secret.Text{current}, id, now, body))
	if got := h.Get("webhook-signature"); got != standard {
		t.Errorf("webhook-signature: %s", got)
	}
	if h.Get("webhook-id") != id || h.Get("webhook-timestamp") != timestamp || h.Get("X-OTL-Timestamp") != timestamp {
		t.Errorf("%v", h)
	}
	one, v2 := h.Get("X-OTL-Signature"), h.Get("X-OTL-Signature-V2")
	if one != raw || v2 != timed+v1 {
		t.Errorf("%s %s", one, v2)
	}
	both := http.Header(webhook.Sign([]secret.Text{current, old}, id, now, body))
	alone := http.Header(webhook.Sign([]secret.Text{old}, id, now, body))
	if both.Get("X-OTL-Signature") != alone.Get("X-OTL-Signature") {
		t.Error("while two secrets sign, X-OTL-Signature is not that of the older")
	}
	if got := strings.Fields(both.Get("webhook-signature")); !slices.Equal(got, []string{standard, alone.Get("webhook-signature")}) {
		t.Errorf("%v", got)
	}
	if got := both.Get("X-OTL-Signature-V2"); got != v2+strings.TrimPrefix(alone.Get("X-OTL-Signature-V2"), timed) {
		t.Errorf("%s", got)
	}
}

func TestWH06_CheckSecret(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": true, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": false, "whsec_": false, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La": false, "whsec_%%%%": false, "": false,
	} {
		if webhook.CheckSecret(secret.NewText(s)) != want {
			t.Errorf("%q", s)
		}
	}
}
