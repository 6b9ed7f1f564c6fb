package transmit_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestUsers is what of contract 3.9 is served.
func TestUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		get := func(path string) otltest.Reply {
			return x.Do(t, otltest.Call{Path: "/cis/v1/users/" + path, Bearer: x.bearer})
		}
		r := x.post(t, "/v1/users", object{
			"email": "Joe@dev.test", "phone_number": "+491705550122", "name": object{"first_name": "Joe", "middle_name": "Q", "last_name": "Public"},
			"credentials": object{"password": otltest.Password, "force_replace": false}, "language": "de", "username": "joe.public", "external_user_id": "7/a", "birthday": "1990-12-31",
			"custom_data": object{"tier": "gold", "n": 1}, "address": object{"city": "Bonn", "unknown": 1}, "secondary_emails": []string{"joe@home.test"},
		}).Want(t, http.StatusCreated)
		joe := r.JSON["result"].(object)
		id := joe["user_id"].(string)
		if joe["status"] != "Active" || joe["created_at"].(float64) != float64(x.Clock.Now().UnixMilli()) || fmt.Sprint(joe["email"]) != "map[email_verified:false value:Joe@dev.test]" ||
			fmt.Sprint(joe["phone_number"]) != "map[phone_number_verified:false value:+491705550122]" || fmt.Sprint(joe["name"]) != "map[first_name:Joe last_name:Public middle_name:Q]" || joe["language"] != "de" ||
			joe["username"] != "joe.public" || joe["external_user_id"] != "7/a" || joe["birthday"] != "1990-12-31" || fmt.Sprint(joe["custom_data"]) != "map[n:1 tier:gold]" ||
			fmt.Sprint(joe["address"]) != "map[city:Bonn]" || fmt.Sprint(joe["secondary_emails"]) != "[joe@home.test]" {
			t.Errorf("%s", r.Raw)
		}
		get("identifier?identifier_name=email").Want(t, http.StatusBadRequest)
		get("identifier?identifier_name=shoe&identifier_value=1").Want(t, http.StatusBadRequest)
		for _, path := range []string{
			id, "email/joe@dev.test", "username/JOE.public", "external-user-id/7%2Fa", "phone-number/+491705550122", "phone/%2B491705550122",
			"identifier?identifier_name=email&identifier_value=joe@dev.test", "identifier?identifier_name=phoneNumber&identifier_value=%2B491705550122",
			"identifier?identifier_name=username&identifier_value=joe.public", "identifier?identifier_name=externalUserId&identifier_value=7/a",
		} {
			if got := get(path).Want(t, http.StatusOK); string(got.Raw) != string(r.Raw) {
				t.Errorf("%s: %s, not %s", path, got.Raw, r.Raw)
			}
		}
		x.post(t, "/v1/auth/password/authenticate", object{"username": "joe@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)

		// Other sites' people are as unknown as nobody, and what was not granted is not shown.
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		const nobody = `{"message":"User not found","error_code":404}`
		for _, path := range []string{"01HKZ3M5Q8J9X2V7C4B6N1D0FG", "x", "%00", "email/shopper@dev.test", "email/nobody@dev.test", "email/x", "phone/+491705550199", "phone/1", "username/jane", "external-user-id/8", "identifier?identifier_name=user_id&identifier_value=8"} {
			failed(t, get(path), http.StatusNotFound, nobody)
		}
		if jane := get(x.jane.ID).Want(t, http.StatusOK); strings.Contains(string(jane.Raw), "phone") {
			t.Errorf("%s", jane.Raw)
		}

		failed(t, x.post(t, "/v1/users", object{"email": "joe@dev.test"}), http.StatusConflict, `{"message":"A user with this identifier exists already","error_code":409,"ts_error_code":"identifier_already_in_use"}`)
		for _, bad := range []any{
			object{},
			object{"email": "x"},
			object{"email": "a@dev.test", "phone_number": "1"},
			object{"email": "a@dev.test", "shoe_size": 44},
			object{"email": "a@dev.test", "status": "Disabled"},
			object{"email": "a@dev.test", "email_verified": true},
			object{"email": "a@dev.test", "custom_data": "x"},
			object{"email": "a@dev.test", "custom_data": object{"x": strings.Repeat("x", 17000)}},
			object{"email": "a@dev.test", "birthday": "yesterday"},
			object{"email": "a@dev.test", "secondary_emails": []string{"x"}},
			object{"email": "a@dev.test", "address": object{"type": "Boat"}},
			object{"email": 7},
			object{"email": "a@dev.test", "credentials": object{"password": "short"}},
			"[]", "x",
		} {
			r := x.post(t, "/v1/users", bad)
			if all, _ := r.JSON["message"].([]any); r.Status != http.StatusBadRequest || len(all) == 0 || r.JSON["error_code"] != 400.0 {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}

		x.leaves(t, id)
	})
}

// leaves lets somebody leave the site, by either call, and has clients without the
// scope refused.
func (x *tenant) leaves(t *testing.T, id string) {
	t.Helper()
	get := func(path string) otltest.Reply {
		return x.Do(t, otltest.Call{Path: "/v1/users/" + path, Bearer: x.bearer})
	}
	const nobody = `{"message":"User not found","error_code":404}`
	other := x.made(t, object{"email": "other@dev.test"})
	for _, path := range []string{"/v1/users/" + id + "/apps", "/cis/v1/manage/users/" + other} {
		if r := x.Do(t, otltest.Call{Method: http.MethodDelete, Path: path, Bearer: x.bearer}); r.Status != http.StatusNoContent || len(r.Raw) != 0 {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	}
	failed(t, get(id), http.StatusNotFound, nobody)
	if _, err := x.Accounts.Find(t.Context(), "joe@dev.test"); err != nil {
		t.Errorf("leaving the site deleted the person: %v", err)
	}

	made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "plain", Scopes: otl.Scopes{otl.ScopeAuth}})
	if err != nil {
		t.Fatal(err)
	}
	x.client = made
	x.bearer = x.token(t, nil).Text("access_token")
	get(x.jane.ID).Want(t, http.StatusForbidden)
	x.post(t, "/v1/users", object{"email": "b@dev.test"}).Want(t, http.StatusForbidden)
	x.bearer = ""
	get(x.jane.ID).Want(t, http.StatusUnauthorized)
}
