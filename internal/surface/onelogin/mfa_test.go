package onelogin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestContract42_4_DeviceIDs: the integer of a sign-in is the text of version 2, one of
// the devices is the default, and version 1 lists the same.
func TestContract42_4_DeviceIDs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.app(t, x.jane)
		x.telephone(t, x.jane)
		_, devices := x.due(t)
		user := x.id(t, "jane@dev.test")
		r := x.call(t, http.MethodGet, "/api/2/mfa/users/"+user+"/devices", nil).Want(t, http.StatusOK)
		want := fmt.Sprintf(`[{"device_id":"%v","user_display_name":"Authenticator app","type_display_name":"Google Authenticator","auth_factor_name":"Google Authenticator","default":true},`+
			`{"device_id":"%v","user_display_name":"Telephone","type_display_name":"OneLogin OTP SMS","auth_factor_name":"SMS","default":false}]`, devices[app], devices[sms])
		if got := strings.TrimSpace(string(r.Raw)); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		data, _ := x.call(t, http.MethodGet, "/api/1/users/"+user+"/otp_devices", nil).JSON["data"].(object)
		list, _ := data["otp_devices"].([]any)
		if len(list) != 2 || list[0].(object)["id"] != devices[app] || list[0].(object)["default"] != true || list[1].(object)["needs_trigger"] != true || list[1].(object)["phone_number"] != nil {
			t.Errorf("%v", data)
		}
		for _, path := range []string{"/api/1/users/" + user + "/auth_factors", "/api/1/users/" + user + "/auth_factor"} {
			data, _ := x.call(t, http.MethodGet, path, nil).Want(t, http.StatusOK).JSON["data"].(object)
			if fmt.Sprint(data) != "map[auth_factors:[map[factor_id:1 name:Google Authenticator] map[factor_id:2 name:OneLogin SMS]]]" {
				t.Errorf("%v", data)
			}
		}
		if r := x.call(t, http.MethodGet, "/api/2/mfa/users/"+user+"/factors", nil); !strings.Contains(string(r.Raw), `{"factor_id":2,"name":"OneLogin SMS","auth_factor_name":"SMS"}`) {
			t.Errorf("%s", r.Raw)
		}
		failed(t, x.call(t, http.MethodGet, "/api/1/users/99999/otp_devices", nil), http.StatusBadRequest, "bad request", "User does not exist")
	})
}

// TestEnrolment: of a person of the site's own; whose factor is confirmed signs in with
// it, and it is shown what it needs once.
func TestEnrolment(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"})
		base := "/api/2/mfa/users/" + user
		r := x.call(t, http.MethodPost, base+"/registrations", object{"factor_id": 1, "display_name": "My app"}).Want(t, http.StatusCreated)
		data, _ := r.JSON["factor_data"].(object)
		seed, err := secret.ParseTOTPSeed(fmt.Sprint(data["verification_token"]))
		if err != nil || r.Text("status") != "pending" || r.Text("auth_factor_name") != "Google Authenticator" || r.Text("user_display_name") != "My app" || fmt.Sprint(r.JSON["user_id"]) != user ||
			!strings.HasPrefix(fmt.Sprint(data["totp_url"]), "otpauth://totp/") || r.Text("device_id") == "" || len(r.Text("id")) != 36 {
			t.Fatalf("%s %v", r.Raw, err)
		}
		put := func(id, code string) otltest.Reply {
			return x.call(t, http.MethodPut, base+"/registrations/"+id, object{"otp": code})
		}
		if bad := put(r.Text("id"), "000000"); bad.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", bad.Status, bad.Raw)
		}
		if bad := put("nonsense", "000000"); bad.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", bad.Status, bad.Raw)
		}
		done := put(r.Text("id"), secret.TOTP(seed, x.Clock.Now())).Want(t, http.StatusOK)
		if done.Text("status") != "accepted" || done.Text("device_id") != r.Text("device_id") || len(done.JSON) != 3 {
			t.Errorf("%s", done.Raw)
		}
		x.Clock.Advance(time.Minute)
		step := one(t, x.login(t, object{"username_or_email": "own@dev.test", "password": "staple-battery-8"}))
		first := step["devices"].([]any)[0].(object)
		if fmt.Sprint(first["device_id"]) != r.Text("device_id") {
			t.Errorf("%v", step)
		}
		x.verify(t, object{"device_id": first["device_id"], "state_token": step["state_token"], "otp_token": secret.TOTP(seed, x.Clock.Now())}).Want(t, http.StatusOK)
	})
	each(t, func(t *testing.T, x *tenant) { // version 1, by SMS
		user := x.made(t, nil)
		x.Inbox.Empty()
		d := one(t, x.call(t, http.MethodPost, "/api/1/users/"+user+"/otp_devices", object{"factor_id": 2, "display_name": "Phone", "number": phone}))
		letters := x.Letters(t, phone)
		if d["active"] != false || d["needs_trigger"] != true || d["phone_number"] != phone || d["state_token"] == nil || len(letters) != 1 {
			t.Fatalf("%v %v", d, letters)
		}
		verify := func(code string) otltest.Reply {
			return x.call(t, http.MethodPost, fmt.Sprintf("/api/1/users/%s/otp_devices/%v/verify", user, d["id"]), object{"otp_token": code, "state_token": d["state_token"]})
		}
		failed(t, verify("wrong"), http.StatusUnauthorized, unauthorized, wrongCode)
		verify(letters[0].Code).Want(t, http.StatusOK)
		for _, bad := range []object{{"factor_id": 9, "display_name": "x"}, {"factor_id": 2, "number": "none"}, {}} {
			if r := x.call(t, http.MethodPost, "/api/1/users/"+user+"/otp_devices", bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
	})
}

// TestContract44_GoSDK: token by Basic, login/auth, verify_factor; after a 401 it asks for
// a token again and repeats with an empty body, which is a clean 400 and no failure.
func TestContract44_GoSDK(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		for range 12 {
			failed(t, x.login(t, object{"password": "wrong-horse-7"}), http.StatusUnauthorized, unauthorized, invalidUser)
			x.bearer = x.token(t, "/auth/oauth2/v2/token", x.client).Text("access_token")
			failed(t, x.post(t, "/api/1/login/auth", "Bearer "+x.bearer, ""), http.StatusBadRequest, "bad request", "Input JSON is not valid")
			x.Clock.Advance(time.Minute)
		}
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.client).Text("access_token")
		state, devices := x.due(t)
		x.post(t, "/api/1/login/verify_factor", "Bearer "+x.bearer, object{"device_id": fmt.Sprint(devices[app]), "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now()), "do_not_notify": false}).Want(t, http.StatusOK)
	})
}

