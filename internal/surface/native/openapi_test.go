package native_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otltest"
)

// document is the OpenAPI description as far as these tests read it.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]described
	Raw     map[string]any
}

type described struct {
	OperationID string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Security    []map[string][]string
	Parameters  []struct{ Name, In, Description string }
	RequestBody *struct {
		Content map[string]struct {
			Schema  map[string]any
			Example any
		}
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string
		Content     map[string]struct {
			Schema  map[string]any
			Example any
		}
	}
}

func describe(t *testing.T) document {
	t.Helper()
	w := otltest.New(t, otltest.SQLite)
	var d document
	raw := w.Native.OpenAPI()
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &d.Raw); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations gives every operation by "METHOD /path".
func (d document) operations() map[string]described {
	all := map[string]described{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			all[strings.ToUpper(method)+" "+path] = o
		}
	}
	return all
}

// TestOpenAPIGolden holds the description against api/openapi.json, so that a
// change of the wire is seen where it is reviewed.
func TestOpenAPIGolden(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("../../../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	w := otltest.New(t, otltest.SQLite)
	var want, got map[string]any
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(w.Native.OpenAPI(), &got); err != nil {
		t.Fatal(err)
	}
	for _, d := range []map[string]any{want, got} {
		delete(d["info"].(map[string]any), "version") // of the build
	}
	if a, b := fmt.Sprint(want), fmt.Sprint(got); a != b {
		t.Error("the API and api/openapi.json differ; if the change is meant, run `make openapi` and commit the file")
	}
	served := w.Do(t, otltest.Call{Path: "/openapi.json"}).Want(t, http.StatusOK)
	if string(served.Raw) != string(w.Native.OpenAPI()) {
		t.Error("another document is served")
	}
}

func TestTE03_EveryOperationSaysWhoMayCallIt(t *testing.T) {
	t.Parallel()
	for name, o := range describe(t).operations() {
		open := name == "GET /api/v1/status" // the only one that anybody may call
		if (len(o.Security) == 0) != open {
			t.Errorf("%s: no credentials are declared, or none are needed", name)
		}
		if o.OperationID == "" || o.Summary == "" || len(o.Description) < 20 || len(o.Tags) != 1 {
			t.Errorf("%s is not described", name)
		}
		for _, p := range o.Parameters {
			if p.Description == "" {
				t.Errorf("%s: parameter %s is not described", name, p.Name)
			}
		}
		success := false
		for code, r := range o.Responses {
			success = success || code[0] == '2'
			media := r.Content["application/json"]
			if r.Description == "" || media.Schema == nil || media.Example == nil {
				t.Errorf("%s: the answer %s has no description, schema or example", name, code)
			}
		}
		if !success || o.Responses["500"].Description == "" || (o.Responses["401"].Description == "") != open {
			t.Errorf("%s does not list its answers", name)
		}
	}
}

// TestExamplesFitTheirSchemas checks every example of the document with the
// validator that checks requests.
func TestExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	d := describe(t)
	registry := registryOf(t, d)
	for name, o := range d.operations() {
		if o.RequestBody != nil {
			media := o.RequestBody.Content["application/json"]
			fits(t, registry, name+" request", huma.ModeWriteToServer, media.Schema, media.Example)
		}
		for code, r := range o.Responses {
			media := r.Content["application/json"]
			fits(t, registry, name+" "+code, huma.ModeReadFromServer, media.Schema, media.Example)
		}
	}
}

// registryOf reads the schemas of a document back.
func registryOf(t *testing.T, d document) map[string]*huma.Schema {
	t.Helper()
	all := map[string]*huma.Schema{}
	components := d.Raw["components"].(map[string]any)["schemas"].(map[string]any)
	for name, raw := range components {
		all["#/components/schemas/"+name] = schemaOf(t, raw)
	}
	return all
}

