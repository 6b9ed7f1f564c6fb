package signin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// numbered adds somebody at Notes with an address that nobody has proven and a number that he has, and gives the session
// in which he did.
func numbered(t *testing.T, w *otltest.World, email, number string) (otl.User, signin.Proven) {
	t.Helper()
	m, err := w.Accounts.Create(t.Context(), account.Creation{Email: email, Site: &w.Notes.Site, Profile: account.Profile{Phone: &number}})
	if err != nil {
		t.Fatal(err)
	}
	who := signin.Identifier{Type: signin.ByPhone, Value: number}
	in, err := byCode(t, w, w.Notes.Site, who, otl.ChannelSMS, number, "")
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	return m.User, in
}

// byCode has a code sent to somebody of a site and enters it there.
func byCode(t *testing.T, w *otltest.World, at otl.Site, who signin.Identifier, channel otl.Channel, to, join string) (signin.Proven, error) {
	t.Helper()
	if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: at, Who: who, Channel: channel, Known: true}); err != nil {
		return signin.Proven{}, err
	}
	code := secret.NewText(w.Newest(t, to).Code)
	return w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: at, Who: who, Code: code, Known: true, Join: join})
}

// toldBy gives the token of the newest letter of a kind to an address or number, "" for none.
func toldBy(t *testing.T, w *otltest.World, to string, kind otl.MessageKind) string {
	t.Helper()
	all := w.Letters(t, to)
	i := slices.IndexFunc(all, func(l outbox.Received) bool { return l.Kind == kind })
	if i < 0 {
		return ""
	}
	return all[i].Link[strings.LastIndex(all[i].Link, "/")+1:]
}

// TestOT16_WhoHoldsTheAddressWinsOverTheNumber: a stranger made an account with an address that is not his and proved a number
// of his own, by which he is in at two sites. The first proof of the address, in whatever way, ends that.
func TestOT16_WhoHoldsTheAddressWinsOverTheNumber(t *testing.T) {
	preHijack(t, byMail(), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		provesBySMS(t, w, s.number)
		in, err := w.Store.Read.Sessions.Live(t.Context(), s.user.ID, w.Notes.Site.ID, "", w.Clock.Now(), 10)
		if err != nil || len(in) != 1 {
			t.Fatal(in, err)
		}
		if !lives(t, w, in[0].ID)() {
			t.Fatal("the number opens nothing before")
		}
		return func() bool {
			u, err := w.Accounts.Find(t.Context(), s.user.ID)
			if err != nil {
				t.Fatal(err)
			}
			_, err = byCode(t, w, w.Notes.Site, signin.Identifier{Type: signin.ByPhone, Value: s.number}, otl.ChannelSMS, s.number, "")
			return lives(t, w, in[0].ID)() || err == nil || !u.PhoneVerifiedAt.IsZero()
		}
	})
}

// TestOT16_WhoHoldsTheNumberReplacesTheAddress: somebody whose site wrote an address that is not his replaces it by his own,
// at our own pages, before anybody has proven it. Whoever holds the one of before comes into nothing of his.
func TestOT16_WhoHoldsTheNumberReplacesTheAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		u, _ := numbered(t, w, "wrong@dev.test", "+491705550181")
		if err := w.Members.Changes.AskOwn(t.Context(), home, u, account.Own{Email: "mine@dev.test"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Members.Changes.Follow(t.Context(), toldBy(t, w, "mine@dev.test", otl.MessageConfirmChange)); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		if _, err := byCode(t, w, w.Notes.Site, signin.Identifier{Type: signin.ByEmail, Value: "wrong@dev.test"}, otl.ChannelMail, "wrong@dev.test", ""); otl.As(err).Kind != otl.NotFound {
			t.Errorf("the address of before: %v", err)
		}
		in, err := byCode(t, w, w.Notes.Site, signin.Identifier{Type: signin.ByEmail, Value: "mine@dev.test"}, otl.ChannelMail, "mine@dev.test", "")
		if err != nil || in.User.ID != u.ID {
			t.Errorf("%+v %v", in.User, err)
		}
	})
}

// TestD1_ASiteKeepsNoNumberBesideAFirstProof: a site added somebody with a number of its own, proved it, and adds the code by which he
// proves his address to the session it opened so. That session stays, at the site; the number opens nothing, until he
// proves it from a session, which holds it for the site.
func TestD1_ASiteKeepsNoNumberBesideAFirstProof(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, in := numbered(t, w, "both@dev.test", "+491705550182")
		byID := signin.Identifier{Type: signin.ByID, Value: u.ID}
		direct, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: byID, Channel: otl.ChannelDirect})
		if err != nil {
			t.Fatal(err)
		}
		handed, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: byID, Code: direct.Code})
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		joined, err := byCode(t, w, w.Notes.Site, byID, otl.ChannelMail, "both@dev.test", in.Session.ID)
		if err != nil || joined.Session.ID != in.Session.ID || joined.Session.Methods.Factors() != 2 {
			t.Fatalf("%+v %v", joined.Session, err)
		}
		if is, err := w.Accounts.Find(t.Context(), u.ID); err != nil || is.EmailVerifiedAt.IsZero() || !is.PhoneVerifiedAt.IsZero() || lives(t, w, handed.Session.ID)() {
			t.Errorf("%+v %v", is, err)
		}
		w.Clock.Advance(time.Minute)
		if _, err := byCode(t, w, w.Notes.Site, byID, otl.ChannelSMS, "+491705550182", ""); !errors.Is(err, signin.ErrUnproven) {
			t.Errorf("the number afterwards: %v", err)
		}
		w.Clock.Advance(time.Minute)
		if _, err := byCode(t, w, w.Notes.Site, byID, otl.ChannelSMS, "+491705550182", in.Session.ID); err != nil {
			t.Errorf("from the session: %v", err)
		}
		if is, err := w.Accounts.Find(t.Context(), u.ID); err != nil || is.PhoneVerifiedAt.IsZero() || is.HeldFor != w.Notes.Site.ID {
			t.Errorf("%+v %v", is, err)
		}
	})
}

