package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// finding is something axe holds against a page.
type finding struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML           string
		FailureSummary string
	}
}

// looker looks at pages: with axe, and, where OTL_SHOTS names a directory, by pictures
// for people.
type looker struct {
	*tab
	axe   string
	shots string
	brief bool // for width alone: whoever reads another language sees the same page
}

func newLooker(t *testing.T, b *tab) *looker {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("this test needs axe-core, which `make test` installs: %v", err)
	}
	b.do(protocol(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})) // axe is no part of the page
	return &looker{tab: b, axe: string(axe), shots: os.Getenv("OTL_SHOTS")}
}

// look holds the page the browser is on against axe, in light and dark, in English and
// Arabic where it can be opened again, and for width.
func (l *looker) look(name string) {
	l.t.Helper()
	if l.bare { // axe is a script
		l.scripts(true)
		defer l.scripts(false)
	}
	for _, theme := range []string{"light", "dark"} {
		if l.brief && theme == "dark" {
			break
		}
		l.do(protocol(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		}))
		for _, width := range []int64{320, 768, 1280} {
			l.do(chromedp.EmulateViewport(width, 900))
			if wide := ask(l.tab, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
				l.t.Errorf("%s is wider than %d", name, width)
			}
			if l.shots != "" {
				l.shoot(name+"-"+theme, width)
			}
		}
		if l.brief {
			continue
		}
		if theme == "light" { // it stays with the page
			ask(l.tab, chromedp.Evaluate[bool](l.axe+"; true"))
		}
		raw := ask(l.tab, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
		var found []finding
		if err := json.Unmarshal([]byte(raw), &found); err != nil {
			l.t.Fatal(err)
		}
		for _, f := range found {
			for _, n := range f.Nodes {
				l.t.Errorf("%s, %s: %s: %s\n%s\n%s", name, theme, f.ID, f.Help, n.HTML, n.FailureSummary)
			}
		}
	}
	l.fits(name)
	l.stands(name)
	small := ask(l.tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll("button, select, input:not([type=hidden], [aria-hidden])")].filter((e) => e.offsetParent && (e.getBoundingClientRect().height < 20 || e.getBoundingClientRect().width < 20)).map((e) => e.outerHTML)`))
	for _, s := range small {
		l.t.Errorf("%s: too small to hit: %s", name, s)
	}
}

// shoot takes a picture of a whole page at a width: with the screen as high as the page, because what
// lies beyond the screen is shifted in pictures of pages that are written from the right.
func (l *looker) shoot(name string, width int64) {
	l.t.Helper()
	l.do(chromedp.EmulateViewport(width, max(900, ask(l.tab, chromedp.Evaluate[int64](`document.documentElement.scrollHeight`)))))
	picture := ask(l.tab, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(l.shots, name+"-"+strconv.FormatInt(width, 10)+".png"), picture, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// longer gives what is wider than its place on a page, as it stands and with words that are two
// fifths longer, which stands in for the languages nobody has translated to yet.
const longer = `(() => {
  const over = () => [document.documentElement, ...document.querySelectorAll("main, .card, form, fieldset, button, .button, p, h1, h2, h3, li, nav, footer, label, .row, .pair, .item")]
    .filter((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible" && !e.matches(".unseen, .skip, .unseen *"))
    .map((e) => e.outerHTML.slice(0, 200));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [];
  for (let n; (n = walk.nextNode()); ) if (!n.parentElement.closest("script, style, code, pre, bdi, option")) texts.push([n, n.data]);
  const found = over().map((e) => "as it stands: " + e);
  for (const [n, was] of texts) n.data = was.replace(/\p{L}+/gu, (word) => word + "ẽ".repeat(Math.ceil(word.length * 0.4)));
  found.push(...over().map((e) => "with longer words: " + e));
  for (const [n, was] of texts) n.data = was;
  return found;
})()`

// unread gives what nobody can read because it has the colour of what it stands on, which axe calls
// undecided.
const unread = `[...document.querySelectorAll("button, .button")].filter((e) => e.offsetParent && getComputedStyle(e).color === getComputedStyle(e).backgroundColor).map((e) => e.outerHTML)`

// stands holds a page against the template whose station it is, and against what cannot be read.
func (l *looker) stands(name string) {
	l.t.Helper()
	for _, one := range ask(l.tab, chromedp.Evaluate[[]string](unread)) {
		l.t.Errorf("%s: nobody can read %s", name, one)
	}
	_, station, _ := strings.Cut(name, "-")
	page := ask(l.tab, chromedp.Evaluate[string](`document.body.dataset.page ?? ""`))
	for template, at := range stationOf {
		if at == station && page != template {
			l.t.Errorf("%s is the station of %s, and shows %q", name, template, page)
		}
	}
}

// fits holds a page against the narrowest screen.
func (l *looker) fits(name string) {
	l.t.Helper()
	l.do(chromedp.EmulateViewport(320, 900))
	for _, wide := range ask(l.tab, chromedp.Evaluate[[]string](longer)) {
		l.t.Errorf("%s is too wide, %s", name, wide)
	}
	l.do(chromedp.EmulateViewport(1280, 900))
}

// reads opens a profile for somebody who reads a language: those who read from right to
// left have no scripts here, so that pages are looked at with and without.
func reads(t *testing.T, chrome context.Context, lang string) *tab {
	t.Helper()
	b := profile(t, chrome)
	if lang == "ar" {
		return b.scriptless()
	}
	return b
}

// TestPagesForEverybody takes every page before axe: light and dark, from left and from
// right, with scripts and without, at three widths (WCAG 2.2 AA as far as a program can
// tell).
func TestPagesForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	notes := w.partner(t, "Acme Notes", "--fields", "email,name,phone,picture")
	shop := w.partner(t, "A shop with quite a long name that goes on and on for a while")
	jane, secret := w.vars["OTL_USER_EMAIL"], w.vars["OTL_USER_PASSWORD"]
	chrome := chromium(t)
	for _, lang := range []string{"en", "ar"} {
		t.Run(lang, func(t *testing.T) {
			b := reads(t, chrome, lang)
			l := newLooker(t, b)
			at := func(name string) { l.look(lang + "-" + name) }
			b.visit(w.url + "/nothing?lang=" + lang)
			at("missing")
			b.visit(strings.Replace(notes.authorize(), "callback", "other", 1))
			at("redirect")
			b.visit(notes.authorize())
			at("signin")
			b.fill("identifier", jane)
			b.press(`button[value=password]`)
			b.do(chromedp.WaitVisible(chromedp.CSS(".banner")))
			at("signin-wrong")
			b.press(`a[href^="/forgot"]`)
			b.at("/forgot?")
			at("forgot")
			b.turn(`a[href*="as=new"]`) // nobody is asked for by the hint of the name that was tried
			b.fill("email", "nobody@dev.test")
			b.turn("main form button")
			at("forgot-sent")
			b.visit(notes.authorize())
			b.press(`a[href^="/signup"]`)
			b.at("/signup?")
			at("signup")
			ask(b, chromedp.Evaluate[bool](`document.querySelector("main form").noValidate = true`))
			b.press("main form button:not([type=button])")
			b.do(chromedp.WaitVisible(chromedp.CSS(".wrong")))
			at("signup-wrong")
			b.visit(notes.authorize())
			b.fill("identifier", jane)
			b.press(`button[value=code]`)
			b.at("/signin/code")
			at("code")
			link := w.letter(t, jane).Link
			phone := reads(t, chrome, lang)
			other := newLooker(t, phone)
			phone.visit(w.url + "/nothing?lang=" + lang)
			phone.visit(link)
			other.look(lang + "-link")
			phone.turn("#deny button")
			other.look(lang + "-link-denied")
			phone.visit(link)
			other.look(lang + "-link-dead")
			phone.visit(w.url + "/reset/otl_pr_nothing")
			other.look(lang + "-reset-dead")
			b.visit(shop.authorize("prompt", "consent"))
			b.fill("identifier", jane)
			b.fill("password", secret)
			b.press(`button[value=password]`)
			b.at("/consent")
			at("consent")
			b.visit(w.url + "/account")
			at("account")
			b.visit(w.url + "/account/security")
			at("security")
			b.visit(w.url + "/signout")
			at("signout")
			b.turn("#signout button")
			at("signed-out")
			b.visit(notes.authorize())
			b.fill("identifier", w.vars["OTL_MFA_EMAIL"])
			b.fill("password", w.vars["OTL_MFA_PASSWORD"])
			b.press(`button[value=password]`)
			b.at("/mfa")
			at("mfa")
			must(t, http.StatusAccepted)(notes.do(http.MethodPost, "/api/v1/auth/password/forgot", "", map[string]string{"email": jane}))
			b.visit(w.letter(t, jane).Link)
			at("reset")
		})
	}
}
