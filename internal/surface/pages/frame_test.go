package pages_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

const anyPage = "text/html,application/xhtml+xml"

// TestAProblemIsAPage to a browser, and an answer of the API to everybody else.
func TestAProblemIsAPage(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Do(t, otltest.Call{Path: "/nothing"}).Want(t, http.StatusNotFound, "no_such_path")
	r := w.Do(t, otltest.Call{Path: "/nothing", Headers: map[string]string{"Accept": anyPage, "Accept-Language": "de-AT,en;q=0.5"}}).Want(t, http.StatusNotFound)
	page := string(r.Raw)
	for _, want := range []string{`<html lang="de" dir="ltr">`, "<h1>Diese Seite gibt es nicht</h1>", r.Header.Get("X-Request-Id")} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8"} {
		if r.Header.Get(name) != want {
			t.Errorf("%s: %q", name, r.Header.Get(name))
		}
	}
	if p := r.Header.Get("Content-Security-Policy"); !strings.Contains(p, "script-src 'self';") || strings.Contains(p, "unsafe") || !strings.Contains(p, "trusted-types 'none'") {
		t.Errorf("the policy %q", p)
	}
}

// TestAChosenLanguageStays: by the parameter, then by the cookie, before what the
// browser prefers; what is no language of ours changes nothing.
func TestAChosenLanguageStays(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for _, l := range message.Languages() {
		r := w.Do(t, otltest.Call{Path: "/nothing?lang=" + l.Tag, Headers: map[string]string{"Accept": anyPage, "Accept-Language": "fr"}})
		dir := "ltr"
		if l.Tag == "ar" || l.Tag == "he" {
			dir = "rtl"
		}
		if want := `<html lang="` + l.Tag + `" dir="` + dir + `">`; !strings.Contains(string(r.Raw), want) || !strings.Contains(string(r.Raw), ">"+l.Name+"</option>") {
			t.Errorf("no %s in %s", want, r.Raw)
		}
		cookie, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
		if cookie != "__Host-otl_lang="+l.Tag {
			t.Fatalf("the cookie %q", cookie)
		}
		r = w.Do(t, otltest.Call{Path: "/nothing", Headers: map[string]string{"Accept": anyPage, "Accept-Language": "fr", "Cookie": cookie}})
		if !strings.Contains(string(r.Raw), `<html lang="`+l.Tag+`"`) {
			t.Errorf("%s was forgotten", l.Tag)
		}
	}
	for _, strange := range []string{"xx", "EN", "en,de", `"><script>`, "%00"} {
		r := w.Do(t, otltest.Call{Path: "/nothing?lang=" + strange, Headers: map[string]string{"Accept": anyPage, "Accept-Language": "fr"}})
		if r.Header.Get("Set-Cookie") != "" || !strings.Contains(string(r.Raw), `<html lang="fr"`) {
			t.Errorf("%q was taken: %v", strange, r.Header)
		}
	}
}

// TestAChosenThemeStays: by the parameter, then by the cookie, until the system's is
// chosen again; the server knows it, so that nothing flashes.
func TestAChosenThemeStays(t *testing.T) {
	t.Parallel()
	b := otltest.New(t, otltest.SQLite).Browser(t)
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"?theme=dark", "dark"},
		{"", "dark"},
		{"?lang=de", "dark"},
		{"?theme=nonsense", "dark"},
		{"?theme=light&lang=en", "light"},
		{"", "light"},
		{"?theme=system", ""},
		{"", ""},
	} {
		page := string(b.Get("/nothing" + c.query).Raw)
		if got := strings.Contains(page, ` data-theme="`+c.want+`"`); got != (c.want != "") || strings.Contains(page, "nonsense") {
			t.Errorf("%q: not %q\n%.200s", c.query, c.want, page)
		}
		if c.want != "" && !strings.Contains(page, `value="`+c.want+`" selected`) {
			t.Errorf("%q: %q is not chosen", c.query, c.want)
		}
	}
	b.Cookies["__Host-otl_theme"] = `"><script>`
	if page := string(b.Get("/nothing").Raw); strings.Contains(page, "data-theme") {
		t.Errorf("%.200s", page)
	}
}

