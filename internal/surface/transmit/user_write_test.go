package transmit_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

func (x *tenant) put(t *testing.T, path string, body any) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{Method: http.MethodPut, Path: path, Bearer: x.bearer, Body: body})
}

// user gives a person as the site sees him.
func (x *tenant) user(t *testing.T, id string) object {
	t.Helper()
	return x.Do(t, otltest.Call{Path: "/v1/users/" + id, Bearer: x.bearer}).Want(t, http.StatusOK).JSON["result"].(object)
}

func value(of any) any { m, _ := of.(object); return m["value"] }

func (x *tenant) made(t *testing.T, body object) string {
	t.Helper()
	return x.post(t, "/v1/users", body).Want(t, http.StatusCreated).JSON["result"].(object)["user_id"].(string)
}

// TestUpdatingUsers is PUT /v1/users/{id} (contract 3.9).
func TestUpdatingUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"email": "joe@dev.test", "custom_data": object{"a": 1, "b": object{"c": 2}}, "external_user_id": "1"})
		x.Clock.Advance(time.Second)
		r := x.put(t, "/cis/v1/users/"+joe, object{
			"custom_data": object{"a": nil, "b": 3, "d": "4"}, "name": object{"title": "Dr", "first_name": "Joe"}, "username": "Joe", "phone_number": "+491705550122",
			"picture": "https://x.test/p.png", "language": "fr",
		}).Want(t, http.StatusOK)
		got := r.JSON["result"].(object)
		if fmt.Sprint(got["custom_data"]) != "map[b:3 d:4]" || fmt.Sprint(got["name"]) != "map[first_name:Joe title:Dr]" || got["username"] != "Joe" || value(got["phone_number"]) != "+491705550122" ||
			got["picture"] != "https://x.test/p.png" || got["language"] != "fr" || got["external_user_id"] != "1" || got["updated_at"].(float64) != float64(x.Clock.Now().UnixMilli()) {
			t.Errorf("%s", r.Raw)
		}
		if fmt.Sprint(x.user(t, joe)) != fmt.Sprint(got) {
			t.Errorf("%v, not %v", x.user(t, joe), got)
		}
		failed(t, x.put(t, "/v1/users/"+x.jane.ID, object{"external_user_id": "1"}), http.StatusConflict, `{"message":"A user with this identifier exists already","error_code":409,"ts_error_code":"identifier_already_in_use"}`)
		failed(t, x.put(t, "/v1/users/01HKZ3M5Q8J9X2V7C4B6N1D0FG", object{}), http.StatusNotFound, `{"message":"User not found","error_code":404}`)
		x.put(t, "/v1/users/"+joe, object{}).Want(t, http.StatusOK)
		for _, bad := range []object{
			{"credentials": object{"password": otltest.Password}},
			{"user_id": "x"},
			{"created_at": 1},
			{"status": "Sleeping"},
			{"email": "x"},
			{"language": "!"},
			{"custom_data": 1},
			{"username": "a b", "custom_data": object{"never": "kept"}},
		} {
			if r := x.put(t, "/v1/users/"+joe, bad); r.Status != http.StatusBadRequest || r.JSON["error_code"] != 400.0 {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		if strings.Contains(fmt.Sprint(x.user(t, joe)), "never") {
			t.Error("half of a refused change was made")
		}
		// What another site keeps of the same person is its own.
		x.Login(t, x.Shop, "jane@dev.test")
		x.put(t, "/v1/users/"+x.jane.ID, object{"custom_data": object{"mine": true}}).Want(t, http.StatusOK)
		if m, err := x.Accounts.Member(t.Context(), x.Shop.Site.ID, x.jane.ID); err != nil || m.Record != (otl.Record{}) {
			t.Errorf("%+v %v", m.Record, err)
		}
		// Jane granted neither; nor is her username a site's to set.
		for _, field := range []object{{"picture": "https://x.test/p.png"}, {"username": "jane"}} {
			x.put(t, "/v1/users/"+x.jane.ID, field).Want(t, http.StatusForbidden)
		}
	})
}

