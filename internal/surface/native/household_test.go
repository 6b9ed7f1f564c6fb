package native_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOT19_OneHouseholdAsksForSoManyMessages: to whomever, known or not, and by whatever
// call; another one is not kept from it.
func TestOT19_OneHouseholdAsksForSoManyMessages(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	next := 0
	send := func(path, from string) int {
		next++
		body := map[string]string{"email": fmt.Sprintf("p%d@dev.test", next)}
		if path == "/api/v1/auth/link/send" {
			body["callback_url"] = "https://notes.test/callback"
		}
		return w.Do(t, otltest.Call{
			Path: path, Key: w.Notes.Key, Body: body, Headers: map[string]string{"X-OTL-Client-IP": from},
		}).Status
	}
	paths := []string{"/api/v1/auth/otp/send", "/api/v1/auth/link/send", "/api/v1/auth/password/forgot"}
	for i := range 60 {
		if got := send(paths[i%len(paths)], fmt.Sprintf("2001:db8:1:2::%x", i+1)); got >= 300 {
			t.Fatalf("message %d: %d", i, got)
		}
	}
	for _, path := range paths {
		if got := send(path, "2001:db8:1:2:ffff::1"); got != http.StatusTooManyRequests {
			t.Errorf("%s, one more: %d", path, got)
		}
		if got := send(path, "2001:db8:1:3::1"); got >= 300 {
			t.Errorf("%s, another household: %d", path, got)
		}
	}
	// What one site says of a household is held against no other.
	body := map[string]string{"email": "p@dev.test"}
	w.Do(t, otltest.Call{Path: paths[0], Key: w.Shop.Key, Body: body, Headers: map[string]string{"X-OTL-Client-IP": "2001:db8:1:2::1"}}).Want(t, http.StatusAccepted)
}
