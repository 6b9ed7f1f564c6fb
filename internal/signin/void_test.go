package signin_test

import (
	"context"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSE05_WhatWasBegunEndsWithTheSessions (MF-02): a second step, a session token and a
// visit proven in another browser, of before all sessions ended, lead nowhere afterwards,
// whatever they were ended by.
func TestSE05_WhatWasBegunEndsWithTheSessions(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site, w.Shop.Site)
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for how, end := range map[string]func() error{
			"by the operator": func() error { _, err := w.SignIn.RevokeAll(t.Context(), h.ID); return err },
			"everywhere": func() error {
				b, err := w.SignIn.Second.Open(t.Context(), signin.Proved{Standing: store.Standing{User: h.User, Site: home}, Methods: otl.Methods{otl.MethodPassword, otl.MethodTOTP}})
				if err != nil {
					return err
				}
				return w.Flows.SignOut(t.Context(), []session.Browser{b}, true)
			},
			"by disabling": func() error {
				if err := w.Accounts.SetDisabled(t.Context(), h.ID, true); err != nil {
					return err
				}
				return w.Accounts.SetDisabled(t.Context(), h.ID, false)
			},
		} {
			step := due(t, w, h)
			handed, err := w.SignIn.Second.HandOver(t.Context(), signin.Proved{Standing: store.Standing{User: h.User, Site: w.Notes.Site}, Methods: otl.Methods{otl.MethodPassword, otl.MethodTOTP}}, testDoor, signin.Handover{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := w.Flows.Begin(t.Context(), w.Notes.Site, signin.NewBrowser(), otl.Asked{})
			if err != nil {
				t.Fatal(err)
			}
			f.Progress.Way = otl.MethodMailLink
			write(t, w, func(ctx context.Context, tx *store.Tx) error { _, err := tx.Flows.Prove(ctx, f, h.ID); return err })
			if err := end(); err != nil {
				t.Fatal(how, err)
			}
			_, err = w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token))
			wantCode(t, how+": the step", err, "mfa_token_invalid")
			_, err = w.SignIn.Second.Arrive(t.Context(), signin.Presented{Token: handed.Token})
			wantCode(t, how+": the session token", err, "session_token_invalid")
			if f, err = w.Store.Read.Flows.Live(t.Context(), f.ID, w.Clock.Now()); err != nil || f.UserID != "" {
				t.Errorf("%s: the visit is %q's: %v", how, f.UserID, err)
			}
		}
	})
}

// TestSE05_AtOneSiteAlone: what was begun at another site goes on.
func TestSE05_AtOneSiteAlone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site, w.Shop.Site)
		step := due(t, w, h)
		if err := w.SignIn.Second.LogOut(t.Context(), w.Shop.Site.ID, h.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token)); err != nil {
			t.Errorf("ended by the log-out of another site: %v", err)
		}
		w.Clock.Advance(60_000_000_000)
		step = due(t, w, h)
		if err := w.SignIn.Second.LogOut(t.Context(), w.Notes.Site.ID, h.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token))
		wantCode(t, "after the log-out of its own", err, "mfa_token_invalid")
		_, err = w.SignIn.Second.Complete(t.Context(), h.proof(w, secret.Text{}))
		wantCode(t, "nothing", err, "mfa_token_invalid")
	})
}
