package signin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

func login(t *testing.T, w *otltest.World, s site.Registered, email string) session.Tokens {
	t.Helper()
	tokens, err := password(t, w, s, email, otltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func refresh(t *testing.T, w *otltest.World, s site.Registered, token secret.Text) (session.Tokens, error) {
	t.Helper()
	return w.SignIn.Refresh(t.Context(), token, s.Site)
}

func good(t *testing.T, w *otltest.World, access secret.Text) error {
	t.Helper()
	_, err := w.SignIn.Authenticate(t.Context(), access)
	return err
}

// wantCode fails the test unless an error has a code, "" for none.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if code == "" && err != nil || code != "" && !otl.Is(err, code) {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func TestSE02_TokensEndWhenTheySay(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		first := login(t, w, w.Notes, "jane@dev.test")
		w.Clock.Advance(30*time.Minute - time.Millisecond)
		wantCode(t, "just before 30 minutes", good(t, w, first.Access), "")
		w.Clock.Advance(time.Millisecond)
		wantCode(t, "at 30 minutes", good(t, w, first.Access), "token_invalid")

		w.Clock.Advance(30*24*time.Hour - 30*time.Minute - time.Millisecond)
		second, err := refresh(t, w, w.Notes, first.Refresh)
		wantCode(t, "just before 30 days", err, "")
		w.Clock.Advance(30 * 24 * time.Hour)
		_, err = refresh(t, w, w.Notes, second.Refresh)
		wantCode(t, "at 30 days after the refresh", err, "refresh_invalid")

		slide := login(t, w, w.Notes, "jane@dev.test")
		begin := w.Clock.Now()
		for range 4 { // refreshed every 20 days
			w.Clock.Advance(20 * 24 * time.Hour)
			if slide, err = refresh(t, w, w.Notes, slide.Refresh); err != nil {
				t.Fatalf("after %v: %v", w.Clock.Now().Sub(begin), err)
			}
		}
		w.Clock.Advance(10*24*time.Hour - time.Minute)
		last, err := refresh(t, w, w.Notes, slide.Refresh)
		wantCode(t, "a minute before 90 days", err, "")
		if last.ExpiresIn != time.Minute {
			t.Errorf("the last access token outlives the session: %v", last.ExpiresIn)
		}
		w.Clock.Advance(time.Minute)
		_, err = refresh(t, w, w.Notes, last.Refresh)
		wantCode(t, "at 90 days", err, "refresh_invalid")
		wantCode(t, "its access token", good(t, w, last.Access), "token_invalid")
	})
}

// TestSE11_Grace: the immediate predecessor gets the same successor for ten
// seconds, as long as that is unused.
func TestSE11_Grace(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		zero := login(t, w, w.Notes, "jane@dev.test")
		one, err := refresh(t, w, w.Notes, zero.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(10*time.Second - time.Millisecond)
		again, err := refresh(t, w, w.Notes, zero.Refresh)
		wantCode(t, "within ten seconds", err, "")
		if again.Refresh.Reveal() != one.Refresh.Reveal() {
			t.Error("another successor")
		}
		two, err := refresh(t, w, w.Notes, one.Refresh)
		wantCode(t, "the successor", err, "")
		wantCode(t, "its access token", good(t, w, two.Access), "")
		_, err = refresh(t, w, w.Notes, zero.Refresh) // its successor is used by now
		wantCode(t, "the grandparent", err, "refresh_reused")
		_, err = refresh(t, w, w.Notes, two.Refresh)
		wantCode(t, "the newest after a reuse", err, "session_revoked")
		wantCode(t, "its access token after a reuse", good(t, w, two.Access), "session_revoked")
	})
}

