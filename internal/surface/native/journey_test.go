package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// members fails the test unless an object has exactly these members.
func wantMembers(t *testing.T, what string, o object, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, ok := o[n]; !ok {
			t.Errorf("%s has no member %q: %v", what, n, o)
		}
	}
	if len(o) != len(names) {
		t.Errorf("%s has %d members, want %d: %v", what, len(o), len(names), o)
	}
}

// TestTheMainJob goes the way of the quickstart on both path forms: register,
// sign in, refresh, list, revoke, and be refused at the next call.
func TestTheMainJob(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"/api/v1", "/api"} {
		t.Run(strings.ReplaceAll(base, "/", "_"), func(t *testing.T) {
			otltest.Each(t, func(t *testing.T, w *otltest.World) { mainJob(t, w, base) })
		})
	}
}

func mainJob(t *testing.T, w *otltest.World, base string) {
	do := func(method, path, bearer string, body any) otltest.Reply {
		c := otltest.Call{Method: method, Path: base + path, Bearer: bearer, Body: body}
		if strings.HasPrefix(path, "/auth/") {
			c.Key = w.Notes.Key
		}
		return w.Do(t, c)
	}
	credentials := object{"email": "Jane.Doe@Dev.Test", "password": "correct-horse-7"}
	registered := do(http.MethodPost, "/auth/register", "", object{"email": "jane.doe@dev.test", "password": "correct-horse-7", "name": "Jane Doe"}).
		Want(t, http.StatusCreated)
	wantMembers(t, "register", registered.JSON, "access_token", "refresh_token", "token_type", "expires_in", "user")
	login := do(http.MethodPost, "/auth/login", "", credentials).Want(t, http.StatusOK)
	wantMembers(t, "login", login.JSON, "access_token", "refresh_token", "token_type", "expires_in", "user")
	wantMembers(t, "user", login.JSON["user"].(object), "id", "email", "name")
	if login.JSON["expires_in"] != 1800.0 || login.Text("token_type") != "Bearer" || login.Text("user", "name") != "Jane Doe" ||
		login.Text("user", "id") != registered.Text("user", "id") || login.Text("user", "email") != "jane.doe@dev.test" {
		t.Errorf("login answers %s", login.Raw)
	}
	access := login.Text("access_token")
	me := do(http.MethodGet, "/users/me", access, nil).Want(t, http.StatusOK)
	wantMembers(t, "me", me.JSON, "id", "email", "email_verified", "name", "display_name", "username", "phone", "phone_verified", "picture", "locale", "preferences",
		"roles", "version", "created_at", "updated_at", "last_login_at", "disabled")
	if me.JSON["phone"] != nil || me.Text("name") != "Jane Doe" || me.Text("created_at") != w.Clock.Now().Format(time.RFC3339) {
		t.Errorf("me is %s", me.Raw)
	}

	renewed := do(http.MethodPost, "/auth/refresh", "", object{"refresh_token": login.Text("refresh_token")}).Want(t, http.StatusOK)
	if renewed.Text("refresh_token") == login.Text("refresh_token") || renewed.Text("user", "id") != me.Text("id") {
		t.Errorf("refresh answers %s", renewed.Raw)
	}
	sessions := do(http.MethodGet, "/sessions", access, nil).Want(t, http.StatusOK)
	all := list(sessions)
	if len(all) != 2 || all[0]["current"] == all[1]["current"] || sessions.JSON["next_cursor"] != nil {
		t.Fatalf("sessions are %s", sessions.Raw)
	}
	current := all[0]
	if current["current"] != true { // ids of one millisecond are in no order
		current = all[1]
	}
	wantMembers(t, "session", current, "id", "user_id", "site_id", "created_at", "last_seen_at", "expires_at", "ip", "user_agent", "amr", "current")

	revoked := do(http.MethodDelete, "/sessions/"+current["id"].(string), access, nil).Want(t, http.StatusOK)
	wantMembers(t, "revoked", revoked.JSON, "revoked", "session_version")
	if revoked.JSON["revoked"] != true || revoked.JSON["session_version"] != 2.0 {
		t.Errorf("revoke answers %s", revoked.Raw)
	}
	do(http.MethodGet, "/users/me", access, nil).Want(t, http.StatusUnauthorized, "session_revoked")
	do(http.MethodGet, "/users/me", renewed.Text("access_token"), nil).Want(t, http.StatusUnauthorized, "session_revoked")
	do(http.MethodPost, "/auth/refresh", "", object{"refresh_token": renewed.Text("refresh_token")}).Want(t, http.StatusUnauthorized, "session_revoked")
	do(http.MethodGet, "/users/me", registered.Text("access_token"), nil).Want(t, http.StatusUnauthorized, "session_version_stale")
	fresh := do(http.MethodPost, "/auth/refresh", "", object{"refresh_token": registered.Text("refresh_token")}).Want(t, http.StatusOK)
	do(http.MethodGet, "/users/me", fresh.Text("access_token"), nil).Want(t, http.StatusOK)

	out := do(http.MethodPost, "/auth/logout", fresh.Text("access_token"), nil).Want(t, http.StatusOK)
	if out.JSON["session_version"] != 3.0 {
		t.Errorf("logout answers %s", out.Raw)
	}
	do(http.MethodPost, "/auth/logout", fresh.Text("access_token"), nil).Want(t, http.StatusUnauthorized)
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		login := w.Login(t, w.Notes, "jane@dev.test")
		ask := func(key secret.Text, token string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: key, Body: object{"token": token}}).Want(t, http.StatusOK)
		}
		r := ask(w.Notes.Key, login.Text("access_token"))
		if r.JSON["active"] != true || r.Text("sub") != jane.ID || r.Text("aud") != w.Notes.Site.ID || r.JSON["session_version"] != 1.0 || r.Text("iss") != otltest.Issuer {
			t.Errorf("got %s", r.Raw)
		}
		for what, r := range map[string]otltest.Reply{
			"another site": ask(w.Shop.Key, login.Text("access_token")), "nonsense": ask(w.Notes.Key, "x.y.z"), "a refresh token": ask(w.Notes.Key, login.Text("refresh_token")),
		} {
			if string(r.Raw) != "{\"active\":false}\n" {
				t.Errorf("%s: %s", what, r.Raw)
			}
		}
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/logout", Key: w.Notes.Key, Bearer: login.Text("access_token")}).Want(t, http.StatusOK)
		if r := ask(w.Notes.Key, login.Text("access_token")); r.JSON["active"] != false {
			t.Errorf("after the logout: %s", r.Raw)
		}
	})
}

