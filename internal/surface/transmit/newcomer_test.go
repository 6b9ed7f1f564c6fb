package transmit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	linkSent   = `{"message":"Email sent successfully"}`
	noSuchUser = `{"error_code":"404","message":"User not found"}`
	goneUser   = `{"error_code":"400","message":"User not found"}`
	noSignUp   = `{"error_code":"403","message":"Public signup is not allowed for this application"}`
)

// inviter is a tenant whose client sends links to whom its site does not know.
type inviter struct{ *tenant }

func newcomers(t *testing.T, test func(*testing.T, *inviter), change ...func(*node.Options)) {
	t.Helper()
	each(t, func(t *testing.T, x *tenant) { test(t, &inviter{x}) }, change...)
}

// inviting makes the client one whose links are sign-ups, or with the switches as they are given.
func (x *inviter) inviting(t *testing.T, change ...func(*site.NewClient)) {
	t.Helper()
	calledBy(t, x.tenant, site.NewClient{Name: "inviting", SignUp: true, AutoCreate: true}, change...)
}

// invite sends a link to an address and gives it.
func (x *inviter) invite(t *testing.T, address string, more object) otltest.Reply {
	t.Helper()
	body := object{"redirect_uri": callback, "email": address, "state": "a b&c"}
	for k, v := range more {
		body[k] = v
	}
	return x.post(t, "/cis/v1/auth/link/email/send", body)
}

// invited is the link of the mail that came to an address, which has no code beside it.
func (x *inviter) invited(t *testing.T, address string) string {
	t.Helper()
	l := x.Newest(t, address)
	if l.Code != "" || !strings.HasPrefix(l.Link, otltest.Issuer+"/l/otl_ln_") || !strings.Contains(l.Text, l.Link) {
		t.Fatalf("%+v", l)
	}
	return strings.TrimPrefix(l.Link, otltest.Issuer)
}

// comes sends a link to an address, presses its button and gives the code that it leads to.
func (x *inviter) comes(t *testing.T, address string, more object) string {
	t.Helper()
	x.invite(t, address, more).Want(t, http.StatusOK)
	return x.press(t, x.invited(t, address))
}

// nobody fails the test where somebody has an address.
func (x *inviter) nobody(t *testing.T, when, address string) {
	t.Helper()
	if u, err := x.Store.Read.Users.ByEmail(t.Context(), address); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s there is %+v, %v", when, u, err)
	}
}

// TestContract33_PublicSignup is row C4: what link/email/send answers for whoever the site does not know, by both
// switches of the client, both ways to name him and both channels.
func TestContract33_PublicSignup(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		one := func(more object) object {
			b := object{"redirect_uri": callback}
			for k, v := range more {
				b[k] = v
			}
			return b
		}
		email := one(object{"email": "fresh@dev.test"})
		named := one(object{"identifier_type": "email", "identifier": "fresh@dev.test"})
		for _, c := range []struct {
			signUp, auto bool
			body         object
			status       int
			want         string
		}{
			{false, false, email, 404, noSuchUser},
			{false, false, named, 404, noSuchUser},
			{true, false, email, 404, noSuchUser},
			{true, false, named, 404, noSuchUser},
			{false, true, email, 403, noSignUp},
			{false, true, named, 404, noSuchUser},
			{false, true, one(object{"email": "fresh@dev.test", "channel": "direct"}), 404, noSuchUser},
			{true, true, email, 200, linkSent},
			{true, true, named, 200, linkSent},
			// Who is handed a link has not shown that an address is his, and nothing else is one.
			{true, true, one(object{"email": "fresh@dev.test", "channel": "direct"}), 404, noSuchUser},
			{true, true, one(object{"identifier_type": "phone_number", "identifier": "+491705550199"}), 404, noSuchUser},
			{true, true, one(object{"identifier_type": "username", "identifier": "fresh"}), 404, noSuchUser},
			{true, true, one(object{"identifier_type": "user_id", "identifier": secret.NewID(x.Clock.Now())}), 404, noSuchUser},
			{true, true, one(object{"identifier_type": "loyalty_card", "identifier": "7"}), 404, noSuchUser},
			// Its people are sent theirs, and told of, as ever.
			{true, true, one(object{"email": "jane@dev.test"}), 200, linkSent},
			{false, true, one(object{"email": "jane@dev.test"}), 200, linkSent},
		} {
			x.inviting(t, func(n *site.NewClient) { n.SignUp, n.AutoCreate = c.signUp, c.auto })
			for _, prefix := range []string{"", "/cis"} {
				failed(t, x.post(t, prefix+"/v1/auth/link/email/send", c.body), c.status, c.want)
			}
		}
		if n := len(x.Letters(t, "fresh@dev.test")); n != 4 {
			t.Errorf("%d letters", n)
		}
		x.nobody(t, "before anybody has come", "fresh@dev.test")
		// Nor does anything else of this wire send for nobody.
		x.inviting(t)
		x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": "fresh@dev.test"}).Want(t, http.StatusNotFound)
		x.post(t, "/v1/auth/otp/email", object{"email": "fresh@dev.test", "redirect_uri": callback}).Want(t, http.StatusNotFound)
		x.post(t, "/v1/auth/links/email", object{"email": "fresh@dev.test", "redirect_uri": callback}).Want(t, http.StatusNotFound)
	})
}

