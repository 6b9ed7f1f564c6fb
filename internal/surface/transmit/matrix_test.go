package transmit_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// unlogged are routes of the wire that leave no entry in the log, and why.
var unlogged = map[string]string{
	"POST /v1/auth/otp/email/validation": "the session is in the log, once the code is exchanged",
	"POST /v1/auth/otp/sms/validation":   "the session is in the log, once the code is exchanged",
	"POST /v1/auth/session/authenticate": "the row of the session says when; programs call it all day",
	"POST /v1/auth/token/refresh":        "the row of the session says when; programs call it all day",
}

// TestMain holds every route that changes something against the log (AU-01).
func TestMain(m *testing.M) {
	mine := func(path string) bool { return strings.HasPrefix(path, "/v1/") || path == "/oidc/token" }
	os.Exit(otltest.Matrix(m, mine, unlogged))
}
