package signin_test

import (
	"context"
	"errors"
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
	"github.com/onetimelogin/otl/internal/store"
)

const planted = "+491705550177"

// codeTo sends a code to a person of Notes and uses it.
func codeTo(t *testing.T, w *otltest.World, who signin.Identifier, channel otl.Channel, join string) (signin.Proven, error) {
	t.Helper()
	if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: channel, Known: true}); err != nil {
		t.Fatal(err)
	}
	to := planted
	if channel == otl.ChannelMail {
		to = "jane@dev.test"
	}
	code := w.Newest(t, to).Code
	return w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(code), Known: true, Join: join})
}

// TestOT16_APlantedNumberOpensNothing: a number that somebody wrote into the account of
// an address he had not proven, and even one he proved to hold, signs nobody in once
// the address has been proven, until it is proven from a session of the account.
func TestOT16_APlantedNumberOpensNothing(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{false, true} {
		otltest.Each(t, func(t *testing.T, w *otltest.World) {
			number := planted
			m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Site: &w.Notes.Site, Profile: account.Profile{Phone: &number}})
			if err != nil {
				t.Fatal(err)
			}
			byPhone := signin.Identifier{Type: signin.ByPhone, Value: planted}
			if proven {
				if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, ""); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(time.Minute)
			}
			mail, err := codeTo(t, w, signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, otl.ChannelMail, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, who := range []signin.Identifier{byPhone, {Type: signin.ByID, Value: m.User.ID}} {
				w.Clock.Advance(time.Minute)
				if _, err := codeTo(t, w, who, otl.ChannelSMS, ""); !errors.Is(err, signin.ErrUnproven) {
					t.Errorf("by %s: %v", who.Type, err)
				}
			}
			w.Clock.Advance(time.Minute)
			if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, mail.Session.ID); err != nil {
				t.Errorf("from his own session: %v", err)
			}
			w.Clock.Advance(time.Minute)
			if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, ""); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

// TestD1_ANumberThatASiteProvesOpensThatSiteAlone: a site writes a number of its own beside somebody's proven
// address, and proves it from the session it has. For three days that opens nothing but the site, at
// our own pages least of all; the person is told, and takes it back with every session.
func TestD1_ANumberThatASiteProvesOpensThatSiteAlone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		byID := signin.Identifier{Type: signin.ByID, Value: u.ID}
		mail, err := codeTo(t, w, signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, otl.ChannelMail, "")
		if err != nil {
			t.Fatal(err)
		}
		w.Phone(t, mail.User, planted, false)
		w.Sees(t, mail.User, w.Notes.Site, otl.MinimalFields().With(otl.FieldPhone)...)
		w.Clock.Advance(time.Minute)
		w.Letters(t, "")
		w.Inbox.Empty()
		if _, err := codeTo(t, w, byID, otl.ChannelSMS, mail.Session.ID); err != nil {
			t.Fatal(err)
		}
		pages := func() error {
			w.Clock.Advance(time.Minute)
			s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
			f, err := s.Begin(t.Context(), w.Shop.Site, browser, otl.Asked{Redirect: back})
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Visit(t.Context(), f.ID, browser, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := (signin.Texts{Arrivals: s}).Send(t.Context(), v, "jane@dev.test"); err != nil {
				t.Fatal(err)
			}
			if v, err = s.Visit(t.Context(), f.ID, browser, nil); err != nil {
				t.Fatal(err)
			}
			_, err = s.Code(t.Context(), v, secret.NewText(w.Newest(t, planted).Code))
			return err
		}
		if err := pages(); !errors.Is(err, signin.ErrCode) { // it is right, and signs nobody in
			t.Errorf("at our own pages: %v", err)
		}
		if _, err := codeTo(t, w, byID, otl.ChannelSMS, ""); err != nil {
			t.Errorf("at the site: %v", err)
		}
		told := w.Letters(t, "jane@dev.test")
		i := slices.IndexFunc(told, func(l outbox.Received) bool { return l.Kind == otl.MessageChangeAsked })
		if i < 0 || !strings.Contains(told[i].Text, "Notes was asked to use •••• 77 for your account") {
			t.Fatalf("she is not told: %v", told)
		}
		w.Clock.Advance(otl.HoldTTL)
		if err := pages(); err != nil {
			t.Errorf("three days on: %v", err)
		}
		if err := w.Members.Changes.Follow(t.Context(), told[i].Link[strings.LastIndex(told[i].Link, "/")+1:]); err != nil {
			t.Fatal(err)
		}
		is, err := w.Accounts.Find(t.Context(), u.ID)
		if err != nil || is.Phone != "" || !is.HeldUntil.IsZero() {
			t.Errorf("%+v %v", is, err)
		}
		if live, err := w.SignIn.List(t.Context(), scope(u), "", 10); err != nil || len(live) > 0 {
			t.Errorf("still signed in: %v %v", live, err)
		}
	})
}

// TestD1_ANumberIsProvenToNobodyWhileAChangeIsHeld: what a site proves meanwhile lifts no hold of another's.
func TestD1_ANumberIsProvenToNobodyWhileAChangeIsHeld(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		mail, err := codeTo(t, w, signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, otl.ChannelMail, "")
		if err != nil {
			t.Fatal(err)
		}
		w.Phone(t, mail.User, planted, false)
		w.Sees(t, mail.User, w.Notes.Site, otl.MinimalFields().With(otl.FieldPhone)...)
		if u, err = w.Accounts.Find(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		u.HeldFor, u.HeldChannel, u.HeldUntil = w.Shop.Site.ID, otl.ChannelMail, w.Clock.Now().Add(otl.HoldTTL)
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.ChangePhone(ctx, u, u.Phone, w.Clock.Now())
			return err
		})
		w.Clock.Advance(time.Minute)
		up, err := codeTo(t, w, signin.Identifier{Type: signin.ByID, Value: u.ID}, otl.ChannelSMS, mail.Session.ID)
		if err != nil || up.Session.Methods.Factors() != 1 || up.Session.Methods.String() != "eotp otp" { // nor is it a second factor
			t.Fatalf("%s %v", up.Session.Methods, err)
		}
		if is, err := w.Accounts.Find(t.Context(), u.ID); err != nil || !is.PhoneVerifiedAt.IsZero() || is.HeldFor != w.Shop.Site.ID || is.HeldChannel != otl.ChannelMail {
			t.Errorf("%+v %v", is, err)
		}
	})
}
