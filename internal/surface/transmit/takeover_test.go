package transmit_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// victim has Jane, who has proven nothing yet, in at Shop with a second factor, and Notes with all of her profile. It gives her
// refresh token, and what fails where she has lost something of that.
func (x *tenant) victim(t *testing.T) (in string, unharmed func(after string)) {
	t.Helper()
	if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Grants.Put(ctx, otl.Grant{UserID: x.jane.ID, SiteID: x.Notes.Site.ID, Fields: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}, CreatedAt: x.Clock.Now(), UpdatedAt: x.Clock.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	in = x.Login(t, x.Shop, "jane@dev.test").Text("refresh_token")
	if _, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: secret.NewTOTPSeed()}); err != nil {
		t.Fatal(err)
	}
	return in, func(after string) {
		t.Helper()
		r := x.Refresh(t, x.Shop, in)
		if in = r.Text("refresh_token"); r.Status != http.StatusOK {
			t.Errorf("%s her session elsewhere: %d %s", after, r.Status, r.Raw)
		}
		r = x.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: x.Shop.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}})
		if r.Status != http.StatusUnauthorized || r.Text("code") != "mfa_required" && r.Text("mfa_token") == "" {
			t.Errorf("%s her password and second factor: %d %s", after, r.Status, r.Raw)
		}
	}
}

// TestD1_OT16_ANumberThatASiteWritesTakesNobodysAccount: a partner site writes a number of its own for somebody who has proven nothing, and
// uses the codes that go there (contract 3.4, 3.9). It comes into no account by it, and takes nothing away.
func TestD1_OT16_ANumberThatASiteWritesTakesNobodysAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		_, unharmed := x.victim(t)
		number := "+491705550190"
		x.put(t, "/v1/users/"+x.jane.ID, object{"phone_number": number}).Want(t, http.StatusOK)
		who := object{"identifier_type": "user_id", "identifier": x.jane.ID}
		uses := func(more object) otltest.Reply {
			x.Clock.Advance(time.Minute)
			x.post(t, "/v1/auth/otp/send", object{"channel": "sms", "identifier_type": "user_id", "identifier": x.jane.ID}).Want(t, http.StatusOK)
			body := object{"passcode": x.Newest(t, number).Code}
			for _, o := range []object{who, more} {
				for k, v := range o {
					body[k] = v
				}
			}
			return x.post(t, "/v1/auth/otp/authenticate", body)
		}
		if r := uses(nil); r.Status != http.StatusForbidden || r.Text("access_token") != "" {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
		unharmed("after a code")
		direct := x.verify(t, x.code(t, object{"channel": "direct"}), nil)
		uses(object{"session_id": direct.Text("session_id")})
		unharmed("after one that is added to a session")
		is, err := x.Accounts.Find(t.Context(), x.jane.ID)
		if err != nil || !is.PhoneVerifiedAt.IsZero() && is.HeldFor != x.Notes.Site.ID {
			t.Errorf("it opens every site: %+v %v", is, err)
		}
	})
}

// TestD1_OT16_AnAddressThatASiteWritesTakesNobodysAccount: nor does one in the place of an address that nobody has proven. It opens the
// site alone for three days.
func TestD1_OT16_AnAddressThatASiteWritesTakesNobodysAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		in, _ := x.victim(t)
		x.put(t, "/v1/users/"+x.jane.ID, object{"email": "evil@dev.test"}).Want(t, http.StatusOK)
		x.follow(t, x.letter(t, "evil@dev.test"), http.StatusOK)
		x.Clock.Advance(time.Minute)
		is, err := x.Accounts.Find(t.Context(), x.jane.ID)
		factors, bad := x.Store.Read.Factors.Of(t.Context(), x.jane.ID)
		has, worse := x.Store.Read.Passwords.Has(t.Context(), x.jane.ID)
		if err != nil || bad != nil || worse != nil || is.HeldFor != x.Notes.Site.ID || len(factors) == 0 || !has {
			t.Errorf("%+v, %d factors, password %v", is, len(factors), has)
		}
		if r := x.Refresh(t, x.Shop, in); r.Status != http.StatusOK {
			t.Errorf("her session elsewhere: %d %s", r.Status, r.Raw)
		}
		x.follow(t, x.letter(t, "jane@dev.test"), http.StatusOK) // she takes it back, which ends all sessions
		x.Clock.Advance(time.Minute)
		if address, _ := x.email(t, x.jane.ID); address != "jane@dev.test" {
			t.Error(address)
		}
	})
}
