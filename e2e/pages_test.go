package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// verifier is what the partners of these tests keep for the exchange (RFC 7636).
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// authorize gives the address to which a partner sends a browser.
func (p *partner) authorize(more ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"site": {p.id}, "redirect_uri": {p.callback}, "state": {"s-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return p.world.url + "/authorize?" + q.Encode()
}

// arrived exchanges the code with which a browser came back, and gives the answer.
func (p *partner) arrived(b *tab) login {
	b.t.Helper()
	back, err := url.Parse(b.at(p.callback + "?code="))
	if err != nil || back.Query().Get("state") != "s-1" {
		b.t.Fatalf("sent to %s", back)
	}
	var l login
	must(b.t, http.StatusOK)(p.do(http.MethodPost, "/api/v1/auth/token", "", map[string]string{"code": back.Query().Get("code"), "code_verifier": verifier})).into(&l)
	return l
}

// both runs a journey in a browser that runs scripts, and in one that does not.
func both(t *testing.T, chrome context.Context, journey func(t *testing.T, open func(*testing.T) *tab, scripts bool)) {
	t.Helper()
	t.Run("scripts", func(t *testing.T) {
		journey(t, func(t *testing.T) *tab { t.Helper(); return profile(t, chrome) }, true)
	})
	t.Run("no scripts", func(t *testing.T) {
		journey(t, func(t *testing.T) *tab { t.Helper(); return profile(t, chrome).scriptless() }, false)
	})
}

// TestPagesInABrowser takes people through the hosted pages in a real browser, with
// scripts and without: password and consent, the second site, account and sign-out.
// The browser complains of nothing and asks nobody else.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes, shop := w.partner(t, "Acme Notes"), w.partner(t, "Acme Shop", "--fields", "email,name,phone")
	jane, secret := w.vars["OTL_USER_EMAIL"], w.vars["OTL_USER_PASSWORD"]
	chrome := chromium(t)
	both(t, chrome, func(t *testing.T, open func(*testing.T) *tab, scripts bool) {
		t.Run("password, consent, second site", func(t *testing.T) {
			b := open(t)
			b.visit(notes.authorize())
			b.heading("Sign in")
			b.fill("identifier", jane)
			b.fill("password", "wrong-horse-7")
			b.press(`button[value=password]`)
			b.do(chromedp.WaitVisible(chromedp.CSS(".banner")))
			b.fill("password", secret)
			if scripts { // another light costs nothing that was typed
				still := ask(b, chromedp.Evaluate[string](`const light = document.getElementById("theme"); light.value = "dark"; light.dispatchEvent(new Event("change"));
					[document.documentElement.dataset.theme, document.querySelector("[name=password]").value, document.querySelector(".banner") !== null].join()`))
				if still != "dark,"+secret+",true" {
					t.Errorf("with another light the page has %q", still)
				}
			}
			b.press(`button[value=password]`)
			if scripts { // once granted, it is not asked for again
				b.heading("Acme Notes wants to connect")
				if got := b.text("#consent"); !strings.Contains(got, jane) || !strings.Contains(got, "Jane Doe") {
					t.Errorf("the consent shows %q", got)
				}
				b.press(`button[value=connect]`)
			}
			l := notes.arrived(b)
			b.visit(shop.authorize("prompt", "consent"))
			b.heading("Acme Shop wants to connect")
			b.press(`input[value=phone]`) // unticked
			b.press(`button[value=connect]`)
			if got := shop.arrived(b); got.User.ID != l.User.ID {
				t.Errorf("%s at one site, %s at the other", l.User.ID, got.User.ID)
			}
			b.visit(w.url + "/account")
			b.heading("Your account")
			if kept := ask(b, chromedp.Evaluate[bool](`document.documentElement.dataset.theme === "dark"`)); kept != scripts {
				t.Errorf("the light that was chosen is kept: %t", kept)
			}
			if got := b.text("main"); !strings.Contains(got, "Acme Shop") || !strings.Contains(got, "Hi Jane Doe") {
				t.Errorf("the account shows %q", got)
			}
			b.visit(w.url + "/signout")
			b.press("#signout button")
			b.heading("You're signed out")
			b.quiet(w.host(), notes.host(), shop.host())
		})
	})
}

