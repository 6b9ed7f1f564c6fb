package signin_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// What the letter says went with the password.
const (
	withSessions = "Sessions that were opened before have ended, too."
	withFactors  = "Second factors that were set up before are gone, too."
)

// removals gives the letters that say a password no longer works, to whomever, since it was last asked.
func removals(t *testing.T, w *otltest.World) []outbox.Received {
	t.Helper()
	all := slices.DeleteFunc(w.Letters(t, ""), func(l outbox.Received) bool { return l.Kind != otl.MessagePasswordRemoved })
	w.Inbox.Empty()
	return all
}

// registered makes an account with a password, an address or a number, or both, that nobody has proven.
func registered(t *testing.T, w *otltest.World, email, number string) stranger {
	t.Helper()
	made := account.Creation{Email: email, Password: secret.NewText(otltest.Password), Site: &w.Notes.Site}
	if number != "" {
		made.Profile.Phone = &number
	}
	if email == "" {
		name := "u" + strings.TrimPrefix(number, "+")
		made.Profile.Username = &name
	}
	m, err := w.Accounts.Create(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	return stranger{m.User, number}
}

// TestOT16_APasswordThatGoesIsSaid where its person has just proven to be reached: once, and not where he has chosen
// another by the same proof.
func TestOT16_APasswordThatGoesIsSaid(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, way := range append(byMail(), bySMS()) {
			email, number := way.name+"@dev.test", ""
			to, press := email, "Choose a new password:\n"+otltest.Issuer+"/forgot\n"
			if way.name == bySMS().name {
				email, number = "", "+49170555020"+string(rune('0'+i))
				to, press = number, "\nChoose a new password: "+otltest.Issuer+"/account/password"
			}
			s := registered(t, w, email, number)
			if _, in := s.signsIn(t, w); !in {
				t.Fatal("the password does not work before")
			}
			removals(t, w)
			way.prove(t, w, to)
			if _, in := s.signsIn(t, w); in {
				t.Errorf("%s: the password still works", way.name)
			}
			told := removals(t, w)
			if way.name == "reset" || way.name == "sign-up" {
				if len(told) != 0 {
					t.Errorf("%s: %+v", way.name, told)
				}
				continue
			}
			if len(told) != 1 || told[0].To != to || !strings.Contains(told[0].Text, press) || told[0].Link+told[0].Code != "" || strings.Contains(told[0].Text, withFactors) {
				t.Fatalf("%s: %+v", way.name, told)
			}
			if mail := number == ""; mail != strings.Contains(told[0].Text, withSessions) {
				t.Errorf("%s: %s", way.name, told[0].Text)
			}
			w.Clock.Advance(time.Minute)
			way.prove(t, w, to)
			if told := removals(t, w); len(told) != 0 {
				t.Errorf("%s, a second time: %+v", way.name, told)
			}
		}
	})
}

// TestOT16_WhatGoesWithAPasswordIsSaid as far as it goes: not the session that the proof is added to.
func TestOT16_WhatGoesWithAPasswordIsSaid(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, c := range []struct{ session, joins, factor bool }{{}, {session: true}, {session: true, joins: true}, {factor: true}, {session: true, factor: true}} {
			email, join := string(rune('a'+i))+"@dev.test", ""
			s := registered(t, w, email, "")
			if c.session {
				in, worked := s.signsIn(t, w)
				if !worked {
					t.Fatal("the password does not work before")
				}
				if c.joins {
					join = in.Session.ID
				}
			}
			if c.factor {
				if _, err := w.Setup.Give(t.Context(), s.user, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: secret.NewTOTPSeed()}); err != nil {
					t.Fatal(err)
				}
			}
			removals(t, w)
			if _, err := byCode(t, w, w.Notes.Site, signin.Identifier{Type: signin.ByEmail, Value: email}, otl.ChannelMail, email, join); err != nil {
				t.Fatal(err)
			}
			told := removals(t, w)
			if len(told) != 1 || told[0].To != email || strings.Contains(told[0].Text, withSessions) != (c.session && !c.joins) || strings.Contains(told[0].Text, withFactors) != c.factor {
				t.Errorf("%+v: %+v", c, told)
			}
		}
	})
}

// TestOT16_NoPasswordThatNeverWorkedIsSaidToGo: none there, one that lets nobody in before it is replaced, one that went with the
// first proof of the number, one of a sign-up that somebody else began.
func TestOT16_NoPasswordThatNeverWorkedIsSaidToGo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		proves := func(what, email string, want int) {
			t.Helper()
			w.Clock.Advance(time.Minute)
			removals(t, w)
			provesByCode(t, w, email)
			if u, err := w.Accounts.Find(t.Context(), email); err != nil || u.EmailVerifiedAt.IsZero() {
				t.Errorf("%s: %+v %v", what, u, err)
			}
			if told := removals(t, w); len(told) != want {
				t.Errorf("%s: %+v", what, told)
			}
		}
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "none@dev.test", Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		proves("none", "none@dev.test", 0)

		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "given@dev.test", Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Members.SetPassword(t.Context(), w.Notes.Site, m.User.ID, account.GivenPassword{Password: secret.NewText(otltest.Password), Initial: true}); err != nil {
			t.Fatal(err)
		}
		if _, in := (stranger{user: m.User}).signsIn(t, w); in {
			t.Fatal("a password that is to be replaced lets somebody in")
		}
		proves("to be replaced", "given@dev.test", 0)

		number := "+491705550210"
		registered(t, w, "both@dev.test", number)
		removals(t, w)
		provesBySMS(t, w, number)
		if told := removals(t, w); len(told) != 1 || told[0].To != number {
			t.Errorf("the number: %+v", told)
		}
		proves("the number took it", "both@dev.test", 0)
	})
}

// TestOT16_APasswordThatGoesIsSaidToTheNewAddress where somebody's site replaces the address that nobody has proven.
func TestOT16_APasswordThatGoesIsSaidToTheNewAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s, to := registered(t, w, "wrong@dev.test", ""), "right@dev.test"
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, s.user.ID, account.MemberChange{Email: &to}); err != nil {
			t.Fatal(err)
		}
		token := toldBy(t, w, to, otl.MessageConfirmChange)
		removals(t, w)
		if err := w.Members.Changes.Follow(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if told := removals(t, w); len(told) != 1 || told[0].To != to || strings.Contains(told[0].Text, withSessions) {
			t.Errorf("%+v", told)
		}
	})
}
