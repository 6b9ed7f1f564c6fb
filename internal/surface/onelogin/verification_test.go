package onelogin_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// armed is jane with an app and a telephone, as the wire numbers them.
type armed struct {
	*tenant
	seed     secret.Text
	user     string
	app, sms string // devices
}

func arm(t *testing.T, x *tenant) armed {
	t.Helper()
	a := armed{tenant: x, seed: x.app(t, x.jane)}
	x.telephone(t, x.jane)
	_, devices := x.due(t)
	a.user, a.app, a.sms = x.id(t, "jane@dev.test"), fmt.Sprint(devices[app]), fmt.Sprint(devices[sms])
	x.Inbox.Empty()
	return a
}

func (a armed) v1(t *testing.T, device, act string, body any) otltest.Reply {
	t.Helper()
	return a.call(t, http.MethodPost, "/api/1/users/"+a.user+"/otp_devices/"+device+"/"+act, body)
}

// begin begins a verification of version 2 and gives its path.
func (a armed) begin(t *testing.T, body object) string {
	t.Helper()
	base := "/api/2/mfa/users/" + a.user + "/verifications"
	return base + "/" + a.call(t, http.MethodPost, base, body).Want(t, http.StatusCreated).Text("id")
}

// state gives how far a verification of version 2 is.
func (a armed) state(t *testing.T, path string) string {
	t.Helper()
	return a.call(t, http.MethodGet, path, nil).Want(t, http.StatusOK).Text("status")
}

// code gives the app's code a step later than the one before.
func (a armed) code() string {
	a.Clock.Advance(30 * time.Second)
	return secret.TOTP(a.seed, a.Clock.Now())
}

// TestContract211_TriggerAndVerify: a code is sent and taken once, within its time; an app
// needs no trigger.
func TestContract211_TriggerAndVerify(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		r := a.v1(t, a.sms, "trigger", nil).Want(t, http.StatusOK)
		d := one(t, r)
		if !strings.HasPrefix(string(r.Raw), `{"status":{"error":false,"code":200,"type":"success","message":"SMS token sent to your mobile device. Authentication pending."},"data":[{"id":`+a.user+`,"device_id":`+a.sms+`,"active":true,"state_token":"`) ||
			len(d) != 8 || !hex40.MatchString(d["state_token"].(string)) || d["auth_factor_name"] != "SMS" || d["type_display_name"] != sms || d["user_display_name"] != "Telephone" ||
			d["state_token_expires_at"] != a.Clock.Now().Add(2*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("%s", r.Raw)
		}
		code := a.Newest(t, phone).Code
		verify := func(state any, code string) otltest.Reply {
			return a.v1(t, a.sms, "verify", object{"state_token": state, "otp_token": code})
		}
		failed(t, verify(d["state_token"], "000000"), http.StatusUnauthorized, unauthorized, wrongCode)
		failed(t, a.v1(t, a.sms, "verify", object{"state_token": d["state_token"]}), http.StatusBadRequest, "bad request", "otp_token is missing")
		if r := a.v1(t, a.sms, "verify", object{"otp_token": code}); r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != "state_token" {
			t.Errorf("%s", r.Raw)
		}
		failed(t, a.v1(t, a.app, "verify", object{"state_token": d["state_token"], "otp_token": code}), http.StatusBadRequest, "bad request", overState)
		if r := verify(d["state_token"], code); strings.TrimSpace(string(r.Raw)) != `{"status":{"error":false,"code":200,"type":"success","message":"Success"}}` {
			t.Errorf("%s", r.Raw)
		}
		failed(t, verify(d["state_token"], code), http.StatusBadRequest, "bad request", overState)

		right := a.code()
		a.v1(t, a.app, "verify", object{"otp_token": right}).Want(t, http.StatusOK)
		failed(t, a.v1(t, a.app, "verify", object{"otp_token": right}), http.StatusUnauthorized, unauthorized, wrongCode) // MF-01
		if r := a.v1(t, a.app, "trigger", object{}); r.Text("status", "message") != "Authentication pending." {
			t.Errorf("%s", r.Raw)
		}

		a.Clock.Advance(time.Hour)
		a.Inbox.Empty()
		own := one(t, a.v1(t, a.sms, "trigger", object{"state_token_expires_in": 900, "numeric_sms_otp": true, "sms_message": "Notes: {{otp_code}}, good for {{expiration}} min"}))
		letter := a.Letters(t, phone)[0]
		if !strings.HasPrefix(letter.Text, "Notes: "+letter.Code+", good for 15 min") {
			t.Errorf("%q", letter.Text)
		}
		a.Clock.Advance(14 * time.Minute)
		verify(own["state_token"], letter.Code).Want(t, http.StatusOK)
		late := one(t, a.v1(t, a.sms, "trigger", object{"state_token_expires_in": 10}))
		a.Clock.Advance(10 * time.Second)
		failed(t, verify(late["state_token"], a.Newest(t, phone).Code), http.StatusBadRequest, "bad request", overState)
		for _, bad := range []object{{"state_token_expires_in": 901}, {"state_token_expires_in": 0}, {"sms_message": "no code"}, {"sms_message": "{{otp_code}}" + strings.Repeat("x", 160)}} {
			if r := a.v1(t, a.sms, "trigger", bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
	})
}

