package transmit_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// letter gives the path of the newest link that was sent to somebody.
func (x *tenant) letter(t *testing.T, to string) string {
	t.Helper()
	for _, l := range x.Letters(t, to) {
		if _, path, ok := strings.Cut(l.Link, otltest.Issuer); ok && strings.HasPrefix(path, "/c/") {
			return path
		}
	}
	t.Fatalf("no link came to %s", to)
	return ""
}

// follow presses the button of a page.
func (x *tenant) follow(t *testing.T, path string, status int) {
	t.Helper()
	x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Sec-Fetch-Site": "same-origin"}}).Want(t, status)
}

// email gives a person's address and whether it is proven.
func (x *tenant) email(t *testing.T, id string) (string, bool) {
	t.Helper()
	e := x.user(t, id)["email"].(object)
	return e["value"].(string), e["email_verified"].(bool)
}

// TestOT17_AChangeOfAddressIsProvenFirst, told to the old address, and can be undone
// for 72 hours after it came into force.
func TestOT17_AChangeOfAddressIsProvenFirst(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Proven(t, x.jane)
		got := x.put(t, "/v1/users/"+x.jane.ID, object{"email": "new@dev.test", "custom_data": object{"a": 1}}).Want(t, http.StatusOK)
		if got.Text("result", "email", "value") != "jane@dev.test" {
			t.Errorf("%s", got.Raw)
		}
		confirm, undo := x.letter(t, "new@dev.test"), x.letter(t, "jane@dev.test")
		for range 3 { // scanners
			x.Do(t, otltest.Call{Path: confirm}).Want(t, http.StatusOK)
			x.Do(t, otltest.Call{Path: undo}).Want(t, http.StatusOK)
		}
		x.Do(t, otltest.Call{Method: http.MethodPost, Path: confirm, Headers: map[string]string{"Sec-Fetch-Site": "cross-site"}}).Want(t, http.StatusForbidden)
		if e, _ := x.email(t, x.jane.ID); e != "jane@dev.test" {
			t.Fatal(e)
		}
		x.Clock.Advance(23 * time.Hour)
		x.bearer = x.token(t, nil).Text("access_token")
		x.follow(t, confirm, http.StatusOK)
		x.follow(t, confirm, http.StatusGone)
		if e, verified := x.email(t, x.jane.ID); e != "new@dev.test" || !verified {
			t.Fatal(e, verified)
		}
		x.Login(t, x.Notes, "new@dev.test")

		// The old address is nobody else's while it may come back.
		if _, err := x.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test"}); !otl.Is(err, "email_taken") {
			t.Error(err)
		}
		x.Clock.Advance(72 * time.Hour)
		x.bearer = x.token(t, nil).Text("access_token")
		x.follow(t, undo, http.StatusOK)
		if e, verified := x.email(t, x.jane.ID); e != "jane@dev.test" || !verified {
			t.Error(e, verified)
		}
		x.follow(t, undo, http.StatusGone)
		if left := x.Do(t, otltest.Call{Path: "/api/v1/sessions?user_id=" + x.jane.ID, Key: x.Notes.Key}).Items(t); len(left) != 0 {
			t.Errorf("%d sessions outlived the undoing", len(left))
		}
	})
}

// TestOT17_APendingChangeDies when the password is reset, another change is asked for,
// all sessions are ended, the address was proven first, or it is refused.
func TestOT17_APendingChangeDies(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*testing.T, *tenant){
		"password reset": func(t *testing.T, x *tenant) {
			x.Clock.Advance(time.Minute)
			x.Do(t, otltest.Call{Path: "/api/v1/auth/password/forgot", Key: x.Notes.Key, Body: object{"email": "jane@dev.test"}}).Want(t, http.StatusAccepted)
			var token string
			for _, l := range x.Letters(t, "jane@dev.test") {
				if i := strings.Index(l.Text, "otl_pr_"); i >= 0 && token == "" {
					token = strings.Fields(l.Text[i:])[0]
				}
			}
			if err := x.Accounts.Reset(t.Context(), x.Notes.Site, secret.NewText(token), secret.NewText("another-horse-9")); err != nil {
				t.Fatal(err)
			}
		},
		"another change": func(t *testing.T, x *tenant) {
			x.Clock.Advance(time.Minute)
			x.put(t, "/v1/users/"+x.jane.ID, object{"email": "other@dev.test"}).Want(t, http.StatusOK)
		},
		"logout everywhere": func(t *testing.T, x *tenant) {
			x.Do(t, otltest.Call{Path: "/api/v1/auth/logout", Key: x.Notes.Key, Bearer: x.Login(t, x.Notes, "jane@dev.test").Text("access_token"), Body: object{"everywhere": true}}).Want(t, http.StatusOK)
		},
		"refused": func(t *testing.T, x *tenant) { x.follow(t, x.letter(t, "jane@dev.test"), http.StatusOK) },
		"disabled": func(t *testing.T, x *tenant) {
			if err := x.Accounts.SetDisabled(t.Context(), x.jane.ID, true); err != nil {
				t.Fatal(err)
			}
		},
		"time": func(_ *testing.T, x *tenant) { x.Clock.Advance(24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, x *tenant) {
				x.Proven(t, x.jane)
				x.put(t, "/v1/users/"+x.jane.ID, object{"email": "new@dev.test"}).Want(t, http.StatusOK)
				confirm := x.letter(t, "new@dev.test")
				kill(t, x)
				x.follow(t, confirm, http.StatusGone)
				if u, err := x.Accounts.Find(t.Context(), x.jane.ID); err != nil || u.Email.Key != "jane@dev.test" {
					t.Errorf("%+v %v", u.Email, err)
				}
			})
		})
	}
}

