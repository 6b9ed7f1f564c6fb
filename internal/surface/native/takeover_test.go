package native_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestD1_OT16_ANumberThatASiteWritesTakesNobodysAccount: a partner site writes a number of its own for somebody who has proven nothing yet,
// and uses a code that goes there. Password, second factor and sessions stay, and the number opens nothing.
func TestD1_OT16_ANumberThatASiteWritesTakesNobodysAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		in := w.Login(t, w.Notes, "jane@dev.test").Text("refresh_token")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Grants.Put(ctx, otl.Grant{UserID: u.ID, SiteID: w.Shop.Site.ID, Fields: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}, CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()})
		}); err != nil {
			t.Fatal(err)
		}
		jane := arms(t, w, u)
		version := call(t, w, w.Shop, http.MethodGet, "/users/"+u.ID, nil).Want(t, http.StatusOK).JSON["version"]
		call(t, w, w.Shop, http.MethodPatch, "/users/"+u.ID, object{"phone": "+491705550191", "version": version}).Want(t, http.StatusOK)
		call(t, w, w.Shop, http.MethodPost, "/auth/otp/send", object{"user_id": u.ID, "channel": "sms"}).Want(t, http.StatusAccepted)
		code := w.Newest(t, "+491705550191").Code
		call(t, w, w.Shop, http.MethodPost, "/auth/otp/verify", object{"user_id": u.ID, "code": code}).Want(t, http.StatusUnauthorized, "code_invalid")
		w.Clock.Advance(time.Minute)
		w.Refresh(t, w.Notes, in).Want(t, http.StatusOK)
		token := step(t, w, w.Notes, "jane@dev.test")
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": jane.code(w)}).Want(t, http.StatusOK)
		if is, err := w.Accounts.Find(t.Context(), u.ID); err != nil || !is.PhoneVerifiedAt.IsZero() {
			t.Errorf("proven: %+v %v", is, err)
		}
	})
}
