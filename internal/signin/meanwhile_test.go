package signin_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// disables writes that somebody is disabled and ends nothing with it.
func disables(t *testing.T, w *otltest.World, userID string) {
	t.Helper()
	write(t, w, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.SetDisabled(ctx, userID, w.Clock.Now())
		return err
	})
}

// proves gives a right password of somebody at Notes.
func proves(t *testing.T, w *otltest.World, email string) signin.Proved {
	t.Helper()
	p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: email, Password: secret.NewText(otltest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signsIn has somebody sign in on the pages of a new visit with his password, and gives the visit as he is known in it.
func signsIn(t *testing.T, w *otltest.World, email string) signin.Visit {
	t.Helper()
	s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
	f, err := s.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{Redirect: back})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Visit(t.Context(), f.ID, browser, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Password(t.Context(), v, email, secret.NewText(otltest.Password))
	if err != nil || a.Browser.Cookie.Empty() {
		t.Fatal(a, err)
	}
	if v, err = s.Visit(t.Context(), f.ID, browser, []secret.Text{a.Browser.Cookie}); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSE13_WhoIsDisabledMeanwhile: neither a right password nor the code at the end of a visit leads on.
func TestSE13_WhoIsDisabledMeanwhile(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		p, v := proves(t, w, "jane@dev.test"), signsIn(t, w, "jane@dev.test")
		if next, err := w.Flows.Next(t.Context(), v); err != nil || next != signin.StepDone {
			t.Fatal(next, err)
		}
		to, err := w.Flows.Finish(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(to.To)
		if err != nil {
			t.Fatal(err)
		}
		disables(t, w, jane.ID)
		_, err = w.SignIn.Second.Enter(t.Context(), p, &testDoor)
		wantCode(t, "entered", err, "invalid_credentials")
		_, err = w.SignIn.Second.HandOver(t.Context(), p, testDoor, signin.Handover{})
		wantCode(t, "handed over", err, "invalid_credentials")
		_, err = w.Flows.Exchange(t.Context(), signin.Exchange{Site: w.Notes.Site, Code: secret.NewText(u.Query().Get("code")), Redirect: back})
		wantCode(t, "exchanged", err, "code_invalid")
	})
}

// TestSE15_AVisitThatEndedIsNoMore: not to the browser it was of either.
func TestSE15_AVisitThatEndedIsNoMore(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		browser := signin.NewBrowser()
		for _, ends := range []func(signin.Visit){
			func(v signin.Visit) {
				_, err := w.Flows.Refuse(t.Context(), v, "access_denied")
				wantCode(t, "refused", err, "")
			},
			func(v signin.Visit) {
				w.Clock.Advance(30 * time.Minute)
				_, err := w.Flows.Refuse(t.Context(), v, "access_denied")
				wantCode(t, "refused too late", err, "flow_unknown")
			},
		} {
			f, err := w.Flows.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{Redirect: back})
			if err != nil {
				t.Fatal(err)
			}
			v, err := w.Flows.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			ends(v)
			_, err = w.Flows.Visit(t.Context(), f.ID, browser, nil)
			wantCode(t, "afterwards", err, "flow_unknown")
		}
	})
}

// TestPR06_WhoLeftASiteIsAskedAnew: whatever he granted it before.
func TestPR06_WhoLeftASiteIsAskedAnew(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site)
		v := signsIn(t, w, "jane@dev.test")
		for _, want := range []signin.Next{signin.StepDone, signin.StepConsent} {
			if next, err := w.Flows.Next(t.Context(), v); err != nil || next != want {
				t.Errorf("%v %v, want %v", next, err, want)
			}
			write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Grants.Revoke(ctx, h.ID, w.Notes.Site.ID, w.Clock.Now())
				return err
			})
		}
	})
}

// TestOT16_APasswordThatWasUprootedLeadsNowhere: not whoever had just proven it either.
func TestOT16_APasswordThatWasUprootedLeadsNowhere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		p := proves(t, w, "jane@dev.test")
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.Uproot(ctx, tx, w.Factors, u.ID, w.Notes.Site.ID, "")
			return err
		})
		_, err := w.SignIn.Second.Enter(t.Context(), p, &testDoor)
		wantCode(t, "entered", err, "invalid_credentials")
		_, err = w.SignIn.Second.HandOver(t.Context(), p, testDoor, signin.Handover{})
		wantCode(t, "handed over", err, "invalid_credentials")
	})
}

// TestOT16_ACodeToAnAddressOfBeforeProvesNoOther: it shows who reads the mail there, and nothing of the address that took its place.
func TestOT16_ACodeToAnAddressOfBeforeProvesNoOther(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		code := sent(t, w, otl.ChannelMail)
		next, err := otl.ParseEmail("other@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			was := u.Email.Key
			u.Email = next
			_, err := tx.Users.ChangeEmail(ctx, u, was, w.Clock.Now())
			return err
		})
		_, err = w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByID, Value: u.ID}, Code: secret.NewText(code), Known: true})
		if u, bad := w.Store.Read.Users.ByID(t.Context(), u.ID); bad != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("proven at %v by a code to another address (%v): %v", u.EmailVerifiedAt, err, bad)
		}
	})
}

// TestSE05_ALinkThatWasOpenedEndsWithTheSessions: the code it gave a site opens none thereafter, at that site or, once all are ended, at
// any.
func TestSE05_ALinkThatWasOpenedEndsWithTheSessions(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550101", false, w.Notes.Site, w.Shop.Site)
		for what, c := range map[string]struct {
			ends func() error
			want string
		}{
			"nothing":        {func() error { return nil }, ""},
			"at another":     {func() error { return w.SignIn.Second.LogOut(t.Context(), w.Shop.Site.ID, jane.ID) }, ""},
			"at the site":    {func() error { return w.SignIn.Second.LogOut(t.Context(), w.Notes.Site.ID, jane.ID) }, "link_invalid"},
			"by an operator": {func() error { _, err := w.SignIn.RevokeAll(t.Context(), jane.ID); return err }, "link_invalid"},
		} {
			w.Letters(t, "")
			w.Inbox.Empty()
			link, _ := mailed(t, w, "")
			code, err := press(t, w, link)
			if err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(time.Second)
			if err := c.ends(); err != nil {
				t.Fatal(err)
			}
			_, err = w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Code: code})
			wantCode(t, what, err, c.want)
			w.Clock.Advance(time.Minute)
		}
	})
}
