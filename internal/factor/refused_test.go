package factor_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// wantCode fails the test unless an error has a code.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !otl.Is(err, code) {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// TestMF08_WhatIsNoFactorIsNotChanged: recovery codes stand in for something, a factor that is being set up has no name
// yet and is not preferred, and nobody has more than twenty.
func TestMF08_WhatIsNoFactorIsNotChanged(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := w.Strong(t, u)
		_, _, err := w.Setup.NewCodes(t.Context(), b)
		wantCode(t, "codes for nothing", err, "mfa_no_factor")
		begun, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		if err != nil {
			t.Fatal(err)
		}
		label := "mine"
		_, err = w.Setup.Update(t.Context(), b, begun.ID, &label, false)
		wantCode(t, "named before it is confirmed", err, "mfa_factor_unknown")
		_, err = w.Setup.Update(t.Context(), b, begun.ID, nil, true)
		wantCode(t, "preferred before it is confirmed", err, "mfa_factor_unknown")
		for range 20 {
			totp(t, w, u)
		}
		_, err = w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		wantCode(t, "one too many", err, "mfa_too_many")
	})
}

// TestD1_WhatASiteCannotVerify: it learns nothing of somebody who is disabled or has left it, and passes no recovery code or
// passkey on, which are for signing in alone.
func TestD1_WhatASiteCannotVerify(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := w.Strong(t, u)
		app, seed := totp(t, w, u)
		codes, _, err := w.Setup.NewCodes(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		has, err := w.Setup.List(t.Context(), u)
		if err != nil || len(has.Factors) != 2 || has.Factors[1].Kind != otl.FactorRecovery {
			t.Fatalf("%+v %v", has, err)
		}
		g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, w.Notes.Site.ID)
		if err != nil {
			t.Fatal(err)
		}
		v, now := factor.Verifications{Factors: w.Factors}, w.Clock.Now()
		for _, one := range []struct {
			what  string
			ask   func(*factor.Question)
			proof secret.Text
			code  string
		}{
			{"a recovery code", func(q *factor.Question) { q.FactorID = has.Factors[1].ID }, codes[0], "mfa_factor_unknown"},
			{"of somebody disabled", func(q *factor.Question) { q.User.DisabledAt = now }, codeOf(w, seed, 0), "mfa_factor_unknown"},
			{"of somebody who left", func(q *factor.Question) { q.Grant = otl.Grant{} }, codeOf(w, seed, 0), "mfa_factor_unknown"},
			{"of somebody suspended", func(q *factor.Question) { q.Grant.SuspendedAt = now }, codeOf(w, seed, 0), "mfa_factor_unknown"},
			{"that is good", func(*factor.Question) {}, codeOf(w, seed, 0), ""},
		} {
			q := factor.Question{Standing: store.Standing{User: u, Site: w.Notes.Site, Grant: g}, FactorID: app.ID, Token: secret.NewText(one.what)}
			one.ask(&q)
			if _, err = v.Begin(t.Context(), q, time.Minute); one.code != "" || err != nil {
				wantCode(t, "begun "+one.what, err, one.code)
			}
			if q.Token = (secret.Text{}); one.code == "" {
				q.Token = secret.NewText(one.what)
			}
			if _, err = v.Answer(t.Context(), q, one.proof); one.code != "" || err != nil {
				wantCode(t, "answered "+one.what, err, one.code)
			}
		}
	})
}

// TestMF13_ATrustedDeviceStandsInWhereNobodyAskedForTwo: it spares its person the second step of a site's rule, and none that was
// wished for or is demanded.
func TestMF13_ATrustedDeviceStandsInWhereNobodyAskedForTwo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		totp(t, w, u)
		var token secret.Text
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			token, err = w.Factors.Trust(ctx, tx, u.ID, w.Notes.Site.ID, time.Hour)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for policy, spares := range map[otl.MFAPolicy]bool{otl.MFAOptional: true, otl.MFAWished: false, otl.MFARequired: false} {
			s := w.Notes.Site
			s.MFA, s.TrustDays = policy, 30
			p, offers, err := w.Factors.Admit(t.Context(), w.Store.Read, store.Standing{User: u, Site: s}, otl.Methods{otl.MethodPassword}, factor.DeviceDigest(token))
			if err != nil || p.Good(u.ID, s.ID) != spares || (len(offers) == 0) != spares {
				t.Errorf("%s: %v %v", policy, offers, err)
			}
		}
	})
}
