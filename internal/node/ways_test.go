package node_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// came is what a door answered to the first proof.
type came struct {
	otltest.Reply
	page otltest.Page // of a browser
	next func(otltest.Page) otltest.Reply
}

// door is one way in: its first proof, and the second step where it has one.
type door struct {
	name    string
	pages   bool      // it leads through the pages, which ask for themselves (D2)
	same    enrolment // that is of the same kind as its proof
	strong  bool      // its proof is two factors
	sent    bool      // its proof is sent, at the pages
	come    func(d *doors, p person) came
	second  func(d *doors, p person, c came) otltest.Reply // nil for a wire without a second step (ADR 22)
	refresh func(d *doors, token string) otltest.Reply
}

// asks reports whether it asks somebody for a second factor.
func (w door) asks(r rule, has enrolment) bool {
	return !w.strong && (r.demands() || has.enrolled() && (r.policy != "off" || w.pages))
}

// steps reports whether he can prove one there.
func (w door) steps(has enrolment) bool {
	return w.second != nil && has.enrolled() && has != w.same
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func (d *doors) native(path string, body object) otltest.Reply {
	d.Helper()
	return d.w.Do(d.T, otltest.Call{Path: "/api/v1" + path, Key: d.w.Notes.Key, Body: body})
}

func (d *doors) bearer(path, token string, body object) otltest.Reply {
	d.Helper()
	return d.w.Do(d.T, otltest.Call{Path: path, Bearer: token, Body: body})
}

// form sends a form of a client: that of the site, or one by its id alone.
func (d *doors) form(path, public string, f url.Values) otltest.Reply {
	d.Helper()
	headers := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if public == "" {
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(d.client.ID+":"+d.client.Secret.Reveal()))
	} else {
		f.Set("client_id", public)
	}
	return d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: path, Body: f.Encode(), Headers: headers})
}

// letter gives the newest code and link to sign in with that an address or a number was sent.
func (d *doors) letter(to string) (code, link string) {
	d.Helper()
	for _, l := range d.w.Letters(d.T, to) {
		if link = strings.TrimPrefix(l.Link, otltest.Issuer); l.Code != "" || strings.HasPrefix(link, "/l/") {
			return l.Code, link
		}
	}
	d.Fatalf("nothing to sign in with was sent to %s", to)
	return "", ""
}

// led gives the code that the browser takes to the site from where an answer leads.
func (d *doors) led(r otltest.Reply) string {
	d.Helper()
	back, err := url.Parse(r.Want(d.T, http.StatusSeeOther).Header.Get("Location"))
	if err != nil {
		d.Fatal(err)
	}
	return back.Query().Get("code")
}

func (d *doors) pressed(link string) string {
	d.Helper()
	return d.led(d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: link}))
}