func schemaOf(t *testing.T, raw any) *huma.Schema {
	t.Helper()
	b, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Ref                  string `json:"$ref"`
		Type                 any
		Properties           map[string]json.RawMessage
		Items                json.RawMessage
		Required             []string
		MaxLength            *int
		Enum                 []any
		AdditionalProperties any
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	out := &huma.Schema{Ref: s.Ref, Required: s.Required, Enum: s.Enum, AdditionalProperties: s.AdditionalProperties, MaxLength: s.MaxLength}
	switch typ := s.Type.(type) {
	case string:
		out.Type = typ
	case []any: // "string", "null"
		out.Type, out.Nullable = typ[0].(string), true
	}
	if s.Items != nil {
		out.Items = schemaOf(t, s.Items)
	}
	if len(s.Properties) > 0 {
		out.Properties = map[string]*huma.Schema{}
		for name, p := range s.Properties {
			out.Properties[name] = schemaOf(t, p)
		}
	}
	return out
}

// fits walks a value along a schema: types, required members, no others.
func fits(t *testing.T, all map[string]*huma.Schema, where string, mode huma.ValidateMode, raw map[string]any, value any) {
	t.Helper()
	walk(t, all, where, schemaOf(t, raw), value)
}

func walk(t *testing.T, all map[string]*huma.Schema, where string, s *huma.Schema, value any) {
	t.Helper()
	if s.Ref != "" {
		s = all[s.Ref]
	}
	if s == nil {
		t.Errorf("%s: a reference to nothing", where)
		return
	}
	if value == nil {
		if !s.Nullable {
			t.Errorf("%s is null", where)
		}
		return
	}
	ok := true
	switch v := value.(type) {
	case string:
		ok = s.Type == "string"
	case bool:
		ok = s.Type == "boolean"
	case float64:
		ok = s.Type == "integer" && v == float64(int64(v)) || s.Type == "number"
	case []any:
		ok = s.Type == "array"
		for i, one := range v {
			walk(t, all, fmt.Sprintf("%s[%d]", where, i), s.Items, one)
		}
	case map[string]any:
		ok = s.Type == "object"
		walkObject(t, all, where, s, v)
	}
	if !ok {
		t.Errorf("%s is %v, not of type %s", where, value, s.Type)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		t.Errorf("%s is %v, not one of %v", where, value, s.Enum)
	}
}

func walkObject(t *testing.T, all map[string]*huma.Schema, where string, s *huma.Schema, v map[string]any) {
	t.Helper()
	for _, name := range s.Required {
		if _, given := v[name]; !given {
			t.Errorf("%s has no %s", where, name)
		}
	}
	for name, one := range v {
		switch p := s.Properties[name]; {
		case p != nil:
			walk(t, all, where+"."+name, p, one)
		case s.AdditionalProperties != true:
			t.Errorf("%s.%s is not in the schema", where, name)
		}
	}
}