// TestContract34_WhoOpensALinkIsCreated once the client redeems the code it led to, with his address proven, and not
// before.
func TestContract34_WhoOpensALinkIsCreated(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		x.invite(t, "Fresh@dev.test", object{"email_content": object{"subject": "Join us", "bodyText": "Your notes wait."}}).Want(t, http.StatusOK)
		if l := x.Newest(t, "fresh@dev.test"); l.Subject != "Join us" || !strings.Contains(l.Text, "Your notes wait.") {
			t.Errorf("%+v", l)
		}
		path := x.invited(t, "fresh@dev.test")
		x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusOK)
		got := x.press(t, path)
		x.nobody(t, "before the code is redeemed", "fresh@dev.test")
		r := x.redeem(t, got, object{"claims": object{"id_token": object{"email": nil, "email_verified": nil}}}).Want(t, http.StatusOK)
		id := x.claims(t, r.Text("id_token"))
		if fmt.Sprint(id["amr"]) != "[eml]" || id["email"] != "fresh@dev.test" || id["email_verified"] != true || r.Text("refresh_token") == "" || r.Text("session_id") == "" || r.JSON["status"] != nil {
			t.Errorf("%v %s", id, r.Raw)
		}
		u, err := x.Accounts.Find(t.Context(), "fresh@dev.test")
		if err != nil || u.ID != id["sub"] || u.EmailVerifiedAt.IsZero() || u.CreatedBy != x.Notes.Site.ID || u.LastLoginAt.IsZero() {
			t.Errorf("%+v %v", u, err)
		}
		all, err := x.Store.Read.Events.List(t.Context(), u.ID, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range all {
			types = append(types, string(e.Type))
			if e.Type == otl.EventUserCreated && (e.Data[otl.DataSource] != "register" || e.SiteID != x.Notes.Site.ID || e.By.ID != x.client.ID) {
				t.Errorf("%+v", e)
			}
		}
		for _, want := range []otl.EventType{otl.EventUserCreated, otl.EventUserUpdated, otl.EventSessionCreated} {
			if !slices.Contains(types, string(want)) {
				t.Errorf("no %s among %v", want, types)
			}
		}
		x.Do(t, otltest.Call{Path: "/v1/users/" + u.ID, Bearer: x.bearer}).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path}).Want(t, http.StatusGone)
		// He is one of the site's people from then on, and his link has a code beside it.
		x.Clock.Advance(time.Minute)
		x.invite(t, "fresh@dev.test", nil).Want(t, http.StatusOK)
		if l := x.Newest(t, "fresh@dev.test"); l.Code == "" {
			t.Errorf("%+v", l)
		}
		// A code that comes again ends the session that it opened (OA-05).
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		x.post(t, "/v1/auth/session/authenticate", object{"session_id": r.Text("session_id")}).Want(t, http.StatusBadRequest)
	})
}

// TestContract38_ACodeOfASignUpIsRedeemedWhereOthersAre: at /oidc/token and /v1/token, which says that he is new.
func TestContract38_ACodeOfASignUpIsRedeemedWhereOthersAre(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		for address, created := range map[string]bool{"one@dev.test": true, "shopper@dev.test": false} {
			body := object{"code": x.comes(t, address, nil), "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}
			if r := x.Do(t, otltest.Call{Path: "/v1/token", Body: body}).Want(t, http.StatusOK); r.JSON["is_user_created"] != created {
				t.Errorf("%s: %s", address, r.Raw)
			}
		}
		if id := x.claims(t, x.grant(t, x.comes(t, "two@dev.test", nil), url.Values{"redirect_uri": {callback}}).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[eml]" {
			t.Errorf("%v", id)
		}
	})
}