// TestContract44_AWSRunas: a token, login/auth, the devices of version 2, the path of the
// callback URL until it succeeds, the form, and what it redirects to.
func TestContract44_AWSRunas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		token := x.token(t, "/auth/oauth2/v2/token/", x.client)
		authorization := token.Text("token_type") + " " + token.Text("access_token")
		r := x.post(t, "/api/1/login/auth", authorization, object{"username_or_email": "jane@dev.test", "password": otltest.Password, "subdomain": x.Notes.Site.Slug})
		step := one(t, r)
		if r.Text("status", "message") != "MFA is required for this user" {
			t.Fatalf("%s", r.Raw)
		}
		r = x.Do(t, otltest.Call{Path: fmt.Sprintf("/api/2/mfa/users/%v/devices", step["user"].(object)["id"]), Headers: map[string]string{"Authorization": authorization}})
		if !strings.Contains(string(r.Raw), `"default":true`) {
			t.Fatalf("%s", r.Raw)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(string(r.Raw), `[{"device_id":"`), `"`)
		callback, err := url.Parse(step["callback_url"].(string))
		if err != nil {
			t.Fatal(err)
		}
		var done otltest.Reply
		for _, code := range []string{"000000", "111111", secret.TOTP(seed, x.Clock.Now())} {
			done = x.post(t, callback.RequestURI(), authorization, object{"device_id": id, "state_token": step["state_token"], "otp_token": code, "app_id": ""})
			if done.Status != http.StatusOK && !strings.Contains(string(done.Raw), wrongCode) {
				t.Fatalf("%s", done.Raw)
			}
		}
		res, err := x.follow(t).PostForm(x.URL+"/session_via_api_token", url.Values{"session_token": {one(t, done)["session_token"].(string)}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if page := read(t, res.Body); res.StatusCode != http.StatusOK || !strings.Contains(page, "confirm that it&#39;s you") {
			t.Errorf("%d %s", res.StatusCode, page)
		}
	}, loopback)
}

// TestContract44_JavaRubyPHPPython2: a token, a call; when it has expired a refresh
// without Authorization; the empty header that Ruby always sends.
func TestContract44_JavaRubyPHPPython2(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		header := "client_id:" + x.client.ID + ",client_secret:" + x.client.Secret.Reveal()
		pair := x.post(t, "/auth/oauth2/v2/token", header, object{"grant_type": "client_credentials"}).Want(t, http.StatusOK)
		x.bearer = pair.Text("access_token")
		x.login(t, nil, "Custom-Allowed-Origin-Header-1", "", "Authorization", "bearer "+x.bearer).Want(t, http.StatusOK)
		x.Clock.Advance(10 * time.Hour)
		failed(t, x.login(t, nil, "Custom-Allowed-Origin-Header-1", ""), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		fresh := x.post(t, "/auth/oauth2/v2/token", "", object{"grant_type": "refresh_token", "access_token": x.bearer, "refresh_token": pair.Text("refresh_token")}).Want(t, http.StatusOK)
		x.bearer = fresh.Text("access_token")
		data := one(t, x.login(t, nil, "Custom-Allowed-Origin-Header-1", ""))
		if _, err := time.Parse("2006/01/02 15:04:05 -0700", data["expires_at"].(string)); err != nil {
			t.Error(err)
		}
	})
}