// TestWhatAFormIsAnsweredIsHadInAnotherLanguage: also where that is what went wrong, by the page that has the
// form; an error names no address that may be a secret (PR-01). Another light is offered everywhere, where scripts run.
func TestWhatAFormIsAnsweredIsHadInAnotherLanguage(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	flow := p.Fields("/signin").Get("f")
	p = b.Submit(p, "/signin", map[string]string{"token": "of another page"})
	again := url.Values{"f": {flow}, "lang": {"de"}}
	if p.Status != http.StatusForbidden || p.In("de") != "/signin?"+again.Encode() {
		t.Errorf("%d leads to %s", p.Status, p.In("de"))
	}
	holds(t, b.Get(p.In("de")), `<html lang="de"`, `name="password"`)
	p = b.Send("/reset/otl_pr_nothing", url.Values{"token": {"of another page"}})
	if page := string(p.Raw); p.Status != http.StatusForbidden || strings.Contains(page, "otl_pr_nothing") || !strings.Contains(page, `id="lang"`) {
		t.Errorf("%d %s", p.Status, page)
	}
	p = b.Submit(b.Get("/forgot?f="+flow), "/forgot", map[string]string{"email": jane})
	holds(t, p, "Prüfen Sie Ihr Postfach", `!id="lang"`, `<form method="get" action="/" hidden>`, "data-light")
}

// TestAD01_AFormNeedsItsToken: with the cookies of a browser but without the token of
// its page, a form is refused, whatever it says of its origin.
func TestAD01_AFormNeedsItsToken(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	send := func(body string, headers map[string]string) otltest.Reply {
		h := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Cookie": "__Host-otl_flow=otl_fb_x"}
		for k, v := range headers {
			h[k] = v
		}
		return w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/l/otl_ln_x", Body: body, Headers: h})
	}
	for name, headers := range map[string]map[string]string{
		"no origin": nil, "ours": {"Sec-Fetch-Site": "same-origin"}, "another's": {"Sec-Fetch-Site": "cross-site"}, "a sibling's": {"Sec-Fetch-Site": "same-site"},
		"another origin": {"Origin": "https://evil.test"},
	} {
		for _, body := range []string{"", "token=", "token=x", "token=x&token=y"} {
			if r := send(body, headers); r.Status/100 != 4 || r.Status == http.StatusGone {
				t.Errorf("%s, %q: %d", name, body, r.Status)
			}
		}
	}
	for _, c := range []struct {
		kind, body string
		status     int
	}{
		{"text/plain", "token=x", http.StatusUnsupportedMediaType},
		{"application/json", `{"token":"x"}`, http.StatusUnsupportedMediaType},
		{"application/x-www-form-urlencoded", "a=%zz", http.StatusBadRequest},
		{"application/x-www-form-urlencoded", strings.Repeat("a", 70<<10), http.StatusRequestEntityTooLarge},
	} {
		send(c.body, map[string]string{"Content-Type": c.kind}).Want(t, c.status)
	}
}

// TestTheFrontPageLeadsIn: whoever comes by himself is led to sign in, in his language, and
// who is signed in to his account.
func TestTheFrontPageLeadsIn(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := w.Browser(t)
	holds(t, b.Get("/"), `<a class="button" href="/account">Sign in</a>`, `<a class="button second" href="/signup">Create an account</a>`, `href="/docs"`, "!readyz", `id="lang"`)
	holds(t, b.Get("/?lang=de"), `<html lang="de"`, `>Anmelden</a>`, ">Dokumentation<")
	b = home(t, w)
	holds(t, b.Get("/"), `<a class="button" href="/account">Your account</a>`, "!>Sign in<", "!/signup")
}

