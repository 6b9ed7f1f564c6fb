package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestTheNetworkInABrowser: whoever is signed in at Notes is at Shop after two clicks;
// a new name is shown by both sites, and a site that was taken away signs him out,
// while nobody touches their pages.
func TestTheNetworkInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes, shop := strings.TrimSuffix(w.vars["OTL_CALLBACK_URL"], "/auth/callback"), strings.TrimSuffix(w.vars["OTL_SITE2_CALLBACK_URL"], "/auth/callback")
	chrome := chromium(t)
	first := profile(t, chrome)
	first.visit(notes)
	first.press("a.button")
	first.fill("identifier", w.vars["OTL_USER_EMAIL"])
	first.fill("password", w.vars["OTL_USER_PASSWORD"])
	first.press(`button[value=password]`)
	first.heading("Hello")

	second := open(t, first.ctx)
	second.visit(shop)
	second.press("a.button") // one click
	second.at("/consent")
	second.press(`button[value=connect]`) // two
	second.heading("Hello")

	account := open(t, first.ctx)
	account.visit(w.url + "/account/profile")
	account.fill("name", "Jane <b>Other</b>")
	account.press("#profile button")
	saved := time.Now()
	for _, b := range []*tab{first, second} {
		b.says("Jane <b>Other</b>")
	}
	t.Logf("both sites show the new name %s after it was sent", time.Since(saved).Round(time.Millisecond))

	account.visit(w.url + "/account/sessions")
	account.press(`form[action$="/end"] button`)
	ended := time.Now()
	first.until("signed out", func() (bool, string, error) {
		one, err := look(first, chromedp.Text(chromedp.CSS("main")))
		if err != nil || strings.Contains(one, "Sign in with OneTimeLogin") {
			return err == nil, one, err
		}
		other, err := look(second, chromedp.Text(chromedp.CSS("main")))
		return strings.Contains(other, "Sign in with OneTimeLogin"), other, err
	})
	t.Logf("a site shows that its session has ended %s after that was asked for", time.Since(ended).Round(time.Millisecond))
}

// says waits until the page contains a text, without touching it.
func (b *tab) says(want string) {
	b.t.Helper()
	b.until(want, func() (bool, string, error) {
		got, err := look(b, chromedp.Text(chromedp.CSS("main")))
		return strings.Contains(plain(got), want), got, err
	})
}

// TestADeviceInABrowser lets a device in that has no browser (RFC 8628), with scripts and
// without, and refuses one.
func TestADeviceInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	who := w.member(t, notes)
	var made struct {
		ID string `json:"client_id"`
	}
	w.otl(t, &made, "clients", "create", "--site", notes.id, "--public", "--device", "--name", "Acme TV", "--redirect-uri", notes.callback)
	call := func(t *testing.T, path string, form url.Values, want int, into any) {
		t.Helper()
		form.Set("client_id", made.ID)
		res, err := http.PostForm(w.url+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != want {
			t.Fatalf("%s: %d, want %d: %v", path, res.StatusCode, want, err)
		}
	}
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, _ bool) {
		for decision, want := range map[string]int{"connect": http.StatusOK, "cancel": http.StatusBadRequest} {
			var device struct {
				Code     string `json:"device_code"`
				User     string `json:"user_code"`
				Complete string `json:"verification_uri_complete"`
			}
			call(t, "/oidc/device_authorization", url.Values{"scope": {"openid email"}}, http.StatusOK, &device)
			b := open(t)
			b.visit(device.Complete)
			b.press("#device button")
			b.fill("identifier", who)
			b.fill("password", password)
			b.press(`button[value=password]`)
			b.says("Acme TV")
			b.turn(`button[value=` + decision + `]`)
			var got struct {
				Access string `json:"access_token"`
				Error  string `json:"error"`
			}
			call(t, "/oidc/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.Code}}, want, &got)
			if (got.Access != "") != (decision == "connect") || got.Error != map[string]string{"connect": "", "cancel": "access_denied"}[decision] {
				t.Errorf("%s: %+v", decision, got)
			}
			b.quiet(w.host())
		}
	})
}

// TestOT18_ARelayInTwoBrowsers: somebody asks for a mail to another's address and waits.
// Whatever that one does with the link, short of choosing the number that the first
// browser shows, the first browser is not let in.
func TestOT18_ARelayInTwoBrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	jane := w.member(t, notes)
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, _ bool) {
		outside := func(b *tab) {
			t.Helper()
			b.turn("#continue button")
			if at := ask(b, chromedp.Location()); strings.HasPrefix(at, notes.callback) {
				t.Errorf("the browser that asked was let in: %s", at)
			}
		}
		begun := func() (thief *tab, number string) {
			thief = open(t)
			thief.visit(notes.authorize())
			thief.fill("identifier", jane)
			thief.press(`button[value=code]`)
			return thief, thief.text("#number")
		}
		t.Run("goes on here", func(t *testing.T) {
			thief, _ := begun()
			mine := open(t)
			mine.visit(w.letter(t, jane).Link)
			mine.press(`button[value=here]`)
			notes.arrived(mine)
			outside(thief)
		})
		t.Run("the wrong number", func(t *testing.T) {
			thief, number := begun()
			mine := open(t)
			mine.visit(w.letter(t, jane).Link)
			mine.press(`input[name=number]:not([value="` + number + `"])`)
			mine.turn(`button[value=start]`)
			outside(thief)
		})
		t.Run("not me", func(t *testing.T) {
			thief, _ := begun()
			mine := open(t)
			mine.visit(w.letter(t, jane).Link)
			mine.turn("#deny button")
			outside(thief)
		})
	})
}
