package onelogin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestSE04_EveryWayInIsANewSession (session fixation): whichever way somebody comes in to a
// browser that holds a session already, what it held opens nothing afterwards.
func TestSE04_EveryWayInIsANewSession(t *testing.T) {
	t.Parallel()
	asks := func(x *tenant, prompt string) string {
		q := url.Values{
			"site": {x.Notes.Site.ID}, "redirect_uri": {x.Notes.Site.CallbackURLs[0]}, "code_challenge_method": {"S256"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		}
		if prompt != "" {
			q.Set("prompt", prompt)
		}
		return "/authorize?" + q.Encode()
	}
	for way, enter := range map[string]func(*testing.T, *tenant, *otltest.Browser){
		"password": func(_ *testing.T, x *tenant, b *otltest.Browser) {
			b.Submit(b.Get(asks(x, "login")), "/signin", map[string]string{"password": otltest.Password})
		},
		"step-up": func(t *testing.T, x *tenant, b *otltest.Browser) {
			seed := x.app(t, x.jane)
			x.policy(t, otl.MFARequired)
			b.Submit(b.Get(asks(x, "")), "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now())})
		},
		"form": func(t *testing.T, x *tenant, b *otltest.Browser) {
			r := x.form(t, x.sessionToken(t, nil), map[string]string{"Cookie": ownCookie + "=" + b.Cookies[ownCookie], "Origin": otltest.Issuer, "Sec-Fetch-Site": "same-origin"})
			_, b.Cookies[ownCookie], _ = strings.Cut(held(t, r), "=")
		},
		"script": func(t *testing.T, x *tenant, b *otltest.Browser) {
			x.presents(t, b, "jane@dev.test", ownCookie).Want(t, http.StatusOK)
		},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, x *tenant) {
				b := x.Browser(t)
				b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
				planted := b.Cookies[ownCookie]
				if planted == "" {
					t.Fatal("not signed in")
				}
				x.Clock.Advance(time.Second)
				enter(t, x, b)
				old := x.Browser(t)
				old.Cookies[ownCookie] = planted
				if at(old) != "" {
					t.Error("the session of before goes on")
				}
				if live := x.browserSessions(t); len(live) != 1 || b.Cookies[ownCookie] == planted || !strings.Contains(b.Cookies[ownCookie], live[0].ID) {
					t.Errorf("%d sessions, cookie %.40s", len(live), b.Cookies[ownCookie])
				}
			})
		})
	}
}
