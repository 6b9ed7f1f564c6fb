package oidc_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// arm gives jane an authenticator app.
func (x *provider) arm(t *testing.T) secret.Text {
	t.Helper()
	seed := secret.NewTOTPSeed()
	if _, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	return seed
}

// lax has Notes ask for no second factor.
func (x *provider) lax(t *testing.T) {
	t.Helper()
	if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{MFA: new(string(otl.MFAOff))}); err != nil {
		t.Fatal(err)
	}
}

// says gives what the ID token says that a code is exchanged for.
func (x *provider) says(t *testing.T, p otltest.Page) map[string]any {
	t.Helper()
	if p.Left == nil || p.Left.Query().Get("code") == "" {
		t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
	}
	return x.claims(t, x.exchange(t, x.client, p.Left.Query().Get("code"), nil).Want(t, http.StatusOK).Text("id_token"))
}

// TestMF05_AWishForTwoFactors: acr_values, or a voluntary claim acr, has people asked for
// the second factor who have one, though the site asks nobody; the others go on with one.
func TestMF05_AWishForTwoFactors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		x.lax(t)
		x.signIn(t, x.ask(x.client, nil))
		wish := func(change map[string]string) otltest.Page { return x.browser.Get(x.ask(x.client, change)) }
		if got := x.says(t, wish(map[string]string{"acr_values": "phr 2 1"})); got["acr"] != "1" {
			t.Errorf("without a second factor: %v", got)
		}
		seed := x.arm(t) // and the session there is, is of one
		claim := func(levels string) string { return `{"id_token":{"acr":{"values":` + levels + `}}}` }
		for name, c := range map[string]struct {
			change map[string]string
			more   bool
		}{
			"acr_values":   {map[string]string{"acr_values": "2"}, true},
			"the claim":    {map[string]string{"claims": claim(`["2","1"]`)}, true},
			"one is first": {map[string]string{"acr_values": "1 2"}, false},
			"unknown":      {map[string]string{"acr_values": "phr gold"}, false},
			"claim of one": {map[string]string{"claims": claim(`["1","2"]`)}, false},
			"strange":      {map[string]string{"claims": claim(`[2,null]`)}, false},
		} {
			if p := wish(c.change); (p.Left == nil) != c.more {
				t.Errorf("%s: %s %v", name, p.Title, p.Left)
			}
			// A wish fails no silent request: what there is is told (OpenID Connect Core section 5.5.1.1).
			c.change["prompt"] = "none"
			if got := x.says(t, wish(c.change)); got["acr"] != "1" {
				t.Errorf("%s, silently: %v", name, got)
			}
		}
		demand := map[string]string{"prompt": "none", "claims": `{"id_token":{"acr":{"essential":true,"value":"2"}}}`}
		if p := wish(demand); p.Left == nil || p.Left.Query().Get("error") != "interaction_required" {
			t.Errorf("a demand, silently: %v", p.Left)
		}
		p := wish(map[string]string{"acr_values": "2"})
		if p.Left != nil || p.Title != "One more step" {
			t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
		}
		if got := x.says(t, x.browser.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now())})); got["acr"] != "2" {
			t.Errorf("%v", got)
		}
		if got := x.says(t, wish(map[string]string{"acr_values": "2", "prompt": "none"})); got["acr"] != "2" {
			t.Errorf("a second time, silently: %v", got)
		}
		for _, policy := range []otl.MFAPolicy{otl.MFARequired, otl.MFAOptional} { // a wish asks for no less than the site
			if _, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, site.Change{MFA: (*string)(&policy)}); err != nil {
				t.Fatal(err)
			}
			x.browser = x.Browser(t)
			if p := x.browser.Submit(wish(map[string]string{"acr_values": "2"}), "/signin", map[string]string{"identifier": jane, "password": otltest.Password}); p.Left != nil || p.Title != "One more step" {
				t.Errorf("%s: %d %s %v", policy, p.Status, p.Title, p.Left)
			}
		}
	})
}

// TestMF09_AFreshCodeIsOneFactor: a code or link by mail, however fresh, does not meet acr 2
// and is told as what it is; nor does a device that was trusted once.
func TestMF09_AFreshCodeIsOneFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		x.lax(t)
		x.signIn(t, x.ask(x.client, nil))
		byMail := func(change map[string]string) otltest.Page {
			t.Helper()
			x.Clock.Advance(time.Minute)
			change["max_age"] = "0"
			p := x.browser.Submit(x.browser.Get(x.ask(x.client, change)), "/signin", map[string]string{"identifier": jane, "way": "code"})
			return x.browser.Submit(p, "code-form", map[string]string{"code": x.Newest(t, jane).Code})
		}
		if p := byMail(map[string]string{"claims": `{"id_token":{"acr":{"essential":true,"value":"2"}}}`}); p.Left != nil || p.Status != http.StatusOK {
			t.Errorf("essential: %d %s %v", p.Status, p.Title, p.Left)
		}
		got := x.says(t, byMail(map[string]string{"acr_values": "2"}))
		if got["acr"] != "1" || fmt.Sprint(got["amr"]) != "[eotp]" || int64(got["auth_time"].(float64)) != x.Clock.Now().Unix() {
			t.Errorf("a wish: %v", got)
		}
		seed := x.arm(t)
		p := byMail(map[string]string{"acr_values": "1"})
		if got := x.says(t, x.browser.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now()), "trust": "1"})); got["acr"] != "2" || fmt.Sprint(got["amr"]) != "[eotp otp mfa]" {
			t.Errorf("and the app: %v", got)
		}
		x.Clock.Advance(time.Minute)
		if got := x.says(t, byMail(map[string]string{"acr_values": "1"})); got["acr"] != "1" {
			t.Errorf("on a device that is trusted: %v", got)
		}
		if p := byMail(map[string]string{"acr_values": "2"}); p.Title != "One more step" {
			t.Errorf("trusted, and two are wished for: %s %v", p.Title, p.Left)
		}
	})
}