func TestProfile(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		r := call(t, w, w.Notes, http.MethodPost, "/auth/register", object{
			"email": "jane@dev.test", "password": "correct-horse-7", "name": "Jane", "phone": "+491705550100", "locale": "pt-BR",
			"picture": "https://cdn.test/jane.png", "display_name": "JD", "preferences": object{"theme": "dark"},
		}).Want(t, http.StatusCreated)
		bearer := r.Text("access_token")
		patch := func(body object, ifMatch string) otltest.Reply {
			c := otltest.Call{Method: http.MethodPatch, Path: "/api/v1/users/me", Bearer: bearer, Body: body}
			if ifMatch != "" {
				c.Headers = map[string]string{"If-Match": ifMatch}
			}
			return w.Do(t, c)
		}
		me := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: bearer}).Want(t, http.StatusOK)
		if me.Header.Get("ETag") != `"1"` || me.Text("preferences", "theme") != "dark" || me.Text("locale") != "pt-BR" || me.JSON["phone_verified"] != false {
			t.Errorf("registered as %s", me.Raw)
		}
		if r := patch(object{"name": "", "preferences": object{}, "version": 1}, "").Want(t, http.StatusOK); r.Text("name") != "" || r.Text("display_name") != "JD" {
			t.Errorf("emptied: %s", r.Raw)
		}
		patch(object{"name": "Late", "version": 1}, "").Want(t, http.StatusConflict, "version_conflict")
		patch(object{"name": "Late"}, `"1"`).Want(t, http.StatusConflict, "version_conflict")
		patch(object{"name": "Jane Roe"}, `"2"`).Want(t, http.StatusOK)
		if r := patch(object{"version": 3}, "").Want(t, http.StatusOK); r.JSON["version"] != 3.0 {
			t.Errorf("nothing changed: %s", r.Raw)
		}
		for _, bad := range []struct {
			body    object
			ifMatch string
		}{
			{object{"name": "x"}, ""},
			{object{"name": "x"}, "3"},
			{object{"name": "x"}, `W/"3"`},
			{object{"name": "x"}, `"3", "4"`},
			{object{"name": "x"}, "*"},
			{object{"name": "x", "version": 2}, `"3"`},
			{object{"name": "x", "version": 0}, ""},
			{object{"email": "new@dev.test", "version": 3}, ""},
			{object{"phone": "170", "version": 3}, ""},
			{object{"picture": "http://x", "version": 3}, ""},
			{object{"locale": "x", "version": 3}, ""},
			{object{"preferences": []string{}, "version": 3}, ""},
			{object{"preferences": object{"a": strings.Repeat("x", 9000)}, "version": 3}, ""},
			{object{"name": strings.Repeat("x", 201), "version": 3}, ""},
			{object{"name": "a\u202eb", "version": 3}, ""},
		} {
			patch(bad.body, bad.ifMatch).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		}
		if me := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: bearer}); me.JSON["version"] != 3.0 || me.Text("name") != "Jane Roe" {
			t.Errorf("bad input changed the profile to %s", me.Raw)
		}
	})
}

