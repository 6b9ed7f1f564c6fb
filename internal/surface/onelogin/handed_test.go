package onelogin_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
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

// TestD1_AHandedSessionHasNoPowerOverTheAccount (SE-04, MF-08): whoever holds the session
// that a site's token opened changes nothing by which the person proves himself, until
// he does on our own pages. It signs in at sites all the same.
func TestD1_AHandedSessionHasNoPowerOverTheAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		b := x.taken(t, seed)
		if live := x.browserSessions(t); len(live) != 1 || live[0].HandedBy != x.Notes.Site.ID || !live[0].Methods.Strong() {
			t.Fatalf("%+v", live)
		}
		p := b.Get("/account/security")
		if p.Title != "Ways to sign in" {
			t.Fatalf("%d %s", p.Status, p.Title)
		}
		const anew = "Confirm it's you"
		actions := p.Actions()
		remove := actions[slices.IndexFunc(actions, func(a string) bool { return strings.HasSuffix(a, "/remove") })]
		for _, form := range []string{remove, "add", "codes"} {
			if got := b.Submit(p, form, nil); got.Title != anew {
				t.Errorf("%s: %s", form, got.Title)
			}
		}
		for _, path := range []string{"/account/email", "/account/phone"} {
			if got := b.Get(path); got.Title != anew {
				t.Errorf("%s: %s", path, got.Title)
			}
		}
		data := b.Get("/account/data")
		for _, form := range []string{"export", "delete"} {
			if got := b.Submit(data, form, nil); got.Title != anew {
				t.Errorf("%s: %s", form, got.Title)
			}
		}
		if own, err := x.Setup.List(t.Context(), x.jane); err != nil || len(own.Factors) != 1 {
			t.Errorf("%+v %v", own, err)
		}

		late := b.Submit(p, remove, nil)
		p = b.Submit(late, "/signin", map[string]string{"password": otltest.Password})
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
