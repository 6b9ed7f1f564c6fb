package transmit_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

type object = map[string]any

// tenant is a world with a client of Notes and somebody who has joined it.
type tenant struct {
	*otltest.World
	client site.MadeClient
	bearer string
	jane   otl.User
}

func each(t *testing.T, test func(*testing.T, *tenant), change ...func(*node.Options)) {
	t.Helper()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if err := w.Installation.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{
			Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"}, Resources: []string{"https://api.notes.test"},
		})
		if err != nil {
			t.Fatal(err)
		}
		x := &tenant{World: w, client: made, jane: w.Person(t, "jane@dev.test", w.Notes.Site)}
		x.bearer = x.token(t, url.Values{}).Want(t, http.StatusOK).Text("access_token")
		test(t, x)
	}, change...)
}

// token asks for a client token, with the client in the form.
func (x *tenant) token(t *testing.T, more url.Values) otltest.Reply {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {x.client.ID}, "client_secret": {x.client.Secret.Reveal()}}
	for k, v := range more {
		form[k] = v
	}
	return x.form(t, form, nil)
}

func (x *tenant) form(t *testing.T, form url.Values, headers map[string]string) otltest.Reply {
	t.Helper()
	all := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for k, v := range headers {
		all[k] = v
	}
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/oidc/token", Body: form.Encode(), Headers: all})
}

// post calls an operation as the client.
func (x *tenant) post(t *testing.T, path string, body any) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Bearer: x.bearer, Body: body})
}

// failed fails the test unless the answer is exactly this error.
func failed(t *testing.T, r otltest.Reply, status int, body string) {
	t.Helper()
	if got := strings.TrimSpace(string(r.Raw)); r.Status != status || got != body {
		t.Errorf("got %d %s, want %d %s", r.Status, got, status, body)
	}
}

// claims checks a token against the published keys, as a client does, and gives what
// it says.
func (x *tenant) claims(t *testing.T, raw string) object {
	t.Helper()
	r := x.Do(t, otltest.Call{Path: "/cis/oidc/jwks"}).Want(t, http.StatusOK)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.Raw, &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Key(jws.Signatures[0].Header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != "RS256" || keys[0].Use != "sig" {
		t.Fatalf("the key is not published: %s", r.Raw)
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// code sends a code by mail and gives it.
func (x *tenant) code(t *testing.T, more object) string {
	t.Helper()
	x.Inbox.Empty()
	body := object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}
	for k, v := range more {
		body[k] = v
	}
	r := x.post(t, "/cis/v1/auth/otp/send", body).Want(t, http.StatusOK)
	if r.Text("message") != "OTP sent" {
		t.Errorf("%s", r.Raw)
	}
	if c := r.Text("code"); c != "" {
		return c
	}
	for _, l := range x.Letters(t, "") {
		if l.Code != "" {
			return l.Code
		}
	}
	t.Fatal("no code came")
	return ""
}

func (x *tenant) verify(t *testing.T, code string, more object) otltest.Reply {
	t.Helper()
	body := object{"passcode": code, "identifier_type": "email", "identifier": "jane@dev.test"}
	for k, v := range more {
		body[k] = v
	}
	return x.post(t, "/v1/auth/otp/authenticate", body)
}

func wrong(code string) string { return string('0'+('9'-code[0])) + code[1:] }

// TestTokenEndpoint is contract 3.2.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.token(t, nil).Want(t, http.StatusOK)
		if r.Text("token_type") != "Bearer" || r.JSON["expires_in"] != 3600.0 || len(r.JSON) != 3 || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s", r.Raw)
		}
		c := x.claims(t, r.Text("access_token"))
		if c["sub"] != x.client.ID || c["client_id"] != x.client.ID || c["aud"] != "userid-api" || c["iss"] != otltest.Issuer || c["app_name"] != "Notes" ||
			c["exp"].(float64)-c["iat"].(float64) != 3600 || c["scope"] != "auth users admin otp:direct" || c["tid"] == "" || fmt.Sprint(c["role"]) != "[client]" {
			t.Errorf("%v", c)
		}
		basic := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(x.client.ID+":"+x.client.Secret.Reveal()))}
		if r := x.form(t, url.Values{"grant_type": {"client_credentials"}, "resource": {"https://api.notes.test"}}, basic).Want(t, http.StatusOK); x.claims(t, r.Text("access_token"))["aud"] != "https://api.notes.test" {
			t.Errorf("%s", r.Raw)
		}
		for word, r := range map[string]otltest.Reply{
			"401 invalid_client":         x.token(t, url.Values{"client_secret": {"otc_x"}}),
			"401 invalid_client 2":       x.token(t, url.Values{"client_id": {"01HKZ3M5Q8J9X2V7C4B6N1D0FG"}}),
			"401 invalid_client 3":       x.token(t, url.Values{"client_id": {"\x00"}}),
			"400 unsupported_grant_type": x.token(t, url.Values{"grant_type": {"password"}}),
			"400 invalid_request":        x.token(t, url.Values{"grant_type": {""}}),
			"400 invalid_request 2":      x.token(t, url.Values{"grant_type": {"client_credentials", "client_credentials"}}),
			"400 invalid_request 3":      x.form(t, url.Values{"client_secret": {"x"}, "grant_type": {"client_credentials"}}, basic),
			"400 invalid_target":         x.token(t, url.Values{"resource": {"https://other.test"}}),
		} {
			parts := strings.Fields(word)
			if fmt.Sprint(r.Status) != parts[0] || r.Text("error") != parts[1] || r.Text("error_description") == "" {
				t.Errorf("%s: %d %s", word, r.Status, r.Raw)
			}
		}
		if r := x.Do(t, otltest.Call{Path: "/oidc/token", Body: object{"grant_type": "client_credentials"}}); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_request" {
			t.Errorf("JSON: %d %s", r.Status, r.Raw)
		}
	})
}

