package onelogin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// owned is a person of the site's own with an app that the site set up for him.
func (x *tenant) owned(t *testing.T) (user, device string) {
	t.Helper()
	user = x.made(t, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"})
	r := x.call(t, http.MethodPost, "/api/2/mfa/users/"+user+"/registrations", object{"factor_id": 1, "display_name": "My app"}).Want(t, http.StatusCreated)
	data, _ := r.JSON["factor_data"].(object)
	seed, err := secret.ParseTOTPSeed(fmt.Sprint(data["verification_token"]))
	if err != nil {
		t.Fatal(err)
	}
	x.call(t, http.MethodPut, "/api/2/mfa/users/"+user+"/registrations/"+r.Text("id"), object{"otp": secret.TOTP(seed, x.Clock.Now())}).Want(t, http.StatusOK)
	return user, r.Text("device_id")
}

// TestContract212_ASiteChangesTheFactorsOfItsOwn (D1, MF-08): a second one beside the first,
// and each taken away again, in both versions; the person is told, it stands in the log that
// the site did it, and his tokens are void.
func TestContract212_ASiteChangesTheFactorsOfItsOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user, app := x.owned(t)
		x.Inbox.Empty()
		r := x.call(t, http.MethodPost, "/api/2/mfa/users/"+user+"/registrations", object{"factor_id": 2, "display_name": "Phone", "number": phone, "custom_message": "Own {{otp_code}} for {{otp_expiry}}"}).Want(t, http.StatusCreated)
		letters := x.Letters(t, phone)
		if len(letters) != 1 || !strings.HasPrefix(letters[0].Text, "Own ") {
			t.Fatalf("%+v", letters)
		}
		x.call(t, http.MethodPut, "/api/2/mfa/users/"+user+"/registrations/"+r.Text("id"), object{"otp": letters[0].Code}).Want(t, http.StatusOK)
		before, err := x.Accounts.Find(t.Context(), "own@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		x.call(t, http.MethodDelete, "/api/2/mfa/users/"+user+"/devices/"+app, nil).Want(t, http.StatusNoContent)
		x.call(t, http.MethodDelete, "/api/2/mfa/users/"+user+"/devices/"+app, nil).Want(t, http.StatusNotFound)
		if list := x.call(t, http.MethodGet, "/api/2/mfa/users/"+user+"/devices", nil); strings.Contains(string(list.Raw), `"`+app+`"`) || !strings.Contains(string(list.Raw), `"auth_factor_name":"SMS","default":true`) {
			t.Errorf("%s", list.Raw)
		}
		ok := x.call(t, http.MethodDelete, "/api/1/users/"+user+"/otp_devices/"+r.Text("device_id"), nil).Want(t, http.StatusOK)
		if ok.Text("status", "type") != "success" {
			t.Errorf("%s", ok.Raw)
		}
		if list := x.call(t, http.MethodGet, "/api/2/mfa/users/"+user+"/devices", nil); strings.TrimSpace(string(list.Raw)) != "[]" {
			t.Errorf("%s", list.Raw)
		}
		after, err := x.Accounts.Find(t.Context(), "own@dev.test")
		if err != nil || after.SessionVersion != before.SessionVersion+2 {
			t.Errorf("version %d, was %d: %v", after.SessionVersion, before.SessionVersion, err)
		}
		told, err := x.Store.Read.Events.List(t.Context(), after.ID, "", "", 100)
		removed := slices.DeleteFunc(told, func(e otl.Event) bool { return e.Type != otl.EventFactorRemoved })
		if err != nil || len(removed) != 2 || removed[0].Data[otl.DataBy] != "site" || removed[0].SiteID != x.Notes.Site.ID {
			t.Errorf("%+v %v", removed, err)
		}
		if n := len(x.Letters(t, "own@dev.test")); n < 3 { // of the phone, and of both that went
			t.Errorf("he was sent %d letters", n)
		}
		x.login(t, object{"username_or_email": "own@dev.test", "password": "staple-battery-8"}).Want(t, http.StatusOK)
	})
}

