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
			"credentials": object{"password": otltest.Password}, "language": "de",
		}).Want(t, http.StatusCreated)
		joe := r.JSON["result"].(object)
		id := joe["user_id"].(string)
		if joe["status"] != "Active" || joe["created_at"].(float64) != float64(x.Clock.Now().UnixMilli()) || fmt.Sprint(joe["email"]) != "map[email_verified:false value:Joe@dev.test]" ||
			fmt.Sprint(joe["phone_number"]) != "map[phone_number_verified:false value:+491705550122]" || fmt.Sprint(joe["name"]) != "map[first_name:Joe last_name:Q Public]" || joe["language"] != "de" {
			t.Errorf("%s", r.Raw)
		}
		for _, path := range []string{id, "email/joe@dev.test", "username/JOE@dev.test", "phone-number/+491705550122", "phone/%2B491705550122"} {
			if got := get(path).Want(t, http.StatusOK); string(got.Raw) != string(r.Raw) {
				t.Errorf("%s: %s, not %s", path, got.Raw, r.Raw)
			}
		}
		x.post(t, "/v1/auth/password/authenticate", object{"username": "joe@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)

		// Other sites' people are as unknown as nobody, and what was not granted is not shown.
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		const nobody = `{"error_code":404,"message":"User not found"}`
		for _, path := range []string{"01HKZ3M5Q8J9X2V7C4B6N1D0FG", "x", "%00", "email/shopper@dev.test", "email/nobody@dev.test", "email/x", "phone/+491705550199", "phone/1", "username/jane"} {
			failed(t, get(path), http.StatusNotFound, nobody)
		}
		if jane := get(x.jane.ID).Want(t, http.StatusOK); strings.Contains(string(jane.Raw), "phone") {
			t.Errorf("%s", jane.Raw)
		}

		failed(t, x.post(t, "/v1/users", object{"email": "joe@dev.test"}), http.StatusConflict, `{"error_code":409,"message":"A user with this identifier exists already","ts_error_code":"identifier_already_in_use"}`)
		for _, bad := range []any{
			object{},
			object{"email": "x"},
			object{"email": "a@dev.test", "phone_number": "1"},
			object{"email": "a@dev.test", "custom_data": object{}},
			object{"email": 7},
			object{"email": "a@dev.test", "credentials": object{"password": "short"}},
			"[]", "x",
		} {
			r := x.post(t, "/v1/users", bad)
			if all, _ := r.JSON["message"].([]any); r.Status != http.StatusBadRequest || len(all) == 0 || r.JSON["error_code"] != 400.0 {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}

		if r := x.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/v1/users/" + id + "/apps", Bearer: x.bearer}); r.Status != http.StatusNoContent || len(r.Raw) != 0 {
			t.Errorf("%d %s", r.Status, r.Raw)
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
	})
}
