package factor_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestD1_WhoBecameIndependentMeanwhile: what a site asks for a person of its own is refused
// where he is that no more by the time it is done, whatever was read before, and changes
// nothing.
func TestD1_WhoBecameIndependentMeanwhile(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		number := "+491705550142"
		for what, free := range map[string]func(ctx context.Context, tx *store.Tx, u otl.User) error{
			"proves-his-address": func(ctx context.Context, tx *store.Tx, u otl.User) error {
				_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
				return err
			},
			"proves-his-number": func(ctx context.Context, tx *store.Tx, u otl.User) error {
				_, err := tx.Users.VerifyPhone(ctx, u.ID, u.Phone, w.Clock.Now())
				return err
			},
			"joins-another-site": func(ctx context.Context, tx *store.Tx, u otl.User) error {
				return tx.Grants.Put(ctx, otl.Grant{UserID: u.ID, SiteID: w.Shop.Site.ID, CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()})
			},
			"leaves-the-site": func(ctx context.Context, tx *store.Tx, u otl.User) error {
				_, err := tx.Grants.Revoke(ctx, u.ID, w.Notes.Site.ID, w.Clock.Now())
				return err
			},
		} {
			m, err := w.Accounts.Create(t.Context(), account.Creation{Email: what + "@dev.test", Site: &w.Notes.Site, Profile: account.Profile{Phone: &number}})
			if err != nil {
				t.Fatal(err)
			}
			by := store.Standing{User: m.User, Site: w.Notes.Site, Grant: m.Grant, Session: otl.Session{Methods: otl.Methods{otl.MethodAdmin}}}
			has, _ := totp(t, w, m.User)
			begun, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorTOTP})
			if err != nil {
				t.Fatal(err)
			}
			seed, err := secret.ParseTOTPSeed(begun.Seed.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			v, token := factor.Verifications{Factors: w.Factors}, secret.NewText("the token of who "+what)
			stand, _, err := v.StandIn(t.Context(), by, time.Hour, true)
			if err != nil {
				t.Fatal(err)
			}
			q := factor.Question{Standing: by, FactorID: factor.StandIn, Token: token}
			if _, err := v.Begin(t.Context(), q, time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := write(t, w, func(ctx context.Context, tx *store.Tx) error { return free(ctx, tx, m.User) }); err != nil {
				t.Fatal(err)
			}
			for act, do := range map[string]func() error{
				"begin": func() error { _, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorTOTP}); return err },
				"confirm": func() error {
					_, err := w.Setup.Confirm(t.Context(), by, begun.ID, secret.NewText(secret.TOTP(seed, w.Clock.Now())))
					return err
				},
				"give up":      func() error { _, err := w.Setup.Remove(t.Context(), by, begun.ID); return err },
				"remove":       func() error { _, err := w.Setup.Remove(t.Context(), by, has.ID); return err },
				"codes":        func() error { _, _, err := w.Setup.NewCodes(t.Context(), by); return err },
				"stand in":     func() error { _, _, err := v.StandIn(t.Context(), by, time.Hour, false); return err },
				"ask for that": func() error { _, err := v.Begin(t.Context(), q, time.Hour); return err },
				"take that":    func() error { _, err := v.Answer(t.Context(), q, stand); return err },
			} {
				if err := do(); !otl.Is(err, otl.ErrIndependent.Code) {
					t.Errorf("%s of somebody who %s: %v", act, what, err)
				}
			}
			own, err := w.Setup.List(t.Context(), m.User)
			if _, still := w.Setup.Begun(t.Context(), m.User.ID, begun.ID); err != nil || still != nil || len(own.Factors) != 1 || own.CodesLeft != 0 {
				t.Errorf("somebody who %s: %+v %v %v", what, own, err, still)
			}
		}
	})
}

// TestD1_ASiteAsksForNoCodesOfWhomItDoesNotOwn: what it is refused is counted for nobody, so that the
// person still gets the codes he signs in with (MF-11).
func TestD1_ASiteAsksForNoCodesOfWhomItDoesNotOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		phone := factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}
		his, err := w.Setup.Give(t.Context(), u, factor.Given{New: phone})
		if err != nil {
			t.Fatal(err)
		}
		by := store.Standing{User: u, Site: w.Notes.Site, Session: otl.Session{Methods: otl.Methods{otl.MethodAdmin}}}
		for range 5 {
			if _, err := w.Setup.Enrol(t.Context(), by, phone); !otl.Is(err, otl.ErrIndependent.Code) {
				t.Errorf("%v", err)
			}
		}
		for range 3 {
			if _, err := w.Factors.Send(t.Context(), factor.Prompt{User: u, SiteID: w.Notes.Site.ID, FactorID: his.ID, Slot: "one"}); err != nil {
				t.Errorf("%v", err)
			}
		}
		if n := len(w.Letters(t, phone.Number)); n != 3 {
			t.Errorf("%d codes", n)
		}
	}, limited)
}
