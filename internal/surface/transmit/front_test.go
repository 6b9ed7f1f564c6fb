package transmit_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// welcoming makes the client one that may have people created.
func (x *tenant) welcoming(t *testing.T, change ...func(*site.NewClient)) {
	t.Helper()
	calledBy(t, x, site.NewClient{Name: "front", Resources: []string{"https://api.notes.test"}, SignUp: true}, change...)
}

// calledBy has calls made by a client of its own, with all scopes and the usual address.
func calledBy(t *testing.T, x *tenant, n site.NewClient, change ...func(*site.NewClient)) {
	t.Helper()
	n.Scopes, n.RedirectURIs = otl.AllScopes(), []string{callback}
	for _, c := range change {
		c(&n)
	}
	made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, n)
	if err != nil {
		t.Fatal(err)
	}
	x.client = made
	x.bearer = x.token(t, nil).Text("access_token")
}

// enter validates a code and gives where the result leads.
func (x *tenant) enter(t *testing.T, path string, body object) *url.URL {
	t.Helper()
	result := x.post(t, path, body).Want(t, http.StatusOK).Text("result")
	at, ok := strings.CutPrefix(result, otltest.Issuer)
	if !ok {
		t.Fatal(result)
	}
	to, err := url.Parse(x.Do(t, otltest.Call{Path: at}).Want(t, http.StatusSeeOther).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// grant redeems a code at the token endpoint.
func (x *tenant) grant(t *testing.T, code string, more url.Values) otltest.Reply {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}}
	for k, v := range more {
		form[k] = v
	}
	return x.token(t, form)
}

// TestFrontCodes is the mail half of contract 3.8, with the exchange at /oidc/token.
func TestFrontCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := object{
			"email": "jane@dev.test", "redirect_uri": callback, "approval_data": object{"a": "1"}, "resource": "https://api.notes.test",
			"claims": object{"id_token": object{"email": nil}},
		}
		failed(t, x.post(t, "/cis/v1/auth/otp/email", send), http.StatusOK, `{"message":"OTP email sent","approval_data":{"a":"1"}}`)
		code := x.Newest(t, "jane@dev.test").Code
		if r := x.post(t, "/v1/auth/otp/email/validation", object{"email": "jane@dev.test", "passcode": wrong(code)}); r.Status != http.StatusBadRequest || fmt.Sprint(r.JSON["message"]) != "[The code is wrong, was used already or has expired.]" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		mine, bearer := x.client, x.bearer
		calledBy(t, x, site.NewClient{Name: "other"})
		x.post(t, "/v1/auth/otp/email/validation", object{"email": "jane@dev.test", "passcode": code}).Want(t, http.StatusBadRequest)
		x.client, x.bearer = mine, bearer // whose code it is
		to := x.enter(t, "/v1/auth/otp/email/validation", object{"email": "jane@dev.test", "passcode": code, "nonce": "n-1"})
		if !strings.HasPrefix(to.String(), callback+"?code=otl_lc_") {
			t.Fatal(to)
		}
		got := to.Query().Get("code")
		// Of another address, another client or nobody it is no code, and stays good.
		if r := x.grant(t, got, url.Values{"redirect_uri": {callback + "/"}}); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_grant" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		mine = x.client
		x.welcoming(t)
		if r := x.grant(t, got, nil); r.Text("error") != "invalid_grant" {
			t.Errorf("another client: %d %s", r.Status, r.Raw)
		}
		x.client = mine
		r := x.grant(t, got, url.Values{"redirect_uri": {callback}}).Want(t, http.StatusOK)
		id, access := x.claims(t, r.Text("id_token")), x.claims(t, r.Text("access_token"))
		if id["sub"] != x.jane.ID || id["nonce"] != "n-1" || fmt.Sprint(id["amr"], id["approval_data"]) != "[eotp] map[a:1]" || id["email"] != "jane@dev.test" || access["aud"] != "https://api.notes.test" {
			t.Errorf("%v %v", id, access)
		}
		again := x.token(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}).Want(t, http.StatusOK)
		if again.Text("session_id") != r.Text("session_id") || again.Text("refresh_token") == r.Text("refresh_token") {
			t.Errorf("%s", again.Raw)
		}
		if r := x.grant(t, got, nil); r.Text("error") != "invalid_grant" {
			t.Errorf("a second time: %d %s", r.Status, r.Raw)
		}
		if r := x.token(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.Text("refresh_token")}}); r.Text("error") != "invalid_grant" {
			t.Errorf("OA-05: a session whose code was presented again: %d %s", r.Status, r.Raw)
		}
		if r := x.token(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}); r.Status != http.StatusBadRequest || r.Text("error") != "invalid_grant" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	})
}

