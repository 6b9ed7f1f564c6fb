package signin_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// replaces writes another password of somebody and ends nothing with it, so that what waits has to look by itself.
func replaces(t *testing.T, w *otltest.World, userID string) {
	t.Helper()
	write(t, w, func(ctx context.Context, tx *store.Tx) error {
		return tx.Passwords.Set(ctx, userID, "none", false, w.Clock.Now())
	})
}

// TestSE13_APasswordThatWasReplacedEndsWhatItBegan: neither a second step nor a session token leads on from the one before.
func TestSE13_APasswordThatWasReplacedEndsWhatItBegan(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		ann := hold(t, w, "ann@dev.test", "+491705550102", false, w.Notes.Site)
		for _, replaced := range []bool{false, true} {
			step := secret.NewText(stepAt(t, w, w.Notes, jane, testDoor))
			p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: ann.Email.Address, Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			token, err := w.SignIn.Second.HandOver(t.Context(), p, testDoor, signin.Handover{})
			if err != nil || token.Token.Empty() {
				t.Fatal(token, err)
			}
			left, opens := "", ""
			if replaced {
				replaces(t, w, jane.ID)
				replaces(t, w, ann.ID)
				left, opens = "mfa_token_invalid", "session_token_invalid"
			}
			_, err = w.SignIn.Second.Complete(t.Context(), jane.proof(w, step))
			wantCode(t, "the step", err, left)
			_, err = w.SignIn.Second.Arrive(t.Context(), signin.Presented{Token: token.Token})
			wantCode(t, "the session token", err, opens)
			w.Clock.Advance(30 * time.Second)
		}
	})
}

// TestCompleteHandOver: a wrong code counts as a try and names nobody, the right one gives a session token in the commit that
// ends the step, and where it leads to none, whose step it was is known.
func TestCompleteHandOver(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		step := secret.NewText(stepAt(t, w, w.Notes, jane, testDoor))
		wrong := jane.proof(w, step)
		wrong.Proof = secret.NewText("000000")
		out, _, err := w.SignIn.Second.CompleteHandOver(t.Context(), wrong, nil)
		wantCode(t, "a wrong code", err, factor.ErrProof.Code)
		if out.User.ID != "" {
			t.Errorf("a wrong code names %s", out.User.ID)
		}
		before := w.Store.Stats().Commits
		out, _, err = w.SignIn.Second.CompleteHandOver(t.Context(), jane.proof(w, step), []string{"https://notes.test"})
		wantCode(t, "the right one", err, "")
		if n := w.Store.Stats().Commits - before; n != 1 && w.Engine == otltest.SQLite {
			t.Errorf("%d commits", n)
		}
		if out.User.ID != jane.ID || out.Token.Empty() {
			t.Errorf("%+v", out)
		}
		_, err = w.SignIn.Second.Arrive(t.Context(), signin.Presented{Token: out.Token, Origin: "https://shop.test"})
		wantCode(t, "a page of another origin", err, signin.ErrOrigin.Code)
		_, _, err = w.SignIn.Second.CompleteHandOver(t.Context(), jane.proof(w, step), nil)
		wantCode(t, "once more", err, signin.ErrStep.Code)

		w.Clock.Advance(30 * time.Second)
		step = secret.NewText(stepAt(t, w, w.Notes, jane, testDoor))
		replaces(t, w, jane.ID)
		out, _, err = w.SignIn.Second.CompleteHandOver(t.Context(), jane.proof(w, step), nil)
		wantCode(t, "after the password was replaced", err, signin.ErrStep.Code)
		if out.User.ID != jane.ID || !out.Token.Empty() {
			t.Errorf("%+v", out)
		}
	})
}

// TestMF03_AStepThatWasTriedTooOftenIsOver: after five wrong proofs neither the right one is taken, nor is a code sent for it.
func TestMF03_AStepThatWasTriedTooOftenIsOver(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		if _, err := w.Setup.Give(t.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorMail}}); err != nil {
			t.Fatal(err)
		}
		for _, wrongs := range []int{4, 5} {
			sp := h.proof(w, due(t, w, h).Token)
			right := sp.Proof
			for range wrongs {
				sp.Proof = secret.NewText("000000")
				_, err := w.SignIn.Second.Complete(t.Context(), sp)
				wantCode(t, "wrong", err, "mfa_code_invalid")
			}
			want := ""
			if wrongs > 4 {
				want = "mfa_token_invalid"
			}
			mail := sp
			mail.Kind = otl.FactorMail
			_, _, err := w.SignIn.Second.Challenge(t.Context(), mail)
			wantCode(t, "a code", err, want)
			sp.Proof = right
			_, err = w.SignIn.Second.Complete(t.Context(), sp)
			wantCode(t, "the right one", err, want)
			w.Clock.Advance(30 * time.Second)
		}
	})
}

