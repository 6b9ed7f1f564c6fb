package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// settings are what the owner of a site sets on its pages, who is on that of his account.
func (s stations) settings(l *looker) {
	at := "/account/sites/" + s.vars["OTL_SITE_ID"] + "/"
	turn := func(page string) { l.turn(`nav a[href="` + at + page + `"]`) }
	s.at(l, "account-owner")
	l.turn(`main .item a[href="` + at + `ways"]`)
	s.at(l, "site-ways")
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelectorAll("#ways input[type=checkbox]").forEach((e) => (e.checked = false)); true`))
	s.sent(l, "#ways", "#ways-wrong")
	s.at(l, "site-ways-wrong")
	turn("details")
	s.at(l, "site-details")
	l.fill("domain", "not a name")
	s.sent(l, "#details", "#domain-wrong")
	s.at(l, "site-details-wrong")
	turn("addresses")
	s.at(l, "site-addresses")
	s.lines(l, "callback_urls", "https://notes.example.com/auth/callback\nhttp://notes.example.com/auth/callback/that-goes-on-and-on-for-quite-a-while")
	s.sent(l, "#addresses", "#callback_urls-wrong")
	s.at(l, "site-addresses-wrong")
	turn("keys")
	s.at(l, "site-keys")
	s.sent(l, "#new", "#name-wrong")
	s.at(l, "site-keys-wrong")
	l.fill("name", "Nightly job")
	s.sent(l, "#new", "#secret")
	s.at(l, "site-keys-made")
	l.turn("button[value=revoke]")
	s.at(l, "site-keys-end")
	l.turn("#ask a.second")
	turn("clients")
	s.client(l)
	turn("look")
	s.brand(l)
	l.visit(s.url + at + "off")
	s.at(l, "site-off")
	s.off(l)
}

// sent sends a form as a browser would that checks nothing, and waits for what the page then says.
func (s stations) sent(l *looker, form, then string) {
	l.t.Helper()
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("`+form+`").noValidate = true`))
	l.turn(form + " button")
	l.do(chromedp.WaitVisible(chromedp.CSS(then)))
}

// lines writes into a field of several lines, which may hold none.
func (s stations) lines(l *looker, name, text string) {
	l.t.Helper()
	ask(l.tab, chromedp.Evaluate[bool](fmt.Sprintf(`document.querySelector("textarea[name=%s]").value = %q; true`, name, text)))
}

// client is the way of one program: it is made after a slip, its secret is shown once, it is changed after another slip, and it ends.
func (s stations) client(l *looker) {
	l.t.Helper()
	const name, address = "Cash desk", "https://desk.example.com/signed-in"
	s.lines(l, "redirect_uris", address+"#there")
	s.sent(l, "#new", "#redirect_uris-wrong")
	s.at(l, "site-clients-wrong")
	l.fill("name", name)
	s.lines(l, "redirect_uris", address)
	s.sent(l, "#new", "#secret")
	s.at(l, "site-clients")
	made := l.text("#made")
	l.turn("#client-" + made + " a.button")
	s.at(l, "site-client")
	s.lines(l, "redirect_uris", address+"\nhttp://desk.example.com/an/address/that/goes/on/and/on/for/quite/a/while")
	s.sent(l, "#client", "#redirect_uris-wrong")
	s.at(l, "site-client-wrong")
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#client [name=version]").value = "another"; true`))
	s.sent(l, "#client", "#problem")
	s.at(l, "site-client-stale")
	s.lines(l, "redirect_uris", address+"\n"+address+"/too")
	s.sent(l, "#client", ".banner.ok")
	s.at(l, "site-clients-saved")
	if got := l.text("#client-" + made); !strings.Contains(got, name) || !strings.Contains(got, address+"/too") {
		l.t.Errorf("the program is %q", got)
	}
	l.turn("#revoke-" + made + " button")
	s.at(l, "site-client-end")
	l.turn("#ask button")
	l.do(chromedp.WaitVisible(chromedp.CSS(".banner.ok")))
	if there := ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#client-`+made+`") !== null`)); there {
		l.t.Error("the program is there still")
	}
}

// brand is the look of a site.
func (s stations) brand(l *looker) {
	l.t.Helper()
	logo := filepath.Join(l.t.TempDir(), "logo.png")
	raw, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKklEQVR42mOQ979BU8QwasGoBaMWjFowasGoBaMWjFowasGoBaMWDBULAHdAGEzTcE27AAAAAElFTkSuQmCC")
	if err == nil {
		err = os.WriteFile(logo, raw, 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.fill("color", "blue")
	s.sent(l, "#look", "#color-wrong")
	s.at(l, "site-look-wrong")
	l.do(chromedp.SetUploadFiles(chromedp.CSS("#logo"), []string{logo}))
	l.fill("color", "#1f4fd8")
	l.fill("link_text_0", "Help")
	l.fill("link_url_0", "https://notes.example.com/help")
	l.turn("#look button")
	l.do(chromedp.WaitVisible(chromedp.CSS("main img.logo")))
	s.at(l, "site-look")
}

// off is a site that is turned off by its owner, and on again.
func (s stations) off(l *looker) {
	l.t.Helper()
	old := s.partner(l.t, "Acme Letters", "--owner", s.vars["OTL_OWNER_EMAIL"])
	l.visit(s.url + "/account/sites/" + old.id + "/clients")
	s.at(l, "site-clients-none")
	l.visit(s.url + "/account/sites/" + old.id + "/off")
	l.turn("#ask button")
	s.at(l, "site-off-done")
	l.visit(s.url + "/account")
	s.at(l, "account-owner-off")
	l.turn(`a[href$="/` + old.id + `/off"]`)
	l.turn("#ask button")
	l.do(chromedp.WaitVisible(chromedp.CSS("#ways")))
}