// TestD1_OT10_ALinkToWhomTheSiteDoesNotKnowTellsNothing: nobody, somebody elsewhere, who hides his address from the site, who
// is disabled elsewhere, and who left: one answer, one mail, as many statements and rows. What becomes of it shows to who presses.
func TestD1_OT10_ALinkToWhomTheSiteDoesNotKnowTellsNothing(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		shopper := x.Person(t, "shopper@dev.test", x.Shop.Site)
		hides := x.Person(t, "hides@dev.test", x.Notes.Site)
		x.Sees(t, hides, x.Notes.Site, otl.FieldName)
		out := x.Person(t, "out@dev.test", x.Shop.Site)
		if err := x.Accounts.SetDisabled(t.Context(), out.ID, true); err != nil {
			t.Fatal(err)
		}
		left := x.Person(t, "left@dev.test", x.Notes.Site)
		if err := x.Accounts.Leave(t.Context(), x.Notes.Site.ID, left.ID); err != nil {
			t.Fatal(err)
		}
		send := func(address string) string {
			return did(t, x.tenant, otltest.Call{Path: "/v1/auth/link/email/send", Bearer: x.bearer, Body: object{"email": address, "redirect_uri": callback, "state": "a b&c"}}, address)
		}
		send("first@dev.test")
		want := send("fresh@dev.test")
		if !strings.HasPrefix(want, "200 ") {
			t.Fatal(want)
		}
		mail := strings.ReplaceAll(x.Newest(t, "fresh@dev.test").Text, x.invited(t, "fresh@dev.test"), "LINK")
		for address, sub := range map[string]string{"shopper@dev.test": shopper.ID, "hides@dev.test": hides.ID, "out@dev.test": "", "left@dev.test": left.ID} {
			if got := send(address); got != want {
				t.Errorf("%s\n%s\nnobody\n%s", address, got, want)
			}
			path := x.invited(t, address)
			if got := strings.ReplaceAll(x.Newest(t, address).Text, path, "LINK"); strings.ReplaceAll(got, address, "fresh@dev.test") != mail {
				t.Errorf("%s\n%s\nnobody\n%s", address, got, mail)
			}
			if r := x.Do(t, otltest.Call{Path: "/v1/users/email/" + address, Bearer: x.bearer}); r.Status != http.StatusNotFound {
				t.Errorf("%s before he pressed: %s", address, r.Raw)
			}
			code := x.press(t, path)
			if sub == "" {
				failed(t, x.redeem(t, code, nil), http.StatusBadRequest, goneUser)
				continue
			}
			id := x.claims(t, x.redeem(t, code, object{"claims": object{"id_token": object{"email": nil}}}).Want(t, http.StatusOK).Text("id_token"))
			if id["sub"] != sub || (id["email"] == nil) != (sub == hides.ID) {
				t.Errorf("%s: %v", address, id)
			}
		}
		// Whom the site disabled itself it is told of, unless it does not see his address.
		joe := x.made(t, object{"email": "joe@dev.test"})
		x.put(t, "/v1/users/"+joe, object{"status": "Disabled"}).Want(t, http.StatusOK)
		failed(t, x.invite(t, "joe@dev.test", nil), http.StatusForbidden, `{"error_code":"403","message":"User is not active"}`)
		u, err := x.Accounts.Find(t.Context(), joe)
		if err != nil {
			t.Fatal(err)
		}
		x.Sees(t, u, x.Notes.Site, otl.FieldName)
		failed(t, x.redeem(t, x.comes(t, "joe@dev.test", nil), nil), http.StatusBadRequest, goneUser)
	})
}

