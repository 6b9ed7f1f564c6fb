package onelogin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/surface/onelogin"
)

// login proves jane by her password, with changes to the body; nil takes a member away.
func (x *tenant) login(t *testing.T, change object, headers ...string) otltest.Reply {
	t.Helper()
	body := object{"username_or_email": "jane@dev.test", "password": otltest.Password, "subdomain": x.Notes.Site.Slug}
	for k, v := range change {
		body[k] = v
		if v == nil {
			delete(body, k)
		}
	}
	all := map[string]string{"Authorization": "bearer:" + x.bearer}
	for i := 0; i < len(headers); i += 2 {
		all[headers[i]] = headers[i+1]
	}
	return x.Do(t, otltest.Call{Path: "/api/1/login/auth", Body: body, Headers: all})
}

// one gives the single entry of data.
func one(t *testing.T, r otltest.Reply) object {
	t.Helper()
	data := r.Items(t)
	if len(data) != 1 {
		t.Fatalf("%s", r.Raw)
	}
	return data[0]
}

// sessionToken gives a session token of jane.
func (x *tenant) sessionToken(t *testing.T, change object, headers ...string) string {
	t.Helper()
	s, _ := one(t, x.login(t, change, headers...))["session_token"].(string)
	if s == "" {
		t.Fatal("no session token")
	}
	return s
}

// soon is when a session token of now expires, as the wire writes it.
func soon(x *tenant) string {
	return x.Clock.Now().UTC().Add(2*time.Minute).Format("2006/01/02 15:04:05") + " +0000"
}

func ptr[T any](v T) *T { return &v }

var hex40 = regexp.MustCompile(`^[0-9a-f]{40}$`)

const (
	invalidUser = "Authentication Failed: Invalid user credentials"
	onlyAuth    = `{"status":{"error":false,"code":200,"type":"success","message":"Success"},"data":[{"status":"Authenticated","user":{`
)

// TestContract42_1_2_3_4_SessionToken is seed 001, "Flows without MFA": literals, types
// and formats.
func TestContract42_1_2_3_4_SessionToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.login(t, nil).Want(t, http.StatusOK)
		if !strings.HasPrefix(string(r.Raw), onlyAuth) {
			t.Errorf("%s", r.Raw)
		}
		data := one(t, r)
		u, _ := data["user"].(object)
		id, _ := u["id"].(float64)
		if len(data) != 5 || data["status"] != "Authenticated" || data["return_to_url"] != nil || !hex40.MatchString(data["session_token"].(string)) ||
			data["expires_at"] != soon(x) {
			t.Errorf("%s", r.Raw)
		}
		if len(u) != 5 || id < 1 || id != float64(int32(id)) || u["email"] != "jane@dev.test" || u["username"] != "jane@dev.test" || u["firstname"] != "Jane" || u["lastname"] != "Doe" {
			t.Errorf("%v", u)
		}
		again := one(t, x.login(t, object{"return_to_url": "https://elsewhere.test/x", "browser_id": "b", "unknown": object{}, "ip_address": "203.0.113.9"}))
		if again["return_to_url"] != "https://elsewhere.test/x" || again["user"].(object)["id"] != id || again["session_token"] == data["session_token"] {
			t.Errorf("%v", again)
		}
	})
}

// TestDelegatedAuthentication: the password, and a second factor where one is due, is checked and
// nothing opened; the person has joined the site as by any sign-in.
func TestDelegatedAuthentication(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		shopper := x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.login(t, object{"username_or_email": "SHOPPER@dev.test"}).Want(t, http.StatusOK)
		if live, err := x.Store.Read.Sessions.Live(t.Context(), shopper.ID, "", "", x.Clock.Now(), 10); err != nil || len(live) != 0 {
			t.Errorf("%v %v", live, err)
		}
		m, err := x.Accounts.Member(t.Context(), x.Notes.Site.ID, shopper.ID)
		if err != nil || m.Grant.LastLoginAt.IsZero() {
			t.Errorf("%+v %v", m.Grant, err)
		}
		seed := x.app(t, x.jane)
		state, devices := x.due(t)
		done := one(t, x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())}))
		if live, err := x.Store.Read.Sessions.Live(t.Context(), x.jane.ID, "", "", x.Clock.Now(), 10); err != nil || len(live) != 0 || done["session_token"] == nil {
			t.Errorf("with a factor: %v %v", live, err)
		}
	})
}

