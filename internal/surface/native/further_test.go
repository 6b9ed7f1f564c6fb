package native_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestEveryFaultOfAPersonIsNamedAtOnce: what the schema finds, and what the rules do, of members it
// lets pass; nobody is added.
func TestEveryFaultOfAPersonIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for body, want := range map[string]string{
			`{"email":"not an address","password":"tulip-lamp-44","nick":"x"}`:                  "email not_an_address, nick unknown_field",
			`{"email":"jane@","password":"password","phone":"12","locale":7,"fields":["shoe"]}`: "email not_an_address, fields unknown_value, locale wrong_type, password too_common, phone not_e164",
			`{"Email":"x","password":"short"}`:                                                  "Email unknown_field, email required, password too_short",
			`{"email":"jane@dev.test","password":"jane@dev.test","nick":"x"}`:                   "nick unknown_field, password too_personal",
			`{"email":"jane@dev.test","password":"tulip-lamp-44","nick":"x"}`:                   "nick unknown_field",
		} {
			for _, path := range []string{"/api/v1/auth/register", "/api/v1/users"} {
				r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Key: w.Notes.Key, Body: body}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
				var got []string
				for _, one := range r.JSON["errors"].([]any) {
					e := one.(map[string]any)
					got = append(got, e["field"].(string)+" "+e["code"].(string))
				}
				if strings.Join(got, ", ") != want {
					t.Errorf("%s %s:\n%s, want\n%s", path, body, strings.Join(got, ", "), want)
				}
			}
		}
		if n, err := w.Store.Read.Users.List(t.Context(), "", 10); err != nil || len(n) != 0 {
			t.Errorf("%d people, %v", len(n), err)
		}
	})
}