const (
	callbackURL = "https://notes.test/callback"
	keyVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// asked gives the query of a site that sends a browser here.
func asked(more url.Values) string {
	sum := sha256.Sum256([]byte(keyVerifier))
	more.Set("redirect_uri", callbackURL)
	more.Set("response_type", "code")
	more.Set("state", "s")
	more.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	more.Set("code_challenge_method", "S256")
	return "?" + more.Encode()
}

var invitation = regexp.MustCompile(`data-key="([^"]*)"`)

// signs signs somebody in on the pages, by his passkey or his password, and agrees to
// everything.
func (d *doors) signs(p person, page otltest.Page, byKey bool) otltest.Page {
	d.Helper()
	switch {
	case page.Left != nil || page.Fields("/signin") == nil:
	case byKey:
		m := invitation.FindSubmatch(page.Raw)
		if m == nil {
			d.Fatalf("no passkey is asked for at %s", page.Path)
		}
		page = p.b.Submit(page, "passkey", map[string]string{"credential": p.key.signed(d.T, html.UnescapeString(string(m[1])))})
	default:
		page = p.b.Submit(page, "/signin", map[string]string{"identifier": p.Email.Address, "password": otltest.Password})
	}
	return d.agreed(p, page)
}

// agreed agrees to what the pages ask after a sign-in.
func (d *doors) agreed(p person, page otltest.Page) otltest.Page {
	d.Helper()
	if page.Left == nil && page.Fields("consent") != nil {
		page = p.b.Submit(page, "consent", nil)
	}
	return page
}

// redeemed gives what redeems the code of a browser that was sent back, if it was.
func (d *doors) redeemed(native bool) func(otltest.Page) otltest.Reply {
	return func(page otltest.Page) otltest.Reply {
		d.Helper()
		switch {
		case page.Left == nil || page.Left.Query().Get("code") == "":
			return otltest.Reply{}
		case native:
			return d.native("/auth/token", object{"code": page.Left.Query().Get("code"), "code_verifier": keyVerifier})
		}
		return d.form("/oidc/token", "", url.Values{"grant_type": {"authorization_code"}, "code": {page.Left.Query().Get("code")}, "redirect_uri": {callbackURL}, "code_verifier": {keyVerifier}})
	}
}

// allDoors is every way in by HTTP that knows who comes; OneLogin's, which hands a session
// over first, and registering are held by tests of their own.
func allDoors() []door { return append(append(nativeDoors(), transmitDoors()...), hostedDoors()...) }

// nativeDoors are those of our own wire.
func nativeDoors() []door {
	way := func(name string, same enrolment, come func(d *doors, p person) otltest.Reply) door {
		return door{name: "native " + name, same: same, second: (*doors).verified, come: func(d *doors, p person) came { return came{Reply: come(d, p)} }, refresh: func(d *doors, token string) otltest.Reply {
			return d.native("/auth/refresh", object{"refresh_token": token})
		}}
	}
	return []door{
		way("password", "", func(d *doors, p person) otltest.Reply {
			return d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password})
		}),
		way("code", mail, func(d *doors, p person) otltest.Reply {
			d.native("/auth/otp/send", object{"email": p.Email.Address}).Want(d.T, http.StatusAccepted)
			code, _ := d.letter(p.Email.Address)
			return d.native("/auth/otp/verify", object{"email": p.Email.Address, "code": code})
		}),
		way("link", mail, func(d *doors, p person) otltest.Reply {
			d.native("/auth/link/send", object{"email": p.Email.Address, "callback_url": callbackURL, "state": "s"}).Want(d.T, http.StatusAccepted)
			_, link := d.letter(p.Email.Address)
			return d.native("/auth/link/verify", object{"code": d.pressed(link)})
		}),
	}
}

