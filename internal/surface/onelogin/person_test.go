package onelogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// roleOf adds a role to a site and gives its number.
func roleOf(t *testing.T, x *tenant, p site.Registered, name string, isDefault bool) any {
	t.Helper()
	x.Do(t, otltest.Call{Path: "/api/v1/roles", Key: p.Key, Body: object{"name": name, "default": isDefault}}).Want(t, http.StatusCreated)
	if p.Site.ID != x.Notes.Site.ID {
		defer func(mine string) { x.bearer = mine }(x.bearer)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, p)).Text("access_token")
	}
	return x.call(t, http.MethodGet, "/api/1/roles?name="+url.QueryEscape(name), nil).Items(t)[0]["id"]
}

// personOf gives one of the site's people.
func personOf(t *testing.T, x *tenant, id string) object {
	t.Helper()
	return x.call(t, http.MethodGet, "/api/2/users/"+id, nil).Want(t, http.StatusOK).JSON
}

// roleEvents gives the roles that came and went, in order.
func roleEvents(t *testing.T, x *tenant, email string) (out []string) {
	t.Helper()
	u, err := x.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	all, err := x.Store.Read.Events.List(t.Context(), u.ID, x.Notes.Site.ID, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(all) { // the newest comes first
		if e.Type == otl.EventRoleAssigned || e.Type == otl.EventRoleRemoved {
			out = append(out, map[otl.EventType]string{otl.EventRoleAssigned: "+", otl.EventRoleRemoved: "-"}[e.Type]+e.Data[otl.DataRole]+" by "+string(e.By.Kind)+":"+e.Changes[0].Before+">"+e.Changes[0].After)
		}
	}
	return out
}

// TestContract214_RolesAreGivenWithAPerson: in creating and in changing him, in both versions,
// all of them or nothing; who changed what is in the log.
func TestContract214_RolesAreGivenWithAPerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		member := roleOf(t, x, x.Notes, "member", true)
		editor, reader, foreign := roleOf(t, x, x.Notes, "editor", false), roleOf(t, x, x.Notes, "reader", false), roleOf(t, x, x.Shop, "clerk", false)
		r := x.call(t, http.MethodPost, "/api/2/users", object{"email": "two@dev.test", "role_ids": []any{reader, editor, reader}}).Want(t, http.StatusCreated)
		id := fmt.Sprint(r.JSON["id"])
		if got := fmt.Sprint(r.JSON["role_ids"]); got != fmt.Sprint([]any{editor, reader}) || fmt.Sprint(personOf(t, x, id)["role_id"]) != got {
			t.Errorf("%s", r.Raw)
		}
		if got := x.call(t, http.MethodPost, "/api/1/users", object{"email": "one@dev.test", "role_id": editor}).Want(t, http.StatusOK).Items(t)[0]; fmt.Sprint(got["role_id"]) != fmt.Sprint([]any{editor}) {
			t.Errorf("%v", got)
		}
		if usual := x.call(t, http.MethodPost, "/api/1/users", object{"email": "usual@dev.test"}).Items(t)[0]; fmt.Sprint(usual["role_ids"]) != fmt.Sprint([]any{member}) {
			t.Errorf("%v", usual)
		}
		of := func() string { return fmt.Sprint(personOf(t, x, id)["role_ids"]) }
		x.call(t, http.MethodPut, "/api/1/users/"+id, object{"role_ids": []any{fmt.Sprint(reader)}}).Want(t, http.StatusOK)
		if of() != fmt.Sprint([]any{reader}) {
			t.Error(of())
		}
		x.call(t, http.MethodPut, "/api/2/users/"+id, object{"firstname": "Tom", "role_ids": nil}).Want(t, http.StatusOK)
		if of() != fmt.Sprint([]any{reader}) {
			t.Error(of())
		}
		many := []any{reader}
		for i := range otl.MaxUserRoles {
			many = append(many, roleOf(t, x, x.Notes, fmt.Sprint("r", i), false))
		}
		before := fmt.Sprint(personOf(t, x, id), roleEvents(t, x, "two@dev.test"))
		for _, bad := range []any{[]any{editor, foreign}, []any{99999}, "x", object{}, []any{"x"}, many} {
			for _, version := range []string{"1", "2"} {
				if r := x.call(t, http.MethodPut, "/api/"+version+"/users/"+id, object{"lastname": "Changed", "title": "Changed", "role_ids": bad}); r.Status != http.StatusBadRequest && r.Status != http.StatusUnprocessableEntity {
					t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
				}
			}
			x.call(t, http.MethodPost, "/api/2/users", object{"email": "none@dev.test", "role_ids": bad}).Want(t, http.StatusUnprocessableEntity)
			if _, err := x.Accounts.Find(t.Context(), "none@dev.test"); !otl.Is(err, otl.NoSuch("user").Code) {
				t.Fatalf("%v: somebody was added (%v)", bad, err)
			}
		}
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/add_roles", object{"role_id_array": many}).Want(t, http.StatusBadRequest)
		if after := fmt.Sprint(personOf(t, x, id), roleEvents(t, x, "two@dev.test")); after != before {
			t.Errorf("something wrong was half done: %s\nbefore: %s", after, before)
		}
		x.call(t, http.MethodPut, "/api/2/users/"+id, object{"role_ids": []any{}}).Want(t, http.StatusOK)
		if got := strings.Join(roleEvents(t, x, "two@dev.test"), " "); of() != "[]" || got != "-member by client:member> +editor by client:>editor +reader by client:editor>editor reader -editor by client:editor reader>reader -reader by client:reader>" {
			t.Errorf("%s %q", of(), got)
		}
		if r := x.call(t, http.MethodPut, "/api/2/users/"+x.id(t, "jane@dev.test"), object{"role_ids": []any{editor}}).Want(t, http.StatusOK); fmt.Sprint(r.JSON["role_ids"]) != fmt.Sprint([]any{editor}) {
			t.Errorf("%s", r.Raw)
		}
	})
}

