package onelogin

import (
	"errors"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// refusal is an error with the literal text this wire has for it.
type refusal struct {
	code  int
	text  string
	cause error // for the log, and for when to come back; nil for none
}

// Error gives the text, and the cause for the log.
func (r *refusal) Error() string {
	if r.cause == nil {
		return r.text
	}
	return r.text + " (" + r.cause.Error() + ")"
}

// Unwrap gives the cause, which is never shown.
func (r *refusal) Unwrap() error { return r.cause }

// because gives the refusal with a cause.
func (r *refusal) because(cause error) *refusal { return &refusal{r.code, r.text, cause} }

func literal(code int, text string) *refusal { return &refusal{code, text, nil} }

// The literals of contract 2.1. None of them is "Unauthorized" alone in version 1: some
// clients send the request again at that.
var (
	errAuthorization = literal(http.StatusBadRequest, "Authorization Information is incorrect")
	errNoClient      = literal(http.StatusBadRequest, "The authorization information is missing")
	errGrantType     = literal(http.StatusBadRequest, "grant_type is incorrect/absent")
	errNoAccessToken = literal(http.StatusBadRequest, "Access Token Missing")
	errContentType   = literal(http.StatusBadRequest, "Content Type is not specified or specified incorrectly. Content-Type header must be set to application/json")
	errJSON          = literal(http.StatusBadRequest, "Input JSON is not valid")
	errAuthenticate  = literal(http.StatusUnauthorized, "Authentication Failure")
	errPermission    = literal(http.StatusUnauthorized, "Insufficient Permission")
	errIndependent   = literal(http.StatusForbidden, "user is not authorized to access this User")
	errRoute         = literal(http.StatusNotFound, "No Route Exists")
)

// kind gives the word version 1 has for a status.
func kind(code int) string {
	switch code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return strings.ToLower(http.StatusText(code))
	}
	return http.StatusText(code)
}

// name gives the word version 2 has for a status.
func name(code int) string {
	return strings.TrimSuffix(strings.ReplaceAll(http.StatusText(code), " ", ""), "Error") + "Error"
}

// statusOf gives the status of an error of the rules. There is no 409: clients of
// this wire cannot read it.
func statusOf(e *otl.Error) int {
	switch e.Kind {
	case otl.Invalid:
		return http.StatusBadRequest
	case otl.Conflict:
		return http.StatusUnprocessableEntity
	}
	return wire.Status(e)
}

// field is the member at fault, as version 1 names it.
type field struct {
	Attribute   string `json:"attribute"`
	Description string `json:"description"`
}

// invalid is the error for a member at fault.
func invalid(attribute, description string) error {
	return otl.InvalidField(attribute, "invalid", description)
}

// Fail writes an error in the shape of its path.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	var own *refusal
	if errors.Is(err, site.ErrClient) || errors.Is(err, otl.ErrToken) {
		err = errAuthenticate.because(err)
	}
	if errors.Is(err, otl.ErrIndependent) {
		err = errIndependent.because(err)
	}
	if otl.Is(err, wire.CodeNoPath) { // of a path that no route is looked for, such as /api/1//users
		err = errRoute.because(err)
	}
	e := wire.Failed(w, r, err)
	if errors.As(err, &own) {
		write(w, failure(r, own.code, own.text, ""))
		return
	}
	write(w, failure(r, statusOf(e), e.Text, e.Field))
}

func failure(r *http.Request, code int, text, attribute string) reply {
	if bare(r.URL.Path) {
		return bareFailure(code, text, attribute)
	}
	s := status{Error: true, Code: code, Type: kind(code), Message: text}
	if attribute != "" {
		s.Message = field{attribute, text}
	}
	return reply{code, envelope{Status: s}}
}

// bareOut is an error of version 2.
type bareOut struct {
	Code    int    `json:"statusCode"`
	Name    string `json:"name"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

func bareFailure(code int, text, attribute string) reply {
	switch {
	case attribute != "":
		code = http.StatusUnprocessableEntity
	case text == errAuthenticate.text: // a token that has expired: the client gets another
		text = http.StatusText(code)
	}
	return reply{code, bareOut{code, name(code), text, attribute}}
}

// unserved answers a path nobody serves, or not with this method: this wire has one word for
// both (contract 2.1).
func unserved(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Del("Allow")
	Fail(w, r, errRoute.because(err))
}
