package signin_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestAnotherNetworkIsTold: the part of an address that a provider has; on a device that the
// person trusts it is no news.
func TestAnotherNetworkIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		signsIn := func(address string, device secret.Text) int {
			t.Helper()
			ctx := from(t, address)
			signin.FromDevice(ctx, device)
			p, err := w.SignIn.Prove(ctx, signin.Attempt{Site: home, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.SignIn.Second.Open(ctx, p); err != nil {
				t.Fatal(err)
			}
			defer w.Inbox.Empty()
			return len(w.Letters(t, "jane@dev.test"))
		}
		var token secret.Text
		write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			token, err = w.Factors.Trust(ctx, tx, u.ID, w.Factors.Home, time.Hour)
			return err
		})
		for _, c := range []struct {
			address string
			device  secret.Text
			want    int
		}{
			{"198.51.100.7", secret.Text{}, 0},
			{"198.51.7.9", secret.Text{}, 0}, // another address of the same provider
			{"203.0.113.9", token, 0},
			{"203.0.200.1", secret.Text{}, 0}, // seen on the trusted device
			{"192.0.2.1", secret.Text{}, 1},
			{"2001:db8:1::1", secret.Text{}, 1},
			{"2001:db8:ffff::1", secret.Text{}, 0},
			{"::ffff:192.0.2.77", secret.Text{}, 0},
		} {
			if got := signsIn(c.address, c.device); got != c.want {
				t.Errorf("%s: %d mails, want %d", c.address, got, c.want)
			}
		}
	})
}
