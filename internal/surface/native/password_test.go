package native_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

const fresh = "staple-battery-9"

// mailed gives the mails that wait to be sent.
func mailed(t *testing.T, w *otltest.World) []otl.Message {
	t.Helper()
	stored, err := w.Store.Read.Messages.List(t.Context(), otl.MessageWaiting, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []otl.Message
	for _, one := range slices.Backward(stored) {
		m, err := w.Messages.Open(one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// forgot asks for a reset mail and gives the token of the newest one.
func forgot(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	w.Clock.Advance(time.Millisecond) // lists are in the order of time, and worlds of other tests make ids at other times
	before := len(mailed(t, w))
	r := call(t, w, w.Notes, http.MethodPost, "/auth/password/forgot", object{"email": email}).Want(t, http.StatusAccepted)
	if r.JSON["accepted"] != true {
		t.Errorf("%s", r.Raw)
	}
	w.Clock.Advance(31 * time.Second)
	all := mailed(t, w)
	if len(all) != before+1 {
		return ""
	}
	m := all[before]
	if m.Kind != otl.MessageReset || m.Recipient != "jane@dev.test" || m.SiteID != w.Notes.Site.ID {
		t.Errorf("%+v", m)
	}
	return m.Data["token"]
}

func reset(t *testing.T, w *otltest.World, token, password string) otltest.Reply {
	t.Helper()
	return call(t, w, w.Notes, http.MethodPost, "/auth/password/reset", object{"token": token, "password": password})
}

func signIn(t *testing.T, w *otltest.World, password string) otltest.Reply {
	t.Helper()
	return call(t, w, w.Notes, http.MethodPost, "/auth/login", object{"email": "jane@dev.test", "password": password})
}

func TestPW15_AResetTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		notes, shop := w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Shop, "jane@dev.test")
		token := forgot(t, w, "Jane@DEV.test")
		if !strings.HasPrefix(token, "otl_pr_") || len(token) < 40 {
			t.Fatalf("token %q", token)
		}
		reset(t, w, token, "jane@dev.test").Want(t, http.StatusUnprocessableEntity, "validation_failed") // and the token is as good as before
		if r := reset(t, w, token, fresh).Want(t, http.StatusOK); r.JSON["reset"] != true || len(r.JSON) != 1 || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s", r.Raw) // PW-17: nobody is signed in
		}
		reset(t, w, token, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		w.Refresh(t, w.Notes, notes.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Shop, shop.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: shop.Text("access_token")}).Want(t, http.StatusUnauthorized)
		signIn(t, w, otltest.Password).Want(t, http.StatusUnauthorized, "invalid_credentials")
		signIn(t, w, fresh).Want(t, http.StatusOK)
		if all := mailed(t, w); all[len(all)-1].Kind != otl.MessagePasswordChanged || all[len(all)-1].Recipient != "jane@dev.test" {
			t.Errorf("she is not told: %+v", all[len(all)-1])
		}
	})
}

// Issuing, using or changing the password makes every token before worthless.
func TestPW15_SiblingsDie(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		first, second := forgot(t, w, "jane@dev.test"), forgot(t, w, "jane@dev.test")
		reset(t, w, first, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		as(t, w, home(t, w, jane, otl.MethodPassword))(http.MethodPost, "/auth/password/change", object{"current_password": otltest.Password, "password": fresh}).Want(t, http.StatusOK)
		reset(t, w, second, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		third := forgot(t, w, "jane@dev.test")
		w.Clock.Advance(30 * time.Minute)
		reset(t, w, third, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		for _, bad := range []string{"", "x", "otl_pr_", first + "x", strings.ToUpper(second), "null"} {
			reset(t, w, bad, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		}
		u, err := w.Accounts.Find(t.Context(), "jane@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		fourth := forgot(t, w, "jane@dev.test")
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		reset(t, w, fourth, fresh).Want(t, http.StatusUnauthorized, "reset_token_invalid")
		if token := forgot(t, w, "jane@dev.test"); token != "" {
			t.Error("a disabled person is sent a token")
		}
	})
}

// MN-01: of many who use one token at once, on two nodes, one succeeds.
func TestMN01_OneOfManyResets(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		token := forgot(t, w, "jane@dev.test")
		nodes := []*otltest.World{w}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t))
		}
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				switch r := reset(t, nodes[i%len(nodes)], token, fresh+string(rune('a'+i))); r.Status {
				case http.StatusOK:
					won.Add(1)
				case http.StatusUnauthorized:
					lost.Add(1)
				default:
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 23 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	})
}

