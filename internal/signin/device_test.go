package signin_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestMF05_ATrustedBrowserLetsNoDeviceInByOneFactor: whoever lets a device in from a browser that he trusts is asked for his second
// factor, for nobody trusts the device; and then it has its tokens (RFC 8628).
func TestMF05_ATrustedBrowserLetsNoDeviceInByOneFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		var trusted secret.Text
		write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			trusted, err = w.Factors.Trust(ctx, tx, h.ID, home.ID, 24*time.Hour)
			return err
		})
		ctx := otl.WithRequest(t.Context(), &otl.Request{Device: factor.DeviceDigest(trusted)})
		devices, client, browser := signin.Devices{Flows: w.Flows}, listens(t, w, w.Notes.Site), signin.NewBrowser()
		shown, err := devices.Begin(ctx, w.Notes.Site, client, "openid")
		if err != nil {
			t.Fatal(err)
		}
		v, err := devices.Enter(ctx, shown.User, browser, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := signin.Arrivals{Flows: w.Flows}
		stands := func(a signin.Arrival, err error) signin.Next {
			t.Helper()
			if err != nil || a.Browser.Cookie.Empty() {
				t.Fatalf("%+v %v", a, err)
			}
			if v, err = s.Visit(ctx, v.ID, browser, []secret.Text{a.Browser.Cookie}); err != nil {
				t.Fatal(err)
			}
			next, err := s.Next(ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			return next
		}
		if next := stands(s.Password(ctx, v, "jane@dev.test", secret.NewText(otltest.Password))); next != signin.StepSecond {
			t.Fatalf("next is %v", next)
		}
		if _, err := devices.Decide(ctx, v, true); err == nil {
			t.Fatal("it is let in")
		}
		due, err := s.Raise(ctx, v)
		if err != nil || due == nil {
			t.Fatal(due, err)
		}
		code := secret.NewText(secret.TOTP(h.seed, w.Clock.Now()))
		if next := stands(s.Complete(ctx, v, signin.StepProof{Token: due.Token, Kind: otl.FactorTOTP, Proof: code})); next != signin.StepDone {
			t.Fatalf("next is %v", next)
		}
		if _, err := devices.Decide(ctx, v, true); err != nil {
			t.Fatal(err)
		}
		got, err := devices.Fetch(t.Context(), signin.Fetch{Site: w.Notes.Site, Client: client, Device: shown.Device})
		if err != nil || got.Session.Methods.Factors() != 2 {
			t.Errorf("%s %v", got.Session.Methods, err)
		}
	})
}
