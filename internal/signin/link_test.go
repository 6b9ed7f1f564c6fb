package signin_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

const back = "https://notes.test/callback"

// mailed sends Jane a link with a code beside it and gives the secrets of both.
func mailed(t *testing.T, w *otltest.World, state string) (link, code string) {
	t.Helper()
	w.Letters(t, "") // what else is told of is not it
	w.Inbox.Empty()
	r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Redirect: back}, State: state}
	if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	l := w.Letters(t, "jane@dev.test")[0]
	return strings.TrimPrefix(l.Link, otltest.Issuer+"/l/"), l.Code
}

func byJane() signin.Identifier {
	return signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}
}

// types enters a code of Jane's on a wire that may know why it is refused.
func types(t *testing.T, w *otltest.World, code string) error {
	t.Helper()
	_, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: byJane(), Code: secret.NewText(code), Known: true})
	return err
}

// press opens a link and gives the code it leads to.
func press(t *testing.T, w *otltest.World, link string) (secret.Text, error) {
	t.Helper()
	if _, err := w.Codes.Look(t.Context(), link, ""); err != nil {
		return secret.Text{}, err
	}
	to, err := w.Codes.Confirm(t.Context(), link)
	if err != nil {
		return secret.Text{}, err
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return secret.NewText(u.Query().Get("code")), nil
}

// TestOT02_TheCodeBesideALinkEndsFirst: five minutes, whatever the link has.
func TestOT02_TheCodeBesideALinkEndsFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		_, code := mailed(t, w, "")
		w.Clock.Advance(5*time.Minute - time.Millisecond)
		if err := types(t, w, code); err != nil {
			t.Error(err)
		}
		link, code := mailed(t, w, "")
		w.Clock.Advance(5 * time.Minute)
		if err := types(t, w, code); !errors.Is(err, signin.ErrCodeExpired) {
			t.Errorf("after five minutes: %v", err)
		}
		w.Clock.Advance(10*time.Minute - time.Millisecond)
		if _, err := press(t, w, link); err != nil {
			t.Errorf("a link within its fifteen minutes: %v", err)
		}
		link, _ = mailed(t, w, "")
		w.Clock.Advance(15 * time.Minute)
		if _, err := press(t, w, link); !errors.Is(err, signin.ErrLink) {
			t.Errorf("a link after fifteen minutes: %v", err)
		}
		w.Codes.TTL = 10 * time.Minute
		if r, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{CodeRequest: signin.CodeRequest{
			Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelDirect, Redirect: back, TTL: time.Minute,
		}}); err != nil {
			t.Error(err)
		} else {
			w.Clock.Advance(time.Minute)
			if err := types(t, w, r.Code.Reveal()); !errors.Is(err, signin.ErrCodeExpired) {
				t.Errorf("a code that outlives its link: %v", err)
			}
		}
	})
}

// TestOT04_MailsCross: a link that a newer one took the place of works for another minute
// where both lead to the same, but no longer than it would have; its code is void at
// once, and of all that was sent one thing can be used.
func TestOT04_MailsCross(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		older, oldCode := mailed(t, w, "s")
		w.Clock.Advance(time.Second)
		newer, newCode := mailed(t, w, "s")
		if oldCode != newCode {
			if err := types(t, w, oldCode); !errors.Is(err, signin.ErrCode) {
				t.Errorf("the older code: %v", err)
			}
		}
		w.Clock.Advance(time.Minute - time.Millisecond)
		if _, err := press(t, w, older); err != nil {
			t.Errorf("the older link: %v", err)
		}
		for _, link := range []string{older, newer} {
			if _, err := press(t, w, link); !errors.Is(err, signin.ErrLink) {
				t.Errorf("a link after the other: %v", err)
			}
		}
		if err := types(t, w, newCode); !errors.Is(err, signin.ErrCode) {
			t.Errorf("a code after the link: %v", err)
		}

		older, _ = mailed(t, w, "s")
		newer, _ = mailed(t, w, "s")
		w.Clock.Advance(time.Minute)
		if _, err := press(t, w, older); !errors.Is(err, signin.ErrLink) {
			t.Errorf("a minute later: %v", err)
		}
		if _, err := w.Codes.Confirm(t.Context(), older); !errors.Is(err, signin.ErrLink) { // whose page was open before
			t.Errorf("confirmed a minute later: %v", err)
		}
		if _, err := press(t, w, newer); err != nil {
			t.Error(err)
		}
		older, _ = mailed(t, w, "s")
		newer, _ = mailed(t, w, "s")
		if err := w.Codes.Deny(t.Context(), older); err != nil {
			t.Error(err)
		}
		if _, err := press(t, w, newer); !errors.Is(err, signin.ErrLink) {
			t.Errorf("a link that was denied: %v", err)
		}
		older, _ = mailed(t, w, "s")
		newer, _ = mailed(t, w, "another")
		if _, err := press(t, w, older); !errors.Is(err, signin.ErrLink) {
			t.Errorf("a link that led elsewhere: %v", err)
		}
		w.Clock.Advance(15*time.Minute - time.Second)
		if newest, _ := mailed(t, w, "another"); newest == newer {
			t.Fatal("one link")
		}
		w.Clock.Advance(time.Second)
		if _, err := press(t, w, newer); !errors.Is(err, signin.ErrLink) { // OT-21
			t.Errorf("a link that outlived itself: %v", err)
		}
	})
}