// Nobody learns who has an account by asking for a mail.
func TestPW09_ForgotTellsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		ask := func(email string) string {
			return answer(t, call(t, w, w.Notes, http.MethodPost, "/auth/password/forgot", object{"email": email}))
		}
		if known, unknown := ask("jane@dev.test"), ask("nobody@dev.test"); known != unknown {
			t.Errorf("%s\n%s", known, unknown)
		}
		if all := mailed(t, w); len(all) != 1 {
			t.Errorf("%d mails", len(all))
		}
	})
}

func TestD15_MailsAreAskedForAtARate(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		for _, email := range []string{"jane@dev.test", "nobody@dev.test"} {
			ask := func() otltest.Reply {
				return call(t, w, w.Notes, http.MethodPost, "/auth/password/forgot", object{"email": email})
			}
			ask().Want(t, http.StatusAccepted)
			if r := ask().Want(t, http.StatusTooManyRequests, "rate_limited"); r.Header.Get("Retry-After") != "30" {
				t.Errorf("come back after %s", r.Header.Get("Retry-After"))
			}
			for range 4 {
				w.Clock.Advance(30 * time.Second)
				ask().Want(t, http.StatusAccepted)
			}
			w.Clock.Advance(30 * time.Second)
			ask().Want(t, http.StatusTooManyRequests, "rate_limited")
			w.Clock.Advance(time.Hour)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT10_WhoAsksTooSoonIsToldWhen: somebody who has just registered and nobody, in the same words. What is used up for longer
// is told as before.
func TestOT10_WhoAsksTooSoonIsToldWhen(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		ask := func(path, email string) otltest.Reply {
			return call(t, w, w.Notes, http.MethodPost, path, object{"email": email})
		}
		call(t, w, w.Notes, http.MethodPost, "/auth/register", object{"email": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusCreated)
		ask("/auth/otp/send", "jane@dev.test").Want(t, http.StatusAccepted)
		ask("/auth/otp/send", "nobody@dev.test").Want(t, http.StatusAccepted)
		w.Clock.Advance(3500 * time.Millisecond)
		for _, email := range []string{"jane@dev.test", "nobody@dev.test"} {
			for _, path := range []string{"/auth/otp/send", "/auth/password/forgot"} {
				r := ask(path, email).Want(t, http.StatusTooManyRequests, "rate_limited")
				if r.Text("detail") != "A message was asked for a moment ago. Another can be asked for in 27 s." || r.Header.Get("Retry-After") != "27" {
					t.Errorf("%s %s: %s, Retry-After %s", path, email, r.Raw, r.Header.Get("Retry-After"))
				}
			}
		}
		for range 4 {
			w.Clock.Advance(30 * time.Second)
			ask("/auth/otp/send", "jane@dev.test").Want(t, http.StatusAccepted)
		}
		w.Clock.Advance(30 * time.Second)
		if r := ask("/auth/otp/send", "jane@dev.test").Want(t, http.StatusTooManyRequests, "rate_limited"); r.Text("detail") != "Too many requests. Wait as long as Retry-After says." {
			t.Errorf("%s", r.Raw)
		}
	}, func(o *node.Options) { o.Limits = true })
}

func TestPW14_ChangingThePassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		here, notes, shop := firstParty(t, w, jane, otl.Methods{otl.MethodPassword}), w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Shop, "jane@dev.test")
		change := func(present, chosen string) otltest.Reply {
			return as(t, w, here.Access.Reveal())(http.MethodPost, "/auth/password/change", object{"current_password": present, "password": chosen})
		}
		for _, wrong := range []string{"wrong-password", "", "null"} {
			if r := change(wrong, fresh).Want(t, http.StatusUnprocessableEntity, "validation_failed"); !strings.HasPrefix(r.Text("detail"), "current_password: ") {
				t.Errorf("%s", r.Raw)
			}
		}
		change(otltest.Password, "12345678").Want(t, http.StatusUnprocessableEntity, "validation_failed")
		if r := change(otltest.Password, fresh).Want(t, http.StatusOK); r.JSON["session_version"] != 2.0 {
			t.Errorf("%s", r.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: here.Access.Reveal()}).Want(t, http.StatusUnauthorized, "session_version_stale")
		if _, err := w.SignIn.Refresh(t.Context(), here.Refresh, here.Site); err != nil {
			t.Errorf("she is signed out where she is: %v", err)
		}
		w.Refresh(t, w.Notes, notes.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Shop, shop.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		signIn(t, w, otltest.Password).Want(t, http.StatusUnauthorized)
		signIn(t, w, fresh).Want(t, http.StatusOK)
		if all := mailed(t, w); len(all) != 1 || all[0].Kind != otl.MessagePasswordChanged {
			t.Errorf("%+v", all)
		}
	})
}

