package transmit

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// shape is how a group of calls words its errors (contract 3.1).
type shape int

const (
	linkShape shape = iota // {"error_code":"400","message":"…"}
	otpShape               // {"error_code":"<symbol>","message":"…"}
	restShape              // {"message":"…","error_code":400}
)

const codeMethod = "method_not_allowed"

// symbol gives the status, the word and the text of the OTP pair for an error; the
// word is "" where the error has none of its own.
func symbol(code string) (status int, word, text string) {
	switch code {
	case otl.NoSuch("").Code:
		return http.StatusNotFound, "user_not_found", "User not found"
	case signin.ErrNoAddress.Code:
		return http.StatusNotFound, "user_email_address_missing", "User email address is missing"
	case signin.ErrNoPhone.Code:
		return http.StatusNotFound, "user_phone_number_missing", "User phone number is missing"
	case signin.ErrDisabled.Code:
		return http.StatusForbidden, "user_not_active", "User is not active"
	case signin.ErrNoDirect.Code:
		return http.StatusForbidden, "auth_login_preferences_missing", "The channel direct is not allowed for this user"
	case "scope_missing":
		return http.StatusForbidden, "auth_login_preferences_missing", "The channel is not allowed for this client"
	case signin.ErrCode.Code:
		return http.StatusBadRequest, "auth_invalid_credentials", "Invalid credentials"
	case signin.ErrCodeExpired.Code:
		return http.StatusBadRequest, "auth_otp_passcode_expired", "The passcode has expired"
	case signin.ErrCodeLocked.Code:
		return http.StatusForbidden, "auth_locked", "Too many failed attempts"
	case signin.ErrNumber.Code:
		return http.StatusBadRequest, "external_provider_configuration_error", "SMS are not sent to this country"
	case errSession.Code:
		return http.StatusBadRequest, "system_invalid_input", "Session not found"
	}
	return 0, "", ""
}

// errSession is what the rules call not found, told from a person who is not.
var errSession = &otl.Error{Kind: otl.NotFound, Code: "session_not_found", Text: "Session not found"}

// words gives the text of the other pair for an error, "" where it has none of its
// own, and whether it is a 400 there whatever it is elsewhere.
func words(code string) (text string, bad bool) {
	switch code {
	case errSession.Code:
		return "Session not found", true
	case otl.ErrRefresh.Code, otl.ErrRefreshReused.Code, otl.ErrSessionRevoked.Code:
		return "Invalid refresh token", true
	case otl.ErrCredentials.Code:
		return "Invalid username or password", true
	case signin.ErrLink.Code:
		return "Invalid magic link code", true
	case otl.NoSuch("").Code:
		return "User not found", false
	case signin.ErrDisabled.Code:
		return "User is not active", false
	}
	return "", false
}

// status gives the status of an error that no call words in its own way.
func status(e *otl.Error) int {
	if e.Kind == otl.Invalid {
		return http.StatusBadRequest
	}
	return wire.Status(e.Kind)
}

// fail writes an error as its call words it.
func fail(w http.ResponseWriter, r *http.Request, s shape, err error) {
	if errors.Is(err, session.ErrNone) {
		err = errSession
	}
	e := wire.Failed(w, r, err)
	code, text := status(e), e.Text
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	switch e.Code {
	case codeMethod:
		code = http.StatusMethodNotAllowed
	case otl.ErrToken.Code, otl.ErrTokenMissing.Code:
		wire.JSON(w, http.StatusUnauthorized, map[string]any{"message": "Invalid token", "error_code": http.StatusUnauthorized})
		return
	}
	switch s {
	case otpShape:
		word := "system_invalid_input"
		if code >= http.StatusTooManyRequests {
			word = e.Code
		}
		if c, own, said := symbol(e.Code); own != "" {
			code, word, text = c, own, said
		}
		wire.JSON(w, code, map[string]any{"error_code": word, "message": text})
	case linkShape:
		if said, bad := words(e.Code); said != "" {
			text = said
			if bad {
				code = http.StatusBadRequest
			}
		}
		wire.JSON(w, code, map[string]any{"error_code": strconv.Itoa(code), "message": text})
	default:
		wire.JSON(w, code, map[string]any{"message": text, "error_code": code})
	}
}

// Fail writes an error that no call has.
func Fail(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, restShape, err) }

// NotFound answers a path nobody serves.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Fail(w, r, &otl.Error{Kind: otl.NotFound, Code: "no_such_path", Text: "No such path."})
}