// TestSE13_ASuspendedMemberIsLetInNowhereAtTheSite, and everywhere else.
func TestSE13_ASuspendedMemberIsLetInNowhereAtTheSite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		here, there := x.Login(t, x.Notes, "jane@dev.test"), x.Login(t, x.Shop, "jane@dev.test")
		link, _ := x.link(t, nil)
		opened := x.press(t, link)
		code := x.code(t, nil)
		if got := x.put(t, "/v1/users/"+x.jane.ID, object{"status": "Disabled"}).Want(t, http.StatusOK); got.Text("result", "status") != "Disabled" {
			t.Errorf("%s", got.Raw)
		}
		x.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: here.Text("access_token")}).Want(t, http.StatusUnauthorized)
		x.Refresh(t, x.Notes, here.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		x.Refresh(t, x.Shop, there.Text("refresh_token")).Want(t, http.StatusOK)
		x.Login(t, x.Shop, "jane@dev.test")
		x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Notes.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Want(t, http.StatusUnauthorized, "invalid_credentials")
		failed(t, x.post(t, "/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}), http.StatusBadRequest, `{"error_code":"400","message":"Invalid username or password"}`)
		failed(t, x.redeem(t, opened, nil), http.StatusBadRequest, `{"error_code":"400","message":"User not found"}`)
		failed(t, x.verify(t, code, nil), http.StatusBadRequest, `{"error_code":"auth_invalid_credentials","message":"Invalid credentials"}`)
		failed(t, x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}), http.StatusForbidden, `{"error_code":"user_not_active","message":"User is not active"}`)
		// Leaving and coming back is no way in.
		if err := x.Accounts.Leave(t.Context(), x.Notes.Site.ID, x.jane.ID); err != nil {
			t.Fatal(err)
		}
		x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Notes.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Want(t, http.StatusUnauthorized)
	})
	each(t, func(t *testing.T, x *tenant) {
		x.put(t, "/v1/users/"+x.jane.ID, object{"status": "Disabled"}).Want(t, http.StatusOK)
		x.put(t, "/v1/users/"+x.jane.ID, object{"status": "Pending"}).Want(t, http.StatusOK)
		if got := x.user(t, x.jane.ID)["status"]; got != "Pending" {
			t.Error(got)
		}
		x.Clock.Advance(time.Second)
		x.Login(t, x.Notes, "jane@dev.test")
		if got := x.user(t, x.jane.ID)["status"]; got != "Active" {
			t.Error(got)
		}
	})
}

// TestD1_PasswordsOfTheSitesOwnPeople: a site sets the password of somebody it added,
// as long as nobody else knows him and he has proven nothing.
func TestD1_PasswordsOfTheSitesOwnPeople(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"email": "joe@dev.test"})
		path := "/v1/users/" + joe + "/password"
		failed(t, x.put(t, path, object{"password": otltest.Password}), http.StatusConflict, `{"error_code":"auth_password_already_configured","message":"The person has no password yet."}`)
		failed(t, x.post(t, path, object{"password": "short"}), http.StatusBadRequest, `{"error_code":"auth_password_weak","message":"password: must be at least 8 characters"}`)
		failed(t, x.post(t, path, object{}), http.StatusBadRequest, `{"error_code":"system_invalid_input","message":"password: is required"}`)
		failed(t, x.post(t, path, object{"password": otltest.Password, "username": "joe", "force_replace": false}), http.StatusCreated, `{"result":{"message":"Password registered"}}`)
		failed(t, x.post(t, path, object{"password": otltest.Password}), http.StatusConflict, `{"error_code":"auth_password_already_configured","message":"The person has a password already."}`)
		x.post(t, "/v1/auth/password/authenticate", object{"username": "joe", "password": otltest.Password}).Want(t, http.StatusOK)
		failed(t, x.put(t, path, object{"password": "another-horse-9", "force_replace": false}), http.StatusOK, `{"result":{"message":"Password registered"}}`)
		x.post(t, "/v1/auth/password/authenticate", object{"username": "joe@dev.test", "password": "another-horse-9"}).Want(t, http.StatusOK)
		failed(t, x.put(t, "/v1/users/01HKZ3M5Q8J9X2V7C4B6N1D0FG/password", object{"password": otltest.Password}), http.StatusNotFound, `{"error_code":"user_not_found","message":"User not found"}`)

		// Not of the site's making, known elsewhere, or proven: only he himself.
		const no = `{"message":"This person is known to other sites or has proven an address. Only he himself can change that.","error_code":403}`
		failed(t, x.put(t, "/v1/users/"+x.jane.ID+"/password", object{"password": "another-horse-9"}), http.StatusForbidden, no)
		ann := x.made(t, object{"email": "ann@dev.test", "credentials": object{"password": otltest.Password, "force_replace": false}})
		x.Login(t, x.Shop, "ann@dev.test")
		failed(t, x.put(t, "/v1/users/"+ann+"/password", object{"password": "another-horse-9"}), http.StatusForbidden, no)
		x.verify(t, x.code(t, object{"identifier": "joe@dev.test"}), object{"identifier": "joe@dev.test"}).Want(t, http.StatusOK)
		failed(t, x.post(t, path, object{"password": "another-horse-9"}), http.StatusForbidden, no)
	})
}

