package onelogin_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// call sends a request as the client.
func (x *tenant) call(t *testing.T, method, path string, body any) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{Method: method, Path: path, Body: body, Headers: map[string]string{"Authorization": "bearer:" + x.bearer}})
}

// id gives the number of a person who signs in.
func (x *tenant) id(t *testing.T, email string) string {
	t.Helper()
	step := one(t, x.login(t, object{"username_or_email": email}))
	return fmt.Sprint(step["user"].(object)["id"])
}

// made creates a person of the site's own and gives his number.
func (x *tenant) made(t *testing.T, more object) string {
	t.Helper()
	body := object{"email": "own@dev.test", "firstname": "Olga", "lastname": "Own"}
	for k, v := range more {
		body[k] = v
	}
	return fmt.Sprint(one(t, x.call(t, http.MethodPost, "/api/1/users", body))["id"])
}

// everyMember are the members of a person that clients of this wire know (contract 2.14).
const everyMember = `id external_id email username firstname lastname distinguished_name phone company department title status state member_of samaccountname
	userprincipalname group_id role_id role_ids custom_attributes openid_name locale_code comment directory_id manager_ad_id trusted_idp_id manager_user_id
	activated_at created_at updated_at password_changed_at invalid_login_attempts invitation_sent_at last_login locked_until`

// TestUsers: list, get, create, update and let go, in both versions.
func TestUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.call(t, http.MethodPost, "/api/2/users", object{"email": "v2@dev.test", "username": "v.two", "firstname": "Vera", "lastname": "Two Three", "phone": phone, "external_id": "e-1", "company": nil, "invitation_sent_at": "0001-01-01T00:00:00Z"}).Want(t, http.StatusCreated)
		id := fmt.Sprint(r.JSON["id"])
		if r.Text("email") != "v2@dev.test" || r.Text("username") != "v.two" || r.Text("firstname") != "Vera" || r.Text("lastname") != "Two Three" || r.Text("phone") != phone || r.Text("external_id") != "e-1" ||
			r.JSON["status"] != 1.0 || r.JSON["state"] != 1.0 || r.JSON["created_at"] == nil || r.JSON["last_login"] != nil || fmt.Sprint(r.JSON["role_ids"]) != "[]" {
			t.Errorf("%s", r.Raw)
		}
		for _, name := range strings.Fields(everyMember) {
			if _, there := r.JSON[name]; !there {
				t.Errorf("no %s: %s", name, r.Raw)
			}
		}
		if got := x.call(t, http.MethodGet, "/api/2/users/"+id, nil).Want(t, http.StatusOK); string(got.Raw) != string(r.Raw) {
			t.Errorf("%s, made as %s", got.Raw, r.Raw)
		}
		if got := one(t, x.call(t, http.MethodGet, "/api/1/users/"+id+"/", nil)); fmt.Sprint(got["id"]) != id {
			t.Errorf("%v", got)
		}
		r = x.call(t, http.MethodPut, "/api/2/users/"+id, object{"lastname": "Four", "locale_code": "de"}).Want(t, http.StatusOK)
		if r.Text("firstname") != "Vera" || r.Text("lastname") != "Four" || r.Text("locale_code") != "de" || r.Text("phone") != phone {
			t.Errorf("%s", r.Raw)
		}
		if got := one(t, x.call(t, http.MethodPut, "/api/1/users/"+id, object{"firstname": "Vero"})); got["firstname"] != "Vero" || got["lastname"] != "Four" {
			t.Errorf("%v", got)
		}
		all := x.call(t, http.MethodGet, "/api/2/users/"+id, nil).JSON
		all["firstname"] = "Vera"
		if r := x.call(t, http.MethodPut, "/api/2/users/"+id, all).Want(t, http.StatusOK); r.Text("firstname") != "Vera" || r.Text("lastname") != "Four" {
			t.Errorf("%s", r.Raw)
		}
		all["created_at"] = "2020-01-01T00:00:00.000Z"
		x.call(t, http.MethodPut, "/api/2/users/"+id, all).Want(t, http.StatusBadRequest)
		if u := x.call(t, http.MethodPost, "/api/2/users", object{"email": "same@dev.test", "username": "Same@dev.test"}).Want(t, http.StatusCreated); u.Text("username") != "same@dev.test" {
			t.Errorf("%s", u.Raw)
		}
		// Who signs in with a password of the site's own choice.
		own := x.made(t, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"})
		if got := one(t, x.login(t, object{"username_or_email": "own@dev.test", "password": "staple-battery-8"})); fmt.Sprint(got["user"].(object)["id"]) != own {
			t.Errorf("%v", got)
		}
		x.call(t, http.MethodDelete, "/api/2/users/"+id, nil).Want(t, http.StatusNoContent)
		x.call(t, http.MethodDelete, "/api/1/users/"+own, nil).Want(t, http.StatusOK)
		for _, gone := range []string{id, own} {
			failed(t, x.call(t, http.MethodGet, "/api/1/users/"+gone, nil), http.StatusNotFound, "not found", "User does not exist")
			if r := x.call(t, http.MethodGet, "/api/2/users/"+gone, nil); r.Status != http.StatusNotFound || r.Text("name") != "NotFoundError" {
				t.Errorf("%s", r.Raw)
			}
		}
		for _, path := range []string{"/api/1/users/custom_attributes", "/api/2/users/custom_attributes", "/api/1/users/" + x.id(t, "jane@dev.test") + "/apps"} {
			x.call(t, http.MethodGet, path, nil).Want(t, http.StatusOK)
		}
	})
}

