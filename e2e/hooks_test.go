package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/onetimelogin/otl/internal/secret"
)

// receiver is an endpoint of a site that takes its time.
type receiver struct {
	url    string
	heard  atomic.Int32
	status atomic.Int32
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(http.StatusOK)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond) // so that there is something to draw
		w.Header().Set("X-Receiver", "seen")
		w.WriteHeader(int(r.status.Load()))
		_, _ = w.Write([]byte("<b>heard</b> " + strings.Repeat("and a long line that goes on ", 8)))
		r.heard.Add(1)
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/hooks/of/a/site/with/quite/a/long/path"
	return r
}

// hears waits until so many requests came in all.
func (r *receiver) hears(b *tab, n int32) {
	b.t.Helper()
	b.until("a delivery", func() (bool, string, error) { return r.heard.Load() >= n, "none", nil })
}

// TestTheWebhooksPageForEverybody: the owner of a site comes from his account, makes an endpoint,
// has a test sent, filters, reads request and answer of the attempt, sends it again, and has
// counted before he replays. Each page is held against axe, at three widths, light and dark;
// `make looks` does so in two more languages.
func TestTheWebhooksPageForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "OTL_RATE_LIMITS=off")
	l := newLooker(t, profile(t, chromium(t)))
	l.visit(w.url + "/account")
	s := stations{world: w, lang: "en"}
	s.signIn(l, w.vars["OTL_OWNER_EMAIL"], w.vars["OTL_OWNER_PASSWORD"])
	l.at("/mfa")
	seed, err := secret.ParseTOTPSeed(w.vars["OTL_OWNER_TOTP_SECRET"])
	if err != nil {
		t.Fatal(err)
	}
	l.fill("code", secret.TOTP(seed, time.Now()))
	l.press("main form button:not([type=button])")
	l.at("/account")
	languages := []string{"en"}
	if os.Getenv("OTL_E2E_LOOKS") != "" {
		languages = []string{"en", "ar", "de"}
	}
	for _, lang := range languages {
		s.lang, l.brief = lang, lang == "de"
		l.visit(w.url + "/account?lang=" + lang)
		if len(languages) > 1 {
			s.settings(l)
			l.visit(w.url + "/account")
		}
		s.webhooks(l, len(languages) > 1)
	}
	l.quiet(w.host())
}

// webhooks is the way through the pages of one endpoint.
func (s stations) webhooks(l *looker, all bool) {
	at := func(name string, often bool) {
		l.t.Helper()
		if all || often {
			s.at(l, "webhooks-"+name)
		}
	}
	r := newReceiver(l.t)
	l.turn(`a[href="/account/sites/` + s.vars["OTL_SITE_ID"] + `/webhooks"]`)
	ask(l.tab, chromedp.Evaluate[bool](`document.querySelector("#new").noValidate = true`))
	l.fill("url", "ftp://notes.test/")
	l.turn("#new button")
	l.do(chromedp.WaitVisible(chromedp.CSS("#url-wrong")))
	at("wrong", true)
	l.fill("url", r.url)
	for _, event := range []string{"role.assigned", "session.revoked", "user.updated"} {
		l.press(`#new input[value="` + event + `"]`)
	}
	l.turn("#new button")
	l.do(chromedp.WaitVisible(chromedp.CSS(`main code`)))
	at("made", false)
	made := strings.TrimSuffix(ask(l.tab, chromedp.Evaluate[string](`document.querySelector("#act").action`)), "/")
	l.turn(`#act button[value=test]`)
	l.do(chromedp.WaitVisible(chromedp.CSS(".banner.ok")))
	r.hears(l.tab, 1)
	delivered := func(state string) {
		l.t.Helper()
		l.until(state, func() (bool, string, error) {
			l.visit(made + "?state=" + state + "&type=webhook.test")
			n, err := look(l.tab, chromedp.Evaluate[int](`document.querySelectorAll('main .item a').length`))
			return n > 0, "none", err
		})
	}
	delivered("delivered")
	at("endpoint", true)
	l.fill("user", "nobody")
	l.turn("#filter button")
	l.do(chromedp.WaitVisible(chromedp.CSS("#user-wrong")))
	at("filter-wrong", false)
	l.visit(made)
	l.turn(`main .item a`)
	for _, half := range []string{"details", "details + details"} {
		l.press("main " + half + " > summary")
	}
	if got := l.text("main"); !strings.Contains(got, "x-otl-signature: ") || !strings.Contains(got, "x-receiver: seen") || !strings.Contains(got, "<b>heard</b>") || !strings.Contains(got, "DNS") {
		l.t.Errorf("the attempt shows %q", got)
	}
	at("delivery", true)
	l.turn(`a[href$="curl=1"]`)
	at("command", false)
	r.status.Store(http.StatusInternalServerError)
	l.turn("#resend button")
	r.hears(l.tab, 2)
	delivered("waiting")
	at("failing", false)
	r.status.Store(http.StatusOK)
	l.visit(made)
	l.press("#replay input[type=checkbox]")
	l.turn("#replay button[value=count]")
	if got := l.text(".banner.ok"); !strings.Contains(got, "1") {
		l.t.Errorf("counted: %q", got)
	}
	at("counted", false)
	l.turn("#replay button[value=replay]") // of what was counted, without more
	r.hears(l.tab, 3)
	l.visit(made[:strings.LastIndex(made, "/")])
	at("list", true)
}
