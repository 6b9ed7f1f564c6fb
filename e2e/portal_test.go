package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTheAccountForEverybody takes the pages of the account before axe: light and dark,
// from left and from right, at three widths.
func TestTheAccountForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes", "--fields", "email,name,phone", "--require", "email")
	jane, secret := w.vars["OTL_USER_EMAIL"], w.vars["OTL_USER_PASSWORD"]
	chrome := chromium(t)
	for _, lang := range []string{"en", "ar"} {
		t.Run(lang, func(t *testing.T) {
			b := reads(t, chrome, lang)
			l := newLooker(t, b)
			b.visit(w.url + "/nothing?lang=" + lang)
			b.visit(notes.authorize("prompt", "consent"))
			b.fill("identifier", jane)
			b.fill("password", secret)
			b.press(`button[value=password]`)
			b.at("/consent")
			l.look(lang + "-consent-required")
			b.press(`button[value=connect]`)
			notes.arrived(b)
			for _, name := range []string{
				"account", "account-profile", "account-email", "account-phone", "account-activity", "account-ledger", "account-data", "account-sessions", "account-secure", "account-password",
			} {
				b.visit(w.url + "/" + strings.ReplaceAll(name, "-", "/"))
				l.look(lang + "-" + name)
			}
			b.visit(w.url + "/account/profile")
			b.fill("picture", "https://")
			ask(b, chromedp.Evaluate[bool](`document.querySelector("#profile").noValidate = true`))
			b.turn("#profile button")
			l.look(lang + "-account-profile-wrong")
			b.visit(w.url + "/account/data")
			b.press("#delete input[type=checkbox]")
			b.turn("#delete button")
			l.look(lang + "-account-left")
			b.visit(notes.authorize())
			b.fill("identifier", jane)
			b.fill("password", secret)
			b.press(`button[value=password]`)
			b.at("/leaving")
			l.look(lang + "-leaving")
			b.press("#keep button")
			notes.arrived(b)
			b.quiet(w.host(), notes.host())
		})
	}
}

// TestTheAccountInABrowser: somebody changes his profile, looks at what happened, leaves
// and comes back; with scripts and without.
func TestTheAccountInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes")
	who := w.member(t, notes)
	both(t, chromium(t), func(t *testing.T, open func(*testing.T) *tab, _ bool) {
		b := open(t)
		in := func() {
			b.fill("identifier", who)
			b.fill("password", password)
			b.press(`button[value=password]`)
		}
		b.visit(w.url + "/account/profile")
		in()
		b.heading("Profile")
		if got := b.text("#name-seen"); !strings.Contains(got, "Acme Notes") {
			t.Errorf("seen by %q", got)
		}
		b.fill("name", "Nia <b>Other</b>")
		b.turn("#profile button")
		b.do(chromedp.WaitVisible(chromedp.CSS(".banner.ok")))
		b.visit(w.url + "/account/activity")
		if got := b.text("main"); !strings.Contains(got, "Profile changed: Name") || !strings.Contains(got, "Signed in to") {
			t.Errorf("the activity is %q", got)
		}
		b.visit(w.url + "/account/data")
		b.press("#delete input[type=checkbox]")
		b.turn("#delete button")
		b.heading("Your account is to be deleted")
		b.visit(w.url + "/account")
		in()
		b.heading("Your account is to be deleted")
		b.turn("#keep button") // its heading begins as that of the one before
		b.heading("Your account")
		b.quiet(w.host())
	})
}
