package native

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// checkBody holds a body against the schema of its operation, the same that
// OpenAPI shows, and names every member at fault. Keys are compared exactly:
// encoding/json alone would also take "Email" for "email".
func checkBody(reg huma.Registry, schema *huma.Schema, body []byte) error {
	object, err := wire.ReadJSON(body)
	if err != nil {
		return err
	}
	for schema.Ref != "" {
		schema = reg.SchemaFromRef(schema.Ref)
	}
	bad := checkKeys(schema, object)
	res := &huma.ValidateResult{}
	huma.Validate(reg, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, object, res)
	for _, err := range res.Errors {
		if one, ok := broken(schema, err); ok && !has(bad, one.Field) {
			bad = append(bad, one)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return inOrder(bad)
}

// inOrder is the error for members at fault, by their names.
func inOrder(bad []otl.FieldError) error {
	slices.SortStableFunc(bad, func(a, b otl.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return otl.InvalidFields(bad)
}

// checkKeys finds members that are unknown, missing or null and takes them out
// of what is validated further.
func checkKeys(schema *huma.Schema, object map[string]any) []otl.FieldError {
	var bad []otl.FieldError
	for _, key := range slices.Sorted(maps.Keys(object)) {
		_, known := schema.Properties[key]
		switch {
		case !known:
			bad = append(bad, otl.FieldError{Field: wire.Show(key), Code: "unknown_field", Text: "is not a member of this request"})
			delete(object, key)
		case object[key] == nil:
			bad = append(bad, otl.FieldError{Field: key, Code: "null", Text: "must not be null"})
			delete(object, key)
		}
	}
	for _, key := range schema.Required {
		if _, given := object[key]; !given && !has(bad, key) {
			bad = append(bad, otl.FieldError{Field: key, Code: "required", Text: "is required"})
		}
	}
	return bad
}

func has(all []otl.FieldError, field string) bool {
	return slices.ContainsFunc(all, func(e otl.FieldError) bool { return e.Field == field })
}

// broken words one finding of the validator by the rule its field has.
func broken(schema *huma.Schema, err error) (otl.FieldError, bool) {
	var detail *huma.ErrorDetail
	if !errors.As(err, &detail) || detail.Location == "" {
		return otl.FieldError{}, false // a missing member, which checkKeys has named
	}
	field := strings.TrimPrefix(detail.Location, "body.")
	top, _, nested := strings.Cut(strings.ReplaceAll(field, "[", "."), ".")
	prop := schema.Properties[top]
	if prop == nil {
		return otl.FieldError{}, false
	}
	if nested && prop.Items != nil {
		prop = prop.Items
	}
	return otl.FieldError{Field: wire.Show(field), Code: codeOf(detail.Message), Text: "must be " + rule(prop)}, true
}

// codeOf names the rule a message of the validator is about. More special
// beginnings come first.
func codeOf(message string) string {
	for _, m := range [...]struct{ prefix, code string }{
		{"expected length >", "too_short"},
		{"expected length <", "too_long"},
		{"expected array length", "too_many"},
		{"expected value to be one of", "unknown_value"},
		{"expected number ", "out_of_range"},
		{"expected string to", "invalid"},
		{"expected", "wrong_type"},
	} {
		if strings.HasPrefix(message, m.prefix) {
			return m.code
		}
	}
	return "invalid"
}

// rule words what a schema asks for.
func rule(s *huma.Schema) string {
	switch {
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		return "one of " + strings.Join(words, ", ")
	case s.Type == huma.TypeString && s.MinLength != nil && s.MaxLength != nil:
		return fmt.Sprintf("a string of %d to %d characters", *s.MinLength, *s.MaxLength)
	case s.Type == huma.TypeString && s.MaxLength != nil:
		return fmt.Sprintf("a string of at most %d characters", *s.MaxLength)
	case s.Type == huma.TypeInteger && s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("an integer of %v to %v", *s.Minimum, *s.Maximum)
	case s.Type == huma.TypeInteger && s.Minimum != nil:
		return fmt.Sprintf("an integer of at least %v", *s.Minimum)
	case s.Type == huma.TypeArray && s.MaxItems != nil:
		return fmt.Sprintf("a list of at most %d values", *s.MaxItems)
	case s.Type == huma.TypeArray:
		return "a list"
	case s.Type == huma.TypeObject:
		return "an object"
	case s.Type == huma.TypeInteger:
		return "an integer"
	case s.Type == huma.TypeBoolean:
		return "true or false"
	}
	return "a string"
}