// TestContract212_Verifications: begun, looked at, answered; five wrong codes or time end
// one, and a later one takes its place.
func TestContract212_Verifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		r := a.call(t, http.MethodPost, "/api/2/mfa/users/"+a.user+"/verifications", object{"device_id": a.sms, "expires_in": 300}).Want(t, http.StatusCreated)
		if len(r.JSON) != 8 || len(r.Text("id")) != 36 || fmt.Sprint(r.JSON["device_id"]) != a.sms || r.Text("status") != "pending" || r.Text("auth_factor_name") != "SMS" || r.Text("user_id") != a.user {
			t.Errorf("%s", r.Raw)
		}
		path := "/api/2/mfa/users/" + a.user + "/verifications/" + r.Text("id")
		if r := a.call(t, http.MethodGet, path, nil); fmt.Sprint(r.JSON) != fmt.Sprintf("map[device_id:%s id:%s status:pending]", a.sms, path[strings.LastIndex(path, "/")+1:]) {
			t.Errorf("%s", r.Raw)
		}
		put := func(path string, body object) otltest.Reply { return a.call(t, http.MethodPut, path, body) }
		if r := put(path, object{"otp": "000000"}); r.Status != http.StatusUnauthorized || strings.TrimSpace(string(r.Raw)) != `{"statusCode":401,"name":"UnauthorizedError","message":"Failed authentication with this factor"}` {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		if r := put(path, object{"otp": ""}); r.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		code := a.Newest(t, phone).Code
		if r := put(path, object{"otp": code, "device_id": a.app}); r.Status != http.StatusBadRequest {
			t.Errorf("another device: %d %s", r.Status, r.Raw)
		}
		if r := put(path, object{"otp": code, "device_id": a.sms}); strings.TrimSpace(string(r.Raw)) != `{"status":"accepted","name":"Success","code":200,"message":"Success"}` {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		if got := a.state(t, path); got != "accepted" {
			t.Error(got)
		}

		five := a.begin(t, object{"device_id": a.app})
		for range 5 {
			put(five, object{"otp": "000000"}).Want(t, http.StatusUnauthorized)
		}
		put(five, object{"otp": a.code()}).Want(t, http.StatusBadRequest)
		before, after := a.begin(t, object{"device_id": a.app}), a.begin(t, object{"device_id": a.app})
		if got := a.state(t, after); got != "pending" {
			t.Error(got)
		}
		a.call(t, http.MethodGet, before, nil).Want(t, http.StatusBadRequest)
		a.Clock.Advance(2 * time.Minute)
		put(after, object{"otp": a.code()}).Want(t, http.StatusBadRequest)
		if got := a.state(t, after); got != "rejected" {
			t.Error(got)
		}
		for _, bad := range []object{{}, {"device_id": a.app, "expires_in": 119}, {"device_id": a.app, "expires_in": 901}} {
			a.call(t, http.MethodPost, "/api/2/mfa/users/"+a.user+"/verifications", bad).Want(t, http.StatusUnprocessableEntity)
		}
		a.call(t, http.MethodPost, "/api/2/mfa/users/"+a.user+"/verifications", object{"device_id": 99999}).Want(t, http.StatusNotFound)
	})
}

