package signin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestMF06_ASessionIsRaisedByAnotherKind: one that a code to a mailbox opened is not raised by another code sent there.
func TestMF06_ASessionIsRaisedByAnotherKind(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		if err := types(t, w, sent(t, w, otl.ChannelMail)); err != nil {
			t.Fatal(err)
		}
		live, err := w.Store.Read.Sessions.Live(t.Context(), h.ID, w.Notes.Site.ID, "", w.Clock.Now(), 1)
		if err != nil || len(live) != 1 {
			t.Fatal(live, err)
		}
		st, err := w.Store.Read.Sessions.Standing(t.Context(), live[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		one, err := w.Setup.Give(t.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorMail}})
		if err != nil {
			t.Fatal(err)
		}
		up := signin.StepUp{Bearer: signin.Bearer{Standing: st}, FactorID: one.ID}
		if _, err := w.SignIn.Second.Prompt(t.Context(), up); !errors.Is(err, factor.ErrNone) {
			t.Errorf("asked for: %v", err)
		}
		// What is sent for the session in another way is no proof in it either.
		w.Letters(t, "")
		w.Inbox.Empty()
		if _, err := w.Factors.Send(t.Context(), factor.Prompt{User: h.User, SiteID: w.Notes.Site.ID, FactorID: one.ID, Slot: st.Session.ID}); err != nil {
			t.Fatal(err)
		}
		up.Proof = secret.NewText(w.Letters(t, h.Email.Address)[0].Code)
		if _, err := w.SignIn.Second.Raise(t.Context(), up); !errors.Is(err, factor.ErrNone) {
			t.Errorf("raised: %v", err)
		}
	})
}

// TestMF10_AChallengeIsSignedOnceAndInTime: a key that signs a challenge again, or five minutes later, has proven nothing.
func TestMF10_AChallengeIsSignedOnceAndInTime(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		by, key := w.Strong(t, h.User), newPasskey(&folk{holder: h})
		e, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorKey})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Setup.Confirm(t.Context(), by, e.ID, key.made(t, e.Options)); err != nil {
			t.Fatal(err)
		}
		up := signin.StepUp{Bearer: signin.Bearer{Standing: by}, Kind: otl.FactorKey}
		for i, late := range []time.Duration{0, 5*time.Minute - time.Millisecond, 5 * time.Minute} {
			w.Clock.Advance(time.Second)
			o, err := w.SignIn.Second.Prompt(t.Context(), up)
			if err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(late)
			for again := range 2 {
				up.Proof = key.signed(t, o.Options, uint32(2*i+again+1), true)
				want := "mfa_code_invalid"
				if again == 0 && late < 5*time.Minute {
					want = ""
				}
				_, err = w.SignIn.Second.Raise(t.Context(), up)
				wantCode(t, late.String(), err, want)
			}
		}
	})
}

// TestMF03_AStepIsUsedOnce: whoever has completed a step gets no second session by it, by a fresh code either; and no visit
// shows the step of another.
func TestMF03_AStepIsUsedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		step := due(t, w, h)
		_, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token))
		wantCode(t, "once", err, "")
		w.Clock.Advance(30 * time.Second)
		_, err = w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token))
		wantCode(t, "twice", err, "mfa_token_invalid")

		s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
		visit := func(a otl.Asked) signin.Visit {
			f, err := s.Begin(t.Context(), w.Notes.Site, browser, a)
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		one, other := visit(otl.Asked{Redirect: back}), visit(otl.Asked{Redirect: back})
		a, err := s.Password(t.Context(), one, h.Email.Address, secret.NewText(otltest.Password))
		if err != nil || a.Step == nil {
			t.Fatal(a, err)
		}
		_, err = s.Look(t.Context(), one, a.Step.Token)
		wantCode(t, "its own visit", err, "")
		_, err = s.Look(t.Context(), other, a.Step.Token)
		wantCode(t, "another visit", err, "mfa_token_invalid")
	})
}

// TestMF05_AWishAsksForNoLess: where a site demands two factors, a client that would like them has them demanded still, of
// somebody who has none.
func TestMF05_AWishAsksForNoLess(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		notes, s, browser := demand(t, w, w.Notes, otl.MFARequired), signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
		f, err := s.Begin(t.Context(), notes.Site, browser, otl.Asked{Redirect: back, Factors: 2, Wish: true})
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Visit(t.Context(), f.ID, browser, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Password(t.Context(), v, h.Email.Address, secret.NewText(otltest.Password))
		if err != nil {
			t.Fatal(err)
		}
		if v, err = s.Visit(t.Context(), f.ID, browser, []secret.Text{a.Browser.Cookie}); err != nil {
			t.Fatal(err)
		}
		if next, err := s.Next(t.Context(), v); err != nil || next != signin.StepSetUp {
			t.Errorf("%v %v", next, err)
		}
	})
}
