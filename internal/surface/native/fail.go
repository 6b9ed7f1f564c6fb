package native

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
)

// failure is the body of every error (contract 1.1, ux B1.1).
type failure struct {
	Detail    string        `json:"detail" doc:"What went wrong, in words; starts with the field at fault where there is one." example:"email: must be one e-mail address, such as jane@example.com"`
	RequestID string        `json:"request_id" doc:"Quote it when asking for help; it finds the matching log line." format:"uuid" example:"6f1c1f4e-8f55-4a53-9b7a-0f6c3b1f0a11"`
	Code      string        `json:"code" doc:"Stable machine word of the error." example:"validation_failed"`
	Errors    []failedField `json:"errors,omitempty" doc:"Every field at fault."`
	DocsURL   string        `json:"docs_url" doc:"A page about this code." example:"/docs/errors/validation_failed"`
}

type failedField struct {
	Field  string `json:"field" doc:"Path of the member." example:"email"`
	Code   string `json:"code" doc:"Machine word of the rule." example:"not_an_address"`
	Detail string `json:"detail" doc:"The rule in words." example:"must be one e-mail address, such as jane@example.com"`
}

// status gives the HTTP status of a kind (contract 1.1, "Status codes").
func status(e *otl.Error) int {
	switch e.Code {
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeMediaType:
		return http.StatusUnsupportedMediaType
	case codeMethod:
		return http.StatusMethodNotAllowed
	}
	switch e.Kind {
	case otl.Malformed:
		return http.StatusBadRequest
	case otl.Invalid:
		return http.StatusUnprocessableEntity
	case otl.Unauthenticated:
		return http.StatusUnauthorized
	case otl.Forbidden:
		return http.StatusForbidden
	case otl.NotFound:
		return http.StatusNotFound
	case otl.Conflict:
		return http.StatusConflict
	case otl.Limited:
		return http.StatusTooManyRequests
	case otl.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Codes of errors that only a wire can have.
const (
	codeTooLarge  = "body_too_large"
	codeMediaType = "unsupported_media_type"
	codeMethod    = "method_not_allowed"
	codeRecent    = "reauthentication_required"
)

// Fail writes an error in the shape of this wire. The server uses it for what
// goes wrong outside the handlers: a panic, an unknown path.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := otl.As(err)
	if e.Kind == otl.Internal && r.Context().Err() != nil {
		e = otl.Busy(time.Second).Because(err) // the time of a request is over, or its client gone
	}
	req := otl.RequestOf(r.Context())
	req.Err = err
	f := failure{Detail: e.Text, RequestID: req.ID, Code: e.Code, DocsURL: "/docs/errors/" + e.Code}
	if e.Field != "" {
		f.Detail = e.Field + ": " + e.Text
	}
	for _, one := range e.More {
		f.Errors = append(f.Errors, failedField{one.Field, one.Code, one.Text})
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Kind == otl.Unauthenticated {
		w.Header().Set("WWW-Authenticate", challenge(e))
	}
	var due *stepDue
	if errors.As(err, &due) {
		write(w, status(e), due.body(f))
		return
	}
	write(w, status(e), f)
}

// challenge words a 401 as RFC 6750 section 3 and RFC 9470 section 3 do.
func challenge(e *otl.Error) string {
	switch e.Code {
	case otl.ErrToken.Code, otl.ErrSessionRevoked.Code, otl.ErrSessionStale.Code:
		return `Bearer error="invalid_token"`
	case codeRecent, factor.ErrUnproven.Code:
		return `Bearer error="insufficient_user_authentication", max_age=` + seconds(recent)
	}
	return "Bearer"
}

// write sends a JSON body. The answer is complete before the first byte goes
// out, so that a value that cannot be marshalled becomes a 500.
func write(w http.ResponseWriter, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // a type of ours that cannot be marshalled
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a client that went away is no error of ours
}
