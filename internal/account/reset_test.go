package account_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT16_AResetThatIsTheFirstProofUproots: whoever set up a second factor under an
// address he had not proven does not keep it when its holder chooses a password.
func TestOT16_AResetThatIsTheFirstProofUproots(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Password: secret.NewText(otltest.Password), Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Setup.Give(t.Context(), m.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: secret.NewTOTPSeed()}); err != nil {
			t.Fatal(err)
		}
		if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, "jane@dev.test"); err != nil {
			t.Fatal(err)
		}
		link := w.Newest(t, "jane@dev.test").Link
		token := link[len(otltest.Issuer+"/reset/"):]
		if err := w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText("staple-battery-8")); err != nil {
			t.Fatal(err)
		}
		has, err := w.Store.Read.Factors.Of(t.Context(), m.User.ID)
		if err != nil || len(has) != 0 {
			t.Errorf("the planted factor is still there: %v %v", has, err)
		}
		login := w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": "staple-battery-8"}})
		if login.Status != 200 {
			t.Errorf("the new password: %d %s", login.Status, login.Raw)
		}
	})
}

// TestD1_AnInvitationEndsWithTheSitesPower: a person whom another site knows by now is
// not the first site's any more, whatever it was given before.
func TestD1_AnInvitationEndsWithTheSitesPower(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for _, elsewhere := range []bool{false, true} {
			email := map[bool]string{false: "own@dev.test", true: "shared@dev.test"}[elsewhere]
			ctx := otl.WithRequest(t.Context(), &otl.Request{SiteID: w.Notes.Site.ID})
			m, err := w.Accounts.Create(ctx, account.Creation{Email: email, Site: &w.Notes.Site})
			if err != nil {
				t.Fatal(err)
			}
			token, err := w.Members.Invite(ctx, w.Notes.Site, m.User.ID)
			if err != nil {
				t.Fatal(err)
			}
			if elsewhere {
				now := w.Clock.Now()
				g := otl.Grant{UserID: m.User.ID, SiteID: w.Shop.Site.ID, Fields: otl.MinimalFields(), CreatedAt: now, UpdatedAt: now}
				if err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) }); err != nil {
					t.Fatal(err)
				}
			}
			err = w.Accounts.Reset(ctx, w.Notes.Site, token, secret.NewText("staple-battery-8"))
			if elsewhere != errors.Is(err, account.ErrResetToken) || !elsewhere && err != nil {
				t.Errorf("known elsewhere %v: %v", elsewhere, err)
			}
		}
	})
}

// TestPW15_OneResetAtATime: of several that ask for a new password of one person at once, at
// different sites, one gets a mail: there is one token, whatever the transactions see.
func TestPW15_OneResetAtATime(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		errs := make([]error, 6)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				errs[i] = w.Accounts.Forgot(t.Context(), []string{w.Notes.Site.ID, w.Shop.Site.ID}[i%2], "jane@dev.test")
			})
		}
		all.Wait()
		sent := 0
		for _, err := range errs {
			if err == nil {
				sent++
			} else if otl.As(err).Kind != otl.Limited {
				t.Error(err)
			}
		}
		if letters := w.Letters(t, "jane@dev.test"); sent != 1 || len(letters) != 1 {
			t.Errorf("%d were sent, %d letters", sent, len(letters))
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT19_AHouseholdIsToldThatItAskedTooOften: that depends on nobody. On pages whatever else
// refuses a mail is told to nobody, because whoever is known where he is gets his.
func TestOT19_AHouseholdIsToldThatItAskedTooOften(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		here := netip.MustParseAddr("198.51.100.7")
		ctx := otl.WithRequest(t.Context(), &otl.Request{Client: here, Peer: here})
		quietly := func(email string) error {
			return account.Resets{Accounts: w.Accounts}.Quietly(ctx, w.Notes.Site.ID, email, "fl_x")
		}
		if err := errors.Join(quietly("jane@dev.test"), quietly("b@dev.test")); err != nil {
			t.Fatal(err)
		}
		if err := w.Accounts.Forgot(ctx, w.Notes.Site.ID, "jane@dev.test"); otl.As(err).Kind != otl.Limited {
			t.Errorf("twice in 30 seconds: %v", err)
		}
		for range 57 {
			if err := quietly("jane@dev.test"); err != nil {
				t.Fatalf("twice in 30 seconds on a page: %v", err)
			}
		}
		if n := len(w.Letters(t, "jane@dev.test")); n != 1 {
			t.Errorf("%d letters", n)
		}
		if err := quietly("c@dev.test"); otl.As(err).Kind != otl.Limited {
			t.Errorf("a 61st: %v", err)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestWhoRunsTheServerSendsALink to choose a new password, also just after another message; to
// nobody whom a password would not let in, and it is in the log.
func TestWhoRunsTheServerSendsALink(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, resets := w.Person(t, "jane@dev.test"), account.Resets{Accounts: w.Accounts}
		if err := w.Accounts.Forgot(t.Context(), w.Installation.SiteID, "jane@dev.test"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := resets.Send(t.Context(), w.Installation.SiteID, u); err != nil {
				t.Fatal(err)
			}
		}
		if sent, invited := logged(t, w, u.ID, otl.EventResetSent), logged(t, w, u.ID, otl.EventUserInvited); sent != 2 || invited != 0 {
			t.Errorf("%d entries of the log, %d of an invitation", sent, invited)
		}
		reset := func(link string) error {
			token := link[len(otltest.Issuer+"/reset/"):]
			return w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText("staple-battery-8"))
		}
		good := 0
		for _, l := range w.Letters(t, "jane@dev.test") {
			if err := reset(l.Link); err == nil {
				good++
			} else if !otl.Is(err, "reset_token_invalid") {
				t.Error(err)
			}
		}
		if good != 1 {
			t.Errorf("%d links work, of which the last alone should", good)
		}
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := resets.Send(t.Context(), w.Installation.SiteID, u); !otl.Is(err, "user_disabled") {
			t.Errorf("disabled: %v", err)
		}
		if err := resets.Send(t.Context(), w.Installation.SiteID, otl.User{ID: secret.NewID(w.Clock.Now())}); !otl.Is(err, "not_found") {
			t.Errorf("nobody: %v", err)
		}
	})
}
