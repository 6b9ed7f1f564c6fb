package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// stationOf names for each template of a page a station of the looks that shows it.
var stationOf = map[string]string{
	"account": "account", "activity": "account-activity", "address": "account-email", "answer": "form-post", "ask": "account-disconnect", "barred": "barred", "change": "change",
	"choose": "choose", "code": "code", "codes": "setup-codes", "consent": "consent", "data": "account-data", "delivery": "hooks-delivery", "device": "device-confirm", "doc": "docs",
	"enter": "setup-app", "forgot": "forgot", "front": "front", "handed": "handed", "hook": "hooks-one", "hooks": "hooks", "leaving": "leaving", "ledger": "account-ledger", "link": "link",
	"mfa": "mfa", "offer": "offer", "password": "account-password", "problem": "missing", "profile": "account-profile", "redirect": "redirect-owner", "reset": "reset", "secure": "account-secure",
	"security": "security", "sessions": "account-sessions", "signin": "signin", "siteaddresses": "site-addresses", "siteclients": "site-clients", "sitedetails": "site-details", "sitekeys": "site-keys", "sitelook": "site-look", "siteways": "site-ways", "signout": "signout", "signup": "signup", "status": "status", "switch": "switch", "ways": "setup-ways",
}

// noPage are templates that are a part of others, or handed out to be kept.
var noPage = map[string]bool{"frame": true, "nav": true, "head": true, "foot": true, "export": true}

// TestEveryTemplateHasAStation: a page that is added is taken before axe and looked at, or this
// fails. That a station shows its template the looks find out.
func TestEveryTemplateHasAStation(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob("../internal/surface/pages/templates/*.html")
	if err != nil || len(templates) == 0 {
		t.Fatal(templates, err)
	}
	var looks strings.Builder
	for _, name := range []string{"axe_test.go", "portal_test.go", "looks_test.go", "stations_test.go", "settings_test.go"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if _, after, found := strings.Cut(text, "// noPage "); found {
			text = after // without the list itself
		}
		looks.WriteString(text)
	}
	for _, path := range templates {
		name := strings.TrimSuffix(filepath.Base(path), ".html")
		station := stationOf[name]
		if said := looks.String(); !noPage[name] && (station == "" || !strings.Contains(said, `"`+station+`"`) && !strings.Contains(said, `"-`+station+`"`)) {
			t.Errorf("%s has no station: %q", name, station)
		}
	}
}

// in signs a newcomer in on the page of a sign-in, and gives who it is.
func (s stations) in(l *looker, p *partner, name string) string {
	l.t.Helper()
	who := s.newcomer(l.t, p, name)
	s.signIn(l, who, password)
	return who
}

// changes are what the links lead to that somebody gets who wants another address: to him who has
// the new one, and to him who has the old.
func (s stations) changes(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	l := s.open(t)
	l.visit(s.url + "/account/email")
	who := s.in(l, site, "change")
	l.at("/account/email")
	l.fill("email", "new-"+who)
	l.turn("#address button")
	s.at(l, "account-email-asked")
	link := s.letter(t, "new-"+who).Link
	l.visit(link)
	s.at(l, "change")
	l.turn("#confirm button")
	s.at(l, "change-done")
	l.visit(link)
	s.at(l, "change-used")
}

