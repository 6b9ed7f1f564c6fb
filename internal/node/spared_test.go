package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

const deviceCookie = "__Host-otl_device"

// spared tries what leads past a second step, or to none.
type spared struct{ *doors }

// login signs somebody in at Notes by his password and whatever else is sent.
func (d spared) login(p person, more object) otltest.Reply {
	d.Helper()
	body := object{"email": p.Email.Address, "password": otltest.Password}
	for name, v := range more {
		body[name] = v
	}
	return d.native("/auth/login", body)
}

// start gives where the pages begin a visit for Notes.
func (d spared) start() string { return "/authorize" + asked(url.Values{"site": {d.w.Notes.Site.ID}}) }

// trusts has somebody trust a device at Notes, and another on the pages, and gives the tokens of both.
func (d spared) trusts(p person) (atNotes, everywhere string) {
	d.Helper()
	step := d.login(p, nil).Want(d.T, http.StatusUnauthorized, "mfa_required")
	in := d.native("/auth/mfa/verify", object{"mfa_token": step.Text("mfa_token"), "code": d.shown(p), "trust_device": true}).Want(d.T, http.StatusOK)
	page := d.signs(p, p.b.Get(d.start()), false)
	d.agreed(p, p.b.Submit(page, "second", map[string]string{"code": d.shown(p), "trust": "1"}))
	if atNotes, everywhere = in.Text("device_token"), p.b.Cookies[deviceCookie]; atNotes == "" || everywhere == "" {
		d.Fatalf("no device is trusted: %q %q", atNotes, everywhere)
	}
	return atNotes, everywhere
}

// at signs somebody in on the pages, on a device, and reports whether the way back to Notes is open.
func (d spared) at(p person, device string) bool {
	d.Helper()
	p.b = d.w.Browser(d.T)
	p.b.Cookies[deviceCookie] = device
	return d.redeemed(true)(d.signs(p, p.b.Get(d.start()), false)).Text("access_token") != ""
}

// TestMF05_ADeviceSparesNothingThatIsDemanded generates rule × whose device × where: it spares the second
// step its person alone, where he said so, as long as the site says, and nowhere that demands two.
func TestMF05_ADeviceSparesNothingThatIsDemanded(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := spared{newDoors(t, w)}
		days := func(n int) {
			t.Helper()
			if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{TrustDays: &n}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range rules() {
			w.Clock.Advance(time.Minute)
			d.policy(otl.MFAOptional)
			p, other := d.person(app, ""), d.person(app, "")
			atNotes, everywhere := d.trusts(p)
			give(d.doors, p, r.role)
			give(d.doors, other, r.role)
			d.policy(r.policy)
			off := r.policy == otl.MFAOff
			check := func(what string, want bool, in bool) {
				t.Helper()
				if in != want {
					t.Errorf("%s, %s: let in without a second step is %v", r, what, in)
				}
			}
			native := func(p person, token string) bool {
				w.Clock.Advance(time.Minute)
				return d.login(p, object{"device_token": token}).Text("access_token") != ""
			}
			check("his own", !r.demands(), native(p, atNotes))
			check("another's", off, native(other, atNotes))
			check("that of the pages, at the site", !r.demands(), native(p, everywhere))
			check("none", off, native(p, "otl_td_x"))
			check("the pages", !r.demands(), d.at(p, everywhere))
			check("the pages, another's", false, d.at(other, everywhere))
			check("the pages, that of the site", false, d.at(p, atNotes))
			days(0)
			check("none any more", off, native(p, atNotes))
			check("the pages, none any more", off, d.at(p, everywhere)) // of a site that asks nobody, the pages' own days count
			days(30)
			if _, err := w.SignIn.RevokeAll(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
			check("taken back", off, native(p, atNotes))
			check("the pages, taken back", false, d.at(p, everywhere))
		}
	})
}

