package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// reached gives somebody with a proven address and a proven number.
func (d *doer) reached() otl.User {
	u := d.jane()
	d.w.Phone(d.T, u, "+491705550174", true)
	d.w.Proven(d.T, u)
	return u
}

// TestOT17_OnesOwnNumberIsTakenAway by a first-party token of a fresh sign-in, and by no other; where it is needed
// the answer says why, and nothing changes.
func TestOT17_OnesOwnNumberIsTakenAway(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Phone(t, u, "+491705550174", true)
		remove := func(bearer string) otltest.Reply { return as(t, w, bearer)(http.MethodDelete, "/users/me/phone", nil) }
		kept := func() {
			t.Helper()
			if is, err := w.Accounts.Find(t.Context(), u.ID); err != nil || is.Phone != "+491705550174" {
				t.Errorf("%+v %v", is, err)
			}
		}
		own := home(t, w, u, otl.MethodPassword)
		remove(own).Want(t, http.StatusConflict, "phone_alone")
		w.Proven(t, u)
		remove(w.Login(t, w.Notes, "jane@dev.test").Text("access_token")).Want(t, http.StatusForbidden, "role_missing")
		f, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550174"}})
		if err != nil {
			t.Fatal(err)
		}
		remove(own).Want(t, http.StatusUnauthorized, "mfa_proof_required")
		strong := home(t, w, u, otl.MethodPassword, otl.MethodSMS)
		remove(strong).Want(t, http.StatusConflict, "phone_is_factor")
		kept()
		as(t, w, strong)(http.MethodDelete, "/auth/mfa/"+f.ID, nil).Want(t, http.StatusOK)
		late := home(t, w, u, otl.MethodPassword)
		w.Clock.Advance(16 * time.Minute)
		remove(late).Want(t, http.StatusUnauthorized, "reauthentication_required")
		kept()
		fresh := home(t, w, u, otl.MethodPassword)
		if r := remove(fresh).Want(t, http.StatusOK); r.JSON["deleted"] != true {
			t.Errorf("%s", r.Raw)
		}
		if me := as(t, w, fresh)(http.MethodGet, "/users/me", nil).Want(t, http.StatusOK); me.Text("phone") != "" || me.JSON["phone_verified"] != false {
			t.Errorf("%s", me.Raw)
		}
		remove(fresh).Want(t, http.StatusOK) // there is none any more
	})
}
