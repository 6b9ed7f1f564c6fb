package transmit_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestContract42_10_TokensAndKeys: the client token comes from /oidc/token by form and names a key of
// the published set, an RSA one; amr is an array, with mfa once a second factor joined the session.
func TestContract42_10_TokensAndKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, path := range []string{"/oidc/jwks", "/cis/oidc/jwks"} {
			set := x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusOK)
			keys, _ := set.JSON["keys"].([]any)
			if len(keys) == 0 {
				t.Fatalf("%s: %s", path, set.Raw)
			}
			key, _ := keys[0].(object)
			if key["kty"] != "RSA" || key["use"] != "sig" || key["alg"] != "RS256" || key["kid"] == "" || key["n"] == "" || key["e"] == "" || key["d"] != nil {
				t.Errorf("%s: %v", path, key)
			}
		}
		if c := x.claims(t, x.bearer); c["sub"] != x.client.ID {
			t.Errorf("%v", c)
		}
		x.Proven(t, x.jane) // or the code is the first proof of the address (OT-16)
		joined := x.post(t, "/cis/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)
		if amr := x.claims(t, joined.Text("id_token"))["amr"]; fmt.Sprintf("%T %v", amr, amr) != "[]interface {} [pwd]" {
			t.Errorf("%T %v", amr, amr)
		}
		second := x.verify(t, x.code(t, nil), object{"session_id": joined.Text("session_id")}).Want(t, http.StatusOK)
		amr, _ := x.claims(t, second.Text("id_token"))["amr"].([]any)
		if second.Text("session_id") != joined.Text("session_id") || !slices.Contains(amr, any("mfa")) {
			t.Errorf("%v", amr)
		}
	})
}

// TestContract42_11_Shapes: no answer has a top-level status; the link pair has digits as a string for
// an error's code, the OTP pair a word, all others a number; a logout is an empty 204; and whatever is
// the matter, it is JSON.
func TestContract42_11_Shapes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		of := func(r otltest.Reply) string {
			t.Helper()
			if r.JSON == nil || r.JSON["status"] != nil || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
			return fmt.Sprintf("%d %T %v", r.Status, r.JSON["error_code"], r.JSON["error_code"])
		}
		noAuth := x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/cis/v1/auth/otp/send", Body: object{}})
		for _, one := range []struct {
			got  otltest.Reply
			want string
		}{
			{noAuth, "401 float64 401"},
			{x.post(t, "/v1/auth/otp/send", `{`), "400 string system_invalid_input"},
			{x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": "nobody@dev.test"}), "404 string user_not_found"},
			{x.post(t, "/v1/auth/otp/authenticate", object{}), "400 string system_invalid_input"},
			{x.verify(t, "000000", nil), "400 string auth_invalid_credentials"},
			{x.verify(t, "000000", object{"session_id": "x"}), "400 string auth_invalid_credentials"},
			{x.post(t, "/v1/auth/link/email/send", `{`), "400 string 400"},
			{x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": callback, "email": "nobody@dev.test"}), "404 string 404"},
			{x.redeem(t, "x", nil), "400 string 400"},
			{x.post(t, "/v1/auth/session/authenticate", object{}), "400 string 400"},
			{x.post(t, "/v1/users", object{"email": "jane@dev.test"}), "409 float64 409"},
			{x.post(t, "/v1/users", object{"email": "x"}), "400 float64 400"},
			{x.post(t, "/v1/auth/otp/email", object{}), "400 float64 400"},
			{x.Do(t, otltest.Call{Path: "/cis/v1/users/01HKZ3M5Q8J9X2V7C4B6N1D0FG", Bearer: x.bearer}), "404 float64 404"},
			{x.Do(t, otltest.Call{Path: "/cis/v1/nothing", Bearer: x.bearer}), "404 float64 404"},
			{x.Do(t, otltest.Call{Method: http.MethodPut, Path: "/cis/v1/auth/otp/send", Bearer: x.bearer, Body: object{}}), "405 float64 405"},
			{x.post(t, "/v1/auth/otp/send", `{"identifier":"`+strings.Repeat("a", 65<<10)+`"}`), "413 string system_invalid_input"},
		} {
			if got := of(one.got); got != one.want {
				t.Errorf("%s, want %s: %s", got, one.want, one.got.Raw)
			}
		}
		in := x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		of(in)
		of(x.Do(t, otltest.Call{Path: "/v1/users/" + x.jane.ID, Bearer: x.bearer}).Want(t, http.StatusOK))
		if out := x.post(t, "/cis/v1/auth/session/logout", object{"session_id": in.Text("session_id")}); out.Status != http.StatusNoContent || len(out.Raw) != 0 {
			t.Errorf("%d %s", out.Status, out.Raw)
		}
	})
}

// TestContract42_12_BothVariantsOfALink: a link is sent to an email or to an identifier with its type,
// and to one of the two alone.
func TestContract42_12_BothVariantsOfALink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const sent = `{"message":"Email sent successfully"}`
		for _, one := range []struct {
			who    object
			status int
			body   string
		}{
			{object{"email": "jane@dev.test"}, 200, sent},
			{object{"identifier": "jane@dev.test", "identifier_type": "email"}, 200, sent},
			{object{"identifier": x.jane.ID, "identifier_type": "user_id"}, 200, sent},
			{object{}, 400, `{"error_code":"400","message":"identifier: is required"}`},
			{object{"identifier": "jane@dev.test"}, 400, `{"error_code":"400","message":"identifier_type: is required"}`},
			{object{"identifier_type": "email"}, 400, `{"error_code":"400","message":"identifier: is required"}`},
			{object{"email": "jane@dev.test", "identifier": "jane@dev.test", "identifier_type": "email"}, 400, `{"error_code":"400","message":"email: must not stand beside identifier and identifier_type"}`},
			{object{"identifier": "7", "identifier_type": "loyalty_card"}, 404, `{"error_code":"404","message":"User not found"}`},
		} {
			one.who["redirect_uri"] = callback
			failed(t, x.post(t, "/cis/v1/auth/link/email/send", one.who), one.status, one.body)
		}
		if n := len(x.Letters(t, "jane@dev.test")); n != 3 {
			t.Errorf("%d letters", n)
		}
	})
}
