package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// doors is a world whose every door is tried over HTTP, with a client of Notes.
type doors struct {
	*testing.T
	w      *otltest.World
	client site.MadeClient
	api    string // token of the client on OneLogin's wire
	cis    string // and on Transmit's
}

// person is somebody who comes in: with a proven address, and perhaps an app.
type person struct {
	otl.User
	seed secret.Text // empty for none
	b    *otltest.Browser
}

// came is what a door answered to the first proof.
type came struct {
	otltest.Reply
	page otltest.Page // of a browser
}

// door is one way in: its first proof, and the second step where it has one.
type door struct {
	name   string
	pages  bool // it leads through the pages, which ask for themselves (D2)
	come   func(d *doors, p person) came
	second func(d *doors, p person, c came) otltest.Reply // nil for a wire without a second step (ADR 22)
}

func (d *doors) native(path string, body object) otltest.Reply {
	d.Helper()
	return d.w.Do(d.T, otltest.Call{Path: "/api/v1" + path, Key: d.w.Notes.Key, Body: body})
}

func (d *doors) bearer(path, token string, body object) otltest.Reply {
	d.Helper()
	return d.w.Do(d.T, otltest.Call{Path: path, Bearer: token, Body: body})
}

// letter gives the newest code and link that somebody was sent.
func (d *doors) letter(p person) (code, link string) {
	d.Helper()
	all := d.w.Letters(d.T, p.Email.Address)
	if len(all) == 0 {
		d.Fatal("no letter")
	}
	return all[0].Code, strings.TrimPrefix(all[0].Link, otltest.Issuer)
}

// pressed presses a link and gives the code that the browser takes to the site.
func (d *doors) pressed(link string) string {
	d.Helper()
	r := d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: link}).Want(d.T, http.StatusSeeOther)
	back, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		d.Fatal(err)
	}
	return back.Query().Get("code")
}

// code gives the app's next code.
func (d *doors) code(p person) string {
	d.w.Clock.Advance(30 * time.Second)
	return secret.TOTP(p.seed, d.w.Clock.Now())
}

func (d *doors) verified(p person, c came) otltest.Reply {
	return d.native("/auth/mfa/verify", object{"mfa_token": c.Text("mfa_token"), "code": d.code(p)})
}

const keyVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// browse goes through the pages from an address, by the password, agreeing to everything.
func (d *doors) browse(p person, path string, more url.Values) came {
	sum := sha256.Sum256([]byte(keyVerifier))
	more.Set("redirect_uri", "https://notes.test/callback")
	more.Set("response_type", "code")
	more.Set("state", "s")
	more.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	more.Set("code_challenge_method", "S256")
	page := p.b.Get(path + "?" + more.Encode())
	if page.Left == nil && page.Fields("/signin") != nil {
		page = p.b.Submit(page, "/signin", map[string]string{"identifier": p.Email.Address, "password": otltest.Password})
	}
	return came{page: d.agreed(p, page)}
}

func (d *doors) agreed(p person, page otltest.Page) otltest.Page {
	if page.Left == nil && page.Fields("consent") != nil {
		page = p.b.Submit(page, "consent", nil)
	}
	return page
}

// stepped takes the second step of the pages.
func (d *doors) stepped(p person, c came) otltest.Page {
	d.Helper()
	if c.page.Fields("second") == nil {
		d.Fatalf("no second step at %s\n%s", c.page.Path, c.page.Raw)
	}
	return d.agreed(p, p.b.Submit(c.page, "second", map[string]string{"code": d.code(p)}))
}

// redeemed redeems the code of a browser that was sent back, if it was.
func (d *doors) redeemed(page otltest.Page, native bool) otltest.Reply {
	d.Helper()
	if page.Left == nil || page.Left.Query().Get("code") == "" {
		return otltest.Reply{}
	}
	if native {
		return d.native("/auth/token", object{"code": page.Left.Query().Get("code"), "code_verifier": keyVerifier})
	}
	f := url.Values{"grant_type": {"authorization_code"}, "code": {page.Left.Query().Get("code")}, "redirect_uri": {"https://notes.test/callback"}, "code_verifier": {keyVerifier}}
	return d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: "/oidc/token", Body: f.Encode(), Headers: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(d.client.ID+":"+d.client.Secret.Reveal())),
	}})
}