// TestPeopleWithoutAnAddress are known by a number or a username; the samples of the
// vendor begin so.
func TestPeopleWithoutAnAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		first := x.made(t, object{"phone_number": "+491705550130", "credentials": object{"password": otltest.Password, "force_replace": false}})
		second := x.made(t, object{"username": "second", "credentials": object{"password": otltest.Password, "force_replace": false}})
		if u := x.user(t, first); u["email"] != nil || value(u["phone_number"]) != "+491705550130" {
			t.Errorf("%v", u)
		}
		x.post(t, "/v1/auth/password/authenticate", object{"username": "second", "password": otltest.Password}).Want(t, http.StatusOK)
		x.post(t, "/v1/auth/otp/send", object{"channel": "sms", "identifier_type": "phone_number", "identifier": "+491705550130"}).Want(t, http.StatusOK)
		code := x.Newest(t, "+491705550130").Code
		r := x.post(t, "/v1/auth/otp/authenticate", object{"passcode": code, "identifier_type": "phone_number", "identifier": "+491705550130"}).Want(t, http.StatusOK)
		if id := x.claims(t, r.Text("id_token")); id["sub"] != first || fmt.Sprint(id["amr"]) != "[sms]" {
			t.Errorf("%v", id)
		}
		if got := x.user(t, first)["phone_number"].(object)["phone_number_verified"]; got != true {
			t.Error("the number is not proven")
		}
		// The password went with the first proof (OT-16).
		if has, err := x.Store.Read.Passwords.Has(t.Context(), first); err != nil || has {
			t.Error(has, err)
		}
		failed(t, x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "username", "identifier": "SECOND"}), http.StatusNotFound, `{"error_code":"user_email_address_missing","message":"User email address is missing"}`)
		sent := x.post(t, "/v1/auth/otp/send", object{"channel": "direct", "identifier_type": "username", "identifier": "second"}).Want(t, http.StatusOK)
		x.post(t, "/v1/auth/otp/authenticate", object{"passcode": sent.Text("code"), "identifier_type": "username", "identifier": "second"}).Want(t, http.StatusOK)
		_ = second
	})
}

