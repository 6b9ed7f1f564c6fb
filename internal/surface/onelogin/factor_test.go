package onelogin_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const phone = "+491705550100"

// app gives a person an authenticator app, and its seed.
func (x *tenant) app(t *testing.T, u otl.User) secret.Text {
	t.Helper()
	seed := secret.NewTOTPSeed()
	if _, err := x.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	return seed
}

// telephone gives a person a device for codes by SMS.
func (x *tenant) telephone(t *testing.T, u otl.User) {
	t.Helper()
	if _, err := x.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: phone}}); err != nil {
		t.Fatal(err)
	}
}

// verify sends a proof of a second factor.
func (x *tenant) verify(t *testing.T, body object, headers ...string) otltest.Reply {
	t.Helper()
	all := map[string]string{"Authorization": "bearer: " + x.bearer}
	for i := 0; i < len(headers); i += 2 {
		all[headers[i]] = headers[i+1]
	}
	return x.Do(t, otltest.Call{Path: "/api/1/verify_factor", Body: body, Headers: all})
}

// due signs jane in up to the second step and gives it with the ids of her devices.
func (x *tenant) due(t *testing.T, headers ...string) (state string, devices map[string]float64) {
	t.Helper()
	r := x.login(t, object{"return_to_url": "https://notes.test/callback"}, headers...)
	step := one(t, r)
	devices = map[string]float64{}
	for _, d := range step["devices"].([]any) {
		devices[d.(object)["device_type"].(string)], _ = d.(object)["device_id"].(float64)
	}
	state, _ = step["state_token"].(string)
	return state, devices
}

const (
	app       = "Google Authenticator"
	sms       = "OneLogin OTP SMS"
	wrongCode = "Failed authentication with this factor"
	overState = "State token is invalid or has expired"
)