// TestAFieldInErrorSaysSo: the field of a code that was wrong is marked, and described by what
// is wrong with it (WCAG 3.3.1); the page says whose it is, and where it leads.
func TestAFieldInErrorSaysSo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	holds(t, p, `<strong dir="auto">Notes</strong></header>`, `<p class="muted">to continue to Notes</p>`)
	p = password(b, p)
	holds(t, p, "!aria-invalid", `<strong dir="auto">Notes</strong></header>`, `<p class="muted">to continue to Notes</p>`)
	holds(t, b.Submit(p, "second", map[string]string{"code": "000000"}), `aria-invalid="true" aria-describedby="problem"`, `<p class="banner" id="problem" role="alert"`)
	b = w.Browser(t)
	p = asks(b, b.Get(request(w.Notes, nil)), jane)
	holds(t, b.Submit(p, "code-form", map[string]string{"code": "000000"}), `aria-describedby="code-hint problem" aria-invalid="true"`)
}

// TestWhoForgotHisPasswordSaysHisAddressOnce: what he called himself as he failed is meant on the
// page that sends a link (WCAG 3.3.7), whether or not there is anybody. Pages show a hint of it:
// the next one at a shared computer reads nothing. What is no address is not kept.
func TestWhoForgotHisPasswordSaysHisAddressOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		fails := func(b *otltest.Browser, who string) string {
			p := b.Submit(b.Get(request(w.Notes, nil)), "/signin", map[string]string{"identifier": who, "password": "not-the-one-7"})
			if p.Status != http.StatusUnauthorized {
				t.Fatalf("%d", p.Status)
			}
			return p.Fields("/signin").Get("f")
		}
		for who, as := range map[string]string{jane: asJane, "nobody@dev.test": "n***@dev.test"} {
			b := w.Browser(t)
			flow := fails(b, who)
			for _, path := range []string{"/signin", "/signup", "/forgot"} {
				has(t, b.Get(path+"?f="+flow), "!"+who)
			}
			p := b.Get("/forgot?f=" + flow)
			if got := p.Fields("/forgot").Get("email"); got != as {
				t.Errorf("%s: %s", who, got)
			}
			b.Submit(p, "/forgot", nil)
		}
		if n := len(w.Letters(t, jane)); n != 1 {
			t.Errorf("%d letters", n)
		}
		// Who writes it again in full knows it, and sees it.
		b := w.Browser(t)
		p := b.Get("/signin?as=new&f=" + fails(b, jane))
		has(t, b.Submit(p, "/signin", map[string]string{"identifier": jane, "way": "code"}), jane)
		for _, slip := range []string{otltest.Password, "jane"} {
			f, err := w.Store.Read.Flows.Live(t.Context(), fails(w.Browser(t), slip), w.Clock.Now())
			if err != nil || f.Progress.Name != "" {
				t.Errorf("%q was kept: %v", f.Progress.Name, err)
			}
		}
	})
}

// TestADoorIsShutFirst: who was intruded upon chooses a new password before he ends the
// sessions of others, who could sign in again; he is told that it ends his own.
func TestADoorIsShutFirst(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := home(t, w)
	p := b.Get("/account/secure")
	holds(t, p, "signed out everywhere but here", "If you chose a new password, this is done already.", `href="/account/security" aria-current="true"`)
	if page := string(p.Raw); strings.Index(page, `href="/account/password?secure=1"`) > strings.Index(page, `id="others"`) {
		t.Errorf("%s", page)
	}
	holds(t, b.Get("/account"), "Add a passkey", "Add a second step", "Don&#39;t recognise one of these?")
	email := b.Get("/account/email")
	holds(t, email, `<bdi dir="ltr">jane@dev.test</bdi>`, "send a link to the new address", ">Send a link<")
	holds(t, b.Get("/account/phone"), `!<bdi dir="ltr">`, "Text me a link", "such as &#43;49 170 5550100", `aria-describedby="address-hint"`)
	holds(t, b.Get("/account/data"), `class="danger"`)
	holds(t, b.Get("/reset/otl_pr_nothing"), "<h1>This link no longer works</h1>", `<a class="button" href="/forgot">Ask for a new link</a>`, "!Choose a new password")
}