// TestOT16_AFirstProofVoidsAPendingChange: whoever had not proven the address may have
// asked for the change to get the account back.
func TestOT16_AFirstProofVoidsAPendingChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.put(t, "/v1/users/"+x.jane.ID, object{"email": "planted@dev.test"}).Want(t, http.StatusOK)
		confirm, undo := x.letter(t, "planted@dev.test"), x.letter(t, "jane@dev.test")
		x.Clock.Advance(time.Minute)
		x.verify(t, x.code(t, nil), nil).Want(t, http.StatusOK)
		x.follow(t, confirm, http.StatusGone)
		x.follow(t, undo, http.StatusGone)
	})
}

// TestOT16_AChangeThatIsTheFirstProofUproots what was planted under the unproven
// address of the site's own person.
func TestOT16_AChangeThatIsTheFirstProofUproots(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"email": "joe@dev.test"})
		x.post(t, "/v1/users/"+joe+"/password", object{"password": otltest.Password, "force_replace": false}).Want(t, http.StatusCreated)
		session := x.Login(t, x.Notes, "joe@dev.test")
		x.put(t, "/v1/users/"+joe, object{"email": "new@dev.test"}).Want(t, http.StatusOK)
		x.follow(t, x.letter(t, "new@dev.test"), http.StatusOK)
		x.Refresh(t, x.Notes, session.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		if has, err := x.Store.Read.Passwords.Has(t.Context(), joe); err != nil || has {
			t.Error(has, err)
		}
	})
}

// TestD1_AnAddressASiteChangedOpensThatSiteAlone until it can no longer be undone: or a
// site could have itself made everybody everywhere.
func TestD1_AnAddressASiteChangedOpensThatSiteAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Proven(t, x.jane)
		x.Login(t, x.Shop, "jane@dev.test")
		x.put(t, "/v1/users/"+x.jane.ID, object{"email": "evil@dev.test"}).Want(t, http.StatusOK)
		x.follow(t, x.letter(t, "evil@dev.test"), http.StatusOK)
		elsewhere := func() int {
			x.Clock.Advance(time.Minute)
			x.Inbox.Empty()
			x.Do(t, otltest.Call{Path: "/api/v1/auth/otp/send", Key: x.Shop.Key, Body: object{"email": "evil@dev.test"}}).Want(t, http.StatusAccepted)
			code := x.Newest(t, "evil@dev.test").Code
			return x.Do(t, otltest.Call{Path: "/api/v1/auth/otp/verify", Key: x.Shop.Key, Body: object{"email": "evil@dev.test", "code": code}}).Status
		}
		if got := elsewhere(); got != http.StatusUnauthorized {
			t.Errorf("the other site let it in: %d", got)
		}
		x.Inbox.Empty()
		x.Do(t, otltest.Call{Path: "/api/v1/auth/password/forgot", Key: x.Shop.Key, Body: object{"email": "evil@dev.test"}})
		if l := x.Letters(t, "evil@dev.test"); len(l) != 0 {
			t.Errorf("a new password was offered: %+v", l)
		}
		failed(t, x.put(t, "/v1/users/"+x.jane.ID, object{"email": "more@dev.test"}), http.StatusConflict, `{"message":"The address or number was changed a short while ago, and that can still be undone. Ask again afterwards.","error_code":409}`)
		here := object{"identifier": "evil@dev.test"}
		x.Clock.Advance(time.Minute)
		x.verify(t, x.code(t, here), here).Want(t, http.StatusOK)
		x.Clock.Advance(72 * time.Hour)
		if got := elsewhere(); got != http.StatusOK {
			t.Errorf("it stays shut: %d", got)
		}
	})
}

// TestOT17_ANumber is changed in the same way once it is proven, and at once before.
func TestOT17_ANumber(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"phone_number": "+491705550130"})
		x.put(t, "/v1/users/"+joe, object{"phone_number": "+491705550131"}).Want(t, http.StatusOK)
		if got := value(x.user(t, joe)["phone_number"]); got != "+491705550131" {
			t.Fatal(got)
		}
		x.post(t, "/v1/auth/otp/send", object{"channel": "sms", "identifier_type": "phone_number", "identifier": "+491705550131"}).Want(t, http.StatusOK)
		code := x.Newest(t, "+491705550131").Code
		x.post(t, "/v1/auth/otp/authenticate", object{"passcode": code, "identifier_type": "phone_number", "identifier": "+491705550131"}).Want(t, http.StatusOK)
		x.Clock.Advance(time.Minute)
		x.put(t, "/v1/users/"+joe, object{"phone_number": ""}).Want(t, http.StatusBadRequest)
		x.put(t, "/v1/users/"+joe, object{"phone_number": "+15550100"}).Want(t, http.StatusForbidden) // no SMS there
		x.put(t, "/v1/users/"+joe, object{"phone_number": "+491705550132"}).Want(t, http.StatusOK)
		confirm, undo := x.letter(t, "+491705550132"), x.letter(t, "+491705550131")
		if got := value(x.user(t, joe)["phone_number"]); got != "+491705550131" {
			t.Fatal(got)
		}
		x.follow(t, confirm, http.StatusOK)
		if got := x.user(t, joe)["phone_number"].(object); got["value"] != "+491705550132" || got["phone_number_verified"] != true {
			t.Fatal(got)
		}
		x.follow(t, undo, http.StatusOK)
		if got := x.user(t, joe)["phone_number"].(object); got["value"] != "+491705550131" || got["phone_number_verified"] != true {
			t.Fatal(got)
		}
	})
}