// TestUsersAreRefused: members that are not kept, filters that are not known, people who
// are known in the network already, and everything that is wrong.
func TestUsersAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		failed(t, x.call(t, http.MethodPost, "/api/1/users", object{"email": "a@dev.test", "nickname": "x"}), http.StatusBadRequest, "bad request", "unknown attribute: nickname")
		if r := x.call(t, http.MethodPost, "/api/2/users", object{"email": "a@dev.test", "nickname": "x"}); strings.TrimSpace(string(r.Raw)) != `{"statusCode":400,"name":"BadRequestError","message":"unknown attribute: nickname"}` {
			t.Errorf("%s", r.Raw)
		}
		for _, bad := range []object{{"email": "no address"}, {"email": "jane@dev.test"}, {"email": 7}, {"email": "b@dev.test", "password": "staple-battery-8"}, {"email": "b@dev.test", "password": "short", "password_confirmation": "short"}, {}} {
			if r := x.call(t, http.MethodPost, "/api/2/users", bad); r.Status != http.StatusUnprocessableEntity || r.Text("field") == "" {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		id := x.id(t, "jane@dev.test")
		for path, want := range map[string]int{
			"/api/1/users?department=x": 400, "/api/1/users?limit=0": 400, "/api/1/users?page=x": 400, "/api/1/users?after_cursor=!": 400, "/api/1/users/seven": 400, "/api/1/users/99999": 404, "/api/1/users/-1": 404,
		} {
			if r := x.call(t, http.MethodGet, path, nil); r.Status != want {
				t.Errorf("%s: %d %s", path, r.Status, r.Raw)
			}
		}
		if r := x.call(t, http.MethodPut, "/api/1/users/"+id, object{"phone": phone}); r.Status != http.StatusForbidden {
			t.Errorf("a field that was not granted: %d %s", r.Status, r.Raw)
		}
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Notes, otl.ScopeAuth)).Text("access_token")
		failed(t, x.call(t, http.MethodGet, "/api/1/users", nil), http.StatusUnauthorized, unauthorized, "Insufficient Permission")
	})
}