// TestMailInABrowser: links and codes.
func TestMailInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	jane := w.member(t, notes)
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, scripts bool) {
		t.Run("link in the same browser", func(t *testing.T) {
			b := open(t)
			b.visit(notes.authorize())
			b.fill("identifier", jane)
			b.press(`button[value=code]`)
			b.heading("Check your email")
			link := w.letter(t, jane).Link
			b.visit(link)
			if !scripts { // with them it goes on by itself
				b.press("#confirm button")
			}
			notes.arrived(b)
			b.quiet(w.host(), notes.host())
		})
		t.Run("link in another browser", func(t *testing.T) {
			b, phone := open(t), open(t)
			b.visit(notes.authorize())
			b.fill("identifier", jane)
			b.press(`button[value=code]`)
			number := b.text("#number")
			phone.visit(w.letter(t, jane).Link)
			phone.heading("Sign in to")
			phone.press(`input[value="` + number + `"]`)
			if scripts && ask(b, chromedp.Evaluate[bool](`performance.getEntriesByType("resource").some((one) => one.name.includes("/signin/wait"))`)) {
				t.Error("the page that waits asks, where it is told")
			}
			phone.press(`button[value=start]`)
			phone.do(chromedp.WaitVisible(chromedp.CSS(".banner.ok")))
			if !scripts { // with them the first one goes on by itself
				b.press("#continue button")
			}
			notes.arrived(b)
			phone.quiet(w.host())
			b.quiet(w.host(), notes.host())
		})
		t.Run("code, typed", func(t *testing.T) {
			b := open(t)
			b.visit(notes.authorize())
			b.fill("identifier", jane)
			b.press(`button[value=code]`)
			b.heading("Check your email")
			code := w.letter(t, jane).Code
			b.fill("code", code[:3]+" "+code[3:])
			if !scripts { // with them the sixth digit sends it
				b.press("#code-form button")
			}
			notes.arrived(b)
			b.quiet(w.host(), notes.host())
		})
	})
}

// TestNewcomersInABrowser: sign-up and a forgotten password.
func TestNewcomersInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, scripts bool) {
		t.Run("a new person", func(t *testing.T) {
			who := map[bool]string{true: "nia@dev.test", false: "noa@dev.test"}[scripts]
			b := open(t)
			b.visit(notes.authorize())
			b.press(`a[href^="/signup"]`)
			b.heading("Create your account")
			b.fill("email", who)
			b.fill("name", "Nia <b>New</b>")
			b.fill("password", "a-long-enough-1")
			b.press("main form button:not([type=button])")
			b.heading("Confirm your email")
			b.visit(w.letter(t, who).Link)
			if !scripts {
				b.press("#confirm button")
			}
			b.heading("Acme Notes wants to connect")
			b.press(`button[value=connect]`)
			notes.arrived(b)
			must(t, http.StatusOK)(notes.login(who, "a-long-enough-1"))
			b.quiet(w.host(), notes.host())
		})
		t.Run("a forgotten password", func(t *testing.T) {
			who := map[bool]string{true: "nia@dev.test", false: "noa@dev.test"}[scripts]
			b := open(t)
			b.visit(notes.authorize())
			b.press(`a[href^="/forgot"]`)
			b.heading("Reset your password")
			b.fill("email", who)
			b.press("main form button")
			b.visit(w.letter(t, who).Link)
			b.heading("Choose a new password")
			b.fill("password", "another-long-one-2")
			b.press("main form button:not([type=button])")
			b.do(chromedp.WaitVisible(chromedp.CSS(".banner.ok")))
			b.press(`main a.button`) // back to the visit, with the name filled in
			b.heading("Sign in")
			b.fill("password", "another-long-one-2")
			b.press(`button[value=password]`)
			notes.arrived(b)
			must(t, http.StatusOK)(notes.login(who, "another-long-one-2"))
			b.quiet(w.host(), notes.host())
		})
	})
}

// TestAD04_NamesDoNothingInABrowser opens pages that show names which would be code
// where one was not escaped: nothing runs, and no policy is broken.
func TestAD04_NamesDoNothingInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	const evil = `"><img src=x onerror="document.title='pwned'"><svg onload="document.title='pwned'">`
	site := w.partner(t, evil)
	const who = "eve@dev.test"
	must(t, http.StatusCreated)(site.register(who, password, evil+"<script>document.title='pwned'</script>"))
	b := profile(t, chromium(t))
	harmless := func() {
		t.Helper()
		b.do(chromedp.WaitVisible(chromedp.CSS("footer")))
		if title := ask(b, chromedp.Title()); title == "pwned" || title == "" {
			t.Errorf("the title is %q", title)
		}
		if n := ask(b, chromedp.Evaluate[int](`document.querySelectorAll("img, svg, script:not([src])").length`)); n != 0 {
			t.Errorf("%d elements that a name brought\n%s", n, b.html())
		}
	}
	b.visit(strings.Replace(site.authorize(), "callback", "%22%3E%3Csvg%20onload=alert(1)%3E", 1))
	harmless()
	b.visit(site.authorize("prompt", "consent", "login_hint", `"><svg onload=alert(1)>`))
	harmless()
	b.fill("identifier", who)
	b.press(`button[value=code]`)
	b.at("/signin/code")
	harmless()
	stranger := profile(t, chromium(t))
	link := w.letter(t, who).Link
	stranger.visit(link)
	stranger.quiet(w.host())
	b.visit(link)
	b.at("/consent")
	harmless()
	b.visit(w.url + "/account")
	harmless()
	b.quiet(w.host())
}