// TestSE12_FiveGenerations: a token of any age ends the session when it comes
// back, and the event says why.
func TestSE12_FiveGenerations(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		for reused := range 5 {
			tokens := []session.Tokens{login(t, w, w.Notes, "jane@dev.test")}
			for range 5 {
				next, err := refresh(t, w, w.Notes, tokens[len(tokens)-1].Refresh)
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, next)
			}
			w.Clock.Advance(10 * time.Second) // also the predecessor is out of grace
			other := login(t, w, w.Notes, "jane@dev.test")
			_, err := refresh(t, w, w.Notes, tokens[reused].Refresh)
			wantCode(t, fmt.Sprint("generation ", reused), err, "refresh_reused")
			_, err = refresh(t, w, w.Notes, tokens[5].Refresh)
			wantCode(t, "the newest", err, "session_revoked")
			_, err = refresh(t, w, w.Notes, other.Refresh)
			wantCode(t, "another session", err, "")
			events, err := w.Store.Read.Events.List(t.Context(), tokens[0].User.ID, "", "", 50)
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, e := range events {
				if e.Type == otl.EventSessionRevoked && e.SessionID == tokens[0].Session.ID && e.Data["reason"] == "refresh_reuse" {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%d events tell of it", found)
			}
		}
	})
}

// TestSE17_AnotherSitesKeyRotatesNothing: a refresh token with the key of
// another site is refused, and still good for its own.
func TestSE17_AnotherSitesKeyRotatesNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		tokens := login(t, w, w.Notes, "jane@dev.test")
		for range 3 {
			_, err := refresh(t, w, w.Shop, tokens.Refresh)
			wantCode(t, "another site", err, "refresh_invalid")
		}
		_, err := refresh(t, w, w.Notes, tokens.Refresh)
		wantCode(t, "its own", err, "")
		for _, bad := range []string{"", "otl_rt_", "x", tokens.Access.Reveal(), tokens.Refresh.Reveal() + "A", tokens.Refresh.Reveal()[:90]} {
			_, err := refresh(t, w, w.Notes, secret.NewText(bad))
			wantCode(t, "nonsense", err, "refresh_invalid")
		}
	})
}

// TestMN02_ParallelExchanges: one token exchanged many times at once has one
// successor, and the session lives on.
func TestMN02_ParallelExchanges(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		token := login(t, w, w.Notes, "jane@dev.test").Refresh
		for round := range 5 {
			successors := make(chan string, 100)
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 100 {
				wg.Go(func() {
					<-start
					next, err := refresh(t, w, w.Notes, token)
					if err != nil {
						t.Errorf("round %d: %v", round, err)
					}
					successors <- next.Refresh.Reveal()
				})
			}
			close(start)
			wg.Wait()
			close(successors)
			seen := map[string]bool{}
			for s := range successors {
				seen[s] = true
			}
			if len(seen) != 1 {
				t.Fatalf("round %d: %d successors", round, len(seen))
			}
			for s := range seen {
				token = secret.NewText(s)
			}
		}
		if _, err := refresh(t, w, w.Notes, token); err != nil {
			t.Errorf("the last successor: %v", err)
		}
	})
}

