package node_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// wayIn is a call by which people sign in, or begin to, in one way.
type wayIn struct {
	name    string
	way     otl.Way // "" for what cannot be switched off
	ok      int     // its status where the way is on
	refused string  // status and body, in part, where it is off
	call    func(d *doors, p person) otltest.Reply
}

// waysIn is every call of the wires that signs in or sends what does.
func waysIn() []wayIn {
	native := func(path string, more object) func(*doors, person) otltest.Reply {
		return func(d *doors, p person) otltest.Reply {
			body := object{"email": p.Email.Address}
			if more["user_id"] != nil {
				body = object{"user_id": p.ID}
			}
			for k, v := range more {
				if k != "user_id" {
					body[k] = v
				}
			}
			return d.native(path, body)
		}
	}
	transmit := func(path string, body func(person) object) func(*doors, person) otltest.Reply {
		return func(d *doors, p person) otltest.Reply { return d.bearer("/cis/v1/auth"+path, d.cis, body(p)) }
	}
	to := func(channel string) func(person) object {
		return func(p person) object {
			return object{"channel": channel, "identifier_type": "user_id", "identifier": p.ID}
		}
	}
	front := func(p person) object {
		return object{"email": p.Email.Address, "redirect_uri": "https://notes.test/callback"}
	}
	const off, otp, link, browser = `403 {"detail":"People do not sign in`, `403 {"error_code":"auth_login_preferences_missing"`, `403 {"error_code":"403"`, `400 {"message":["People do not`
	return []wayIn{
		{"native password", otl.WayPassword, 200, off, native("/auth/login", object{"password": otltest.Password})},
		{"native registration", otl.WayPassword, 201, off, func(d *doors, p person) otltest.Reply {
			return d.native("/auth/register", object{"email": "new-" + p.Email.Address, "password": otltest.Password})
		}},
		{"native code", otl.WayCode, 202, off, native("/auth/otp/send", object{})},
		{"native SMS", otl.WaySMS, 202, off, native("/auth/otp/send", object{"user_id": 1, "channel": "sms"})},
		{"native direct", "", 202, "", native("/auth/otp/send", object{"channel": "direct"})},
		{"native link", otl.WayLink, 202, off, native("/auth/link/send", object{"callback_url": "https://notes.test/callback"})},
		{"transmit password", otl.WayPassword, 200, link, transmit("/password/authenticate", func(p person) object {
			return object{"username": p.Email.Address, "password": otltest.Password}
		})},
		{"transmit code", otl.WayCode, 200, otp, transmit("/otp/send", to("email"))},
		{"transmit SMS", otl.WaySMS, 200, otp, transmit("/otp/send", to("sms"))},
		{"transmit direct", "", 200, "", transmit("/otp/send", to("direct"))},
		{"transmit link", otl.WayLink, 200, link, transmit("/link/email/send", front)},
		{"transmit direct link", "", 200, "", transmit("/link/email/send", func(p person) object {
			return object{"email": p.Email.Address, "redirect_uri": "https://notes.test/callback", "channel": "direct"}
		})},
		{"browsers' code", otl.WayCode, 200, browser, transmit("/otp/email", front)},
		{"browsers' SMS", otl.WaySMS, 200, browser, transmit("/otp/sms", func(p person) object {
			return object{"phone_number": p.Phone, "create_new_user": false, "redirect_uri": "https://notes.test/callback"}
		})},
		{"browsers' link", otl.WayLink, 200, browser, transmit("/links/email", front)},
		{"onelogin", otl.WayPassword, 200, `403 {"status":{"error":true,"code":403,"type":"forbidden","message":"People do not sign in`, func(d *doors, p person) otltest.Reply {
			return d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"})
		}},
	}
}

// ways switches all ways of the site off but some.
func (d *doors) ways(on otl.Ways) {
	d.Helper()
	names := on.Strings()
	if _, err := d.w.Sites.Set(d.Context(), d.w.Notes.Site.ID, site.Change{Ways: &names}); err != nil {
		d.Fatal(err)
	}
}