// allDoors is every way in by HTTP.
func allDoors() []door {
	native := func(name string, come func(d *doors, p person) otltest.Reply) door {
		return door{name: "native " + name, come: func(d *doors, p person) came { return came{Reply: come(d, p)} }, second: (*doors).verified}
	}
	transmit := func(name string, come func(d *doors, p person) otltest.Reply) door {
		return door{name: "transmit " + name, come: func(d *doors, p person) came { return came{Reply: come(d, p)} }}
	}
	pages := func(name string, isNative bool) door {
		start := func(d *doors, p person) (string, url.Values) {
			if isNative {
				return "/authorize", url.Values{"site": {d.w.Notes.Site.ID}}
			}
			return "/oidc/authorize", url.Values{"client_id": {d.client.ID}, "scope": {"openid"}}
		}
		return door{name: name, pages: true, come: func(d *doors, p person) came {
			path, q := start(d, p)
			c := d.browse(p, path, q)
			c.Reply = d.redeemed(c.page, isNative)
			return c
		}, second: func(d *doors, p person, c came) otltest.Reply { return d.redeemed(d.stepped(p, c), isNative) }}
	}
	return []door{
		native("password", func(d *doors, p person) otltest.Reply {
			return d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password})
		}),
		native("code", func(d *doors, p person) otltest.Reply {
			d.native("/auth/otp/send", object{"email": p.Email.Address}).Want(d.T, http.StatusAccepted)
			code, _ := d.letter(p)
			return d.native("/auth/otp/verify", object{"email": p.Email.Address, "code": code})
		}),
		native("link", func(d *doors, p person) otltest.Reply {
			d.native("/auth/link/send", object{"email": p.Email.Address, "callback_url": "https://notes.test/callback", "state": "s"}).Want(d.T, http.StatusAccepted)
			_, link := d.letter(p)
			return d.native("/auth/link/verify", object{"code": d.pressed(link)})
		}),
		transmit("password", func(d *doors, p person) otltest.Reply {
			return d.bearer("/cis/v1/auth/password/authenticate", d.cis, object{"username": p.Email.Address, "password": otltest.Password})
		}),
		transmit("code", func(d *doors, p person) otltest.Reply {
			d.bearer("/cis/v1/auth/otp/send", d.cis, object{"channel": "email", "identifier_type": "email", "identifier": p.Email.Address}).Want(d.T, http.StatusOK)
			code, _ := d.letter(p)
			return d.bearer("/cis/v1/auth/otp/authenticate", d.cis, object{"passcode": code, "identifier_type": "email", "identifier": p.Email.Address})
		}),
		transmit("link", func(d *doors, p person) otltest.Reply {
			d.bearer("/cis/v1/auth/link/email/send", d.cis, object{"email": p.Email.Address, "redirect_uri": "https://notes.test/callback"}).Want(d.T, http.StatusOK)
			_, link := d.letter(p)
			return d.bearer("/cis/v1/auth/link/email/authenticate", d.cis, object{"code": d.pressed(link)})
		}),
		pages("openid", false),
		pages("pages", true),
	}
}

// sessions gives how many sessions somebody has at the site.
func (d *doors) sessions(p person) []otl.Session {
	d.Helper()
	live, err := d.w.Store.Read.Sessions.Live(d.Context(), p.ID, d.w.Notes.Site.ID, "", d.w.Clock.Now(), 10)
	if err != nil {
		d.Fatal(err)
	}
	return live
}

// newDoors makes the world with its client.
func newDoors(t *testing.T) *doors {
	d := &doors{T: t, w: otltest.New(t, otltest.SQLite)}
	if err := d.w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.client, err = d.w.Clients.Create(t.Context(), d.w.Notes.Site.ID, site.NewClient{Name: "backend", RedirectURIs: []string{"https://notes.test/callback"}}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.client.ID}, "client_secret": {d.client.Secret.Reveal()}}
	for path, into := range map[string]*string{"/oidc/token": &d.cis, "/auth/oauth2/v2/token": &d.api} {
		*into = d.w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).
			Want(t, http.StatusOK).Text("access_token")
	}
	return d
}

// person adds somebody.
func (d *doors) person(n int, app bool) person {
	d.Helper()
	p := person{User: d.w.Person(d.T, fmt.Sprintf("p%d@dev.test", n), d.w.Notes.Site), b: d.w.Browser(d.T)}
	if err := d.w.Store.Write(d.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, p.ID, p.Email.Key, d.w.Clock.Now())
		return err
	}); err != nil {
		d.Fatal(err)
	}
	if app {
		p.seed = secret.NewTOTPSeed()
		if _, err := d.w.Setup.Give(d.Context(), p.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: p.seed}); err != nil {
			d.Fatal(err)
		}
	}
	return p
}

