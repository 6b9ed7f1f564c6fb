package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// FuzzReadJSON: what is let through is one JSON document that encoding/json
// reads without loss, and reads the same after writing it again.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":1,"a":2}`, `{"a":1}{}`, `[`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\u0000"}`,
		"{\"\xff\":1}", `{"a":1e999}`, `{"a":-0}`, ` {"a" : true } `, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `{"a":"\ufffd"}`, `nul`, ``,
		`{"a":[[],[[]]]}`, `{"A":1,"a":2}`, "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readJSON(body)
		var value any
		if plain := json.Unmarshal(body, &value); err == nil && plain != nil {
			t.Fatalf("let through what is no JSON: %q", body)
		}
		if err != nil {
			if k := otl.As(err).Kind; k != otl.Malformed && k != otl.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !reflect.DeepEqual(value, any(got)) {
			t.Errorf("%q is read as %v, and by encoding/json as %v", body, got, value)
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var reread any
		if err := json.Unmarshal(again, &reread); err != nil || !reflect.DeepEqual(value, reread) {
			t.Errorf("%q reads as %v and then as %v", body, value, reread)
		}
		if bytes.Contains(again, []byte(`\u0000`)) {
			t.Errorf("NUL in %q", body)
		}
	})
}

func TestHT04_BoundsOfJSON(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	keys := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(`"k%d":0`, i)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	values := func(n int) string { return `{"a":[` + strings.TrimSuffix(strings.Repeat("0,", n), ",") + `]}` }
	for body, code := range map[string]string{
		nest(32): "", nest(33): "malformed_json", keys(1000): "", keys(1001): "malformed_json", values(1000): "", values(1001): "malformed_json",
		`{"a":12345678901234567890123456789012}`: "", `{"a":123456789012345678901234567890123}`: "validation_failed",
		`{"a":{"b":1,"b":2}}`: "duplicate_key", `{"a":[{"b":1},{"b":2}]}`: "", `{"a":"\u0000"}`: "validation_failed", `{"\u0000":1}`: "validation_failed",
		`{"a":"\udc00x"}`: "malformed_json", `{"a":"\ud83d\ude00"}`: "", `{"a":"�"}`: "",
	} {
		_, err := readJSON([]byte(body))
		if got := codeIn(err); got != code {
			t.Errorf("%.60s: %q, want %q", body, got, code)
		}
	}
}

func codeIn(err error) string {
	if err == nil {
		return ""
	}
	return otl.As(err).Code
}

