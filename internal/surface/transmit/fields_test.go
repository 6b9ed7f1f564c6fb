package transmit_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// png is a picture of one pixel.
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestContract33_EveryFieldOfALink does what the documentation says: each member of email_content is in the mail, the
// state comes back, the request id binds, and the tokens are of the session, the resource and with the claims asked for.
func TestContract33_EveryFieldOfALink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Proven(t, x.jane) // or the link is the first proof of the address (OT-16)
		joined := x.post(t, "/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)
		x.Letters(t, "")
		x.Inbox.Empty()
		attributes := object{"user_agent": "Browser/1", "ip_address": "203.0.113.9"}
		sent := x.post(t, "/v1/auth/link/email/send", object{
			"redirect_uri": callback, "identifier": "jane@dev.test", "identifier_type": "email", "channel": "email", "email_expiration": 30, "state": "a b&c",
			"email_content": object{
				"subject": "Our subject", "primaryColor": "#12ab34", "base64logo": png, "headerText": "Our header", "bodyText": "Our body", "linkText": "Our link",
				"infoText": "Our info", "footerText": "Our footer", "senderName": "Our name",
			},
			"client_attributes": attributes, "device_id": "d-1", "generate_request_id": true,
		}).Want(t, http.StatusOK)
		if sent.Text("message") != "Email sent successfully" || sent.Text("request_id") == "" || len(sent.JSON) != 2 {
			t.Errorf("%s", sent.Raw)
		}
		l := x.Letters(t, "jane@dev.test")[0]
		for _, want := range []string{"#12ab34", png, "Our header", "Our body", "Our link", "Our info", "Our footer"} {
			if !strings.Contains(l.HTML, want) {
				t.Errorf("%s is not in the mail", want)
			}
		}
		for _, want := range []string{"Our header", "Our body", "Our info", "Our footer"} {
			if !strings.Contains(l.Text, want) {
				t.Errorf("%s is not in the text of the mail:\n%s", want, l.Text)
			}
		}
		if l.Subject != "Our subject" || l.Sender != "Our name" {
			t.Errorf("%q from %q", l.Subject, l.Sender)
		}
		x.Clock.Advance(29 * time.Minute)
		code := x.press(t, strings.TrimPrefix(l.Link, otltest.Issuer))
		r := x.redeem(t, code, object{
			"request_id": sent.Text("request_id"), "session_id": joined.Text("session_id"), "resource": "https://api.notes.test",
			"claims": object{"id_token": object{"email": nil, "roles": nil}, "access_token": object{"email": nil}}, "client_attributes": attributes, "device_id": "d-1",
		}).Want(t, http.StatusOK)
		id, access := x.claims(t, r.Text("id_token")), x.claims(t, r.Text("access_token"))
		if r.Text("session_id") != joined.Text("session_id") || fmt.Sprint(id["amr"]) != "[pwd eml mfa]" || id["email"] != "jane@dev.test" || fmt.Sprint(id["roles"]) != "[]" ||
			access["aud"] != "https://api.notes.test" || access["email"] != "jane@dev.test" {
			t.Errorf("%v\n%v", id, access)
		}
		for name, value := range map[string]any{
			"redirect_uri": 7, "identifier": 7, "identifier_type": 7, "channel": "sms", "email_expiration": 0.5, "state": strings.Repeat("x", 2049), "generate_request_id": "yes",
			"email_content": object{"bodyText": "no subject"}, "client_attributes": object{"ip_address": "203.0.113"}, "device_id": strings.Repeat("x", 81),
		} {
			body := object{"redirect_uri": callback, "identifier": "jane@dev.test", "identifier_type": "email"}
			body[name] = value
			if r := x.post(t, "/v1/auth/link/email/send", body); r.Status != http.StatusBadRequest || r.Text("error_code") != "400" || !strings.HasPrefix(r.Text("message"), name) || strings.ContainsAny(r.Text("message"), "{*") {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		for name, value := range map[string]any{
			"code": 7, "request_id": 7, "session_id": 7, "resource": "https://other.test", "claims": "roles", "org_id": "o-1",
			"client_attributes": object{"ip_address": "203.0.113"}, "device_id": strings.Repeat("x", 81),
		} {
			if r := x.redeem(t, "otl_lc_x", object{name: value}); r.Status != http.StatusBadRequest || r.Text("error_code") != "400" || !strings.HasPrefix(r.Text("message"), name) || strings.ContainsAny(r.Text("message"), "{*") {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
	})
}

// TestContract33_EveryErrorOfALink to its bytes, each provoked; what never occurs docs/transmit.md names.
func TestContract33_EveryErrorOfALink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := func(email, redirect string) otltest.Reply {
			return x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": redirect, "email": email})
		}
		off := x.Person(t, "off@dev.test", x.Notes.Site)
		if err := x.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		failed(t, send("off@dev.test", callback), http.StatusForbidden, `{"error_code":"403","message":"User is not active"}`)
		failed(t, send("nobody@dev.test", callback), http.StatusNotFound, `{"error_code":"404","message":"User not found"}`)
		failed(t, send("jane@dev.test", callback+"/"), http.StatusBadRequest, `{"error_code":"400","message":"redirect_uri is not one of the allowed redirect URIs configured for this app"}`)
		failed(t, x.redeem(t, "otl_lc_x", nil), http.StatusBadRequest, badLink)

		path, _ := x.link(t, nil)
		code := x.press(t, path)
		failed(t, x.redeem(t, code, object{"session_id": "x"}), http.StatusBadRequest, `{"error_code":"400","message":"Session not found"}`)
		x.Clock.Advance(time.Minute)
		path, _ = x.link(t, nil)
		code = x.press(t, path)
		if err := x.Accounts.SetDisabled(t.Context(), x.jane.ID, true); err != nil {
			t.Fatal(err)
		}
		failed(t, x.redeem(t, code, nil), http.StatusBadRequest, `{"error_code":"400","message":"User not found"}`)

		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, x.client.ID); err != nil {
			t.Fatal(err)
		}
		failed(t, send("jane@dev.test", callback), http.StatusNotFound, `{"error_code":"404","message":"App not found"}`)
		failed(t, x.redeem(t, "x", nil), http.StatusUnauthorized, `{"message":"Invalid token","error_code":401}`)
		x.bearer += "x"
		failed(t, send("jane@dev.test", callback), http.StatusUnauthorized, `{"message":"Invalid token","error_code":401}`)
	})
}

