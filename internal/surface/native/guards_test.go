package native_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestPW16_AResetIsForOneAddress: whatever else an address is sent as is refused, and nobody
// gets a mail.
func TestPW16_AResetIsForOneAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		ask := otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/password/forgot", Key: w.Notes.Key}
		for _, body := range []string{
			`{"email":["jane@dev.test","mallory@dev.test"]}`, `{"email":["jane@dev.test"]}`, `{"email":{"0":"jane@dev.test"}}`, `{"email":"jane@dev.test,mallory@dev.test"}`,
			`{"email":"jane@dev.test mallory@dev.test"}`, `{"email":"jane@dev.test\nmallory@dev.test"}`, `{"email":"jane@dev.test","email":"mallory@dev.test"}`,
			`{"email":"jane@dev.test","cc":"mallory@dev.test"}`, `{"email":"jane@dev.test","to":["mallory@dev.test"]}`, `{"email":"<mallory@dev.test>jane@dev.test"}`,
			`email=jane@dev.test&email=mallory@dev.test`, `[{"email":"jane@dev.test"}]`, `{"email":null}`, `{}`,
		} {
			ask.Body = body
			if r := w.Do(t, ask); r.Status != http.StatusUnprocessableEntity && r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", body, r.Status, r.Raw)
			}
		}
		ask.Path, ask.Body = ask.Path+"?email=mallory@dev.test", object{"email": "jane@dev.test"}
		w.Do(t, ask).Want(t, http.StatusUnprocessableEntity)
		if all := w.Letters(t, ""); len(all) != 0 {
			t.Errorf("%+v", all)
		}
		// What is typed finds a person, and the mail goes to the address he has on record.
		call(t, w, w.Notes, http.MethodPost, "/auth/password/forgot", object{"email": " JANE@DEV.test "}).Want(t, http.StatusAccepted)
		if all := w.Letters(t, ""); len(all) != 1 || all[0].To != "jane@dev.test" {
			t.Errorf("%+v", all)
		}
	})
}

// TestPW17_AResetSignsNobodyIn, ends what was there, and stands in for no second factor.
func TestPW17_AResetSignsNobodyIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		a := arm(t, w, "jane@dev.test", w.Notes.Site)
		w.Proven(t, a.User) // or the reset is the first proof (OT-16)
		in := call(t, w, w.Notes, http.MethodPost, "/auth/mfa/verify", object{"mfa_token": step(t, w, w.Notes, "jane@dev.test"), "code": a.code(w)}).Want(t, http.StatusOK)
		r := reset(t, w, forgot(t, w, "jane@dev.test"), "staple-battery-9").Want(t, http.StatusOK)
		if len(r.JSON) != 1 || len(r.Header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s", r.Raw)
		}
		w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}).Want(t, http.StatusUnauthorized)
		signIn(t, w, "staple-battery-9").Want(t, http.StatusUnauthorized, "mfa_required")
	})
}

// TestPW18_NobodySetsAnothersPassword: a request holds a password only where a person proves it or
// chooses his own, or comes into being with it; no answer ever holds one.
func TestPW18_NobodySetsAnothersPassword(t *testing.T) {
	t.Parallel()
	d := describe(t)
	schemas := registryOf(t, d)
	holds := map[string]bool{}
	for _, o := range d.operations() {
		if o.RequestBody == nil {
			continue
		}
		s := schemaOf(t, o.RequestBody.Content["application/json"].Schema)
		if s.Ref != "" {
			s = schemas[s.Ref]
		}
		for name := range s.Properties {
			if strings.Contains(name, "password") || strings.Contains(name, "hash") {
				holds[o.OperationID+" "+name] = true
			}
		}
	}
	want := []string{"changePassword current_password", "changePassword password", "createUser password", "login password", "register password", "resetPassword password"}
	if got := slices.Sorted(maps.Keys(holds)); !slices.Equal(got, want) {
		t.Errorf("passwords are in the requests %q", got)
	}
	for name, s := range schemas {
		for member := range s.Properties {
			if strings.Contains(member, "password") && s.Properties[member].Type == "string" && !asked(d, name) {
				t.Errorf("%s tells %s", name, member)
			}
		}
	}
}

// asked reports whether a schema is that of a request.
func asked(d document, schema string) bool {
	for _, o := range d.operations() {
		if o.RequestBody != nil && strings.Contains(fmt.Sprint(o.RequestBody.Content["application/json"].Schema), schema+"]") {
			return true
		}
	}
	return false
}

