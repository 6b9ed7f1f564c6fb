package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestASiteIsLimitedAndLeft: contract 1.10, by the person himself with a first-party
// token; a site knows of itself alone and decides nothing (D2, TE-11).
func TestASiteIsLimitedAndLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		own := owner(t, w, "jane@dev.test")
		acme := w.Register(t, site.Registration{
			Name: "Acme", Callbacks: []string{"https://acme.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldName}, Required: otl.Fields{otl.FieldEmail},
		})
		in, elsewhere := w.Login(t, acme, "jane@dev.test"), w.Login(t, w.Notes, "jane@dev.test")
		mine := as(t, w, own)
		again := func() { // what ends sessions voids every token: he refreshes
			u, err := w.Accounts.Find(t.Context(), "jane@dev.test")
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := w.SignIn.Admin(t.Context(), u.ID, w.Installation.SiteID)
			if err != nil {
				t.Fatal(err)
			}
			mine = as(t, w, tokens.Access.Reveal())
		}
		all := mine(http.MethodGet, "/users/me/sites", nil).Items(t)
		if len(all) != 2 || all[0]["name"] != "Acme" || all[1]["name"] != "Notes" || all[0]["required_fields"].([]any)[0] != "email" || all[0]["last_login_at"] == nil {
			t.Errorf("%v", all)
		}
		theirs := w.Do(t, otltest.Call{Path: "/api/v1/users/me/sites", Bearer: in.Text("access_token")}).Items(t)
		if len(theirs) != 1 || theirs[0]["site_id"] != acme.Site.ID {
			t.Errorf("Acme learns of %v", theirs)
		}
		path := "/users/me/sites/" + acme.Site.ID
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			c := otltest.Call{Method: method, Path: "/api/v1" + path, Bearer: in.Text("access_token")}
			if method == http.MethodPut {
				c.Body = object{"fields": []string{"email"}}
			}
			w.Do(t, c).Want(t, http.StatusForbidden, "role_missing")
		}
		mine(http.MethodPut, path, object{"fields": []string{"shoe_size"}}).Want(t, http.StatusUnprocessableEntity)
		got := mine(http.MethodPut, path, object{"fields": []string{"email"}}).Want(t, http.StatusOK)
		if fields := got.JSON["fields"].([]any); len(fields) != 1 || fields[0] != "email" {
			t.Errorf("%s", got.Raw)
		}
		in = w.Refresh(t, acme, in.Text("refresh_token")).Want(t, http.StatusOK)
		if in.Text("user", "name") != "" {
			t.Errorf("it sees %s", in.Raw)
		}
		mine(http.MethodPut, path, object{"fields": []string{}}).Want(t, http.StatusOK) // what it requires
		w.Refresh(t, acme, in.Text("refresh_token")).Want(t, http.StatusUnauthorized, "session_revoked")
		refused := w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: acme.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Want(t, http.StatusForbidden, "consent_required")
		if refused.Text("consent_url") != "/account/connect/"+acme.Site.ID {
			t.Errorf("where does he consent? %s", refused.Raw)
		}
		again()
		mine(http.MethodDelete, path, nil).Want(t, http.StatusOK)
		again()
		mine(http.MethodDelete, path, nil).Want(t, http.StatusNotFound, "not_found")
		mine(http.MethodPut, path, object{"fields": []string{"email"}}).Want(t, http.StatusNotFound, "not_found")
		w.Refresh(t, w.Notes, elsewhere.Text("refresh_token")).Want(t, http.StatusOK)
		w.Clock.Advance(16 * time.Minute)
		mine(http.MethodDelete, "/users/me/sites/"+w.Notes.Site.ID, nil).Want(t, http.StatusUnauthorized, "reauthentication_required")
	})
}
