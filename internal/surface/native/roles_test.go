package native_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// rolesIn gives the roles an access token names.
func rolesIn(t *testing.T, access string) []string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Roles []string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Roles
}

func TestRolesOfASite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		create := object{"name": "editor", "description": "Writes", "permissions": []string{"notes:read", "notes:write"}}
		r := call(t, w, w.Notes, http.MethodPost, "/roles", create).Want(t, http.StatusCreated)
		if r.Text("name") != "editor" || len(r.JSON["permissions"].([]any)) != 2 || r.JSON["default"] != false {
			t.Errorf("created %s", r.Raw)
		}
		call(t, w, w.Notes, http.MethodPost, "/roles", create).Want(t, http.StatusConflict, "role_exists")
		call(t, w, w.Shop, http.MethodPost, "/roles", create).Want(t, http.StatusCreated)
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "admin"}).Want(t, http.StatusCreated)
		if got := names(call(t, w, w.Notes, http.MethodGet, "/roles", nil)); !slices.Equal(got, []string{"admin", "editor"}) {
			t.Errorf("the catalogue is %v", got)
		}
		r = call(t, w, w.Notes, http.MethodPatch, "/roles/editor", object{"description": "", "permissions": []string{}}).Want(t, http.StatusOK)
		if r.Text("description") != "" || len(r.JSON["permissions"].([]any)) != 0 {
			t.Errorf("changed to %s", r.Raw)
		}
		call(t, w, w.Notes, http.MethodPatch, "/roles/nobody", object{"default": true}).Want(t, http.StatusNotFound)
		call(t, w, w.Notes, http.MethodDelete, "/roles/editor", nil).Want(t, http.StatusOK)
		call(t, w, w.Notes, http.MethodDelete, "/roles/editor", nil).Want(t, http.StatusNotFound)
		if got := names(call(t, w, w.Shop, http.MethodGet, "/roles", nil)); !slices.Equal(got, []string{"editor"}) {
			t.Errorf("Shop has %v", got)
		}
	})
}

func TestBadRolesAreRefused(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for _, c := range []struct {
		body  object
		field string
	}{
		{object{"name": "Editor"}, "name"},
		{object{"name": ""}, "name"},
		{object{"name": "a b"}, "name"},
		{object{"name": strings.Repeat("a", 65)}, "name"},
		{object{"name": "a", "permissions": []string{"a b"}}, "permissions"},
		{object{"name": "a", "permissions": []string{"x", "x"}}, "permissions"},
		{object{"name": "a", "description": "a\u0000"}, "description"},
		{object{"name": "a", "default": "yes"}, "default"},
		{object{"name": "a", "site_id": w.Shop.Site.ID}, "site_id"},
	} {
		r := call(t, w, w.Notes, http.MethodPost, "/roles", c.body).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		if !strings.HasPrefix(r.Text("detail"), c.field) {
			t.Errorf("%v: %s", c.body, r.Raw)
		}
	}
	for i := range otl.MaxRoles {
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": fmt.Sprint("r", i)}).Want(t, http.StatusCreated)
	}
	call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "one-more"}).Want(t, http.StatusUnprocessableEntity)
}

func TestARoleIsInTheTokensOfItsSiteOnly(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "editor"}).Want(t, http.StatusCreated)
		old := w.Login(t, w.Notes, "jane@dev.test")
		for range 2 { // twice is once
			r := call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": "editor"}).Want(t, http.StatusOK)
			if fmt.Sprint(r.JSON["roles"]) != "[editor]" {
				t.Errorf("got %s", r.Raw)
			}
		}
		renewed := w.Refresh(t, w.Notes, old.Text("refresh_token")).Want(t, http.StatusOK).Text("access_token")
		shop := w.Login(t, w.Shop, "jane@dev.test").Text("access_token")
		if got := [][]string{rolesIn(t, old.Text("access_token")), rolesIn(t, renewed), rolesIn(t, shop)}; len(got[0]) != 0 || !slices.Equal(got[1], []string{"editor"}) || len(got[2]) != 0 {
			t.Errorf("tokens before, after and elsewhere name %v", got)
		}
		me := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: renewed}).Want(t, http.StatusOK)
		seen := call(t, w, w.Notes, http.MethodPost, "/auth/introspect", object{"token": old.Text("access_token")}).Want(t, http.StatusOK)
		if fmt.Sprint(me.JSON["roles"]) != "[editor]" || fmt.Sprint(seen.JSON["roles"]) != "[editor]" {
			t.Errorf("me %s, introspection %s", me.Raw, seen.Raw)
		}
		call(t, w, w.Shop, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": "editor"}).Want(t, http.StatusNotFound) // not a role of Shop
		r := call(t, w, w.Notes, http.MethodDelete, "/users/"+jane.ID+"/roles/editor", nil).Want(t, http.StatusOK)
		if fmt.Sprint(r.JSON["roles"]) != "[]" {
			t.Errorf("left are %s", r.Raw)
		}
		call(t, w, w.Notes, http.MethodDelete, "/users/"+jane.ID+"/roles/editor", nil).Want(t, http.StatusNotFound)
	})
}

