package onelogin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestCustomAttributes: kept of a person of a site under the site's names, shown to that
// site alone, listed by name, and gone with the person.
func TestCustomAttributes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		id := x.id(t, "jane@dev.test")
		list := func(version string) string {
			r := x.call(t, http.MethodGet, "/api/"+version+"/users/custom_attributes", nil).Want(t, http.StatusOK)
			return strings.TrimSpace(string(r.Raw))
		}
		const head = `{"status":{"error":false,"code":200,"type":"success","message":"Success"}`
		if got := list("1"); got != head+`,"data":[[]]}` {
			t.Error(got)
		}
		set := func(v any) otltest.Reply {
			return x.call(t, http.MethodPut, "/api/1/users/"+id+"/set_custom_attributes", object{"custom_attributes": v})
		}
		if r := set(object{"badge": "7", "desk": "A-1"}); strings.TrimSpace(string(r.Raw)) != head+`}` {
			t.Errorf("%s", r.Raw)
		}
		shown := func() string { return fmt.Sprint(one(t, x.get(t, "/api/1/users/"+id))["custom_attributes"]) }
		if got := shown(); got != "map[badge:7 desk:A-1]" {
			t.Error(got)
		}
		set(object{"desk": nil, "floor": "2"}).Want(t, http.StatusOK)
		if got := shown(); got != "map[badge:7 floor:2]" {
			t.Error(got)
		}
		if got := list("1"); got != head+`,"data":[["badge","desk","floor"]]}` {
			t.Error(got)
		}
		if got := list("2"); !strings.HasPrefix(got, `[{"id":`) || !strings.Contains(got, `"name":"badge","shortname":"badge","position":1}`) {
			t.Error(got)
		}
		for _, bad := range []any{nil, "x", []string{"x"}, object{"a": 1}, object{"": "x"}, object{"a b": "x"}, object{strings.Repeat("a", 65): "x"}, object{"a": object{}}} {
			if r := set(bad); r.Status != http.StatusBadRequest || r.Text("status", "message", "attribute") != "custom_attributes" {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		failed(t, set(object{}), http.StatusBadRequest, "bad request", "custom_attributes is empty")
		if got := shown(); got != "map[badge:7 floor:2]" {
			t.Errorf("something wrong was half done: %s", got)
		}
		many := object{}
		for i := range 198 {
			many[fmt.Sprint("n", i)] = "x"
		}
		if r := set(many); r.Status != http.StatusBadRequest {
			t.Errorf("more than 200 names: %d", r.Status)
		}
		r := x.call(t, http.MethodPost, "/api/2/users", object{"email": "v2@dev.test", "custom_attributes": object{"badge": "8"}}).Want(t, http.StatusCreated)
		made := fmt.Sprint(r.JSON["id"])
		if fmt.Sprint(r.JSON["custom_attributes"]) != "map[badge:8]" {
			t.Errorf("%s", r.Raw)
		}
		r = x.call(t, http.MethodPut, "/api/2/users/"+made, object{"firstname": "Vera", "custom_attributes": object{"desk": "B"}}).Want(t, http.StatusOK)
		if fmt.Sprint(r.JSON["custom_attributes"]) != "map[badge:8 desk:B]" {
			t.Errorf("%s", r.Raw)
		}
		x.call(t, http.MethodPut, "/api/2/users/"+made, r.Raw).Want(t, http.StatusOK) // all that it was told

		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Shop)).Text("access_token")
		if got := list("1"); got != head+`,"data":[[]]}` { // TE-11
			t.Errorf("another site: %s", got)
		}
		x.Login(t, x.Shop, "jane@dev.test")
		if got := one(t, x.get(t, "/api/1/users/"+id))["custom_attributes"]; got != nil {
			t.Errorf("another site: %v", got)
		}
	})
}

