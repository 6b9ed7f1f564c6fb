package native

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/wire"
)

const description = "One identity, many partner sites. Sign people in, keep their sessions and end them.\n\n" +
	"Every path is also served without the version, as /api/…. Calls that act for a site carry its key in X-OTL-Site-Key, which must never reach " +
	"a browser; calls that act for a person carry his access token as Authorization: Bearer. Every error has the shape of the schema Failure."

// newRegistry gives a place for the schemas of types.
func newRegistry() huma.Registry {
	return huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
}

// neverNull has no list of a registry be null, in no direction, which is huma's default.
func neverNull(r huma.Registry) {
	for _, schema := range r.Map() {
		for _, p := range schema.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
		}
	}
}

// describe makes the OpenAPI 3.1 document of the operations. It is made from
// the same table and the same types the requests are held to, with schemas of its own:
// requests read theirs meanwhile.
func (s *Surface) describe() []byte {
	s = &Surface{Options: s.Options, operations: s.operations, registry: newRegistry()}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "OneTimeLogin", Version: s.Version, Description: description,
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/"}},
		Tags: []*huma.Tag{
			{Name: tagAuth, Description: "Sign in, keep and end a session"},
			{Name: tagUsers, Description: "People and their profiles"},
			{Name: tagSessions, Description: "Live sessions"},
			{Name: tagSites, Description: "Partner sites"},
			{Name: tagRoles, Description: "What people can be at a site"},
		},
		Components: &huma.Components{Schemas: s.registry, SecuritySchemes: map[string]*huma.SecurityScheme{
			"siteKey": {Type: "apiKey", In: "header", Name: headerSiteKey, Description: "Key of a site, otr_…; for servers only."},
			"bearer":  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Access token of a person."},
		}},
	}
	failed := s.registry.Schema(reflect.TypeFor[failure](), true, "Error")
	for _, o := range s.operations {
		doc.AddOperation(s.describeOne(o, failed))
	}
	neverNull(s.registry)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil { // types of ours
		panic(err)
	}
	return bytes.Clone(append(b, '\n')) // it is kept; the buffer it grew in is larger
}

func (s *Surface) describeOne(o *operation, failed *huma.Schema) *huma.Operation {
	op := &huma.Operation{
		OperationID: o.id, Method: o.method, Path: "/api/v1" + o.path, Summary: o.summary, Description: o.text + o.scopeText(),
		Tags: []string{o.tag}, Security: o.security(), Parameters: s.parameters(o), Responses: map[string]*huma.Response{},
	}
	if o.body != nil {
		op.RequestBody = &huma.RequestBody{Required: !o.optionalBody, Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.registry.Schema(o.in, true, ""), Example: o.request},
		}}
	}
	op.Responses[strconv.Itoa(o.success)] = &huma.Response{Description: http.StatusText(o.success), Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.registry.Schema(o.out, true, ""), Example: o.answer},
	}}
	for _, code := range o.statuses() {
		op.Responses[strconv.Itoa(code)] = s.failedResponse(code, failed)
	}
	return op
}

// statuses gives every error status an operation can answer with: its own and
// those that follow from who may call it and what it takes.
func (o *operation) statuses() []int {
	all := append([]int{422, 500, 503}, o.errors...) // 422: a parameter nobody knows
	if o.access != anybody {
		all = append(all, 401, 403, 429)
	}
	if o.body != nil {
		all = append(all, 400, 413, 415)
	}
	if o.repeatable() {
		all = append(all, 409)
	}
	if len(o.params) > 0 {
		all = append(all, 400)
	}
	return all
}

func (s *Surface) failedResponse(code int, failed *huma.Schema) *huma.Response {
	r := &huma.Response{Description: meaning(code), Content: map[string]*huma.MediaType{
		"application/json": {Schema: failed, Example: sampleFailure(code)},
	}}
	if code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests {
		r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return r
}

// meaning words a status as the contract does (contract 1.1).
func meaning(code int) string {
	switch code {
	case 400:
		return "The request could not be read."
	case 401:
		return "No proof of identity, or one that failed, expired or was revoked."
	case 403:
		return "Proven identity that may not do this."
	case 404:
		return "The id is wrong, or the resource belongs to a different site."
	case 409:
		return "It exists already, or somebody changed it first."
	case 413:
		return "The body is too large."
	case 415:
		return "The body is not application/json."
	case 422:
		return "A field failed validation; detail and errors name it."
	case 429:
		return "Too many requests; see Retry-After."
	case 503:
		return "Too much work at once, or the database is away; see Retry-After."
	}
	return "Our fault; the request_id finds it in the log."
}

func sampleFailure(code int) failure {
	f := failure{RequestID: "6f1c1f4e-8f55-4a53-9b7a-0f6c3b1f0a11"}
	samples := map[int][2]string{
		400: {"malformed_json", "The body is not valid JSON."}, 401: {"token_invalid", "The access token is invalid or expired."},
		403: {"scope_missing", "This site key lacks the scope users."}, 404: {"not_found", "No such session."},
		409: {"version_conflict", "version: The record changed in the meantime. Read it again and repeat your change."},
		413: {wire.CodeTooLarge, "The body is larger than 16384 bytes."}, 415: {wire.CodeMediaType, "Send the body as Content-Type: application/json."},
		422: {"validation_failed", "email: must be one e-mail address, such as jane@example.com"},
		429: {"rate_limited", "Too many requests. Wait as long as Retry-After says."},
		500: {"internal", "Something went wrong on our side. Quote the request_id."}, 503: {"overloaded", "Too much work at once. Try again shortly."},
	}
	f.Code, f.Detail = samples[code][0], samples[code][1]
	f.DocsURL = "/docs/errors/" + f.Code
	if code == 422 {
		f.Errors = []failedField{{"email", "not_an_address", strings.TrimPrefix(f.Detail, "email: ")}}
	}
	return f
}

func (o *operation) scopeText() string {
	if o.scope == "" {
		return ""
	}
	return " A site key needs the scope " + string(o.scope) + "."
}

func (o *operation) security() []map[string][]string {
	key, bearer := map[string][]string{"siteKey": {}}, map[string][]string{"bearer": {}}
	switch o.access {
	case bySite:
		return []map[string][]string{key}
	case bySiteFor:
		return []map[string][]string{{"siteKey": {}, "bearer": {}}, key}
	case bySiteOrOwn, bySiteOrAdmin:
		return []map[string][]string{key, bearer}
	case byPerson, byHimself, byOwner:
		return []map[string][]string{bearer}
	}
	return nil
}

func (s *Surface) parameters(o *operation) []*huma.Param {
	var out []*huma.Param
	for _, p := range o.params {
		out = append(out, &huma.Param{Name: p.name, In: p.where, Required: p.where == "path", Description: p.doc, Schema: s.registry.Schema(p.typ, true, "")})
	}
	if o.repeatable() {
		out = append(out, &huma.Param{
			Name: headerOnce, In: "header", Schema: s.registry.Schema(reflect.TypeFor[string](), true, ""),
			Description: "Makes it safe to ask again: for a day, the same request with the same key gets the same answer, and nothing is made twice. A UUID, say.",
		})
	}
	return out
}
