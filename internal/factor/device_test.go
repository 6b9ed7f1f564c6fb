package factor_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestMF13_TrustIsInTheLog: that a device is trusted, where and what it is, and that it is no
// more, by whatever ended it: one entry, which counts them where they are several.
func TestMF13_TrustIsInTheLog(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const firefox = "Firefox, Linux"
		ctx := otl.WithRequest(t.Context(), &otl.Request{UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
		devices := factor.Devices{Factors: w.Factors}
		for what, end := range map[string]func(u otl.User, app otl.Factor) error{
			"forgotten": func(u otl.User, _ otl.Factor) error {
				all, err := devices.List(ctx, u.ID, "")
				for _, d := range all {
					if err == nil {
						err = devices.Forget(ctx, u.ID, d.ID)
					}
				}
				return err
			},
			"factor": func(u otl.User, app otl.Factor) error {
				_, err := w.Setup.Remove(ctx, w.Strong(t, u), app.ID)
				return err
			},
			"factors":    func(u otl.User, _ otl.Factor) error { _, err := w.Setup.Reset(ctx, u); return err },
			"everywhere": func(u otl.User, _ otl.Factor) error { _, err := w.SignIn.RevokeAll(ctx, u.ID); return err },
			"site":       func(u otl.User, _ otl.Factor) error { return w.SignIn.Second.LogOut(ctx, w.Notes.Site.ID, u.ID) },
		} {
			for name, at := range map[string][]string{"one": {w.Notes.Site.ID}, "two": {w.Notes.Site.ID, w.Notes.Site.ID}, "none": nil, "ours": {w.Factors.Home}} {
				u := w.Person(t, what+name+"@dev.test", w.Notes.Site)
				app, _ := totp(t, w, u)
				for _, siteID := range at {
					if err := write(t, w, func(c context.Context, tx *store.Tx) error {
						_, err := w.Factors.Trust(otl.WithRequest(c, otl.RequestOf(ctx)), tx, u.ID, siteID, time.Hour)
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(u, app); err != nil {
					t.Fatal(what, err)
				}
				var trusted, forgotten []otl.Event
				told, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
				for _, e := range told {
					switch e.Type {
					case otl.EventDeviceTrusted:
						trusted = append(trusted, e)
					case otl.EventDeviceForgotten:
						forgotten = append(forgotten, e)
					}
				}
				entries := min(len(at), 1)
				switch {
				case what == "forgotten": // each by itself
					entries = len(at)
				case what == "site" && name == "ours": // which the site does not end
					entries = 0
				}
				if err != nil || len(trusted) != len(at) || len(forgotten) != entries {
					t.Fatalf("%s, %s: %+v %+v %v", what, name, trusted, forgotten, err)
				}
				for _, e := range append(trusted, forgotten...) {
					site, said := at[0], map[string]string{otl.DataUserAgent: firefox}
					if name == "two" && e.Type == otl.EventDeviceForgotten && what != "forgotten" {
						said = map[string]string{otl.DataDevices: "2"}
						if site = ""; what == "site" {
							site = at[0]
						}
					}
					if e.SiteID != site || !maps.Equal(e.Data, said) {
						t.Errorf("%s, %s: %s at %q: %v", what, name, e.Type, e.SiteID, e.Data)
					}
				}
			}
		}
	})
}

// TestMF13_ADeviceThatIsTrustedAnewIsInTheLog: the token that made room is trusted no more, and
// as many devices are trusted as the log says.
func TestMF13_ADeviceThatIsTrustedAnewIsInTheLog(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		from := &otl.Request{}
		for range 3 {
			if err := write(t, w, func(c context.Context, tx *store.Tx) error {
				token, _, err := factor.Devices{Factors: w.Factors}.Renew(otl.WithRequest(c, from), tx, u.ID, otl.Site{ID: w.Factors.Home}, time.Hour)
				from = &otl.Request{Device: factor.DeviceDigest(token)}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		told, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
		said := map[otl.EventType]int{}
		for _, e := range told {
			said[e.Type]++
		}
		if err != nil || said[otl.EventDeviceTrusted] != 3 || said[otl.EventDeviceForgotten] != 2 {
			t.Errorf("%v %v", said, err)
		}
	})
}