// TestD1_AVerificationClosesNothingElsewhere: a hundred wrong codes at one site close the
// factor for that site's questions, until somebody signs in there with it; he signs in
// everywhere all the while, and his other factors are asked for.
func TestD1_AVerificationClosesNothingElsewhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		for range 100 {
			failed(t, a.v1(t, a.app, "verify", object{"otp_token": "000000"}), http.StatusUnauthorized, unauthorized, wrongCode)
		}
		asked := func() int { return a.v1(t, a.app, "verify", object{"otp_token": a.code()}).Status }
		if got := asked(); got != http.StatusUnauthorized {
			t.Fatalf("after a hundred wrong ones: %d", got)
		}
		state := one(t, a.v1(t, a.sms, "trigger", nil))["state_token"]
		a.v1(t, a.sms, "verify", object{"state_token": state, "otp_token": a.Newest(t, phone).Code}).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: x.Shop.Key, Body: object{
			"mfa_token": x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Shop.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Text("mfa_token"), "code": a.code(),
		}}).Want(t, http.StatusOK)
		if got := asked(); got != http.StatusUnauthorized {
			t.Fatalf("a sign-in elsewhere opened it: %d", got)
		}
		step, devices := a.due(t)
		a.verify(t, object{"device_id": devices[app], "state_token": step, "otp_token": a.code()}).Want(t, http.StatusOK)
		if got := asked(); got != http.StatusOK {
			t.Errorf("after a sign-in with it: %d", got)
		}
	})
}

// TestD1_MF11_TriggersLeaveACodeForSigningIn: a site's own codes are two of the three that
// a person is sent in ten minutes, whatever it tries.
func TestD1_MF11_TriggersLeaveACodeForSigningIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		for i := range 6 {
			want := http.StatusOK
			if i > 1 {
				want = http.StatusTooManyRequests
			}
			a.v1(t, a.sms, "trigger", nil).Want(t, want)
		}
		step := x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Shop.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Text("mfa_token")
		has, err := x.Store.Read.Factors.Of(t.Context(), x.jane.ID)
		if err != nil || has[1].Kind != otl.FactorSMS {
			t.Fatalf("%v %v", has, err)
		}
		challenge := otltest.Call{Path: "/api/v1/auth/mfa/challenge", Key: x.Shop.Key, Body: object{"mfa_token": step, "factor_id": has[1].ID}}
		x.Do(t, challenge).Want(t, http.StatusOK)
		x.Do(t, challenge).Want(t, http.StatusTooManyRequests)
		if n := len(a.Letters(t, phone)); n != 3 {
			t.Errorf("%d codes in ten minutes", n)
		}
	}, limited)
}

func limited(o *node.Options) { o.Limits = true }

// TestMF03_AVerificationOpensNothing: neither a verification nor what stands in for a
// factor is a step of a sign-in or a credential; another site's is unknown.
func TestMF03_AVerificationOpensNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		x.Person(t, "bob@dev.test", x.Shop.Site)
		d := one(t, a.v1(t, a.app, "trigger", nil))
		path := a.begin(t, object{"device_id": a.sms})
		failed(t, a.verify(t, object{"device_id": a.app, "state_token": d["state_token"], "otp_token": a.code()}), http.StatusUnauthorized, unauthorized, overState)
		step, _ := a.due(t)
		failed(t, a.v1(t, a.app, "verify", object{"state_token": step, "otp_token": a.code()}), http.StatusBadRequest, "bad request", overState)
		failed(t, x.Do(t, otltest.Call{Path: "/auth/rate_limit", Headers: map[string]string{"Authorization": fmt.Sprint("bearer:", d["state_token"])}}), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		if n := len(x.browserSessions(t)); n != 0 {
			t.Errorf("%d sessions", n)
		}

		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Shop)).Text("access_token")
		r := x.call(t, http.MethodGet, path, nil)
		x.Login(t, x.Shop, "bob@dev.test")
		if !strings.Contains(string(r.Raw), "User does not exist") { // whom the shop does not know
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		bob := x.id2(t, "bob@dev.test", x.Shop.Site.Slug)
		elsewhere := strings.Replace(path, "/users/"+a.user+"/", "/users/"+bob+"/", 1)
		for _, foreign := range []string{elsewhere, elsewhere[:strings.LastIndex(elsewhere, "/")] + "/00000000-0000-4000-8000-000000000000"} {
			if r := x.call(t, http.MethodGet, foreign, nil); r.Status != http.StatusBadRequest || r.Text("message") != overState {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
	})
}

// TestMN01_AVerificationIsAcceptedOnce: of many right answers at once.
func TestMN01_AVerificationIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		a := arm(t, x)
		path := a.begin(t, object{"device_id": a.sms})
		code := a.Newest(t, phone).Code
		var won atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if x.call(t, http.MethodPut, path, object{"otp": code}).Status == http.StatusOK {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("accepted %d times", won.Load())
		}
	})
}

