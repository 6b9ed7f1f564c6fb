package factor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// must fails the test at once for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plants writes a ticket of somebody for each purpose, and gives what says which can still be used.
func plants(t *testing.T, w *otltest.World, userID, siteID string, all ...otl.Purpose) (left func() []otl.Purpose) {
	t.Helper()
	out, now := map[otl.Purpose][]byte{}, w.Clock.Now()
	must(t, write(t, w, func(ctx context.Context, tx *store.Tx) error {
		for _, p := range all {
			one := otl.Ticket{ID: secret.NewID(now), Purpose: p, UserID: userID, SiteID: siteID, Data: map[string]string{}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
			one.Slot, out[p] = one.ID, secret.Digest(one.ID)
			if err := tx.Tickets.Insert(ctx, one, out[p], nil); err != nil {
				return err
			}
		}
		return nil
	}))
	return func() (stay []otl.Purpose) {
		t.Helper()
		for _, p := range all {
			_, err := w.Store.Read.Tickets.Live(t.Context(), p, out[p], w.Clock.Now())
			if err == nil {
				stay = append(stay, p)
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
		}
		return stay
	}
}

// TestMF08_WhatGoesWithAFactor: what stands in for one, or was sent for one, goes with it, and with the last of them whatever there is.
// An access token from before is void.
func TestMF08_WhatGoesWithAFactor(t *testing.T) {
	t.Parallel()
	all := []otl.Purpose{otl.PurposeRecovery, otl.PurposeDevice, otl.PurposeFactor, otl.PurposeStep, otl.PurposeStandIn, otl.PurposeFactorUndo, otl.PurposeSignIn}
	without := func(gone ...otl.Purpose) []otl.Purpose {
		return slices.DeleteFunc(slices.Clone(all), func(p otl.Purpose) bool { return slices.Contains(gone, p) })
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		first, _ := totp(t, w, u)
		second, _ := totp(t, w, u)
		b := w.Strong(t, u)
		_, _, err := w.Setup.NewCodes(t.Context(), b)
		must(t, err)
		own, err := w.Setup.List(t.Context(), u)
		must(t, err)
		paper := own.Factors[len(own.Factors)-1]
		for _, c := range []struct {
			what  string
			do    func() (int, error)
			stays []otl.Purpose
		}{
			{"the recovery codes", func() (int, error) { return w.Setup.Remove(t.Context(), b, paper.ID) }, without(otl.PurposeRecovery)},
			{"one of two", func() (int, error) { return w.Setup.Remove(t.Context(), b, first.ID) }, without(otl.PurposeDevice, otl.PurposeFactor)},
			{"the last", func() (int, error) { return w.Setup.Remove(t.Context(), b, second.ID) }, without(otl.PurposeDevice, otl.PurposeFactor, otl.PurposeRecovery, otl.PurposeFactorUndo)},
			{"an operator takes all", func() (int, error) { return w.Setup.Reset(t.Context(), u) }, []otl.Purpose{otl.PurposeSignIn}},
		} {
			in, err := w.SignIn.Admin(t.Context(), u.ID, w.Flows.FirstParty)
			must(t, err)
			if c.what == "an operator takes all" {
				totp(t, w, u)
			}
			left := plants(t, w, u.ID, w.Notes.Site.ID, all...)
			w.Clock.Advance(time.Second)
			version, err := c.do()
			must(t, err)
			if got := left(); !slices.Equal(got, c.stays) {
				t.Errorf("%s: %v stay, want %v", c.what, got, c.stays)
			}
			if _, err := w.SignIn.Authenticate(t.Context(), in.Access); !errors.Is(err, otl.ErrSessionStale) || version != in.User.SessionVersion+1 {
				t.Errorf("%s: an access token of before: %v, version %d", c.what, err, version)
			}
		}
		if own, err = w.Setup.List(t.Context(), u); err != nil || len(own.Factors) > 0 || own.CodesLeft > 0 {
			t.Errorf("%+v %v", own, err)
		}
	})
}

// TestMF08_WhatIsBeingSetUp: of one kind it is one factor, which proves nothing before it is confirmed, and whose session has ended
// does not look at it.
func TestMF08_WhatIsBeingSetUp(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		b := w.Strong(t, u)
		proof := func(e factor.Enrolment) secret.Text {
			seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
			must(t, err)
			return codeOf(w, seed, 0)
		}
		first, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		must(t, err)
		second, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		must(t, err)
		_, err = w.Setup.Confirm(t.Context(), b, first.ID, proof(first))
		want(t, "the one before", err, factor.ErrNone)
		want(t, "used before it is confirmed", verify(t, w, factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: second.ID, Proof: proof(second)}), factor.ErrNone)
		want(t, "and by its kind", verify(t, w, factor.Claim{User: u, SiteID: w.Notes.Site.ID, Kind: otl.FactorTOTP, Proof: proof(second)}), factor.ErrNone)

		looks := factor.Registrations{Setup: w.Setup}
		_, err = looks.Begun(t.Context(), b, second.ID)
		want(t, "looked at", err, nil)
		_, err = looks.Begun(t.Context(), store.Standing{User: u, Site: w.Shop.Site}, second.ID)
		want(t, "by a site whose own he is not", err, otl.ErrIndependent)
		must(t, write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sessions.End(ctx, b.Session.ID, otl.EndLogout, w.Clock.Now())
			return err
		}))
		_, err = looks.Begun(t.Context(), b, second.ID)
		want(t, "after the session ended", err, otl.ErrSessionRevoked)
		_, err = w.Setup.Confirm(t.Context(), b, second.ID, proof(second))
		want(t, "confirmed after the session ended", err, otl.ErrSessionRevoked)

		b = w.Strong(t, u)
		w.Clock.Advance(15 * time.Minute)
		_, err = w.Setup.Confirm(t.Context(), b, second.ID, proof(second))
		want(t, "too late", err, factor.ErrNone)
		_, err = w.Setup.Begun(t.Context(), u.ID, second.ID)
		want(t, "looked at too late", err, factor.ErrNone)
	})
}

