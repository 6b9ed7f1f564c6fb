package onelogin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// maxBody is the longest body in bytes.
const maxBody = 16 << 10

// read reads a JSON object. Members nobody knows are passed over: clients of other
// versions send some. An empty body, which one client sends after a 401, is as
// malformed as any other.
func read(w http.ResponseWriter, r *http.Request, in any) error {
	if !wire.Sends(r, wire.MediaJSON) {
		return errContentType
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return wire.TooLarge(maxBody)
	}
	if err != nil || !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) || bytes.Contains(raw, []byte(`\u0000`)) {
		return errJSON
	}
	err = json.Unmarshal(raw, in)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return invalid(wrong.Field, "must be "+plainly(wrong.Type))
	}
	if err != nil {
		return errJSON
	}
	return nil
}

// integer is a number that some clients write as a text.
type integer int

// UnmarshalJSON takes 7 and "7".
func (i *integer) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return &json.UnmarshalTypeError{Value: "text", Type: reflect.TypeFor[integer]()}
	}
	*i = integer(n)
	return nil
}

// plainly says what a member must be, to whoever does not know our types.
func plainly(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "a string"
}

// called gives an error with the member at fault by the name that the caller has for it.
func called(err error, names map[string]string) error {
	e := otl.As(err)
	if e == nil || names[e.Field] == "" {
		return err
	}
	as := *e
	as.Field = names[e.Field]
	return &as
}