// TestOnlyAClientTokenOpensTheCalls: no other token, and none of a client that was
// revoked or of a site that is gone (SE-08).
func TestOnlyAClientTokenOpensTheCalls(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const invalid = `{"message":"Invalid token","error_code":401}`
		native := x.Login(t, x.Notes, "jane@dev.test").Text("access_token")
		tokens := x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		other := x.token(t, url.Values{"resource": {"https://api.notes.test"}}).Text("access_token")
		for _, path := range []string{
			"/v1/auth/otp/send", "/cis/v1/auth/otp/authenticate", "/v1/auth/session/authenticate", "/v1/auth/session/logout", "/v1/auth/token/refresh", "/v1/auth/password/authenticate",
		} {
			for name, bearer := range map[string]string{
				"none": "", "id token": tokens.Text("id_token"), "access token": tokens.Text("access_token"), "native": native, "another audience": other,
				"refresh": tokens.Text("refresh_token"), "site key": x.Notes.Key.Reveal(), "cut": x.bearer[:len(x.bearer)-1],
			} {
				r := x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Bearer: bearer, Body: object{}})
				if r.Status != http.StatusUnauthorized || strings.TrimSpace(string(r.Raw)) != invalid {
					t.Errorf("%s with %s: %d %s", path, name, r.Status, r.Raw)
				}
			}
		}
		failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/v1/auth/logout", Bearer: x.bearer}), http.StatusUnauthorized, invalid)
		x.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: tokens.Text("access_token")}).Want(t, http.StatusUnauthorized, "token_invalid")
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, x.client.ID); err != nil {
			t.Fatal(err)
		}
		failed(t, x.post(t, "/v1/auth/otp/send", object{}), http.StatusUnauthorized, invalid)
		x.token(t, nil).Want(t, http.StatusUnauthorized)
	})
}

