package native_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// ownSite registers a site with an owner's token.
func ownSite(t *testing.T, w *otltest.World, bearer string) otltest.Reply {
	t.Helper()
	return w.Do(t, otltest.Call{Path: "/api/v1/sites", Bearer: bearer, Body: object{
		"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb",
	}}).Want(t, http.StatusCreated)
}

// as sends calls with one token.
func as(t *testing.T, w *otltest.World, bearer string) func(method, path string, body any) otltest.Reply {
	return func(method, path string, body any) otltest.Reply {
		t.Helper()
		return w.Do(t, otltest.Call{Method: method, Path: "/api/v1" + path, Bearer: bearer, Body: body})
	}
}

func TestASiteIsChangedByItsOwner(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		path := "/sites/" + ownSite(t, w, bearer).Text("id")
		r := do(http.MethodGet, path, nil).Want(t, http.StatusOK)
		if r.Header.Get("ETag") != `"1"` || r.Text("name") != "Acme" {
			t.Errorf("%s %s", r.Header.Get("ETag"), r.Raw)
		}
		r = do(http.MethodPatch, path, object{
			"version": 1, "name": "Acme Notes", "region": "us", "callback_urls": []string{"https://b.test/", "https://a.test/", "https://b.test/"},
			"allowed_origins": []string{"https://acme.test", "http://localhost:3000"}, "requested_fields": []string{"phone", "email"},
		}).Want(t, http.StatusOK)
		if r.Header.Get("ETag") != `"2"` || r.Text("name") != "Acme Notes" || r.Text("region") != "us" || r.Text("domain") != "acme.test" ||
			!slices.Equal(r.JSON["callback_urls"].([]any), []any{"https://a.test/", "https://b.test/"}) ||
			!slices.Equal(r.JSON["allowed_origins"].([]any), []any{"http://localhost:3000", "https://acme.test"}) ||
			!slices.Equal(r.JSON["requested_fields"].([]any), []any{"email", "phone"}) {
			t.Errorf("%s", r.Raw)
		}
		do(http.MethodPatch, path, object{"version": 1, "name": "Late"}).Want(t, http.StatusConflict, "version_conflict")
		do(http.MethodPatch, path, object{"name": "Blind"}).Want(t, http.StatusUnprocessableEntity)
		bad := do(http.MethodPut, path, object{"version": 2, "callback_urls": []string{"https://a.test/", "http://a.test/"}, "allowed_origins": []string{"https://a.test/path"}}).
			Want(t, http.StatusUnprocessableEntity, "validation_failed")
		if all := bad.JSON["errors"].([]any); len(all) != 2 || all[0].(map[string]any)["field"] != "callback_urls.1" || all[1].(map[string]any)["field"] != "allowed_origins.0" {
			t.Errorf("%s", bad.Raw)
		}
		if same := do(http.MethodGet, path, nil); same.Header.Get("ETag") != `"2"` || same.Text("name") != "Acme Notes" {
			t.Errorf("a change that was refused left %s", same.Raw)
		}
		w.Codes.SMS.Numbers = nil // nobody gets any
		for i, one := range []struct{ ways, shut string }{{"sms_code", "of what the site takes (sms_code) nothing works"}, {"sms_code passkey", ""}} {
			r := do(http.MethodPatch, path, object{"version": i + 2, "sign_in_ways": strings.Fields(one.ways)}).Want(t, http.StatusOK)
			if said := r.Text("warning"); (said == "") != (one.shut == "") || !strings.Contains(said, one.shut) {
				t.Errorf("%s: %s", one.ways, r.Raw)
			}
		}
		empty := do(http.MethodPatch, path, object{
			"version": 4, "domain": "", "region": "", "callback_urls": []string{}, "allowed_origins": []string{}, "requested_fields": []string{}, "branding": object{},
		}).Want(t, http.StatusOK)
		for _, member := range []string{"domain", "region", "callback_urls", "allowed_origins", "requested_fields"} {
			if got := empty.JSON[member]; got != nil && got != "" {
				t.Errorf("%s is %v after it was emptied", member, got)
			}
		}
		w.Clock.Advance(16 * time.Minute)
		do(http.MethodPatch, path, object{"version": 2, "name": "x"}).Want(t, http.StatusUnauthorized, "reauthentication_required")
	})
}