// TestLockUser: bars from the site for a time, or until it says otherwise; elsewhere he is
// who he was (decision D1).
func TestLockUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		id := x.id(t, "jane@dev.test")
		lock := func(minutes any) otltest.Reply {
			return x.call(t, http.MethodPut, "/api/1/users/"+id+"/lock_user", object{"locked_until": minutes})
		}
		unlock := func() {
			t.Helper()
			if err := x.Members.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(in bool, status, state float64, until any) {
			t.Helper()
			if r := x.login(t, nil); (r.Status == http.StatusOK) != in {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
			if u := one(t, x.get(t, "/api/1/users/"+id)); u["status"] != status || u["state"] != state || u["locked_until"] != until {
				t.Errorf("%v %v %v", u["status"], u["state"], u["locked_until"])
			}
		}
		live := x.Login(t, x.Notes, "jane@dev.test")
		lock(10).Want(t, http.StatusOK)
		x.Refresh(t, x.Notes, live.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		x.Login(t, x.Shop, "jane@dev.test")
		end := x.Clock.Now().Add(10 * time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")
		wants(false, 3, 1, end)
		x.Clock.Advance(10*time.Minute - time.Millisecond)
		unlock()
		wants(false, 3, 1, end)
		x.Clock.Advance(time.Millisecond)
		unlock()
		wants(true, 1, 1, nil)

		lock(10).Want(t, http.StatusOK)
		lock(20).Want(t, http.StatusOK)
		x.Clock.Advance(10 * time.Minute)
		unlock()
		wants(false, 3, 1, x.Clock.Now().Add(10*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z"))
		lock(0).Want(t, http.StatusOK)
		lock(5).Want(t, http.StatusOK) // makes nothing shorter that has no end
		x.Clock.Advance(time.Hour)
		unlock()
		wants(false, 2, 2, nil)
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/set_state", object{"state": 1}).Want(t, http.StatusOK)
		wants(true, 1, 1, nil)
		for _, bad := range []any{nil, -1, 525601, "x"} {
			if r := lock(bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		failed(t, x.call(t, http.MethodPut, "/api/1/users/99999/lock_user", object{"locked_until": 1}), http.StatusNotFound, "not found", "User does not exist")

		lock(1).Want(t, http.StatusOK)
		x.call(t, http.MethodDelete, "/api/1/users/"+id, nil).Want(t, http.StatusOK)
		x.Clock.Advance(time.Minute)
		unlock() // one who has left comes back as he would have
		x.login(t, nil).Want(t, http.StatusOK)
		e, err := x.Store.Read.Events.List(t.Context(), x.jane.ID, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		n := map[otl.EventType]int{}
		for _, one := range e {
			n[one.Type]++
		}
		if n[otl.EventMemberSuspended] != 3 || n[otl.EventMemberRestored] != 3 {
			t.Errorf("%v", n)
		}
	})
}

// digestOf gives the digest of a password as clients of this wire make it.
func digestOf(salt, password string) string {
	sum := sha256.Sum256([]byte(salt + password))
	return hex.EncodeToString(sum[:])
}

// TestD1_PasswordsBySalt: of the site's own people, as the SHA-256 of salt and password;
// what is stored is no quick hash, and the first sign-in replaces it (PW-08).
func TestD1_PasswordsBySalt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own := x.made(t, nil)
		digest := digestOf("s4lt", "correct-horse-9")
		set := func(id string, change object) otltest.Reply {
			body := object{"password": digest, "password_confirmation": digest, "password_algorithm": "salt+sha256", "password_salt": "s4lt"}
			for k, v := range change {
				body[k] = v
			}
			return x.call(t, http.MethodPut, "/api/1/users/set_password_using_salt/"+id, body)
		}
		for _, bad := range []object{
			{"password_algorithm": "md5"},
			{"password_algorithm": nil},
			{"password_salt": strings.Repeat("x", 41)},
			{"password_confirmation": "x"},
			{"password": "correct-horse-9", "password_confirmation": "correct-horse-9"},
			{"password": digest[1:], "password_confirmation": digest[1:]},
		} {
			if r := set(own, bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		failed(t, set(x.id(t, "jane@dev.test"), nil), http.StatusForbidden, "forbidden", "user is not authorized to access this User")
		stored := func() string {
			t.Helper()
			u, err := x.Store.Read.Users.ByEmail(t.Context(), "own@dev.test")
			if err != nil {
				t.Fatal(err)
			}
			c, err := x.Store.Read.Users.Credential(t.Context(), u.Email.Key, x.Notes.Site.ID)
			if err != nil {
				t.Fatal(err)
			}
			return c.Hash
		}
		for range 2 { // his first one, and another in its place
			set(own, nil).Want(t, http.StatusOK)
		}
		if h := stored(); !strings.HasPrefix(h, "$sha256$73346c74$argon2id$") || strings.Contains(h, digest) {
			t.Errorf("stored as %s", h)
		}
		try := func(password string) otltest.Reply {
			return x.login(t, object{"username_or_email": "own@dev.test", "password": password})
		}
		failed(t, try("correct-horse-8"), http.StatusUnauthorized, unauthorized, invalidUser)
		failed(t, try(digest), http.StatusUnauthorized, unauthorized, invalidUser)
		try("correct-horse-9").Want(t, http.StatusOK)
		if h := stored(); !strings.HasPrefix(h, "$argon2id$") {
			t.Errorf("after the sign-in %s", h)
		}
		try("correct-horse-9").Want(t, http.StatusOK)
	})
}

// TestContract214_CustomAttributesAreDefined: by what the SDKs send, with a label; one that is taken
// away is taken from everybody, and comes back as another.
func TestContract214_CustomAttributesAreDefined(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const path = "/api/2/users/custom_attributes"
		field := func(name, short any) object { return object{"user_field": object{"name": name, "shortname": short}} }
		made := x.call(t, http.MethodPost, path, field("Employee ID", "employee_id")).Want(t, http.StatusCreated)
		id := fmt.Sprint(made.JSON["id"])
		if got := strings.TrimSpace(string(made.Raw)); got != `{"id":`+id+`,"name":"Employee ID","shortname":"employee_id","position":1}` {
			t.Error(got)
		}
		if got := x.call(t, http.MethodGet, path+"/"+id+"/", nil).Want(t, http.StatusOK); string(got.Raw) != string(made.Raw) {
			t.Errorf("%s", got.Raw)
		}
		if got := x.call(t, http.MethodPost, path, object{"shortname": "desk"}).Want(t, http.StatusCreated); got.Text("name") != "desk" || got.JSON["position"] != 2.0 {
			t.Errorf("%s", got.Raw)
		}
		for _, bad := range []object{field("x", nil), field("x", "a b"), field("x", ""), field("Again", "employee_id"), field(strings.Repeat("x", 101), "long"), field(7, "number"), {}} {
			if r := x.call(t, http.MethodPost, path, bad); r.Status != http.StatusUnprocessableEntity || r.Text("field") == "" {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		if got := x.call(t, http.MethodPut, path+"/"+id, field("Number", "employee_id")).Want(t, http.StatusOK); got.Text("name") != "Number" {
			t.Errorf("%s", got.Raw)
		}
		x.call(t, http.MethodPut, path+"/"+id, field("Number", "other")).Want(t, http.StatusUnprocessableEntity)
		if got := x.call(t, http.MethodGet, path, nil); !strings.Contains(string(got.Raw), `"name":"Number","shortname":"employee_id","position":1},{`) {
			t.Errorf("%s", got.Raw)
		}
		var people []string
		for i := range 3 {
			r := x.call(t, http.MethodPost, "/api/2/users", object{"email": fmt.Sprintf("p%d@dev.test", i), "custom_attributes": object{"employee_id": "7", "desk": "A"}}).Want(t, http.StatusCreated)
			people = append(people, fmt.Sprint(r.JSON["id"]))
		}
		mine := x.bearer
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Shop)).Text("access_token")
		for _, of := range []string{id, "99999"} { // TE-01
			for _, r := range []otltest.Reply{x.call(t, http.MethodGet, path+"/"+of, nil), x.call(t, http.MethodPut, path+"/"+of, field("x", nil)), x.call(t, http.MethodDelete, path+"/"+of, nil)} {
				if got := strings.TrimSpace(string(r.Raw)); got != `{"statusCode":404,"name":"NotFoundError","message":"Custom attribute does not exist"}` {
					t.Errorf("another site's %s: %s", of, got)
				}
			}
		}
		x.bearer = mine
		x.call(t, http.MethodGet, path+"/x", nil).Want(t, http.StatusUnprocessableEntity)
		x.call(t, http.MethodGet, "/api/2/users/"+people[0]+"/x", nil).Want(t, http.StatusNotFound)
		x.call(t, http.MethodGet, "/api/2/users/"+people[0]+"/apps", nil).Want(t, http.StatusOK)

		x.call(t, http.MethodDelete, path+"/"+id, nil).Want(t, http.StatusNoContent)
		x.call(t, http.MethodDelete, path+"/"+id, nil).Want(t, http.StatusNotFound)
		for _, one := range people {
			if got := fmt.Sprint(personOf(t, x, one)["custom_attributes"]); got != "map[desk:A]" {
				t.Error(got)
			}
		}
		if got := x.call(t, http.MethodGet, "/api/1/users/custom_attributes", nil); !strings.Contains(string(got.Raw), `"data":[["desk"]]`) {
			t.Errorf("%s", got.Raw)
		}
		all, err := x.Store.Read.Events.Select(t.Context(), store.EventQuery{SiteID: x.Notes.Site.ID, Type: otl.EventSiteUpdated, Limit: 10})
		var told []string
		for _, e := range all {
			told = append(told, e.Changes[0].Before+">"+e.Changes[0].After+" by "+string(e.By.Kind))
		}
		slices.Sort(told) // of one moment, in any order
		if got := strings.Join(told, ", "); err != nil || got != ">desk by client, >employee_id (Employee ID) by client, employee_id (Employee ID)>employee_id (Number) by client, employee_id (Number)> by client" {
			t.Errorf("%s %v", got, err)
		}
		if again := x.call(t, http.MethodPost, path, object{"shortname": "employee_id"}).Want(t, http.StatusCreated); fmt.Sprint(again.JSON["id"]) == id || again.Text("name") != "employee_id" {
			t.Errorf("%s", again.Raw)
		}
	})
}