// TestSearchingUsers is GET /v1/users.
func TestSearchingUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		for i := range 5 {
			x.Clock.Advance(time.Second)
			x.made(t, object{"email": fmt.Sprintf("p%d@dev.test", i), "name": object{"first_name": fmt.Sprintf("Pia %d%%_", i)}, "external_user_id": fmt.Sprint(i), "phone_number": fmt.Sprintf("+49170555014%d", i)})
		}
		find := func(query string) string {
			t.Helper()
			r := x.Do(t, otltest.Call{Path: "/v1/users?" + query, Bearer: x.bearer})
			if r.Status != http.StatusOK {
				return fmt.Sprint(r.Status)
			}
			var all []string
			for _, one := range r.JSON["result"].([]any) {
				name, _, _ := strings.Cut(fmt.Sprint(value(one.(object)["email"])), "@")
				all = append(all, name)
			}
			page := r.JSON["page_info"].(object)
			return fmt.Sprintf("%v of %v %v %v", all, r.JSON["total_count"], page["has_previous_page"], page["has_next_page"])
		}
		for query, want := range map[string]string{
			"":                              "[jane p0 p1 p2 p3 p4] of 6 false false",
			"page_limit=2":                  "[jane p0] of 6 false true",
			"page_limit=2&page_offset=2":    "[p1 p2] of 6 true true",
			"page_limit=2&page_offset=4":    "[p3 p4] of 6 true false",
			"page_offset=9":                 "[] of 6 true false",
			"sort_order=desc&page_limit=2":  "[p4 p3] of 6 false true",
			"search_prefix=p":               "[p0 p1 p2 p3 p4] of 5 false false",
			"search_prefix=%2B491705550142": "[p2] of 1 false false",
			"search_prefix=%25":             "[] of 0 false false",
			"search=" + url.QueryEscape(`email eq "P3@dev.test"`):                                   "[p3] of 1 false false",
			"search=" + url.QueryEscape(`name co "3%_"`):                                            "[p3] of 1 false false",
			"search=" + url.QueryEscape(`not (name pr) or external_user_id eq "1"`):                 "[p1] of 1 false false",
			"search=" + url.QueryEscape(`status eq "Active" and (email sw "p1" or email sw "p2")`):  "[p1 p2] of 2 false false",
			"search=" + url.QueryEscape(fmt.Sprintf(`created_at ge %d`, x.Clock.Now().UnixMilli())): "[p4] of 1 false false",
			"search=" + url.QueryEscape(`email eq "shopper@dev.test"`):                              "[] of 0 false false",
			"search=" + url.QueryEscape(`email eq "x" or`):                                          "400",
			"search=" + url.QueryEscape(`shoe eq 44`):                                               "400",
			"page_limit=5001": "400", "page_limit=0": "400", "page_offset=-1": "400", "sort_field=email": "400", "sort_order=up": "400", "page_limit=x": "400",
		} {
			if got := find(query); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		if r := x.Do(t, otltest.Call{Path: "/v1/users/count?search_prefix=p", Bearer: x.bearer}); strings.TrimSpace(string(r.Raw)) != `{"result":{"user_count":5}}` {
			t.Errorf("%s", r.Raw)
		}
		// Nobody is found by what he did not grant.
		x.Clock.Advance(time.Second)
		phone := "+491705550188"
		if _, err := x.Store.Read.Users.ByID(t.Context(), x.jane.ID); err != nil {
			t.Fatal(err)
		}
		x.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1/users/me", Bearer: x.Login(t, x.Notes, "jane@dev.test").Text("access_token"), Body: object{"phone": phone, "version": 1}})
		if got := find("search=" + url.QueryEscape(`phone_number eq "`+phone+`"`)); got != "[] of 0 false false" {
			t.Error(got)
		}
	})
}

