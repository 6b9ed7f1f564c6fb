package native

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// failure is the body of every error (contract 1.1, ux B1.1).
type failure struct {
	Detail    string        `json:"detail" doc:"What went wrong, in words; starts with the field at fault where there is one." example:"email: must be one e-mail address, such as jane@example.com"`
	RequestID string        `json:"request_id" doc:"Quote it when asking for help; it finds the matching log line." format:"uuid" example:"6f1c1f4e-8f55-4a53-9b7a-0f6c3b1f0a11"`
	Code      string        `json:"code" doc:"Stable machine word of the error." example:"validation_failed"`
	Errors    []failedField `json:"errors,omitempty" doc:"Every field at fault."`
	DocsURL   string        `json:"docs_url" doc:"A page about this code." example:"/docs/errors/validation_failed"`
	// ConsentURL is a path of this server, as DocsURL is.
	ConsentURL string `json:"consent_url,omitempty" doc:"With consent_required: the page on which the person decides what the site sees." example:"/account/connect/01HKZ2A7R4T6Y8W3E5P9S1K0MH"`
}

type failedField struct {
	Field  string `json:"field" doc:"Path of the member." example:"email"`
	Code   string `json:"code" doc:"Machine word of the rule." example:"not_an_address"`
	Detail string `json:"detail" doc:"The rule in words." example:"must be one e-mail address, such as jane@example.com"`
}

// codeRecent is for what needs a sign-in of the last 15 minutes.
const codeRecent = "reauthentication_required"

// Fail writes an error in the shape of this wire. The server uses it for what
// goes wrong outside the handlers: a panic, an unknown path.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.Failed(w, r, err)
	f := failure{Detail: e.Text, RequestID: otl.RequestOf(r.Context()).ID, Code: e.Code, DocsURL: "/docs/errors/" + e.Code}
	if e.Field != "" {
		f.Detail = e.Field + ": " + e.Text
	}
	if id := otl.RequestOf(r.Context()).SiteID; e.Code == signin.ErrConsent.Code && id != "" {
		f.ConsentURL = "/account/connect/" + id
	}
	for _, one := range e.More {
		f.Errors = append(f.Errors, failedField{one.Field, one.Code, one.Text})
	}
	if e.Kind == otl.Unauthenticated {
		w.Header().Set("WWW-Authenticate", challenge(e))
	}
	var due *stepDue
	if errors.As(err, &due) {
		wire.JSON(w, wire.Status(e), due.body(f))
		return
	}
	wire.JSON(w, wire.Status(e), f)
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
