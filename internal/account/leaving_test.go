package account_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

func leave(t *testing.T, w *otltest.World, u otl.User) time.Time {
	t.Helper()
	at, err := account.Erasures{Accounts: w.Accounts}.Ask(t.Context(), u, w.Installation.SiteID)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// logged counts the events of a type about a person.
func logged(t *testing.T, w *otltest.World, userID string, kind otl.EventType) (n int) {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), userID, "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// TestWhoIsLeavingIsNowhere: sessions end at once and no site gets another one, by any
// door it has; which it learns nothing of but a sign-out.
func TestWhoIsLeavingIsNowhere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		in := w.Login(t, w.Notes, "jane@dev.test")
		hook, _ := w.Hook(t, w.Notes)
		w.Deliver(t)
		hook.Take()
		at := leave(t, w, u)
		if want := w.Clock.Now().Add(14 * 24 * time.Hour); !at.Equal(want) {
			t.Errorf("deleted at %s, want %s", at, want)
		}
		w.Clock.Advance(time.Hour)
		if again := leave(t, w, u); !again.Equal(at) {
			t.Errorf("asked again: %s, was %s", again, at)
		}
		if n := logged(t, w, u.ID, otl.EventDeletionAsked); n != 1 {
			t.Errorf("%d entries of the log", n)
		}
		w.Deliver(t)
		for _, h := range hook.Take() {
			if h.Text("type") != "session.revoked" || h.Text("data", "reason") != "logout" {
				t.Errorf("the site is told %s", h.Body)
			}
		}
		me := otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}
		w.Do(t, me).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		login := func(password string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": password}})
		}
		login(otltest.Password).Want(t, http.StatusForbidden, "account_leaving")
		login("wrong-horse-7").Want(t, http.StatusUnauthorized, "invalid_credentials") // only who knows the password learns of it
		w.Do(t, otltest.Call{Path: "/api/v1/auth/otp/send", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test"}})
		letters := w.Letters(t, "jane@dev.test")
		if r := w.Do(t, otltest.Call{Path: "/api/v1/auth/otp/verify", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "code": letters[slices.IndexFunc(letters, func(l outbox.Received) bool { return l.Code != "" })].Code}}); r.Status/100 != 4 {
			t.Errorf("signed in by a code: %d %s", r.Status, r.Raw)
		}
		told := letters[slices.IndexFunc(letters, func(l outbox.Received) bool { return l.Link != "" })]
		if !strings.Contains(told.Text, "2") || told.Link != otltest.Issuer+"/account" || !strings.Contains(told.Subject, "deleted") {
			t.Errorf("%+v", told)
		}

		back := account.Erasures{Accounts: w.Accounts}
		for range 2 { // twice is once
			if err := back.TakeBack(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
		}
		if n := logged(t, w, u.ID, otl.EventDeletionBack); n != 1 {
			t.Errorf("taken back %d times", n)
		}
		login(otltest.Password).Want(t, http.StatusOK)
		w.Do(t, me).Want(t, http.StatusUnauthorized) // what ended stays ended
		w.Clock.Advance(15 * 24 * time.Hour)
		if err := back.Due(t.Context()); err != nil {
			t.Fatal(err)
		}
		login(otltest.Password).Want(t, http.StatusOK)
	})
}

// TestMN12_AnAccountIsDeletedOnce: several nodes come at once when the grace is over, not
// before; the sites that knew the person are told once.
func TestMN12_AnAccountIsDeletedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, joe := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "joe@dev.test", w.Notes.Site)
		leave(t, w, jane)
		hook, _ := w.Hook(t, w.Notes, "user.deleted")
		stranger, _ := w.Hook(t, w.Shop, "user.deleted")
		due := account.Erasures{Accounts: w.Accounts}.Due
		w.Clock.Advance(14*24*time.Hour - time.Second)
		if err := due(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Accounts.Find(t.Context(), jane.ID); err != nil {
			t.Fatalf("within the grace: %v", err)
		}
		w.Clock.Advance(time.Second)
		var nodes sync.WaitGroup
		for range 8 {
			nodes.Go(func() {
				if err := due(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		if n := logged(t, w, jane.ID, otl.EventUserDeleted); n != 1 {
			t.Errorf("deleted %d times", n)
		}
		if _, err := w.Accounts.Find(t.Context(), jane.ID); !otl.Is(err, "not_found") {
			t.Errorf("still there: %v", err)
		}
		if _, err := w.Accounts.Find(t.Context(), joe.ID); err != nil {
			t.Errorf("and another one with her: %v", err)
		}
		w.Deliver(t)
		if got := hook.Take(); len(got) != 1 || got[0].Text("data", "user_id") != jane.ID {
			t.Errorf("the site is told %d times", len(got))
		}
		if got := stranger.Take(); len(got) != 0 {
			t.Error("a site that never knew her is told")
		}
	})
}

// TestTakingBackAndDeletingAtOnce: one of them wins, wholly.
func TestTakingBackAndDeletingAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for range 5 {
			u := w.Person(t, "jane@dev.test", w.Notes.Site)
			leave(t, w, u)
			w.Clock.Advance(15 * 24 * time.Hour)
			e := account.Erasures{Accounts: w.Accounts}
			var both sync.WaitGroup
			both.Go(func() {
				if err := e.TakeBack(t.Context(), u.ID); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := e.Due(t.Context()); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			back, deleted := logged(t, w, u.ID, otl.EventDeletionBack), logged(t, w, u.ID, otl.EventUserDeleted)
			_, err := w.Store.Read.Users.ByID(t.Context(), u.ID)
			if back+deleted != 1 || (deleted == 1) != errors.Is(err, store.ErrNotFound) {
				t.Fatalf("taken back %d times, deleted %d times, then %v", back, deleted, err)
			}
			if deleted == 0 {
				if err := w.Accounts.Delete(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