// TestContract214_PeopleAreAskedFor by what the SDKs ask for them by: whoever does not fit is not there, and
// of whoever is only what was asked for.
func TestContract214_PeopleAreAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Clock.Advance(24 * time.Hour)
		early := x.Clock.Now()
		x.Clock.Advance(24 * time.Hour)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.client).Text("access_token")
		made := one(t, x.call(t, http.MethodPost, "/api/1/users", object{"email": "own@dev.test", "firstname": "Ashley", "lastname": "Maria Akua", "external_id": "7"}))
		own, jane := fmt.Sprint(made["id"]), x.id(t, "jane@dev.test")
		day, at := early.Format(time.DateOnly), url.QueryEscape(early.Format(time.RFC3339))
		for query, want := range map[string]string{
			"": jane + " " + own, "firstname=ashley": own, "firstname=Ash": "", "firstname=Ashley Maria": own, "lastname=akua": own, "lastname=Maria Akua": own, "lastname=kua": "", "lastname=Ashley": "",
			"email=own@dev.test&firstname=Jane": "", "created_since=" + at: own, "created_until=" + day: jane, "updated_since=" + day: own, "last_login_since=" + day: jane, "last_login_until=" + at: "",
			"since=" + at: own, "until=" + day: jane, "id=" + own: own, "app_id=1": "", "app_id=1&id=" + own: "", "role_id=1": "", "sort=-id": own + " " + jane, "sort=+created_at": jane + " " + own, "sort=-created_at&limit=1": own,
			"email=own*": own, "email=*@dev.test": jane + " " + own, "email=*n@dev*": own, "email=": "", "username=own@dev.test": own, "username=OWN*": own, "username=": "", "firstname=Ash*": own, "external_id=*": own, "directory_id=1": "", "samaccountname=x": "",
			"user_ids=" + own + ", 99999": own, "user_ids=99999": "", "user_ids=99999&user_ids=" + own: own, "firstname=Ashley" + conditions(9): "", "user_ids=" + jane + "," + own + "&limit=1": jane,
		} {
			r := x.call(t, http.MethodGet, "/api/2/users?"+strings.ReplaceAll(query, " ", "%20"), nil).Want(t, http.StatusOK)
			var found []object
			if err := json.Unmarshal(r.Raw, &found); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, u := range found {
				ids = append(ids, fmt.Sprint(u["id"]))
			}
			if got := strings.Join(ids, " "); got != want {
				t.Errorf("%q: %q, not %q", query, got, want)
			}
		}
		if r := x.call(t, http.MethodGet, "/api/2/users?user_ids="+own+"&fields=email,%20state,nothing", nil); strings.TrimSpace(string(r.Raw)) != `[{"email":"own@dev.test","id":`+own+`,"state":1}]` {
			t.Errorf("%s", r.Raw)
		}
		for _, bad := range []string{"created_since=x", "until=x", "user_ids=", "user_ids=a", "user_ids=" + strings.Repeat("1,", 201), "id=1&user_ids=1", "email=a&email=b", "role_ids=" + strings.Repeat("1,", 21), "firstname=a" + conditions(10), "role_id=1&role_ids=1", "sort=email", "role_id=x", "lastname=A*", "firstname=*a", "email=a*b", "external_id=7*"} {
			if r := x.call(t, http.MethodGet, "/api/2/users?"+bad, nil); r.Status != http.StatusUnprocessableEntity || r.Text("field") == "" {
				t.Errorf("%s: %d %s", bad, r.Status, r.Raw)
			}
		}
		for _, unknown := range []string{"created", "first_login", "custom_attributes.", "custom_attributes.{attribute_name}", "app_name"} {
			r := x.call(t, http.MethodGet, "/api/2/users?"+url.QueryEscape(unknown)+"=2026-01-02", nil)
			if want := `{"statusCode":400,"name":"BadRequestError","message":"query parameter(s) not allowed: ` + unknown + `"}`; strings.TrimSpace(string(r.Raw)) != want {
				t.Errorf("%s", r.Raw)
			}
		}
		if r := x.call(t, http.MethodGet, "/api/1/roles", nil); !strings.Contains(string(r.Raw), `"pagination":{"before_cursor":null,"after_cursor":null,"previous_link":null,"next_link":null},"data":[`) {
			t.Errorf("%s", r.Raw)
		}
	})
}

// conditions gives so many conditions.
func conditions(n int) (query string) {
	for i := range n {
		query += fmt.Sprintf("&custom_attributes.n%d=x", i)
	}
	return query
}

