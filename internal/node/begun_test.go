package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// begun is a way in that was begun before the site switched it off.
type begun struct {
	name   string
	way    otl.Way
	has    enrolment
	begin  func(d *doors, p person) (finish func() otltest.Reply)
	status int  // of finish while the way is off
	again  bool // it is good again once the way is on
}

var shownNumber = regexp.MustCompile(`id="number"><bdi[^>]*>(\d\d)<`)

// front has a browser send a code, and gives what validates it and redeems the answer.
func front(path, field string, to func(person) string) func(d *doors, p person) func() otltest.Reply {
	return func(d *doors, p person) func() otltest.Reply {
		d.bearer("/v1/auth/otp/"+path, d.cis, object{field: to(p), "redirect_uri": callbackURL}).Want(d.T, http.StatusOK)
		code, _ := d.letter(to(p))
		return func() otltest.Reply {
			r := d.bearer("/v1/auth/otp/"+path+"/validation", d.cis, object{field: to(p), "passcode": code})
			if r.Status != http.StatusOK {
				return r
			}
			back := d.led(d.w.Do(d.T, otltest.Call{Path: strings.TrimPrefix(r.Text("result"), otltest.Issuer)}))
			return d.form("/oidc/token", "", url.Values{"grant_type": {"authorization_code"}, "code": {back}, "redirect_uri": {callbackURL}})
		}
	}
}

// begunWays is every door whose second half comes later than its first.
func begunWays() []begun {
	pages := func(d *doors, p person) otltest.Page {
		return p.b.Get("/authorize" + asked(url.Values{"site": {d.w.Notes.Site.ID}}))
	}
	mailed := func(d *doors, p person) otltest.Page {
		return p.b.Submit(pages(d, p), "/signin", map[string]string{"identifier": p.Email.Address, "way": "code"})
	}
	login := func(d *doors, p person) object {
		return firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"}))
	}
	return []begun{
		{"native step", otl.WayPassword, app, func(d *doors, p person) func() otltest.Reply {
			r := d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password}).Want(d.T, http.StatusUnauthorized)
			return func() otltest.Reply { return d.verified(p, came{Reply: r}) }
		}, http.StatusForbidden, false},
		{"onelogin step", otl.WayPassword, app, func(d *doors, p person) func() otltest.Reply {
			first := login(d, p)
			devices := first["devices"].([]any)
			i := slices.IndexFunc(devices, func(one any) bool { return one.(object)["device_type"] == "Google Authenticator" })
			body := object{"device_id": devices[i].(object)["device_id"], "state_token": first["state_token"]}
			return func() otltest.Reply {
				body["otp_token"] = d.shown(p)
				return d.bearer("/api/1/verify_factor", d.api, body)
			}
		}, http.StatusForbidden, false},
		{"onelogin session token", otl.WayPassword, bare, func(d *doors, p person) func() otltest.Reply {
			token := login(d, p)["session_token"].(string)
			return func() otltest.Reply { return d.bearer("/session_via_api_token", "", object{"session_token": token}) }
		}, http.StatusForbidden, true},
		{"code at the pages", otl.WayCode, bare, func(d *doors, p person) func() otltest.Reply {
			page := mailed(d, p)
			code, _ := d.letter(p.Email.Address)
			return func() otltest.Reply { return p.b.Submit(page, "code-form", map[string]string{"code": code}).Reply }
		}, http.StatusForbidden, true},
		{"link at the pages", otl.WayLink, bare, func(d *doors, p person) func() otltest.Reply {
			mailed(d, p)
			_, link := d.letter(p.Email.Address)
			return func() otltest.Reply { return p.b.Submit(p.b.Get(link), "confirm", nil).Reply }
		}, http.StatusForbidden, true},
		{"link opened elsewhere", otl.WayLink, bare, func(d *doors, p person) func() otltest.Reply {
			page := mailed(d, p)
			_, link := d.letter(p.Email.Address)
			opened := d.w.Browser(d.T)
			confirm := opened.Get(link)
			return func() otltest.Reply {
				r := opened.Submit(confirm, "confirm", map[string]string{"where": "start", "number": number(d, page)})
				if r.Status != http.StatusOK {
					return r.Reply
				}
				return p.b.Submit(page, "continue", nil).Reply
			}
		}, http.StatusForbidden, true},
		{"link opened elsewhere before", otl.WayLink, bare, func(d *doors, p person) func() otltest.Reply {
			page := mailed(d, p)
			_, link := d.letter(p.Email.Address)
			opened := d.w.Browser(d.T)
			opened.Submit(opened.Get(link), "confirm", map[string]string{"where": "start", "number": number(d, page)})
			return func() otltest.Reply { return p.b.Submit(page, "continue", nil).Reply }
		}, http.StatusForbidden, true},
		{"link of the site", otl.WayLink, bare, func(d *doors, p person) func() otltest.Reply {
			d.native("/auth/link/send", object{"email": p.Email.Address, "callback_url": callbackURL}).Want(d.T, http.StatusAccepted)
			_, link := d.letter(p.Email.Address)
			return func() otltest.Reply {
				r := d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: link})
				if r.Status != http.StatusSeeOther {
					return r
				}
				return d.native("/auth/link/verify", object{"code": d.led(r)})
			}
		}, http.StatusForbidden, true},
		{"code of a browser", otl.WayCode, bare, front("email", "email", func(p person) string { return p.Email.Address }), http.StatusBadRequest, true},
		{"SMS of a browser", otl.WaySMS, bare, front("sms", "phone_number", func(p person) string { return p.Phone }), http.StatusBadRequest, true},
		{"the way back", otl.WayPassword, bare, func(d *doors, p person) func() otltest.Reply {
			page := d.signs(p, pages(d, p), false)
			return func() otltest.Reply { return d.redeemed(true)(page) }
		}, http.StatusUnauthorized, false},
	}
}