// TestContract214_RolesAreAskedFor: what they are asked for by holds, and what is not known is refused.
func TestContract214_RolesAreAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		ids := map[string]any{}
		for _, name := range []string{"admin-us", "admin-eu", "reader-us"} {
			ids[name] = roleOf(t, x, x.Notes, name, false)
		}
		clerk := roleOf(t, x, x.Shop, "clerk", false)
		for query, want := range map[string]string{
			"": "admin-eu admin-us reader-us", "name=admin-us": "admin-us", "role_name=ADMIN-EU": "admin-eu", "name=*-us": "admin-us reader-us", "name=admin*": "admin-eu admin-us", "name=*m*-*u": "admin-eu", "name=x": "", "name=": "", "name=**": "admin-eu admin-us reader-us",
			"name=admin-us*us": "", "app_id=1": "", "app_name=x": "", "limit=1": "admin-eu", "limit=2&page=2": "reader-us", "sort=-name": "reader-us admin-us admin-eu", "sort=+id": "admin-us admin-eu reader-us", "sort=-id&limit=1": "reader-us",
			"id=" + fmt.Sprint(ids["admin-eu"]): "admin-eu", "id=" + fmt.Sprint(clerk): "", "limit=2&page=9": "",
		} {
			r := x.call(t, http.MethodGet, "/api/2/roles?"+query, nil).Want(t, http.StatusOK)
			var found []struct{ Name string }
			if err := json.Unmarshal(r.Raw, &found); err != nil || r.Raw[0] != '[' {
				t.Fatal(err)
			}
			var names []string
			for _, one := range found {
				names = append(names, one.Name)
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%q: %q, not %q", query, got, want)
			}
		}
		for _, bad := range []string{"sort=apps", "limit=0", "page=0", "id=x", "name=a&name=b", "after_cursor=!", "user_id=1"} {
			if r := x.call(t, http.MethodGet, "/api/1/roles?"+bad, nil); r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", bad, r.Status, r.Raw)
			}
		}
		first := x.call(t, http.MethodGet, "/api/1/roles?limit=2", nil).Want(t, http.StatusOK)
		next := first.Text("pagination", "after_cursor")
		if rest := x.call(t, http.MethodGet, "/api/1/roles?after_cursor="+url.QueryEscape(next), nil).Items(t); next == "" || len(rest) != 1 || rest[0]["name"] != "reader-us" {
			t.Errorf("%v", rest)
		}
		if h := x.call(t, http.MethodGet, "/api/2/roles?limit=2", nil).Header; h.Get("Total-Count") != "3" || h.Get("Total-Pages") != "2" || h.Get("Page-Items") != "2" || !strings.Contains(h.Get("Link"), `/api/2/roles?after_cursor=`) {
			t.Errorf("%v", h)
		}
		eu := fmt.Sprint(ids["admin-eu"])
		if r := x.call(t, http.MethodGet, "/api/2/roles?fields=name&name=admin-eu", nil); strings.TrimSpace(string(r.Raw)) != `[{"id":`+eu+`,"name":"admin-eu"}]` {
			t.Errorf("%s", r.Raw)
		}
		if r := x.call(t, http.MethodGet, "/api/2/roles/"+eu, nil).Want(t, http.StatusOK); strings.TrimSpace(string(r.Raw)) != `{"apps":[],"id":`+eu+`,"name":"admin-eu"}` {
			t.Errorf("%s", r.Raw)
		}
		if got := one(t, x.call(t, http.MethodGet, "/api/1/roles/"+eu, nil)); fmt.Sprint(got) != "map[id:"+eu+" name:admin-eu]" {
			t.Errorf("%v", got)
		}
		for _, version := range []string{"1", "2"} { // TE-01
			a, b := x.call(t, http.MethodGet, "/api/"+version+"/roles/"+fmt.Sprint(clerk), nil), x.call(t, http.MethodGet, "/api/"+version+"/roles/99999", nil)
			if a.Status != http.StatusNotFound || string(a.Raw) != string(b.Raw) {
				t.Errorf("another site's %s, none %s", a.Raw, b.Raw)
			}
		}
		x.call(t, http.MethodGet, "/api/1/roles/x", nil).Want(t, http.StatusBadRequest)
		id := x.id(t, "jane@dev.test")
		x.call(t, http.MethodPut, "/api/1/users/"+id+"/add_roles", object{"role_id_array": []any{ids["admin-eu"]}}).Want(t, http.StatusOK)
		for query, want := range map[string]int{"role_id=" + eu: 1, "role_ids=" + fmt.Sprint(ids["admin-us"]) + "," + eu: 1, "role_ids=99999": 0, "role_id=" + fmt.Sprint(ids["admin-us"]): 0, "role_id=" + fmt.Sprint(clerk): 0} {
			if got := x.call(t, http.MethodGet, "/api/1/users?"+query, nil).Items(t); len(got) != want {
				t.Errorf("%s: %v", query, got)
			}
		}
	})
}

