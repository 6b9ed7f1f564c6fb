package factor_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestMF08_OfTwoFirstFactorsAtOnceOneIsConfirmed: somebody and whoever holds a copy of his password set a first factor up at once, a
// telephone and an app, each in a session of one factor. One of them has it; the other's is refused, as it is a moment later.
func TestMF08_OfTwoFirstFactorsAtOnceOneIsConfirmed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i := range 6 {
			email, number := fmt.Sprintf("p%d@dev.test", i), fmt.Sprintf("+49170555016%d", i)
			u := w.Person(t, email, w.Notes.Site)
			begun := func(n factor.New) (store.Standing, factor.Enrolment) {
				in, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, email, secret.NewText(otltest.Password)))
				if err != nil {
					t.Fatal(err)
				}
				by := store.Standing{User: u, Site: w.Notes.Site, Session: in.Session}
				e, err := w.Setup.Enrol(t.Context(), by, n)
				if err != nil {
					t.Fatal(err)
				}
				return by, e
			}
			one, phone := begun(factor.New{Kind: otl.FactorSMS, Number: number})
			other, app := begun(factor.New{Kind: otl.FactorTOTP})
			seed, err := secret.ParseTOTPSeed(app.Seed.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			code := secret.NewText(w.Newest(t, number).Code)
			errs := make([]error, 2)
			var both sync.WaitGroup
			both.Go(func() { _, errs[0] = w.Setup.Confirm(t.Context(), one, phone.ID, code) })
			both.Go(func() { _, errs[1] = w.Setup.Confirm(t.Context(), other, app.ID, codeOf(w, seed, 0)) })
			both.Wait()
			if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), factor.ErrUnproven) {
				t.Errorf("%v and %v", errs[0], errs[1])
			}
			has, err := w.Setup.List(t.Context(), u)
			if err != nil || len(has.Factors) != 2 || !has.Factors[0].Default || has.Factors[1].Kind != otl.FactorRecovery || has.CodesLeft != 10 {
				t.Errorf("%+v %v", has, err)
			}
		}
	})
}

// TestMF07_OfTwoSetsOfCodesAtOnceOneStands: whoever asks for new recovery codes twice at once has one set of them, once in the list.
func TestMF07_OfTwoSetsOfCodesAtOnceOneStands(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		totp(t, w, u)
		for range 6 {
			by := w.Strong(t, u)
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if _, _, err := w.Setup.NewCodes(t.Context(), by); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			has, err := w.Setup.List(t.Context(), u)
			if err != nil || len(has.Factors) != 2 || has.CodesLeft != 10 {
				t.Errorf("%d factors, %d codes, %v", len(has.Factors), has.CodesLeft, err)
			}
		}
	})
}
