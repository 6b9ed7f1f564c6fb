package node_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// doors is a world whose every door is tried over HTTP, with clients of Notes.
type doors struct {
	*testing.T
	w      *otltest.World
	client site.MadeClient
	tv     site.MadeClient // of devices without a browser
	api    string          // token of the client on OneLogin's wire
	cis    string          // and on Transmit's
	people int
}

// newDoors makes the world with its clients.
func newDoors(t *testing.T, w *otltest.World) *doors {
	d := &doors{T: t, w: w}
	if err := w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // which a policy names
		_, err := tx.Roles.Insert(ctx, otl.Role{SiteID: w.Notes.Site.ID, Name: "editor", CreatedAt: w.Clock.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	d.client = d.made(site.NewClient{Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{callbackURL}, SignUp: true})
	d.tv = d.made(site.NewClient{Name: "tv", Auth: "none", Device: true})
	return d
}

func (d *doors) made(n site.NewClient) site.MadeClient {
	d.Helper()
	c, err := d.w.Clients.Create(d.Context(), d.w.Notes.Site.ID, n)
	if err != nil {
		d.Fatal(err)
	}
	return c
}

// tokens has the client fetch new tokens of its own.
func (d *doors) tokens() {
	d.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.client.ID}, "client_secret": {d.client.Secret.Reveal()}}
	for path, into := range map[string]*string{"/oidc/token": &d.cis, "/auth/oauth2/v2/token": &d.api} {
		*into = d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: path, Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).
			Want(d.T, http.StatusOK).Text("access_token")
	}
}

// rule is what the site asks for, of somebody who has a role there.
type rule struct {
	policy otl.MFAPolicy
	role   string // of the person
}

func (r rule) String() string { return string(r.policy) + " " + r.role }

// demands reports whether two factors are asked of everybody like him.
func (r rule) demands() bool {
	return r.policy == otl.MFARequired || r.policy == otl.MFARoles && r.role == "editor"
}

// rules gives every policy, and both sides of the one that knows roles.
func rules() []rule {
	return []rule{{otl.MFAOff, ""}, {otl.MFAOptional, ""}, {otl.MFARequired, ""}, {otl.MFARoles, "reader"}, {otl.MFARoles, "editor"}}
}

func (d *doors) policy(p otl.MFAPolicy) {
	d.Helper()
	if _, err := d.w.Sites.Set(d.Context(), d.w.Notes.Site.ID, site.Change{MFA: (*string)(&p), MFARoles: new(map[otl.MFAPolicy][]string{otl.MFARoles: {"editor"}}[p])}); err != nil {
		d.Fatal(err)
	}
}

// sessions gives somebody's sessions at a site.
func (d *doors) sessions(p person, siteID string) []otl.Session {
	d.Helper()
	live, err := d.w.Store.Read.Sessions.Live(d.Context(), p.ID, siteID, "", d.w.Clock.Now(), 10)
	if err != nil {
		d.Fatal(err)
	}
	return live
}

// cell tries one door for one person, and reports what it did wrong.
func (d *doors) cell(r rule, has enrolment, way door) {
	d.Helper()
	d.w.Clock.Advance(time.Minute)
	p := d.person(has, r.role)
	what := fmt.Sprintf("%s, %s, %s", way.name, r, has)
	asks, notes := way.asks(r, has), d.w.Notes.Site.ID
	c := way.come(d, p)
	if open := d.sessions(p, notes); asks == (len(open) > 0) || asks == (c.Text("access_token") != "") {
		d.Errorf("%s: asked for two is %v, %d sessions, answered %d %s %s", what, asks, len(open), c.Status, c.Raw, c.page.Raw)
	}
	if c.Status >= 500 {
		d.Errorf("%s: %d %s", what, c.Status, c.Raw)
	}
	if asks && way.steps(has) {
		c.Reply = way.second(d, p, c)
		if open := d.sessions(p, notes); len(open) != 1 || open[0].Methods.Factors() < 2 || c.Text("access_token") == "" {
			d.Errorf("%s: after the second step %v %d %s", what, open, c.Status, c.Raw)
		}
	}
	for _, one := range d.sessions(p, "") {
		if one.SiteID != notes && has.enrolled() && one.Methods.Factors() < 2 {
			d.Errorf("%s: a browser session by %s", what, one.Methods)
		}
	}
	if c.Text("access_token") == "" {
		return
	}
	if got := c.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		d.Errorf("SE-18: %s: tokens that may be stored: %q", what, got)
	}
	// What was opened is kept where it is enough for what the site asks by now.
	strong := asks || way.strong
	d.policy(otl.MFARequired)
	if again := way.refresh(d, c.Text("refresh_token")); strong != (again.Text("access_token") != "") || again.Status >= 500 {
		d.Errorf("%s: refreshed after the site came to demand two: %d %s", what, again.Status, again.Raw)
	}
	d.policy(r.policy)
}