// transmitDoors are those of Transmit's wire, which has no second step.
func transmitDoors() []door {
	way := func(name string, same enrolment, come func(d *doors, p person) otltest.Reply) door {
		return door{name: "transmit " + name, same: same, come: func(d *doors, p person) came { return came{Reply: come(d, p)} }, refresh: func(d *doors, token string) otltest.Reply {
			return d.bearer("/cis/v1/auth/token/refresh", d.cis, object{"refresh_token": token})
		}}
	}
	entered := func(d *doors, path string, body object) otltest.Reply {
		r := d.bearer(path, d.cis, body)
		if r.Status != http.StatusOK {
			return r
		}
		code := d.led(d.w.Do(d.T, otltest.Call{Path: strings.TrimPrefix(r.Text("result"), otltest.Issuer)}))
		return d.form("/oidc/token", "", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURL}})
	}
	return []door{
		way("password", "", func(d *doors, p person) otltest.Reply {
			return d.bearer("/cis/v1/auth/password/authenticate", d.cis, object{"username": p.Email.Address, "password": otltest.Password})
		}),
		way("code", mail, func(d *doors, p person) otltest.Reply {
			d.bearer("/cis/v1/auth/otp/send", d.cis, object{"channel": "email", "identifier_type": "email", "identifier": p.Email.Address}).Want(d.T, http.StatusOK)
			code, _ := d.letter(p.Email.Address)
			return d.bearer("/cis/v1/auth/otp/authenticate", d.cis, object{"passcode": code, "identifier_type": "email", "identifier": p.Email.Address})
		}),
		way("link", mail, func(d *doors, p person) otltest.Reply {
			d.bearer("/cis/v1/auth/link/email/send", d.cis, object{"email": p.Email.Address, "redirect_uri": callbackURL}).Want(d.T, http.StatusOK)
			_, link := d.letter(p.Email.Address)
			return d.bearer("/cis/v1/auth/link/email/authenticate", d.cis, object{"code": d.pressed(link)})
		}),
		way("front mail", mail, func(d *doors, p person) otltest.Reply {
			d.bearer("/v1/auth/otp/email", d.cis, object{"email": p.Email.Address, "redirect_uri": callbackURL}).Want(d.T, http.StatusOK)
			code, _ := d.letter(p.Email.Address)
			return entered(d, "/v1/auth/otp/email/validation", object{"email": p.Email.Address, "passcode": code})
		}),
		way("front SMS", sms, func(d *doors, p person) otltest.Reply {
			d.bearer("/v1/auth/otp/sms", d.cis, object{"phone_number": p.Phone, "redirect_uri": callbackURL}).Want(d.T, http.StatusOK)
			code, _ := d.letter(p.Phone)
			return entered(d, "/v1/auth/otp/sms/validation", object{"phone_number": p.Phone, "passcode": code})
		}),
		way("front link", mail, func(d *doors, p person) otltest.Reply {
			d.bearer("/v1/auth/links/email", d.cis, object{"email": p.Email.Address, "redirect_uri": callbackURL}).Want(d.T, http.StatusOK)
			_, link := d.letter(p.Email.Address)
			return d.w.Do(d.T, otltest.Call{Path: "/cis/v1/token", Body: object{"code": d.pressed(link), "client_id": d.client.ID, "client_secret": d.client.Secret.Reveal()}})
		}),
	}
}

