package pages_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestDevicePage: the code is asked for, however it is typed; one that came along is only
// filled in; then the page says what asks, and takes yes or no (H25).
func TestDevicePage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		c, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "Television", Auth: "none", Device: true})
		if err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		for decision, want := range map[string]struct {
			state otl.DeviceState
			says  string
		}{"connect": {otl.DeviceAllowed, "\u2068Television\u2069 is now signed in to \u2068Notes\u2069."}, "cancel": {otl.DeviceDenied, "Nobody was signed in on \u2068Television\u2069."}} {
			shown, err := signin.Devices{Flows: w.Flows}.Begin(t.Context(), w.Notes.Site, c.ID, "openid")
			if err != nil {
				t.Fatal(err)
			}
			p := b.Get("/device?user_code=" + shown.User)
			if p.Title != "Connect a device" || p.Fields("device").Get("user_code") != shown.User {
				t.Fatalf("%s %v", p.Title, p.Fields("device"))
			}
			if wrong := b.Submit(p, "device", map[string]string{"user_code": "BCDF-GHJK"}); wrong.Status != http.StatusBadRequest || wrong.Fields("device").Get("user_code") != "BCDF-GHJK" || !strings.Contains(string(wrong.Raw), `aria-invalid="true"`) {
				t.Errorf("%d %s", wrong.Status, wrong.Raw)
			}
			p = b.Submit(p, "device", map[string]string{"user_code": " " + strings.ToLower(strings.ReplaceAll(shown.User, "-", ""))})
			if p.Fields("/signin") != nil {
				p = b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
			}
			if !strings.Contains(string(p.Raw), "\u2068Television\u2069") || !strings.Contains(string(p.Raw), "If somebody sent you the code, cancel") {
				t.Fatalf("%d %s", p.Status, p.Raw)
			}
			holds(t, p, `id="shown"><bdi dir="ltr">`+shown.User+`</bdi>`, "Sign in to \u2068Notes\u2069 on", "Asked from an unknown browser.", "!?.", "Use another account", "Signed in as")
			at := p.Path
			b.Cookies["__Host-otl_shows"] = "BCDF-GHJK" // of another device
			holds(t, b.Get(at), "If somebody sent you the code", `!id="shown"`)
			if p = b.Submit(p, "confirm", map[string]string{"decision": decision}); !strings.Contains(string(p.Raw), want.says) {
				t.Errorf("%s: %s", decision, p.Raw)
			}
			holds(t, p, `role="status"`, `!role="alert"`, `<a href="/device">`, `<a href="/account">`, `id="lang"`) // it is what he asked for, and leads on
			if p = b.Get(at); p.Status != http.StatusNotFound {
				t.Errorf("%s again: %d", decision, p.Status)
			}
			err = w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				d, soon, err := tx.DeviceGrants.Ask(ctx, c.ID, secret.Digest(shown.Device.Reveal()), 5, w.Clock.Now())
				if err == nil && (d.State != want.state || soon) {
					t.Errorf("%s: %+v", decision, d)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
