package onelogin_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestErrorsNameWhatWasWritten: the member at fault is called as the caller called it, and what it must be
// is said in words.
func TestErrorsNameWhatWasWritten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user, _ := x.owned(t)
		of, long := "/api/1/users/"+user, strings.Repeat("x", 500)
		for _, one := range []struct {
			method, path string
			body         object
			attribute    string
			says         string
		}{
			{"POST", "/api/1/users", object{"email": "a@dev.test", "firstname": long}, "firstname", ""},
			{"POST", "/api/1/users", object{"email": "a@dev.test", "firstname": "A", "lastname": long}, "lastname", ""},
			{"PUT", of, object{"firstname": long}, "firstname", ""},
			{"PUT", of, object{"locale_code": "not a locale"}, "locale_code", ""},
			{"PUT", of, object{"preferred_locale_code": "not a locale"}, "preferred_locale_code", ""},
			{"POST", of + "/otp_devices", object{"factor_id": 2, "display_name": "Phone", "number": "123"}, "number", ""},
			{"POST", of + "/otp_devices", object{"factor_id": 2, "display_name": long, "number": phone}, "display_name", ""},
			{"PUT", of + "/add_roles", object{"role_id_array": "x"}, "role_id_array", "must be a list"},
			{"POST", "/api/1/verify_factor", object{"device_id": "abc", "state_token": "x"}, "device_id", "must be a whole number"},
			{"POST", "/api/1/verify_factor", object{"device_id": 1, "state_token": "x", "do_not_notify": "x"}, "do_not_notify", "must be true or false"},
			{"POST", "/api/1/login/auth", object{"username_or_email": 7}, "username_or_email", "must be a string"},
		} {
			r := x.call(t, one.method, one.path, one.body)
			if says := r.Text("status", "message", "description"); r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != one.attribute || one.says != "" && says != one.says {
				t.Errorf("%s %s: %d %s", one.path, one.attribute, r.Status, r.Raw)
			}
		}
	})
}

// TestACodeAsANumber is taken at a sign-in as elsewhere on this wire, also where noughts at its beginning are lost.
func TestACodeAsANumber(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		state, devices := x.due(t)
		code, err := strconv.Atoi(secret.TOTP(seed, x.Clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": code}).Want(t, http.StatusOK)
	})
}

// TestWhoHasAPasskeyIsAskedForItAtThePages: the recovery codes that stand in for it are no device; beside an
// app they are one.
func TestWhoHasAPasskeyIsAskedForItAtThePages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		if _, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorKey}}); err != nil {
			t.Fatal(err)
		}
		if codes, _, err := x.Setup.NewCodes(t.Context(), x.Strong(t, x.jane)); err != nil || len(codes) == 0 {
			t.Fatal(codes, err)
		}
		failed(t, x.login(t, nil), http.StatusForbidden, "forbidden", "The second factor of this user works at the hosted sign-in pages only")
		x.app(t, x.jane)
		if _, devices := x.due(t); len(devices) != 2 || devices[app] == 0 || devices["Recovery Code"] == 0 {
			t.Errorf("%v", devices)
		}
	})
}

// TestAHostIsItsSites (contract 5 B5): whatever is another site's is refused there, tokens and session tokens too, however
// the host is written; a session token stays good where it is.
func TestAHostIsItsSites(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		at := func(path, host string) otltest.Reply {
			return x.Do(t, otltest.Call{
				Method: http.MethodPost, Path: path, Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": basic(x.client), "Host": host},
			})
		}
		other := func(r otltest.Reply) {
			t.Helper()
			if r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != "subdomain" {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
		for _, path := range []string{"/auth/oauth2/v2/token", "/auth/oauth2/token"} {
			other(at(path, "shop.id.test"))
			other(at(path, "shop.id.test."))
			other(at("/shop.onelogin.com"+path, "id.test"))
		}
		for _, host := range []string{"notes.id.test", "notes.id.test.", "id.test", "api.id.test"} {
			at("/auth/oauth2/v2/token", host).Want(t, http.StatusOK)
		}
		for _, path := range []string{"/notes.onelogin.com", "/x.onelogin.com", "/api.us.onelogin.com"} {
			at(path+"/auth/oauth2/v2/token", "id.test").Want(t, http.StatusOK)
		}
		other(x.login(t, nil, "Host", "shop.id.test."))

		token := x.sessionToken(t, nil)
		for _, headers := range []map[string]string{{"Host": "shop.id.test"}, {"Host": "shop.id.test.", "Sec-Fetch-Site": "cross-site"}} {
			if r := x.form(t, token, headers); r.Header.Get("Location") != failedSession || cookies(r)["__Host-otl_session"] != "" {
				t.Errorf("%v: %v", headers, r.Header)
			}
		}
		r := x.Do(t, otltest.Call{Path: "/session_via_api_token", Body: object{"session_token": token}, Headers: map[string]string{"Host": "shop.id.test"}})
		failed(t, r, http.StatusUnauthorized, unauthorized, "Session token is invalid or has expired")
		for _, headers := range []map[string]string{{"Host": "notes.id.test"}, {"Host": "notes.id.test.", "Origin": "https://login.test", "Sec-Fetch-Site": "cross-site"}} {
			r := x.form(t, token, headers).Want(t, http.StatusTemporaryRedirect)
			if r.Header.Get("Location") != otltest.Issuer+"/session_via_api_token" || r.Header.Get("Cache-Control") != "no-store" || len(cookies(r)) > 0 {
				t.Errorf("%v: %v", headers, r.Header)
			}
		}
		if r := x.form(t, token, map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}); r.Header.Get("Location") != "/session_via_api_token" || cookies(r)["__Host-otl_handover"] == "" {
			t.Errorf("%v", r.Header)
		}
		if r := x.form(t, token, nil); r.Header.Get("Location") != "/account" {
			t.Errorf("%v", r.Header)
		}
		// Sent on, a browser would not say any more whose page it is: bound to an origin it stays.
		bound := x.sessionToken(t, nil, "Custom-Allowed-Origin-Header-1", "https://login.test")
		r = x.form(t, bound, map[string]string{"Host": "notes.id.test", "Origin": "https://login.test", "Sec-Fetch-Site": "cross-site"})
		if r.Header.Get("Location") != "/session_via_api_token" || cookies(r)["__Host-otl_handover"] == "" {
			t.Errorf("%d %v", r.Status, r.Header)
		}
	}, func(o *node.Options) { o.HostInPath = true })
}
