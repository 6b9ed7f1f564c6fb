package signin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// closeCodes makes a hundred guesses at codes of a person, which closes them to him.
func closeCodes(t *testing.T, w *otltest.World, u otl.User) {
	t.Helper()
	guessWrong(t, w, u, 100)
}

// guessWrong counts wrong guesses at a person's codes.
func guessWrong(t *testing.T, w *otltest.World, u otl.User, n int) {
	t.Helper()
	write(t, w, func(ctx context.Context, tx *store.Tx) error {
		for range n {
			if err := limit.WrongCode(ctx, tx, limit.Codes(u, ""), w.Clock.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// sent mails Jane a code and gives it.
func sent(t *testing.T, w *otltest.World, channel otl.Channel) string {
	t.Helper()
	w.Letters(t, "")
	w.Inbox.Empty()
	s, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: channel, Known: true})
	if err != nil {
		t.Fatal(err)
	}
	if channel == otl.ChannelDirect {
		return s.Code.Reveal()
	}
	return w.Newest(t, "jane@dev.test").Code
}

// opened reports whether codes are open to Jane.
func opened(t *testing.T, w *otltest.World) bool {
	t.Helper()
	err := types(t, w, sent(t, w, otl.ChannelMail))
	if err != nil && otl.As(err).Kind != otl.Limited {
		t.Fatal(err)
	}
	return err == nil
}

// follows has Jane follow a link and gives the session it opens, or is added to.
func follows(t *testing.T, w *otltest.World, join string) string {
	t.Helper()
	link, _ := mailed(t, w, "")
	code, err := press(t, w, link)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Code: code, Join: join})
	if err != nil {
		t.Fatal(err)
	}
	return p.Session.ID
}

// raises has Jane prove a second factor in a session that lives.
func raises(t *testing.T, w *otltest.World, jane otl.User) {
	t.Helper()
	seed := secret.NewTOTPSeed()
	one, err := w.Setup.Give(t.Context(), jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	site := w.Notes.Site
	site.MFA = otl.MFAOff
	var p signin.Entered
	write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
		pass, _, err := w.Factors.Admit(ctx, tx, store.Standing{User: jane, Site: site}, otl.Methods{otl.MethodDirect}, nil)
		if err != nil {
			return err
		}
		st := store.Standing{User: jane, Site: site}
		_, err = w.SignIn.Sessions.Open(ctx, tx, &st, pass, otl.RequestOf(ctx))
		p.Standing = st
		return err
	})
	w.Clock.Advance(time.Minute)
	u := signin.StepUp{Bearer: signin.Bearer{Standing: p.Standing}, FactorID: one.ID, Proof: secret.NewText(secret.TOTP(seed, w.Clock.Now()))}
	if _, err := w.SignIn.Second.Raise(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	write(t, w, func(ctx context.Context, tx *store.Tx) error { return tx.Factors.DeleteAll(ctx, jane.ID) })
}

// visits has Jane press a link on the hosted pages.
func visits(t *testing.T, w *otltest.World) {
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
	w.Letters(t, "")
	w.Inbox.Empty()
	if err := s.SendCode(t.Context(), v, "jane@dev.test"); err != nil {
		t.Fatal(err)
	}
	link := strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer+"/l/")
	if _, _, err := s.Press(t.Context(), link, signin.NewBrowser(), nil); err != nil {
		t.Fatal(err)
	}
}

// TestOT07_AnyOtherProofOpensCodesAgain: a person without a password is not shut out by
// strangers who guess. What a site alone vouches for opens nothing.
func TestOT07_AnyOtherProofOpensCodesAgain(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		for _, by := range []struct {
			name  string
			prove func()
		}{
			{"a link", func() { follows(t, w, "") }},
			{"a link added to a session", func() { follows(t, w, follows(t, w, "")) }},
			{"a link of a visit", func() {
				visits(t, w)
			}},
			{"a new password by mail", func() {
				w.Inbox.Empty()
				if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, "jane@dev.test"); err != nil {
					t.Fatal(err)
				}
				_, token, _ := strings.Cut(w.Newest(t, "jane@dev.test").Link, "/reset/")
				if err := w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText(otltest.Password)); err != nil {
					t.Fatal(err)
				}
			}},
			{"a password", func() {
				if _, err := w.SignIn.Password(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)}); err != nil {
					t.Fatal(err)
				}
			}},
			{"a passkey", func() {
				home, err := w.Flows.Home(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				p := signin.Proved{Standing: store.Standing{User: jane, Site: home}, Methods: otl.Methods{otl.MethodKey, otl.MethodVerified}}
				if _, err := w.SignIn.Second.Open(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}},
			{"a second factor in a session", func() { raises(t, w, jane) }},
			{"the operator", func() {
				if err := (account.Locks{Accounts: w.Accounts}).Unlock(t.Context(), jane.ID); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			closeCodes(t, w, jane)
			if opened(t, w) {
				t.Fatal("a hundred wrong guesses close nothing")
			}
			if by.prove(); !opened(t, w) {
				t.Errorf("%s does not open codes again", by.name)
			}
		}
	})
}

