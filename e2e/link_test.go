package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestOT14_LinkSurvivesScanners has a link fetched as mail scanners do, and opened
// by a headless browser that runs scripts; then the person gets in, scripts off.
func TestOT14_LinkSurvivesScanners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	notes := w.partner(t, "Acme Notes")
	jane := w.vars["OTL_USER_EMAIL"]
	must(t, http.StatusAccepted)(notes.do(http.MethodPost, "/api/v1/auth/link/send", "", map[string]string{"email": jane, "callback_url": notes.callback, "state": "s-1"}))
	link := w.letter(t, jane).Link
	for range 50 {
		must(t, http.StatusOK)(notes.do(http.MethodGet, link[len(w.url):], "", nil))
	}
	for range 5 {
		must(t, http.StatusOK)(notes.do(http.MethodHead, link[len(w.url):], "", nil))
	}
	chrome := chromium(t)
	scanner := profile(t, chrome)
	scanner.visit(link)
	scanner.do(chromedp.WaitVisible(chromedp.CSS("#confirm button")))
	scanner.quiet(w.host())

	human := profile(t, chrome).scriptless()
	human.visit(link)
	eyes := newLooker(t, human)
	eyes.look("en-site-link")
	human.press("#confirm button")
	back, err := url.Parse(human.at(notes.callback))
	if err != nil || back.Query().Get("state") != "s-1" {
		t.Fatalf("sent to %s: %v", back, err)
	}
	human.quiet(w.host(), notes.host())
	must(t, http.StatusOK)(notes.do(http.MethodPost, "/api/v1/auth/link/verify", "", map[string]string{"code": back.Query().Get("code")}))
	human.visit(link)
	if got := human.text("h1"); got != "This link was already used" {
		t.Errorf("a used link shows %q", got)
	}
	eyes.look("en-site-link-dead")
}
