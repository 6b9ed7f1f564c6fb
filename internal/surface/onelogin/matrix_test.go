package onelogin_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// unlogged are routes of the wire that leave no entry in the log, and why.
var unlogged = map[string]string{
	"POST /auth/oauth2/v2/token":                  "a program's own token: the row of its client says when; programs ask all day",
	"POST /auth/oauth2/token":                     "a program's own token: the row of its client says when; programs ask all day",
	"POST /auth/oauth2/revoke":                    "of a program's own token",
	"POST /api/1/login/verify_factor":             "the session is in the log, once the browser presents the session token",
	"POST /api/1/verify_factor":                   "as /login/verify_factor",
	"POST /api/1/users/{}/otp_devices":            "it is no factor until it is confirmed",
	"POST /api/2/mfa/users/{}/registrations":      "it is no factor until it is confirmed",
	"POST /api/1/users/{}/otp_devices/{}/trigger": "the message is the record",
	"POST /api/2/mfa/users/{}/verifications":      "the message is the record",
}

// TestMain holds every route that changes something against the log (AU-01).
func TestMain(m *testing.M) {
	mine := func(path string) bool {
		return strings.HasPrefix(path, "/api/1/") || strings.HasPrefix(path, "/api/2/") || strings.HasPrefix(path, "/auth/") || path == "/session_via_api_token"
	}
	os.Exit(otltest.Matrix(m, mine, unlogged))
}