// TestOS08_ASiteKeyIsNotForBrowsers: every call with one that names an origin is refused before
// anything is looked at, and says why.
func TestOS08_ASiteKeyIsNotForBrowsers(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	d, good, tried := describe(t), goodCalls(t, w), 0
	for name, o := range d.operations() {
		c, known := good[o.OperationID]
		if !known || c.Key.Empty() {
			continue
		}
		c.Method, _, _ = strings.Cut(name, " ")
		if c.Path == "" {
			c.Path = strings.TrimPrefix(name, c.Method+" /api/v1")
		}
		c.Path, c.Body = "/api/v1"+c.Path, o.RequestBody.Content["application/json"].Example
		for _, origin := range []string{"https://notes.test", "http://localhost:3000", "null"} {
			c.Headers = map[string]string{"Origin": origin}
			r := w.Do(t, c)
			tried++
			if r.Status != http.StatusForbidden || r.Text("code") != "site_key_in_browser" || !strings.Contains(r.Text("detail"), "server") || r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s from %s: %d %s", o.OperationID, origin, r.Status, r.Raw)
			}
		}
	}
	if tried < 60 {
		t.Errorf("%d calls were tried", tried)
	}
}

// TestDS04_WhatIsCheapComesFirst: of several things that are wrong, the one that costs least to
// find is told, and no password is hashed for a request that anything else is wrong with.
func TestDS04_WhatIsCheapComesFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		narrow, err := w.Sites.CreateKey(t.Context(), w.Notes.Site.ID, site.NewKey{Name: "narrow", Scopes: otl.Scopes{otl.ScopeUsers}})
		if err != nil {
			t.Fatal(err)
		}
		const path, right = "/api/v1/auth/login", `{"email":"jane@dev.test","password":"` + otltest.Password + `"}`
		long := strings.Repeat("x", 20<<10)
		hashed := w.SignIn.Hasher.Pool.Stats().Done
		for i, c := range []struct {
			call   otltest.Call
			status int
			code   string
		}{
			{otltest.Call{Path: path, Body: long, Headers: map[string]string{"Content-Type": "text/plain"}}, http.StatusUnsupportedMediaType, "unsupported_media_type"},
			{otltest.Call{Path: path, Body: long}, http.StatusRequestEntityTooLarge, "body_too_large"},
			{otltest.Call{Path: path + "?x=1", Body: "{"}, http.StatusUnauthorized, "site_key_missing"},
			{otltest.Call{Path: path + "?x=1", Body: "{", Key: narrow.Key}, http.StatusForbidden, "scope_missing"},
			{otltest.Call{Path: path + "?x=1", Body: "{", Key: w.Notes.Key}, http.StatusUnprocessableEntity, "validation_failed"},
			{otltest.Call{Path: path, Body: "{", Key: w.Notes.Key}, http.StatusBadRequest, "malformed_json"},
			{otltest.Call{Path: path, Body: strings.Replace(right, "{", `{"x":1,`, 1), Key: w.Notes.Key}, http.StatusUnprocessableEntity, "validation_failed"},
			{otltest.Call{Path: path, Body: `{"email":"jane@dev.test,","password":"x"}`, Key: w.Notes.Key}, http.StatusUnprocessableEntity, "validation_failed"},
		} {
			c.call.Method = http.MethodPost
			if r := w.Do(t, c.call); r.Status != c.status || r.Text("code") != c.code {
				t.Errorf("%d: %d %s, want %d %s", i, r.Status, r.Raw, c.status, c.code)
			}
		}
		if now := w.SignIn.Hasher.Pool.Stats().Done; now != hashed {
			t.Errorf("%d passwords were hashed", now-hashed)
		}
		n := 0
		for ; n < 100; n++ { // until there were too many
			if r := call(t, w, w.Notes, http.MethodPost, "/auth/login", object{"email": "jane@dev.test", "password": "wrong-horse-7"}); r.Status == http.StatusTooManyRequests {
				break
			}
		}
		hashed = w.SignIn.Hasher.Pool.Stats().Done
		call(t, w, w.Notes, http.MethodPost, "/auth/login", object{"email": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusTooManyRequests)
		if now := w.SignIn.Hasher.Pool.Stats().Done; now != hashed || n == 0 {
			t.Errorf("after %d tries %d passwords were hashed", n, now-hashed)
		}
	}, func(o *node.Options) { o.Limits = true })
}