// TestMF05_ACodeInTheFirstCall is that of an app, and right, or the step is due as ever; it is in the place of no
// factor that is to be set up.
func TestMF05_ACodeInTheFirstCall(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := spared{newDoors(t, w)}
		for _, r := range rules() {
			d.policy(r.policy)
			for _, has := range []enrolment{bare, app, lost, mail, paper} {
				w.Clock.Advance(time.Minute)
				p, what := d.person(has, r.role), fmt.Sprintf("%s, %s", r, has)
				code, due := "000000", r.demands() || has.enrolled() && r.policy != otl.MFAOff
				switch has {
				case app:
					if in := d.login(p, object{"mfa_code": code}); due == (in.Status == http.StatusOK) {
						t.Errorf("%s: by a wrong code %d %s", what, in.Status, in.Raw)
					}
					if open := d.sessions(p, ""); due && len(open) > 0 {
						t.Errorf("%s: by a wrong code %v", what, open)
					}
					code = d.shown(p)
				case lost, paper:
					code = p.paper[0].Reveal()
				case mail: // of a code by mail, which is the first proof of something else
					d.native("/auth/otp/send", object{"email": p.Email.Address}).Want(t, http.StatusAccepted)
					code, _ = d.letter(p.Email.Address)
				}
				in := d.login(p, object{"mfa_code": code})
				open := d.sessions(p, w.Notes.Site.ID)
				if want := !due || has == app; want != (in.Text("access_token") != "") || want != (len(open) > 0) || in.Status >= 500 {
					t.Errorf("%s: %d %s, %v", what, in.Status, in.Raw, open)
				}
				if due && has == app && open[0].Methods.Factors() < 2 {
					t.Errorf("%s: %s", what, open[0].Methods)
				}
			}
		}
	})
}

// post presses a link.
func (d spared) post(link string) {
	d.Helper()
	d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: strings.TrimPrefix(link, otltest.Issuer), Headers: map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}).Want(d.T, http.StatusOK)
}

// mailed gives the link of the newest letter of a kind to an address.
func (d spared) mailed(to string, kind otl.MessageKind) string {
	d.Helper()
	for _, l := range d.w.Letters(d.T, to) {
		if l.Kind == kind {
			return l.Link
		}
	}
	d.Fatalf("no %s to %s", kind, to)
	return ""
}

// forgot gives the path by which somebody chooses a new password.
func (d spared) forgot(p person) string {
	d.Helper()
	d.native("/auth/password/forgot", object{"email": p.Email.Address}).Want(d.T, http.StatusAccepted)
	return strings.TrimPrefix(d.mailed(p.Email.Address, otl.MessageReset), otltest.Issuer)
}

// change gives somebody another address, and gives the link that takes that back.
func (d spared) change(p *person) (undo string) {
	d.Helper()
	d.w.Clock.Advance(time.Minute) // what came since the change goes with it
	home, err := d.w.Flows.Home(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	to := "new-" + p.Email.Address
	if err := d.w.Members.Changes.AskOwn(d.Context(), home, p.User, account.Own{Email: to}); err != nil {
		d.Fatal(err)
	}
	d.post(d.mailed(to, otl.MessageConfirmChange))
	undo = d.mailed(p.Email.Address, otl.MessageChangeAsked)
	p.Email.Address = to
	return undo
}

// fresh is a password that is chosen anew.
const fresh = "staple-battery-9"

// acts are what changes an account by links; each gives the password it leaves.
func (d spared) acts() map[string]func(p *person) (password string) {
	return map[string]func(p *person) (password string){
		"a new password": func(p *person) string {
			link := d.forgot(*p)
			d.native("/auth/password/reset", object{"token": link[strings.LastIndex(link, "/")+1:], "password": fresh}).Want(d.T, http.StatusOK)
			return fresh
		},
		"a new password on the pages": func(p *person) string {
			link := d.forgot(*p)
			p.b.Submit(p.b.Get(link), link, map[string]string{"password": fresh})
			return fresh
		},
		"another address": func(p *person) string {
			d.change(p)
			return otltest.Password
		},
		"the address before": func(p *person) string {
			was := p.Email
			d.post(d.change(p))
			p.Email = was
			return otltest.Password
		},
		"a factor taken back": func(p *person) string {
			if p.has == app {
				d.undone(p)
			}
			return otltest.Password
		},
	}
}

// TestMF05_WhatChangesAnAccountSignsNobodyIn: a new password by mail, on the pages or by an invitation, a changed address
// and what undoes it open nothing, and whoever signs in after them is asked as before; where his factors were
// taken back, as somebody without.
func TestMF05_WhatChangesAnAccountSignsNobodyIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := spared{newDoors(t, w)}
		for _, r := range rules() {
			d.policy(r.policy)
			for _, has := range []enrolment{bare, app} {
				for name, act := range d.acts() {
					w.Clock.Advance(time.Minute)
					w.Inbox.Empty()
					p, what := d.person(has, r.role), fmt.Sprintf("%s, %s, %s", name, r, has)
					password := act(&p)
					if open := d.sessions(p, ""); len(open) > 0 {
						t.Errorf("%s: signed in, %v", what, open)
					}
					due := r.demands() || p.has.enrolled() && r.policy != otl.MFAOff
					in := d.login(p, object{"password": password})
					if due == (in.Text("access_token") != "") || in.Status >= 500 {
						t.Errorf("%s: due is %v, %d %s", what, due, in.Status, in.Raw)
					}
				}
			}
		}
	})
}

