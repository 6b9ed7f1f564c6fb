package pages_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/pages"
)

// crawler takes a person through every page on behalf of a site and gives each to see, with
// the browser that is on it.
type crawler struct {
	*testing.T
	w     *otltest.World
	s     site.Registered
	email string
	lang  string
	see   func(*otltest.Browser, otltest.Page)
	been  map[string]bool // patterns that were asked for
	asks  *http.ServeMux  // knows the pattern of a request
	seed  secret.Text     // of the person's authenticator app, once there is one
}

// everyPage crawls them and gives the patterns that were asked for.
func everyPage(t *testing.T, w *otltest.World, s site.Registered, email string, see func(*otltest.Browser, otltest.Page)) map[string]bool {
	t.Helper()
	return everyPageIn(t, "en", w, s, email, see)
}

// everyPageIn is everyPage in another language.
func everyPageIn(t *testing.T, lang string, w *otltest.World, s site.Registered, email string, see func(*otltest.Browser, otltest.Page)) map[string]bool {
	t.Helper()
	c := &crawler{T: t, lang: lang, w: w, s: s, email: email, see: see, been: map[string]bool{}, asks: http.NewServeMux()}
	for _, pattern := range pages.Patterns() {
		c.asks.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	c.strangers()
	c.signUps()
	c.mails()
	c.passwords()
	c.choices()
	b := c.signedIn()
	c.account(b)
	c.factors()
	c.steps()
	c.devices()
	c.hooks()
	c.sites()
	c.leaves()
	return c.been
}

// browser opens one whose every answer is seen that is a page of a person's.
func (c *crawler) browser() *otltest.Browser {
	b := c.w.Browser(c.T)
	b.Headers["Accept-Language"] = c.lang
	b.Seen = func(method string, p otltest.Page) {
		r, err := http.NewRequestWithContext(c.Context(), method, "https://id.test"+p.Path, nil)
		if err != nil {
			c.Fatal(err)
		}
		_, pattern := c.asks.Handler(r)
		c.been[pattern] = true
		document := strings.HasPrefix(p.Path, "/docs") || p.Header.Get("Content-Disposition") != ""
		if p.Status/100 != 3 && !document && strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			c.see(b, p)
		}
	}
	return b
}

// step proves the second factor where a page asks for it.
func (c *crawler) step(b *otltest.Browser, p otltest.Page) otltest.Page {
	if p.Fields("second") == nil {
		return p
	}
	c.w.Clock.Advance(30 * time.Second) // no code is good twice
	return b.Submit(p, "second", map[string]string{"code": secret.TOTP(c.seed, c.w.Clock.Now()), "trust": "1"})
}

// in signs the person in on the page a browser is on.
func (c *crawler) in(b *otltest.Browser, p otltest.Page) otltest.Page {
	c.Helper()
	return c.step(b, b.Submit(p, "/signin", map[string]string{"identifier": c.email, "password": otltest.Password}))
}

// send sends a form that is on no page, or that only a script sends.
func (c *crawler) send(b *otltest.Browser, path string, fields map[string]string) otltest.Page {
	form := maps.Clone(b.Get("/forgot").Fields("/forgot"))
	for k, v := range fields {
		form.Set(k, v)
	}
	return b.Send(path, form)
}

// strangers look around.
func (c *crawler) strangers() {
	b := c.browser()
	for _, path := range []string{
		"/", "/docs", "/docs/oidc", "/docs/errors/site_unknown", "/static/style.css", "/logo/" + c.s.Site.ID, "/.well-known/passkey-endpoints", "/.well-known/change-password",
		"/nothing", "/signin?error=session_token", "/l/otl_ln_x", "/c/x", "/reset/x", "/account", "/account/secure", "/account/sites/x/disconnect", "/leaving", "/mfa/setup/confirm", "/barred", "/status",
		"/choose", "/consent", "/signin/passkey", "/signin/listen?f=x", "/account/connect/" + c.s.Site.ID, "/redirect?site=x&redirect_uri=https://evil.test",
		request(c.s, map[string]string{"redirect_uri": "https://evil.test/"}), request(c.s, map[string]string{"site": "x"}),
	} {
		b.Get(path)
	}
}

