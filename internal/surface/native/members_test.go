package native_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// call is a request with the key of a site.
func call(t *testing.T, w *otltest.World, s site.Registered, method, path string, body any) otltest.Reply {
	t.Helper()
	return w.Do(t, otltest.Call{Method: method, Path: "/api/v1" + path, Key: s.Key, Body: body})
}

type object = map[string]any

func list(r otltest.Reply) (out []object) {
	all, _ := r.JSON["data"].([]any)
	for _, one := range all {
		out = append(out, one.(object))
	}
	return out
}

func names(r otltest.Reply) (out []string) {
	for _, one := range list(r) {
		name, _ := one["name"].(string)
		out = append(out, name)
	}
	return out
}

func TestUsersOfASite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, name := range []string{"Ada Ång", "Ben 100%_sure", "Cleo"} {
			r := call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "p" + strconv.Itoa(i) + "@dev.test", "name": name}).Want(t, http.StatusCreated)
			if r.Text("name") != name || r.JSON["last_login_at"] != nil || r.JSON["phone"] != nil || r.Header.Get("ETag") != `"1"` {
				t.Errorf("created %s", r.Raw)
			}
		}
		call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "P0@dev.test"}).Want(t, http.StatusConflict, "email_taken")
		call(t, w, w.Shop, http.MethodPost, "/users", object{"email": "shopper@dev.test", "name": "Ada Shopper"}).Want(t, http.StatusCreated)
		for query, want := range map[string]int{
			"": 3, "?q=ada": 1, "?q=ÅNG": 1, "?q=100%25_": 1, "?q=%25": 1, "?q=_": 1, "?q=p": 3, "?q=dev.test": 0, "?email=P1@DEV.test": 1,
			"?email=shopper@dev.test": 0, "?q=shopper": 0, "?email=nobody@dev.test": 0,
		} {
			if r := call(t, w, w.Notes, http.MethodGet, "/users"+query, nil).Want(t, http.StatusOK); len(list(r)) != want {
				t.Errorf("%q finds %v, want %d", query, names(r), want)
			}
		}
		for _, query := range []string{"?email=x", "?limit=0x", "?limit=201", "?q=%00", "?cursor=x", "?sort=name"} {
			if r := call(t, w, w.Notes, http.MethodGet, "/users"+query, nil); r.Status/100 != 4 {
				t.Errorf("%q: %d", query, r.Status)
			}
		}
	})
}

func TestUsersPageByPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i := range 5 {
			w.Person(t, "p"+strconv.Itoa(i)+"@dev.test", w.Notes.Site)
		}
		seen, cursor := map[any]bool{}, ""
		for range 3 {
			r := call(t, w, w.Notes, http.MethodGet, "/users?limit=2&cursor="+url.QueryEscape(cursor), nil).Want(t, http.StatusOK)
			for _, u := range list(r) {
				seen[u["id"]] = true
			}
			cursor = r.Text("next_cursor")
			if cursor != "" { // HT-13: a cursor belongs to its list and its site
				call(t, w, w.Shop, http.MethodGet, "/users?cursor="+cursor, nil).Want(t, http.StatusBadRequest, "bad_cursor")
				call(t, w, w.Notes, http.MethodGet, "/users?q=p&cursor="+cursor, nil).Want(t, http.StatusBadRequest, "bad_cursor")
			}
		}
		if len(seen) != 5 || cursor != "" {
			t.Errorf("%d people on three pages, then %q", len(seen), cursor)
		}
	})
}

// TestSearchLooksAtGrantedFieldsOnly: a site cannot find out by searching what
// it may not see (TE-02).
func TestTE02_SearchLooksAtGrantedFieldsOnly(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "secret@dev.test", "name": "Ada", "fields": []string{"name"}}).Want(t, http.StatusCreated)
		for query, want := range map[string]int{"?email=secret@dev.test": 0, "?q=secret": 0, "?q=ada": 1} {
			r := call(t, w, w.Notes, http.MethodGet, "/users"+query, nil).Want(t, http.StatusOK)
			if len(list(r)) != want {
				t.Errorf("%s finds %d", query, len(list(r)))
			}
			for _, u := range list(r) {
				if u["email"] != nil || u["email_verified"] != nil {
					t.Errorf("the site sees %v", u)
				}
			}
		}
	})
}