// TestContract43_JavaReadsCursors: the vendor's Java SDK finds them by names in lower case alone, as they
// stand in the answer.
func TestContract43_JavaReadsCursors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.made(t, nil)
		for page, name := range map[string]string{"1": "after-cursor", "2": "before-cursor"} {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(x.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "GET /api/2/users?limit=1&page=%s HTTP/1.1\r\nHost: id.test\r\nAuthorization: bearer %s\r\nConnection: close\r\n\r\n", page, x.bearer); err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(conn)
			if err != nil || !strings.Contains(string(raw), "\r\n"+name+": ") {
				t.Errorf("%v no %s in\n%s", err, name, raw)
			}
		}
	})
}

// TestTE01_ForeignPeopleAreUnknown: whoever has not joined the site is as unknown as
// nobody, at every call.
func TestTE01_ForeignPeopleAreUnknown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		mine := x.bearer
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Shop)).Text("access_token")
		theirs := x.id2(t, "shopper@dev.test", x.Shop.Site.Slug)
		x.bearer = mine
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/api/1/users/%s", nil},
			{"PUT", "/api/1/users/%s", object{"firstname": "x"}},
			{"DELETE", "/api/1/users/%s", nil},
			{"GET", "/api/2/users/%s", nil},
			{"PUT", "/api/1/users/%s/logout", nil},
			{"GET", "/api/1/users/%s/roles", nil},
			{"PUT", "/api/1/users/%s/add_roles", object{"role_id_array": []int{1}}},
			{"PUT", "/api/1/users/%s/set_state", object{"state": 2}},
			{"PUT", "/api/1/users/set_password_clear_text/%s", object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"}},
			{"GET", "/api/1/users/%s/otp_devices", nil},
			{"GET", "/api/2/mfa/users/%s/devices", nil},
			{"POST", "/api/2/mfa/users/%s/registrations", object{"factor_id": 1}},
			{"DELETE", "/api/2/mfa/users/%s/devices/1", nil},
		} {
			a, b := x.call(t, c.method, fmt.Sprintf(c.path, theirs), c.body), x.call(t, c.method, fmt.Sprintf(c.path, "99999"), c.body)
			if string(a.Raw) != string(b.Raw) || a.Status != b.Status || a.Status < 400 {
				t.Errorf("%s %s: %d %s, nobody: %d %s", c.method, c.path, a.Status, a.Raw, b.Status, b.Raw)
			}
		}
		failed(t, x.call(t, http.MethodPost, "/api/1/invites/get_invite_link", object{"email": "shopper@dev.test"}), http.StatusBadRequest, "bad request", "No User exists for input email")
	})
}

// id2 is id at a site of another subdomain.
func (x *tenant) id2(t *testing.T, email, subdomain string) string {
	t.Helper()
	return fmt.Sprint(one(t, x.login(t, object{"username_or_email": email, "subdomain": subdomain}))["user"].(object)["id"])
}