// TestD1_WhatStandsInForAFactor: for people of the site's own; once, or as often as it
// says, until its time is over or another takes its place; no sign-in takes it.
func TestD1_WhatStandsInForAFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own := armed{tenant: x, user: x.made(t, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"})}
		token := func(body any) string {
			r := own.call(t, http.MethodPost, "/api/1/users/"+own.user+"/mfa_token", body).Want(t, http.StatusCreated)
			if len(r.JSON) != 3 || !hex40.MatchString(r.Text("mfa_token")) {
				t.Fatalf("%s", r.Raw)
			}
			return r.Text("mfa_token")
		}
		verify := func(token string) int { return own.v1(t, "0", "verify", object{"otp_token": token}).Status }
		once := token(nil)
		for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
			if got := verify(once); got != want {
				t.Errorf("good once: %d, not %d", got, want)
			}
		}
		before := token(object{"expires_in": 120})
		r := own.call(t, http.MethodPost, "/api/2/mfa/users/"+own.user+"/mfa_token", object{"expires_in": 259200, "reusable": true}).Want(t, http.StatusCreated)
		often := r.Text("mfa_token")
		if r.Text("device_id") != "0" || r.JSON["reusable"] != true || r.Text("expires_at") != own.Clock.Now().Add(72*time.Hour).UTC().Format("2006-01-02T15:04:05.000Z") || verify(before) != http.StatusUnauthorized {
			t.Errorf("%s", r.Raw)
		}
		for range 3 {
			if got := verify(often); got != http.StatusOK {
				t.Errorf("good often: %d", got)
			}
		}
		other := armed{tenant: x, user: x.made(t, object{"email": "other@dev.test"})}
		failed(t, other.v1(t, "0", "verify", object{"otp_token": often}), http.StatusUnauthorized, unauthorized, wrongCode)
		path := own.begin(t, object{"device_id": "0"})
		x.call(t, http.MethodPut, path, object{"otp": often, "device_id": 0}).Want(t, http.StatusOK)
		if own.state(t, path) != "accepted" {
			t.Error("not accepted")
		}
		for _, bad := range []int{119, 259201} {
			own.call(t, http.MethodPost, "/api/1/users/"+own.user+"/mfa_token", object{"expires_in": bad}).Want(t, http.StatusBadRequest)
		}
		jane := x.id(t, "jane@dev.test")
		failed(t, x.call(t, http.MethodPost, "/api/1/users/"+jane+"/mfa_token", object{}), http.StatusForbidden, "forbidden", "user is not authorized to access this User")
		failed(t, x.call(t, http.MethodPost, "/api/1/users/"+jane+"/otp_devices/0/verify", object{"otp_token": often}), http.StatusForbidden, "forbidden", "user is not authorized to access this User")
		x.app(t, x.jane)
		step, devices := x.due(t)
		for _, device := range []any{0, devices[app]} {
			failed(t, x.verify(t, object{"device_id": device, "state_token": step, "otp_token": often}), http.StatusUnauthorized, unauthorized, wrongCode)
		}
		x.Clock.Advance(72 * time.Hour)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.client).Text("access_token")
		if got := verify(often); got != http.StatusUnauthorized {
			t.Errorf("after three days: %d", got)
		}
	})
}

// TestRegistrationsAreLookedAt: pending, accepted, and unknown once their time is over; a
// code may be a number, as one client writes it.
func TestRegistrationsAreLookedAt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		user := x.made(t, nil)
		base := "/api/2/mfa/users/" + user + "/registrations"
		x.Inbox.Empty()
		r := x.call(t, http.MethodPost, base, object{"factor_id": 2, "display_name": "Phone", "number": phone, "expires_in": "300"}).Want(t, http.StatusCreated)
		path := base + "/" + r.Text("id")
		look := func(want string) {
			t.Helper()
			got := x.call(t, http.MethodGet, path, nil).Want(t, http.StatusOK)
			if got.Text("status") != want || got.Text("device_id") != r.Text("device_id") || got.Text("id") != r.Text("id") || len(got.JSON) != 3 {
				t.Errorf("%s", got.Raw)
			}
		}
		look("pending")
		x.call(t, http.MethodPut, path, fmt.Sprintf(`{"otp":%s}`, strings.TrimLeft(x.Newest(t, phone).Code, "0"))).Want(t, http.StatusOK)
		look("accepted")
		x.call(t, http.MethodGet, base+"/nonsense", nil).Want(t, http.StatusNotFound)
		late := x.made(t, object{"email": "late@dev.test"})
		base = "/api/2/mfa/users/" + late + "/registrations"
		r = x.call(t, http.MethodPost, base, object{"factor_id": 1, "display_name": "App"}).Want(t, http.StatusCreated)
		x.Clock.Advance(15 * time.Minute)
		x.call(t, http.MethodGet, base+"/"+r.Text("id"), nil).Want(t, http.StatusNotFound)
	})
}
