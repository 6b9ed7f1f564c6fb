package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// The five classes of pre-hijacking (Sudhodanan and Paverd 2022), each against every way in
// which the holder of an address proves it for the first time: a link, a code, a
// mail to choose a password, a sign-up; and against a code by SMS, where the account has no address and
// is known by its number (OT-16). Whoever made the account had proven
// nothing. There is no provider yet that vouches for people: the party that states
// addresses without having them proven is a partner site; there is no door by which people are
// imported either. Providers and imports join this table when
// they exist, as parties that vouch and as a way of first proof.

// stranger is whoever made an account with an address or a number that is not his.
type stranger struct {
	user   otl.User
	number string // he wrote it into the account; where that has no address it is the number's holder who proves himself
}

// signsIn reports whether the password he chose lets him in.
func (s stranger) signsIn(t *testing.T, w *otltest.World) (session.Tokens, bool) {
	t.Helper()
	name := s.user.Username.Name
	if s.user.Email.Key != "" {
		name = s.user.Email.Address
	}
	in, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, name, secret.NewText(otltest.Password)))
	return in, err == nil
}

// way is one in which the holder proves himself for the first time, by what is his.
type way struct {
	name  string
	prove func(*testing.T, *otltest.World, string)
}

// byMail are those for an address, bySMS the one for the number of an account without one.
func byMail() []way {
	return []way{{"link", provesByLink}, {"code", provesByCode}, {"reset", provesByReset}, {"sign-up", provesBySignUp}}
}

func bySMS() way { return way{"sms", provesBySMS} }

// preHijack has strangers plant something, has what they used proven in each way, and fails
// where something of it still works afterwards.
func preHijack(t *testing.T, ways []way, plant func(*testing.T, *otltest.World, stranger) (works func() bool)) {
	t.Helper()
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, way := range ways {
			email, username, number := way.name+"@dev.test", "stranger", "+49170555010"+string(rune('0'+i))
			made, his := account.Creation{Email: email, Profile: account.Profile{Phone: &number}}, email
			if way.name == bySMS().name {
				made, his = account.Creation{Profile: account.Profile{Phone: &number, Username: &username}}, number
			}
			made.Password, made.Site = secret.NewText(otltest.Password), &w.Notes.Site
			m, err := w.Accounts.Create(t.Context(), made)
			if err != nil {
				t.Fatal(err)
			}
			works := plant(t, w, stranger{m.User, number})
			w.Letters(t, "")
			w.Inbox.Empty()
			w.Clock.Advance(time.Minute)
			way.prove(t, w, his)
			if u, err := w.Accounts.Find(t.Context(), m.User.ID); err != nil || u.EmailVerifiedAt.IsZero() == (his == email) || his == number && u.PhoneVerifiedAt.IsZero() {
				t.Errorf("%s: nothing is proven: %+v (%v)", way.name, u, err)
			}
			if works() {
				t.Errorf("%s: what was planted still works", way.name)
			}
		}
	})
}

// TestOT16_ClassicFederatedMerge: an account with a password is joined by whoever holds the
// address; the password of before is worth nothing.
func TestOT16_ClassicFederatedMerge(t *testing.T) {
	preHijack(t, append(byMail(), bySMS()), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		signsIn := func() bool {
			_, in := s.signsIn(t, w)
			return in
		}
		if !signsIn() {
			t.Fatal("the planted password does not work before")
		}
		return signsIn
	})
}

// TestOT16_UnexpiredSession: a session that was opened before ends.
func TestOT16_UnexpiredSession(t *testing.T) {
	preHijack(t, append(byMail(), bySMS()), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		in, worked := s.signsIn(t, w)
		if !worked {
			t.Fatal("the planted password does not work before")
		}
		return lives(t, w, in.Session.ID)
	})
}

// TestOT16_TrojanIdentifier: a number of the stranger's own, which he even proved to hold,
// signs nobody in.
func TestOT16_TrojanIdentifier(t *testing.T) {
	preHijack(t, byMail(), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		signsIn := func() bool {
			w.Letters(t, "")
			w.Inbox.Empty()
			who := signin.Identifier{Type: signin.ByPhone, Value: s.number}
			if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelSMS}); err != nil {
				t.Fatal(err)
			}
			all := w.Letters(t, s.number)
			if len(all) == 0 {
				return false
			}
			_, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(all[0].Code)})
			return err == nil
		}
		if !signsIn() {
			t.Fatal("the planted number does not work before")
		}
		return signsIn
	})
}

// TestOT16_TrojanIdentifierBesideANumber: a telephone of the stranger's own as a second factor, and his recovery codes, go with
// the first proof of the number that the account is known by.
func TestOT16_TrojanIdentifierBesideANumber(t *testing.T) {
	preHijack(t, append(byMail(), bySMS()), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		if _, err := w.Setup.Give(t.Context(), s.user, factor.Given{New: factor.New{Kind: otl.FactorSMS, Label: "mine", Number: "+491715550199"}}); err != nil {
			t.Fatal(err)
		}
		has := func() bool {
			all, err := w.Store.Read.Factors.Of(t.Context(), s.user.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(all) > 0
		}
		if !has() {
			t.Fatal("nothing is planted")
		}
		return has
	})
}

