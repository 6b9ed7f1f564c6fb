package account_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

const number = "+491705550171"

// reached adds somebody with a number, and gives him with our own site.
func reached(t *testing.T, w *otltest.World, email string, addressProven, numberProven bool) (otl.User, otl.Site) {
	t.Helper()
	u := w.Person(t, email, w.Notes.Site)
	w.Phone(t, u, number, numberProven)
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if !addressProven {
			return nil
		}
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found(t, w, u.ID), home
}

// found gives somebody as he is by now.
func found(t *testing.T, w *otltest.World, id string) otl.User {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// undoing gives the token of the link in the newest mail to an address.
func undoing(t *testing.T, w *otltest.World, to string, kind otl.MessageKind) string {
	t.Helper()
	for _, l := range w.Letters(t, to) {
		if l.Kind == kind {
			return l.Link[strings.LastIndex(l.Link, "/")+1:]
		}
	}
	t.Fatalf("no %s to %s", kind, to)
	return ""
}

// TestOT17_ANumberIsTakenAwayAndGivenBack: at once, with what was sent there; the person is told
// by mail, and by its link has the number back as it was, for four days, and nobody stays
// signed in. It is in the log.
func TestOT17_ANumberIsTakenAwayAndGivenBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, home := reached(t, w, "jane@dev.test", true, true)
		who := signin.Identifier{Type: signin.ByID, Value: u.ID}
		w.Sees(t, u, w.Notes.Site, otl.MinimalFields().With(otl.FieldPhone)...)
		if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelSMS, Known: true}); err != nil {
			t.Fatal(err)
		}
		code := w.Newest(t, number).Code
		in := w.Login(t, w.Notes, "jane@dev.test")
		if err := w.Members.Changes.RemovePhone(t.Context(), home, u.ID); err != nil {
			t.Fatal(err)
		}
		if is := found(t, w, u.ID); is.Phone != "" || !is.PhoneVerifiedAt.IsZero() || is.Version != u.Version+1 {
			t.Errorf("%+v", is)
		}
		if _, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(code), Known: true}); err == nil {
			t.Error("the code that was sent there opens something")
		}
		if err := w.Members.Changes.RemovePhone(t.Context(), home, u.ID); err != nil {
			t.Errorf("none is there: %v", err)
		}
		undo := undoing(t, w, "jane@dev.test", otl.MessagePhoneRemoved)
		if c, err := w.Members.Changes.Look(t.Context(), undo, ""); err != nil || !c.Undo || c.Gone != "•••• 71" || c.To != "" || c.Was != "" {
			t.Errorf("%+v %v", c, err)
		}
		w.Clock.Advance(otl.UndoTTL - time.Second)
		if err := w.Members.Changes.Follow(t.Context(), undo); err != nil {
			t.Fatal(err)
		}
		if is := found(t, w, u.ID); is.Phone != number || !is.PhoneVerifiedAt.Equal(u.PhoneVerifiedAt) {
			t.Errorf("%+v", is)
		}
		if r := w.Refresh(t, w.Notes, in.Text("refresh_token")); r.Status/100 == 2 {
			t.Error("still signed in")
		}
		if err := w.Members.Changes.Follow(t.Context(), undo); !errors.Is(err, account.ErrChange) {
			t.Errorf("twice: %v", err)
		}
	})
}

// TestOT17_ANumberThatIsNeededStays: where it may be all that somebody gets in by, where a second
// factor sends its codes there, and while a change of a site can be undone. One that was never proven goes
// without a proven address, since it opens nothing.
func TestOT17_ANumberThatIsNeededStays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		gives := func(u otl.User, to string) {
			t.Helper()
			if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: to}}); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(u otl.User, _ string) {
			t.Helper()
			u.HeldFor, u.HeldChannel, u.HeldUntil = w.Notes.Site.ID, otl.ChannelMail, w.Clock.Now().Add(time.Hour)
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Users.ChangePhone(ctx, u, u.Phone, w.Clock.Now())
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]struct {
			address, proven bool
			before          func(otl.User, string)
			to              string
			want            error
		}{
			"alone":   {false, true, nil, "", account.ErrPhoneAlone},
			"factor":  {true, true, gives, number, account.ErrPhoneFactor},
			"other":   {true, true, gives, "+491705550172", nil},
			"held":    {true, true, holds, "", account.ErrHeld},
			"written": {false, false, nil, "", nil},
		} {
			u, home := reached(t, w, name+"@dev.test", c.address, c.proven)
			if c.before != nil {
				c.before(u, c.to)
			}
			u = found(t, w, u.ID)
			if err := w.Members.Changes.PhoneStays(t.Context(), u); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			err := w.Members.Changes.RemovePhone(t.Context(), home, u.ID)
			if is := found(t, w, u.ID); !errors.Is(err, c.want) || (is.Phone == "") != (c.want == nil) {
				t.Errorf("%s: %v, %q", name, err, is.Phone)
			}
			if n := len(w.Letters(t, u.Email.Address)); n != map[bool]int{true: 1}[c.want == nil] {
				t.Errorf("%s: %d letters", name, n)
			}
		}
	})
}