// signUps want an account, and a password anew.
func (c *crawler) signUps() {
	b := c.browser()
	p := b.Get(request(c.s, map[string]string{"login_hint": `"><script>alert(1)</script>`, "ui_locales": "<b>"}))
	flow := "?" + strings.SplitN(p.Path, "?", 2)[1]
	b.Submit(p, "/signin", map[string]string{"identifier": `"><img src=x onerror=alert(1)>`, "password": "x"})
	b.Submit(p, "passkey", map[string]string{"credential": "{}"})
	b.Submit(b.Get("/signup"+flow), "/signup", map[string]string{"email": `x"><svg onload=alert(1)>`, "name": "<i>", "password": "short"})
	b.Submit(b.Get("/forgot"+flow), "/forgot", map[string]string{"email": c.email})
	link := pathOf(letter(c.T, c.w, c.email).Link)
	b.Submit(b.Get(link), link, map[string]string{"password": "short"})
	c.w.Clock.Advance(31 * time.Minute)
	b.Submit(b.Get(p.Path), "restart", nil)
}

// mails are asked for, followed, refused and asked for again.
func (c *crawler) mails() {
	b, other := c.browser(), c.browser()
	p := asks(b, b.Get(request(c.s, nil)), c.email)
	b.Get("/signin/wait?" + strings.SplitN(p.Path, "?", 2)[1])
	b.Submit(p, "code-form", map[string]string{"code": "000000"})
	b.Submit(p, "continue", nil)
	link := pathOf(letter(c.T, c.w, c.email).Link)
	b.Get(link)
	other.Headers["User-Agent"] = `<script>alert(1)</script> Firefox/1 Linux`
	page := other.Get(link)
	other.Submit(page, "deny", nil)
	dead := b.Get(link)
	c.w.Clock.Advance(3 * time.Minute)
	b.Submit(dead, "again", nil)
	link = pathOf(letter(c.T, c.w, c.email).Link)
	c.w.Clock.Advance(3 * time.Minute)
	b.Submit(p, "/signin/again", nil)
	other.Get(link)
	link = pathOf(letter(c.T, c.w, c.email).Link)
	other.Submit(other.Get(link), "confirm", map[string]string{"where": "start", "number": "00"})
	b.Get(link)
}

// passwords are wrong, and open the way to consent.
func (c *crawler) passwords() {
	b := c.browser()
	p := c.in(b, b.Get(request(c.s, nil)))
	b.Submit(p, "consent", map[string]string{"fields": "email", "decision": "connect"})
	able := c.browser()
	p = able.Submit(able.Get(request(c.s, nil)), "/signin", map[string]string{"identifier": c.email, "password": otltest.Password, "keys": "1"})
	p = able.Submit(p, "offer", map[string]string{"decision": "create"})
	able.Submit(able.Get("/mfa/setup?f="+p.Fields("confirm").Get("f")), "later", nil)
	c.w.Clock.Advance(time.Second) // otherwise he has just proven himself
	p = b.Get(request(c.s, map[string]string{"prompt": "select_account"}))
	b.Submit(p, "choose", nil)
	b.Get(request(c.s, map[string]string{"prompt": "consent"}))
}

// choices are made between two people who were signed in.
func (c *crawler) choices() {
	other := "other-" + c.email
	c.w.Person(c.T, other)
	b := c.browser()
	b.Submit(b.Get("/choose"), "/signin", map[string]string{"identifier": other, "password": otltest.Password})
	c.w.Clock.Advance(time.Second)
	p := b.Get("/choose")
	c.in(b, b.Get(strings.Replace(p.Path, "/choose?", "/signin?as=new&", 1)))
	c.w.Clock.Advance(time.Second)
	p = b.Get(request(c.s, map[string]string{"prompt": "select_account"}))
	id := former(p)[0]
	b.Submit(b.Submit(p, "former-"+id, map[string]string{"as": id}), "/signin", map[string]string{"password": "x"})
	b.Submit(p, "former-"+id, map[string]string{"remove": id})
}

func (c *crawler) signedIn() *otltest.Browser {
	b := c.browser()
	c.in(b, b.Get("/account"))
	return b
}