func TestDefaultRolesAndDeletedOnes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "reader", "default": true}).Want(t, http.StatusCreated)
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "other"}).Want(t, http.StatusCreated)
		w.Person(t, "joins@dev.test")
		registered := call(t, w, w.Notes, http.MethodPost, "/auth/register", object{"email": "new@dev.test", "password": otltest.Password}).Want(t, http.StatusCreated)
		created := call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "added@dev.test"}).Want(t, http.StatusCreated)
		for name, got := range map[string][]string{
			"by registering": rolesIn(t, registered.Text("access_token")), "by signing in": rolesIn(t, w.Login(t, w.Notes, "joins@dev.test").Text("access_token")),
			"by the site": strings.Fields(strings.Trim(fmt.Sprint(created.JSON["roles"]), "[]")),
		} {
			if !slices.Equal(got, []string{"reader"}) {
				t.Errorf("who joins %s is %v", name, got)
			}
		}
		call(t, w, w.Notes, http.MethodDelete, "/roles/reader", nil).Want(t, http.StatusOK)
		for _, u := range list(call(t, w, w.Notes, http.MethodGet, "/users", nil)) {
			if fmt.Sprint(u["roles"]) != "[]" {
				t.Errorf("%v keeps %v", u["email"], u["roles"])
			}
		}
	})
}

// TestTheAdminRoleAssignsAtItsSiteOnly: contract 1.6 lets a person with the role
// admin assign roles with his own token.
func TestTheAdminRoleAssignsAtItsSiteOnly(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		boss, jane := w.Person(t, "boss@dev.test", w.Notes.Site, w.Shop.Site), w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		for _, s := range []site.Registered{w.Notes, w.Shop} {
			for _, name := range []string{"admin", "editor"} {
				call(t, w, s, http.MethodPost, "/roles", object{"name": name}).Want(t, http.StatusCreated)
			}
		}
		assign := func(access string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/users/" + jane.ID + "/roles", Bearer: access, Body: object{"role": "editor"}})
		}
		notes, shop := w.Login(t, w.Notes, "boss@dev.test").Text("access_token"), w.Login(t, w.Shop, "boss@dev.test").Text("access_token")
		assign(notes).Want(t, http.StatusForbidden, "role_missing")
		call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": boss.ID, "role": "admin"}).Want(t, http.StatusOK)
		assign(notes).Want(t, http.StatusOK) // what he is now decides, not what the token said
		assign(shop).Want(t, http.StatusForbidden, "role_missing")
		w.Do(t, otltest.Call{Path: "/api/v1/roles", Bearer: notes, Body: object{"name": "x"}}).Want(t, http.StatusUnauthorized)
		own, err := w.SignIn.Admin(t.Context(), boss.ID, w.Installation.SiteID)
		if err != nil {
			t.Fatal(err)
		}
		assign(own.Access.Reveal()).Want(t, http.StatusForbidden, "role_missing")
	})
}

// TestParallelAssignmentsAllCount: each of many assignments to one person is in
// the end there.
func TestParallelAssignmentsAllCount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		var wg sync.WaitGroup
		for i := range otl.MaxUserRoles {
			call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": fmt.Sprint("r", i)}).Want(t, http.StatusCreated)
			wg.Go(func() {
				r := call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": fmt.Sprint("r", i)})
				if r.Status != http.StatusOK {
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		wg.Wait()
		if got := call(t, w, w.Notes, http.MethodGet, "/users/"+jane.ID, nil).JSON["roles"].([]any); len(got) != otl.MaxUserRoles {
			t.Errorf("%d of %d: %v", len(got), otl.MaxUserRoles, got)
		}
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "beyond"}).Want(t, http.StatusCreated)
		call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": "beyond"}).Want(t, http.StatusUnprocessableEntity)
	})
}