// TestCodes is contract 3.5 to 3.7.
func TestCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.verify(t, x.code(t, nil), object{
			"claims": object{"id_token": object{"email": nil, "roles": nil, "phone_number": nil}, "access_token": object{"email": nil}}, "resource": "https://api.notes.test",
			"client_attributes": object{"user_agent": "Browser/1", "ip_address": "203.0.113.9"}, "device_id": "d1",
		}).Want(t, http.StatusOK)
		if len(r.JSON) != 6 || r.Text("token_type") != "Bearer" || r.JSON["expires_in"] != 3600.0 || r.Text("session_id") == "" || r.Text("refresh_token") == "" {
			t.Errorf("%s", r.Raw)
		}
		id, access := x.claims(t, r.Text("id_token")), x.claims(t, r.Text("access_token"))
		if id["sub"] != x.jane.ID || id["aud"] != x.client.ID || fmt.Sprint(id["amr"]) != "[eotp]" || id["email"] != "jane@dev.test" || id["email_verified"] != nil ||
			id["phone_number"] != nil || fmt.Sprint(id["roles"]) != "[]" || id["auth_time"] == nil || id["acr"] == "" {
			t.Errorf("%v", id)
		}
		if access["sub"] != x.jane.ID || access["aud"] != "https://api.notes.test" || access["email"] != "jane@dev.test" || access["client_id"] != x.client.ID || access["app_id"] != x.client.ID {
			t.Errorf("%v", access)
		}
		sessions := x.Do(t, otltest.Call{Path: "/api/v1/sessions?user_id=" + x.jane.ID, Key: x.Notes.Key}).Items(t)
		if len(sessions) != 1 || sessions[0]["ip"] != "203.0.113.9" || sessions[0]["user_agent"] != "Browser/1" {
			t.Errorf("%v", sessions)
		}

		// A request id binds, what was approved comes back, and a direct code is handed over.
		sent := x.post(t, "/v1/auth/otp/send", object{
			"channel": "direct", "identifier_type": "user_id", "identifier": x.jane.ID, "generate_request_id": true, "approval_data": object{"amount": "10.50", "to": "joe"}, "expires_in": 1440,
		}).Want(t, http.StatusOK)
		if fmt.Sprint(sent.JSON["approval_data"]) != "map[amount:10.50 to:joe]" || len(sent.Text("code")) != 6 || sent.Text("request_id") == "" {
			t.Errorf("%s", sent.Raw)
		}
		direct := object{"identifier_type": "user_id", "identifier": x.jane.ID}
		failed(t, x.verify(t, sent.Text("code"), direct), http.StatusBadRequest, `{"error_code":"auth_invalid_credentials","message":"Invalid credentials"}`)
		direct["request_id"] = sent.Text("request_id")
		x.Clock.Advance(23 * time.Hour)
		x.bearer = x.token(t, nil).Text("access_token")
		id = x.claims(t, x.verify(t, sent.Text("code"), direct).Want(t, http.StatusOK).Text("id_token"))
		if fmt.Sprint(id["amr"], id["approval_data"]) != "[otp] map[amount:10.50 to:joe]" {
			t.Errorf("%v", id)
		}
	})
}

// TestErrorsOfTheCodes holds every documented error to its bytes.
func TestErrorsOfTheCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		off := x.Person(t, "off@dev.test", x.Notes.Site)
		if err := x.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		send := func(channel, kind, identifier string) otltest.Reply {
			return x.post(t, "/v1/auth/otp/send", object{"channel": channel, "identifier_type": kind, "identifier": identifier})
		}
		const nobody = `{"error_code":"user_not_found","message":"User not found"}`
		for _, r := range []otltest.Reply{
			send("email", "email", "nobody@dev.test"), send("email", "email", "shopper@dev.test"), send("email", "user_id", "01HKZ3M5Q8J9X2V7C4B6N1D0FG"),
			send("email", "username", "jane"), send("email", "membership", "7"), send("sms", "phone_number", "+491705550100"),
		} {
			failed(t, r, http.StatusNotFound, nobody)
		}
		failed(t, send("email", "email", "off@dev.test"), http.StatusForbidden, `{"error_code":"user_not_active","message":"User is not active"}`)
		failed(t, send("sms", "email", "jane@dev.test"), http.StatusNotFound, `{"error_code":"user_phone_number_missing","message":"User phone number is missing"}`)
		for _, bad := range []object{
			{},
			{"channel": "pigeon"},
			{"identifier": ""},
			{"identifier_type": nil},
			{"identifier": 7},
			{"expires_in": 0},
			{"expires_in": 61},
			{"expires_in": "5"},
			{"approval_data": object{"a b": "c"}},
			{"approval_data": object{"a": object{}}},
			{"approval_data": []string{}},
			{"email_content": object{"bodyText": "x"}},
			{"email_content": object{"subject": "x", "primaryColor": "red"}},
			{"email_content": object{"subject": "x", "base64logo": "PHN2Zz4="}},
			{"email_content": object{"subject": "x\ny"}},
			{"custom_sms_input": object{"custom_message": "no code"}},
			{"custom_sms_input": object{"sender_id": "much too long"}},
			{"device_id": strings.Repeat("x", 81)},
			{"custom_email": "nobody"},
			{"custom_phone_number": "+491705550100"},
			{"custom_sms_input": object{"custom_message": "{otp} {app}"}},
			{"channel": "sms", "custom_email": "jane@dev.test"},
			{"channel": "sms", "email_content": object{"subject": "x"}},
			{"channel": "direct", "custom_email": "jane@dev.test"},
			{"client_attributes": object{"ip_address": "203.0.113"}},
			{"identifier": "a\u0000b"},
		} {
			body := object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}
			if len(bad) == 0 {
				body = bad
			}
			for k, v := range bad {
				body[k] = v
			}
			if r := x.post(t, "/v1/auth/otp/send", body); r.Status != http.StatusBadRequest || r.Text("error_code") != "system_invalid_input" || r.Text("message") == "" {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		for _, raw := range []string{"[]", "nonsense", "null x", `{"channel":`} {
			if r := x.post(t, "/v1/auth/otp/send", raw); r.Status != http.StatusBadRequest || r.Text("error_code") != "system_invalid_input" {
				t.Errorf("%s: %d %s", raw, r.Status, r.Raw)
			}
		}
		if len(x.Letters(t, "")) != 0 {
			t.Error("bad input sent something")
		}
	})
}

func TestErrorsOfWrongCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const invalid = `{"error_code":"auth_invalid_credentials","message":"Invalid credentials"}`
		failed(t, x.verify(t, "123456", nil), http.StatusBadRequest, invalid)
		failed(t, x.verify(t, "123456", object{"identifier": "nobody@dev.test"}), http.StatusBadRequest, invalid)
		failed(t, x.verify(t, "", nil), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"passcode: is required"}`)
		failed(t, x.verify(t, "1", object{"resource": "https://other.test"}), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"resource: is not one of this client's resources"}`)
		c := x.code(t, nil)
		x.Clock.Advance(5 * time.Minute)
		failed(t, x.verify(t, c, nil), http.StatusBadRequest, `{"error_code":"auth_otp_passcode_expired","message":"The passcode has expired"}`)
		c = x.code(t, nil)
		for range 4 {
			failed(t, x.verify(t, wrong(c), nil), http.StatusBadRequest, invalid)
		}
		const locked = `{"error_code":"auth_locked","message":"Too many failed attempts"}`
		failed(t, x.verify(t, wrong(c), nil), http.StatusForbidden, locked)
		failed(t, x.verify(t, c, nil), http.StatusForbidden, locked)
		x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		failed(t, x.verify(t, x.code(t, nil), object{"session_id": "x"}), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"Session not found"}`)

		for path, want := range map[string]string{"/v1/auth/otp/send": "405", "/cis/v1/auth/otp/authenticate": "405", "/v1/nothing": "404", "/cis/": "404"} {
			if r := x.Do(t, otltest.Call{Path: path}); fmt.Sprint(r.Status) != want || r.JSON["error_code"] == nil || r.Text("message") == "" {
				t.Errorf("GET %s: %d %s", path, r.Status, r.Raw)
			}
		}
	})
}

// TestOT22_DirectNeedsItsScope: a client without it is refused, and so is a token
// that was issued before the client lost it.
func TestOT22_DirectNeedsItsScope(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "plain", Scopes: otl.Scopes{otl.ScopeAuth}})
		if err != nil {
			t.Fatal(err)
		}
		x.client = made
		x.bearer = x.token(t, nil).Text("access_token")
		r := x.post(t, "/v1/auth/otp/send", object{"channel": "direct", "identifier_type": "email", "identifier": "jane@dev.test"})
		failed(t, r, http.StatusForbidden, `{"error_code":"auth_login_preferences_missing","message":"This client lacks the scope otp:direct."}`)
	})
}

// TestAClientThatMayNotSignPeopleIn is told so as each pair tells what is refused.
func TestAClientThatMayNotSignPeopleIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "people", Scopes: otl.Scopes{otl.ScopeUsers}})
		if err != nil {
			t.Fatal(err)
		}
		x.client = made
		x.bearer = x.token(t, nil).Text("access_token")
		const text = `"message":"This client lacks the scope auth."}`
		failed(t, x.post(t, "/v1/auth/otp/send", object{}), http.StatusForbidden, `{"error_code":"auth_login_preferences_missing",`+text)
		failed(t, x.post(t, "/v1/auth/link/email/send", object{}), http.StatusForbidden, `{"error_code":"403",`+text)
		x.Do(t, otltest.Call{Path: "/v1/users/" + x.jane.ID, Bearer: x.bearer}).Want(t, http.StatusOK)
		only := []string{"auth"}
		if _, err := x.Clients.Update(t.Context(), x.Notes.Site.ID, made.ID, site.ClientChange{Scopes: &only}); err != nil {
			t.Fatal(err)
		}
		x.Do(t, otltest.Call{Path: "/v1/users/" + x.jane.ID, Bearer: x.bearer}).Want(t, http.StatusForbidden) // its token is of before
	})
}

// TestOT22_ACodeThatGoesElsewhereIsHandedOver: whoever names the place a code goes to
// gets the code. It needs the scope of the channel direct, is noted, is no mail of the
// person's, and is refused for people who own sites.
func TestOT22_ACodeThatGoesElsewhereIsHandedOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		elsewhere := []object{
			{"channel": "email", "custom_email": "elsewhere@dev.test"}, {"channel": "sms", "custom_phone_number": "+491705550111"},
		}
		for _, more := range elsewhere {
			x.Inbox.Empty()
			c := x.code(t, more)
			if id := x.claims(t, x.verify(t, c, nil).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[otp]" {
				t.Errorf("%v: %v", more, id["amr"])
			}
			all, err := x.Store.Read.Events.List(t.Context(), "", x.Notes.Site.ID, "", 100)
			if err != nil || !slices.ContainsFunc(all, func(e otl.Event) bool {
				return e.Type == otl.EventCodeHandedOver && e.UserID == x.jane.ID && e.Data["site_key"] == x.client.ID && e.Data["channel"] == more["channel"]
			}) {
				t.Errorf("%v: nothing tells who was given the code: %v", more, err)
			}
		}
		made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "auth only", Scopes: otl.Scopes{otl.ScopeAuth}})
		if err != nil {
			t.Fatal(err)
		}
		x.client = made
		x.bearer = x.token(t, nil).Text("access_token")
		for _, more := range elsewhere {
			body := object{"identifier_type": "email", "identifier": "jane@dev.test"}
			maps.Copy(body, more)
			failed(t, x.post(t, "/v1/auth/otp/send", body), http.StatusForbidden, `{"error_code":"auth_login_preferences_missing","message":"This client lacks the scope otp:direct."}`)
		}
	})
}

// TestCustomDestinations: a code goes where the client says, in the client's words,
// and proves nothing.
func TestCustomDestinations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		c := x.code(t, object{"custom_email": "elsewhere@dev.test", "email_content": object{"subject": "Hello", "bodyText": "Our words", "senderName": "Acme", "primaryColor": "ff0000"}})
		l := x.Inbox.Letters("elsewhere@dev.test")
		if len(l) != 1 || l[0].Subject != "Hello" || l[0].Sender != "Acme" || !strings.Contains(l[0].Text, "Our words") {
			t.Fatalf("%+v", x.Inbox.Letters(""))
		}
		x.verify(t, c, nil).Want(t, http.StatusOK)
		x.Inbox.Empty()
		x.post(t, "/v1/auth/otp/send", object{
			"channel": "sms", "identifier_type": "email", "identifier": "jane@dev.test", "custom_phone_number": "+491705550111",
			"custom_sms_input": object{"custom_message": "{otp} opens {app}", "sender_id": "ACME"},
		}).Want(t, http.StatusOK)
		sms := x.Letters(t, "+491705550111")
		if len(sms) != 1 || !strings.HasPrefix(sms[0].Text, sms[0].Code+" opens Notes") || sms[0].From != "ACME" {
			t.Fatalf("%+v", sms)
		}
		x.verify(t, sms[0].Code, nil).Want(t, http.StatusOK)
		if u, err := x.Accounts.Find(t.Context(), "jane@dev.test"); err != nil || !u.EmailVerifiedAt.IsZero() || u.Phone != "" {
			t.Errorf("%+v %v", u, err)
		}
	})
}

// TestSessions is the second half of contract 3.7, in the order the vendor's sample
// with a second factor makes its calls (contract 4.4): password, then a code that
// joins the session.
func TestSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Proven(t, x.jane)
		first := x.post(t, "/cis/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)
		sid := first.Text("session_id")
		if id := x.claims(t, first.Text("id_token")); fmt.Sprint(id["amr"]) != "[pwd]" || id["acr"] != "1" {
			t.Errorf("%v", id)
		}
		for _, who := range []object{{"username": "jane@dev.test", "password": "wrong-horse-7"}, {"username": "nobody@dev.test", "password": "x"}, {"username": "jane", "password": "x"}} {
			failed(t, x.post(t, "/v1/auth/password/authenticate", who), http.StatusBadRequest, `{"error_code":"400","message":"Invalid username or password"}`)
		}
		// A code handed over is no second factor; one by mail is.
		direct := x.code(t, object{"channel": "direct"})
		if id := x.claims(t, x.verify(t, direct, object{"session_id": sid}).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[pwd otp]" {
			t.Errorf("%v", id)
		}
		x.Clock.Advance(time.Minute)
		if id := x.claims(t, x.verify(t, x.code(t, object{"custom_email": "elsewhere@dev.test"}), object{"session_id": sid}).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[pwd otp]" {
			t.Errorf("a code that went where the client said: %v", id)
		}
		second := x.verify(t, x.code(t, nil), object{"session_id": sid}).Want(t, http.StatusOK)
		id := x.claims(t, second.Text("id_token"))
		if second.Text("session_id") != sid || fmt.Sprint(id["amr"]) != "[pwd otp eotp mfa]" || id["acr"] != "2" || id["auth_time"].(float64) != float64(x.Clock.Now().Unix()) {
			t.Errorf("%v", id)
		}

		again := x.post(t, "/v1/auth/session/authenticate", object{"session_id": sid}).Want(t, http.StatusOK)
		if again.Text("session_id") != sid || again.Text("refresh_token") == second.Text("refresh_token") {
			t.Errorf("%s", again.Raw)
		}
		renewed := x.post(t, "/v1/auth/token/refresh", object{"refresh_token": again.Text("refresh_token")}).Want(t, http.StatusOK)
		if id := x.claims(t, renewed.Text("id_token")); renewed.Text("session_id") != sid || fmt.Sprint(id["amr"]) != "[pwd otp eotp mfa]" {
			t.Errorf("%v", id)
		}
		failed(t, x.post(t, "/v1/auth/token/refresh", object{"refresh_token": "x"}), http.StatusBadRequest, `{"error_code":"400","message":"Invalid refresh token"}`)
		failed(t, x.post(t, "/v1/auth/token/refresh", object{}), http.StatusBadRequest, `{"error_code":"400","message":"refresh_token: is required"}`)

		const none = `{"error_code":"400","message":"Session not found"}`
		foreign := x.Login(t, x.Shop, "jane@dev.test") // of another site
		sessions := x.Do(t, otltest.Call{Path: "/api/v1/sessions", Bearer: foreign.Text("access_token")}).Items(t)
		for _, path := range []string{"/v1/auth/session/authenticate", "/v1/auth/session/logout"} {
			for _, bad := range []string{"x", "01HKZ3M5Q8J9X2V7C4B6N1D0FG", sessions[0]["id"].(string)} {
				failed(t, x.post(t, path, object{"session_id": bad}), http.StatusBadRequest, none)
			}
		}
		if r := x.post(t, "/v1/auth/session/logout", object{"session_id": sid}); r.Status != http.StatusNoContent || len(r.Raw) != 0 {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		failed(t, x.post(t, "/v1/auth/session/authenticate", object{"session_id": sid}), http.StatusBadRequest, none)
		failed(t, x.post(t, "/v1/auth/token/refresh", object{"refresh_token": renewed.Text("refresh_token")}), http.StatusBadRequest, `{"error_code":"400","message":"Invalid refresh token"}`)

		// A person ends all his sessions at the site, and his token is worth nothing then.
		x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		last := x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK).Text("access_token")
		out := x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/v1/auth/logout", Bearer: last}).Want(t, http.StatusOK)
		if n, _ := out.JSON["sessions_count"].(float64); n < 1 {
			t.Errorf("%s", out.Raw)
		}
		failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/cis/v1/auth/logout", Bearer: last}), http.StatusUnauthorized, `{"message":"Invalid token","error_code":401}`)
		x.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: foreign.Text("access_token")}).Want(t, http.StatusUnauthorized)
	})
}