// TestAnswersFitTheirSchemas holds what the server really answers against what
// the document says.
func TestAnswersFitTheirSchemas(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := describe(t)
		all, ops := registryOf(t, d), d.operations()
		check := func(name string, r otltest.Reply) otltest.Reply {
			t.Helper()
			media := ops[name].Responses[fmt.Sprint(r.Status)].Content["application/json"]
			if media.Schema == nil {
				t.Errorf("%s answers %d, which is not described: %s", name, r.Status, r.Raw)
				return r
			}
			fits(t, all, name, huma.ModeReadFromServer, media.Schema, r.JSON)
			return r
		}
		body := object{"email": "jane@dev.test", "password": otltest.Password, "name": "Jane", "phone": "+491705550100", "preferences": object{"a": 1}}
		login := check("POST /api/v1/auth/register", call(t, w, w.Notes, http.MethodPost, "/auth/register", body))
		bearer := login.Text("access_token")
		do := func(method, path, name string, body any) otltest.Reply {
			t.Helper()
			return check(method+" "+name, w.Do(t, otltest.Call{Method: method, Path: path, Bearer: bearer, Body: body}))
		}
		key := func(method, path, name string, body any) otltest.Reply {
			t.Helper()
			return check(method+" /api/v1"+name, call(t, w, w.Notes, method, path, body))
		}
		id := login.Text("user", "id")
		key("POST", "/auth/register", "/auth/register", body)
		key("POST", "/auth/login", "/auth/login", object{"email": "jane@dev.test", "password": otltest.Password})
		key("POST", "/auth/login", "/auth/login", object{"email": "jane@dev.test"})
		key("POST", "/auth/introspect", "/auth/introspect", object{"token": bearer})
		key("POST", "/auth/introspect", "/auth/introspect", object{"token": "x"})
		key("POST", "/auth/refresh", "/auth/refresh", object{"refresh_token": login.Text("refresh_token")})
		key("GET", "/users", "/users", nil)
		key("GET", "/users/"+id, "/users/{id}", nil)
		key("PATCH", "/users/"+id, "/users/{id}", object{"name": "J", "version": 1})
		key("POST", "/roles", "/roles", object{"name": "editor"})
		key("GET", "/roles", "/roles", nil)
		key("PATCH", "/roles/editor", "/roles/{name}", object{"default": true})
		key("POST", "/roles/assign", "/roles/assign", object{"user_id": id, "role": "editor"})
		key("POST", "/users/"+id+"/roles", "/users/{id}/roles", object{"role": "nobody"})
		key("DELETE", "/users/"+id+"/roles/editor", "/users/{id}/roles/{role}", nil)
		key("DELETE", "/roles/editor", "/roles/{name}", nil)
		key("GET", "/sessions?user_id="+id, "/sessions", nil)
		key("GET", "/revocations", "/revocations", nil)
		hook := "/webhooks/" + key("POST", "/webhooks", "/webhooks", object{"url": "https://notes.test/hook"}).Text("id")
		event := key("POST", hook+"/test", "/webhooks/{id}/test", object{}).Text("event_id")
		key("POST", hook+"/rotate-secret", "/webhooks/{id}/rotate-secret", object{})
		key("PATCH", hook, "/webhooks/{id}", object{"state": "paused"})
		w.Deliver(t)
		key("GET", "/webhooks", "/webhooks", nil)
		key("GET", hook, "/webhooks/{id}", nil)
		key("GET", "/events", "/events", nil)
		key("GET", "/webhooks/events", "/webhooks/events", nil)
		key("GET", hook+"/deliveries", "/webhooks/{id}/deliveries", nil)
		key("GET", hook+"/deliveries/"+event, "/webhooks/{id}/deliveries/{event_id}", nil)
		key("POST", hook+"/deliveries/"+event+"/resend", "/webhooks/{id}/deliveries/{event_id}/resend", nil)
		key("POST", "/webhooks/events/"+event+"/replay", "/webhooks/events/{id}/replay", nil)
		key("POST", hook+"/replay", "/webhooks/{id}/replay", object{"since": "2026-01-02T03:04:05Z"})
		key("DELETE", hook, "/webhooks/{id}", nil)
		do("GET", "/api/v1/users/me", "/api/v1/users/me", nil)
		do("PATCH", "/api/v1/users/me", "/api/v1/users/me", object{"name": "J", "version": 9})
		do("GET", "/api/v1/sites", "/api/v1/sites", nil)
		do("POST", "/api/v1/sites", "/api/v1/sites", object{"name": "A", "domain": "a.test", "callback_url": "https://a.test/"})
		session := list(do("GET", "/api/v1/sessions", "/api/v1/sessions", nil))[0]["id"].(string)
		do("DELETE", "/api/v1/sessions/"+session, "/api/v1/sessions/{id}", nil)
		do("GET", "/api/v1/users/me", "/api/v1/users/me", nil)
		bearer = owner(t, w, "owner@dev.test")
		do("POST", "/api/v1/sites", "/api/v1/sites", object{"name": "A", "domain": "a.test", "callback_url": "https://a.test/"})
		do("GET", "/api/v1/sites", "/api/v1/sites", nil)
	})
}
