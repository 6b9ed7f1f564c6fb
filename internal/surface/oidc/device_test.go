package oidc_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSilentlyAsOnThePages: prompt=none asks no second factor of a trusted device, and
// says of somebody the site has suspended that he is refused.
func TestSilentlyAsOnThePages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		seed := secret.NewTOTPSeed()
		if _, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		b := x.browser
		p := b.Submit(b.Get(x.ask(x.client, nil)), "/signin", map[string]string{"identifier": jane, "password": otltest.Password})
		p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now()), "trust": "1"})
		if p.Left == nil {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		b.Cookies = map[string]string{"__Host-otl_device": b.Cookies["__Host-otl_device"]}
		x.signIn(t, x.ask(x.client, nil)) // one factor
		q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none"}))
		x.exchange(t, x.client, q.Get("code"), nil).Want(t, http.StatusOK)
		delete(b.Cookies, "__Host-otl_device")
		if q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none"})); q.Get("error") != "interaction_required" {
			t.Errorf("without the device: %v", q)
		}
		yes := true
		if _, err := x.Members.Change(t.Context(), x.Notes.Site, x.jane.ID, account.MemberChange{Suspended: &yes}); err != nil {
			t.Fatal(err)
		}
		if q := x.signIn(t, x.ask(x.client, map[string]string{"prompt": "none"})); q.Get("error") != "access_denied" {
			t.Errorf("suspended: %v", q)
		}
	})
}

// TestAFactorAskedForWhereTheSiteAsksNone: acr_values ask for two factors for this once,
// and the page of the second step shows those there are.
func TestAFactorAskedForWhereTheSiteAsksNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		notes := x.Notes.Site
		notes.MFA = otl.MFAOff
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Update(ctx, notes)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		seed := secret.NewTOTPSeed()
		b := x.browser
		x.signIn(t, x.ask(x.client, nil))
		if _, err := x.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		p := b.Get(x.ask(x.client, map[string]string{"claims": `{"id_token":{"acr":{"essential":true,"value":"2"}}}`}))
		if p.Title != "One more step" {
			t.Fatalf("%d %s %v", p.Status, p.Title, p.Left)
		}
		if p = b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, x.Clock.Now())}); p.Left == nil || p.Left.Query().Get("code") == "" {
			t.Errorf("%d %s %v", p.Status, p.Title, p.Left)
		}
	})
}