// TestMF05_NoDoorSkipsAFactorByHTTP generates door × policy × enrolment over the wires as
// they are spoken: what opens a session has two factors wherever they are due, and a
// session that was opened before is not kept where they have become due since.
func TestMF05_NoDoorSkipsAFactorByHTTP(t *testing.T) {
	t.Parallel()
	d, n := newDoors(t), 0
	policy := func(p otl.MFAPolicy) {
		if _, err := d.w.Sites.SetPolicy(t.Context(), d.w.Notes.Site.ID, string(p), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, rule := range []otl.MFAPolicy{otl.MFAOff, otl.MFAOptional, otl.MFARequired} {
		for _, app := range []bool{false, true} {
			for _, way := range allDoors() {
				n++
				policy(rule)
				p := d.person(n, app)
				what := fmt.Sprintf("%s, %s, app %v", way.name, rule, app)
				due := rule == otl.MFARequired || app && (rule != otl.MFAOff || way.pages)
				c := way.come(d, p)
				open := d.sessions(p)
				if due == (len(open) > 0) || due == (c.Text("access_token") != "") {
					t.Errorf("%s: due is %v, %d sessions, answered %d %s", what, due, len(open), c.Status, c.Raw)
				}
				if c.Status >= 500 {
					t.Errorf("%s: %d %s", what, c.Status, c.Raw)
				}
				if due && app && way.second != nil {
					c.Reply = way.second(d, p, c)
					if open = d.sessions(p); len(open) != 1 || open[0].Methods.Factors() != 2 || c.Text("access_token") == "" {
						t.Errorf("%s: after the second step %v %d %s", what, open, c.Status, c.Raw)
					}
				}
				if rule == otl.MFAOff && c.Text("refresh_token") != "" && strings.HasPrefix(way.name, "native") {
					policy(otl.MFARequired)
					d.native("/auth/refresh", object{"refresh_token": c.Text("refresh_token")}).Want(t, http.StatusUnauthorized)
				}
			}
		}
	}
	if n != 48 {
		t.Errorf("%d cells", n)
	}
}

// TestMF05_OneLoginByHTTP is the same for OneLogin's wire, which hands a session token over
// first: that is held back by the site's rule, and the browser session by the pages' own.
func TestMF05_OneLoginByHTTP(t *testing.T) {
	t.Parallel()
	d, n := newDoors(t), 0
	for _, rule := range []otl.MFAPolicy{otl.MFAOff, otl.MFAOptional, otl.MFARequired} {
		for _, app := range []bool{false, true} {
			n++
			if _, err := d.w.Sites.SetPolicy(t.Context(), d.w.Notes.Site.ID, string(rule), nil); err != nil {
				t.Fatal(err)
			}
			p := d.person(n, app)
			what := fmt.Sprintf("%s, app %v", rule, app)
			due := rule == otl.MFARequired || app && rule != otl.MFAOff
			data := func(r otltest.Reply) object {
				all, _ := r.JSON["data"].([]any)
				if len(all) == 0 {
					return object{}
				}
				return all[0].(object)
			}
			r := d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"})
			first := data(r)
			if due == (first["session_token"] != nil) || due && app != (first["state_token"] != nil) {
				t.Fatalf("%s: %s", what, r.Raw)
			}
			if due && app {
				r = d.bearer("/api/1/verify_factor", d.api, object{"device_id": first["devices"].([]any)[0].(object)["device_id"], "state_token": first["state_token"], "otp_token": d.code(p)})
				first = data(r.Want(t, http.StatusOK))
			}
			token, _ := first["session_token"].(string)
			d.w.Do(t, otltest.Call{
				Method: http.MethodPost, Path: "/session_via_api_token", Body: "session_token=" + token, Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			}).Want(t, http.StatusSeeOther)
			live, err := d.w.Store.Read.Sessions.Live(t.Context(), p.ID, "", "", d.w.Clock.Now(), 10)
			if err != nil {
				t.Fatal(err)
			}
			factors := 0
			if len(live) == 1 {
				factors = live[0].Methods.Factors()
			}
			want := map[bool]int{false: 1, true: 2}[app] // who has a factor comes in with two
			if due && !app || app && !due {
				want = 0
			}
			if factors != want || len(live) > 1 {
				t.Errorf("%s: a session of %d factors, not %d", what, factors, want)
			}
		}
	}
}
