package signin_test

import (
	"html"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

var (
	byEmail    = []signin.IdentifierType{signin.ByEmail}
	byPhone    = []signin.IdentifierType{signin.ByPhone}
	byUsername = []signin.IdentifierType{signin.ByUsername}
	byID       = []signin.IdentifierType{signin.ByID}
	byName     = []signin.IdentifierType{signin.ByEmail, signin.ByUsername}
	byAny      = []signin.IdentifierType{signin.ByEmail, signin.ByPhone, signin.ByUsername, signin.ByID}
)

type body = map[string]any

// with gives a body with more in it.
func with(b, more body) body {
	for k, v := range more {
		b[k] = v
	}
	return b
}

func nativeDoors() []door {
	types := []signin.IdentifierType{signin.ByEmail, signin.ByPhone, signin.ByID}
	fields := map[signin.IdentifierType]string{signin.ByEmail: "email", signin.ByPhone: "phone", signin.ByID: "user_id"}
	post := func(path string, more body) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Path: "/api/v1" + path, Key: x.handed, Body: with(body{fields[as.by]: as.name}, more)})
		}
	}
	of := func(method, rest string, b any) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Method: method, Path: "/api/v1/users/" + as.UID + rest, Key: x.handed, Body: b})
		}
	}
	const send, back = "/auth/otp/send", "https://notes.test/callback"
	wrong := post("/auth/otp/verify", body{"code": "12345x"})
	return []door{
		{name: "send by mail", by: types, call: post(send, body{"channel": "email"})},
		{name: "send by SMS", by: types, call: post(send, body{"channel": "sms"})},
		{name: "send bound", by: types, call: post(send, body{"generate_request_id": true})},
		{name: "send direct", by: types[:2], apart: []string{"member", "unproven"}, call: post(send, body{"channel": "direct"})}, // a code that is good tells anyway
		{name: "send direct", by: byID, apart: []string{"member", "unproven", "hidden"}, call: post(send, body{"channel": "direct"})},
		{name: "verify without a code", by: types, call: wrong},
		{name: "verify", by: types, first: func(x *doors, as asked) { post(send, nil)(x, as) }, call: wrong},
		{name: "link", by: types, call: post("/auth/link/send", body{"callback_url": back})},
		{name: "forgot", by: byEmail, call: post("/auth/password/forgot", nil)},
		{name: "login", by: byEmail, call: post("/auth/login", body{"password": "wrong-horse-7"})},
		{name: "login with the right password", by: byEmail, apart: []string{"member", "unproven", "hidden", "left", "elsewhere"}, call: post("/auth/login", body{"password": otltest.Password})},
		{name: "register", by: byEmail, apart: append(slices.Clone(theirs), otltest.Nobody), call: post("/auth/register", body{"password": "staple-battery-9", "name": "Nia New"})},
		{name: "list by address", by: byEmail, apart: its, call: func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Path: "/api/v1/users?email=" + url.QueryEscape(as.name), Key: x.handed})
		}},
		{name: "read", by: byID, apart: itsIDs, call: of(http.MethodGet, "", nil)},
		{name: "change", by: byID, apart: itsIDs, call: of(http.MethodPatch, "", body{"name": "Nia New", "version": 1})},
		{name: "give a role", by: byID, apart: itsIDs, call: of(http.MethodPost, "/roles", body{"role": "editor"})},
		{name: "remove", by: byID, apart: itsIDs, call: of(http.MethodDelete, "", nil)},
	}
}