// TestMF06_AnAddressThatIsNotHisIsNoFactor: one that nobody has proven, or that a site changed a short while ago, is none and does
// not become one.
func TestMF06_AnAddressThatIsNotHisIsNoFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		must(t, write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
			if err == nil {
				u, err = tx.Users.ByID(ctx, u.ID)
			}
			return err
		}))
		one, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorMail}})
		must(t, err)
		unproven, held := u, u
		unproven.EmailVerifiedAt = time.Time{}
		held.HeldFor, held.HeldChannel, held.HeldUntil = w.Notes.Site.ID, otl.ChannelMail, w.Clock.Now().Add(time.Hour)
		for what, c := range map[string]struct {
			as   otl.User
			good bool
		}{"his": {u, true}, "nobody has proven": {unproven, false}, "a site changed": {held, false}} {
			if got := slices.Contains(w.Setup.Ways(c.as), otl.FactorMail); got != c.good {
				t.Errorf("one that is %s can be set up: %v", what, got)
			}
			none := factor.ErrNone
			if c.good {
				none = nil
			}
			_, err := w.Factors.Send(t.Context(), factor.Prompt{User: c.as, SiteID: w.Notes.Site.ID, FactorID: one.ID, Slot: "s"})
			if none == nil && err != nil || none != nil && !errors.Is(err, none) {
				t.Errorf("a code to one that is %s: %v", what, err)
			}
			_, offers, err := w.Factors.Admit(t.Context(), w.Store.Read, store.Standing{User: c.as, Site: w.Notes.Site}, otl.Methods{otl.MethodPassword}, nil)
			if c.good != (err == nil && len(offers) == 1) {
				t.Errorf("offered one that is %s: %v %v", what, offers, err)
			}
		}
	})
}

// TestOT08_GuessesOfAnyKindClose: at a factor that is being set up they count with those at others, and at recovery codes for themselves.
func TestOT08_GuessesOfAnyKindClose(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		one, _ := totp(t, w, u)
		b := w.Strong(t, u)
		codes, _, err := w.Setup.NewCodes(t.Context(), b)
		must(t, err)
		e, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
		must(t, err)
		paper := factor.Claim{User: u, SiteID: w.Notes.Site.ID, Kind: otl.FactorRecovery, Proof: secret.NewText("aaaa-bbbb-ccccc")}
		for range 100 {
			_, err := w.Setup.Confirm(t.Context(), b, e.ID, secret.NewText("000000"))
			want(t, "a wrong code", err, factor.ErrProof)
			want(t, "a wrong code of paper", verify(t, w, paper), factor.ErrProof)
		}
		_, err = w.Setup.Confirm(t.Context(), b, e.ID, secret.NewText("000000"))
		closed := func(what string, err error) {
			t.Helper()
			if err == nil || otl.As(err).Kind != otl.Limited {
				t.Errorf("%s after a hundred: %v", what, err)
			}
		}
		closed("the one that is being set up", err)
		closed("another", verify(t, w, factor.Claim{User: u, SiteID: w.Notes.Site.ID, FactorID: one.ID, Proof: secret.NewText("000000")}))
		paper.Proof = codes[0]
		closed("a right one of paper", verify(t, w, paper))
	})
}

