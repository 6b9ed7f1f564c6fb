package transmit

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// shape is how a group of calls words its errors (contract 3.1).
type shape int

const (
	linkShape     shape = iota // {"error_code":"400","message":"…"}
	sendLinkShape              // the same, of the one call that has a word for an app that is gone
	otpShape                   // {"error_code":"<symbol>","message":"…"}
	restShape                  // {"message":"…","error_code":400}
)

// restBody is an error of the third shape, with its members in the order in which the vendor writes them.
type restBody struct {
	Message any    `json:"message"` // a text, or a list of them
	Code    int    `json:"error_code"`
	Symbol  string `json:"ts_error_code,omitempty"`
}

// symbol gives the status, the word and the text of the OTP pair for an error (contract
// 3.5, 3.6). One that has no word of its own gets that of its kind, because clients of
// that pair know no others.
func symbol(e *otl.Error) (status int, word, text string) {
	switch e.Code {
	case wire.CodeTooLarge:
		return wire.Status(e), "system_invalid_input", e.Text
	case errSession.Code:
		return http.StatusBadRequest, "system_invalid_input", "Session not found"
	case errNoWay.Code:
		return http.StatusNotFound, "auth_login_preferences_missing", e.Text
	case signin.ErrNoAddress.Code:
		return http.StatusNotFound, "user_email_address_missing", "User email address is missing"
	case signin.ErrNoPhone.Code:
		return http.StatusNotFound, "user_phone_number_missing", "User phone number is missing"
	case signin.ErrDisabled.Code:
		return http.StatusForbidden, "user_not_active", "User is not active"
	case signin.ErrNoDirect.Code:
		return http.StatusForbidden, "auth_login_preferences_missing", "The channel direct is not allowed for this user"
	case "scope_missing":
		return http.StatusForbidden, "auth_login_preferences_missing", e.Text
	case signin.ErrCode.Code:
		return http.StatusBadRequest, "auth_invalid_credentials", "Invalid credentials"
	case signin.ErrCodeExpired.Code:
		return http.StatusBadRequest, "auth_otp_passcode_expired", "The passcode has expired"
	case signin.ErrCodeLocked.Code:
		return http.StatusForbidden, "auth_locked", "Too many failed attempts"
	case limit.ErrNumber.Code:
		return http.StatusBadRequest, "external_provider_configuration_error", "SMS are not sent to this country"
	case limit.ErrStopped.Code:
		return http.StatusBadRequest, "external_provider_configuration_error", e.Text
	case message.ErrNoMail.Code:
		return http.StatusBadRequest, "external_provider_configuration_error", "Mail provider not set up"
	case message.ErrNoSMS.Code:
		return http.StatusBadRequest, "external_provider_configuration_error", "SMS provider not set up"
	}
	switch e.Kind {
	case otl.Malformed, otl.Invalid, otl.Conflict:
		return http.StatusBadRequest, "system_invalid_input", said(e)
	case otl.Unauthenticated, otl.Forbidden: // this way to sign in is not open to the person
		return http.StatusForbidden, "auth_login_preferences_missing", said(e)
	case otl.NotFound:
		return http.StatusNotFound, "user_not_found", "User not found"
	}
	return wire.Status(e), e.Code, e.Text
}

// errSession is what the rules call not found, told from a person who is not.
var errSession = &otl.Error{Kind: otl.NotFound, Code: "session_not_found", Text: "Session not found"}

// words gives the status and the text of the other pair, and of the calls about sessions,
// for an error (contract 3.3, 3.4, 3.7).
func words(e *otl.Error) (status int, text string) {
	switch e.Code {
	case wire.CodeTooLarge:
		return wire.Status(e), e.Text
	case errSession.Code:
		return http.StatusBadRequest, "Session not found"
	case otl.ErrRefresh.Code, otl.ErrRefreshReused.Code, otl.ErrSessionRevoked.Code:
		return http.StatusBadRequest, "Invalid refresh token"
	case otl.ErrCredentials.Code:
		return http.StatusBadRequest, "Invalid username or password"
	case signin.ErrLink.Code:
		return http.StatusBadRequest, "Invalid magic link code"
	case signin.ErrDisabled.Code:
		return http.StatusForbidden, "User is not active"
	case message.ErrNoMail.Code, message.ErrNoSMS.Code:
		return http.StatusBadRequest, e.Text
	}
	switch e.Kind {
	case otl.Malformed, otl.Invalid, otl.Conflict:
		return http.StatusBadRequest, said(e)
	case otl.Unauthenticated, otl.Forbidden:
		return http.StatusForbidden, said(e)
	case otl.NotFound: // or his address is
		return http.StatusNotFound, "User not found"
	}
	return wire.Status(e), e.Text
}

// said gives the text of an error with the member it is about.
func said(e *otl.Error) string {
	if e.Field == "" {
		return e.Text
	}
	return named(e.Field) + ": " + e.Text
}

// named gives the name that a member has on this wire.
func named(field string) string {
	switch otl.Field(field) {
	case otl.FieldPhone:
		return "phone_number"
	case otl.FieldLocale:
		return "language"
	}
	return field
}

// of gives an error about a value as one about the member that it stood in.
func of(member string, err error) error {
	if e := otl.As(err); err != nil && e.Kind == otl.Invalid {
		return otl.InvalidField(member, e.More[0].Code, e.Text)
	}
	return err
}

// status gives the status of an error that no call words in its own way.
func status(e *otl.Error) int {
	switch {
	case e.Kind == otl.Invalid, e.Code == message.ErrNoMail.Code, e.Code == message.ErrNoSMS.Code:
		return http.StatusBadRequest
	}
	return wire.Status(e)
}

// fail writes an error as its call words it.
func fail(w http.ResponseWriter, r *http.Request, s shape, err error) {
	if errors.Is(err, session.ErrNone) {
		err = errSession
	}
	e := wire.Failed(w, r, err)
	if s == sendLinkShape && errors.Is(err, site.ErrClient) {
		wire.JSON(w, http.StatusNotFound, map[string]any{"error_code": "404", "message": "App not found"})
		return
	}
	if e.Code == otl.ErrToken.Code || e.Code == otl.ErrTokenMissing.Code {
		wire.JSON(w, http.StatusUnauthorized, restBody{Message: "Invalid token", Code: http.StatusUnauthorized})
		return
	}
	switch s {
	case otpShape:
		code, word, text := symbol(e)
		if errors.Is(err, limit.ErrClosed) {
			code, word, text = http.StatusForbidden, "auth_locked", "Too many failed attempts"
		}
		wire.JSON(w, code, map[string]any{"error_code": word, "message": text})
	case linkShape, sendLinkShape:
		code, text := words(e)
		wire.JSON(w, code, map[string]any{"error_code": strconv.Itoa(code), "message": text})
	default:
		code := status(e)
		wire.JSON(w, code, restBody{Message: said(e), Code: code})
	}
}

// Fail writes an error that no call has.
func Fail(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, restShape, err) }
