package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/webhook"
)

func parse(t *testing.T, current secret.Master, previous ...secret.Master) secret.Master {
	t.Helper()
	var old []string
	for _, p := range previous {
		old = append(old, p.Encode().Reveal())
	}
	m, err := secret.ParseMaster(current.Encode().Reveal(), old...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func under(m secret.Master) func(*node.Options) {
	return func(o *node.Options) { o.Master = func(bool) (secret.Master, error) { return m, nil } }
}

// TestSR_SecretsOutliveTheMasterKey: after one start with the new master key and the
// old one beside it, the old one is not needed any more. Both secrets of an endpoint
// that is changing them sign as before.
func TestSR_SecretsOutliveTheMasterKey(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			first, second := secret.NewMaster(), secret.NewMaster()
			w := otltest.New(t, e, under(first))
			h, m := w.Hook(t, w.Notes)
			next, err := w.Webhooks.Rotate(t.Context(), m.SiteID, m.ID, 24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			w = w.Again(t, under(parse(t, second, first)))
			w = w.Again(t, under(second))
			if _, err := w.Webhooks.Test(t.Context(), m.SiteID, m.ID, ""); err != nil {
				t.Fatal(err)
			}
			w.Deliver(t)
			got := h.Heard()
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			want := http.Header(webhook.Sign([]secret.Text{next.Secret, m.Secret}, got[0].Text("id"), w.Clock.Now(), got[0].Body))
			if sent := got[0].Header.Get("webhook-signature"); sent != want.Get("webhook-signature") || len(strings.Fields(sent)) != 2 {
				t.Errorf("signed %s, want %s", sent, want.Get("webhook-signature"))
			}
		})
	}
}