// TestOT22_ACodeByDirectClearsNothing: it is no failure, but a site could clear what
// strangers guess elsewhere.
func TestOT22_ACodeByDirectClearsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		guessWrong(t, w, jane, 99)
		for range 2 {
			if err := types(t, w, sent(t, w, otl.ChannelDirect)); err != nil {
				t.Errorf("the hundredth guess is right: %v", err)
			}
		}
		w.Deliver(t)
		w.Inbox.Empty()
		for range 2 { // nor does one that went where the site said
			r := signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Known: true, To: "box@dev.test"}
			if _, err := w.Codes.Send(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if err := types(t, w, w.Newest(t, "box@dev.test").Code); err != nil {
				t.Error(err)
			}
			w.Inbox.Empty()
		}
		link, code := mailed(t, w, "")
		if err := types(t, w, wrong(code)); err == nil {
			t.Error("a wrong code")
		}
		if err := types(t, w, code); err == nil || otl.As(err).Kind != otl.Limited {
			t.Errorf("codes that a site was handed cleared what strangers guessed: %v", err)
		}
		if _, err := press(t, w, link); err != nil {
			t.Error(err)
		}
	})
}

// wrong is a code other than the given one.
func wrong(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return string(code[0]+1) + code[1:]
}

// TestOT06_WrongCodesLeaveTheLinkBesideThem: five of them make the code worthless, and
// whoever guesses has not seen the mail with the link.
func TestOT06_WrongCodesLeaveTheLinkBesideThem(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		link, code := mailed(t, w, "")
		for range 5 {
			if err := types(t, w, wrong(code)); err == nil {
				t.Fatal("a wrong code")
			}
		}
		if err := types(t, w, code); !otl.Is(err, "code_locked") {
			t.Errorf("the right code: %v", err)
		}
		got, err := press(t, w, link)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Code: got}); err != nil {
			t.Error(err)
		}
		if err := types(t, w, code); err == nil {
			t.Error("a code after its link")
		}
	})
}

// TestD4_ALinkWithoutAPageIsUsedUpByItsCode: whoever opens it gets a code of his own, and
// the first that is redeemed ends the link and all others. None outlives the link.
func TestD4_ALinkWithoutAPageIsUsedUpByItsCode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Proven(t, w.Person(t, "jane@dev.test", w.Notes.Site))
		send := func() string {
			t.Helper()
			w.Letters(t, "") // what else is told of is not it
			w.Inbox.Empty()
			r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Redirect: back}, Confirm: otl.ConfirmNever}
			if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			return strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer+"/l/")
		}
		follow := func(link string) secret.Text {
			t.Helper()
			to, err := w.Codes.Follow(t.Context(), link)
			code, ok := strings.CutPrefix(to, back+"?code=")
			if err != nil || !ok {
				t.Fatal(to, err)
			}
			return secret.NewText(code)
		}
		redeem := func(code secret.Text) error {
			_, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Code: code})
			return err
		}
		link := send()
		codes := []secret.Text{follow(link), follow(link), follow(link)}
		if err := redeem(codes[1]); err != nil {
			t.Fatal(err)
		}
		for i, code := range codes {
			if err := redeem(code); !otl.Is(err, "link_invalid") {
				t.Errorf("code %d after another: %v", i, err)
			}
		}
		if _, err := w.Codes.Follow(t.Context(), link); !otl.Is(err, "link_invalid") {
			t.Errorf("the link after a code: %v", err)
		}
		w.Clock.Advance(time.Minute)
		link = send()
		w.Clock.Advance(15*time.Minute - time.Second)
		late := follow(link)
		w.Clock.Advance(time.Second)
		if err := redeem(late); !otl.Is(err, "link_invalid") {
			t.Errorf("a code that outlives its link: %v", err)
		}
		page, _ := mailed(t, w, "")
		if _, err := w.Codes.Follow(t.Context(), page); !otl.Is(err, "link_invalid") {
			t.Errorf("a link that has a page: %v", err)
		}
	})
}