// TestFrontIDToken: the result can bring the ID token itself, behind "#", and is used
// up by that.
func TestFrontIDToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.post(t, "/v1/auth/otp/email", object{"email": "jane@dev.test", "redirect_uri": callback}).Want(t, http.StatusOK)
		result := x.post(t, "/v1/auth/otp/email/validation", object{
			"email": "jane@dev.test", "passcode": x.Newest(t, "jane@dev.test").Code, "response_type": "id_token", "nonce": "n-2",
		}).Want(t, http.StatusOK).Text("result")
		at := strings.TrimPrefix(result, otltest.Issuer)
		to := x.Do(t, otltest.Call{Path: at}).Want(t, http.StatusSeeOther).Header.Get("Location")
		raw, ok := strings.CutPrefix(to, callback+"#id_token=")
		if id := x.claims(t, raw); !ok || id["nonce"] != "n-2" || id["sub"] != x.jane.ID {
			t.Errorf("%s", to)
		}
		x.Do(t, otltest.Call{Path: at}).Want(t, http.StatusBadRequest)
	})
}

// TestFrontSignUp: a client that may has people created, who have proven nothing until
// they come; one that may not has them unknown.
func TestFrontSignUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const nobody = `{"message":"User not found","error_code":404}`
		fresh := object{"email": "fresh@dev.test", "redirect_uri": callback, "create_new_user": true}
		failed(t, x.post(t, "/v1/auth/otp/email", fresh), http.StatusNotFound, nobody)
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.welcoming(t)
		failed(t, x.post(t, "/v1/auth/otp/email", object{"email": "fresh@dev.test", "redirect_uri": callback}), http.StatusNotFound, nobody)
		failed(t, x.post(t, "/v1/auth/links/email", fresh), http.StatusOK, `{"message":"Email sent successfully"}`)
		l := x.Letters(t, "fresh@dev.test")
		x.post(t, "/v1/auth/password/authenticate", object{"username": "fresh@dev.test", "password": otltest.Password}).Want(t, http.StatusBadRequest)
		to, err := url.Parse(x.Do(t, otltest.Call{Method: http.MethodPost, Path: strings.TrimPrefix(l[0].Link, otltest.Issuer)}).Want(t, http.StatusSeeOther).Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		body := object{"code": to.Query().Get("code"), "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}
		r := x.Do(t, otltest.Call{Path: "/cis/v1/token", Body: body}).Want(t, http.StatusOK)
		if len(r.JSON) != 4 || r.JSON["is_user_created"] != true || r.Text("refresh_token") == "" || fmt.Sprint(x.claims(t, r.Text("id_token"))["amr"]) != "[eml]" {
			t.Errorf("%s", r.Raw)
		}
		x.Do(t, otltest.Call{Path: "/v1/token", Body: body}).Want(t, http.StatusBadRequest)
		// Somebody the network knows joins the site by it.
		x.Clock.Advance(time.Minute)
		x.post(t, "/v1/auth/otp/email", object{"email": "shopper@dev.test", "redirect_uri": callback, "create_new_user": true}).Want(t, http.StatusOK)
		got := x.enter(t, "/v1/auth/otp/email/validation", object{"email": "shopper@dev.test", "passcode": x.Newest(t, "shopper@dev.test").Code})
		body["code"] = got.Query().Get("code")
		if r := x.Do(t, otltest.Call{Path: "/v1/token", Body: body}).Want(t, http.StatusOK); r.JSON["is_user_created"] != false {
			t.Errorf("%s", r.Raw)
		}
		// By SMS.
		sms := object{"phone_number": "+491705550177", "redirect_uri": callback, "create_new_user": true, "custom_message": "{otp} for {app}"}
		failed(t, x.post(t, "/v1/auth/otp/sms", sms), http.StatusOK, `{"message":"SMS sent"}`)
		got = x.enter(t, "/v1/auth/otp/sms/validation", object{"phone_number": "+491705550177", "passcode": x.Newest(t, "+491705550177").Code})
		if id := x.claims(t, x.grant(t, got.Query().Get("code"), nil).Want(t, http.StatusOK).Text("id_token")); fmt.Sprint(id["amr"]) != "[sms]" {
			t.Errorf("%v", id)
		}
	})
}