// TestContract214_EveryMemberIsKept: what a site can set of a person is answered as it was set, in
// both versions; it finds him by what OneLogin's clients ask for, and nobody else sees any of it.
func TestContract214_EveryMemberIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		all := object{
			"company": "Dev", "department": "Tests", "title": "Tester", "comment": "of ours", "distinguished_name": "CN=Olga", "member_of": "CN=All", "samaccountname": "Olga.O",
			"userprincipalname": "olga@ad.dev.test", "openid_name": "olga", "manager_ad_id": "12", "directory_id": 7.0, "group_id": 8.0, "trusted_idp_id": 9.0, "manager_user_id": 10.0,
		}
		body := object{"email": "own@dev.test", "firstname": "Olga", "external_id": 4711, "preferred_locale_code": "de", "custom_attributes": object{"badge": "7-B", "Desk": "A"}}
		for name, v := range all {
			body[name] = v
		}
		made := x.call(t, http.MethodPost, "/api/2/users", body).Want(t, http.StatusCreated)
		id := fmt.Sprint(made.JSON["id"])
		holds := func(got, want object) {
			t.Helper()
			for name, v := range want {
				if got[name] != v {
					t.Errorf("%s is %v, not %v", name, got[name], v)
				}
			}
		}
		holds(made.JSON, all)
		holds(made.JSON, object{"external_id": "4711", "locale_code": "de", "preferred_locale_code": "de"})
		holds(one(t, x.call(t, http.MethodGet, "/api/1/users/"+id, nil)), all)
		found := func(query string) (n int) {
			t.Helper()
			return len(x.call(t, http.MethodGet, "/api/1/users?"+query, nil).Items(t))
		}
		asked := []string{
			"samaccountname=olga.o", "samaccountname=OLGA*", "samaccountname=*", "userprincipalname=olga@ad.dev.test", "directory_id=7", "manager_ad_id=12", "group_id=8", "member_of=cn=*", "custom_attributes.badge=7-b", "custom_attributes.badge=*-B", "custom_attributes.Desk=a",
			"directory_id=7&custom_attributes.badge=7*&email=own@dev.test",
		}
		for _, query := range asked {
			if found(query) != 1 {
				t.Errorf("%s finds %d", query, found(query))
			}
		}
		for _, query := range []string{"samaccountname=olga", "samaccountname=", "directory_id=8", "custom_attributes.desk=a", "custom_attributes.badge=%25", "custom_attributes.samaccountname=*", "custom_attributes.none=*", "directory_id=7&custom_attributes.badge=8"} {
			if found(query) != 0 {
				t.Errorf("%s finds %d", query, found(query))
			}
		}
		r := x.call(t, http.MethodPut, "/api/1/users/"+id, object{"title": "", "directory_id": "0", "group_id": "18", "comment": nil, "samaccountname": "o", "custom_attributes": object{"badge": ""}})
		all["title"], all["directory_id"], all["group_id"], all["samaccountname"] = nil, nil, 18.0, "o"
		holds(one(t, r), all)
		if got := personOf(t, x, id)["custom_attributes"]; fmt.Sprint(got) != "map[Desk:A]" || found("directory_id=*")+found("custom_attributes.badge=*") != 0 || found("samaccountname=O") != 1 {
			t.Errorf("%v", got)
		}
		x.call(t, http.MethodPut, "/api/2/users/"+id, personOf(t, x, id)).Want(t, http.StatusOK)                                                                         // all that it was told
		x.call(t, http.MethodPut, "/api/2/users/"+id, object{"updated_at": "2020-01-01T00:00:00.000Z", "last_login": "2020-01-01T00:00:00.000Z"}).Want(t, http.StatusOK) // as some time ago
		before := fmt.Sprint(personOf(t, x, id))
		for _, bad := range []object{
			{"title": 7}, {"title": strings.Repeat("x", 401)}, {"comment": "a\nb"}, {"group_id": "x"}, {"manager_user_id": 1.5}, {"manager_ad_id": object{}}, {"custom_attributes": object{"a": strings.Repeat("ü", 401)}}, {"status": 3}, {"status": 0}, {"state": 4}, {"state": "x"}, {"password_changed_at": "2026-01-02T03:04:05Z"}, {"invalid_login_attempts": 1},
		} {
			bad["company"] = "Changed"
			if r := x.call(t, http.MethodPut, "/api/1/users/"+id, bad); r.Status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, r.Status, r.Raw)
			}
		}
		if after := fmt.Sprint(personOf(t, x, id)); after != before {
			t.Errorf("something wrong was half done: %s\nbefore: %s", after, before)
		}

		mine := x.bearer
		jane := x.id(t, "jane@dev.test")
		x.call(t, http.MethodPut, "/api/2/users/"+jane, object{"company": "Notes", "samaccountname": "jane"}).Want(t, http.StatusOK)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.newClient(t, x.Shop)).Text("access_token")
		x.Login(t, x.Shop, "jane@dev.test")
		if u := personOf(t, x, jane); u["company"] != nil || u["samaccountname"] != nil || found("samaccountname=*") != 0 {
			t.Errorf("another site: %v", u)
		}
		x.bearer = mine
		x.call(t, http.MethodDelete, "/api/2/users/"+jane, nil).Want(t, http.StatusNoContent)
		x.login(t, nil).Want(t, http.StatusOK)
		if u := personOf(t, x, jane); u["company"] != nil || found("samaccountname=jane") != 0 {
			t.Errorf("after he left: %v", u)
		}
	})
}