// TestContract42_1_7_MFA is seed 001, "Flows with MFA", to its letters.
func TestContract42_1_7_MFA(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		x.telephone(t, x.jane)
		r := x.login(t, object{"return_to_url": "https://notes.test/callback"}).Want(t, http.StatusOK)
		if !strings.HasPrefix(string(r.Raw), `{"status":{"error":false,"code":200,"type":"success","message":"MFA is required for this user"},"data":[{"state_token":"`) {
			t.Fatalf("%s", r.Raw)
		}
		step := one(t, r)
		if len(step) != 4 || !hex40.MatchString(step["state_token"].(string)) || step["callback_url"] != otltest.Issuer+"/api/1/verify_factor" || len(step["user"].(object)) != 5 {
			t.Errorf("%s", r.Raw)
		}
		state, devices := x.due(t)
		if len(devices) != 2 || devices[app] < 1 || devices[sms] < 1 || devices[app] != float64(int32(devices[app])) {
			t.Fatalf("%v", devices)
		}

		// The authenticator, whose code must come with the first call; the device as a text.
		failed(t, x.verify(t, object{"device_id": devices[app], "state_token": state}), http.StatusBadRequest, "bad request", "otp_token is missing")
		r = x.verify(t, object{"device_id": fmt.Sprint(devices[app]), "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now()), "app_id": "7"}).Want(t, http.StatusOK)
		done := one(t, r)
		if !strings.HasPrefix(string(r.Raw), onlyAuth) || len(done) != 5 || done["return_to_url"] != "https://notes.test/callback" || !hex40.MatchString(done["session_token"].(string)) || len(done["user"].(object)) != 5 ||
			done["expires_at"] != soon(x) {
			t.Errorf("%s", r.Raw)
		}
		failed(t, x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": "123456"}), http.StatusUnauthorized, unauthorized, overState)

		// The telephone: first the code is asked for.
		x.Inbox.Empty()
		state, _ = x.due(t)
		const pending = `{"status":{"error":false,"code":200,"type":"pending","message":"SMS token sent to your mobile device. Authentication pending."}}`
		r = x.verify(t, object{"device_id": devices[sms], "state_token": state})
		if r.Status != http.StatusOK || strings.TrimSpace(string(r.Raw)) != pending {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		letters := x.Letters(t, phone)
		if len(letters) != 1 || len(letters[0].Code) != 6 {
			t.Fatalf("%v", letters)
		}
		r = x.verify(t, object{"device_id": devices[sms], "state_token": state, "do_not_notify": true})
		if strings.TrimSpace(string(r.Raw)) != pending || len(x.Letters(t, phone)) != 1 {
			t.Errorf("who waits was sent another: %s", r.Raw)
		}
		r = x.Do(t, otltest.Call{
			Path: "/api/1/login/verify_factor/", Body: object{"device_id": devices[sms], "state_token": state, "otp_token": letters[0].Code}, Headers: map[string]string{"Authorization": "Bearer " + x.bearer},
		}).Want(t, http.StatusOK)
		if done := one(t, r); done["status"] != "Authenticated" || done["expires_at"] != soon(x) {
			t.Errorf("%s", r.Raw)
		}
	})
}

// TestContract42_7_AWrongCodeLeavesTheStateToken: it stays good for four wrong codes and
// ends with the fifth, or after two minutes.
func TestContract42_7_AWrongCodeLeavesTheStateToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		state, devices := x.due(t)
		try := func(code string) otltest.Reply {
			return x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": code})
		}
		good := func() string { return secret.TOTP(seed, x.Clock.Now()) }
		wrong := func() string { return string('0'+('9'-good()[0])) + good()[1:] }
		for range 4 {
			failed(t, try(wrong()), http.StatusUnauthorized, unauthorized, wrongCode)
		}
		try(good()).Want(t, http.StatusOK)
		x.Clock.Advance(time.Minute)
		state, _ = x.due(t)
		for range 5 {
			failed(t, try(wrong()), http.StatusUnauthorized, unauthorized, wrongCode)
		}
		failed(t, try(good()), http.StatusUnauthorized, unauthorized, overState)
		state, _ = x.due(t)
		x.Clock.Advance(2*time.Minute - time.Second)
		code := good()
		x.Clock.Advance(time.Second)
		failed(t, try(code), http.StatusUnauthorized, unauthorized, overState)
		for _, bad := range []string{"", state[:39], strings.ToUpper(state) + "x", strings.Repeat("0", 40)} {
			r := x.verify(t, object{"device_id": devices[app], "state_token": bad, "otp_token": good()})
			if bad != "" {
				failed(t, r, http.StatusUnauthorized, unauthorized, overState)
			} else if r.Text("status", "message", "attribute") != "state_token" {
				t.Errorf("%s", r.Raw)
			}
		}
		if r := x.verify(t, object{"state_token": state, "otp_token": good()}); r.Text("status", "message", "attribute") != "device_id" {
			t.Errorf("%s", r.Raw)
		}
		if r := x.verify(t, object{"state_token": state, "device_id": "seven"}); r.Status != http.StatusBadRequest {
			t.Errorf("%s", r.Raw)
		}
	})
}

// TestMF04_ADeviceIsItsPersons: somebody else's is answered like one that is unknown.
func TestMF04_ADeviceIsItsPersons(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.app(t, x.jane)
		bob := x.Person(t, "bob@dev.test", x.Notes.Site)
		seed := x.app(t, bob)
		_, own := x.due(t)
		theirs := one(t, x.login(t, object{"username_or_email": "bob@dev.test"}))["devices"].([]any)[0].(object)["device_id"].(float64)
		if theirs == own[app] {
			t.Fatal("one number for two devices")
		}
		state, _ := x.due(t)
		for _, id := range []float64{theirs, 999999, 0, -1} {
			failed(t, x.verify(t, object{"device_id": id, "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())}), http.StatusUnauthorized, unauthorized, wrongCode)
		}
	})
}

// TestMF03_AStateTokenIsItsClients: neither another site's client nor another one of the
// same site can go on with it, and nothing else takes it.
func TestMF03_AStateTokenIsItsClients(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		state, devices := x.due(t)
		mine := x.bearer
		for _, of := range []string{"another client", "another site"} {
			site := x.Notes
			if of == "another site" {
				site = x.Shop
			}
			x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, site)).Text("access_token")
			failed(t, x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())}), http.StatusUnauthorized, unauthorized, overState)
		}
		r := x.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: x.Notes.Key, Body: object{"mfa_token": state, "code": secret.TOTP(seed, x.Clock.Now())}})
		if r.Status != http.StatusUnauthorized {
			t.Errorf("the native wire: %d %s", r.Status, r.Raw)
		}
		if to := x.form(t, state, nil).Header.Get("Location"); to != "/signin?error=session_token" {
			t.Errorf("as a session token: %s", to)
		}
		x.bearer = state
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.bearer = mine
	})
}

