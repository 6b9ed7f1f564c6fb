package transmit_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// demands are what a site may ask everybody for that nobody has who is new, how it asks for it no more, and what the refusal is.
func demands() map[string]struct {
	on, off site.Change
	refused error
} {
	all, roles, off := string(otl.MFARequired), string(otl.MFARoles), string(otl.MFAOff)
	return map[string]struct {
		on, off site.Change
		refused error
	}{
		"two factors of joiners": {site.Change{MFA: &roles, MFARoles: &[]string{"joiner"}}, site.Change{MFA: &off}, factor.ErrEnrolment},
		"two factors":            {site.Change{MFA: &all}, site.Change{MFA: &off}, factor.ErrEnrolment},
		"a field":                {site.Change{Requested: &[]string{"email", "phone"}, Required: &[]string{"phone"}}, site.Change{Required: &[]string{}}, signin.ErrConsent},
	}
}

// demand sets what the site asks for.
func (x *inviter) demand(t *testing.T, c site.Change) otl.Site {
	t.Helper()
	if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // whoever joins is one
		_, err := tx.Roles.Insert(ctx, otl.Role{SiteID: x.Notes.Site.ID, Name: "joiner", Default: true, CreatedAt: x.Clock.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	of, err := x.Sites.Set(t.Context(), x.Notes.Site.ID, c)
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// TestContract33_ASiteThatAsksForMoreIsSentNobody: whom it could not let in gets no letter, whoever has the address; and where it asks
// for more once the letter is sent nobody is added, nobody proves anything, and the code is as good as it was.
func TestContract33_ASiteThatAsksForMoreIsSentNobody(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		x.Person(t, "shopper@dev.test", x.Shop.Site)
		for name, d := range demands() {
			x.Inbox.Empty()
			fresh := strings.ReplaceAll(name, " ", "-") + "@dev.test"
			got := x.comes(t, fresh, nil)
			x.demand(t, d.on)
			failed(t, x.redeem(t, got, nil), http.StatusBadRequest, goneUser)
			if r := x.grant(t, got, nil); r.Text("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, r.Status, r.Raw)
			}
			x.nobody(t, "with "+name, fresh)
			for _, address := range []string{"other@dev.test", "shopper@dev.test"} {
				failed(t, x.invite(t, address, nil), http.StatusForbidden, noSignUp)
				failed(t, x.post(t, "/v1/auth/link/email/send", object{"redirect_uri": callback, "identifier_type": "email", "identifier": address}), http.StatusNotFound, noSuchUser)
				if n := len(x.Letters(t, address)); n != 0 {
					t.Errorf("%s: %d letters to %s", name, n, address)
				}
			}
			x.demand(t, d.off)
			x.redeem(t, got, nil).Want(t, http.StatusOK)
		}
	})
}

// TestContract34_WhoIsRefusedWasNeverAdded: whatever refuses somebody who was just added undoes that, and the code is as good as it
// was. Nor does the log name him.
func TestContract34_WhoIsRefusedWasNeverAdded(t *testing.T) {
	t.Parallel()
	newcomers(t, func(t *testing.T, x *inviter) {
		x.inviting(t)
		ways, both := []string{"password", "email_code"}, []string{"password", "email_code", "link"}
		all := demands()
		all["another way"] = struct {
			on, off site.Change
			refused error
		}{site.Change{Ways: &ways}, site.Change{Ways: &both}, otl.ErrWay}
		answers := map[string]bool{}
		for name, d := range all {
			x.Inbox.Empty()
			fresh := strings.ReplaceAll(name, " ", "-") + "@dev.test"
			got := x.comes(t, fresh, nil)
			of := x.demand(t, d.on)
			_, err := x.Codes.Redeem(t.Context(), signin.LinkAttempt{
				Site: of, Client: x.client.ID, Code: secret.NewText(got), Add: account.Newcomers{Accounts: x.Accounts}.Of(of),
			})
			if !otl.Is(err, otl.As(d.refused).Code) {
				t.Errorf("%s: %v", name, err)
			}
			answers[otl.As(err).Code] = true // nobody is named, so one entry counts them
			x.nobody(t, "with "+name, fresh)
			if err := x.SignIn.Second.Failures.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.demand(t, d.off)
			x.redeem(t, got, nil).Want(t, http.StatusOK)
		}
		noted, err := x.Store.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventSignInFailed, Limit: 20})
		if err != nil || len(noted) != len(answers) {
			t.Errorf("%d are noted, %v", len(noted), err)
		}
		for _, e := range noted {
			if e.UserID != "" {
				t.Errorf("%+v is of somebody who never was", e)
			}
		}
	})
}
