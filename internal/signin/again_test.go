package signin_test

import (
	"context"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// TestSE15_AVisitGoesOnOnce: what two pages of one visit read before either went on is good for one of them.
func TestSE15_AVisitGoesOnOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
		begun := func(held ...secret.Text) signin.Visit {
			t.Helper()
			f, err := s.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{Redirect: back})
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Visit(t.Context(), f.ID, browser, held)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}

		by, key := w.Strong(t, h.User), newPasskey(&folk{holder: h})
		e, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorKey})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Setup.Confirm(t.Context(), by, e.ID, key.made(t, e.Options)); err != nil {
			t.Fatal(err)
		}
		v := begun()
		options, err := s.Invite(v)
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.Passkey(t.Context(), v, key.signed(t, options, 1, true))
		wantCode(t, "a passkey", err, "")
		_, err = s.Passkey(t.Context(), v, key.signed(t, options, 2, true))
		wantCode(t, "a passkey that signs the same again", err, "mfa_code_invalid")

		v = begun()
		v.Progress.Way = otl.MethodMailLink
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Flows.Prove(ctx, v.Flow, h.ID)
			return err
		})
		if v, err = s.Visit(t.Context(), v.ID, browser, nil); err != nil {
			t.Fatal(err)
		}
		_, err = s.Continue(t.Context(), v)
		wantCode(t, "a link that was opened elsewhere", err, "")
		_, err = s.Continue(t.Context(), v)
		wantCode(t, "the same again", err, "link_not_opened")

		v = begun(first.Browser.Cookie)
		_, err = s.Finish(t.Context(), v)
		wantCode(t, "the end", err, "")
		_, err = s.Finish(t.Context(), v)
		wantCode(t, "the end again", err, "flow_unknown")
		v = begun(first.Browser.Cookie)
		_, err = s.Refuse(t.Context(), v, "access_denied")
		wantCode(t, "no", err, "")
		_, err = s.Refuse(t.Context(), v, "access_denied")
		wantCode(t, "no again", err, "flow_unknown")
		_, err = s.Finish(t.Context(), v)
		wantCode(t, "the end after no", err, "flow_unknown")
	})
}

// TestSE13_WhatChangesBetweenProofAndSession: a right proof opens nothing for somebody who was disabled, or whose password was
// replaced, before it led to a session.
func TestSE13_WhatChangesBetweenProofAndSession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
		if err != nil {
			t.Fatal(err)
		}
		by := w.Strong(t, h.User)
		if _, err := w.Accounts.Change(t.Context(), account.Change{Bearer: by, Current: secret.NewText(otltest.Password), New: secret.NewText("staple-battery-7")}); err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn.Second.Enter(t.Context(), p, &testDoor)
		wantCode(t, "another password", err, "invalid_credentials")

		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.SetDisabled(ctx, h.ID, w.Clock.Now())
			return err
		})
		mailed := signin.Proved{Standing: store.Standing{User: h.User, Site: w.Notes.Site}, Methods: otl.Methods{otl.MethodMailCode}}
		_, err = w.SignIn.Second.Enter(t.Context(), mailed, &testDoor)
		wantCode(t, "disabled", err, "user_disabled")
		if _, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: "jane@dev.test", Password: secret.NewText("staple-battery-7")}); err == nil {
			t.Error("a password of somebody who is disabled")
		}
	})
}

// TestTE04_ATokenSaysWhatItsSessionIs: one that our own key has signed and that is about another person or site than its session
// is none, and so is that of somebody whom the site has suspended since.
func TestTE04_ATokenSaysWhatItsSessionIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		joe := w.Person(t, "joe@dev.test", w.Notes.Site)
		in := login(t, w, w.Notes, "jane@dev.test")
		b, err := w.SignIn.Authenticate(t.Context(), in.Access)
		if err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]func(*token.Access){
			"of another person": func(a *token.Access) { a.Subject = joe.ID },
			"for another site":  func(a *token.Access) { a.Audience = w.Shop.Site.ID },
			"for our own site":  func(a *token.Access) { a.Audience = otltest.Issuer },
		} {
			a := b.Token
			a.ID, a.IssuedAt, a.ExpiresAt = secret.NewID(w.Clock.Now()), w.Clock.Now(), w.Clock.Now().Add(time.Minute)
			change(&a)
			raw, err := w.SignIn.Sessions.Ring.Sign(a)
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, what, good(t, w, secret.NewText(raw)), "token_invalid")
		}
		wantCode(t, "its own", good(t, w, in.Access), "")
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Grants.Suspend(ctx, b.Grant, w.Clock.Now(), time.Time{})
			return err
		})
		wantCode(t, "suspended", good(t, w, in.Access), "session_revoked")
	})
}

// TestOT10_AUsernameNamesWhoShowsIt: a site sends nothing to somebody by a username that he does not let it see.
func TestOT10_AUsernameNamesWhoShowsIt(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		name := "jane"
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Profile: account.Profile{Username: &name}, Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		who := signin.Identifier{Type: signin.ByUsername, Value: name}
		for _, shows := range []bool{false, true} {
			g := m.Grant
			g.Fields, g.UpdatedAt = otl.Fields{otl.FieldEmail}, w.Clock.Now()
			want := "not_found"
			if shows {
				g.Fields, want = append(g.Fields, otl.FieldUsername), ""
			}
			write(t, w, func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) })
			_, err = w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelMail, Known: true})
			wantCode(t, "sent", err, want)
		}
	})
}