// hostedDoors are those that lead through the pages.
func hostedDoors() []door {
	renews := func(public func(*doors) string) func(d *doors, token string) otltest.Reply {
		return func(d *doors, token string) otltest.Reply {
			return d.form("/oidc/token", public(d), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		}
	}
	own := renews(func(*doors) string { return "" })
	way := func(name string, start func(d *doors) string, native, byKey bool) door {
		w := door{name: name, pages: true, strong: byKey, come: func(d *doors, p person) came {
			page := d.signs(p, p.b.Get(start(d)), byKey)
			c := came{page: page, next: d.redeemed(native)}
			c.Reply = c.next(page)
			return c
		}, second: hostedSecond, refresh: own}
		if native {
			w.refresh = nativeDoors()[0].refresh
		}
		return w
	}
	pages := func(d *doors) string { return "/authorize" + asked(url.Values{"site": {d.w.Notes.Site.ID}}) }
	openid := func(d *doors) string {
		return "/oidc/authorize" + asked(url.Values{"client_id": {d.client.ID}, "scope": {"openid"}})
	}
	// Who signed in at our own pages before goes on to the site.
	before := func(name string, start func(d *doors) string, native bool) door {
		w := way(name, start, native, false)
		w.come = func(d *doors, p person) came {
			c := came{page: d.signs(p, p.b.Get("/account"), false), next: func(page otltest.Page) otltest.Reply {
				if page.Title != "Your account" {
					return otltest.Reply{}
				}
				return d.redeemed(native)(d.agreed(p, p.b.Get(start(d))))
			}}
			c.Reply = c.next(c.page)
			return c
		}
		return w
	}
	silent := func(d *doors) string {
		return "/oidc/authorize" + asked(url.Values{"client_id": {d.client.ID}, "scope": {"openid"}, "prompt": {"none"}})
	}
	return append([]door{
		way("pages", pages, true, false), way("openid", openid, false, false), way("pages by passkey", pages, true, true), way("openid by passkey", openid, false, true),
		before("pages, signed in before", pages, true), before("openid, no page", silent, false),
		{name: "device", pages: true, come: (*doors).device, second: hostedSecond, refresh: renews(func(d *doors) string { return d.tv.ID })},
	}, mailDoors(pages)...)
}

// mailDoors are those of the pages by what is sent: a code by mail or SMS, and a link that is opened
// in the browser that asked, in another one on its behalf, or in another one that goes on.
func mailDoors(start func(*doors) string) []door {
	way := func(name string, same enrolment, prove func(d *doors, p person, sent func(b *otltest.Browser, way string) otltest.Page) otltest.Page) door {
		return door{name: "pages by " + name, pages: true, sent: true, same: same, second: hostedSecond, refresh: nativeDoors()[0].refresh, come: func(d *doors, p person) came {
			page := prove(d, p, func(b *otltest.Browser, way string) otltest.Page {
				return b.Submit(b.Get(start(d)), "/signin", map[string]string{"identifier": p.Email.Address, "way": way})
			})
			c := came{page: d.agreed(p, page), next: d.redeemed(true)}
			c.Reply = c.next(c.page)
			return c
		}}
	}
	type sender = func(b *otltest.Browser, way string) otltest.Page
	return []door{
		way("code", mail, func(d *doors, p person, sent sender) otltest.Page {
			page := sent(p.b, "code")
			code, _ := d.letter(p.Email.Address)
			return p.b.Submit(page, "code-form", map[string]string{"code": code})
		}),
		way("SMS", sms, func(d *doors, p person, sent sender) otltest.Page {
			page := sent(p.b, "sms")
			code, _ := d.letter(p.Phone)
			return p.b.Submit(page, "code-form", map[string]string{"code": code})
		}),
		way("link", mail, func(d *doors, p person, sent sender) otltest.Page {
			sent(p.b, "code")
			_, link := d.letter(p.Email.Address)
			return p.b.Submit(p.b.Get(link), "confirm", nil)
		}),
		way("link elsewhere", mail, func(d *doors, p person, sent sender) otltest.Page {
			page, other := sent(p.b, "code"), d.w.Browser(d.T)
			_, link := d.letter(p.Email.Address)
			other.Submit(other.Get(link), "confirm", map[string]string{"where": "start", "number": number(d, page)})
			return p.b.Submit(page, "continue", nil)
		}),
		way("link of another", mail, func(d *doors, p person, sent sender) otltest.Page {
			sent(d.w.Browser(d.T), "code")
			_, link := d.letter(p.Email.Address)
			return p.b.Submit(p.b.Get(link), "confirm", map[string]string{"where": "here"})
		}),
	}
}

func hostedSecond(d *doors, p person, c came) otltest.Reply {
	return c.next(d.agreed(p, d.stepped(p, c)))
}

// device has a device show a code that somebody enters in his browser, and asks what became
// of it.
func (d *doors) device(p person) came {
	d.Helper()
	r := d.form("/oidc/device_authorization", d.tv.ID, url.Values{"scope": {"openid"}}).Want(d.T, http.StatusOK)
	fetch := func(page otltest.Page) otltest.Reply {
		if page.Fields("confirm") != nil {
			p.b.Submit(page, "confirm", map[string]string{"decision": "connect"})
		}
		d.w.Clock.Advance(5 * time.Second)
		return d.form("/oidc/token", d.tv.ID, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {r.Text("device_code")}})
	}
	page := d.signs(p, p.b.Submit(p.b.Get("/device"), "device", map[string]string{"user_code": r.Text("user_code")}), false)
	return came{Reply: fetch(page), page: page, next: fetch}
}