// TestOT16_AnAccountThatWasPlantedIsWhoeverHoldsTheAddress: somebody registers with the address between send and press, by
// another door or another site; what he planted goes with the proof.
func TestOT16_AnAccountThatWasPlantedIsWhoeverHoldsTheAddress(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		for n, where := range []site.Registered{x.Notes, x.Shop} {
			address := fmt.Sprintf("victim%d@dev.test", n)
			x.invite(t, address, nil).Want(t, http.StatusOK)
			path := x.invited(t, address)
			planted := x.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: where.Key, Body: object{"email": address, "password": otltest.Password}}).Want(t, http.StatusCreated)
			id := x.claims(t, x.redeem(t, x.press(t, path), object{"claims": object{"id_token": object{"email_verified": nil}}}).Want(t, http.StatusOK).Text("id_token"))
			if u, err := x.Accounts.Find(t.Context(), address); err != nil || id["sub"] != u.ID || id["email_verified"] != true {
				t.Errorf("%v %v", id, err)
			}
			x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: where.Key, Body: object{"email": address, "password": otltest.Password}}).Want(t, http.StatusUnauthorized)
			x.Do(t, otltest.Call{Path: "/api/v1/auth/refresh", Key: where.Key, Body: object{"refresh_token": planted.Text("refresh_token")}}).Want(t, http.StatusUnauthorized)
		}
	})
}

// TestContract33_WhatWasSwitchedOffAddsNobody: neither switch, nor the client, may be gone when the code is redeemed; whoever has
// joined the site meanwhile gets in.
func TestContract33_WhatWasSwitchedOffAddsNobody(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		off, on := false, true
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.inviting(t)
		for name, c := range map[string][2]site.ClientChange{
			"allow_signup": {{SignUp: &off}, {SignUp: &on}}, "auto_create": {{AutoCreate: &off}, {AutoCreate: &on}},
		} {
			for _, address := range []string{"fresh@dev.test", "shopper@dev.test"} {
				x.Clock.Advance(time.Minute)
				got := x.comes(t, address, nil)
				if _, err := x.Clients.Update(t.Context(), x.Notes.Site.ID, x.client.ID, c[0]); err != nil {
					t.Fatal(err)
				}
				failed(t, x.redeem(t, got, nil), http.StatusBadRequest, goneUser)
				if r := x.grant(t, got, nil); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_grant" {
					t.Errorf("%s, %s: %d %s", name, address, r.Status, r.Raw)
				}
				if _, err := x.Clients.Update(t.Context(), x.Notes.Site.ID, x.client.ID, c[1]); err != nil {
					t.Fatal(err)
				}
			}
		}
		x.nobody(t, "with the switches off", "fresh@dev.test")
		got := x.comes(t, "member@dev.test", nil)
		x.made(t, object{"email": "member@dev.test"})
		if _, err := x.Clients.Update(t.Context(), x.Notes.Site.ID, x.client.ID, site.ClientChange{SignUp: &off, AutoCreate: &off}); err != nil {
			t.Fatal(err)
		}
		x.redeem(t, got, nil).Want(t, http.StatusOK)
		x.inviting(t)
		got = x.comes(t, "late@dev.test", nil)
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, x.client.ID); err != nil {
			t.Fatal(err)
		}
		x.redeem(t, got, nil).Want(t, http.StatusUnauthorized)
		x.nobody(t, "of a client that was revoked", "late@dev.test")
	})
}

// TestContract34_ASignUpIsBoundAsOthersAre: to its request id, its client and the address it leads to; and to no session that is
// somebody else's. What is refused adds nobody, and leaves the code as good as it was.
func TestContract34_ASignUpIsBoundAsOthersAre(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		sent := x.invite(t, "fresh@dev.test", object{"generate_request_id": true}).Want(t, http.StatusOK)
		request := sent.Text("request_id")
		if !strings.HasPrefix(request, "otl_rq_") || len(sent.JSON) != 2 {
			t.Errorf("%s", sent.Raw)
		}
		got := x.press(t, x.invited(t, "fresh@dev.test"))
		for _, more := range []object{nil, {"request_id": "otl_rq_x"}, {"request_id": request + "x"}} {
			failed(t, x.redeem(t, got, more), http.StatusBadRequest, badLink)
		}
		jane := x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		for _, of := range []string{jane.Text("session_id"), "x"} {
			failed(t, x.redeem(t, got, object{"request_id": request, "session_id": of}), http.StatusBadRequest, `{"error_code":"400","message":"Session not found"}`)
		}
		if r := x.grant(t, got, url.Values{"redirect_uri": {callback}}); r.Text("error") != "invalid_grant" {
			t.Errorf("%s", r.Raw)
		}
		mine, bearer := x.client, x.bearer
		x.inviting(t)
		failed(t, x.redeem(t, got, object{"request_id": request}), http.StatusBadRequest, badLink)
		x.client, x.bearer = mine, bearer
		x.nobody(t, "after what was refused", "fresh@dev.test")
		x.redeem(t, got, object{"request_id": request}).Want(t, http.StatusOK)
		got = x.comes(t, "slow@dev.test", nil)
		x.Clock.Advance(time.Minute) // OT-15
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, badLink)
		x.invite(t, "slow@dev.test", object{"email_expiration": 1}).Want(t, http.StatusOK)
		path := x.invited(t, "slow@dev.test")
		x.Clock.Advance(time.Minute)
		x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusGone)
		// Whoever did not ask for it says so.
		x.invite(t, "slow@dev.test", nil).Want(t, http.StatusOK)
		path = x.invited(t, "slow@dev.test")
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path + "/deny"}).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: path}).Want(t, http.StatusGone)
		x.nobody(t, "in the end", "slow@dev.test")
	})
}