// TestOT16_ANumberBesideAnUnprovenAddress: where nobody has proven the address either, the first proof of the number takes the
// stranger's password and session, and the number stays proven.
func TestOT16_ANumberBesideAnUnprovenAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		number := "+491705550155"
		m, err := w.Accounts.Create(t.Context(), account.Creation{
			Email: "thief@dev.test", Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Profile: account.Profile{Phone: &number},
		})
		if err != nil {
			t.Fatal(err)
		}
		s := stranger{m.User, number}
		in, worked := s.signsIn(t, w)
		if !worked {
			t.Fatal("the planted password does not work before")
		}
		provesBySMS(t, w, number)
		if _, worked := s.signsIn(t, w); worked || lives(t, w, in.Session.ID)() {
			t.Error("what was planted still works")
		}
		if u, err := w.Accounts.Find(t.Context(), m.User.ID); err != nil || u.PhoneVerifiedAt.IsZero() || u.Phone != number {
			t.Errorf("%+v %v", u, err)
		}
		w.Clock.Advance(time.Minute)
		provesBySMS(t, w, number) // and ends nothing of what he opened by it
		live, err := w.Store.Read.Sessions.Live(t.Context(), m.User.ID, w.Notes.Site.ID, "", w.Clock.Now(), 10)
		if err != nil || len(live) != 2 {
			t.Errorf("%d sessions, %v", len(live), err)
		}
	})
}

// TestOT16_UnexpiredChange: a change of the address that was asked for before cannot be
// confirmed any more.
func TestOT16_UnexpiredChange(t *testing.T) {
	preHijack(t, append(byMail(), bySMS()), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		thief := "thief-" + s.user.ID + "@dev.test"
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, s.user.ID, account.MemberChange{Email: &thief}); err != nil {
			t.Fatal(err)
		}
		link := w.Newest(t, thief).Link
		token := link[strings.LastIndex(link, "/")+1:]
		if _, err := w.Members.Changes.Look(t.Context(), token, ""); err != nil {
			t.Fatal(err)
		}
		return func() bool { return w.Members.Changes.Follow(t.Context(), token) == nil }
	})
}

// TestOT16_NonVerifyingProvider: a partner site that states whose address it is, and is
// handed the person's code, has proven nothing by that; the session it got ends.
func TestOT16_NonVerifyingProvider(t *testing.T) {
	preHijack(t, append(byMail(), bySMS()), func(t *testing.T, w *otltest.World, s stranger) func() bool {
		who := signin.Identifier{Type: signin.ByID, Value: s.user.ID}
		given, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelDirect})
		if err != nil {
			t.Fatal(err)
		}
		in, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: given.Code})
		if err != nil {
			t.Fatal(err)
		}
		if u, err := w.Accounts.Find(t.Context(), s.user.ID); err != nil || !u.EmailVerifiedAt.IsZero() || !u.PhoneVerifiedAt.IsZero() {
			t.Errorf("a site proved the address or number of a person (%v)", err)
		}
		return lives(t, w, in.Session.ID)
	})
}

// lives gives what tells whether a session lives.
func lives(t *testing.T, w *otltest.World, id string) func() bool {
	return func() bool {
		st, err := w.Store.Read.Sessions.Standing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return st.Session.Live(w.Clock.Now())
	}
}

func provesByLink(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Shop.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail, Redirect: back}}
	if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	code, err := press(t, w, strings.TrimPrefix(w.Newest(t, email).Link, otltest.Issuer+"/l/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Shop.Site, Code: code}); err != nil {
		t.Fatal(err)
	}
}

func provesByCode(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	who := signin.Identifier{Type: signin.ByEmail, Value: email}
	if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Shop.Site, Who: who, Channel: otl.ChannelMail}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Shop.Site, Who: who, Code: secret.NewText(w.Newest(t, email).Code)}); err != nil {
		t.Fatal(err)
	}
}

func provesBySMS(t *testing.T, w *otltest.World, number string) {
	t.Helper()
	who := signin.Identifier{Type: signin.ByPhone, Value: number}
	if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelSMS}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(w.Newest(t, number).Code)}); err != nil {
		t.Fatal(err)
	}
}

func provesByReset(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	if err := w.Accounts.Forgot(t.Context(), w.Shop.Site.ID, email); err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(w.Newest(t, email).Link, "/reset/")
	if err := w.Accounts.Reset(t.Context(), w.Shop.Site, secret.NewText(token), secret.NewText("staple-battery-8")); err != nil {
		t.Fatal(err)
	}
}

func provesBySignUp(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
	f, err := s.Begin(t.Context(), w.Shop.Site, browser, otl.Asked{Redirect: "https://shop.test/callback"})
	if err != nil {
		t.Fatal(err)
	}
	visit := func() signin.Visit {
		t.Helper()
		v, err := s.Visit(t.Context(), f.ID, browser, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	hash, scheme, err := w.SignIn.Hasher.Hash(t.Context(), w.Shop.Site.ID, secret.NewText("staple-battery-8"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SignUp(t.Context(), visit(), email, hash, scheme); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Code(t.Context(), visit(), secret.NewText(w.Newest(t, email).Code)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn.Password(t.Context(), signin.Attempt{Site: w.Shop.Site, Email: email, Password: secret.NewText("staple-battery-8")}); err != nil {
		t.Errorf("the password of the sign-up: %v", err)
	}
}