// TestMF05_NoDoorSkipsAFactorByHTTP generates door × policy × enrolment over the wires as
// they are spoken: what opens a session has two factors wherever they are due, and a
// session that was opened before is not kept where they have become due since.
func TestMF05_NoDoorSkipsAFactorByHTTP(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d, n := newDoors(t, w), 0
		for _, r := range rules() {
			d.policy(r.policy)
			for _, has := range []enrolment{bare, app, lost, sms, mail, key, paper} {
				d.tokens()
				for _, way := range allDoors() {
					if way.strong && has != key || way.sent && w.Engine == otltest.Postgres { // what decides is the same
						continue
					}
					n++
					d.cell(r, has, way)
				}
			}
		}
		if n != map[otltest.Engine]int{otltest.SQLite: 5 * (7*19 + 2), otltest.Postgres: 5 * (7*14 + 2)}[w.Engine] {
			t.Errorf("%d cells", n)
		}
	})
}

// TestMF05_OneLoginByHTTP is the same for OneLogin's wire, which hands a session token over
// first: that is held back by the site's rule, and the browser session by the pages' own. Who wants a
// password checked and nothing opened (delegated authentication) reads no more than whether there is one.
func TestMF05_OneLoginByHTTP(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		for _, r := range rules() {
			d.policy(r.policy)
			d.tokens()
			for _, has := range []enrolment{bare, app, lost, sms, mail, key, paper} {
				d.w.Clock.Advance(time.Minute)
				d.handed(r, has)
			}
		}
	})
}

// handed tries OneLogin's door for one person.
func (d *doors) handed(r rule, has enrolment) {
	d.Helper()
	p, what := d.person(has, r.role), fmt.Sprintf("%s, %s", r, has)
	asks := r.demands() || has.enrolled() && r.policy != otl.MFAOff
	steps := asks && has.enrolled() && has != key // which no server passes on
	// Both tokens of the wire, and both spellings of the second call.
	verify := "/api/1/verify_factor"
	if d.people%2 == 0 {
		d.api, verify = legacy(d), "/api/1/login/verify_factor"
	}
	answer := d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"})
	first := firstOf(answer)
	if asks == (first["session_token"] != nil) || steps != (first["state_token"] != nil) || answer.Status >= 500 {
		d.Errorf("%s: %d %s", what, answer.Status, answer.Raw)
	}
	if steps {
		names := map[enrolment]string{app: "Google Authenticator", lost: "Recovery Code", sms: "OneLogin OTP SMS", mail: "OneLogin Email"}
		devices := first["devices"].([]any)
		i := slices.IndexFunc(devices, func(one any) bool { return one.(object)["device_type"] == names[has] })
		body := object{"device_id": devices[i].(object)["device_id"], "state_token": first["state_token"]}
		if has == sms || has == mail {
			d.bearer(verify, d.api, maps.Clone(body)).Want(d.T, http.StatusOK)
		}
		body["otp_token"] = d.shown(p)
		first = firstOf(d.bearer(verify, d.api, body).Want(d.T, http.StatusOK))
	}
	token, _ := first["session_token"].(string)
	d.w.Do(d.T, otltest.Call{
		Method: http.MethodPost, Path: "/session_via_api_token", Body: "session_token=" + token, Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	}).Want(d.T, http.StatusSeeOther)
	want, factors := map[bool]int{false: 1, true: 2}[has.enrolled()], 0 // who has a factor comes in with two
	if asks != steps || has.enrolled() && !asks {
		want = 0
	}
	live := d.sessions(p, "")
	if len(live) == 1 {
		factors = live[0].Methods.Factors()
	}
	if factors != want || len(live) > 1 {
		d.Errorf("%s: a session of %d factors, not %d", what, factors, want)
	}
}

// legacy gives a token of the older call, which ends those before it.
func legacy(d *doors) string {
	d.Helper()
	r := d.w.Do(d.T, otltest.Call{
		Path: "/auth/oauth2/token", Body: object{"grant_type": "client_credentials"},
		Headers: map[string]string{"Authorization": "client_id:" + d.client.ID + ", client_secret:" + d.client.Secret.Reveal()},
	}).Want(d.T, http.StatusOK)
	return r.Items(d.T)[0]["access_token"].(string)
}

func firstOf(r otltest.Reply) object {
	all, _ := r.JSON["data"].([]any)
	if len(all) == 0 {
		return object{}
	}
	return all[0].(object)
}