// TestD1_OT14_NoMachineConnectsAnybody: of a client whose links have no page, who creates people, the links to whom it creates or who is
// known elsewhere have one, also when they are asked for again, and so have those of its people who hide their addresses from it.
// Scanners of mails follow links, and the site would learn by them who somebody is.
func TestD1_OT14_NoMachineConnectsAnybody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t, func(n *site.NewClient) { n.LinkConfirm = "never" })
		shopper := x.Person(t, "shopper@dev.test", x.Shop.Site)
		hides := x.Person(t, "hides@dev.test", x.Notes.Site)
		x.Sees(t, hides, x.Notes.Site, otl.FieldName)
		front := func(address string) string {
			t.Helper()
			x.Clock.Advance(time.Minute)
			x.post(t, "/v1/auth/links/email", object{"email": address, "redirect_uri": callback, "create_new_user": true}).Want(t, http.StatusOK)
			return strings.TrimPrefix(x.Newest(t, address).Link, otltest.Issuer)
		}
		for _, address := range []string{"fresh@dev.test", "shopper@dev.test", "hides@dev.test"} {
			for range 2 {
				x.Do(t, otltest.Call{Path: front(address)}).Want(t, http.StatusOK)
			}
		}
		if u, err := x.Accounts.Find(t.Context(), "fresh@dev.test"); err != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("%+v %v", u, err)
		}
		if g, err := x.Store.Read.Grants.Of(t.Context(), shopper.ID, x.Notes.Site.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%+v %v", g, err)
		}
		// Whoever pressed is one of the site's people from then on, and needs to no more.
		for address, sub := range map[string]string{"fresh@dev.test": "", "shopper@dev.test": shopper.ID} {
			to, err := url.Parse(x.Do(t, otltest.Call{Method: http.MethodPost, Path: front(address)}).Want(t, http.StatusSeeOther).Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			id := x.claims(t, x.grant(t, to.Query().Get("code"), nil).Want(t, http.StatusOK).Text("id_token"))
			if sub != "" && id["sub"] != sub {
				t.Errorf("%s: %v", address, id)
			}
			x.Do(t, otltest.Call{Path: front(address)}).Want(t, http.StatusSeeOther)
		}
	})
}

func TestFrontErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for path, bodies := range map[string][]any{
			"/v1/auth/otp/email": {
				object{},
				object{"email": "jane@dev.test"},
				object{"email": "x", "redirect_uri": callback},
				object{"email": "jane@dev.test", "redirect_uri": "https://evil.test"},
				object{"email": "jane@dev.test", "redirect_uri": callback, "resource": "https://other.test"},
				object{"email": 7},
				"[]",
			},
			"/v1/auth/otp/sms":              {object{"phone_number": "1", "redirect_uri": callback}, object{"redirect_uri": callback}},
			"/v1/auth/links/email":          {object{"redirect_uri": callback}, object{"email": "jane@dev.test", "redirect_uri": callback, "email_content": object{"subject": ""}}},
			"/v1/auth/otp/email/validation": {object{"email": "jane@dev.test"}, object{"passcode": "1"}, object{"email": "jane@dev.test", "passcode": "1", "response_type": "token"}, object{"email": "nobody@dev.test", "passcode": "123456"}},
			"/v1/token":                     {object{}, object{"code": "x", "client_id": "x", "client_secret": "x"}, object{"code": "x", "client_id": strings.Repeat("x", 51), "client_secret": "x"}},
		} {
			for _, body := range bodies {
				r := x.post(t, path, body)
				if all, _ := r.JSON["message"].([]any); r.Status != http.StatusBadRequest || len(all) == 0 || r.JSON["error_code"] != 400.0 {
					t.Errorf("%s %v: %d %s", path, body, r.Status, r.Raw)
				}
			}
		}
		// A code that was sent without an address leads nowhere.
		code := x.code(t, nil)
		x.post(t, "/v1/auth/otp/email/validation", object{"email": "jane@dev.test", "passcode": code}).Want(t, http.StatusBadRequest)
		x.verify(t, code, nil).Want(t, http.StatusOK) // and stays good where it belongs
		x.Do(t, otltest.Call{Path: "/v1/auth/result/otl_lc_x"}).Want(t, http.StatusBadRequest)
		x.bearer = ""
		x.post(t, "/v1/auth/otp/email", object{}).Want(t, http.StatusUnauthorized)
	})
}