// TestSE13_WhateverEndsASessionIsSeenAtTheNextCall runs the matrix of causes.
func TestSE13_WhateverEndsASessionIsSeenAtTheNextCall(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for cause, c := range map[string]struct {
			end             func(session.Tokens) error
			access, refresh string
		}{
			"logout": {func(s session.Tokens) error {
				_, err := w.SignIn.Logout(t.Context(), signin.Logout{Site: w.Notes.Site, Access: s.Access})
				return err
			}, "session_revoked", "session_revoked"},
			"logout by the refresh token": {func(s session.Tokens) error {
				_, err := w.SignIn.Logout(t.Context(), signin.Logout{Site: w.Notes.Site, Refresh: s.Refresh})
				return err
			}, "session_revoked", "session_revoked"},
			"logout everywhere": {func(s session.Tokens) error {
				_, err := w.SignIn.Logout(t.Context(), signin.Logout{Site: w.Notes.Site, Access: s.Access, Everywhere: true})
				return err
			}, "session_revoked", "session_revoked"},
			"revoked": {func(s session.Tokens) error {
				_, err := w.SignIn.Revoke(t.Context(), signin.Scope{UserID: s.User.ID}, s.Session.ID, otl.EndLogout)
				return err
			}, "session_revoked", "session_revoked"},
			"all revoked": {func(s session.Tokens) error {
				_, err := w.SignIn.RevokeAll(t.Context(), s.User.ID)
				return err
			}, "session_revoked", "session_revoked"},
			"disabled": {func(s session.Tokens) error { return w.Accounts.SetDisabled(t.Context(), s.User.ID, true) }, "session_revoked", "session_revoked"},
			"left":     {func(s session.Tokens) error { return w.Accounts.Leave(t.Context(), w.Notes.Site.ID, s.User.ID) }, "session_revoked", "session_revoked"},
			"deleted":  {func(s session.Tokens) error { return w.Accounts.Delete(t.Context(), s.User.ID) }, "session_revoked", "refresh_invalid"},
			"a raised version": {func(s session.Tokens) error {
				return w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Users.RaiseSessionVersion(ctx, s.User.ID)
					return err
				})
			}, "session_version_stale", ""},
			"voided keys": {func(session.Tokens) error { return w.Installation.Rotate(t.Context(), true, true) }, "token_invalid", ""},
		} {
			email := fmt.Sprintf("%x@dev.test", cause)
			w.Person(t, email, w.Notes.Site)
			tokens := login(t, w, w.Notes, email)
			wantCode(t, cause+" before", good(t, w, tokens.Access), "")
			if err := c.end(tokens); err != nil {
				t.Errorf("%s: %v", cause, err)
			}
			wantCode(t, cause+": access token", good(t, w, tokens.Access), c.access)
			found, err := w.SignIn.Introspect(t.Context(), tokens.Access, w.Notes.Site)
			if err != nil || found.Active {
				t.Errorf("%s: introspection says %+v %v", cause, found, err)
			}
			_, err = refresh(t, w, w.Notes, tokens.Refresh)
			wantCode(t, cause+": refresh token", err, c.refresh)
		}
	})
}

// TestSE05_LogoutIsOnceAndForAll: the second logout has nothing to end, and the
// person's other sessions go on after a refresh.
func TestSE05_LogoutIsOnceAndForAll(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		one, two, shop := login(t, w, w.Notes, "jane@dev.test"), login(t, w, w.Notes, "jane@dev.test"), login(t, w, w.Shop, "jane@dev.test")
		version, err := w.SignIn.Logout(t.Context(), signin.Logout{Site: w.Notes.Site, Access: one.Access})
		if err != nil || version != 2 {
			t.Errorf("version %d, %v", version, err)
		}
		_, err = w.SignIn.Logout(t.Context(), signin.Logout{Site: w.Notes.Site, Refresh: one.Refresh})
		wantCode(t, "again", err, "session_revoked")
		wantCode(t, "another session", good(t, w, two.Access), "session_version_stale")
		wantCode(t, "another site", good(t, w, shop.Access), "session_version_stale")
		if two, err = refresh(t, w, w.Notes, two.Refresh); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "after a refresh", good(t, w, two.Access), "")
		for what, l := range map[string]signin.Logout{
			"the key of another site": {Site: w.Shop.Site, Access: two.Access}, "another site's refresh token": {Site: w.Shop.Site, Refresh: two.Refresh},
			"no key": {Access: two.Access}, "nothing": {Site: w.Notes.Site},
		} {
			if _, err := w.SignIn.Logout(t.Context(), l); otl.As(err).Kind != otl.Unauthenticated {
				t.Errorf("%s: %v", what, err)
			}
		}
		wantCode(t, "after bad logouts", good(t, w, two.Access), "")
	})
}