// TestMF05_RegisteringByHTTP: whoever is new has no factor, and comes in by no door of a site
// that demands one.
func TestMF05_RegisteringByHTTP(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		d.tokens()
		registers := map[string]func(address string) otltest.Reply{
			"native": func(address string) otltest.Reply {
				return d.native("/auth/register", object{"email": address, "password": otltest.Password})
			},
			"transmit": func(address string) otltest.Reply {
				d.bearer("/v1/auth/links/email", d.cis, object{"email": address, "redirect_uri": callbackURL, "create_new_user": true}).Want(t, http.StatusOK)
				_, link := d.letter(address)
				return d.w.Do(t, otltest.Call{Path: "/cis/v1/token", Body: object{"code": d.pressed(link), "client_id": d.client.ID, "client_secret": d.client.Secret.Reveal()}})
			},
			"pages": func(address string) otltest.Reply {
				b := w.Browser(t)
				p := b.Get("/authorize" + asked(url.Values{"site": {w.Notes.Site.ID}}))
				_, visit, _ := strings.Cut(p.Path, "?")
				p = b.Submit(b.Get("/signup?"+visit), "/signup", map[string]string{"email": address, "name": "Nia New", "password": "staple-battery-9"})
				code, _ := d.letter(address)
				return d.redeemed(true)(d.agreed(person{b: b}, b.Submit(p, "code-form", map[string]string{"code": code})))
			},
		}
		n := 0
		for _, r := range rules() {
			d.policy(r.policy)
			for name, register := range registers {
				n++
				w.Clock.Advance(time.Minute)
				answer := register(fmt.Sprintf("new%d@dev.test", n))
				if open := answer.Text("access_token") != ""; open == (r.policy == otl.MFARequired) || answer.Status >= 500 {
					t.Errorf("%s, %s: %d %s", name, r.policy, answer.Status, answer.Raw)
				}
			}
		}
	})
}

// TestMF05_RaisingByHTTP: a session of one factor that a site demands two of by now is raised
// by a right proof of what its person has, and by nothing else.
func TestMF05_RaisingByHTTP(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		for _, has := range []enrolment{bare, app, lost, sms, mail, key, paper} {
			w.Clock.Advance(time.Minute)
			d.policy(otl.MFAOff)
			p := d.person(has, "")
			in := d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password}).Want(t, http.StatusOK)
			d.policy(otl.MFARequired)
			ask := func(path string, body object) otltest.Reply {
				return w.Do(t, otltest.Call{Path: "/api/v1" + path, Key: w.Notes.Key, Bearer: in.Text("access_token"), Body: body})
			}
			if r := ask("/auth/mfa/verify", object{"code": "000000", "method": "recovery_code"}); r.Status/100 != 4 {
				t.Errorf("%s: %d %s", has, r.Status, r.Raw)
			}
			d.native("/auth/refresh", object{"refresh_token": in.Text("refresh_token")}).Want(t, http.StatusUnauthorized, "second_factor_demanded")
			if !has.enrolled() {
				continue
			}
			own, err := w.Setup.List(t.Context(), p.User)
			if err != nil {
				t.Fatal(err)
			}
			id := own.Factors[slices.IndexFunc(own.Factors, func(o factor.Offer) bool { return o.Kind == p.kind() })].ID
			up := ask("/auth/mfa/verify", d.proof(p, id, ask)).Want(t, http.StatusOK)
			d.native("/auth/refresh", object{"refresh_token": up.Text("refresh_token")}).Want(t, http.StatusOK)
			if live := d.sessions(p, w.Notes.Site.ID); len(live) != 1 || live[0].Methods.Factors() < 2 {
				t.Errorf("%s: %v", has, live)
			}
		}
	})
}

// TestMF05_ALinkOfAClientThatDemandsTwo: by require_mfa Transmit's wire leads to the pages,
// which have the second step that it has not.
func TestMF05_ALinkOfAClientThatDemandsTwo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		for _, r := range rules() {
			d.policy(r.policy)
			d.tokens()
			for _, has := range []enrolment{bare, app, lost, sms, mail, key, paper} {
				w.Clock.Advance(time.Minute)
				p, what := d.person(has, r.role), fmt.Sprintf("%s, %s", r, has)
				d.bearer("/v1/auth/links/email", d.cis, object{"email": p.Email.Address, "redirect_uri": callbackURL, "require_mfa": true}).Want(t, http.StatusOK)
				_, link := d.letter(p.Email.Address)
				page := p.b.Submit(p.b.Get(link), "confirm", nil)
				if page.Left != nil || len(d.sessions(p, w.Notes.Site.ID)) > 0 {
					t.Errorf("%s: by the link alone at %v", what, page.Left)
				}
				if !has.enrolled() || has == mail {
					continue
				}
				page = d.agreed(p, d.stepped(p, came{page: page}))
				if page.Left == nil {
					t.Errorf("%s: at %s %s", what, page.Path, page.Raw)
					continue
				}
				w.Do(t, otltest.Call{Path: "/cis/v1/token", Body: object{"code": page.Left.Query().Get("code"), "client_id": d.client.ID, "client_secret": d.client.Secret.Reveal()}}).Want(t, http.StatusOK)
				if live := d.sessions(p, w.Notes.Site.ID); len(live) != 1 || live[0].Methods.Factors() < 2 {
					t.Errorf("%s: %v", what, live)
				}
			}
		}
	})
}
