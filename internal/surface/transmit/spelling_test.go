package transmit_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT13_ALinkToANewcomerGoesToTheAddressThatIsLookedUp: however an address is written the letter goes to what it is compared by, and
// the press lets in nobody whose own mail goes to another spelling: he has proven nothing, and is not connected with the site.
func TestOT13_ALinkToANewcomerGoesToTheAddressThatIsLookedUp(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		for _, c := range []struct {
			has, written, to string
			in               bool
		}{
			{"capitals@dev.test", "CAPITALS@dev.test", "capitals@dev.test", true},
			{"both@dev.test", "Both@DEV.Test", "both@dev.test", true},
			{"sharp@xn--strae-oqa.test", "sharp@straße.test", "sharp@xn--strae-oqa.test", true},
			{"wide@dev.test", "wide@ｄｅｖ.test", "wide@dev.test", true},
			{"kelvin@kiosk.test", "kelvin@\u212aiosk.test", "kelvin@kiosk.test", true},
			{"domain@Dev.Test", "domain@dev.test", "domain@dev.test", true},
			{"", "NEW@Straße.test", "new@xn--strae-oqa.test", true},
			// His own mail goes, or may go, to another mailbox.
			{"First@dev.test", "first@dev.test", "first@dev.test", false},
			{"Same@dev.test", "Same@dev.test", "same@dev.test", false},
			{"typed@straße.test", "typed@straße.test", "typed@xn--strae-oqa.test", false},
			{"broad@ｄｅｖ.test", "broad@dev.test", "broad@dev.test", false},
		} {
			var u otl.User
			if c.has != "" {
				u = x.Person(t, c.has, x.Shop.Site)
			}
			x.Letters(t, "") // what the one before was told
			x.Inbox.Empty()
			x.invite(t, c.written, nil).Want(t, http.StatusOK)
			all := x.Letters(t, "")
			if len(all) != 1 || all[0].To != c.to {
				t.Errorf("%s: %d letters, to %s", c.written, len(all), all[0].To)
				continue
			}
			got := x.press(t, x.invited(t, c.to))
			if c.in {
				id := x.claims(t, x.redeem(t, got, nil).Want(t, http.StatusOK).Text("id_token"))
				if is, err := x.Store.Read.Users.ByEmail(t.Context(), c.to); err != nil || id["sub"] != is.ID || u.ID != "" && u.ID != is.ID || is.EmailVerifiedAt.IsZero() || u.ID == "" && is.Email.Address != c.to {
					t.Errorf("%s lets in %v, not %s: %+v %v", c.written, id["sub"], u.ID, is, err)
				}
				continue
			}
			for range 2 {
				failed(t, x.redeem(t, got, nil), http.StatusBadRequest, goneUser)
			}
			if r := x.grant(t, got, nil); r.Text("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", c.written, r.Status, r.Raw)
			}
			is, err := x.Accounts.Find(t.Context(), u.ID)
			_, joined := x.Store.Read.Grants.Of(t.Context(), u.ID, x.Notes.Site.ID)
			if err != nil || !is.EmailVerifiedAt.IsZero() || !errors.Is(joined, store.ErrNotFound) {
				t.Errorf("%s: %+v %v, grant %v", c.written, is, err, joined)
			}
		}
	})
}

// TestOT13_WhoJoinedMeanwhileIsNotLetInByAnotherSpelling: nor is one of the site's people by then, whose own mail goes elsewhere.
func TestOT13_WhoJoinedMeanwhileIsNotLetInByAnotherSpelling(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		got := x.comes(t, "member@dev.test", nil)
		id := x.made(t, object{"email": "Member@dev.test"})
		failed(t, x.redeem(t, got, nil), http.StatusBadRequest, goneUser)
		if is, err := x.Accounts.Find(t.Context(), id); err != nil || !is.EmailVerifiedAt.IsZero() {
			t.Errorf("%+v %v", is, err)
		}
	})
}