// TestSE19_TheOldestMakesRoom: beyond the bound the oldest session of the site
// ends, without voiding the others' tokens.
func TestSE19_TheOldestMakesRoom(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		shop := login(t, w, w.Shop, "jane@dev.test")
		var all []session.Tokens
		for range 51 {
			w.Clock.Advance(time.Millisecond)
			all = append(all, login(t, w, w.Notes, "jane@dev.test"))
		}
		wantCode(t, "the oldest", good(t, w, all[0].Access), "session_revoked")
		wantCode(t, "the next", good(t, w, all[1].Access), "")
		wantCode(t, "the newest", good(t, w, all[50].Access), "")
		wantCode(t, "another site", good(t, w, shop.Access), "")
		live, err := w.SignIn.List(t.Context(), signin.Scope{UserID: shop.User.ID, SiteID: w.Notes.Site.ID}, "", 100)
		if err != nil || len(live) != 50 || live[0].ID != all[50].Session.ID {
			t.Errorf("%d live, %v", len(live), err)
		}
	})
}

// TestTE04_ATokenIsGoodForItsSiteOnly and TE-01: other people's sessions look
// like none.
func TestTE04_ATokenIsGoodForItsSiteOnly(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, john := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "john@dev.test", w.Notes.Site)
		mine, his := login(t, w, w.Notes, "jane@dev.test"), login(t, w, w.Notes, "john@dev.test")
		found, err := w.SignIn.Introspect(t.Context(), mine.Access, w.Shop.Site)
		if err != nil || found.Active {
			t.Errorf("Shop is told %+v %v", found, err)
		}
		unknown := otl.NoSuch("session")
		for what, c := range map[string]struct {
			scope signin.Scope
			id    string
		}{
			"another person's": {signin.Scope{UserID: jane.ID}, his.Session.ID}, "another site's": {signin.Scope{SiteID: w.Shop.Site.ID}, his.Session.ID},
			"none": {signin.Scope{UserID: john.ID}, secret.NewID(w.Clock.Now())}, "no id": {signin.Scope{UserID: john.ID}, "x"},
		} {
			if _, err := w.SignIn.Revoke(t.Context(), c.scope, c.id, otl.EndLogout); err == nil || err.Error() != unknown.Error() {
				t.Errorf("%s: %v", what, err)
			}
		}
		wantCode(t, "after all that", good(t, w, his.Access), "")
		version, err := w.SignIn.Revoke(t.Context(), signin.Scope{SiteID: w.Notes.Site.ID}, his.Session.ID, otl.EndAdmin)
		if err != nil || version != 2 {
			t.Errorf("its own site: %d %v", version, err)
		}
	})
}

func TestFirstPartyTokens(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		tokens, err := w.SignIn.Admin(t.Context(), jane.ID, w.Installation.SiteID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.SignIn.Authenticate(t.Context(), tokens.Access)
		if err != nil || !b.Site.FirstParty || b.Token.Audience != otltest.Issuer || b.Session.Methods.String() != "admin" {
			t.Errorf("%+v %v", b, err)
		}
		login(t, w, w.Notes, "jane@dev.test")
		if all, err := w.SignIn.List(t.Context(), signin.Scope{UserID: jane.ID}, "", 10); err != nil || len(all) != 2 {
			t.Errorf("%d sessions, %v", len(all), err)
		}
		if _, err := w.SignIn.Admin(t.Context(), "nobody", w.Installation.SiteID); !otl.Is(err, "not_found") {
			t.Error(err)
		}
		if err := w.Accounts.SetDisabled(t.Context(), jane.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn.Admin(t.Context(), jane.ID, w.Installation.SiteID); !errors.Is(err, otl.ErrCredentials) {
			t.Errorf("for a disabled person: %v", err)
		}
	})
}

func TestPruneTakesOnlyWhatIsLongOver(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		id := login(t, w, w.Notes, "jane@dev.test").Session.ID
		for _, step := range []struct {
			after time.Duration
			want  error
		}{{119 * 24 * time.Hour, nil}, {25 * time.Hour, store.ErrNotFound}} {
			w.Clock.Advance(step.after)
			if err := w.SignIn.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.Read.Sessions.Standing(t.Context(), id); !errors.Is(err, step.want) {
				t.Errorf("%v later: %v", step.after, err)
			}
		}
	})
}