// TestOT04_PW13_ALinkToNobodyIsReplacedByItsOwnKind alone: what strangers ask for elsewhere in the name of the address, where it
// only seems to be sent, leaves it as good as it was, and so do guesses.
func TestOT04_PW13_ALinkToNobodyIsReplacedByItsOwnKind(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		x.invite(t, "fresh@dev.test", nil).Want(t, http.StatusOK)
		first := x.invited(t, "fresh@dev.test")
		x.Clock.Advance(2 * time.Minute)
		x.Inbox.Empty()
		x.invite(t, "fresh@dev.test", nil).Want(t, http.StatusOK)
		second := x.invited(t, "fresh@dev.test")
		x.Clock.Advance(time.Minute) // mails cross for so long
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: first}).Want(t, http.StatusGone)
		native := func(path string, body object) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/api/v1/auth" + path, Key: x.Notes.Key, Body: body})
		}
		native("/otp/send", object{"email": "fresh@dev.test"}).Want(t, http.StatusAccepted)
		native("/link/send", object{"email": "fresh@dev.test", "callback_url": x.Notes.Site.CallbackURLs[0]}).Want(t, http.StatusAccepted)
		for range 6 {
			native("/otp/verify", object{"email": "fresh@dev.test", "code": "000000"})
			x.post(t, "/v1/auth/otp/authenticate", object{"passcode": "000000", "identifier_type": "email", "identifier": "fresh@dev.test"}).Want(t, http.StatusBadRequest)
		}
		x.redeem(t, x.press(t, second), nil).Want(t, http.StatusOK)
	})
}

// TestD1_NoMachineAddsAnybody: a client whose links have no page has one for whoever the site does not know. Scanners of mails
// follow links, and the site would learn by them who somebody is.
func TestD1_NoMachineAddsAnybody(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t, func(n *site.NewClient) { n.LinkConfirm = "never" })
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		for _, address := range []string{"fresh@dev.test", "shopper@dev.test"} {
			x.invite(t, address, nil).Want(t, http.StatusOK)
			path := x.invited(t, address)
			for range 2 {
				x.Do(t, otltest.Call{Path: path}).Want(t, http.StatusOK)
			}
			x.redeem(t, x.press(t, path), nil).Want(t, http.StatusOK)
		}
		x.Proven(t, x.jane)
		x.invite(t, "jane@dev.test", nil).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: strings.TrimPrefix(x.Newest(t, "jane@dev.test").Link, otltest.Issuer)}).Want(t, http.StatusSeeOther)
	})
}

// TestOT19_StrangersAreMailedAtTheRatesOfOthers: the address, the household and the site are counted; and who comes is, with those
// who register.
func TestOT19_StrangersAreMailedAtTheRatesOfOthers(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		x.invite(t, "fresh@dev.test", nil).Want(t, http.StatusOK)
		if r := x.invite(t, "FRESH@dev.test", nil).Want(t, http.StatusTooManyRequests); r.Header.Get("Retry-After") == "" {
			t.Errorf("%v", r.Header)
		}
		x.Clock.Advance(limit.Sends[0].Per)
		x.invite(t, "fresh@dev.test", nil).Want(t, http.StatusOK)
		x.invite(t, "third@dev.test", nil).Want(t, http.StatusOK)
		x.invite(t, "fourth@dev.test", nil).Want(t, http.StatusTooManyRequests) // the site's for the day
		if n := len(x.Letters(t, "fourth@dev.test")); n != 0 {
			t.Errorf("%d letters", n)
		}
		got := x.press(t, x.invited(t, "third@dev.test"))
		for range 20 {
			if err := x.Limits.Take(t.Context(), limit.Use{Rate: limit.Register, By: []string{x.Notes.Site.ID}}); err != nil {
				t.Fatal(err)
			}
		}
		x.redeem(t, got, nil).Want(t, http.StatusTooManyRequests)
		x.nobody(t, "beyond the rate", "third@dev.test")
		x.Clock.Advance(10 * time.Second)
		x.redeem(t, got, nil).Want(t, http.StatusOK)
	}, func(o *node.Options) { o.Limits, o.Mail.PerDay = true, 3 })
}