func transmitDoors() []door {
	post := func(path, kind string, more body) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			b := body{kind: as.name}
			if kind == "" {
				b = body{"identifier_type": string(as.by), "identifier": as.name}
			}
			return x.Do(x.t, otltest.Call{Path: "/v1" + path, Bearer: x.transmit, Body: with(b, more)})
		}
	}
	get := func(path string) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Path: "/v1/users" + path + url.PathEscape(as.name), Bearer: x.transmit})
		}
	}
	const send, link, back = "/auth/otp/send", "/auth/link/email/send", "https://notes.test/callback"
	all := []door{
		{name: "send by mail", by: byAny, call: post(send, "", body{"channel": "email"})},
		{name: "send by SMS", by: byAny, call: post(send, "", body{"channel": "sms"})},
		{name: "send direct", by: byAny, call: post(send, "", body{"channel": "direct"})},
		{name: "send to another address", by: byAny, call: post(send, "", body{"channel": "email", "custom_email": "other@dev.test"})},
		{name: "authenticate", by: byAny, call: post("/auth/otp/authenticate", "", body{"passcode": "123456"})},
		{name: "link", by: byAny, call: post(link, "", body{"redirect_uri": back})},
		{name: "link direct", by: byAny, call: post(link, "", body{"redirect_uri": back, "channel": "direct"})},
		{name: "front link", by: byEmail, call: post("/auth/links/email", "email", body{"redirect_uri": back})},
		{name: "front mail", by: byEmail, call: post("/auth/otp/email", "email", body{"redirect_uri": back})},
		{name: "front SMS", by: byPhone, call: post("/auth/otp/sms", "phone_number", body{"redirect_uri": back})},
		{name: "front mail code", by: byEmail, call: post("/auth/otp/email/validation", "email", body{"passcode": "123456"})},
		{name: "front SMS code", by: byPhone, call: post("/auth/otp/sms/validation", "phone_number", body{"passcode": "123456"})},
		{name: "person by address", by: byEmail, call: get("/email/")},
		{name: "person by number", by: byPhone, call: get("/phone-number/")},
		{name: "person by username", by: byUsername, call: get("/username/")},
		{name: "person by identifier", by: byUsername, call: get("/identifier?identifier_name=username&identifier_value=")},
		{name: "person", by: byID, call: get("/")},
	}
	var split []door // an id names one kind more
	for _, d := range all {
		for _, by := range d.by {
			if d.by, d.apart = []signin.IdentifierType{by}, its; by == signin.ByID {
				d.apart = itsIDs
			}
			split = append(split, d)
		}
	}
	password := func(is string) func(x *doors, as asked) otltest.Reply {
		return post("/auth/password/authenticate", "username", body{"password": is})
	}
	return append(split,
		door{name: "password", by: byName, call: password("wrong-horse-7")},
		door{name: "right password", by: byName, apart: []string{"member", "unproven", "hidden", "left", "elsewhere"}, call: password(otltest.Password)},
		door{name: "add", by: byName, apart: append(slices.Clone(theirs), otltest.Nobody), call: func(x *doors, as asked) otltest.Reply {
			return post("/users", string(as.by), nil)(x, as)
		}},
	)
}