// TestPaging: fifty a page in version 1, with a cursor; version 2 tells in headers, and
// its cursor is a query in base64.
func TestPaging(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for i := range 54 {
			x.Person(t, fmt.Sprintf("p%d@dev.test", i), x.Notes.Site)
		}
		seen := map[any]bool{}
		path, pages := "/api/1/users", 0
		for path != "" {
			r := x.call(t, http.MethodGet, path, nil)
			for _, u := range r.Items(t) {
				seen[u["id"]] = true
			}
			p := r.JSON["pagination"].(object)
			if len(p) != 4 {
				t.Fatalf("%v", p)
			}
			path = ""
			if next, _ := p["after_cursor"].(string); next != "" {
				path = "/api/1/users?after_cursor=" + url.QueryEscape(next)
				if p["next_link"] != otltest.Issuer+path {
					t.Errorf("%v", p)
				}
			}
			pages++
		}
		if len(seen) != 55 || pages != 2 {
			t.Errorf("%d people on %d pages", len(seen), pages)
		}
		r := x.call(t, http.MethodGet, "/api/2/users?limit=10&page=2", nil).Want(t, http.StatusOK)
		h := r.Header
		if h.Get("Current-Page") != "2" || h.Get("Page-Items") != "10" || h.Get("Total-Count") != "55" || h.Get("Total-Pages") != "6" || r.Raw[0] != '[' {
			t.Errorf("%v", h)
		}
		for rel, cursor := range map[string]string{"prev": h.Get("Before-Cursor"), "next": h.Get("After-Cursor")} {
			if link := "<" + otltest.Issuer + "/api/2/users?after_cursor=" + url.QueryEscape(cursor) + `>; rel="` + rel + `"`; cursor == "" || !strings.Contains(h.Get("Link"), link) {
				t.Errorf("no %s: %v", link, h)
			}
		}
		raw, err := base64.StdEncoding.DecodeString(h.Get("After-Cursor"))
		if q, bad := url.ParseQuery(string(raw)); err != nil || bad != nil || q.Get("limit") != "10" || q.Get("page") != "3" {
			t.Errorf("%q %v", raw, err)
		}
		a := x.call(t, http.MethodGet, "/api/2/users?"+string(raw), nil)
		b := x.call(t, http.MethodGet, "/api/2/users?cursor="+url.QueryEscape(h.Get("After-Cursor")), nil)
		if string(a.Raw) != string(b.Raw) || a.Header.Get("Current-Page") != "3" {
			t.Errorf("%s %s", a.Raw, b.Raw)
		}
		if found := x.call(t, http.MethodGet, "/api/1/users?email=P7@dev.test", nil).Items(t); len(found) != 1 || found[0]["email"] != "p7@dev.test" {
			t.Errorf("%v", found)
		}
	})
}

// TestD1_WhoIsNoSitesOwn: of a person who has joined another site, or has proven an
// address, nothing that he signs in with can be set, and no link handed out.
func TestD1_WhoIsNoSitesOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own := x.made(t, nil)
		proven, err := x.Accounts.Create(t.Context(), account.Creation{Email: "proven@dev.test", Password: secret.NewText(otltest.Password), Site: &x.Notes.Site, Verified: true})
		if err != nil {
			t.Fatal(err)
		}
		_ = proven
		people := map[string]string{"registered elsewhere": x.id(t, "jane@dev.test"), "proven": x.id(t, "proven@dev.test")}
		calls := func(id string) []otltest.Reply {
			return []otltest.Reply{
				x.call(t, http.MethodPut, "/api/1/users/set_password_clear_text/"+id, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"}),
				x.call(t, http.MethodPost, "/api/1/users/"+id+"/otp_devices", object{"factor_id": 2, "display_name": "x", "number": phone}),
			}
		}
		for who, id := range people {
			for i, r := range calls(id) {
				failed(t, r, http.StatusForbidden, "forbidden", "user is not authorized to access this User")
				if t.Failed() {
					t.Fatal(who, i)
				}
			}
			r := x.call(t, http.MethodPost, "/api/2/mfa/users/"+id+"/registrations", object{"factor_id": 1, "display_name": "x"})
			if r.Status != http.StatusForbidden || r.Text("name") != "ForbiddenError" {
				t.Errorf("%s: %s", who, r.Raw)
			}
		}
		for _, email := range []string{"jane@dev.test", "proven@dev.test"} {
			for _, call := range []string{"get_invite_link", "send_invite_link"} {
				failed(t, x.call(t, http.MethodPost, "/api/1/invites/"+call, object{"email": email}), http.StatusForbidden, "forbidden", "user is not authorized to access this User")
			}
		}
		for _, r := range calls(own) {
			r.Want(t, http.StatusOK)
		}
	})
}

