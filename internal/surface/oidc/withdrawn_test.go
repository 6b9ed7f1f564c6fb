package oidc_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestPR06_WithdrawalReachesUserInfo: and the next ID token; what was shown before is in
// the ledger, by the fields that were.
func TestPR06_WithdrawalReachesUserInfo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		code := func() string { return x.signIn(t, x.ask(x.client, nil)).Get("code") }
		tokens := x.exchange(t, x.client, code(), nil).Want(t, http.StatusOK)
		info := func(r otltest.Reply) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		}
		if info(tokens).Text("name") != "Jane Doe" || x.claims(t, tokens.Text("id_token"))["name"] != "Jane Doe" {
			t.Fatalf("before: %s", tokens.Raw)
		}
		shown := func(f otl.Field) (n int64) {
			all, err := x.Ledger.Of(t.Context(), x.jane.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				if r.SiteID == x.Notes.Site.ID && r.Fields.Has(f) {
					n += r.Times
				}
			}
			return n
		}
		names, mails := shown(otl.FieldName), shown(otl.FieldEmail)
		if names < 2 || mails != names || shown(otl.FieldPhone) != 0 {
			t.Errorf("the name was shown %d times, the address %d", names, mails)
		}
		if err := (account.Consents{Accounts: x.Accounts}).Limit(t.Context(), x.jane.ID, x.Notes.Site.ID, otl.Fields{otl.FieldEmail}); err != nil {
			t.Fatal(err)
		}
		if got := info(tokens); got.JSON["name"] != nil || got.Text("email") != jane {
			t.Errorf("userinfo afterwards: %s", got.Raw)
		}
		again := x.exchange(t, x.client, code(), nil).Want(t, http.StatusOK)
		if c := x.claims(t, again.Text("id_token")); c["name"] != nil || c["email"] != jane {
			t.Errorf("the ID token afterwards: %v", c)
		}
		if n := shown(otl.FieldName); n != names {
			t.Errorf("the name was shown %d times more", n-names)
		}
		if n := shown(otl.FieldEmail); n <= mails {
			t.Errorf("the address was shown %d times, %d before", n, mails)
		}
	})
}

// TestPR06_AClientOfOpenIDAloneIsShownNobody: the ledger tells of no field where a client asked
// for who somebody is and nothing of him, by whichever call: no token of ours is made that nobody gets.
func TestPR06_AClientOfOpenIDAloneIsShownNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, map[string]string{"scope": "openid"})).Get("code"), nil).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		r = x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		x.call(t, x.client, "/v1/auth/password/authenticate", map[string]any{"username": jane, "password": otltest.Password}).Want(t, http.StatusOK)
		named := map[string]any{"identifier_type": "email", "identifier": jane, "channel": "email"}
		x.call(t, x.client, "/v1/auth/otp/send", named).Want(t, http.StatusOK)
		delete(named, "channel")
		named["passcode"] = x.Newest(t, jane).Code
		x.call(t, x.client, "/v1/auth/otp/authenticate", named).Want(t, http.StatusOK)
		all, err := x.Ledger.Of(t.Context(), x.jane.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			if one.SiteID == x.Notes.Site.ID && len(one.Fields) > 0 {
				t.Errorf("%s were shown %d times", one.Fields, one.Times)
			}
		}
	})
}