// TestMF13_ADeviceIsRenewedForWhoTrustsItHere: in the place of what its person trusts at our own pages, and no longer than that.
func TestMF13_ADeviceIsRenewedForWhoTrustsItHere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, joe := w.Person(t, jane, w.Notes.Site), w.Person(t, "joe@dev.test", w.Notes.Site)
		home, err := w.Flows.Home(t.Context())
		must(t, err)
		home.TrustDays = 365
		for what, c := range map[string]struct {
			of   otl.User
			at   string
			took bool
		}{
			"one's own":          {u, home.ID, true},
			"somebody else's":    {joe, home.ID, false},
			"that of a site":     {u, w.Notes.Site.ID, false},
			"somebody's at it":   {joe, w.Notes.Site.ID, false},
			"of nobody there is": {otl.User{}, "", false},
		} {
			ttl, renewed, was := 24*time.Hour, time.Duration(0), secret.Text{}
			must(t, write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
				if c.of.ID != "" {
					if was, err = w.Factors.Trust(ctx, tx, c.of.ID, c.at, 30*24*time.Hour); err != nil {
						return err
					}
				}
				ctx = otl.WithRequest(ctx, &otl.Request{Device: factor.DeviceDigest(was)})
				_, renewed, err = factor.Devices{Factors: w.Factors}.Renew(ctx, tx, u.ID, home, ttl)
				return err
			}))
			if c.took {
				ttl = 30 * 24 * time.Hour
			}
			_, err := w.Store.Read.Tickets.Live(t.Context(), otl.PurposeDevice, factor.DeviceDigest(was), w.Clock.Now())
			if renewed != ttl || c.of.ID != "" && errors.Is(err, store.ErrNotFound) != c.took {
				t.Errorf("%s: for %v, and the one before: %v", what, renewed, err)
			}
		}
	})
}

// TestD1_AVerificationIsOfItsPersonSiteAndFactor: whoever asks about another one learns and proves nothing by its token.
func TestD1_AVerificationIsOfItsPersonSiteAndFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, joe := w.Person(t, jane, w.Notes.Site, w.Shop.Site), w.Person(t, "joe@dev.test", w.Notes.Site)
		one, seed := totp(t, w, u)
		other, _ := totp(t, w, u)
		v, asks := factor.Verifications{Factors: w.Factors}, func(u otl.User, s otl.Site, id string) factor.Question {
			g := otl.Grant{UserID: u.ID, SiteID: s.ID, Fields: otl.MinimalFields(), CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()}
			return factor.Question{Standing: store.Standing{User: u, Site: s, Grant: g}, FactorID: id, Token: secret.NewText("token")}
		}
		_, err := v.Begin(t.Context(), asks(u, w.Notes.Site, one.ID), factor.VerificationTTL)
		must(t, err)
		for what, q := range map[string]factor.Question{
			"of another person": asks(joe, w.Notes.Site, ""), "of another site": asks(u, w.Shop.Site, ""), "of another factor": asks(u, w.Notes.Site, other.ID),
		} {
			_, err := v.Look(t.Context(), q)
			want(t, what+" looks", err, factor.ErrVerification)
			_, err = v.Answer(t.Context(), q, codeOf(w, seed, 0))
			want(t, what+" answers", err, factor.ErrVerification)
		}
		got, err := v.Answer(t.Context(), asks(u, w.Notes.Site, one.ID), codeOf(w, seed, 0))
		if err != nil || got.State != factor.VerificationAccepted {
			t.Errorf("its own: %v %v", got.State, err)
		}
		_, err = v.Answer(t.Context(), asks(u, w.Notes.Site, one.ID), codeOf(w, seed, 30*time.Second))
		want(t, "answered twice", err, factor.ErrVerification)
	})
}