// account looks through the account and changes it.
func (c *crawler) account(b *otltest.Browser) {
	for _, path := range []string{
		"/account", "/account/profile", "/account/email", "/account/phone", "/account/activity", "/account/ledger", "/account/data", "/account/security", "/account/sessions",
		"/account/secure", "/account/password", "/signout", "/account/connect/" + c.s.Site.ID, "/redirect?site=" + c.s.Site.ID + "&redirect_uri=https://evil.test/%22%3E",
	} {
		b.Get(path)
	}
	b.Submit(b.Get("/account/connect/"+c.s.Site.ID), "ask", nil)
	b.Submit(b.Get("/account/profile"), "profile", map[string]string{"picture": `x"><svg onload=alert(1)>`, "display_name": `"><img src=x onerror=alert(1)>`})
	b.Submit(b.Get("/account/email"), "address", map[string]string{"email": "<b>"})
	b.Submit(b.Get("/account/phone"), "address", map[string]string{"phone": "<b>"})
	c.send(b, "/account/phone/remove", nil)
	b.Submit(b.Get("/account/password?secure=1"), "password-form", map[string]string{"password": "short"})
	b.Submit(b.Get("/account/email"), "address", map[string]string{"email": "new-" + c.email})
	change := b.Get(pathOf(letter(c.T, c.w, c.email).Link))
	b.Submit(change, "confirm", nil)
	b = c.browser() // that signed out everywhere
	c.in(b, b.Get("/account"))
	b.Submit(b.Get("/account"), "/account/sites/"+c.s.Site.ID, map[string]string{"fields": "name"})
	b.Submit(b.Get("/account/sites/"+c.s.Site.ID+"/disconnect"), "ask", nil)
	b.Submit(b.Get("/account/sessions"), "others", nil)
	c.send(b, "/account/sessions/x/end", nil)
	c.send(b, "/account/switch", nil)
	c.send(b, "/redirect", map[string]string{"site": c.s.Site.ID, "redirect_uri": `https://evil.test/"><script>`})
	b.Submit(b.Get("/account/data"), "export", map[string]string{"format": "html"})
}

// factors are set up, looked after, and asked for.
func (c *crawler) factors() {
	b := c.signedIn()
	p := b.Submit(b.Get("/account/security"), "add", nil)
	app := b.Submit(p, "way-totp", nil)
	c.seed = seedOf(c.T, app)
	b.Submit(app, "confirm", map[string]string{"code": "000000"})
	codes := b.Submit(app, "confirm", map[string]string{"code": secret.TOTP(c.seed, c.w.Clock.Now())})
	p = b.Submit(codes, "saved", nil)
	b.Get("/account")
	for _, action := range p.Actions() {
		if strings.HasSuffix(action, "/rename") {
			b.Submit(p, action, map[string]string{"label": strings.Repeat("<b>", 60)})
			b.Submit(p, action, map[string]string{"label": c.s.Site.Name})
			c.send(b, strings.TrimSuffix(action, "rename")+"prefer", nil)
		}
	}
	b.Submit(b.Submit(p, "codes", nil), "saved", nil)
	step := c.browser()
	p = step.Submit(step.Get("/account"), "/signin", map[string]string{"identifier": c.email, "password": otltest.Password})
	step.Submit(p, "second", map[string]string{"code": "000000"})
	step.Get(p.Path + "&sent=1")
	fields := p.Fields("second")
	step.Send("/mfa/send", fields)
}

// steps are what stands between a site and its person.
func (c *crawler) steps() {
	b := c.browser()
	b.Submit(c.in(b, b.Get(request(c.s, nil))), "consent", map[string]string{"fields": "email"})
	u, err := c.w.Accounts.Find(c.Context(), c.email)
	if err != nil {
		c.Fatal(err)
	}
	for _, suspended := range []bool{true, false} {
		if _, err := c.w.Members.Change(c.Context(), c.s.Site, u.ID, account.MemberChange{Suspended: &suspended}); err != nil {
			c.Fatal(err)
		}
		b.Get(request(c.s, map[string]string{"prompt": "consent"}))
	}
}

// devices are let in.
func (c *crawler) devices() {
	client, err := c.w.Clients.Create(c.Context(), c.s.Site.ID, site.NewClient{Name: c.s.Site.Name, Auth: "none", Device: true})
	if err != nil {
		c.Fatal(err)
	}
	shown, err := signin.Devices{Flows: c.w.Flows}.Begin(c.Context(), c.s.Site, client.ID, "openid")
	if err != nil {
		c.Fatal(err)
	}
	b := c.signedIn()
	b.Submit(b.Get("/device?user_code=%3Cb%3E"), "device", map[string]string{"user_code": "BCDF-GHJK"})
	p := b.Submit(b.Get("/device"), "device", map[string]string{"user_code": shown.User})
	if p.Fields("consent") != nil {
		p = b.Submit(p, "consent", map[string]string{"fields": "email", "decision": "connect"})
	}
	b.Submit(p, "confirm", map[string]string{"decision": "cancel"})
}