// TestMN01_OfManyWhoComeWithOneAddressOneIsAdded: at two sites and by two clients at once; all are let in as him.
func TestMN01_OfManyWhoComeWithOneAddressOneIsAdded(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		type comer struct {
			bearer, code string
		}
		var all []comer
		for _, of := range []string{x.Notes.Site.ID, x.Shop.Site.ID} {
			made, err := x.Clients.Create(t.Context(), of, site.NewClient{Name: "c", RedirectURIs: []string{callback}, SignUp: true, AutoCreate: true})
			if err != nil {
				t.Fatal(err)
			}
			x.client = made
			x.bearer = x.token(t, nil).Text("access_token")
			x.Inbox.Empty()
			all = append(all, comer{x.bearer, x.comes(t, "fresh@dev.test", nil)})
		}
		subs := make(chan string, 40)
		var wait sync.WaitGroup
		for i := range 40 {
			one := all[i%len(all)]
			wait.Go(func() {
				r := x.Do(t, otltest.Call{Path: "/v1/auth/link/email/authenticate", Bearer: one.bearer, Body: object{"code": one.code}})
				switch r.Status {
				case http.StatusOK:
					subs <- x.claims(t, r.Text("id_token"))["sub"].(string)
				case http.StatusBadRequest:
				default:
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		wait.Wait()
		close(subs)
		var who []string
		for sub := range subs {
			who = append(who, sub)
		}
		if len(who) != 2 || who[0] != who[1] {
			t.Errorf("let in as %v", who)
		}
	})
}

// TestMN01_WhoeverComesFirstIsWhoAllAre: where another transaction adds somebody with the address at the moment the code is
// redeemed, that is who comes in, and what was planted goes; nobody comes in by an address that somebody may still have back (OT-17).
func TestMN01_WhoeverComesFirstIsWhoAllAre(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		if x.Engine == otltest.Postgres { // SQLite has one writer
			got := x.comes(t, "fresh@dev.test", nil)
			now := x.Clock.Now()
			u := otl.User{ID: secret.NewID(now), Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: now, UpdatedAt: now, Email: otl.Email{Address: "fresh@dev.test", Key: "fresh@dev.test"}}
			x.Between(t, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Users.Insert(ctx, u)
				return err
			}, func() {
				if id := x.claims(t, x.redeem(t, got, nil).Want(t, http.StatusOK).Text("id_token")); id["sub"] != u.ID {
					t.Errorf("%v, not %s", id, u.ID)
				}
			})
		}
		got, now := x.comes(t, "back@dev.test", nil), x.Clock.Now()
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Tickets.Insert(ctx, otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeUndo, UserID: x.jane.ID, Slot: "back@dev.test", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, secret.Digest("undo"), nil)
		}); err != nil {
			t.Fatal(err)
		}
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, goneUser)
		x.nobody(t, "while somebody may have it back", "back@dev.test")
	})
}

// TestOT19_WhoIsThereAlreadyDoesNotCount: somebody was faster with the address, and whoever comes by the code is him. It is no
// registration, and goes on where no more of them may be.
func TestOT19_WhoIsThereAlreadyDoesNotCount(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		add := func(address string) error {
			return x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := account.Newcomers{Accounts: x.Accounts}.Of(x.Notes.Site)(ctx, tx, address)
				if otl.Is(err, otl.ErrEmailTaken.Code) {
					return nil // as where he is looked for again in the same transaction
				}
				return err
			})
		}
		for n := range 20 {
			for _, address := range []string{"jane@dev.test", fmt.Sprintf("fresh%d@dev.test", n)} {
				if err := add(address); err != nil {
					t.Fatalf("%s: %v", address, err)
				}
			}
		}
		if err := add("late@dev.test"); otl.As(err).Kind != otl.Limited {
			t.Errorf("one more: %v", err)
		}
		x.nobody(t, "beyond the rate", "late@dev.test")
	}, func(o *node.Options) { o.Limits = true })
}
