package signin_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// victim is somebody with a password, a second factor and a session, at a site that may write his number.
type victim struct {
	user otl.User
	evil otl.Site
	name string // what he signs in with
	held string // id of his session at Notes, "" where he is not known there
	has  string // id of one that the hostile site has
}

// shared adds victims: who registered himself and is known at two places or at the hostile one alone, and whom another
// site or nobody added, with and without an address.
func shared(t *testing.T, w *otltest.World) map[string]victim {
	t.Helper()
	fields := otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}
	evil := w.Register(t, site.Registration{Name: "Evil", Callbacks: []string{"https://evil.test/cb"}, Requested: fields}).Site
	username := "jim"
	made, err := w.Accounts.Create(t.Context(), account.Creation{Email: "joe@dev.test", Password: secret.NewText(otltest.Password), Site: &w.Notes.Site})
	if err != nil {
		t.Fatal(err)
	}
	unaddressed, err := w.Accounts.Create(t.Context(), account.Creation{Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Profile: account.Profile{Username: &username}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]victim{
		"of himself, two sites": {user: w.Person(t, "jane@dev.test", w.Notes.Site, evil), name: "jane@dev.test"},
		"of himself, one site":  {user: w.Person(t, "june@dev.test", evil), name: "june@dev.test"},
		"of another site":       {user: made.User, name: "joe@dev.test"},
		"without an address":    {user: unaddressed.User, name: username},
	}
	for name, v := range all {
		v.evil = evil
		if _, err := (account.Consents{Accounts: w.Accounts}).Consent(t.Context(), v.user.ID, evil, fields); err != nil {
			t.Fatal(name, err)
		}
		if name != "of himself, one site" {
			in, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, v.name, secret.NewText(otltest.Password)))
			if err != nil {
				t.Fatal(name, err)
			}
			v.held = in.Session.ID
		}
		who := signin.Identifier{Type: signin.ByID, Value: v.user.ID}
		sent, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: evil, Who: who, Channel: otl.ChannelDirect})
		if err != nil {
			t.Fatal(name, err)
		}
		in, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: evil, Who: who, Code: sent.Code})
		if err != nil {
			t.Fatal(name, err)
		}
		v.has = in.Session.ID
		if _, err := w.Setup.Give(t.Context(), v.user, factor.Given{New: factor.New{Kind: otl.FactorSMS, Label: "mine", Number: "+491715550199"}}); err != nil {
			t.Fatal(name, err)
		}
		all[name] = v
	}
	return all
}

// keeps fails where something of a victim's is gone.
func (v victim) keeps(t *testing.T, w *otltest.World, name string) {
	t.Helper()
	factors, err := w.Store.Read.Factors.Of(t.Context(), v.user.ID)
	has, bad := w.Store.Read.Passwords.Has(t.Context(), v.user.ID)
	if err != nil || bad != nil || len(factors) == 0 || !has || v.held != "" && !lives(t, w, v.held)() {
		t.Errorf("%s: %d factors, password %v (%v, %v)", name, len(factors), has, err, bad)
	}
}

// unharmed fails where something of a victim's is gone, or what is sent to a number opens our own pages.
func (v victim) unharmed(t *testing.T, w *otltest.World, name, number string) {
	t.Helper()
	v.keeps(t, w, name)
	if v.user.Email.Key == "" {
		return // our own pages text nobody without an address
	}
	w.Clock.Advance(time.Minute)
	w.Letters(t, "")
	w.Inbox.Empty()
	enter := texts(t, w, v.user.Email.Address)
	if l := w.Letters(t, number); len(l) == 0 {
		return
	} else if err := enter(l[0].Code); err == nil {
		t.Errorf("%s: the number opens our own pages", name)
	}
}

// texts asks at our own pages for a code by SMS, and gives what enters one there.
func texts(t *testing.T, w *otltest.World, email string) func(code string) error {
	t.Helper()
	home, err := w.Flows.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
	f, err := s.Begin(t.Context(), home, browser, otl.Asked{Return: "/account"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Visit(t.Context(), f.ID, browser, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (signin.Texts{Arrivals: s}).Send(t.Context(), v, email); err != nil {
		t.Fatal(err)
	}
	return func(code string) error {
		if v, err = s.Visit(t.Context(), f.ID, browser, nil); err != nil {
			t.Fatal(err)
		}
		_, err := s.Code(t.Context(), v, secret.NewText(code))
		return err
	}
}

// TestD1_ANumberThatASiteWritesTakesNobodysAccount: a site writes a number of its own for somebody who is not its own and has
// proven nothing, and uses codes that are sent there. It comes into nobody's account, and password, sessions and second
// factors stay; added to a session that it has, it opens the site alone.
func TestD1_ANumberThatASiteWritesTakesNobodysAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		n := 0
		for name, v := range shared(t, w) {
			number := fmt.Sprintf("+49170555015%d", n)
			n++
			if _, err := w.Members.Change(t.Context(), v.evil, v.user.ID, account.MemberChange{Profile: account.Profile{Phone: &number}}); err != nil {
				t.Fatal(name, err)
			}
			who := signin.Identifier{Type: signin.ByID, Value: v.user.ID}
			use := func(join string) error {
				w.Clock.Advance(time.Minute)
				if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: v.evil, Who: who, Channel: otl.ChannelSMS, Known: true}); err != nil {
					t.Fatal(name, err)
				}
				_, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: v.evil, Who: who, Code: secret.NewText(w.Newest(t, number).Code), Known: true, Join: join})
				return err
			}
			if err := use(""); !errors.Is(err, signin.ErrUnproven) {
				t.Errorf("%s: %v", name, err)
			}
			if is, err := w.Accounts.Find(t.Context(), v.user.ID); err != nil || !is.PhoneVerifiedAt.IsZero() {
				t.Errorf("%s: proven: %+v %v", name, is, err)
			}
			v.unharmed(t, w, name, number)
			if err := use(v.has); err != nil {
				t.Errorf("%s: added to a session: %v", name, err)
			}
			is, err := w.Accounts.Find(t.Context(), v.user.ID)
			if err != nil || !is.PhoneVerifiedAt.IsZero() && !is.Held(otl.ChannelSMS, w.Shop.Site.ID, w.Clock.Now()) || v.user.Email.Key == "" && !is.PhoneVerifiedAt.IsZero() {
				t.Errorf("%s: it opens every site: %+v %v", name, is, err)
			}
			v.unharmed(t, w, name, number)
		}
	})
}

// TestOT16_ACodeOfBeforeProvesNoNumber: a stranger has proven a number of his own, and has a code at our own pages, when the
// address of the account is proven. The code opens nothing any more, and the number stays unproven.
func TestOT16_ACodeOfBeforeProvesNoNumber(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		number := "+491705550155"
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "code@dev.test", Site: &w.Notes.Site, Profile: account.Profile{Phone: &number}})
		if err != nil {
			t.Fatal(err)
		}
		provesBySMS(t, w, number)
		w.Clock.Advance(time.Minute)
		w.Letters(t, "")
		w.Inbox.Empty()
		enter := texts(t, w, "code@dev.test")
		code := w.Newest(t, number).Code
		provesByCode(t, w, "code@dev.test")
		if err := enter(code); !errors.Is(err, signin.ErrCode) {
			t.Errorf("%v", err)
		}
		if u, err := w.Accounts.Find(t.Context(), m.User.ID); err != nil || !u.PhoneVerifiedAt.IsZero() || u.EmailVerifiedAt.IsZero() {
			t.Errorf("%+v %v", u, err)
		}
	})
}