// TestD1_AnInviteLinkProvesNothing: a person of the site's own chooses a password with
// it, once; his address is as unproven as before, and its first proof takes the password
// away again (OT-16).
func TestD1_AnInviteLinkProvesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.made(t, nil)
		const bad = "bad request"
		get := func(body object) otltest.Reply {
			return x.call(t, http.MethodPost, "/api/1/invites/get_invite_link", body)
		}
		failed(t, get(object{}), http.StatusBadRequest, bad, "Email Parameter is missing")
		failed(t, get(object{"email": "nonsense"}), http.StatusBadRequest, bad, "Email Input is in incorrect format")
		failed(t, get(object{"email": "nobody@dev.test"}), http.StatusBadRequest, bad, "No User exists for input email")
		first := get(object{"email": "OWN@dev.test"})
		r := get(object{"email": "own@dev.test"}).Want(t, http.StatusOK)
		links, _ := r.JSON["data"].([]any)
		if len(links) != 1 || !strings.HasPrefix(fmt.Sprint(links[0]), otltest.Issuer+"/password/reset?token=") {
			t.Fatalf("%s", r.Raw)
		}
		token := strings.TrimPrefix(links[0].(string), otltest.Issuer+"/password/reset?token=")
		if !hex40.MatchString(token) {
			t.Error(token)
		}
		if r := x.Do(t, otltest.Call{Path: "/password/reset?token=" + token}); r.Status != http.StatusSeeOther || r.Header.Get("Location") != "/reset/"+token {
			t.Errorf("%d %v", r.Status, r.Header)
		}
		reset := func(token string) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/api/v1/auth/password/reset", Key: x.Notes.Key, Body: object{"token": token, "password": "staple-battery-8"}})
		}
		old := strings.TrimPrefix(first.JSON["data"].([]any)[0].(string), otltest.Issuer+"/password/reset?token=")
		reset(old).Want(t, http.StatusUnauthorized)
		reset(token).Want(t, http.StatusOK)
		reset(token).Want(t, http.StatusUnauthorized)
		x.login(t, object{"username_or_email": "own@dev.test", "password": "staple-battery-8"}).Want(t, http.StatusOK)
		u, err := x.Accounts.Find(t.Context(), "own@dev.test")
		if err != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("the address is proven: %v %v", u.EmailVerifiedAt, err)
		}
		x.Inbox.Empty()
		r = x.call(t, http.MethodPost, "/api/1/invites/send_invite_link", object{"email": "own@dev.test", "personal_email": "private@dev.test"}).Want(t, http.StatusOK)
		if r.Text("status", "message") != "Email sent successfully to private@dev.test" || r.JSON["data"] != nil {
			t.Errorf("%s", r.Raw)
		}
		letters := x.Letters(t, "private@dev.test")
		if len(letters) != 1 {
			t.Fatalf("%v", letters)
		}
		for _, l := range x.Letters(t, "own@dev.test") {
			if regexpToken(l.Text) != "" {
				t.Errorf("the token went to both addresses: %v", l)
			}
		}
		reset(regexpToken(letters[0].Text)).Want(t, http.StatusOK)
		if u, err := x.Accounts.Find(t.Context(), "own@dev.test"); err != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("a mail to another address proved this one: %v %v", u.EmailVerifiedAt, err)
		}
		x.Clock.Advance(1e9 * 60)
		x.call(t, http.MethodPost, "/api/1/invites/send_invite_link", object{"email": "own@dev.test"}).Want(t, http.StatusOK)
		var token2 string
		for _, l := range x.Letters(t, "own@dev.test") {
			token2 += regexpToken(l.Text)
		}
		reset(token2).Want(t, http.StatusOK)
		if u, err := x.Accounts.Find(t.Context(), "own@dev.test"); err != nil || u.EmailVerifiedAt.IsZero() {
			t.Errorf("a mail to this address did not prove it (%v)", err)
		}
		failed(t, get(object{"email": "own@dev.test"}), http.StatusForbidden, "forbidden", "user is not authorized to access this User")
	})
}

// regexpToken finds the token of a mail.
func regexpToken(text string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) {
		if hex40.MatchString(word) {
			return word
		}
	}
	return ""
}

