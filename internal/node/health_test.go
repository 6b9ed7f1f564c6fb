package node_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// standings asks for the standing of a node, by the API and on the page, which agree.
func standings(t *testing.T, w *otltest.World) (whole string, parts map[string]string) {
	t.Helper()
	r := w.Do(t, otltest.Call{Path: "/api/v1/status"}).Want(t, http.StatusOK)
	parts = map[string]string{}
	for name, s := range r.JSON["components"].(map[string]any) {
		parts[name] = s.(string)
	}
	page := w.Do(t, otltest.Call{Path: "/status", Headers: map[string]string{"Accept": "text/html"}}).Want(t, http.StatusOK)
	heading := map[string]string{"ok": "Everything works.", "degraded": "Some things take longer than usual.", "down": "Signing in does not work at the moment."}
	if whole = r.Text("status"); !strings.Contains(string(page.Raw), heading[whole]) {
		t.Errorf("%s, and the page is %s", whole, page.Raw)
	}
	for _, secret := range []string{"sqlite", "postgres", "Notes", w.Notes.Site.ID, "go1", "dev.test"} {
		if strings.Contains(string(page.Raw)+string(r.Raw), secret) {
			t.Errorf("tells of %s", secret)
		}
	}
	return whole, parts
}

// TestOS09_TheStatusIsTrue: every part that is late or down is told as that, with the database
// gone, too; and it is looked at once in five seconds.
func TestOS09_TheStatusIsTrue(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		if err := w.Installation.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		check := func(whole string, bad ...string) {
			t.Helper()
			w.Clock.Advance(6 * time.Second)
			got, parts := standings(t, w)
			if got != whole || len(parts) != 5 {
				t.Errorf("%s, want %s: %v", got, whole, parts)
			}
			for name, s := range parts {
				if (s != "ok") != slices.Contains(bad, name) {
					t.Errorf("%s is %s", name, s)
				}
			}
		}
		check("ok")
		if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, jane.Email.Address); err != nil {
			t.Fatal(err)
		}
		if got, _ := standings(t, w); got != "ok" {
			t.Error("what is queued is late at once")
		}
		w.Clock.Advance(2 * time.Minute)
		check("degraded", "messages")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Messages.Claim(ctx, otl.ChannelMail, w.Clock.Now(), time.Hour, 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		check("ok") // it is put off
		w.Clock.Advance(time.Hour)
		w.Letters(t, "")
		hook, _ := w.Hook(t, w.Notes)
		check("ok")
		hook.Take()
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Events.Append(ctx, otl.Event{ID: "evt_01ZZZZZZZZZZZZZZZZZZZZZZZZ", Type: otl.EventUserUpdated, UserID: jane.ID, CreatedAt: w.Clock.Now().Add(time.Minute)})
		}); err != nil {
			t.Fatal(err)
		}
		check("degraded", "clock")
		if _, err := w.Events.Place(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(10 * time.Minute)
		check("degraded", "webhooks")
		w.Deliver(t)
		check("ok")
		if err := w.Store.Close(); err != nil {
			t.Fatal(err)
		}
		if got, _ := standings(t, w); got != "ok" {
			t.Error("within five seconds it is looked at again")
		}
		check("down", "database", "messages", "webhooks")
	})
}
