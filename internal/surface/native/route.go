package native

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// operation is one line of the route table: what OpenAPI says of it and what
// every request to it is held to.
type operation struct {
	id      string // operationId
	method  string
	path    string // below /api/v1
	tag     string
	summary string
	text    string // description
	access  access
	scope   otl.Scope // the site key must have it, where a key is sent
	success int
	errors  []int // statuses besides those that follow from access and body
	request any   // example of the body
	answer  any   // example of the answer

	stream       func(*call, http.ResponseWriter) error // for Accept: text/event-stream; nil for none
	optionalBody bool
	body         *huma.Schema // nil: the operation takes no body
	params       []param
	in, out      reflect.Type
	serve        http.HandlerFunc
}

// param is a value outside the body. Its field has the tag path, query or
// header with the name, and doc.
type param struct {
	field int
	where string
	name  string
	doc   string
	typ   reflect.Type
}

// Bounds of a body in bytes (HT-03).
const (
	maxAuthBody = 16 << 10
	maxBody     = 256 << 10
)

// route adds an operation. Members of In tagged json are the body, those tagged
// path, query or header are not. It panics on an operation without access, an
// example or a description: the server then does not start and no test passes.
func route[In, Out any](s *Surface, o operation, fn func(*call, *In) (*Out, error)) {
	if o.access == 0 || o.summary == "" || o.text == "" || o.answer == nil {
		panic("operation " + o.id + " is not declared in full")
	}
	o.in, o.out = reflect.TypeFor[In](), reflect.TypeFor[Out]()
	o.params = paramsOf(o.in)
	if hasBody(o.in) {
		if o.request == nil {
			panic("operation " + o.id + " has no example of its body")
		}
		o.body = huma.SchemaFromType(s.registry, o.in)
	}
	o.serve = func(w http.ResponseWriter, r *http.Request) {
		c := &call{ctx: r.Context(), r: r, ledger: s.Ledger}
		in := new(In)
		if err := s.take(w, c, &o, in); err != nil {
			Fail(w, r, err)
			return
		}
		if o.stream != nil && strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			if err := o.stream(c, w); err != nil {
				Fail(w, r, err)
			}
			return
		}
		err := s.once(w, c, &o, func() error {
			out, err := fn(c, in)
			if err != nil {
				return err
			}
			if tag := etag(out); tag != "" {
				w.Header().Set("ETag", tag)
			}
			wire.JSON(w, o.success, out)
			return nil
		})
		if err != nil {
			Fail(w, r, err)
		}
	}
	s.operations = append(s.operations, &o)
}

// versioned is an answer with an ETag; 0 is none.
type versioned interface{ version() int }

// etag gives the ETag of an answer, "" for one without.
func etag(out any) string {
	if v, ok := out.(versioned); ok && v.version() > 0 {
		return `"` + strconv.Itoa(v.version()) + `"`
	}
	return ""
}

// take leads a request from its headers to a filled In: the cheap refusals
// first, then who is calling, then the body (DS-04).
func (s *Surface) take(w http.ResponseWriter, c *call, o *operation, in any) error {
	limit := int64(maxBody)
	if o.tag == tagAuth {
		limit = maxAuthBody
	}
	if o.body != nil {
		if err := checkMediaType(c.r, o.optionalBody); err != nil {
			return err
		}
		if c.r.ContentLength > limit {
			return wire.TooLarge(limit)
		}
	}
	if o.crossOrigin() {
		if err := wire.Share(w, c.r, s.origins("")); err != nil {
			return err
		}
	}
	if err := s.authorise(c, o); err != nil {
		return err
	}
	if o.crossOrigin() && c.bearer != nil {
		if err := wire.Share(w, c.r, s.origins(c.bearer.Site.ID)); err != nil {
			return err
		}
	}
	if err := s.Pace.Take(c.ctx, c.caller()); err != nil {
		return err
	}
	if err := bindParams(c.r, o.params, reflect.ValueOf(in).Elem()); err != nil {
		return err
	}
	if o.body == nil {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, limit))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return wire.TooLarge(limit)
	case err != nil:
		return malformed("body_unreadable", "The body could not be read.")
	case len(body) == 0 && o.optionalBody:
		return nil
	case len(body) == 0:
		return malformed("body_missing", "The request needs a JSON body.")
	}
	if err := checkBody(s.registry, o.body, body); err != nil {
		return s.further(c, in, body, err)
	}
	c.body = body
	return fill(in, body)
}

