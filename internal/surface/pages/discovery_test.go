package pages_test

import (
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestPasswordManagersFindTheirWay to where passkeys and passwords are looked after.
func TestPasswordManagersFindTheirWay(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	r := w.Do(t, otltest.Call{Path: "/.well-known/passkey-endpoints"}).Want(t, http.StatusOK)
	if r.Header.Get("Content-Type") != "application/json" || r.Text("enroll") != otltest.Issuer+"/account/security" || r.Text("manage") != otltest.Issuer+"/account/security" {
		t.Errorf("%s", r.Raw)
	}
	if p := w.Browser(t).Get("/.well-known/change-password"); p.Title != "Reset your password" && p.Title != "Sign in" {
		t.Errorf("%d %s", p.Status, p.Title)
	}
}
