package onelogin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

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
		return invalid(wrong.Field, "must be a "+wrong.Type.String())
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
		return errJSON
	}
	*i = integer(n)
	return nil
}