// TestOT17_WhoTakesANumberAwayHidesNoChange: whoever puts his own number in the place of somebody's
// and takes it away again leaves him the link of the change, which gives back what was there before.
func TestOT17_WhoTakesANumberAwayHidesNoChange(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, home := reached(t, w, "jane@dev.test", true, true)
		if err := w.Members.Changes.AskOwn(t.Context(), home, u, account.Own{Phone: "+491705550173"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Members.Changes.Follow(t.Context(), undoing(t, w, "+491705550173", otl.MessageConfirmChange)); err != nil {
			t.Fatal(err)
		}
		undo := undoing(t, w, "jane@dev.test", otl.MessageChangeAsked)
		w.Clock.Advance(time.Minute)
		if err := w.Members.Changes.RemovePhone(t.Context(), home, u.ID); err != nil {
			t.Fatal(err)
		}
		later := undoing(t, w, "jane@dev.test", otl.MessagePhoneRemoved)
		if err := w.Members.Changes.Follow(t.Context(), undo); err != nil {
			t.Fatal(err)
		}
		if is := found(t, w, u.ID); is.Phone != number || is.PhoneVerifiedAt.IsZero() {
			t.Errorf("%+v", is)
		}
		if err := w.Members.Changes.Follow(t.Context(), later); !errors.Is(err, account.ErrChange) {
			t.Errorf("what came later: %v", err)
		}
	})
}

// TestOT17_ARefusedChangeGivesNoNumberBack: the link that refuses a change which never came into force refuses it, and gives
// nothing back that its person has taken away since.
func TestOT17_ARefusedChangeGivesNoNumberBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, home := reached(t, w, "jane@dev.test", true, true)
		to, now := "+491705550173", w.Clock.Now()
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Grants.Put(ctx, otl.Grant{UserID: u.ID, SiteID: w.Notes.Site.ID, Fields: otl.AllFields(), CreatedAt: now, UpdatedAt: now})
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Profile: account.Profile{Phone: &to}}); err != nil {
			t.Fatal(err)
		}
		refuse := undoing(t, w, "jane@dev.test", otl.MessageChangeAsked)
		w.Clock.Advance(time.Minute)
		if err := w.Members.Changes.RemovePhone(t.Context(), home, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Members.Changes.Follow(t.Context(), refuse); err != nil {
			t.Fatal(err)
		}
		if is := found(t, w, u.ID); is.Phone != "" {
			t.Errorf("%+v", is)
		}
	})
}

// TestD1_OneOfTwoChangesAtOnceComesIntoForce: of a change of the address and a number that another site proves in the same
// moment, the later one finds the hold of the other.
func TestD1_OneOfTwoChangesAtOnceComesIntoForce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i := range 4 {
			u, _ := reached(t, w, fmt.Sprintf("p%d@dev.test", i), true, false)
			w.Sees(t, u, w.Notes.Site, otl.MinimalFields().With(otl.FieldPhone)...)
			to, who := fmt.Sprintf("n%d@dev.test", i), signin.Identifier{Type: signin.ByID, Value: u.ID}
			if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &to}); err != nil {
				t.Fatal(err)
			}
			confirm := undoing(t, w, to, otl.MessageConfirmChange)
			direct, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelDirect})
			if err != nil {
				t.Fatal(err)
			}
			in, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: direct.Code})
			if err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(time.Minute)
			if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelSMS, Known: true}); err != nil {
				t.Fatal(err)
			}
			code := secret.NewText(w.Newest(t, number).Code)
			var both sync.WaitGroup
			both.Go(func() {
				if err := w.Members.Changes.Follow(t.Context(), confirm); err != nil && !errors.Is(err, account.ErrChange) {
					t.Error(err)
				}
			})
			both.Go(func() {
				_, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: code, Known: true, Join: in.Session.ID})
				if err != nil && otl.As(err).Kind != otl.Unauthenticated {
					t.Error(err)
				}
			})
			both.Wait()
			is := found(t, w, u.ID)
			if changed, proven := is.Email.Address == to, !is.PhoneVerifiedAt.IsZero(); changed == proven || changed != (is.HeldChannel == otl.ChannelMail) {
				t.Errorf("changed %v, proven %v, held %s", changed, proven, is.HeldChannel)
			}
			w.Clock.Advance(time.Hour)
		}
	})
}

// TestOT17_AChangeBeginsWithItsPerson: whoever proves the address that a change takes the place of has the row of the person when he
// wants the change. On PostgreSQL they would wait in a circle until one of them is ended.
func TestOT17_AChangeBeginsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	u, _ := reached(t, w, "jane@dev.test", true, false)
	to := "next@dev.test"
	if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &to}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{undoing(t, w, to, otl.MessageConfirmChange), undoing(t, w, "jane@dev.test", otl.MessageChangeAsked)} {
		w.PersonFirst(t, u.ID, func() {
			if err := w.Members.Changes.Follow(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		})
	}
}