// TestOT16_ACodeToANumberOfBeforeOpensNothing: a site replaces the number of a person of its own before the code that went to it is used.
func TestOT16_ACodeToANumberOfBeforeOpensNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		wrong, right := "+491705550184", "+491705550185"
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "mended@dev.test", Site: &w.Notes.Site, Profile: account.Profile{Phone: &wrong}})
		if err != nil {
			t.Fatal(err)
		}
		who := signin.Identifier{Type: signin.ByID, Value: m.User.ID}
		if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelSMS, Known: true}); err != nil {
			t.Fatal(err)
		}
		code := secret.NewText(w.Newest(t, wrong).Code)
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, m.User.ID, account.MemberChange{Profile: account.Profile{Phone: &right}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: code, Known: true}); !errors.Is(err, signin.ErrCode) {
			t.Errorf("%v", err)
		}
	})
}

// TestD1_AnAddressThatASiteWritesTakesNobodysAccount: a site asks for an address of its own for somebody who is not its own and has
// proven nothing, and proves it. Password, sessions and second factors stay, it opens the site alone for three days, and the person
// takes it back. Of whom nobody could tell, nothing is asked.
func TestD1_AnAddressThatASiteWritesTakesNobodysAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		n := 0
		for name, v := range shared(t, w) {
			evil := fmt.Sprintf("evil%d@dev.test", n)
			n++
			_, err := w.Members.Change(t.Context(), v.evil, v.user.ID, account.MemberChange{Email: &evil})
			if v.user.Email.Key == "" {
				if !errors.Is(err, otl.ErrIndependent) {
					t.Errorf("%s: %v", name, err)
				}
				v.unharmed(t, w, name, "")
				continue
			}
			if err != nil {
				t.Fatal(name, err)
			}
			undo := toldBy(t, w, v.user.Email.Address, otl.MessageChangeAsked)
			if err := w.Members.Changes.Follow(t.Context(), toldBy(t, w, evil, otl.MessageConfirmChange)); err != nil {
				t.Fatal(name, err)
			}
			w.Clock.Advance(time.Minute)
			v.keeps(t, w, name)
			opens := func(at otl.Site) error {
				w.Clock.Advance(time.Minute)
				_, err := byCode(t, w, at, signin.Identifier{Type: signin.ByEmail, Value: evil}, otl.ChannelMail, evil, "")
				return err
			}
			if v.held != "" {
				if err := opens(w.Notes.Site); !errors.Is(err, signin.ErrHeld) {
					t.Errorf("%s: another site: %v", name, err)
				}
			}
			if err := opens(v.evil); !otl.Is(err, "mfa_required") { // it is right there, up to the second factor
				t.Errorf("%s: the site: %v", name, err)
			}
			v.keeps(t, w, name)
			if err := w.Members.Changes.Follow(t.Context(), undo); err != nil {
				t.Errorf("%s: taken back: %v", name, err)
			}
			if is, err := w.Accounts.Find(t.Context(), v.user.ID); err != nil || is.Email != v.user.Email || !is.EmailVerifiedAt.IsZero() || !is.HeldUntil.IsZero() {
				t.Errorf("%s: %+v %v", name, is, err)
			}
		}
	})
}

// TestD1_WhoHoldsTheNumberIsTold: a site asks for an address beside a number that somebody has proven, in the place of one that nobody
// has. He is told by SMS, stays in, and takes it back.
func TestD1_WhoHoldsTheNumberIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, in := numbered(t, w, "nobodys@dev.test", "+491705550183")
		w.Letters(t, "")
		w.Inbox.Empty()
		evil := "evil@dev.test"
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &evil}); err != nil {
			t.Fatal(err)
		}
		undo := toldBy(t, w, "+491705550183", otl.MessageChangeAsked)
		if undo == "" || toldBy(t, w, "nobodys@dev.test", otl.MessageChangeAsked) != "" {
			t.Fatalf("told: %+v", w.Letters(t, ""))
		}
		if err := w.Members.Changes.Follow(t.Context(), toldBy(t, w, evil, otl.MessageConfirmChange)); err != nil {
			t.Fatal(err)
		}
		is, err := w.Accounts.Find(t.Context(), u.ID)
		if err != nil || is.PhoneVerifiedAt.IsZero() || is.HeldFor != w.Notes.Site.ID || !lives(t, w, in.Session.ID)() {
			t.Errorf("%+v %v", is, err)
		}
		if err := w.Members.Changes.Follow(t.Context(), undo); err != nil {
			t.Fatal(err)
		}
		if is, err = w.Accounts.Find(t.Context(), u.ID); err != nil || is.Email != u.Email || is.PhoneVerifiedAt.IsZero() {
			t.Errorf("%+v %v", is, err)
		}
	})
}