func TestOneUser(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		john := w.Person(t, "john@dev.test", w.Shop.Site)
		path := "/users/" + jane.ID
		r := call(t, w, w.Notes, http.MethodGet, path, nil).Want(t, http.StatusOK)
		if r.Text("email") != "jane@dev.test" {
			t.Errorf("got %s", r.Raw)
		}
		r = call(t, w, w.Notes, http.MethodPatch, path, object{"name": "Jane Roe", "version": 1}).Want(t, http.StatusOK)
		if r.Text("name") != "Jane Roe" || r.JSON["version"] != 2.0 || r.Header.Get("ETag") != `"2"` {
			t.Errorf("changed to %s", r.Raw)
		}
		if r := call(t, w, w.Shop, http.MethodGet, path, nil); r.Text("name") != "Jane Roe" {
			t.Errorf("Shop sees %s", r.Raw) // one profile in the whole network
		}
		call(t, w, w.Notes, http.MethodPut, path, object{"name": "Late", "version": 1}).Want(t, http.StatusConflict, "version_conflict")
		call(t, w, w.Notes, http.MethodPatch, path, object{"phone": "+491705550100", "version": 2}).Want(t, http.StatusForbidden, "consent_required")
		call(t, w, w.Notes, http.MethodPatch, path, object{"name": "x"}).Want(t, http.StatusUnprocessableEntity)

		access := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		own := w.Do(t, otltest.Call{Path: "/api" + path, Bearer: access}).Want(t, http.StatusOK)
		if own.JSON["last_login_at"] == nil {
			t.Errorf("after signing in: %s", own.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/" + john.ID, Bearer: access}).Want(t, http.StatusNotFound, "not_found")
		if r := call(t, w, w.Shop, http.MethodGet, path, nil); r.JSON["last_login_at"] != nil {
			t.Errorf("Shop sees when she signed in at Notes: %s", r.Raw) // TE-11
		}
	})
}

func TestTE01_UsersOfOthersAreUnknown(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		john := w.Person(t, "john@dev.test", w.Shop.Site)
		for _, id := range []string{john.ID, secret.NewID(w.Clock.Now()), "x", "%00", "..%2F", "me2"} {
			for _, c := range []struct {
				method, path string
				body         any
			}{
				{http.MethodGet, "/users/" + id, nil},
				{http.MethodPatch, "/users/" + id, object{"name": "x", "version": 1}},
				{http.MethodDelete, "/users/" + id, nil},
				{http.MethodPost, "/users/" + id + "/roles", object{"role": "editor"}},
				{http.MethodDelete, "/users/" + id + "/roles/editor", nil},
			} {
				r := call(t, w, w.Notes, c.method, c.path, c.body)
				if r.Status != http.StatusNotFound || r.Text("detail") == "" {
					t.Errorf("%s %s: %d %s", c.method, c.path, r.Status, r.Raw)
				}
			}
		}
	})
}

func TestD2_LeavingASite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		login, shop := w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Shop, "jane@dev.test")
		r := w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/users/" + jane.ID, Bearer: login.Text("access_token")}).Want(t, http.StatusOK)
		if r.JSON["deleted"] != true {
			t.Errorf("got %s", r.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: login.Text("access_token")}).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Notes, login.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		call(t, w, w.Notes, http.MethodGet, "/users/"+jane.ID, nil).Want(t, http.StatusNotFound)
		call(t, w, w.Notes, http.MethodDelete, "/users/"+jane.ID, nil).Want(t, http.StatusNotFound)
		w.Refresh(t, w.Shop, shop.Text("refresh_token")).Want(t, http.StatusOK) // elsewhere she goes on
		w.Login(t, w.Notes, "jane@dev.test")                                    // and she may come back
		call(t, w, w.Notes, http.MethodDelete, "/users/"+jane.ID, nil).Want(t, http.StatusOK)
	})
}

func TestD2_DeletingThePersonNeedsAFirstPartyToken(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		shop := w.Login(t, w.Notes, "jane@dev.test")
		own, err := w.SignIn.Admin(t.Context(), jane.ID, w.Installation.SiteID)
		if err != nil {
			t.Fatal(err)
		}
		w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/users/" + jane.ID, Bearer: own.Access.Reveal()}).Want(t, http.StatusOK)
		w.Refresh(t, w.Notes, shop.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).
			Want(t, http.StatusUnauthorized, "invalid_credentials")
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: own.Access.Reveal()}).Want(t, http.StatusUnauthorized)
		if again := w.Person(t, "jane@dev.test"); again.ID == jane.ID {
			t.Error("an id was used again") // TE-08
		}
	})
}
