package node_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// proxy stands before a server and keeps what proxies log: the line of each request, the
// page it was sent from, and where the answer leads.
type proxy struct {
	to  http.Handler
	mu  sync.Mutex
	log []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := fmt.Sprint(r.Method, " ", r.RequestURI, " from ", r.Referer())
	p.to.ServeHTTP(w, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, line+" to "+w.Header().Get("Location"))
}

// oneTime are the secrets that addresses may hold, by their places (docs/running.md): what is
// mailed as a link, and what a browser takes back to a site. Each is good once.
var oneTime = regexp.MustCompile(`/(l|reset|c)/otl_[a-z]{2}_[\w-]+|https://notes\.test/callback\?code=otl_[a-z]{2}_[\w-]+`)

// visitor is a browser that says which page a request comes from, as browsers do within one
// origin.
func (x *traveller) visitor() *otltest.Browser {
	b := x.w.Browser(x.T)
	b.Seen = func(_ string, p otltest.Page) {
		if b.Headers["Referer"] = otltest.Issuer + p.Path; p.Header.Get("Referrer-Policy") == "no-referrer" {
			delete(b.Headers, "Referer")
		}
	}
	return b
}

// asked gives the address at which a site asks for a person.
func (x *traveller) asked() string {
	return "/authorize?" + url.Values{
		"site": {x.w.Notes.Site.ID}, "redirect_uri": {"https://notes.test/callback"}, "state": {"s"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
}

// pages goes through the hosted pages: in by password, by code and by link, out, a new
// account, another password, another address, a device.
func (x *traveller) pages() {
	x.w.Clock.Advance(time.Hour)
	b := x.visitor()
	p := b.Submit(b.Get(x.asked()), "/signin", map[string]string{"identifier": canaryEmail, "password": canaryWrong})
	b.Submit(p, "/signin", map[string]string{"identifier": canaryEmail, "password": canaryPassword + "-next"})
	b.Submit(b.Get("/account/email"), "address", map[string]string{"email": "canary-next@dev.test"})
	x.confirm(b, "canary-next@dev.test")
	x.device(b)
	b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "everywhere"})

	for _, by := range []string{"code", "link"} {
		x.w.Clock.Advance(time.Hour)
		b := x.visitor()
		p := b.Submit(b.Get(x.asked()), "/signin", map[string]string{"identifier": "canary-next@dev.test", "way": "code"})
		if by == "link" {
			x.confirm(b, "canary-next@dev.test")
			continue
		}
		code, _ := x.letter("canary-next@dev.test")
		if p = b.Submit(p, "code-form", map[string]string{"code": code}); p.Left == nil {
			x.Fatalf("%s: %s", p.Path, p.Title)
		}
	}

	x.w.Clock.Advance(time.Hour)
	b = x.visitor()
	b.Submit(b.Get("/forgot"), "/forgot", map[string]string{"email": "canary-next@dev.test"})
	_, link := x.letter("canary-next@dev.test")
	link = strings.TrimPrefix(link, otltest.Issuer)
	b.Submit(b.Get(link), link, map[string]string{"password": canaryPassword + "-last"})
	x.canaries["the last password"] = canaryPassword + "-last"
	_, query, _ := strings.Cut(b.Get(x.asked()).Path, "?")
	b.Submit(b.Get("/signup?"+query), "/signup", map[string]string{"email": "canary-new@dev.test", "name": "Canary Jane", "password": canaryPassword + "-new"})
	x.letter("canary-new@dev.test")
}

// confirm presses the button behind the link of the newest letter.
func (x *traveller) confirm(b *otltest.Browser, to string) {
	x.Helper()
	_, link := x.letter(to)
	if p := b.Submit(b.Get(strings.TrimPrefix(link, otltest.Issuer)), "confirm", nil); p.Status >= http.StatusBadRequest {
		x.Fatalf("%s: %d %s", link, p.Status, p.Title)
	}
}

// device lets a device in, by the code that it shows.
func (x *traveller) device(b *otltest.Browser) {
	x.Helper()
	tv, err := x.w.Clients.Create(x.Context(), x.w.Notes.Site.ID, site.NewClient{Name: "tv", Auth: "none", Device: true, RedirectURIs: []string{"https://notes.test/callback"}})
	if err != nil {
		x.Fatal(err)
	}
	post := func(path string, form url.Values) otltest.Reply {
		return x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).Want(x, http.StatusOK)
	}
	shown := x.meet(post("/oidc/device_authorization", url.Values{"client_id": {tv.ID}, "scope": {"openid"}}), "a device", "device_code")
	p := b.Submit(b.Get("/device"), "device", map[string]string{"user_code": shown.Text("user_code")})
	b.Submit(p, "confirm", map[string]string{"decision": "connect"})
	x.meet(post("/oidc/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {tv.ID}, "device_code": {shown.Text("device_code")}}), "a device's tokens", "access_token")
}

// TestPR02_AProxySeesNoSecret goes through the APIs of all wires and the hosted pages, and
// looks at what a proxy before the server would log: no password, code, token or key stands in
// an address, nor who somebody is, but for the links of mails and the codes browsers take back.
func TestPR02_AProxySeesNoSecret(t *testing.T) {
	t.Parallel()
	x := &traveller{T: t, canaries: map[string]string{"the password": canaryPassword, "a wrong password": canaryWrong}, w: otltest.New(t, otltest.SQLite)}
	if err := x.w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := &proxy{to: x.w.Server}
	srv := httptest.NewServer(seen)
	t.Cleanup(srv.Close)
	x.w.URL = srv.URL
	x.canaries["the site key"] = x.w.Notes.Key.Reveal()
	x.people()
	x.secondFactor()
	x.owner()
	x.clients()
	x.pages()
	links := 0
	for _, line := range seen.log {
		links += len(oneTime.FindAllString(line, -1))
		bare := oneTime.ReplaceAllString(line, "")
		for what, value := range x.canaries {
			if value == "" || strings.Contains(bare, value) || strings.Contains(bare, url.QueryEscape(value)) {
				t.Errorf("%s is in %s", what, line)
			}
		}
		for _, personal := range []string{"canary", "Canary", canaryPhone[1:]} {
			if strings.Contains(bare, personal) {
				t.Errorf("%s is in %s", personal, line)
			}
		}
	}
	if len(x.canaries) < 40 || len(seen.log) < 60 || links < 12 {
		t.Errorf("only %d secrets, %d requests and %d links were met", len(x.canaries), len(seen.log), links)
	}
}