// TestContract212_WhatIsBeingSetUpIsGivenUp by the site that began it.
func TestContract212_WhatIsBeingSetUpIsGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, nil)
		r := x.call(t, http.MethodPost, "/api/2/mfa/users/"+user+"/registrations", object{"factor_id": 1, "display_name": "My app"}).Want(t, http.StatusCreated)
		x.call(t, http.MethodDelete, "/api/2/mfa/users/"+user+"/devices/"+r.Text("device_id"), nil).Want(t, http.StatusNoContent)
		x.call(t, http.MethodGet, "/api/2/mfa/users/"+user+"/registrations/"+r.Text("id"), nil).Want(t, http.StatusNotFound)
	})
}

// TestD1_NobodyElsesFactorsAreRemoved: of a person who is known elsewhere, and of one's own
// by the number of somebody else's device.
func TestD1_NobodyElsesFactorsAreRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		user := x.made(t, nil)
		for _, path := range []string{"/api/1/users/" + a.user + "/otp_devices/" + a.app, "/api/2/mfa/users/" + a.user + "/devices/" + a.app} {
			x.call(t, http.MethodDelete, path, nil).Want(t, http.StatusForbidden)
		}
		x.call(t, http.MethodDelete, "/api/2/mfa/users/"+user+"/devices/"+a.app, nil).Want(t, http.StatusNotFound)
		if own, err := x.Setup.List(t.Context(), x.jane); err != nil || len(own.Factors) != 2 {
			t.Errorf("%+v %v", own, err)
		}
	})
}

// TestContract212_EveryMemberOfARegistration is read and checked, or refused by name.
func TestContract212_EveryMemberOfARegistration(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, nil)
		base := "/api/2/mfa/users/" + user + "/registrations"
		for name, bad := range map[string]object{
			"expires_in": {"expires_in": 119}, "expires_in ": {"expires_in": 901}, "verified": {"verified": true}, "redirect_to": {"redirect_to": "https://notes.test/callback"},
			"custom_message": {"custom_message": "no code"}, "factor_id": {"factor_id": 9}, "display_name": {"display_name": " "}, "custom_message ": {"custom_message": "{{otp_code}}" + strings.Repeat("x", 160)},
		} {
			body := object{"factor_id": 1, "display_name": "x"}
			for k, v := range bad {
				body[k] = v
			}
			if r := x.call(t, http.MethodPost, base, body); r.Status != http.StatusUnprocessableEntity || r.Text("field") != strings.TrimSpace(name) {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		for seconds, body := range map[int]object{120: {}, 900: {"expires_in": 900}} {
			body["factor_id"], body["display_name"], body["verified"] = 1, "x", false
			r := x.call(t, http.MethodPost, base, body).Want(t, http.StatusCreated)
			until, err := time.Parse(time.RFC3339, r.Text("expires_at"))
			if err != nil || until.Sub(x.Clock.Now().Truncate(time.Second)) > time.Duration(seconds)*time.Second+time.Second {
				t.Errorf("%d: %s %v", seconds, r.Raw, err)
			}
			x.Clock.Advance(time.Duration(seconds)*time.Second - time.Second)
			x.call(t, http.MethodGet, base+"/"+r.Text("id"), nil).Want(t, http.StatusOK)
			x.Clock.Advance(time.Second)
			x.call(t, http.MethodGet, base+"/"+r.Text("id"), nil).Want(t, http.StatusNotFound)
		}
		r := x.call(t, http.MethodPost, "/api/2/mfa/users/"+user+"/verifications", object{"device_id": 1, "redirect_to": "https://notes.test/callback"})
		if r.Status != http.StatusUnprocessableEntity || r.Text("field") != "redirect_to" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	})
}