// TestAPasswordThatMustBeReplaced: force_replace, which is so unless the client says
// otherwise, lets nobody in at any door before the person has another password.
func TestAPasswordThatMustBeReplaced(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		joe := x.made(t, object{"email": "joe@dev.test", "credentials": object{"password": otltest.Password}})
		const no = `{"error_code":"403","message":"This password was given to begin with. It lets nobody in before it is replaced."}`
		enter := func(password string) otltest.Reply {
			return x.post(t, "/v1/auth/password/authenticate", object{"username": "joe@dev.test", "password": password})
		}
		login := func(password string) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Notes.Key, Body: object{"email": "joe@dev.test", "password": password}})
		}
		information := func() string { return fmt.Sprint(x.user(t, joe)["password_information"]) }
		at := func(temporary bool) string {
			return fmt.Sprint(map[string]any{"expired": false, "temporary": temporary, "updated_at": float64(x.Clock.Now().UnixMilli())})
		}
		if got := information(); got != at(true) {
			t.Errorf("%s, not %s", got, at(true))
		}
		failed(t, enter(otltest.Password), http.StatusForbidden, no)
		login(otltest.Password).Want(t, http.StatusForbidden, "password_temporary")
		failed(t, enter("wrong-horse-7"), http.StatusBadRequest, `{"error_code":"400","message":"Invalid username or password"}`)
		login("wrong-horse-7").Want(t, http.StatusUnauthorized, "invalid_credentials")
		b := x.Browser(t)
		p := b.Get("/account")
		if p = b.Submit(p, "/signin", map[string]string{"identifier": "joe@dev.test", "password": otltest.Password}); p.Status != http.StatusForbidden || !strings.Contains(string(p.Raw), "given to you to begin with") {
			t.Errorf("%d %s\n%s", p.Status, p.Title, p.Raw)
		}
		if n := len(x.sessions(t, joe)); n != 0 {
			t.Errorf("%d sessions", n)
		}

		// He chooses one of his own by mail.
		x.Do(t, otltest.Call{Path: "/api/v1/auth/password/forgot", Key: x.Notes.Key, Body: object{"email": "joe@dev.test"}}).Want(t, http.StatusAccepted)
		_, token, ok := strings.Cut(x.Newest(t, "joe@dev.test").Link, "/reset/")
		if !ok {
			t.Fatal("no link")
		}
		x.Do(t, otltest.Call{Path: "/api/v1/auth/password/reset", Key: x.Notes.Key, Body: object{"token": token, "password": "own-horse-9-x"}}).Want(t, http.StatusOK)
		login("own-horse-9-x").Want(t, http.StatusOK)
		if got := information(); got != "<nil>" {
			t.Errorf("the site sees the password of somebody who is not its own: %s", got)
		}

		// Or the site that gave it says that it may stay.
		ann := x.made(t, object{"username": "ann"})
		path := "/v1/users/" + ann + "/password"
		x.post(t, path, object{"password": otltest.Password}).Want(t, http.StatusCreated)
		failed(t, x.post(t, "/v1/auth/password/authenticate", object{"username": "ann", "password": otltest.Password}), http.StatusForbidden, no)
		x.put(t, path, object{"password": "another-horse-9"}).Want(t, http.StatusOK)
		failed(t, x.post(t, "/v1/auth/password/authenticate", object{"username": "ann", "password": "another-horse-9"}), http.StatusForbidden, no)
		x.put(t, path, object{"password": "third-horse-9", "force_replace": false}).Want(t, http.StatusOK)
		x.post(t, "/v1/auth/password/authenticate", object{"username": "ann", "password": "third-horse-9"}).Want(t, http.StatusOK)
		if got := fmt.Sprint(x.user(t, ann)["identities"]); got != "[map[auth_type:password]]" {
			t.Error(got)
		}
	})
}

func (x *tenant) sessions(t *testing.T, userID string) []otl.Session {
	t.Helper()
	live, err := x.Store.Read.Sessions.Live(t.Context(), userID, "", "", x.Clock.Now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// TestContract34_OrganisationsAreNotKept: a call that asks for a member of one is refused with the
// field named, and does nothing, wherever the contract has the member (3.4, 3.6, 3.8); one that is no string is
// refused as such, and an empty one is passed over.
func TestContract34_OrganisationsAreNotKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const no = "org_id: is not supported: this server keeps no organisations within a site"
		for path, body := range map[string]object{
			"/v1/auth/links/email":             {"email": "jane@dev.test", "redirect_uri": callback},
			"/v1/auth/otp/email":               {"email": "jane@dev.test", "redirect_uri": callback},
			"/v1/auth/otp/sms":                 {"phone_number": "+491705550122", "redirect_uri": callback, "create_new_user": false},
			"/v1/auth/otp/authenticate":        {"passcode": "123456", "identifier_type": "email", "identifier": "jane@dev.test"},
			"/v1/auth/link/email/authenticate": {"code": "x"},
		} {
			body["org_id"] = "acme"
			if r := x.post(t, path, body); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), no) {
				t.Errorf("%s: %d %s", path, r.Status, r.Raw)
			}
			body["org_id"] = 7
			if r := x.post(t, path, body); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Raw), "org_id") || strings.Contains(string(r.Raw), no) {
				t.Errorf("%s, no string: %d %s", path, r.Status, r.Raw)
			}
		}
		if n := len(x.Letters(t, "")); n != 0 {
			t.Errorf("%d letters", n)
		}
		x.post(t, "/v1/auth/otp/email", object{"email": "jane@dev.test", "redirect_uri": callback, "org_id": ""}).Want(t, http.StatusOK)
	})
}