// TestLogoutEndsTheSitesSessions: those at the site, and the browser sessions that its
// session tokens opened; one the person opened at another site stays. The session version rises, so that
// access tokens of both sites are refused at the next call.
func TestLogoutEndsTheSitesSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		shop := x.Login(t, x.Shop, "jane@dev.test")
		notes := x.Login(t, x.Notes, "jane@dev.test")
		x.form(t, x.sessionToken(t, nil), nil)
		me := func(in otltest.Reply) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")})
		}
		version := func() int {
			u, err := x.Store.Read.Users.ByID(t.Context(), x.jane.ID)
			if err != nil {
				t.Fatal(err)
			}
			return u.SessionVersion
		}
		me(shop).Want(t, http.StatusOK)
		me(notes).Want(t, http.StatusOK)
		before := version()
		r := x.call(t, http.MethodPut, "/api/1/users/"+x.id(t, "jane@dev.test")+"/logout", nil).Want(t, http.StatusOK)
		if strings.TrimSpace(string(r.Raw)) != `{"status":{"error":false,"code":200,"type":"success","message":"Success"}}` {
			t.Errorf("%s", r.Raw)
		}
		if live := x.browserSessions(t); len(live) != 0 {
			t.Errorf("%v", live)
		}
		for name, in := range map[string]otltest.Reply{"notes": notes, "shop": shop} {
			if r := me(in); r.Status != http.StatusUnauthorized {
				t.Errorf("an access token of before at %s: %d %s", name, r.Status, r.Raw)
			}
		}
		if v := version(); v != before+1 {
			t.Errorf("session_version went from %d to %d", before, v)
		}
		x.Refresh(t, x.Notes, notes.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		me(x.Refresh(t, x.Shop, shop.Text("refresh_token")).Want(t, http.StatusOK)).Want(t, http.StatusOK)
		attribute := x.call(t, http.MethodPut, "/api/1/users/99999/logout", nil)
		if attribute.Status != http.StatusBadRequest || attribute.Text("status", "message", "attribute") != "id" || attribute.Text("status", "message", "description") != "ID is incorrect" {
			t.Errorf("%s", attribute.Raw)
		}
	})
}

// TestStateAndRoles: who is barred cannot sign in at the site, and can after he is let
// in again; roles are known by numbers.
func TestStateAndRoles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		id := x.id(t, "jane@dev.test")
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/set_state", object{"state": 2}).Want(t, http.StatusOK)
		failed(t, x.login(t, nil), http.StatusUnauthorized, unauthorized, invalidUser)
		if u := one(t, x.call(t, http.MethodGet, "/api/1/users/"+id, nil)); u["status"] != 2.0 || u["state"] != 2.0 {
			t.Errorf("%v", u)
		}
		x.Login(t, x.Shop, "jane@dev.test") // elsewhere he is who he was
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/set_state", object{"state": "1"}).Want(t, http.StatusOK)
		x.login(t, nil).Want(t, http.StatusOK)
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/set_state", object{"state": 4}).Want(t, http.StatusBadRequest)

		for _, name := range []string{"editor", "reader"} {
			x.Do(t, otltest.Call{Path: "/api/v1/roles", Key: x.Notes.Key, Body: object{"name": name}}).Want(t, http.StatusCreated)
		}
		roles := x.call(t, http.MethodGet, "/api/1/roles", nil).Items(t)
		if len(roles) != 2 || roles[0]["name"] != "editor" {
			t.Fatalf("%v", roles)
		}
		both := []any{roles[0]["id"], roles[1]["id"]}
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/add_roles", object{"role_id_array": both}).Want(t, http.StatusOK)
		of := func() string {
			return fmt.Sprint(x.call(t, http.MethodGet, "/api/1/users/"+id+"/roles", nil).JSON["data"])
		}
		if of() != fmt.Sprint([]any{both}) {
			t.Error(of())
		}
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/remove_roles", object{"role_id_array": both[:1]}).Want(t, http.StatusOK)
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/remove_roles", object{"role_id_array": both[:1]}).Want(t, http.StatusOK)
		if of() != fmt.Sprint([]any{both[1:]}) {
			t.Error(of())
		}
		for _, bad := range []object{{}, {"role_id_array": []int{99999}}, {"role_id_array": []any{both[0], 99999}}, {"role_id_array": "x"}} {
			if r := x.call(t, http.MethodPut, "/api/1/users/"+id+"/add_roles", bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		if of() != fmt.Sprint([]any{both[1:]}) {
			t.Errorf("a list with a wrong role was half done: %s", of())
		}
	})
}