// A deleted site is refused at the very next call, and within the grace it can be
// had back.
func TestSE13_ADeletedSiteIsOffAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		made := ownSite(t, w, bearer)
		key, path := secret.NewText(made.Text("site_key")), "/sites/"+made.Text("id")
		s, err := w.Sites.Get(t.Context(), made.Text("id"))
		if err != nil {
			t.Fatal(err)
		}
		acme := site.Registered{Site: s, Key: key}
		w.Person(t, "jane@dev.test", s)
		tokens := w.Login(t, acme, "jane@dev.test")
		me := otltest.Call{Path: "/api/v1/users/me", Bearer: tokens.Text("access_token")}
		w.Do(t, me).Want(t, http.StatusOK)

		until := do(http.MethodDelete, path, nil).Want(t, http.StatusOK).Text("restore_until")
		if at, err := time.Parse(time.RFC3339, until); err != nil || !at.Equal(w.Clock.Now().Add(site.Grace)) {
			t.Errorf("restored until %q", until)
		}
		w.Do(t, me).Want(t, http.StatusUnauthorized)
		w.Refresh(t, acme, tokens.Text("refresh_token")).Want(t, http.StatusUnauthorized, "site_key_unknown")
		do(http.MethodGet, path, nil).Want(t, http.StatusNotFound)
		do(http.MethodDelete, path, nil).Want(t, http.StatusNotFound)
		if left := do(http.MethodGet, "/sites", nil).Items(t); len(left) != 0 {
			t.Errorf("%v", left)
		}

		as(t, w, owner(t, w, "other@dev.test"))(http.MethodPost, path+"/restore", nil).Want(t, http.StatusNotFound)
		do(http.MethodPost, path+"/restore", nil).Want(t, http.StatusOK)
		do(http.MethodPost, path+"/restore", nil).Want(t, http.StatusNotFound)
		w.Do(t, me).Want(t, http.StatusOK)
		w.Refresh(t, acme, tokens.Text("refresh_token")).Want(t, http.StatusOK)

		if _, err := (site.Operator{Sites: w.Sites}).TurnOff(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		do(http.MethodPost, path+"/restore", nil).Want(t, http.StatusForbidden, "site_turned_off")
		w.Do(t, me).Want(t, http.StatusUnauthorized)
		if _, err := (site.Operator{Sites: w.Sites}).TurnOn(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}

		do(http.MethodDelete, path, nil).Want(t, http.StatusOK)
		if err := w.Sites.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.Read.SiteKeys.ByID(t.Context(), s.ID, acme.KeyRow.ID); err == nil {
			t.Error("purged within the grace")
		}
		w.Clock.Advance(site.Grace)
		do = as(t, w, owner2(t, w, "owner@dev.test"))
		do(http.MethodPost, path+"/restore", nil).Want(t, http.StatusNotFound)
		if err := w.Sites.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.Read.SiteKeys.ByID(t.Context(), s.ID, acme.KeyRow.ID); err == nil {
			t.Error("the key is still stored")
		}
		w.Person(t, "joe@dev.test") // and people are as they were
	})
}

// owner2 signs an owner in once more.
func owner2(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := w.SignIn.Admin(t.Context(), u.ID, w.Installation.SiteID)
	if err != nil {
		t.Fatal(err)
	}
	return tokens.Access.Reveal()
}

func TestSR10_KeysAreMadeRolledAndRevoked(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		path := "/sites/" + ownSite(t, w, bearer).Text("id") + "/keys"
		list := func(key string) otltest.Reply {
			t.Helper()
			return w.Do(t, otltest.Call{Path: "/api/v1/users", Key: secret.NewText(key)})
		}
		made := do(http.MethodPost, path, object{"name": "backend", "scopes": []string{"users"}, "expires_at": w.Clock.Now().Add(time.Hour).Format(time.RFC3339)}).Want(t, http.StatusCreated)
		key := made.Text("site_key")
		list(key).Want(t, http.StatusOK)
		w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: secret.NewText(key), Body: object{"token": "x"}}).Want(t, http.StatusForbidden, "scope_missing")
		for _, one := range do(http.MethodGet, path, nil).Items(t) {
			if _, told := one["site_key"]; told || len(one["prefix"].(string)) > 8 {
				t.Errorf("%v", one)
			}
		}
		rolled := do(http.MethodPost, path+"/"+made.Text("id")+"/roll", object{"overlap_seconds": 60}).Want(t, http.StatusCreated)
		if rolled.Text("name") != "backend" || rolled.Text("site_key") == key {
			t.Errorf("%s", rolled.Raw)
		}
		list(key).Want(t, http.StatusOK)
		w.Clock.Advance(time.Minute)
		list(key).Want(t, http.StatusUnauthorized, "site_key_unknown")
		list(rolled.Text("site_key")).Want(t, http.StatusOK)
		do(http.MethodPost, path+"/"+made.Text("id")+"/roll", nil).Want(t, http.StatusNotFound) // it has ended
		do(http.MethodDelete, path+"/"+rolled.Text("id"), nil).Want(t, http.StatusOK)
		do(http.MethodDelete, path+"/"+rolled.Text("id"), nil).Want(t, http.StatusNotFound)
		list(rolled.Text("site_key")).Want(t, http.StatusUnauthorized, "site_key_unknown")
		narrow := do(http.MethodPost, path, object{"name": "signs in"}).Want(t, http.StatusCreated) // nothing more was asked for (D3)
		list(narrow.Text("site_key")).Want(t, http.StatusForbidden, "scope_missing")
		for _, at := range []string{"tomorrow", "2020-01-02T03:04:05Z", w.Clock.Now().Format(time.RFC3339)} {
			do(http.MethodPost, path, object{"name": "x", "expires_at": at}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		}
	})
}