// TestContract211_NoAppInVersion1: its answer has no place for the seed; what version 2 has
// begun goes on.
func TestContract211_NoAppInVersion1(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, nil)
		base := "/api/2/mfa/users/" + user + "/registrations"
		begun := x.call(t, http.MethodPost, base, object{"factor_id": 1, "display_name": "My app"}).Want(t, http.StatusCreated)
		for _, bad := range []object{{"factor_id": 1, "display_name": "x"}, {"factor_id": 2, "display_name": "x", "number": phone, "verified": true}, {"factor_id": 2, "number": phone}} {
			r := x.call(t, http.MethodPost, "/api/1/users/"+user+"/otp_devices", bad).Want(t, http.StatusBadRequest)
			if message, _ := r.JSON["status"].(object)["message"].(object); !slices.Contains([]any{"factor_id", "verified", "display_name"}, message["attribute"]) {
				t.Errorf("%s", r.Raw)
			}
		}
		x.call(t, http.MethodGet, base+"/"+begun.Text("id"), nil).Want(t, http.StatusOK)
	})
}

// TestContract211_AProofThatIsMissingIsNone: it is no wrong one, also where a device is being
// set up, and the state token of another device is none of this one's.
func TestContract211_AProofThatIsMissingIsNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, nil)
		x.Inbox.Empty()
		d := one(t, x.call(t, http.MethodPost, "/api/1/users/"+user+"/otp_devices", object{"factor_id": 2, "display_name": "Phone", "number": phone}))
		code := x.Newest(t, phone).Code
		verify := func(body object) *int {
			r := x.call(t, http.MethodPost, fmt.Sprintf("/api/1/users/%s/otp_devices/%v/verify", user, d["id"]), body)
			return &r.Status
		}
		for range 10 {
			if got := *verify(object{"state_token": d["state_token"]}); got != http.StatusBadRequest {
				t.Fatalf("%d", got)
			}
		}
		if got := *verify(object{"otp_token": code, "state_token": strings.Repeat("0", 40)}); got != http.StatusBadRequest {
			t.Errorf("another state: %d", got)
		}
		if got := *verify(object{"otp_token": code, "state_token": d["state_token"]}); got != http.StatusOK {
			t.Errorf("%d", got)
		}
	})
}

// TestContract212_OneDeviceIsTheDefault: also where the person prefers a passkey, which no
// server can pass on; with nothing else he is told where he can sign in.
func TestContract212_OneDeviceIsTheDefault(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		key, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorKey}})
		if err != nil || !key.Default {
			t.Fatal(key, err)
		}
		r := x.login(t, nil)
		failed(t, r, http.StatusForbidden, "forbidden", "The second factor of this user works at the hosted sign-in pages only")
		x.telephone(t, x.jane)
		list := x.call(t, http.MethodGet, "/api/2/mfa/users/"+x.id(t, "jane@dev.test")+"/devices", nil)
		if strings.Count(string(list.Raw), `"default":true`) != 1 || !strings.Contains(string(list.Raw), `"auth_factor_name":"SMS","default":true`) {
			t.Errorf("%s", list.Raw)
		}
		if _, devices := x.due(t); len(devices) != 1 || devices[sms] == 0 {
			t.Errorf("%v", devices)
		}
		if _, err := x.Setup.Remove(t.Context(), x.Strong(t, x.jane), key.ID); err != nil {
			t.Fatal(err)
		}
	})
}

// TestContract21_AnExpiredTokenInVersion2 is answered by the literal that one client waits
// for; version 1 says more.
func TestContract21_AnExpiredTokenInVersion2(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Clock.Advance(10 * time.Hour)
		r := x.call(t, http.MethodGet, "/api/2/users", nil).Want(t, http.StatusUnauthorized)
		if got := strings.TrimSpace(string(r.Raw)); got != `{"statusCode":401,"name":"UnauthorizedError","message":"Unauthorized"}` {
			t.Errorf("%s", got)
		}
		failed(t, x.call(t, http.MethodGet, "/api/1/users", nil), http.StatusUnauthorized, unauthorized, "Authentication Failure")
	})
}
