package native

import (
	"bytes"
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

func codeIn(err error) string {
	if err == nil {
		return ""
	}
	return otl.As(err).Code
}