// judged is a body of which more can be said than its schema does, without doing anything.
type judged interface {
	judge(s *Surface, c *call) error
}

// further adds to what a schema finds wrong with a body what the rules do, so that one answer names
// every member at fault.
func (s *Surface) further(c *call, in any, body []byte, found error) error {
	j, ok := in.(judged)
	var schema, rules *otl.Error
	if !ok || !errors.As(found, &schema) || len(schema.More) == 0 {
		return found
	}
	_ = json.Unmarshal(body, in) // what of it can be read
	if !errors.As(j.judge(s, c), &rules) {
		return found
	}
	bad := schema.More
	for _, one := range rules.More {
		if !has(bad, one.Field) {
			bad = append(bad, one)
		}
	}
	return inOrder(bad)
}

func malformed(code, text string) error {
	return &otl.Error{Kind: otl.Malformed, Code: code, Text: text}
}

// fill reads a body that its schema has let pass. What remains is a number that
// is whole to JSON but no int of ours: 1e19, 1.0.
func fill(in any, body []byte) error {
	err := json.Unmarshal(body, in)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return otl.InvalidField(wire.Show(wrong.Field), "out_of_range", "must be an integer in its plain form")
	}
	return err
}

// checkMediaType asks for JSON, in UTF-8 if a charset is named (decision D16).
func checkMediaType(r *http.Request, optional bool) error {
	switch {
	case optional && r.Header.Get("Content-Type") == "" && r.ContentLength == 0:
		return nil
	case r.Header.Get("Content-Encoding") != "":
		return &otl.Error{Kind: otl.Malformed, Code: wire.CodeMediaType, Text: "Send the body without a Content-Encoding."}
	case !wire.Sends(r, wire.MediaJSON):
		return &otl.Error{Kind: otl.Malformed, Code: wire.CodeMediaType, Text: "Send the body as Content-Type: application/json."}
	}
	return nil
}

func hasBody(t reflect.Type) bool {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			return true
		}
	}
	return false
}

func paramsOf(t reflect.Type) []param {
	var out []param
	for i := range t.NumField() {
		f := t.Field(i)
		for _, where := range []string{"path", "query", "header"} {
			if name := f.Tag.Get(where); name != "" {
				out = append(out, param{i, where, name, f.Tag.Get("doc"), f.Type})
			}
		}
	}
	return out
}

// bindParams fills the fields outside the body. A query parameter that stands
// twice, or that the operation does not know, is refused.
func bindParams(r *http.Request, params []param, in reflect.Value) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return otl.InvalidField("query", "malformed", "must be parameters joined by & and escaped as in a URL")
	}
	for _, p := range params {
		var value string
		switch p.where {
		case "path":
			value = r.PathValue(p.name)
		case "header":
			value = r.Header.Get(p.name)
		case "query":
			if len(query[p.name]) > 1 {
				return otl.InvalidField(p.name, "repeated", "must stand once")
			}
			value = query.Get(p.name)
			delete(query, p.name)
		}
		if p.typ.Kind() == reflect.Int {
			if err := bindInt(in.Field(p.field), p.name, value); err != nil {
				return err
			}
			continue
		}
		in.Field(p.field).SetString(value)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		return otl.InvalidField(wire.Show(name), "unknown_field", "is not a parameter of this request")
	}
	return nil
}

func bindInt(dst reflect.Value, name, value string) error {
	if value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return otl.InvalidField(name, "wrong_type", "must be an integer")
	}
	dst.SetInt(int64(n))
	return nil
}