// TestContract214_AStatusIsSet: who is added barred is barred, and status does as state does.
func TestContract214_AStatusIsSet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const password = "staple-battery-8"
		for i, barred := range []object{{"state": 0}, {"status": 2}, {"state": 1, "status": 2}, {"state": "3", "status": 1}} {
			email := fmt.Sprintf("p%d@dev.test", i)
			barred["email"], barred["password"], barred["password_confirmation"] = email, password, password
			r := x.call(t, http.MethodPost, "/api/2/users", barred).Want(t, http.StatusCreated)
			if r.JSON["status"] != 2.0 || r.JSON["state"] != 2.0 {
				t.Errorf("%v: %s", barred, r.Raw)
			}
			try := func() int { return x.login(t, object{"username_or_email": email, "password": password}).Status }
			if try() != http.StatusUnauthorized {
				t.Errorf("%v signs in", barred)
			}
			id := fmt.Sprint(r.JSON["id"])
			if r := x.call(t, http.MethodPut, "/api/2/users/"+id, object{"status": 1}).Want(t, http.StatusOK); r.JSON["status"] != 1.0 || r.JSON["state"] != 1.0 || try() != http.StatusOK {
				t.Errorf("%s", r.Raw)
			}
			if r := x.call(t, http.MethodPut, "/api/1/users/"+id, object{"status": "2"}).Want(t, http.StatusOK); one(t, r)["state"] != 2.0 || try() != http.StatusUnauthorized {
				t.Errorf("%s", r.Raw)
			}
		}
	})
}