// TestNoDoorTakesAWayThatIsOff generates way × door: what the owner has switched off is
// refused by every wire in its own words, opens and sends nothing, and all else goes on.
func TestNoDoorTakesAWayThatIsOff(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d, n := newDoors(t, otltest.New(t, e)), 0
			d.tokens()
			if _, err := d.w.Sites.Set(t.Context(), d.w.Notes.Site.ID, site.Change{Ways: &[]string{}}); !otl.Is(err, "validation_failed") {
				t.Errorf("a site without any way: %v", err)
			}
			for _, off := range otl.AllWays() {
				d.ways(otl.Ways{off}.Others())
				for _, in := range waysIn() {
					n++
					p := d.person(bare, "")
					r := in.call(d, p)
					switch got := fmt.Sprintf("%d %s", r.Status, r.Raw); {
					case in.way != off:
						if r.Status != in.ok {
							t.Errorf("%s without %s: %s", in.name, off, got)
						}
					case !strings.HasPrefix(got, in.refused):
						t.Errorf("%s: %s, want %s", in.name, got, in.refused)
					case len(d.sessions(p, d.w.Notes.Site.ID)) > 0 || len(d.w.Letters(t, p.Email.Address))+len(d.w.Letters(t, p.Phone)) > 0:
						t.Errorf("%s: it opens or sends something", in.name)
					}
				}
			}
			if n != 80 {
				t.Errorf("%d cells", n)
			}
		})
	}
}

// TestWhatWasSentBeforeAWayWasSwitchedOff opens nothing, and is good again once it is
// switched on. A link where codes are off has none beside it.
func TestWhatWasSentBeforeAWayWasSwitchedOff(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d := newDoors(t, otltest.New(t, e))
			d.tokens()
			for _, in := range waysIn() {
				p := d.person(bare, "")
				var enter func(code string) otltest.Reply
				switch in.name {
				case "native code", "native SMS":
					enter = func(code string) otltest.Reply {
						return d.native("/auth/otp/verify", object{"user_id": p.ID, "code": code})
					}
				case "native link":
					enter = func(code string) otltest.Reply { return d.native("/auth/link/verify", object{"code": code}) }
				case "transmit code", "transmit SMS":
					enter = func(code string) otltest.Reply {
						return d.bearer("/cis/v1/auth/otp/authenticate", d.cis, object{"passcode": code, "identifier_type": "user_id", "identifier": p.ID})
					}
				case "transmit link":
					enter = func(code string) otltest.Reply {
						return d.bearer("/cis/v1/auth/link/email/authenticate", d.cis, object{"code": code})
					}
				default:
					continue
				}
				in.call(d, p).Want(t, in.ok)
				at := p.Email.Address
				if in.way == otl.WaySMS {
					at = p.Phone
				}
				letter := d.w.Letters(t, at)[0]
				code := letter.Code
				if in.way == otl.WayLink {
					code = d.pressed(strings.TrimPrefix(letter.Link, otltest.Issuer))
				}
				d.ways(otl.Ways{in.way}.Others())
				if r := enter(code); r.Status != http.StatusForbidden || len(d.sessions(p, d.w.Notes.Site.ID)) > 0 {
					t.Errorf("%s: %d %s", in.name, r.Status, r.Raw)
				}
				d.ways(otl.AllWays())
				enter(code).Want(t, http.StatusOK)
			}
			d.ways(otl.Ways{otl.WayLink})
			p := d.person(bare, "")
			d.native("/auth/link/send", object{"email": p.Email.Address, "callback_url": "https://notes.test/callback"}).Want(t, http.StatusAccepted)
			if l := d.w.Letters(t, p.Email.Address)[0]; l.Code != "" || l.Link == "" || !strings.Contains(l.Text, "Open the link to sign in") || strings.Contains(l.Text, "code") {
				t.Errorf("%s", l.Text)
			}
		})
	}
}