// TestD1_WhoIsKnownElsewhereIsAskedAtOneRate: a client that may have people created learns who was not, because he is
// known in the network; that counts with all other answers that tell so, 300 an hour. Beyond
// that nobody is created either; of the site's own people there is no such limit.
func TestD1_WhoIsKnownElsewhereIsAskedAtOneRate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.Person(t, "seller@dev.test", x.Shop.Site)
		for range 299 {
			if err := x.Limits.Told(t.Context(), x.Notes.Site.ID); err != nil {
				t.Fatal(err)
			}
		}
		send := func(email string) otltest.Reply {
			return x.post(t, "/v1/auth/otp/email", object{"email": email, "redirect_uri": callback, "create_new_user": true})
		}
		send("shopper@dev.test").Want(t, http.StatusOK)
		if r := send("seller@dev.test").Want(t, http.StatusTooManyRequests); r.Header.Get("Retry-After") == "" {
			t.Errorf("%v", r.Header)
		}
		if n := len(x.Letters(t, "seller@dev.test")); n != 0 {
			t.Errorf("%d letters", n)
		}
		send("jane@dev.test").Want(t, http.StatusOK)
		send("fresh@dev.test").Want(t, http.StatusTooManyRequests) // or that would tell
		x.Clock.Advance(time.Minute)
		send("seller@dev.test").Want(t, http.StatusOK)
		send("fresh@dev.test").Want(t, http.StatusOK)
	}, func(o *node.Options) { o.Limits = true })
}

// TestWhoeverIsCreatedIsToldOfUntilHeComes: however often he is sent a code, is_user_created
// is true at the end.
func TestWhoeverIsCreatedIsToldOfUntilHeComes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		send := object{"email": "new@dev.test", "redirect_uri": callback, "create_new_user": true}
		for _, created := range []bool{true, false} {
			var code string
			for range 2 {
				x.Inbox.Empty()
				x.post(t, "/v1/auth/otp/email", send).Want(t, http.StatusOK)
				code = x.Newest(t, "new@dev.test").Code
			}
			to := x.enter(t, "/v1/auth/otp/email/validation", object{"email": "new@dev.test", "passcode": code})
			r := x.Do(t, otltest.Call{Path: "/v1/token", Body: object{"code": to.Query().Get("code"), "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}}).Want(t, http.StatusOK)
			if r.JSON["is_user_created"] != created {
				t.Errorf("%v, not %v", r.JSON["is_user_created"], created)
			}
		}
	})
}

// TestNobodyIsCreatedForWhatIsNotSent: where an SMS does not go to the country, or comes
// too soon, there is no account afterwards either.
func TestNobodyIsCreatedForWhatIsNotSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		known := func(number string) bool {
			t.Helper()
			_, err := x.Store.Read.Grants.MemberByPhone(t.Context(), x.Notes.Site.ID, number)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		send := func(number string) otltest.Reply {
			t.Helper()
			return x.post(t, "/v1/auth/otp/sms", object{"phone_number": number, "redirect_uri": callback, "create_new_user": true})
		}
		if r := send("+15005550006"); r.Status != http.StatusBadRequest && r.Status != http.StatusForbidden || known("+15005550006") {
			t.Errorf("to a country that is not allowed: %d, and an account: %v", r.Status, known("+15005550006"))
		}
		for i := range 20 {
			send(fmt.Sprintf("+49170555%04d", i)).Want(t, http.StatusOK)
		}
		if send("+491705559999").Want(t, http.StatusTooManyRequests); known("+491705559999") {
			t.Error("an account of a number that nothing was sent to")
		}
		if !known("+491705550019") {
			t.Error("no account of a number that a code was sent to")
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT14_ResultsAreNotUsedUpAhead: a prefetch or HEAD of the address with the ID token at
// its end uses nothing up.
func TestOT14_ResultsAreNotUsedUpAhead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.post(t, "/v1/auth/otp/email", object{"email": "jane@dev.test", "redirect_uri": callback}).Want(t, http.StatusOK)
		result := x.post(t, "/v1/auth/otp/email/validation", object{
			"email": "jane@dev.test", "passcode": x.Newest(t, "jane@dev.test").Code, "response_type": "id_token",
		}).Want(t, http.StatusOK).Text("result")
		at := strings.TrimPrefix(result, otltest.Issuer)
		for _, ahead := range []otltest.Call{
			{Method: http.MethodHead}, {Headers: map[string]string{"Sec-Purpose": "prefetch"}}, {Headers: map[string]string{"Purpose": "prefetch"}}, {Headers: map[string]string{"X-Moz": "prefetch"}},
		} {
			ahead.Path = at
			x.Do(t, ahead).Want(t, http.StatusServiceUnavailable)
		}
		if to := x.Do(t, otltest.Call{Path: at}).Want(t, http.StatusSeeOther).Header.Get("Location"); !strings.Contains(to, "#id_token=") {
			t.Error(to)
		}
	})
}