// undone has somebody who has an app set it up anew, and takes it back by the mail.
func (d spared) undone(p *person) {
	d.Helper()
	if _, err := d.w.Setup.Reset(d.Context(), p.User); err != nil {
		d.Fatal(err)
	}
	by := d.w.Strong(d.T, p.User)
	e, err := d.w.Setup.Enrol(d.Context(), by, factor.New{Kind: otl.FactorTOTP})
	if err != nil {
		d.Fatal(err)
	}
	seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
	if err != nil {
		d.Fatal(err)
	}
	if _, err := d.w.Setup.Confirm(d.Context(), by, e.ID, secret.NewText(secret.TOTP(seed, d.w.Clock.Now()))); err != nil {
		d.Fatal(err)
	}
	for _, l := range d.w.Letters(d.T, p.Email.Address) {
		if l.Kind == otl.MessageFactorAdded {
			d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: strings.TrimPrefix(l.Link, otltest.Issuer), Headers: map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}).Want(d.T, http.StatusOK)
			p.has = bare
			return
		}
	}
	d.Fatal("he is not told")
}

// TestMF05_AnInviteLinkSignsNobodyIn: a person of the site's own chooses a password by it, and is asked for two as everybody.
func TestMF05_AnInviteLinkSignsNobodyIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := spared{newDoors(t, w)}
		for i, r := range rules() {
			d.policy(r.policy)
			d.tokens()
			for _, has := range []enrolment{bare, app} {
				w.Clock.Advance(time.Minute)
				m, err := w.Accounts.Create(t.Context(), account.Creation{Email: fmt.Sprintf("own%d%t@dev.test", i, has == app), Site: &w.Notes.Site})
				if err != nil {
					t.Fatal(err)
				}
				p := person{User: m.User, has: has, b: w.Browser(t)}
				give(d.doors, p, r.role)
				d.enrol(&p)
				invited := d.bearer("/api/1/invites/get_invite_link", d.api, object{"email": p.Email.Address}).Want(t, http.StatusOK)
				links, _ := invited.JSON["data"].([]any)
				link := p.b.Get(strings.TrimPrefix(links[0].(string), otltest.Issuer))
				done := p.b.Submit(link, link.Path, map[string]string{"password": fresh})
				if open := d.sessions(p, ""); len(open) > 0 {
					t.Errorf("%s, %s: signed in at %s, %v", r, has, done.Path, open)
				}
				due := r.demands() || has.enrolled() && r.policy != otl.MFAOff
				in := d.login(p, object{"password": fresh})
				if due == (in.Text("access_token") != "") || in.Status >= 500 {
					t.Errorf("%s, %s: due is %v, %d %s", r, has, due, in.Status, in.Raw)
				}
			}
		}
	})
}