// TestD1_APasswordIsSetWithAPerson: of the site's own, with everything else or not at all.
func TestD1_APasswordIsSetWithAPerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		digest := digestOf("s4lt", "correct-horse-9")
		salted := object{"email": "own@dev.test", "password": digest, "password_confirmation": digest, "password_algorithm": "salt+sha256", "salt": "s4lt"}
		id := fmt.Sprint(x.call(t, http.MethodPost, "/api/2/users", salted).Want(t, http.StatusCreated).JSON["id"])
		try := func(password string) int {
			return x.login(t, object{"username_or_email": "own@dev.test", "password": password}).Status
		}
		if try("correct-horse-9") != http.StatusOK || try(digest) != http.StatusUnauthorized {
			t.Error("by salt")
		}
		set := func(id, password string, more object) otltest.Reply {
			body := object{"password": password, "password_confirmation": password, "title": "Changed"}
			for k, v := range more {
				body[k] = v
			}
			return x.call(t, http.MethodPut, "/api/2/users/"+id, body)
		}
		for _, bad := range []otltest.Reply{
			set(id, "short", nil), set(id, "", object{"password": nil}), set(id, "staple-battery-8", object{"password_confirmation": "x"}), set(id, digest, object{"password_algorithm": "bcrypt"}), set(id, "no digest", object{"password_algorithm": "salt+sha256"}),
			set(id, digest, object{"password_algorithm": "salt+sha256", "salt": strings.Repeat("x", 41)}), set(id, "staple-battery-8", object{"role_ids": []int{99999}}),
		} {
			bad.Want(t, http.StatusUnprocessableEntity)
		}
		if u := personOf(t, x, id); u["title"] != nil || try("correct-horse-9") != http.StatusOK {
			t.Errorf("something wrong was half done: %v", u)
		}
		set(id, "staple-battery-8", nil).Want(t, http.StatusOK)
		if u := personOf(t, x, id); u["title"] != "Changed" || try("staple-battery-8") != http.StatusOK || try("correct-horse-9") != http.StatusUnauthorized {
			t.Errorf("%v", u)
		}
		digest = digestOf("", "battery-horse-9")
		set(id, digest, object{"password_algorithm": "salt+sha256"}).Want(t, http.StatusOK)
		if try("battery-horse-9") != http.StatusOK {
			t.Error("by a digest without salt")
		}
		jane := x.id(t, "jane@dev.test")
		set(jane, "staple-battery-8", nil).Want(t, http.StatusForbidden)
		if u := personOf(t, x, jane); u["title"] != nil {
			t.Errorf("somebody else's password was half done: %v", u)
		}
		x.login(t, nil).Want(t, http.StatusOK)
	})
}