// steps are what stands between a site and somebody: a passkey that is offered, and an answer by a
// form.
func (s stations) steps(t *testing.T) {
	site := s.partner(t, "Acme Notes")
	var client struct {
		ID string `json:"client_id"`
	}
	s.otl(t, &client, "clients", "create", "--site", site.id, "--public", "--name", "Acme Web", "--redirect-uri", site.callback)
	l := s.open(t)
	l.visit(site.authorize())
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("[name=keys]").value = "1"; true`))
	s.in(l, site, "steps")
	l.at("/passkey/offer")
	s.at(l, "offer")
	l.press(`#offer button[value=later]`)
	site.arrived(l.tab)
	bare := l.bare
	l.scriptless() // the form goes by itself otherwise
	q := url.Values{
		"client_id": {client.ID}, "redirect_uri": {site.callback}, "response_type": {"code"}, "scope": {"openid"}, "response_mode": {"form_post"},
		"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
	}
	l.visit(s.url + "/oidc/authorize?" + q.Encode())
	l.do(chromedp.WaitVisible(chromedp.CSS("main form button")))
	if len(ask(l.tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll("#consent")].map((e) => e.id)`))) > 0 {
		l.turn(`button[value=connect]`)
	}
	s.at(l, "form-post")
	if l.bare = bare; !bare {
		l.scripts(true)
	}
}

// handed is a browser that a site signed in with a session token, and would as somebody else; and
// one of somebody whom that site has barred.
func (s stations) handed(t *testing.T) {
	o := newOneLogin(t, http.DefaultClient, s.vars)
	other, barred := "other-"+s.lang+"@dev.test", "barred-"+s.lang+"@dev.test"
	var made struct{ Data []struct{ ID int } }
	for _, who := range []string{other, barred} { // the last one is barred
		o.post(t, "/api/1/users", "bearer:"+o.bearer, map[string]string{
			"email": who, "firstname": "Olga", "lastname": "Other", "password": password, "password_confirmation": password,
		}, &made)
	}
	o.call(t, http.MethodPut, fmt.Sprintf("/api/1/users/%d/set_state", made.Data[0].ID), "bearer:"+o.bearer, map[string]int{"state": 2}, &struct{}{})
	var page string
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, page)
	}))
	t.Cleanup(login.Close)
	l := s.open(t)
	for _, station := range []struct{ name, token string }{{"handed", o.sessionToken(t)}, {"switch", o.sessionTokenOf(t, other, password)}} {
		page = fmt.Sprintf(formPage, s.url, station.token)
		l.visit(login.URL)
		l.press("input[type=submit]")
		l.do(chromedp.WaitVisible(chromedp.CSS("footer")))
		s.at(l, station.name)
	}
	b, site := s.open(t), &partner{id: s.vars["OTL_SITE_ID"], callback: s.vars["OTL_CALLBACK_URL"], world: s.world}
	b.visit(site.authorize())
	s.signIn(b, barred, password)
	b.at("/barred")
	s.at(b, "barred")
}

// hooks are what the owner of a site sees of its webhooks.
func (s stations) hooks(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	home := s.partner(t, "Acme Notes")
	site := s.partner(t, "Acme Hooks", "--owner", s.newcomer(t, home, "hooks"))
	must(t, http.StatusCreated)(site.do(http.MethodPost, "/api/v1/webhooks", "", map[string]string{"url": receiver.URL}))
	s.newcomer(t, site, "told")
	l, at := s.open(t), s.url+"/account/sites/"+site.id+"/webhooks"
	l.visit(at)
	s.signIn(l, "hooks-"+s.lang+"@dev.test", password)
	l.at(at)
	s.at(l, "hooks")
	l.turn("main .item h2 a")
	s.at(l, "hooks-one")
	l.until("a delivery", func() (bool, string, error) {
		l.visit(l.at(at + "/"))
		there, err := look(l.tab, chromedp.Evaluate[bool](`document.querySelector("main a[href*=deliveries]") !== null`))
		return there, "none", err
	})
	l.turn("main a[href*=deliveries]")
	s.at(l, "hooks-delivery")
}

// overdue is a visit that took too long, and can be begun anew.
func (s stations) overdue(t *testing.T) {
	site, dev := s.partner(t, "Acme Notes"), newClient(t, s.url, "")
	l := s.open(t)
	l.visit(site.authorize())
	visit := l.at("/signin?f=")
	must(t, http.StatusOK)(dev.do(http.MethodPost, "/dev/clock", "", map[string]string{"advance": "31m"}))
	defer func() {
		must(t, http.StatusOK)(dev.do(http.MethodPost, "/dev/clock", "", map[string]bool{"reset": true}))
	}()
	l.visit(visit)
	l.do(chromedp.WaitVisible(chromedp.CSS("#restart button")))
	s.at(l, "visit-overdue")
}
