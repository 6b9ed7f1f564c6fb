package transmit_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestContract31_BodiesAreReadInOneWay: what two parsers read differently is refused, as on our own wire, and does nothing.
// A member that nobody knows is passed over.
func TestContract31_BodiesAreReadInOneWay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const rest = `"identifier_type":"email","identifier":"jane@dev.test"`
		for body, text := range map[string]string{
			`{"channel":"sms","channel":"email",` + rest + `}`:                                          "The key channel stands twice in the body.",
			`{"CHANNEL":"email",` + rest + `}`:                                                          "CHANNEL: is spelled channel",
			`{"channel":"email","Channel":"sms",` + rest + `}`:                                          "Channel: is spelled channel",
			`{"channel":"email","client_attributes":{"IP_address":"203.0.113.9"},` + rest + `}`:         "client_attributes.IP_address: is spelled ip_address",
			`{"channel":"email","state":"` + "\xff" + `",` + rest + `}`:                                 "The body is not valid UTF-8.",
			`{"channel":"email",` + rest + `}{}`:                                                        "The body holds more than one JSON value.",
			`null`:                                                                                      "The body must be a JSON object.",
			`{"channel":"email","x":"\u0000",` + rest + `}`:                                             "x: must not contain NUL",
			`{"channel":"email","approval_data":{"a":"` + strings.Repeat("1", 201) + `"},` + rest + `}`: "approval_data: must be at most 10 members, names and values of 1 to 200 letters, digits, _ - and .",
			`{"channel":"email","device_id":"` + strings.Repeat("ä", 81) + `",` + rest + `}`:            "device_id: must be at most 80 characters",
		} {
			failed(t, x.post(t, "/v1/auth/otp/send", body), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"`+text+`"}`)
		}
		if len(x.Letters(t, "")) != 0 {
			t.Error("bad input sent something")
		}
		failed(t, x.post(t, "/v1/users", `{"email":"joe@dev.test","email":"eve@dev.test"}`), http.StatusBadRequest, `{"message":["The key email stands twice in the body."],"error_code":400}`)
		failed(t, x.post(t, "/v1/users", `{"email":"joe@dev.test","credentials":{"Password":"correct-horse-7"}}`), http.StatusBadRequest, `{"message":["credentials.Password: is spelled password"],"error_code":400}`)
		x.post(t, "/v1/auth/otp/send", `{"channel":"email","device_id":"`+strings.Repeat("ä", 80)+`","approval_data":{"a":"`+strings.Repeat("1", 200)+`"},"newer":{"x":1},`+rest+`}`).Want(t, http.StatusOK)
		made := x.post(t, "/v1/users", `{"username":"exact","custom_data":{"a":12345678901234567890,"A":1}}`).Want(t, http.StatusCreated)
		if !strings.Contains(string(made.Raw), `{"A":1,"a":12345678901234567890}`) && !strings.Contains(string(made.Raw), `{"a":12345678901234567890,"A":1}`) {
			t.Errorf("what the site keeps is another: %s", made.Raw)
		}
	})
}

// TestContract39_CredentialsHoldAPassword: whoever sends them thinks that the person has one, and would learn at the first
// sign-in that he has not.
func TestContract39_CredentialsHoldAPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, c := range []object{{}, {"password": ""}, {"force_replace": false}, {"password": nil}} {
			failed(t, x.post(t, "/v1/users", object{"email": "joe@dev.test", "credentials": c}), http.StatusBadRequest, `{"message":["credentials.password: is required"],"error_code":400}`)
		}
		joe := x.made(t, object{"email": "joe@dev.test"})
		failed(t, x.post(t, "/v1/users/"+joe+"/password", object{"password": 5}), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"password: must be a string"}`)
	})
}

// TestD1_AUsernameIsItsPersonsOwn: the answer says so, whatever the site sees of him.
func TestD1_AUsernameIsItsPersonsOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"email": "joe@dev.test", "username": "joe", "credentials": object{"password": otltest.Password, "force_replace": false}})
		x.Login(t, x.Shop, "joe@dev.test") // so that he is not the site's own any more
		if got := x.user(t, joe)["username"]; got != "joe" {
			t.Fatalf("the site sees %v", got)
		}
		failed(t, x.put(t, "/v1/users/"+joe, object{"username": "joseph"}), http.StatusForbidden, `{"message":"Only the person himself can change this, with a token of this installation.","error_code":403}`)
	})
}

// TestContract41_AMountAnswersInItsOwnForm, also at its bare prefix.
func TestContract41_AMountAnswersInItsOwnForm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, path := range []string{"/v1", "/v1/", "/cis", "/cis/", "/cis/v1", "/oidc", "/v1/nothing"} {
			failed(t, x.Do(t, otltest.Call{Method: http.MethodGet, Path: path}), http.StatusNotFound, `{"message":"No such path.","error_code":404}`)
		}
	})
}