// TestAFaultNamesItsPath: an error deep inside says where.
func TestAFaultNamesItsPath(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{"a":{"b":[0,{"c":"\u0000"}]}}`: "a.b[1].c", `{"a":[1e999]}`: "a[0]", `{"x":{"y\n":"\u0000"}}`: "x.y",
	} {
		if _, err := readJSON([]byte(body)); err == nil || otl.As(err).Field != field {
			t.Errorf("%s: %v, want the field %s", body, err, field)
		}
	}
	long := `{"` + strings.Repeat("k", 5000) + `":"\u0000"}`
	if _, err := readJSON([]byte(long)); err == nil || len(otl.As(err).Field) > 200 {
		t.Errorf("a long key is repeated in full: %d bytes", len(otl.As(err).Field))
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	reg := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	schema := huma.SchemaFromType(reg, reflect.TypeFor[registerIn]())
	err := checkBody(reg, schema, []byte(`{"email":7,"fields":["a",3],"name":null,"Extra":1,"locale":"`+strings.Repeat("x", 36)+`"}`))
	var got []string
	for _, e := range otl.As(err).More {
		got = append(got, e.Field+" "+e.Code)
	}
	want := "Extra unknown_field, email wrong_type, fields[1] wrong_type, locale too_long, name null, password required"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// surface is one that can make cursors and nothing else.
func cursors() *Surface { return &Surface{Options: Options{CursorKey: make([]byte, 32)}} }

func TestHT13_Cursors(t *testing.T) {
	t.Parallel()
	s := cursors()
	c := *s.next(true, "01HKZ", "users", "site")
	if s.next(false, "01HKZ", "users") != nil {
		t.Error("a cursor behind the end")
	}
	if id, limit, err := s.after(paging{cursor: c}, "users|site"); id != "01HKZ" || limit != 50 || err != nil {
		t.Errorf("%q %d %v", id, limit, err)
	}
	for what, bad := range map[string]string{
		"cut": c[:len(c)-1], "longer": c + "A", "another": *cursors().next(true, "01HKZ", "users", "other"), "no base64": "!!", "padded": c + "=",
		"empty inside": "AA", "very long": strings.Repeat("A", 4000),
	} {
		if _, _, err := s.after(paging{cursor: bad}, "users|site"); codeIn(err) != "bad_cursor" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range len(c) {
		spoilt := []byte(c)
		spoilt[i] ^= 1
		if _, err := s.cursorID(string(spoilt), "users|site"); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
	other := &Surface{Options: Options{CursorKey: bytes.Repeat([]byte{1}, 32)}}
	if _, err := other.cursorID(c, "users|site"); err == nil {
		t.Error("the cursor of another installation")
	}
	for limit, want := range map[int]int{0: 50, 1: 1, 200: 200} {
		if _, got, err := s.after(paging{limit: limit}, "x"); got != want || err != nil {
			t.Errorf("limit %d: %d %v", limit, got, err)
		}
	}
	for _, limit := range []int{-1, 201} {
		if _, _, err := s.after(paging{limit: limit}, "x"); codeIn(err) != "validation_failed" {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// FuzzCursor: nobody makes a cursor but us.
func FuzzCursor(f *testing.F) {
	f.Add(*cursors().next(true, "01HKZ", "x"))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, c string) {
		if id, err := cursors().cursorID(c, "users"); err == nil {
			t.Errorf("%q is taken for %q", c, id)
		}
	})
}

// FuzzBindParams: a query is bound as written, or refused with a 4xx kind.
func FuzzBindParams(f *testing.F) {
	for _, q := range []string{"", "limit=5&cursor=x", "limit=5&limit=6", "limit=x", "limit=99999999999999999999", "a=b", "%zz", "limit=%35", "cursor=%00", "&&&", "LIMIT=1"} {
		f.Add(q)
	}
	params := paramsOf(reflect.TypeFor[listSitesIn]())
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{}}
		var in listSitesIn
		if err := bindParams(r, params, reflect.ValueOf(&in).Elem()); err != nil {
			if otl.As(err).Kind != otl.Invalid {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		values := r.URL.Query()
		if in.Cursor != values.Get("cursor") || len(values) > 2 {
			t.Errorf("%q is bound as %+v", query, in)
		}
	})
}

func TestARouteMustBeDeclaredInFull(t *testing.T) {
	t.Parallel()
	whole := operation{id: "x", method: "GET", path: "/x", tag: "X", summary: "s", text: "t", access: anybody, success: 200, answer: nothing{}}
	spoil := map[string]func(*operation){
		"access": func(o *operation) { o.access = 0 }, "summary": func(o *operation) { o.summary = "" },
		"text": func(o *operation) { o.text = "" }, "answer": func(o *operation) { o.answer = nil },
	}
	declare := func(o operation) (refused bool) {
		defer func() { refused = recover() != nil }()
		s := &Surface{registry: huma.NewMapRegistry("#/", huma.DefaultSchemaNamer), Mux: wire.NewMux(Fail)}
		route(s, o, func(*call, *nothing) (*nothing, error) { return &nothing{}, nil })
		return false
	}
	if declare(whole) {
		t.Error("a whole one was refused")
	}
	for what, f := range spoil {
		o := whole
		f(&o)
		if !declare(o) {
			t.Errorf("one without %s was taken", what)
		}
	}
}

// TestFailIsSafeWithoutARequestOfOurs: an error nobody classified says nothing.
func TestFailSaysNothingOfTheCause(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	Fail(rec, httptest.NewRequest(http.MethodGet, "/", nil), fmt.Errorf("secret cause"))
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// TestRequestsAreHeldToSchemasOfTheirOwn: the document is made while they are read, and adds nothing to
// them; no list is null before it is made, nor thereafter.
func TestRequestsAreHeldToSchemasOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	lists, before := 0, len(s.registry.Map())
	for name, schema := range s.registry.Map() {
		for member, p := range schema.Properties {
			if p.Type != huma.TypeArray {
				continue
			}
			if lists++; p.Nullable {
				t.Errorf("%s of %s may be null", member, name)
			}
		}
	}
	if lists == 0 {
		t.Error("no list of any")
	}
	if n := len(s.OpenAPI()); n < 100<<10 || len(s.registry.Map()) != before {
		t.Errorf("a document of %d bytes; %d schemas, %d before", n, len(s.registry.Map()), before)
	}
}
