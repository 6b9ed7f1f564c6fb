package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/onetimelogin/otl/internal/secret"
)

// TestSeldomPagesForEverybody takes the pages before axe that people see now and then:
// a second step, devices, links that were used, addresses that are not
// registered, choices between two people. `make looks` takes all of them, in two languages, and
// in a third one for their width;
// without OTL_E2E_LOOKS it is a part of them.
func TestSeldomPagesForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	chrome := chromium(t)
	all := os.Getenv("OTL_E2E_LOOKS") != ""
	for _, lang := range []string{"en", "ar", "de"} {
		if lang != "en" && !all {
			continue
		}
		t.Run(lang, func(t *testing.T) {
			s := stations{world: w, lang: lang, open: func(t *testing.T) *looker {
				t.Helper()
				l := newLooker(t, reads(t, chrome, lang))
				l.brief = lang == "de"
				l.visit(w.url + "/nothing?lang=" + lang)
				return l
			}}
			t.Run("link", s.link)
			t.Run("addresses", s.addresses)
			t.Run("account", s.account)
			t.Run("choice", s.choice)
			if all {
				t.Run("second step", s.secondStep)
				t.Run("set up", s.setUp)
				t.Run("answers", s.answers)
				t.Run("device", s.device)
				t.Run("around", s.around)
				t.Run("changes", s.changes)
				t.Run("steps", s.steps)
				t.Run("handed", s.handed)
				t.Run("hooks", s.hooks)
				t.Run("overdue", s.overdue) // the last one: it moves the clock
			}
		})
	}
}

// stations are pages that one comes by on a way through a world, in a language.
type stations struct {
	*world
	lang string
	open func(t *testing.T) *looker
}

func (s stations) at(l *looker, name string) {
	l.t.Helper()
	l.look(s.lang + "-" + name)
}

func (s stations) signIn(l *looker, who, password string) {
	l.fill("identifier", who)
	l.fill("password", password)
	l.press(`button[value=password]`)
}

// newcomer adds somebody who belongs to a station alone.
func (s stations) newcomer(t *testing.T, p *partner, name string) string {
	t.Helper()
	who := name + "-" + s.lang + "@dev.test"
	must(t, http.StatusCreated)(p.register(who, password, "Mia Member"))
	return who
}

func (s stations) secondStep(t *testing.T) {
	l := s.open(t)
	l.visit(s.partner(t, "Acme Bank").authorize())
	s.signIn(l, s.vars["OTL_MFA_EMAIL"], s.vars["OTL_MFA_PASSWORD"])
	l.at("/mfa")
	l.fill("code", "000000")
	l.turn("main form button:not([type=button])")
	s.at(l, "mfa-wrong")
}

func (s stations) device(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	var made struct {
		ID string `json:"client_id"`
	}
	s.otl(t, &made, "clients", "create", "--site", site.id, "--public", "--device", "--name", "Acme TV", "--redirect-uri", site.callback)
	who := s.newcomer(t, site, "device")
	for _, decision := range []string{"connect", "cancel"} {
		l := s.open(t)
		l.visit(s.url + "/device")
		if decision == "connect" {
			s.at(l, "device")
			l.fill("user_code", "BBBB-BBBB")
			l.turn("#device button")
			s.at(l, "device-wrong")
		}
		var device struct {
			User string `json:"user_code"`
		}
		res, err := http.PostForm(s.url+"/oidc/device_authorization", url.Values{"client_id": {made.ID}, "scope": {"openid"}})
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(res.Body).Decode(&device)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		l.fill("user_code", device.User)
		l.press("#device button")
		s.signIn(l, who, password)
		l.at("/device/confirm")
		if decision == "connect" {
			s.at(l, "device-confirm")
		}
		l.turn(`button[value=` + decision + `]`)
		s.at(l, "device-"+decision)
	}
}