// TestAU01_AClientIsChangedByItsOwner: the members given, and no others; what is wrong is named.
func TestAU01_AClientIsChangedByItsOwner(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		path := "/sites/" + ownSite(t, w, bearer).Text("id") + "/clients"
		made := do(http.MethodPost, path, object{"name": "web", "redirect_uris": []string{"https://acme.test/a"}}).Want(t, http.StatusCreated)
		its := path + "/" + made.Text("id")
		got := do(http.MethodPatch, its, object{"scopes": []string{"auth", "users"}, "link_confirm": "always"}).Want(t, http.StatusOK)
		if got.Text("name") != "web" || fmt.Sprintf("%v %v %v", got.JSON["scopes"], got.JSON["redirect_uris"], got.JSON["link_confirm"]) != "[auth users] [https://acme.test/a] always" || got.JSON["client_secret"] != nil {
			t.Errorf("%s", got.Raw)
		}
		if all := do(http.MethodGet, path, nil).Items(t); fmt.Sprint(all[0]["scopes"]) != "[auth users]" {
			t.Errorf("%v", all)
		}
		for _, on := range []bool{true, false} {
			if got := do(http.MethodPatch, its, object{"allow_signup": on, "auto_create": !on}).Want(t, http.StatusOK); got.JSON["allow_signup"] != on || got.JSON["auto_create"] == on {
				t.Errorf("%s", got.Raw)
			}
		}
		do(http.MethodPatch, its, object{"redirect_uris": []string{"https://acme.test/b", "acme.test"}}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		do(http.MethodPatch, its, object{"auth": "none"}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		do(http.MethodPatch, its, object{"redirect_uris": []string{}}).Want(t, http.StatusOK)
		as(t, w, owner(t, w, "other@dev.test"))(http.MethodPatch, its, object{"name": "mine"}).Want(t, http.StatusNotFound)
	})
}

// Whose pages may read what a person's token opens: those of the token's site.
func TestScriptsCallFromAllowedOrigins(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		id := ownSite(t, w, bearer).Text("id")
		as(t, w, bearer)(http.MethodPatch, "/sites/"+id, object{"version": 1, "allowed_origins": []string{"https://acme.test"}}).Want(t, http.StatusOK)
		s, err := w.Sites.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		jane := w.Person(t, "jane@dev.test", s, w.Notes.Site)
		at := func(siteID string) string {
			tokens, err := w.SignIn.Admin(t.Context(), jane.ID, siteID)
			if err != nil {
				t.Fatal(err)
			}
			return tokens.Access.Reveal()
		}
		const header = "Access-Control-Allow-Origin"
		for name, one := range map[string]struct{ method, path, bearer, origin, want string }{
			"a token of the site":           {http.MethodGet, "/users/me", at(id), "https://acme.test", "https://acme.test"},
			"a token that is no good":       {http.MethodGet, "/users/me", "x", "https://acme.test", "https://acme.test"},
			"a token of another site":       {http.MethodGet, "/users/me", at(w.Notes.Site.ID), "https://acme.test", ""},
			"an owner's token":              {http.MethodGet, "/users/me", bearer, "https://acme.test", ""},
			"an origin nobody allows":       {http.MethodGet, "/users/me", at(id), "https://evil.test", ""},
			"an origin of another scheme":   {http.MethodGet, "/users/me", at(id), "http://acme.test", ""},
			"no origin at all":              {http.MethodGet, "/users/me", at(id), "null", ""},
			"what begins like it":           {http.MethodGet, "/users/me", at(id), "https://acme.test.evil.test", ""},
			"what owners do":                {http.MethodGet, "/sites/" + id + "/keys", bearer, "https://acme.test", ""},
			"what needs a site key":         {http.MethodPost, "/auth/login", "", "https://acme.test", ""},
			"the question before":           {http.MethodOptions, "/users/me", "", "https://acme.test", "https://acme.test"},
			"the question of a stranger":    {http.MethodOptions, "/users/me", "", "https://evil.test", ""},
			"the question before a sign-in": {http.MethodOptions, "/auth/login", "", "https://acme.test", ""},
		} {
			r := w.Do(t, otltest.Call{Method: one.method, Path: "/api/v1" + one.path, Bearer: one.bearer, Headers: map[string]string{"Origin": one.origin}})
			if got := r.Header.Get(header); got != one.want || r.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %q, want %q", name, got, one.want)
			}
			if one.want != "" && r.Header.Get("Vary") != "Origin" {
				t.Errorf("%s may be cached for another origin", name)
			}
		}
		asked := w.Do(t, otltest.Call{Method: http.MethodOptions, Path: "/api/users/me", Headers: map[string]string{"Origin": "https://acme.test"}}).Want(t, http.StatusNoContent)
		if got := asked.Header.Get("Access-Control-Allow-Methods"); got != "GET, PATCH, PUT" {
			t.Errorf("allowed methods %q", got)
		}
	})
}