// TestUsernameAndFields: who signs in with a username is shown it; what else is asked
// for is shown as far as it was granted.
func TestUsernameAndFields(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		if _, err := x.Accounts.Create(t.Context(), account.Creation{
			Email: "ashley@dev.test", Password: secret.NewText(otltest.Password), Site: &x.Notes.Site,
			Profile: account.Profile{Username: ptr("Ashley.Akua"), Name: ptr("Ashley Maria Akua"), Phone: ptr("+491705550100"), Locale: ptr("de")},
			Fields:  otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldLocale},
		}); err != nil {
			t.Fatal(err)
		}
		u := one(t, x.login(t, object{"username_or_email": "ashley.akua", "fields": "locale_code, phone,nothing,created_at"}))["user"].(object)
		if len(u) != 8 || u["username"] != "Ashley.Akua" || u["firstname"] != "Ashley" || u["lastname"] != "Maria Akua" || u["locale_code"] != "de" || u["phone"] != nil || u["created_at"] == nil {
			t.Errorf("%v", u)
		}
		if u := one(t, x.login(t, object{"username_or_email": "ashley@dev.test"}))["user"].(object); u["username"] != "ashley@dev.test" {
			t.Errorf("a username that was not granted: %v", u)
		}
	})
}

// TestContract42_7_8_ErrorsOfLogin holds them to their literals; a body that is empty or
// wrong counts no failure.
func TestContract42_7_8_ErrorsOfLogin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const bad = "bad request"
		auth := map[string]string{"Authorization": "bearer " + x.bearer}
		for range 20 {
			failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/1/login/auth", Body: "", Headers: auth}), http.StatusBadRequest, bad, "Input JSON is not valid")
		}
		for _, body := range []string{"[]", "null", `"x"`, "{", `{"username_or_email":"a\u0000"}`, "\ufeff{}", "{} x"} {
			failed(t, x.Do(t, otltest.Call{Path: "/api/1/login/auth", Body: body, Headers: auth}), http.StatusBadRequest, bad, "Input JSON is not valid")
		}
		attribute := func(r otltest.Reply, name string) {
			t.Helper()
			if r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != name || r.Text("status", "message", "description") == "" || r.Text("status", "type") != bad {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
		attribute(x.login(t, object{"username_or_email": nil}), "username_or_email")
		attribute(x.login(t, object{"username_or_email": ""}), "username_or_email")
		attribute(x.login(t, object{"username_or_email": 7}), "username_or_email")
		attribute(x.login(t, object{"password": nil}), "password")
		attribute(x.login(t, object{"subdomain": nil}), "subdomain")
		attribute(x.login(t, object{"subdomain": 7}), "subdomain")
		attribute(x.login(t, nil, "Custom-Allowed-Origin-Header-1", "https://a.test/path"), "Custom-Allowed-Origin-Header-1")
		attribute(x.login(t, nil, "Custom-Allowed-Origin-Header-2", "null"), "Custom-Allowed-Origin-Header-2")
		attribute(x.login(t, nil, "Custom-Allowed-Origin-Header-1", "*"), "Custom-Allowed-Origin-Header-1")
		good := x.bearer
		x.bearer = "x"
		failed(t, x.login(t, nil), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Notes, otl.ScopeUsers)).Text("access_token")
		failed(t, x.login(t, nil), http.StatusUnauthorized, unauthorized, "Insufficient Permission")
		x.bearer = good
		failed(t, x.Do(t, otltest.Call{Path: "/api/1/login/auth", Headers: auth}), http.StatusNotFound, "not found", "No Route Exists")
		x.login(t, nil).Want(t, http.StatusOK)
	}, func(o *node.Options) { o.Limits = true })
}

// TestContract42_8_StatusesThatJavaReads: whatever a rule refuses has a status that the Java SDK has an error for; it takes others for
// a connection that broke. Too many calls are 429 all the same, and what is wrong with the server a status above 499.
func TestContract42_8_StatusesThatJavaReads(t *testing.T) {
	t.Parallel()
	for kind := otl.Malformed; kind <= otl.Unavailable; kind++ {
		for _, path := range []string{"/api/1/users", "/api/2/users", "/auth/oauth2/v2/token"} {
			w := httptest.NewRecorder()
			onelogin.Fail(w, httptest.NewRequest(http.MethodPost, path, nil), &otl.Error{Kind: kind, Code: "refused", Text: "No."})
			switch w.Code {
			case 400, 401, 403, 404, 422:
			case 429:
				if kind != otl.Limited {
					t.Errorf("%d at %s: %d", kind, path, w.Code)
				}
			default:
				if kind != otl.Unavailable || w.Code < 500 {
					t.Errorf("%d at %s: %d", kind, path, w.Code)
				}
			}
		}
	}
}