// owner opens a first-party session for a person.
func owner(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	u := w.Person(t, email)
	tokens, err := w.SignIn.Admin(t.Context(), u.ID, w.Installation.SiteID)
	if err != nil {
		t.Fatal(err)
	}
	return tokens.Access.Reveal()
}

func TestSites(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		register := func(bearer string, body object) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/sites", Bearer: bearer, Body: body})
		}
		good := object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb", "region": "eu", "requested_fields": []string{"email", "phone"}}
		r := register(bearer, good).Want(t, http.StatusCreated)
		wantMembers(t, "site", r.JSON, "id", "name", "mfa_policy", "trust_days", "sign_in_ways", "slug", "domain", "region", "relation", "callback_urls", "requested_fields", "version", "created_at", "site_key")
		if !strings.HasPrefix(r.Text("site_key"), "otr_") || len(r.Text("site_key")) != 44 || r.Text("slug") != "acme" || r.Text("relation") != "owner" {
			t.Errorf("registered %s", r.Raw)
		}
		w.Clock.Advance(time.Millisecond) // lists are in the order of time
		again := register(bearer, good).Want(t, http.StatusCreated)
		if again.Text("slug") != "acme-2" {
			t.Errorf("the second is %s", again.Raw)
		}
		sites := w.Do(t, otltest.Call{Path: "/api/v1/sites?limit=1", Bearer: bearer}).Want(t, http.StatusOK)
		if got := names(sites); fmt.Sprint(got) != "[Acme]" || strings.Contains(string(sites.Raw), "otr_") {
			t.Errorf("his sites are %s", sites.Raw)
		}
		more := w.Do(t, otltest.Call{Path: "/api/v1/sites?cursor=" + sites.Text("next_cursor"), Bearer: bearer}).Want(t, http.StatusOK)
		if len(list(more)) != 1 || list(more)[0]["id"] != again.Text("id") {
			t.Errorf("the next page is %s", more.Raw)
		}
		for _, bad := range []struct{ member, value string }{
			{"callback_url", "http://acme.test/cb"}, {"callback_url", "https://a.test/#x"}, {"domain", "a b"}, {"region", "mars"}, {"name", ""},
		} {
			body := object{}
			for k, v := range good {
				body[k] = v
			}
			body[bad.member] = bad.value
			if r := register(bearer, body).Want(t, http.StatusUnprocessableEntity); !strings.HasPrefix(r.Text("detail"), bad.member) {
				t.Errorf("%v: %s", bad, r.Raw)
			}
		}
		w.Person(t, "jane@dev.test", w.Notes.Site)
		register(w.Login(t, w.Notes, "jane@dev.test").Text("access_token"), good).Want(t, http.StatusForbidden, "role_missing")
		w.Clock.Advance(15*time.Minute + time.Second)
		register(bearer, good).Want(t, http.StatusUnauthorized, "reauthentication_required")
	})
}

// TestTE11_ASiteLearnsOfNoOther: with the token of a site, the list of sites is
// that site.
func TestTE11_ASiteLearnsOfNoOther(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		shop := w.Login(t, w.Shop, "jane@dev.test")
		access := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		sites := list(w.Do(t, otltest.Call{Path: "/api/v1/sites", Bearer: access}).Want(t, http.StatusOK))
		if len(sites) != 1 || sites[0]["id"] != w.Notes.Site.ID || sites[0]["relation"] != "member" {
			t.Errorf("she is shown %v", sites)
		}
		wantMembers(t, "site", sites[0], "id", "name", "slug", "domain", "region", "relation", "granted_fields")
		if got := list(w.Do(t, otltest.Call{Path: "/api/v1/sessions", Bearer: access}).Want(t, http.StatusOK)); len(got) != 1 {
			t.Errorf("her sessions are %v", got)
		}
		other := list(w.Do(t, otltest.Call{Path: "/api/v1/sessions", Bearer: shop.Text("access_token")}).Want(t, http.StatusOK))[0]["id"].(string)
		unknown := w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + secret.NewID(w.Clock.Now()), Bearer: access}).Want(t, http.StatusNotFound)
		foreign := w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + other, Bearer: access}).Want(t, http.StatusNotFound)
		if a, b := without(unknown), without(foreign); a != b { // TE-01
			t.Errorf("unknown: %s\nforeign: %s", a, b)
		}
		byKey := w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + other, Key: w.Notes.Key}).Want(t, http.StatusNotFound)
		if without(byKey) != without(unknown) {
			t.Errorf("by key: %s", byKey.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: shop.Text("access_token")}).Want(t, http.StatusOK)
	})
}

// without gives an answer without its request id.
func without(r otltest.Reply) string {
	return strings.ReplaceAll(string(r.Raw), r.Text("request_id"), "")
}
