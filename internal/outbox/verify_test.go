package outbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// TestWH15_NothingPersonalBeforeItIsVerified: an endpoint gets ids until it has answered a
// challenge, and everything the person lets the site see from then on.
func TestWH15_NothingPersonalBeforeItIsVerified(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		h, m := w.Hook(t, w.Notes)
		w.Doubt(t, m.Endpoint, true) // this machine is the site's own otherwise
		happens := func() []otltest.Heard {
			t.Helper()
			w.Login(t, w.Notes, "jane@dev.test")
			u, err := w.Store.Read.Users.ByID(t.Context(), jane.ID)
			if err != nil {
				t.Fatal(err)
			}
			name := u.Name + " Roe"
			if _, err := w.Accounts.Update(t.Context(), u.ID, u.Version, otl.AllFields(), account.Profile{Name: &name}); err != nil {
				t.Fatal(err)
			}
			w.Deliver(t)
			return h.Take()
		}
		for _, one := range happens() {
			text := string(one.Body)
			if one.JSON["withheld"] != true || strings.Contains(text, "jane@dev.test") || strings.Contains(text, "Roe") || strings.Contains(text, "127.0.0.1") || !strings.Contains(text, jane.ID) {
				t.Errorf("before: %s", text)
			}
		}
		if _, err := w.Webhooks.Test(t.Context(), m.SiteID, m.ID, "user.updated"); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		if got := h.Take(); len(got) != 1 || got[0].JSON["withheld"] != nil || got[0].Text("data", "user", "email") == "" {
			t.Errorf("a test: %s", got[0].Body)
		}
		refusals(t, w, h, m)
		h.Answer(func(rw http.ResponseWriter, _ *http.Request) {
			all := h.Heard()
			_, _ = io.WriteString(rw, `{"ok":true,"challenge":"`+all[len(all)-1].Text("data", "challenge")+`"}`)
		})
		if e, err := verify(t, w, m.SiteID, m.ID); err != nil || e.VerifiedAt.IsZero() {
			t.Fatal(err)
		}
		if asked := h.Take(); asked[0].Text("type") != "webhook.challenge" || asked[0].Header.Get("X-OTL-Signature") == "" {
			t.Errorf("%s %v", asked[0].Body, asked[0].Header)
		}
		all := happens()
		if len(all) != 2 || !strings.Contains(string(all[0].Body)+string(all[1].Body), "Roe") || all[0].JSON["withheld"] != nil {
			t.Errorf("after: %d requests", len(all))
		}
		// One with another URL must show it anew, be it at a host that the site named as its own
		// or at the one before, where somebody else may have another path.
		for _, step := range []struct {
			to   string
			want bool
		}{{h.URL, true}, {"https://elsewhere.example/hook", false}, {"https://notes.test/hook", false}, {h.URL + "/other", true}, {h.URL + "/other", true}} {
			e, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{URL: &step.to})
			if err != nil || !e.VerifiedAt.IsZero() != step.want {
				t.Errorf("%s: %v %v", step.to, e.VerifiedAt, err)
			}
		}
		elsewhere := "https://hooks.example/a"
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Endpoints.Update(ctx, m.ID, store.EndpointChange{URL: &elsewhere, VerifiedAt: w.Clock.Now()}, w.Clock.Now())
		}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			to   string
			want bool
		}{{elsewhere, true}, {"https://hooks.example/b", false}} {
			e, err := w.Webhooks.Update(t.Context(), m.SiteID, m.ID, webhook.Change{URL: &step.to})
			if err != nil || e.VerifiedAt.IsZero() == step.want {
				t.Errorf("%s: %v %v", step.to, e.VerifiedAt, err)
			}
		}
	})
}

// TestWH15_ANewEndpointIsAskedByItself, once, by one node, before it is told of anything.
func TestWH15_ANewEndpointIsAskedByItself(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for _, answers := range []bool{true, false} {
			h, m := w.Hook(t, w.Notes)
			if answers {
				h.Echo()
			}
			w.Doubt(t, m.Endpoint, false)
			happen(t, w, w.Notes, 1)
			w.Deliver(t)
			w.Deliver(t)
			got := h.Take()
			if len(got) != 2 || got[0].Text("type") != "webhook.challenge" || got[1].Text("type") != "role.assigned" || (got[1].JSON["withheld"] == nil) != answers {
				t.Errorf("answers %v: %d requests", answers, len(got))
			}
			if e := endpoint(t, w, m); e.VerifiedAt.IsZero() == answers || e.AskedAt.IsZero() {
				t.Errorf("answers %v: %+v", answers, e)
			}
			if err := w.Webhooks.Delete(t.Context(), m.SiteID, m.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// refusals are the answers that do not show anything.
func refusals(t *testing.T, w *otltest.World, h *otltest.Hook, m webhook.Made) {
	t.Helper()
	for says, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"not the challenge": func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "otl_wc_guessed") },
		"answered 404": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusNotFound)
			all := h.Heard()
			_, _ = io.WriteString(rw, all[len(all)-1].Text("data", "challenge"))
		},
		"answered 302": func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/elsewhere", http.StatusFound) },
		"connection":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		h.Answer(answer)
		_, err := verify(t, w, m.SiteID, m.ID)
		var known *otl.Error
		if !errors.As(err, &known) || known.Code != "challenge_failed" || !strings.Contains(known.Text, says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := verify(t, w, w.Shop.Site.ID, m.ID); otl.As(err).Kind != otl.NotFound {
		t.Errorf("another site's: %v", err)
	}
	if e := endpoint(t, w, m); !e.VerifiedAt.IsZero() {
		t.Errorf("verified by nothing: %+v", e)
	}
	h.Answer(nil)
	h.Take()
}

func verify(t *testing.T, w *otltest.World, siteID, id string) (otl.Endpoint, error) {
	t.Helper()
	return webhook.Verification{Webhooks: w.Webhooks}.Verify(t.Context(), siteID, id)
}