func oneloginDoors() []door {
	post := func(path, kind string, more body) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Path: path, Headers: map[string]string{"Authorization": "bearer:" + x.onelogin}, Body: with(body{kind: as.name}, more)})
		}
	}
	login := func(is string) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return post("/api/1/login/auth", "username_or_email", body{"password": is, "subdomain": x.Notes.Site.Slug})(x, as)
		}
	}
	find := func(path string) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Path: path + url.QueryEscape(as.name), Headers: map[string]string{"Authorization": "bearer:" + x.onelogin}})
		}
	}
	// numbered calls about somebody by his number, or by one that stands for nobody.
	numbered := func(method, before, after string, b any) func(x *doors, as asked) otltest.Reply {
		return func(x *doors, as asked) otltest.Reply {
			return x.Do(x.t, otltest.Call{Method: method, Path: before + x.numbers[as.UID] + after, Headers: map[string]string{"Authorization": "bearer:" + x.onelogin}, Body: b})
		}
	}
	gives := func(x *doors, as asked) {
		n := math.MaxInt32
		if as.Kind != otltest.Nobody {
			var err error
			if n, err = (&number.Numbers{Store: x.Store}).Of(x.t.Context(), number.User, as.UID); err != nil {
				x.t.Fatal(err)
			}
		}
		x.numbers[as.UID] = strconv.Itoa(n)
	}
	var byNumber []door
	for _, v := range []string{"/api/1/users/", "/api/2/users/"} {
		byNumber = append(byNumber,
			door{name: "read " + v, call: numbered(http.MethodGet, v, "", nil)},
			door{name: "change " + v, call: numbered(http.MethodPut, v, "", body{"firstname": "Nia"})},
			door{name: "remove " + v, call: numbered(http.MethodDelete, v, "", nil)})
	}
	const v1, v2 = "/api/1/users/", "/api/2/mfa/users/"
	byNumber = append(byNumber,
		door{name: "list by numbers", call: numbered(http.MethodGet, "/api/2/users?user_ids=", "", nil)},
		door{name: "sign out", call: numbered(http.MethodPut, v1, "/logout", nil)},
		door{name: "bar", call: numbered(http.MethodPut, v1, "/set_state", body{"state": 1})},
		door{name: "give a role", call: numbered(http.MethodPut, v1, "/add_roles", body{"role_id_array": []int{1}})},
		door{name: "give a password", call: numbered(http.MethodPut, "/api/1/users/set_password_clear_text/", "", body{"password": "staple-battery-9", "password_confirmation": "staple-battery-9"})},
		door{name: "devices", call: numbered(http.MethodGet, v2, "/devices", nil)},
		door{name: "a prompt", call: numbered(http.MethodPost, v2, "/verifications", body{"device_id": "1"})},
		door{name: "a prompt by the older call", call: numbered(http.MethodPost, v1, "/otp_devices/1/trigger", nil)},
	)
	for i := range byNumber {
		byNumber[i].by, byNumber[i].apart, byNumber[i].first = byID, itsIDs, gives
	}
	return append(byNumber, []door{
		{name: "login", by: byName, call: login("wrong-horse-7")},
		{name: "login with the right password", by: byName, apart: []string{"member", "unproven", "hidden", "left", "elsewhere"}, call: login(otltest.Password)},
		{name: "invite link", by: byEmail, apart: its, call: post("/api/1/invites/get_invite_link", "email", nil)},
		{name: "invitation", by: byEmail, apart: its, call: post("/api/1/invites/send_invite_link", "email", nil)},
		{name: "find by address", by: byEmail, apart: its, call: find("/api/2/users?email=")},
		{name: "find by username", by: byUsername, apart: its, call: find("/api/1/users?username=")},
	}...)
}

