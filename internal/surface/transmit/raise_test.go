package transmit_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// app gives a person, whose address is proven, an authenticator app.
func (x *tenant) app(t *testing.T, u otl.User) func() string {
	t.Helper()
	x.Proven(t, u)
	seed := secret.NewTOTPSeed()
	if _, err := x.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	return func() string { x.Clock.Advance(time.Minute); return secret.TOTP(seed, x.Clock.Now()) }
}

// raised has a link mailed with require_mfa, and gives it.
func (x *tenant) raised(t *testing.T, more object) string {
	t.Helper()
	x.Clock.Advance(time.Minute)
	x.Inbox.Empty()
	send := object{"email": "jane@dev.test", "redirect_uri": callback, "require_mfa": true}
	for k, v := range more {
		send[k] = v
	}
	x.post(t, "/v1/auth/links/email", send).Want(t, http.StatusOK)
	return x.Newest(t, "jane@dev.test").Link
}

// TestD1_ACodeThatASiteIsToldLeadsToNoVisit: what came of it could be pressed by the site
// in a browser of its own, which would be signed in at the pages of this server as the
// person who typed it (OT-18).
func TestD1_ACodeThatASiteIsToldLeadsToNoVisit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for path, body := range map[string]object{
			"/v1/auth/otp/email": {"email": "jane@dev.test"}, "/v1/auth/otp/sms": {"phone_number": "+491705550100"},
		} {
			body["redirect_uri"], body["require_mfa"] = callback, true
			if r := x.post(t, path, body); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), "require_mfa: is for links") {
				t.Errorf("%s: %d %s", path, r.Status, r.Raw)
			}
		}
		if n := len(x.Letters(t, "jane@dev.test")); n != 0 {
			t.Errorf("%d mails", n)
		}
		// Nor does the result of an ordinary one let anybody in here.
		x.Clock.Advance(time.Minute)
		x.post(t, "/v1/auth/otp/email", object{"email": "jane@dev.test", "redirect_uri": callback}).Want(t, http.StatusOK)
		told := x.Newest(t, "jane@dev.test").Code
		result := x.post(t, "/v1/auth/otp/email/validation", object{"email": "jane@dev.test", "passcode": told}).Want(t, http.StatusOK).Text("result")
		b := x.Browser(t)
		b.Get(strings.TrimPrefix(result, otltest.Issuer))
		if p := b.Get("/account"); !strings.HasPrefix(p.Path, "/signin") {
			t.Errorf("the account is open: %d %s", p.Status, p.Path)
		}
	})
}

// second goes through the page of a link and the second step, and gives the code the
// browser was sent back with.
func (x *tenant) second(t *testing.T, b *otltest.Browser, link string, code func() string) string {
	t.Helper()
	page := b.Get(strings.TrimPrefix(link, otltest.Issuer))
	if page.Fields("confirm") == nil || strings.Contains(string(page.Raw), `name="number"`) {
		t.Fatalf("%d %s\n%s", page.Status, page.Title, page.Raw)
	}
	p := b.Submit(page, "confirm", nil)
	if p.Title != "One more step" || p.Left != nil {
		t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
	}
	if got := b.Submit(p, "second", map[string]string{"code": "000000"}); got.Left != nil {
		t.Fatal("a wrong code is a second factor")
	}
	if p = b.Submit(p, "second", map[string]string{"code": code()}); p.Left == nil || !strings.HasPrefix(p.Left.String(), callback+"?code=otl_ac_") {
		t.Fatalf("%d %s %v\n%s", p.Status, p.Title, p.Left, p.Raw)
	}
	return p.Left.Query().Get("code")
}

// TestMF02_ACallThatRequiresTwoFactorsGetsThem: require_mfa (contract 3.8). The code or
// link that the client sent is the first, our pages ask for the second, and nothing is
// opened before.
func TestMF02_ACallThatRequiresTwoFactorsGetsThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		app := x.app(t, x.jane)
		// Whatever the site asks for by itself.
		if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{MFA: new(string(otl.MFAOff))}); err != nil {
			t.Fatal(err)
		}
		link := x.raised(t, object{"approval_data": object{"a": "1"}, "resource": "https://api.notes.test"})
		if !strings.HasPrefix(link, otltest.Issuer+"/l/otl_ln_") {
			t.Fatal(link)
		}
		code := x.second(t, x.Browser(t), link, app)
		mine := x.client
		x.welcoming(t)
		if r := x.grant(t, code, url.Values{"redirect_uri": {callback}}); r.Text("error") != "invalid_grant" {
			t.Errorf("another client: %s", r.Raw)
		}
		x.client = mine
		x.bearer = x.token(t, nil).Text("access_token")
		r := x.grant(t, code, url.Values{"redirect_uri": {callback}}).Want(t, http.StatusOK)
		id, access := x.claims(t, r.Text("id_token")), x.claims(t, r.Text("access_token"))
		if fmt.Sprint(id["amr"]) != "[eml otp mfa]" || fmt.Sprint(id["approval_data"]) != "map[a:1]" || access["aud"] != "https://api.notes.test" || id["sub"] != x.jane.ID {
			t.Errorf("%v %v", id, access)
		}
		if b := x.Browser(t); b.Get(strings.TrimPrefix(link, otltest.Issuer)).Status != http.StatusGone {
			t.Error("the link works again")
		}

		code = x.second(t, x.Browser(t), x.raised(t, nil), app)
		r = x.Do(t, otltest.Call{Path: "/v1/token", Body: object{"code": code, "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}}).Want(t, http.StatusOK)
		if id := x.claims(t, r.Text("id_token")); fmt.Sprint(id["amr"]) != "[eml otp mfa]" || r.JSON["is_user_created"] != false {
			t.Errorf("%v %s", id, r.Raw)
		}
	})
}

// TestSE17_TheTokensOfAClientThatBindsThemAreNotGivenWithoutAKey: nor at /v1/token, for
// either kind of code.
func TestSE17_TheTokensOfAClientThatBindsThemAreNotGivenWithoutAKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "bound", Scopes: otl.AllScopes(), RedirectURIs: []string{callback}, RequireDPoP: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"otl_lc_x", "otl_ac_x"} {
			body := object{"code": code, "client_id": made.ID, "client_secret": made.Secret.Reveal()}
			if r := x.Do(t, otltest.Call{Path: "/v1/token", Body: body}); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), "bound to a key") {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
	})
}

// TestMF02_WhoHasNoSecondFactorSetsOneUp: he is not let through without.
func TestMF02_WhoHasNoSecondFactorSetsOneUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		b := x.Browser(t)
		page := b.Get(strings.TrimPrefix(x.raised(t, nil), otltest.Issuer))
		if p := b.Submit(page, "confirm", nil); p.Left != nil || !strings.HasPrefix(p.Path, "/mfa/setup") {
			t.Errorf("%d %s %s %v", p.Status, p.Path, p.Title, p.Left)
		}
		for _, one := range x.sessions(t, x.jane.ID) {
			if one.SiteID == x.Notes.Site.ID {
				t.Errorf("a session at the site: %+v", one)
			}
		}
	})
}