// number gives what the page that waits for a link shows.
func number(d *doors, page otltest.Page) string {
	d.Helper()
	m := shownNumber.FindStringSubmatch(string(page.Raw))
	if m == nil {
		d.Fatalf("no number\n%s", page.Raw)
	}
	return m[1]
}

// TestOT16_WhatWasBegunBeforeAWayWasSwitchedOff ends nowhere, at whatever door: nobody is
// signed in at the site, no address is proven and nothing that was sent is used up by it.
func TestOT16_WhatWasBegunBeforeAWayWasSwitchedOff(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		for _, one := range begunWays() {
			w.Clock.Advance(time.Minute)
			d.tokens()
			p := d.person(one.has, "")
			finish := one.begin(d, p)
			before := len(d.sessions(p, ""))
			d.ways(otl.Ways{one.way}.Others())
			r := finish()
			if open := d.sessions(p, ""); r.Status != one.status || len(open) != before {
				t.Errorf("%s: %d, %d sessions more\n%s", one.name, r.Status, len(open)-before, r.Raw)
			}
			d.ways(otl.AllWays())
			if !one.again {
				continue
			}
			if r := finish(); r.Status >= 400 || len(d.sessions(p, "")) == before {
				t.Errorf("%s once it is on again: %d %s", one.name, r.Status, r.Raw)
			}
		}
	})
}

// TestOT16_AWayThatIsOffUprootsNobody: a link or a code that the site takes no more proves no
// address, and leaves what was in the account.
func TestOT16_AWayThatIsOffUprootsNobody(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		for i, one := range begunWays() {
			if one.way != otl.WayCode && one.way != otl.WayLink || one.name == "link opened elsewhere before" {
				continue
			}
			w.Clock.Advance(time.Minute)
			d.tokens()
			p := person{User: w.Person(t, fmt.Sprintf("new%d@dev.test", i), w.Notes.Site), b: w.Browser(t)}
			finish := one.begin(d, p)
			d.ways(otl.Ways{one.way}.Others())
			finish()
			u, err := w.Store.Read.Users.ByID(t.Context(), p.ID)
			has, bad := w.Store.Read.Passwords.Has(t.Context(), p.ID)
			if err != nil || bad != nil || !u.EmailVerifiedAt.IsZero() || !has {
				t.Errorf("%s: proven %v, a password %v, %v %v", one.name, u.EmailVerifiedAt, has, err, bad)
			}
			d.ways(otl.AllWays())
		}
	})
}

// TestMF05_AWayThatIsOffIsStillASecondStep on the wire that adds a code to a session: the
// code goes to whoever has one, and opens none by itself (ADR 39).
func TestMF05_AWayThatIsOffIsStillASecondStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		d.tokens()
		for channel, way := range map[string]otl.Way{"sms": otl.WaySMS, "email": otl.WayCode} {
			d.ways(otl.Ways{way}.Others())
			p := d.person(bare, "")
			who := object{"identifier_type": "user_id", "identifier": p.ID}
			send := func() otltest.Reply {
				w.Clock.Advance(time.Minute)
				return d.bearer("/cis/v1/auth/otp/send", d.cis, object{"channel": channel, "identifier_type": "user_id", "identifier": p.ID})
			}
			code := func() string {
				send().Want(t, http.StatusOK)
				shown, _ := d.letter(map[string]string{"sms": p.Phone, "email": p.Email.Address}[channel])
				return shown
			}
			if r := send(); r.Status != http.StatusForbidden || r.Text("error_code") != "auth_login_preferences_missing" {
				t.Errorf("%s to somebody without a session: %d %s", channel, r.Status, r.Raw)
			}
			in := d.bearer("/cis/v1/auth/password/authenticate", d.cis, object{"username": p.Email.Address, "password": otltest.Password}).Want(t, http.StatusOK)
			who["passcode"] = code()
			d.bearer("/cis/v1/auth/otp/authenticate", d.cis, who).Want(t, http.StatusForbidden)
			who["session_id"] = in.Text("session_id")
			d.bearer("/cis/v1/auth/otp/authenticate", d.cis, who).Want(t, http.StatusOK)
			if open := d.sessions(p, w.Notes.Site.ID); len(open) != 1 || open[0].Methods.Factors() != 2 {
				t.Errorf("%s: %v", channel, open)
			}
		}
	})
}
