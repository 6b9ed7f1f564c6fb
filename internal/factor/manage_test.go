package factor_test

import (
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestMF07_RecoveryCodesAreNeverAskedForFirst: they stand in for the others, however old
// they are and whatever somebody would like.
func TestMF07_RecoveryCodesAreNeverAskedForFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		b := w.Strong(t, u)
		app, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		if err != nil {
			t.Fatal(err)
		}
		seed, err := secret.ParseTOTPSeed(app.Seed.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		made, err := w.Setup.Confirm(t.Context(), b, app.ID, secret.NewText(secret.TOTP(seed, w.Clock.Now())))
		if err != nil || len(made.RecoveryCodes) == 0 {
			t.Fatal(err)
		}
		phone, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}})
		if err != nil {
			t.Fatal(err)
		}
		has, err := w.Setup.List(t.Context(), u)
		if err != nil || len(has.Factors) != 3 || has.Factors[2].Kind != otl.FactorRecovery {
			t.Fatalf("%+v %v", has, err)
		}
		_, err = w.Setup.Update(t.Context(), b, has.Factors[2].ID, nil, true)
		if e := otl.As(err); e.Kind != otl.Invalid || e.Field != "default" {
			t.Errorf("preferred: %v", err)
		}
		if _, err := w.Setup.Remove(t.Context(), b, app.ID); err != nil {
			t.Fatal(err)
		}
		if has, err = w.Setup.List(t.Context(), u); err != nil || len(has.Factors) != 2 || has.Factors[0].ID != phone.ID || !has.Factors[0].Default || has.Factors[1].Default {
			t.Errorf("%+v %v", has, err)
		}
	})
}

// TestWhatIsBeingSetUpIsGivenUp: it was never in force, so that nobody is told and nothing
// is void.
func TestWhatIsBeingSetUpIsGivenUp(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		b := w.Strong(t, u)
		app, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		if err != nil {
			t.Fatal(err)
		}
		if version, err := w.Setup.Remove(t.Context(), b, app.ID); err != nil || version != u.SessionVersion {
			t.Fatalf("%d %v", version, err)
		}
		if _, err := w.Setup.Begun(t.Context(), u.ID, app.ID); !otl.Is(err, factor.ErrNone.Code) {
			t.Errorf("it is still there: %v", err)
		}
		if _, err := w.Setup.Remove(t.Context(), b, app.ID); !otl.Is(err, factor.ErrNone.Code) {
			t.Errorf("twice: %v", err)
		}
		if n := len(w.Letters(t, "jane@dev.test")); n != 0 {
			t.Errorf("%d letters", n)
		}
	})
}
