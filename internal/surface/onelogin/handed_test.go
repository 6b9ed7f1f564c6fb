package onelogin_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// taken is the browser of a site's own server: it signed jane in over its wire, where
// password and code passed through it, and presents the session token itself.
func (x *tenant) taken(t *testing.T, seed secret.Text) *otltest.Browser {
	t.Helper()
	state, devices := x.due(t)
	r := x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())})
	token, _ := one(t, r)["session_token"].(string)
	name, value, _ := strings.Cut(held(t, x.form(t, token, nil)), "=")
	b := x.Browser(t)
	b.Cookies[name] = value
	return b
}

// TestD1_AHandedSessionHasNoPowerOverTheAccount (D2, SE-04, MF-08): whoever holds the session
// that a site's token opened sees and changes nothing of the account, and lets no site see
// more, until the person proves himself on our own pages. It signs in at sites all the same.
func TestD1_AHandedSessionHasNoPowerOverTheAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		b := x.taken(t, seed)
		if live := x.browserSessions(t); len(live) != 1 || live[0].HandedBy != x.Notes.Site.ID || !live[0].Methods.Strong() {
			t.Fatalf("%+v", live)
		}
		own, err := x.Setup.List(t.Context(), x.jane)
		if err != nil || len(own.Factors) != 1 {
			t.Fatalf("%+v %v", own, err)
		}
		const anew = "Confirm it's you"
		for _, path := range []string{"?own=1", "/profile", "/security", "/email", "/phone", "/activity", "/ledger", "/data"} {
			if got := b.Get("/account" + path); got.Title != anew {
				t.Errorf("/account%s: %s", path, got.Title)
			}
		}
		if got := b.Get("/account"); got.Title != "Your account" || strings.Contains(string(got.Raw), "Notes") || !strings.Contains(string(got.Raw), "confirm that it&#39;s you") {
			t.Errorf("%s", got.Raw)
		}
		remove := "/account/security/factors/" + own.Factors[0].ID + "/remove"
		form := b.Get("/signout").Fields("signout")
		for _, path := range []string{
			remove, "/account/security/add", "/account/security/codes", "/account/data/export", "/account/data/delete", "/account/profile",
			"/account/sites/" + x.Notes.Site.ID, "/account/sites/" + x.Notes.Site.ID + "/disconnect", "/account/sessions/" + x.browserSessions(t)[0].ID + "/end",
		} {
			if got := b.Send(path, form); got.Title != anew {
				t.Errorf("%s: %d %s", path, got.Status, got.Title)
			}
		}
		if more := b.Submit(b.Get("/account/connect/"+x.Notes.Site.ID), "ask", nil); more.Title != anew {
			t.Errorf("a site that asks for more: %s", more.Title)
		} else {
			form.Set("f", more.Fields("/signin").Get("f"))
			form["fields"] = []string{"email", "phone"}
			if got := b.Send("/consent", form); got.Title != anew {
				t.Errorf("and gets it: %s", got.Title)
			}
		}

		late := b.Get("/account/security")
		p := b.Submit(late, "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		if p.Title != "One more step" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		x.Clock.Advance(30 * time.Second)
		p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now())})
		if p = b.Submit(p, remove, nil); p.Title != "Ways to sign in" || p.Fields(remove) != nil {
			t.Errorf("after her own proof: %s\n%s", p.Title, p.Raw)
		}
		if live := x.browserSessions(t); len(live) != 1 || live[0].HandedBy != "" {
			t.Errorf("%+v", live)
		}
	})
}

// TestD2_AHandedSessionIsNotFresh for a site that asks for a fresh proof or as whom to go
// on, even where the site asked before the session was handed over; any other site is
// reached by it.
func TestD2_AHandedSessionIsNotFresh(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "john@dev.test", x.Shop.Site)
		seed := x.app(t, x.jane)
		ask := func(more url.Values) string {
			q := url.Values{
				"site": {x.Notes.Site.ID}, "redirect_uri": {x.Notes.Site.CallbackURLs[0]}, "code_challenge_method": {"S256"},
				"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
			}
			maps.Copy(q, more)
			return "/authorize?" + q.Encode()
		}
		asked := map[string]url.Values{"a proof": {"prompt": {"login"}}, "a proof of the last hour": {"max_age": {"3600"}}, "whom": {"prompt": {"select_account"}}}
		before := map[string]string{}
		early := x.Browser(t)
		for name, more := range asked {
			before[name] = early.Get(ask(more)).Path
		}
		x.Clock.Advance(30 * time.Second)
		b := x.taken(t, seed)
		maps.Copy(early.Cookies, b.Cookies)
		for name, more := range asked {
			for when, got := range map[string]otltest.Page{"before": early.Get(before[name]), "after": b.Get(ask(more))} {
				if got.Left != nil || got.Status != http.StatusOK {
					t.Errorf("a site that asked %s for %s: %v %s", when, name, got.Left, got.Title)
				}
			}
		}
		if got := b.Get(ask(nil)); got.Left == nil || got.Left.Query().Get("code") == "" {
			t.Errorf("a site that asks for nothing: %d %s %v", got.Status, got.Title, got.Left)
		}
	})
}
