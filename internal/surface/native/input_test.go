package native_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to look at the database from outside

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// dump gives every row of every table of a database as text, but for what a
// request may always write.
func dump(t *testing.T, driver, url string) string {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if driver == "pgx" {
		list = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	var lines []string
	for _, table := range column(t, db, list) {
		if table == "rates" || table == "sends" || table == "failures" {
			continue
		}
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			line := table
			for i, v := range values {
				one := *v.(*any)
				if b, ok := one.([]byte); ok {
					one = string(b)
				}
				line += fmt.Sprintf(" %s=%v", names[i], one)
			}
			lines = append(lines, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// seen is a world whose database can be looked at.
type seen struct {
	*otltest.World
	driver, url string
}

func eachSeen(t *testing.T, test func(*testing.T, seen), change ...func(*node.Options)) {
	t.Helper()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			s := seen{driver: "sqlite"}
			if e == otltest.Postgres {
				s.driver = "pgx"
			}
			s.World = otltest.New(t, e, append(change, func(o *node.Options) { s.url = o.Store.URL })...)
			test(t, s)
		})
	}
}

// call is a good request of one operation that the matrix spoils.
func goodCalls(t *testing.T, w *otltest.World) map[string]otltest.Call {
	t.Helper()
	jane := w.Person(t, "jane@dev.test", w.Notes.Site)
	bearer, own := w.Login(t, w.Notes, "jane@dev.test").Text("access_token"), owner(t, w, "owner@dev.test")
	call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": "editor"}).Want(t, http.StatusCreated)
	w.Login(t, w.Notes, "owner@dev.test") // and lets Notes in
	site := "/sites/" + ownSite(t, w, own).Text("id")
	key := w.Do(t, otltest.Call{Path: "/api" + site + "/keys", Bearer: own}).Items(t)[0]["id"].(string)
	client := w.Do(t, otltest.Call{Path: "/api" + site + "/clients", Bearer: own, Body: object{"name": "program"}}).Want(t, http.StatusCreated).Text("id")
	hook := "/webhooks/" + call(t, w, w.Notes, http.MethodPost, "/webhooks", object{"url": "https://notes.test/hook"}).Want(t, http.StatusCreated).Text("id")
	return map[string]otltest.Call{
		"createWebhook": {Key: w.Notes.Key}, "updateWebhook": {Key: w.Notes.Key, Path: hook}, "testWebhook": {Key: w.Notes.Key, Path: hook + "/test"},
		"rotateWebhookSecret": {Key: w.Notes.Key, Path: hook + "/rotate-secret"}, "replayWebhook": {Key: w.Notes.Key, Path: hook + "/replay"}, "triggerEvent": {Key: w.Notes.Key},
		"login": {Key: w.Notes.Key}, "register": {Key: w.Notes.Key}, "refresh": {Key: w.Notes.Key}, "introspect": {Key: w.Notes.Key},
		"logout": {Key: w.Notes.Key, Bearer: bearer}, "limitMySite": {Bearer: own, Path: "/users/me/sites/" + w.Notes.Site.ID}, "updateMe": {Bearer: bearer}, "replaceMe": {Bearer: bearer},
		"sendCode": {Key: w.Notes.Key}, "verifyCode": {Key: w.Notes.Key}, "sendLink": {Key: w.Notes.Key}, "verifyLink": {Key: w.Notes.Key}, "exchangeCode": {Key: w.Notes.Key},
		"verifyFactor": {Key: w.Notes.Key}, "challengeFactor": {Key: w.Notes.Key}, "enrolFactor": {Bearer: own}, "confirmFactor": {Bearer: own},
		"changeFactor":   {Bearer: own, Path: "/auth/mfa/" + jane.ID},
		"forgotPassword": {Key: w.Notes.Key}, "resetPassword": {Key: w.Notes.Key}, "changePassword": {Bearer: home(t, w, jane, "pwd")},
		"registerSite": {Bearer: own}, "createUser": {Key: w.Notes.Key}, "createRole": {Key: w.Notes.Key},
		"updateUser": {Key: w.Notes.Key, Path: "/users/" + jane.ID}, "replaceUser": {Key: w.Notes.Key, Path: "/users/" + jane.ID},
		"updateRole": {Key: w.Notes.Key, Path: "/roles/editor"}, "assignRole": {Key: w.Notes.Key},
		"updateSite": {Bearer: own, Path: site}, "replaceSite": {Bearer: own, Path: site}, "createSiteKey": {Bearer: own, Path: site + "/keys"}, "createClient": {Bearer: own, Path: site + "/clients"},
		"updateClient": {Bearer: own, Path: site + "/clients/" + client},
		"rollSiteKey":  {Bearer: own, Path: site + "/keys/" + key + "/roll"},
		"assignRoleTo": {Key: w.Notes.Key, Path: "/users/" + jane.ID + "/roles"},
	}
}

// serverSide are names of columns and of members only the server sets (TE-09).
var serverSide = []string{
	"id", "user_id", "site_id", "session_version", "email_verified", "phone_verified", "created_at", "updated_at",
	"disabled", "roles", "password_hash", "is_admin", "first_party", "scopes", "last_login_at", "__proto__", "constructor",
}

// TestTE09_BadInputChangesNothing spoils each member of each request in every way,
// and adds each member that only the server sets: a 4xx that names the member,
// and not a row of the database is different.
func TestTE09_BadInputChangesNothing(t *testing.T) {
	t.Parallel()
	eachSeen(t, func(t *testing.T, w seen) {
		d := describe(t)
		good := goodCalls(t, w.World)
		before := dump(t, w.driver, w.url)
		tried := 0
		for name, o := range d.operations() {
			if o.RequestBody == nil {
				continue
			}
			c, known := good[o.OperationID]
			if !known {
				t.Errorf("%s takes a body, and there is no good call of it here", o.OperationID)
				continue
			}
			c.Method, _, _ = strings.Cut(name, " ")
			if c.Path == "" {
				c.Path = strings.TrimPrefix(name, c.Method+" /api/v1")
			}
			c.Path = "/api/v1" + c.Path
			tried += spoil(t, w.World, d, o, c)
		}
		if tried < 300 {
			t.Errorf("only %d bad requests were tried", tried)
		}
		if after := dump(t, w.driver, w.url); after != before {
			t.Errorf("the database changed:\n%s", difference(before, after))
		}
	})
}

func spoil(t *testing.T, w *otltest.World, d document, o described, c otltest.Call) (tried int) {
	media := o.RequestBody.Content["application/json"]
	schema := schemaOf(t, media.Schema)
	if schema.Ref != "" {
		schema = registryOf(t, d)[schema.Ref]
	}
	send := func(member string, value any) {
		body := object{}
		for k, v := range media.Example.(map[string]any) {
			body[k] = v
		}
		body[member] = value
		c.Body = body
		r := w.Do(t, c)
		tried++
		if r.Status/100 != 4 || !strings.Contains(string(r.Raw), member) {
			t.Errorf("%s with %s = %.60v: %d %s", o.OperationID, member, value, r.Status, r.Raw)
		}
		wantFailure(t, r)
	}
	wrong := map[string][]any{
		"string": {nil, 7, true, []string{"a"}, object{"a": 1}, "a\x00b"}, "integer": {nil, "7", true, 1.5, []int{1}, -1},
		"boolean": {nil, "true", 1, []bool{true}}, "array": {nil, "a", object{"a": 1}, []any{1}, []any{nil}}, "object": {nil, "a", 1, []any{1}},
	}
	for member, p := range schema.Properties {
		for _, value := range wrong[p.Type] {
			send(member, value)
		}
		if p.MaxLength != nil {
			send(member, strings.Repeat("x", *p.MaxLength+1))
		}
	}
	for _, member := range serverSide {
		if schema.Properties[member] == nil {
			send(member, "x")
		}
	}
	return tried
}

func difference(a, b string) string {
	var out []string
	for _, line := range strings.Split(b, "\n") {
		if !strings.Contains(a, line) {
			out = append(out, "+ "+line)
		}
	}
	for _, line := range strings.Split(a, "\n") {
		if !strings.Contains(b, line) {
			out = append(out, "- "+line)
		}
	}
	return strings.Join(out, "\n")
}

// TestNoSecretLeaves runs the main journey with secrets that can be recognised
// and looks for them in the log, in errors and in every byte of the database.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	master := secret.NewMaster()
	eachSeen(t, func(t *testing.T, w seen) {
		const password, wrong = "canary-Password-81", "canary-Wrong-4711"
		registered := call(t, w.World, w.Notes, http.MethodPost, "/auth/register", object{"email": "jane@dev.test", "password": password}).Want(t, http.StatusCreated)
		login := call(t, w.World, w.Notes, http.MethodPost, "/auth/login", object{"email": "jane@dev.test", "password": password}).Want(t, http.StatusOK)
		renewed := w.Refresh(t, w.Notes, login.Text("refresh_token")).Want(t, http.StatusOK)
		site := w.Do(t, otltest.Call{
			Path: "/api/v1/sites", Bearer: owner(t, w.World, "o@dev.test"),
			Body: object{"name": "A", "domain": "a.test", "callback_url": "https://a.test/"},
		}).Want(t, http.StatusCreated)
		var failures strings.Builder
		for _, c := range []otltest.Call{
			{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": wrong}},
			{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": []string{wrong}}},
			{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: `{"email":"jane@dev.test","password":"` + wrong + `"`},
			{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": wrong}},
			{Path: "/api/v1/auth/refresh", Key: w.Shop.Key, Body: object{"refresh_token": renewed.Text("refresh_token")}},
			{Path: "/api/v1/users/me", Bearer: login.Text("access_token") + "x"},
			{Path: "/api/v1/users/me?token=" + wrong},
			{Path: "/api/v1/auth/login", Headers: map[string]string{"X-OTL-Site-Key": w.Notes.Key.Reveal() + "x"}, Body: object{"email": "a", "password": wrong}},
		} {
			r := w.Do(t, c)
			if r.Status/100 != 4 {
				t.Errorf("%s: %d", c.Path, r.Status)
			}
			failures.Write(r.Raw)
		}
		canaries := map[string]string{
			"the password": password, "a wrong password": wrong, "the site key": w.Notes.Key.Reveal(), "the new site's key": site.Text("site_key"),
			"the access token": login.Text("access_token"), "the first refresh token": registered.Text("refresh_token"),
			"a used refresh token": login.Text("refresh_token"), "the refresh token": renewed.Text("refresh_token"), "the master key": master.Encode().Reveal(),
		}
		places := map[string]string{"an error": failures.String(), "the log": w.Log.String(), "a table": dump(t, w.driver, w.url)}
		if w.Engine == otltest.SQLite {
			files, err := filepath.Glob(w.url + "*")
			if err != nil || len(files) < 2 {
				t.Fatalf("%v %v", files, err)
			}
			for _, f := range files {
				raw, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				places["the file "+filepath.Base(f)] = string(raw)
			}
		}
		for place, text := range places {
			for what, value := range canaries {
				if strings.Contains(text, value) {
					t.Errorf("%s is in %s", what, place)
				}
			}
		}
		if !strings.Contains(w.Log.String(), login.Header.Get("X-Request-Id")) || strings.Contains(w.Log.String(), "jane@dev.test") {
			t.Error("the log lacks request ids, or names people")
		}
	}, func(o *node.Options) { o.Master = func(bool) (secret.Master, error) { return master, nil } })
}