// authorize is where Notes sends people to sign in.
func authorize(x *doors) string {
	return "/authorize?" + url.Values{
		"site": {x.Notes.Site.ID}, "redirect_uri": {"https://notes.test/callback"}, "state": {"s"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
}

// forDevice has somebody come who lets a device in, from an address of his own: codes of devices are tried at a low rate.
func forDevice(fields map[string]string) func(x *doors, as asked) (otltest.Page, string, map[string]string) {
	return func(x *doors, as asked) (otltest.Page, string, map[string]string) {
		x.came++
		ctx, b, cookie := from(x.t, "203.0.113."+strconv.Itoa(x.came%250+1)), x.Browser(x.t), signin.NewBrowser()
		devices := signin.Devices{Flows: x.Flows}
		shown, err := devices.Begin(ctx, x.Notes.Site, x.client.ID, "")
		if err != nil {
			x.t.Fatal(err)
		}
		v, err := devices.Enter(ctx, shown.User, cookie, nil)
		if err != nil {
			x.t.Fatal(err)
		}
		x.browsers[as.Username], b.Cookies["__Host-otl_flow"] = b, cookie.Reveal()
		all := map[string]string{"identifier": as.name}
		maps.Copy(all, fields)
		return b.Get("/signin?f=" + v.ID), "/signin", all
	}
}

// byPasskey has a key that nobody knows say whose it is.
func byPasskey(x *doors, as asked) (otltest.Page, string, map[string]string) {
	x.browsers[as.Username] = x.Browser(x.t)
	p := x.browser(as).Get(authorize(x))
	invited := regexp.MustCompile(`data-key="([^"]*)"`).FindSubmatch(p.Raw)
	if invited == nil {
		x.t.Fatalf("no passkey is asked for\n%s", p.Raw)
	}
	key := newPasskey(&folk{holder: holder{User: otl.User{ID: as.UID}}})
	return p, "passkey", map[string]string{"credential": key.signed(x.t, html.UnescapeString(string(invited[1])), 1, true).Reveal()}
}

func pageDoors() []door {
	sent := func(fields map[string]string) func(x *doors, as asked) (otltest.Page, string, map[string]string) {
		return func(x *doors, as asked) (otltest.Page, string, map[string]string) {
			all := map[string]string{"identifier": as.name}
			for k, v := range fields {
				all[k] = v
			}
			x.browsers[as.Username] = x.Browser(x.t) // or whoever was let in before is
			return x.browser(as).Get(authorize(x)), "/signin", all
		}
	}
	// waits has somebody wait for a code, and gives a form of the page on which he does.
	waits := func(way string) func(x *doors, as asked) {
		return func(x *doors, as asked) {
			b := x.browser(as)
			x.pages[as.Username] = b.Submit(b.Get(authorize(x)), "/signin", map[string]string{"identifier": as.name, "way": way})
		}
	}
	there := func(form string, fields map[string]string) func(x *doors, as asked) (otltest.Page, string, map[string]string) {
		return func(x *doors, as asked) (otltest.Page, string, map[string]string) {
			return x.pages[as.Username], form, fields
		}
	}
	wrong := map[string]string{"code": "12345x"}
	return []door{
		{name: "a passkey", by: byID, page: byPasskey},
		{name: "a code by mail for a device", by: byEmail, page: forDevice(map[string]string{"way": "code"})},
		{name: "a code by SMS for a device", by: byEmail, page: forDevice(map[string]string{"way": "sms"})},
		{name: "a password for a device", by: byName, page: forDevice(map[string]string{"password": "wrong-horse-7"})},
		{name: "a code by mail", by: byEmail, page: sent(map[string]string{"way": "code"})},
		{name: "a code by SMS", by: byEmail, page: sent(map[string]string{"way": "sms"})},
		{name: "a password", by: byName, page: sent(map[string]string{"password": "wrong-horse-7"})},
		{name: "the right password", by: byName, apart: []string{"member", "unproven", "hidden", "left", "elsewhere", "barred"}, page: sent(map[string]string{"password": otltest.Password})},
		{name: "a wrong code", by: byEmail, first: waits("code"), page: there("code-form", wrong)},
		{name: "a wrong code by SMS", by: byEmail, first: waits("sms"), page: there("code-form", wrong)},
		{name: "another code", by: byEmail, first: waits("code"), page: there("again", nil)},
		{name: "another code by SMS", by: byEmail, first: waits("sms"), page: there("again", nil)},
		{name: "a forgotten password", by: byEmail, page: func(x *doors, as asked) (otltest.Page, string, map[string]string) {
			return x.browser(as).Get("/forgot"), "/forgot", map[string]string{"email": as.name}
		}},
		{name: "an account", by: byEmail, page: func(x *doors, as asked) (otltest.Page, string, map[string]string) {
			b := x.Browser(x.t)
			x.browsers[as.Username] = b
			p := b.Get("/signup")
			return p, "/signup", map[string]string{"email": as.name, "name": "Nia New", "password": "staple-battery-9"}
		}},
		{name: "another address", by: byEmail, first: func(x *doors, as asked) {
			own := "own-" + as.Email
			x.Person(x.t, own)
			b := x.browser(as)
			b.Submit(b.Get("/account/email"), "/signin", map[string]string{"identifier": own, "password": otltest.Password})
		}, page: func(x *doors, as asked) (otltest.Page, string, map[string]string) {
			return x.browser(as).Get("/account/email"), "address", map[string]string{"email": as.name}
		}},
	}
}