// TestD2_ASiteChangesNobodysPassword: whoever has his tokens and his password is not himself, where he has two factors, and
// a site gains no power over his account by them.
func TestD2_ASiteChangesNobodysPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, john := w.Person(t, "jane@dev.test", w.Notes.Site), arm(t, w, "john@dev.test", w.Notes.Site)
		change := func(bearer string) otltest.Reply {
			return as(t, w, bearer)(http.MethodPost, "/auth/password/change", object{"current_password": otltest.Password, "password": fresh})
		}
		change(w.Login(t, w.Notes, "jane@dev.test").Text("access_token")).Want(t, http.StatusForbidden, "role_missing")
		change(loginWith(t, w, w.Notes, "john@dev.test", object{"mfa_code": john.code(w)}).Text("access_token")).Want(t, http.StatusForbidden, "role_missing")
		late := home(t, w, jane, otl.MethodPassword)
		w.Clock.Advance(16 * time.Minute)
		change(late).Want(t, http.StatusUnauthorized, "reauthentication_required")
		signIn(t, w, otltest.Password).Want(t, http.StatusOK)
		change(home(t, w, john.User, otl.MethodPassword, otl.MethodTOTP)).Want(t, http.StatusOK)
		change(home(t, w, jane, otl.MethodPassword)).Want(t, http.StatusOK)
	})
}

// PW-11: guesses at the present password count as failed sign-ins do.
func TestPW11_GuessingThePresentPasswordEnds(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := home(t, w, w.Person(t, "jane@dev.test", w.Notes.Site), otl.MethodPassword)
		change := func(present string) otltest.Reply {
			return as(t, w, bearer)(http.MethodPost, "/auth/password/change", object{"current_password": present, "password": fresh})
		}
		for range 5 {
			change("wrong-password").Want(t, http.StatusUnprocessableEntity)
		}
		if r := change(otltest.Password).Want(t, http.StatusTooManyRequests, "rate_limited"); r.Header.Get("Retry-After") == "" {
			t.Error("nobody says until when")
		}
		signIn(t, w, otltest.Password).Want(t, http.StatusTooManyRequests) // one counter for every door
		w.Clock.Advance(time.Minute)
		change(otltest.Password).Want(t, http.StatusOK)
	}, func(o *node.Options) { o.Limits = true })
}

// SR-03: neither table holds a token anybody could use.
func TestSR03_TokensAreNotStored(t *testing.T) {
	t.Parallel()
	eachSeen(t, func(t *testing.T, w seen) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		token := forgot(t, w.World, "jane@dev.test")
		if all := dump(t, w.driver, w.url); strings.Contains(all, token) || !strings.Contains(all, "tickets id=") || !strings.Contains(all, "messages id=") {
			t.Error("the token is stored, or there is no row of it")
		}
		if strings.Contains(w.Log.String(), token) {
			t.Error("the token is in the log")
		}
	})
}