func (s stations) link(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	who := s.newcomer(t, site, "link")
	for _, choice := range []string{"approved", "wrong"} {
		first, phone := s.open(t), s.open(t)
		first.visit(site.authorize())
		first.fill("identifier", who)
		first.press(`button[value=code]`)
		number := first.text("#number")
		phone.visit(s.letter(t, who).Link)
		if choice == "approved" {
			phone.press(`input[value="` + number + `"]`)
		} else {
			phone.press(`input[name=number]:not([value="` + number + `"])`)
		}
		phone.turn(`button[value=start]`)
		s.at(phone, "link-"+choice)
	}
	invited(t, s, site)
	l := s.open(t)
	l.visit(site.authorize())
	l.fill("identifier", who)
	l.press(`button[value=code]`)
	l.at("/signin/code")
	l.do(chromedp.WaitVisible(chromedp.CSS("#code")))
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#code").value = "000000"; document.querySelector("#code-form").submit(); true`))
	l.do(chromedp.WaitVisible(chromedp.CSS(".banner, .wrong")))
	s.at(l, "code-wrong")
	l.visit(site.authorize("prompt", "select_account"))
	s.at(l, "nobody-to-choose")
}

// invited looks at the mail and the page of a link that may make an account.
func invited(t *testing.T, s stations, site *partner) {
	t.Helper()
	var c oauthClient
	s.otl(t, &c, "clients", "create", "--site", site.id, "--scopes", "auth", "--redirect-uri", site.callback, "--allow-signup", "--auto-create")
	var token struct {
		Access string `json:"access_token"`
	}
	r, err := http.PostForm(s.url+"/oidc/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {c.Secret}})
	if err == nil {
		err = errors.Join(json.NewDecoder(r.Body).Decode(&token), r.Body.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	to := "invited-" + s.lang + "@dev.test"
	must(t, http.StatusOK)(site.do(http.MethodPost, "/v1/auth/link/email/send", token.Access, object{"email": to, "redirect_uri": site.callback}))
	came, l := s.arrives(t, to), s.open(t)
	l.visit(s.url + "/dev/inbox/" + came.ID)
	l.fits(s.lang + "-link-mail") // a mail has no landmarks, which axe asks a page for
	l.visit(came.Link)
	s.at(l, "link-invited")
}

func (s stations) addresses(t *testing.T) {
	l := s.open(t)
	l.visit(s.url + "/account")
	s.signIn(l, s.vars["OTL_OWNER_EMAIL"], s.vars["OTL_OWNER_PASSWORD"])
	l.at("/mfa")
	seed, err := secret.ParseTOTPSeed(s.vars["OTL_OWNER_TOTP_SECRET"])
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	switch s.lang { // a code is good once
	case "ar":
		at = at.Add(30 * time.Second)
	case "de":
		return // no third one is good yet
	}
	l.fill("code", secret.TOTP(seed, at))
	l.press("main form button:not([type=button])")
	l.at("/account")
	q := url.Values{"site": {s.vars["OTL_SITE_ID"]}, "redirect_uri": {"http://localhost:9999/callback-" + s.lang}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}}
	l.visit(s.url + "/authorize?" + q.Encode())
	s.at(l, "redirect-owner")
	l.press(`a[href^="/redirect"]`)
	l.at("/redirect")
	s.at(l, "redirect-mend")
	l.turn("#mend button")
	s.at(l, "redirect-done")
}

func (s stations) account(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	l := s.open(t)
	l.visit(site.authorize("prompt", "consent"))
	s.signIn(l, s.newcomer(t, site, "account"), password)
	l.at("/consent")
	l.press(`button[value=connect]`)
	site.arrived(l.tab)
	l.visit(site.authorize("prompt", "select_account"))
	l.at("/choose")
	s.at(l, "choose")
	for _, page := range []string{"sessions", "secure", "security"} {
		l.visit(s.url + "/account/" + page)
		s.at(l, "account-"+page)
	}
	l.visit(s.url + "/account")
	l.turn(`a[href$="/disconnect"]`)
	s.at(l, "account-disconnect")
	for _, field := range []string{"email", "phone"} {
		l.visit(s.url + "/account/" + field)
		s.at(l, "account-"+field+"-ask")
	}
}

// choice is between two people who were signed in in one browser.
func (s stations) choice(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	l := s.open(t)
	l.visit(s.url + "/account")
	s.signIn(l, s.newcomer(t, site, "former"), password)
	l.at("/account")
	l.visit(s.url + "/choose")
	l.press(`a[href$="as=new"]`)
	l.at("as=new")
	s.signIn(l, s.newcomer(t, site, "second"), password)
	l.at("/account")
	l.visit(s.url + "/choose")
	l.at("/choose?")
	s.at(l, "choose-former")
	l.turn(`.former button[name=as]`)
	s.at(l, "signin-former")
}

// setUp is of a second step: the ways, an app with a wrong code and a right one, and the codes.
func (s stations) setUp(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	l := s.open(t)
	l.visit(s.url + "/account/security")
	s.signIn(l, s.newcomer(t, site, "setup"), password)
	l.turn("#add button")
	s.at(l, "setup-ways")
	l.turn("#way-totp button")
	s.at(l, "setup-app")
	seed, err := secret.ParseTOTPSeed(l.text("#seed"))
	if err != nil {
		t.Fatal(err)
	}
	l.fill("code", "000000")
	l.turn("#confirm button")
	s.at(l, "setup-app-wrong")
	l.fill("code", secret.TOTP(seed, time.Now()))
	l.turn("#confirm button")
	s.at(l, "setup-codes")
}

// answers are what pages say when something is over, refused or taken back.
func (s stations) answers(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	l := s.open(t)
	who := s.newcomer(t, site, "answers")
	l.visit(site.authorize())
	l.fill("identifier", who)
	l.press(`button[value=code]`)
	l.at("/signin/code")
	for range 5 {
		l.do(chromedp.WaitVisible(chromedp.CSS("#code")))
		ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#code").value = "000000"; true`))
		l.turn("#code-form button")
	}
	s.at(l, "code-void")
	s.letter(t, who) // out of the way of the one that comes
	l.visit(site.authorize())
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#passkey [name=credential]").value = "{}"; document.querySelector("#passkey").submit(); true`))
	l.do(chromedp.WaitVisible(chromedp.CSS(".banner")))
	s.at(l, "passkey-failed")
	l.visit(s.url + "/signin?f=fl_nothing")
	s.at(l, "visit-over")
	l.visit(s.url + "/signin?error=session_token")
	s.at(l, "token-over")
	l.visit(site.authorize())
	s.signIn(l, who, password)
	site.arrived(l.tab)
	l.visit(s.url + "/account?kept=1")
	s.at(l, "account-kept")
	must(t, http.StatusAccepted)(site.do(http.MethodPost, "/api/v1/auth/password/forgot", "", map[string]string{"email": who}))
	link := ""
	for link == "" { // the news that he signed in may come first
		link = s.letter(t, who).Link
	}
	l.visit(link)
	l.fill("password", "another-horse-8")
	l.turn("main form button:not([type=button])")
	s.at(l, "reset-done")
}

func (s stations) around(t *testing.T) {
	l := s.open(t)
	for name, address := range map[string]string{
		"front": s.url + "/", "status": s.url + "/status", "docs": s.url + "/docs", "docs-page": s.url + "/docs/oidc",
		"demo": strings.TrimSuffix(s.vars["OTL_CALLBACK_URL"], "/auth/callback"), "inbox": s.url + "/dev/inbox",
		"visit-unknown": s.url + "/signin?f=fl_nothing", "change-dead": s.url + "/c/otl_ca_nothing", "link-unknown": s.url + "/l/otl_ln_nothing",
	} {
		if s.lang == "en" || strings.HasPrefix(address, s.url+"/signin") || name == "front" || name == "status" {
			l.visit(address)
			s.at(l, name)
		}
	}
}
