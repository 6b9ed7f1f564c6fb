package oidc_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// unlogged are routes of the wire that leave no entry in the log, and why.
var unlogged = map[string]string{
	"POST /oidc/authorize":            "a visit is not in the log, what comes of it is",
	"POST /oidc/auth":                 "a visit is not in the log, what comes of it is",
	"POST /oidc/par":                  "a visit is not in the log, what comes of it is",
	"POST /oidc/device_authorization": "a device that waits is not in the log, the session it comes to is",
	"POST /oidc/introspect":           "it only looks",
	"POST /oidc/userinfo":             "it only looks",
}

// TestMain holds every route that changes something against the log (AU-01).
func TestMain(m *testing.M) {
	mine := func(path string) bool { return strings.HasPrefix(path, "/oidc/") && path != "/oidc/token" }
	os.Exit(otltest.Matrix(m, mine, unlogged))
}
