package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestMF13_TrustedDevicesAreListedAndTakenBack one by one: with what they are and when they
// let somebody in; a site sees those of its own, and takes back none.
func TestMF13_TrustedDevicesAreListedAndTakenBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		first := trusted(t, w, u)
		w.Clock.Advance(time.Minute)
		second := trusted(t, w, u)
		w.Clock.Advance(time.Minute)
		in := loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": first}).Want(t, http.StatusOK)
		shop := verifyFactor(t, w, w.Shop, object{"mfa_token": step(t, w, w.Shop, "jane@dev.test"), "code": u.code(w)}).Want(t, http.StatusOK)
		list := func(bearer string) []object {
			t.Helper()
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/devices", Bearer: bearer}).Want(t, http.StatusOK).Items(t)
		}
		if got := list(shop.Text("access_token")); len(got) != 0 {
			t.Errorf("another site sees %v", got)
		}
		all := list(in.Text("access_token"))
		if len(all) != 2 || all[0]["last_used_at"] != nil || all[1]["last_used_at"] == nil || all[1]["site_id"] != w.Notes.Site.ID || all[0]["expires_at"] == nil {
			t.Fatalf("%v", all)
		}
		id, _ := all[1]["id"].(string)
		forget := func(bearer string) otltest.Reply {
			return w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/auth/mfa/devices/" + id, Bearer: bearer})
		}
		forget(in.Text("access_token")).Want(t, http.StatusForbidden, "role_missing")
		strong := home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP)
		if got := list(strong); len(got) != 2 {
			t.Errorf("of all sites: %v", got)
		}
		forget(strong).Want(t, http.StatusOK)
		forget(strong).Want(t, http.StatusNotFound)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": first}).Want(t, http.StatusUnauthorized, "mfa_required")
		loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": second}).Want(t, http.StatusOK)
		if got := list(strong); len(got) != 1 || got[0]["last_used_at"] == nil {
			t.Errorf("%v", got)
		}
	})
}

// TestMF13_ASiteSaysForHowManyDays a device is trusted: none is where it says none, and fewer
// than before hold at once, wherever the device was trusted.
func TestMF13_ASiteSaysForHowManyDays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		days := func(n int) {
			t.Helper()
			if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &n}); err != nil {
				t.Fatal(err)
			}
		}
		listed := func() []object {
			t.Helper()
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/devices", Bearer: home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP)}).Items(t)
		}
		try := func(device string, status int) {
			t.Helper()
			loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device}).Want(t, status)
		}
		days(60)
		device := trusted(t, w, u)
		w.Clock.Advance(31 * 24 * time.Hour)
		try(device, http.StatusOK)
		if all := listed(); len(all) != 1 || all[0]["expires_at"] == nil {
			t.Fatalf("%v", all)
		}
		days(31) // it was trusted before that
		try(device, http.StatusUnauthorized)
		all := listed() // or she could not take back what comes back below
		if len(all) != 1 {
			t.Fatalf("%v", all)
		}
		text, _ := all[0]["expires_at"].(string)
		if until, err := time.Parse(time.RFC3339, text); err != nil || until.After(w.Clock.Now()) || all[0]["site_id"] != w.Notes.Site.ID {
			t.Errorf("%v", all[0])
		}
		days(60)
		try(device, http.StatusOK)
		days(0)
		try(device, http.StatusUnauthorized)
		id, _ := all[0]["id"].(string)
		bearer := home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP)
		w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/auth/mfa/devices/" + id, Bearer: bearer}).Want(t, http.StatusOK)
		days(60)
		try(device, http.StatusUnauthorized)
		days(0)
		if got := trusted(t, w, u); got != "" {
			t.Error("a device is trusted where none is")
		}
		for _, n := range []int{-1, otl.MaxTrustDays + 1} {
			if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &n}); otl.As(err).Field != "trust_days" {
				t.Errorf("%d days: %v", n, err)
			}
		}
		owns := owner(t, w, "owner@dev.test")
		own := ownSite(t, w, owns)
		set := w.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1/sites/" + own.Text("id"), Bearer: owns, Body: object{"version": 1, "trust_days": 0}}).Want(t, http.StatusOK)
		if set.JSON["trust_days"] != 0.0 || set.JSON["mfa_policy"] != "optional" {
			t.Errorf("%s", set.Raw)
		}
		w.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1/sites/" + own.Text("id"), Bearer: owns, Body: object{"version": 2, "trust_days": 366}}).Want(t, http.StatusUnprocessableEntity)
	})
}