// TestOriginsOfBothCalls: the session token's are those of login/auth and those of
// verify_factor, over all numbers.
func TestOriginsOfBothCalls(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		state, devices := x.due(t, "Custom-Allowed-Origin-Header-1", "https://a.test, https://B.test:443/", "Custom-Allowed-Origin-Header-12", "https://c.test")
		r := x.verify(t, object{"device_id": strconv.Itoa(int(devices[app])), "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())},
			"Custom-Allowed-Origin-Header-1", "https://d.test,https://a.test")
		token := one(t, r)["session_token"].(string)
		for _, from := range []string{"https://e.test", "https://a.test.evil.test", "http://a.test"} {
			if r := x.script(t, token, from); r.Status != http.StatusUnauthorized || r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %d %v", from, r.Status, r.Header)
			}
		}
		for _, from := range []string{"https://a.test", "https://b.test", "https://c.test", "https://d.test"} {
			if r := x.preflight(t, from); r.Header.Get("Access-Control-Allow-Origin") != from {
				t.Errorf("%s: %v", from, r.Header)
			}
		}
		if r := x.script(t, token, "https://b.test"); r.Status != http.StatusOK || r.Header.Get("Access-Control-Allow-Origin") != "https://b.test" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		for _, first := range [][]string{{"Custom-Allowed-Origin-Header-1", "https://a.test"}, nil} { // one that the second call alone named
			x.Clock.Advance(30 * time.Second)
			state, devices = x.due(t, first...)
			r = x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())}, "Custom-Allowed-Origin-Header-1", "https://d.test")
			token = one(t, r)["session_token"].(string)
			failed(t, x.script(t, token, "https://e.test"), http.StatusUnauthorized, unauthorized, "Origin is not allowed for this session token")
			r = x.script(t, token, "https://d.test")
			if r.Status != http.StatusOK || r.Header.Get("Access-Control-Allow-Origin") != "https://d.test" || r.Header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%v: %d %s %v", first, r.Status, r.Raw, r.Header)
			}
			held(t, r)
		}
	})
}

// TestMF05_NoDoorSkipsTheFactor: what a site demands it gets, by this wire too; the
// session a browser is given holds both proofs.
func TestMF05_NoDoorSkipsTheFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.policy(t, otl.MFARequired)
		r := x.login(t, nil)
		if r.Status != http.StatusForbidden || r.Text("status", "type") != "forbidden" || strings.Contains(string(r.Raw), "session_token") {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		seed := x.app(t, x.jane)
		state, devices := x.due(t)
		r = x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())})
		x.form(t, one(t, r)["session_token"].(string), nil)
		live, err := x.Store.Read.Sessions.Live(t.Context(), x.jane.ID, x.Installation.SiteID, "", x.Clock.Now(), 10)
		if err != nil || len(live) != 1 || live[0].Methods.String() != "pwd totp" {
			t.Errorf("%+v %v", live, err)
		}
	})
}

// policy sets when Notes asks for a second factor.
func (x *tenant) policy(t *testing.T, p otl.MFAPolicy) {
	t.Helper()
	if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		notes, err := tx.Sites.ByID(ctx, x.Notes.Site.ID)
		if err != nil {
			return err
		}
		notes.MFA = p
		_, err = tx.Sites.Update(ctx, notes)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
