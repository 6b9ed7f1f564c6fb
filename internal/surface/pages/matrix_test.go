package pages_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// unlogged are routes of the wire that leave no entry in the log, and why.
var unlogged = map[string]string{
	"POST /account/security/add":               "it is no factor until it is confirmed",
	"POST /mfa/setup":                          "it is no factor until it is confirmed",
	"POST /account/security/factors/{}/prefer": "it is which one is asked for first",
	"POST /account/security/factors/{}/rename": "it is what the person calls it",
	"POST /account/security/saved":             "he says that he wrote the codes down",
	"POST /mfa/setup/saved":                    "he says that he wrote the codes down",
	"POST /account/switch":                     "it is who of two the browser stays; a session that ends by it is in the log",
	"POST /passkey/offer":                      "it is not asked again in this browser; a passkey that is made is in the log",
	"POST /signin/restart":                     "a visit is not in the log, what comes of it is",
	"POST /account/connect/{}":                 "a visit is not in the log, what comes of it is",
	"POST /choose":                             "a visit is not in the log, what comes of it is",
	"POST /device":                             "a visit is not in the log, what comes of it is",
	"POST /device/confirm":                     "the session that the device fetches is in the log",
	"POST /forgot":                             "the message is the record",
	"POST /l/{}/again":                         "the message is the record",
	"POST /mfa/send":                           "the message is the record",
	"POST /signin/again":                       "the message is the record",
}

// TestMain holds every route that changes something against the log (AU-01).
func TestMain(m *testing.M) {
	mine := func(path string) bool {
		return !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/oidc/")
	}
	os.Exit(otltest.Matrix(m, mine, unlogged))
}