// TestContract35_WhatASiteTakesNot: a channel that is off is a 403, nothing that is sent at all a 404 of the same word; whoever has no
// address, or no number, has none to send to.
func TestContract35_WhatASiteTakesNot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := func(channel, kind, who string) otltest.Reply {
			return x.post(t, "/v1/auth/otp/send", object{"channel": channel, "identifier_type": kind, "identifier": who})
		}
		const number = "+491705550177"
		x.post(t, "/v1/users", object{"phone_number": number}).Want(t, http.StatusCreated)
		failed(t, send("email", "phone_number", number), http.StatusNotFound, `{"error_code":"user_email_address_missing","message":"User email address is missing"}`)
		failed(t, send("sms", "email", "jane@dev.test"), http.StatusNotFound, `{"error_code":"user_phone_number_missing","message":"User phone number is missing"}`)
		for _, one := range []struct {
			ways   string
			status int
			text   string
		}{
			{"password sms_code", http.StatusForbidden, otl.ErrWay.Text},
			{"password link", http.StatusForbidden, otl.ErrWay.Text},
			{"password passkey", http.StatusNotFound, "People do not sign in to this site by anything that is sent to them: its owner has switched it off."},
		} {
			ways := strings.Fields(one.ways)
			if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{Ways: &ways}); err != nil {
				t.Fatal(err)
			}
			failed(t, send("email", "email", "jane@dev.test"), one.status, fmt.Sprintf(`{"error_code":"auth_login_preferences_missing","message":%q}`, one.text))
		}
		if n := len(x.Letters(t, "")); n != 0 {
			t.Errorf("%d letters", n)
		}
	})
}

// TestErrorsNameMembersOfThisWire: whatever is wrong with a value, the error names the member that it stood in. A destination
// that is none does not count as one message sent (OT-19).
func TestErrorsNameMembersOfThisWire(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := func(more object) object {
			body := object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}
			for member, value := range more {
				body[member] = value
			}
			return body
		}
		for _, c := range []struct {
			path, member string
			body         object
		}{
			{"/v1/auth/otp/send", "identifier", send(object{"identifier": "jane"})},
			{"/v1/auth/otp/send", "identifier", send(object{"identifier": "0170", "identifier_type": "phone_number"})},
			{"/v1/auth/otp/send", "identifier", send(object{"identifier": "a b", "identifier_type": "username"})},
			{"/v1/auth/otp/send", "custom_email", send(object{"custom_email": "nobody"})},
			{"/v1/auth/otp/send", "custom_phone_number", send(object{"channel": "sms", "custom_phone_number": "0170"})},
			{"/v1/auth/otp/authenticate", "identifier", send(object{"identifier": "jane", "passcode": "123456"})},
			{"/v1/auth/link/email/send", "identifier", send(object{"identifier": "jane", "redirect_uri": callback})},
			{"/v1/auth/link/email/send", "email", object{"email": "jane", "redirect_uri": callback}},
			{"/v1/auth/otp/sms", "phone_number", object{"phone_number": "0170", "redirect_uri": callback}},
			{"/v1/auth/otp/email", "email", object{"email": "jane", "redirect_uri": callback}},
			{"/v1/users", "phone_number", object{"phone_number": "0170"}},
			{"/v1/users", "language", object{"email": "new@dev.test", "language": "?"}},
			{"/v1/users", "email", object{"email": 7}},
			{"/v1/users", "name.first_name", object{"name": object{"first_name": 7}}},
		} {
			r := x.post(t, c.path, c.body)
			if r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), `"`+c.member+`: `) {
				t.Errorf("%s %v: %d %s", c.path, c.body, r.Status, r.Raw)
			}
		}
		x.post(t, "/v1/auth/otp/send", send(object{"custom_email": "other@dev.test"})).Want(t, http.StatusOK)
	}, func(o *node.Options) { o.Limits = true })
}