// hooks looks after where a site of the person's own is told of events.
func (c *crawler) hooks() {
	u, err := c.w.Accounts.Find(c.Context(), c.email)
	if err != nil {
		c.Fatal(err)
	}
	own := c.w.Register(c.T, site.Registration{Name: c.s.Site.Name, Owner: u.ID})
	h, b, at := otltest.NewHook(c.T), c.signedIn(), "/account/sites/"+own.Site.ID+"/webhooks"
	p := b.Submit(b.Get(at), "new", map[string]string{"url": h.URL, "events": `"><script>alert(1)</script>`})
	p = b.Submit(p, "new", map[string]string{"url": h.URL + "?<b>"})
	b.Submit(p, "act", map[string]string{"do": "test"})
	c.w.Deliver(c.T)
	all, err := c.w.Webhooks.List(c.Context(), own.Site.ID)
	if err != nil || len(all) != 1 {
		c.Fatal(len(all), err)
	}
	sent, _, err := c.w.Webhooks.Deliveries(c.Context(), own.Site.ID, all[0].ID, "", otl.LogFilter{Limit: 1})
	if err != nil || len(sent) != 1 {
		c.Fatal(len(sent), err)
	}
	b.Get(at)
	b.Get(at + "/" + all[0].ID)
	b.Submit(b.Get(at+"/"+all[0].ID+"/deliveries/"+sent[0].Event.Event.ID), "resend", nil)
}

// sites looks after a site of the person's own, which looks as the other one does.
func (c *crawler) sites() {
	u, err := c.w.Accounts.Find(c.Context(), c.email)
	if err != nil {
		c.Fatal(err)
	}
	own := c.w.Register(c.T, site.Registration{Name: c.s.Site.Name, Owner: u.ID}).Site
	look, err := c.w.Sites.Brand(c.Context(), c.s.Site.ID)
	if err != nil {
		c.Fatal(err)
	}
	if err := c.w.Store.Write(c.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Brands.Put(ctx, own.ID, look) }); err != nil {
		c.Fatal(err)
	}
	b := c.signedIn()
	keys, clients := b.Get(ownAt(own, "keys")), b.Get(ownAt(own, "clients"))
	for _, p := range []otltest.Page{keys, clients} {
		b.Submit(p, "new", map[string]string{"name": "", "redirect_uris": `</textarea><svg/onload=alert(1)>`, "scopes": `"><script>`})
		made := b.Submit(p, "new", map[string]string{"name": c.s.Site.Name})
		for _, action := range made.Actions() {
			if action != p.Path {
				b.Submit(b.Submit(made, action, map[string]string{"do": "revoke"}), "ask", nil)
			}
		}
	}
	program, err := c.w.Clients.Create(c.Context(), own.ID, site.NewClient{Name: c.s.Site.Name})
	if err != nil {
		c.Fatal(err)
	}
	p := b.Get(ownAt(own, "clients") + "/" + program.ID)
	b.Submit(p, "client", map[string]string{"redirect_uris": `</textarea><script>alert(1)</script>`})
	b.Submit(p, "client", nil)
	for page, change := range map[string]map[string]string{
		"ways": {"trust_days": `"><script>alert(1)</script>`, "ways": "x"}, "details": {"domain": `"><img src=x onerror=alert(1)>`}, "look": {"color": `"/><svg onload=alert(1)>`},
		"addresses": {"callback_urls": `</textarea><script>alert(1)</script>`},
	} {
		p := b.Get(ownAt(own, page))
		b.Submit(p, page, change)
		b.Submit(p, page, nil)
	}
	b.Submit(b.Submit(b.Get(ownAt(own, "off")), "ask", nil), "ask", nil)
	b.Submit(b.Get(ownAt(own, "off")), "ask", nil)
	b.Get("/account")
}

// leaves has the account deleted, takes that back, and removes what was set up.
func (c *crawler) leaves() {
	b := c.signedIn()
	p := b.Get("/account/security")
	for _, action := range p.Actions() {
		if strings.HasSuffix(action, "/remove") || strings.HasSuffix(action, "/forget") {
			b.Submit(p, action, nil)
		}
	}
	b = c.browser()
	c.in(b, b.Get("/account"))
	b.Submit(b.Get("/account/data"), "delete", map[string]string{"sure": "yes"})
	p = c.in(b, b.Get("/account"))
	b.Submit(p, "keep", nil)
	b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "everywhere"})
	b.Get("/signout")
}