// TestPagesAreLight holds the pages to their weight: 14 kB of markup and style, 8 kB
// of script, compressed.
func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	get := func(path string) []byte {
		return w.Do(t, otltest.Call{Path: path, Headers: map[string]string{"Accept": anyPage}}).Raw
	}
	if n := packed(t, get("/nothing"), get("/static/style.css")); n > 14<<10 {
		t.Errorf("markup and style are %d bytes", n)
	}
	if n := packed(t, get("/static/page.js")); n > 8<<10 {
		t.Errorf("the script is %d bytes", n)
	}
}

// packed gives how long parts are compressed.
func packed(t *testing.T, parts ...[]byte) int {
	t.Helper()
	total := 0
	for _, p := range parts {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(p)
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		total += b.Len()
	}
	return total
}

// TestPagesOfTheServerItselfSayWhereHelpIs: at their foot, where it is configured; those of a site
// have the site's own.
func TestPagesOfTheServerItselfSayWhereHelpIs(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) {
		o.Foot = otl.Foot{Help: "https://help.test/me", Terms: "mailto:terms@help.test"}
	})
	b := w.Browser(t)
	holds(t, b.Get("/nothing"), `<a href="https://help.test/me" rel="noreferrer">Help</a>`, `<a href="mailto:terms@help.test" rel="noreferrer">Terms</a>`, "!Privacy")
	holds(t, b.Get("/?lang=de"), `>Hilfe</a>`)
	holds(t, b.Get(request(w.Notes, nil)), "!help.test")
	holds(t, otltest.New(t, otltest.SQLite).Browser(t).Get("/nothing"), "!>Help<")
}

// TestWhatOwnersReadIsFolded: a visitor of a site with a fault reads what happened, whose site it
// was, and a reference; the fault itself stands folded below, for whoever runs the site.
func TestWhatOwnersReadIsFolded(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	p := w.Browser(t).Get(request(w.Notes, map[string]string{"redirect_uri": "https://evil.test/"}))
	holds(t, p, "<h1>This return address isn&#39;t registered</h1>", `<strong dir="auto">Notes</strong></header>`, "<details><summary>For whoever runs the site</summary>", `id="reference"`)
}

// TestAWrongPasswordMarksBothFields: neither is known to be the wrong one (WCAG 3.3.1); and who
// leaves a field out is told what to enter.
func TestAWrongPasswordMarksBothFields(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	has(t, p, "!aria-invalid", `data-hide="Hide">Show<span class="unseen">: Password</span>`)
	p = b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "wrong-horse-7"})
	if n := strings.Count(string(p.Raw), `aria-invalid="true" aria-describedby="problem"`); n != 2 {
		t.Errorf("%d fields are marked", n)
	}
	p = b.Get("/signup?f=" + p.Fields("/signin").Get("f"))
	holds(t, b.Submit(p, "/signup", map[string]string{"email": "", "password": ""}), "Enter an email address", "Use at least 8 characters.", "!what you entered here")
}

// TestASecondStepHasAWayOut: who has none of his factors at hand goes on as somebody else, or reads
// whom to ask; the pages of an account stand below the way to the others.
func TestASecondStepHasAWayOut(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
	b := w.Browser(t)
	p := password(b, b.Get(request(w.Notes, nil)))
	holds(t, p, "Can&#39;t do any of this? Ask Notes for help.", `&amp;as=new">Use another account</a>`, "Trust this device until")
	w.Person(t, "plain@dev.test")
	b = w.Browser(t)
	p = b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "plain@dev.test", "password": otltest.Password})
	if page := string(p.Raw); strings.Index(page, `class="tabs"`) > strings.Index(page, "<h1>") {
		t.Errorf("%.3000s", page)
	}
}