// TestMN01_OfTwoLinksThatCrossOneIsUsed, however many press both at once.
func TestMN01_OfTwoLinksThatCrossOneIsUsed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		older, _ := mailed(t, w, "s")
		newer, _ := mailed(t, w, "s")
		var wg sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			wg.Go(func() { _, errs[i] = w.Codes.Confirm(t.Context(), []string{older, newer}[i%2]) })
		}
		wg.Wait()
		var won int
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, signin.ErrLink) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d were let through", won)
		}
	})
}

// TestOA05_TheCodeOfALinkPresentedAgainEndsWhatItOpened: it was stolen, or its answer
// was. Another site that presents it ends nothing, nor does a code that opened nothing.
func TestOA05_TheCodeOfALinkPresentedAgainEndsWhatItOpened(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		redeem := func(s otl.Site, code secret.Text, join string) (signin.Proven, error) {
			return w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: s, Code: code, Join: join})
		}
		stands := func(s session.Tokens) bool {
			t.Helper()
			st, err := w.Store.Read.Sessions.Standing(t.Context(), s.Session.ID)
			if err != nil {
				t.Fatal(err)
			}
			return st.Session.Live(w.Clock.Now())
		}
		for _, joined := range []bool{false, true} {
			link, _ := mailed(t, w, "s")
			code, err := press(t, w, link)
			if err != nil {
				t.Fatal(err)
			}
			var join string
			if joined {
				other, _ := mailed(t, w, "s")
				first, err := press(t, w, other)
				if err != nil {
					t.Fatal(err)
				}
				before, err := redeem(w.Notes.Site, first, "")
				if err != nil {
					t.Fatal(err)
				}
				join = before.Session.ID
				link, _ = mailed(t, w, "s")
				if code, err = press(t, w, link); err != nil {
					t.Fatal(err)
				}
			}
			opened, err := redeem(w.Notes.Site, code, join)
			if err != nil || !stands(opened.Tokens) {
				t.Fatal(err)
			}
			if _, err := redeem(w.Shop.Site, code, ""); !errors.Is(err, signin.ErrLink) || !stands(opened.Tokens) {
				t.Errorf("another site: %v", err)
			}
			if _, err := redeem(w.Notes.Site, secret.NewKey(signin.LinkCodePrefix), ""); !errors.Is(err, signin.ErrLink) || !stands(opened.Tokens) {
				t.Errorf("a code that never was: %v", err)
			}
			for range 2 {
				if _, err := redeem(w.Notes.Site, code, ""); !errors.Is(err, signin.ErrLink) || stands(opened.Tokens) {
					t.Errorf("a second time: %v", err)
				}
			}
		}
		all, err := w.Store.Read.Events.List(t.Context(), jane.ID, w.Notes.Site.ID, "", 100)
		var told int
		for _, e := range all {
			if e.Type == otl.EventSessionRevoked && e.Data["reason"] == string(otl.EndCodeReuse) {
				told++
			}
		}
		if err != nil || told != 2 {
			t.Errorf("told %d times, %v", told, err)
		}
	})
}

// TestALinkWithoutAPageIsNotOpenedWithoutBound: each opening writes a code, so a network has so
// many of them a minute.
func TestALinkWithoutAPageIsNotOpenedWithoutBound(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Proven(t, w.Person(t, "jane@dev.test", w.Notes.Site))
		r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Known: true, Redirect: back}, Confirm: otl.ConfirmNever}
		if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		link := strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer+"/l/")
		scanner, person := from(t, "203.0.113.9"), from(t, "198.51.100.7")
		for i := range 240 {
			if _, err := w.Codes.Follow(scanner, link); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		if _, err := w.Codes.Follow(scanner, link); otl.As(err).Kind != otl.Limited {
			t.Errorf("beyond them: %v", err)
		}
		if _, err := w.Codes.Follow(person, link); err != nil {
			t.Errorf("somebody else: %v", err)
		}
	}, limited)
}

// TestALinkWithoutAPageIsNoMoreWork: whom it is for is looked up once, as for any other link of a site to its people.
func TestALinkWithoutAPageIsNoMoreWork(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Proven(t, w.Person(t, "jane@dev.test", w.Notes.Site))
		send := func(c otl.Confirm) otltest.Work {
			return w.Work(func(answered func(otltest.Reply)) {
				r := signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: w.Notes.Site, Who: byJane(), Channel: otl.ChannelMail, Known: true, Redirect: back}, Confirm: c}
				if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				answered(otltest.Reply{})
			})
		}
		if said := send(otl.ConfirmNever).Unlike(send(otl.ConfirmAlways)); said != "" {
			t.Error(said)
		}
	})
}
