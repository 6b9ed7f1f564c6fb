package transmit_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// addressed are the calls that name somebody by an address (contract 3.3, 3.5, 3.6, 3.8, 3.9).
func addressed(x *tenant, address string) []otltest.Call {
	who := func(more object) object {
		more["identifier_type"], more["identifier"] = "email", address
		return more
	}
	out := []otltest.Call{
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "email"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "sms"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "direct"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "email", "custom_email": "else@dev.test"})},
		{Path: "/v1/auth/otp/authenticate", Body: who(object{"passcode": "123456"})},
		{Path: "/v1/auth/link/email/send", Body: who(object{"redirect_uri": callback})},
		{Path: "/v1/auth/link/email/send", Body: object{"email": address, "redirect_uri": callback}},
		{Path: "/v1/auth/link/email/send", Body: who(object{"redirect_uri": callback, "channel": "direct"})},
		{Path: "/v1/auth/otp/email", Body: object{"email": address, "redirect_uri": callback}},
		{Path: "/v1/auth/links/email", Body: object{"email": address, "redirect_uri": callback}},
		{Path: "/v1/users/email/" + address},
		{Path: "/v1/users/identifier?identifier_name=email&identifier_value=" + url.QueryEscape(address)},
	}
	for i := range out {
		out[i].Bearer = x.bearer
	}
	return out
}

// did gives what a call answers and how much work it is, with a name that differs left out.
func did(t *testing.T, x *tenant, c otltest.Call, name string) string {
	t.Helper()
	before := x.Store.Stats()
	r := x.Do(t, c)
	after := x.Store.Stats()
	return fmt.Sprintf("%d %s, %d transactions, %d statements", r.Status, strings.ReplaceAll(string(r.Raw), name, "NAME"), after.Writes-before.Writes, after.Statements-before.Statements)
}

// TestD1_OT10_AnAddressThatASiteDoesNotSeeIsNobodys: each call that names somebody by an address gives the same answer, by as many
// statements and transactions, for one of the site's people who does not let it see his, for somebody elsewhere, and for nobody. Who
// lets the site see it is known to the calls (ADR 57).
func TestD1_OT10_AnAddressThatASiteDoesNotSeeIsNobodys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.Phone(t, x.jane, "+491705550170", true)
		x.Sees(t, x.jane, x.Notes.Site, otl.FieldName)
		for i, ask := range addressed(x, "") {
			did(t, x, addressed(x, "first@dev.test")[i], "") // the first of its kind finds fewer rows
			want := did(t, x, addressed(x, "nobody@dev.test")[i], "nobody@dev.test")
			if !strings.HasPrefix(want, "404 ") && !strings.HasPrefix(want, "400 ") && !strings.HasPrefix(want, "403 ") {
				t.Errorf("%s %v: nobody is %s", ask.Path, ask.Body, want)
			}
			for _, address := range []string{x.jane.Email.Address, "shopper@dev.test"} {
				if got := did(t, x, addressed(x, address)[i], address); got != want {
					t.Errorf("%s %v: of %s\n%s\nof nobody\n%s", ask.Path, ask.Body, address, got, want)
				}
			}
		}
		if l := x.Letters(t, ""); len(l) != 0 {
			t.Errorf("sent: %+v", l)
		}
		x.Sees(t, x.jane, x.Notes.Site, otl.FieldEmail, otl.FieldPhone)
		for i, ask := range addressed(x, x.jane.Email.Address) {
			x.Clock.Advance(time.Minute)
			if r := x.Do(t, ask); r.Status != http.StatusOK && !strings.Contains(ask.Path, "/authenticate") {
				t.Errorf("%d %s, that it sees: %d %s", i, ask.Path, r.Status, r.Raw)
			}
		}
	})
}

// TestD1_WhatIsHiddenIsAsMissing as what is not there: a code to somebody whom the site names by his id or his username goes to no
// address and no number that it does not see, and the answer is that of somebody who has none.
func TestD1_WhatIsHiddenIsAsMissing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		has := x.made(t, object{"email": "has@dev.test", "phone_number": "+491705550171", "username": "has"})
		lacks := x.made(t, object{"username": "lacks"})
		for _, id := range []string{has, lacks} {
			u, err := x.Accounts.Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			x.Sees(t, u, x.Notes.Site, otl.FieldUsername)
		}
		names := map[string][2]string{"user_id": {has, lacks}, "username": {"has", "lacks"}}
		words := map[string]string{"email": "user_email_address_missing", "sms": "user_phone_number_missing"}
		for kind, two := range names {
			for channel, word := range words {
				var said [2]string
				for i, name := range two {
					said[i] = did(t, x, otltest.Call{Path: "/v1/auth/otp/send", Bearer: x.bearer, Body: object{"channel": channel, "identifier_type": kind, "identifier": name}}, name)
				}
				if said[0] != said[1] || !strings.HasPrefix(said[0], "404 ") || !strings.Contains(said[0], word) {
					t.Errorf("%s by %s: who hides it\n%s\nwho has none\n%s", channel, kind, said[0], said[1])
				}
			}
			for _, name := range two {
				failed(t, x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": callback, "identifier_type": kind, "identifier": name}), http.StatusNotFound, `{"error_code":"404","message":"User not found"}`)
			}
		}
		if l := x.Letters(t, ""); len(l) != 0 {
			t.Errorf("sent: %+v", l)
		}
		u, err := x.Accounts.Find(t.Context(), has)
		if err != nil {
			t.Fatal(err)
		}
		x.Sees(t, u, x.Notes.Site, otl.FieldPhone, otl.FieldEmail)
		for channel := range words {
			x.Clock.Advance(time.Minute)
			x.post(t, "/v1/auth/otp/send", object{"channel": channel, "identifier_type": "user_id", "identifier": has}).Want(t, http.StatusOK)
		}
	})
}

// TestD1_WhoHidesHisAddressComesByIt all the same where the client may have people created: the site is told no more than of somebody
// whom it has never seen, until he has entered the code.
func TestD1_WhoHidesHisAddressComesByIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		x.Sees(t, x.jane, x.Notes.Site, otl.FieldName)
		address := x.jane.Email.Address
		x.post(t, "/v1/auth/otp/email", object{"email": address, "redirect_uri": callback, "create_new_user": true}).Want(t, http.StatusOK)
		to := x.enter(t, "/v1/auth/otp/email/validation", object{"email": address, "passcode": x.Letters(t, address)[0].Code})
		r := x.Do(t, otltest.Call{Path: "/v1/token", Body: object{"code": to.Query().Get("code"), "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}}).Want(t, http.StatusOK)
		if c := x.claims(t, r.Text("id_token")); c["sub"] != x.jane.ID || c["email"] != nil {
			t.Errorf("%v", c)
		}
	})
}
