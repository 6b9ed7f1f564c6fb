package signin_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// asksForLink begins a visit of the pages and has a link of it mailed to an address.
func asksForLink(t *testing.T, w *otltest.World, email string) (s signin.Arrivals, v signin.Visit, browser secret.Text, link string) {
	t.Helper()
	s, browser = signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
	f, err := s.Begin(t.Context(), w.Shop.Site, browser, otl.Asked{Redirect: "https://shop.test/callback"})
	if err != nil {
		t.Fatal(err)
	}
	v, err = s.Visit(t.Context(), f.ID, browser, nil)
	if err == nil {
		err = s.SendCode(t.Context(), v, email)
	}
	if err == nil {
		v, err = s.Visit(t.Context(), f.ID, browser, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, v, browser, strings.TrimPrefix(w.Newest(t, email).Link, otltest.Issuer+"/l/")
}

// provesByPress proves an address by a link of a visit that is pressed where it was asked for.
func provesByPress(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	s, _, browser, link := asksForLink(t, w, email)
	if _, _, err := s.Press(t.Context(), link, browser, nil); err != nil {
		t.Fatal(err)
	}
}

// provesByNumber proves an address by a link that another browser opened, with the number that the first one shows.
func provesByNumber(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	s, v, _, link := asksForLink(t, w, email)
	if right, err := s.Approve(t.Context(), link, v.Progress.Number); err != nil || !right {
		t.Fatal(right, err)
	}
}

// TestOT16_AFirstProofBeginsWithItsPerson: it takes away what else was sent to him, and so does a change of his address, which has him
// when it wants the code. On PostgreSQL they would wait in a circle until one of them is ended.
func TestOT16_AFirstProofBeginsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	for _, way := range append(byMail(), bySMS(), way{"press", provesByPress}, way{"number", provesByNumber}) {
		email, number := way.name+"@dev.test", ""
		if way.name == bySMS().name {
			email, number = "", "+491705550220"
		}
		s := registered(t, w, email, number)
		w.PersonFirst(t, s.user.ID, func() { way.prove(t, w, email+number) })
		if t.Failed() {
			t.Fatal(way.name)
		}
	}
}

// TestOT16_ANewcomersProofBeginsWithItsPerson, also where the address is another's by the time that he who had it has his row locked.
func TestOT16_ANewcomersProofBeginsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	had, has := w.Person(t, "jane@dev.test", w.Shop.Site), w.Person(t, "ann@dev.test", w.Shop.Site)
	if _, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{CodeRequest: signin.CodeRequest{
		Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Known: true, Newcomer: true, Redirect: back,
	}}); err != nil {
		t.Fatal(err)
	}
	code, err := press(t, w, strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer+"/l/"))
	if err != nil {
		t.Fatal(err)
	}
	var locks atomic.Int32
	w.Store.Hear(func(h store.Heard) {
		if strings.HasPrefix(h.Text, "UPDATE users SET version = version WHERE") {
			locks.Add(1)
		}
	})
	defer w.Store.Hear(nil)
	w.Between(t, func(ctx context.Context, tx *store.Tx) error {
		moved, takes := had, has
		moved.Email, takes.Email = otl.Email{Address: "old@dev.test", Key: "old@dev.test"}, had.Email
		if _, err := tx.Users.ChangeEmail(ctx, moved, had.Email.Key, w.Clock.Now()); err != nil {
			return err
		}
		_, err := tx.Users.ChangeEmail(ctx, takes, has.Email.Key, w.Clock.Now())
		return err
	}, func() {
		p, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: w.Notes.Site, Code: code, Add: account.Newcomers{Accounts: w.Accounts}.Of(w.Notes.Site)})
		if err != nil || p.User.ID != has.ID {
			t.Errorf("%+v %v", p.User, err)
		}
	})
	if n := locks.Load(); n != 2 {
		t.Errorf("%d rows of people are locked first, want his who had the address and then his who has it", n)
	}
}

// TestD1_LeavingBeginsWithItsPerson: it takes away what was sent to him, as a first proof does.
func TestD1_LeavingBeginsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	u := w.Person(t, "jane@dev.test", w.Notes.Site)
	sent(t, w, otl.ChannelMail)
	w.PersonFirst(t, u.ID, func() {
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
			t.Error(err)
		}
	})
}