// TestPW09_WhoCannotSignIn: unknown, disabled, without a password, wrong, locked: one
// answer, and the same work, which is one hash.
func TestPW09_WhoCannotSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		off := x.Person(t, "off@dev.test", x.Notes.Site)
		if err := x.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Accounts.Create(t.Context(), account.Creation{Email: "codes@dev.test", Site: &x.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]object{
			"unknown": {"username_or_email": "nobody@dev.test"}, "unknown name": {"username_or_email": "nobody"}, "disabled": {"username_or_email": "off@dev.test"},
			"without a password": {"username_or_email": "codes@dev.test"}, "wrong": {"password": "wrong-horse-7"},
		} {
			r, before := x.login(t, change), x.SignIn.Hasher.Pool.Stats().Done
			failed(t, r, http.StatusUnauthorized, unauthorized, invalidUser)
			if again := x.login(t, change); string(again.Raw) != string(r.Raw) || fmt.Sprint(again.Header["Content-Type"], again.Header["Cache-Control"]) != fmt.Sprint(r.Header["Content-Type"], r.Header["Cache-Control"]) {
				t.Errorf("%s: %s", name, again.Raw)
			}
			if n := x.SignIn.Hasher.Pool.Stats().Done - before; n != 1 {
				t.Errorf("%s: %d hashes, want 1", name, n)
			}
		}
		failed(t, x.login(t, object{"username_or_email": "not @ a name"}), http.StatusUnauthorized, unauthorized, invalidUser)
		x.Clock.Advance(time.Minute)
		x.lock(t, limit.Person(x.jane.ID, ""), 98)
		r := x.login(t, nil)
		failed(t, r, http.StatusUnauthorized, unauthorized, invalidUser)
		if r.Header.Get("Retry-After") == "" {
			t.Error("a locked person: no Retry-After")
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestSubdomains is contract 5 B5: by body and by host, strict and lenient.
func TestSubdomains(t *testing.T) {
	t.Parallel()
	refusedSubdomain := func(t *testing.T, r otltest.Reply) {
		t.Helper()
		if r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != "subdomain" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	}
	each(t, func(t *testing.T, x *tenant) { // two sites: strict
		x.login(t, object{"subdomain": strings.ToUpper(x.Notes.Site.Slug)}).Want(t, http.StatusOK)
		for _, other := range []string{x.Shop.Site.Slug, "127", ""} {
			refusedSubdomain(t, x.login(t, object{"subdomain": other}))
		}
		host := func(h string) otltest.Reply { return x.login(t, object{}, "Host", h) }
		for _, h := range []string{"notes.id.test", "NOTES.id.test:8443", "api.us.id.test", "api.id.test", "id.test", "shop.elsewhere.test"} {
			host(h).Want(t, http.StatusOK)
		}
		refusedSubdomain(t, host("shop.id.test"))
		for _, path := range []string{"/api/1/login/verify_factor", "/api/1/verify_factor", "/api/1/invites/get_invite_link"} {
			refusedSubdomain(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: object{}, Headers: map[string]string{"Authorization": "bearer:" + x.bearer, "Host": "shop.id.test"}}))
		}
	})
	each(t, func(t *testing.T, x *tenant) {
		if _, err := (site.Operator{Sites: x.Sites}).TurnOff(t.Context(), x.Shop.Site.ID); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{"127", x.Shop.Site.Slug} { // with one site: lenient
			x.login(t, object{"subdomain": given}).Want(t, http.StatusOK)
		}
		x.Register(t, site.Registration{Name: "Second"})
		refusedSubdomain(t, x.login(t, object{"subdomain": "127"}))
		x.login(t, nil).Want(t, http.StatusOK)
	})
	strict, lenient := true, false
	each(t, func(t *testing.T, x *tenant) {
		x.login(t, object{"subdomain": "127"}).Want(t, http.StatusOK)
		x.login(t, object{"subdomain": x.Shop.Site.Slug}).Want(t, http.StatusOK)
		for _, none := range []any{"", nil} { // any value is taken, and it is required
			refusedSubdomain(t, x.login(t, object{"subdomain": none}))
		}
	}, func(o *node.Options) { o.StrictSubdomain = &lenient })
	each(t, func(t *testing.T, x *tenant) {
		refusedSubdomain(t, x.login(t, object{"subdomain": "127"}))
	}, func(o *node.Options) { o.StrictSubdomain = &strict })
}

// TestHostInPath serves the wire below a host's name for clients that can be pointed
// nowhere else, where that is switched on.
func TestHostInPath(t *testing.T) {
	t.Parallel()
	call := func(t *testing.T, x *tenant) otltest.Reply {
		return x.token(t, "/notes.onelogin.com/auth/oauth2/v2/token/", x.client)
	}
	each(t, func(t *testing.T, x *tenant) { call(t, x).Want(t, http.StatusNotFound) })
	each(t, func(t *testing.T, x *tenant) {
		call(t, x).Want(t, http.StatusOK)
		x.Do(t, otltest.Call{Path: "/docs"}).Want(t, http.StatusOK)
	}, func(o *node.Options) { o.HostInPath = true })
}