// TestMF06_NoCodeIsSentForAStepOfTheSameKind: to whoever came by a link to his mailbox none is mailed.
func TestMF06_NoCodeIsSentForAStepOfTheSameKind(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		if _, err := w.Setup.Give(t.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorMail}}); err != nil {
			t.Fatal(err)
		}
		for first, want := range map[otl.Method]string{otl.MethodPassword: "", otl.MethodMailLink: "mfa_factor_unknown", otl.MethodMailCode: "mfa_factor_unknown"} {
			step, err := w.SignIn.Second.Begin(t.Context(), signin.Proved{Standing: store.Standing{User: h.User, Site: w.Notes.Site}, Methods: otl.Methods{first}}, testDoor)
			if err != nil || step == nil {
				t.Fatal(step, err)
			}
			_, _, err = w.SignIn.Second.Challenge(t.Context(), signin.StepProof{Token: step.Token, Site: w.Notes.Site, Door: testDoor, Kind: otl.FactorMail})
			wantCode(t, string(first), err, want)
		}
	})
}

// TestSE13_AWayThatIsSwitchedOffEndsWhatItBegan: a step that a password began opens nothing at a site that takes none any more.
func TestSE13_AWayThatIsSwitchedOffEndsWhatItBegan(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
		sp := h.proof(w, secret.NewText(stepAt(t, w, w.Notes, h, testDoor)))
		words := otl.Ways{otl.WayPassword}.Others().Strings()
		var err error
		if sp.Site, err = w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Ways: &words}); err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn.Second.Complete(t.Context(), sp)
		wantCode(t, "switched off", err, "way_off")
	})
}

// TestATemporaryPasswordLeadsNowhere: by no door does whoever knows it get on, and each notes that he tried.
func TestATemporaryPasswordLeadsNowhere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for _, app := range []bool{false, true} {
			h := hold(t, w, map[bool]string{false: "jane@dev.test", true: "john@dev.test"}[app], "+491705550101", app, w.Notes.Site)
			write(t, w, func(ctx context.Context, tx *store.Tx) error { return tx.Passwords.MustReplace(ctx, h.ID) })
			p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: h.Email.Address, Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.SignIn.Second.Enter(t.Context(), p, &testDoor)
			wantCode(t, "entered", err, "password_temporary")
			_, err = w.SignIn.Second.HandOver(t.Context(), p, testDoor, signin.Handover{})
			wantCode(t, "handed over", err, "password_temporary")
			_, err = w.SignIn.Second.Begin(t.Context(), p, testDoor)
			wantCode(t, "begun", err, "password_temporary")
			_, err = w.SignIn.Second.Open(t.Context(), p)
			wantCode(t, "opened", err, "password_temporary")
		}
		if n := w.SignIn.Second.Failures.Total.Load(); n != 8 {
			t.Errorf("%d of eight are noted", n)
		}
	})
}

// TestD1_AProofJoinsASessionOfItsPersonAlone: what one of a site's people proves is added to no session of another.
func TestD1_AProofJoinsASessionOfItsPersonAlone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site, w.Shop.Site)
		hold(t, w, "joe@dev.test", "+491705550102", false, w.Notes.Site)
		own, joes, elsewhere := login(t, w, w.Notes, "jane@dev.test"), login(t, w, w.Notes, "joe@dev.test"), login(t, w, w.Shop, "jane@dev.test")
		for what, c := range map[string]struct{ join, want string }{
			"of another person":    {joes.Session.ID, "not_found"},
			"of hers at Shop":      {elsewhere.Session.ID, "not_found"},
			"that there never was": {jane.ID, "not_found"},
			"of hers":              {own.Session.ID, ""},
		} {
			w.Inbox.Empty()
			_, err := byCode(t, w, w.Notes.Site, byJane(), otl.ChannelMail, jane.Email.Address, c.join)
			wantCode(t, what, err, c.want)
			w.Clock.Advance(time.Minute)
		}
		st, err := w.Store.Read.Sessions.Standing(t.Context(), joes.Session.ID)
		if err != nil || st.Session.Methods.String() != "pwd" {
			t.Errorf("the other session: %q %v", st.Session.Methods, err)
		}
	})
}

// TestPR06_WhatAnEndedGrantSharedIsSharedNoMore: whoever left a site has granted it nothing that it requires, by whatever was granted
// before.
func TestPR06_WhatAnEndedGrantSharedIsSharedNoMore(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site) // who shows it her number
		s := w.Notes
		var err error
		if s.Site, err = w.Sites.Set(t.Context(), s.Site.ID, site.Change{Requested: &[]string{"email", "phone"}, Required: &[]string{"phone"}}); err != nil {
			t.Fatal(err)
		}
		_, err = password(t, w, s, "jane@dev.test", otltest.Password)
		wantCode(t, "granted", err, "")
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Grants.Revoke(ctx, h.ID, s.Site.ID, w.Clock.Now())
			return err
		})
		_, err = password(t, w, s, "jane@dev.test", otltest.Password)
		wantCode(t, "ended", err, "consent_required")
	})
}
