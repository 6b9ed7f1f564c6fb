package pages_test

import (
	"net/http"
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
	"github.com/onetimelogin/otl/internal/store"
)

// added has somebody set an app up in a session, and gives it with the letter that tells him.
func added(t *testing.T, w *otltest.World, by store.Standing) (otl.Factor, outbox.Received) {
	t.Helper()
	w.Inbox.Empty()
	e, err := w.Setup.Enrol(t.Context(), by, factor.New{Kind: otl.FactorTOTP})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Setup.Confirm(t.Context(), by, e.ID, secret.NewText(secret.TOTP(seed, w.Clock.Now())))
	if err != nil {
		t.Fatal(err)
	}
	all := w.Letters(t, by.User.Email.Address)
	i := slices.IndexFunc(all, func(l outbox.Received) bool { return l.Kind == otl.MessageFactorAdded })
	if i < 0 {
		t.Fatalf("he is not told: %v", all)
	}
	return c.Factor, all[i]
}

// undoes is what the link of a first factor does, as the mail and the page say it.
const undoes = "Undoing removes all your second factors, recovery codes and trusted devices, and signs you out everywhere."

// TestMF08_AFirstFactorIsUndoneByMail: whoever holds a copy of somebody's session could lock him out
// by a factor of his own. The mail leads to a page that takes all of them away, once, and ends
// every session; opening it does nothing. A further factor has no such link.
func TestMF08_AFirstFactorIsUndoneByMail(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		site, b, thief := w.Login(t, w.Notes, jane), home(t, w), w.Strong(t, u)
		_, first := added(t, w, thief)
		link := strings.TrimPrefix(first.Link, otltest.Issuer)
		if !strings.HasPrefix(link, "/c/"+factor.UndoPrefix) || !strings.Contains(first.Text, "Refuse or undo:\n"+first.Link+"\n") || !strings.Contains(first.Text, "for four days") || !strings.Contains(first.Text, "Was it not you? Choose a new password at once.\n\nChoose a new password: "+otltest.Issuer+"/forgot\n") || !strings.Contains(strings.Join(strings.Fields(first.Text), " "), undoes) {
			t.Fatalf("%q\n%s", first.Link, first.Text)
		}
		_, second := added(t, w, thief)
		if second.Link != "" || !strings.Contains(second.Text, otltest.Issuer+"/forgot") {
			t.Errorf("of the second: %q\n%s", second.Link, second.Text)
		}
		has := func(factors, codes int) {
			t.Helper()
			if own, err := w.Setup.List(t.Context(), u); err != nil || len(own.Factors) != factors || own.CodesLeft != codes {
				t.Errorf("%+v %v", own, err)
			}
		}
		page := w.Do(t, otltest.Call{Path: link, Headers: map[string]string{"Accept": anyPage}}).Want(t, http.StatusOK)
		if !strings.Contains(string(page.Raw), "Undo the change of your account?") || !strings.Contains(string(page.Raw), "<p>A second factor was added</p>\n<p>"+undoes+"</p>") {
			t.Errorf("%s", page.Raw)
		}
		has(3, 10)
		w.Inbox.Empty()
		w.Clock.Advance(otl.UndoTTL - time.Second)
		post := otltest.Call{Method: http.MethodPost, Path: link, Headers: map[string]string{"Accept": anyPage, "Sec-Fetch-Site": "same-origin"}}
		if done := w.Do(t, post).Want(t, http.StatusOK); !strings.Contains(string(done.Raw), "signed out everywhere") {
			t.Errorf("%s", done.Raw)
		}
		has(0, 0)
		if got := b.Get("/account"); got.Title != "Sign in" {
			t.Errorf("still signed in: %s", got.Title)
		}
		w.Refresh(t, w.Notes, site.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		if l := letter(t, w, jane); l.Subject != "A second factor was removed" {
			t.Errorf("%s", l.Subject)
		}
		w.Do(t, post).Want(t, http.StatusGone)
		if p := password(b, b.Get("/account")); p.Title != "Your account" {
			t.Errorf("he is asked for more than his password: %s", p.Title)
		}
	})
}

// TestMF08_TheLinkOfAFactorEnds four days on, and with the last factor; one that was set up before
// another first one takes nothing of that away.
func TestMF08_TheLinkOfAFactorEnds(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		by := w.Strong(t, u)
		dead := func(l outbox.Received) {
			t.Helper()
			w.Do(t, otltest.Call{Method: http.MethodPost, Path: strings.TrimPrefix(l.Link, otltest.Issuer), Headers: map[string]string{"Accept": anyPage}}).Want(t, http.StatusGone)
		}
		one, before := added(t, w, by)
		if _, err := w.Setup.Remove(t.Context(), by, one.ID); err != nil {
			t.Fatal(err)
		}
		dead(before)
		_, late := added(t, w, by)
		dead(before)
		w.Clock.Advance(otl.UndoTTL)
		dead(late)
		if own, err := w.Setup.List(t.Context(), u); err != nil || len(own.Factors) != 2 {
			t.Errorf("%+v %v", own, err)
		}
	})
}

// TestMF08_UndoingAnAddressTakesFactorsSinceAlong: whoever holds a copy of somebody's session could change
// the address first, so that the mail of his factor went to himself. The one link that the owner gets takes the
// factor too, also where one was set up and removed before, and leaves what the owner had.
func TestMF08_UndoingAnAddressTakesFactorsSinceAlong(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"after the change", "before and after it", "beside one of the owner's"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			otltest.Each(t, func(t *testing.T, w *otltest.World) {
				u := verified(t, w, w.Notes.Site)
				b, thief := home(t, w), w.Strong(t, u)
				var own otl.Factor
				if order != "after the change" {
					own, _ = added(t, w, thief)
				}
				if order == "before and after it" {
					if _, err := w.Setup.Remove(t.Context(), thief, own.ID); err != nil {
						t.Fatal(err)
					}
				}
				w.Clock.Advance(time.Minute)
				w.Letters(t, "")
				w.Inbox.Empty()
				if err := w.Members.Changes.AskOwn(t.Context(), thief.Site, u, account.Own{Email: "thief@dev.test"}); err != nil {
					t.Fatal(err)
				}
				undo := pathOf(w.Newest(t, jane).Link)
				if err := w.Members.Changes.Follow(t.Context(), strings.TrimPrefix(pathOf(w.Newest(t, "thief@dev.test").Link), "/c/")); err != nil {
					t.Fatal(err)
				}
				thief.User = mustFind(t, w, u.ID)
				_, his := added(t, w, thief)
				if _, _, err := w.Setup.NewCodes(t.Context(), thief); err != nil {
					t.Fatal(err)
				}
				w.Inbox.Empty()
				post := otltest.Call{Method: http.MethodPost, Path: undo, Headers: map[string]string{"Accept": anyPage, "Sec-Fetch-Site": "same-origin"}}
				if p := b.Get(undo); !strings.Contains(string(p.Raw), "<p>Second factors added since then are removed, too.</p>") {
					t.Errorf("%s", p.Raw)
				}
				w.Do(t, post).Want(t, http.StatusOK)
				if l := letter(t, w, jane); l.Subject != "A second factor was removed" {
					t.Errorf("%s", l.Subject)
				}
				has, err := w.Setup.List(t.Context(), u)
				if err != nil || has.CodesLeft != 0 || mustFind(t, w, u.ID).Email.Address != jane {
					t.Errorf("%+v %v", has, err)
				}
				if _, err := w.Setup.Enrol(t.Context(), thief, factor.New{Kind: otl.FactorTOTP}); !otl.Is(err, otl.ErrSessionRevoked.Code) {
					t.Errorf("the thief is in: %v", err)
				}
				title := "Your account"
				if order == "beside one of the owner's" {
					if title = "One more step"; len(has.Factors) != 1 || has.Factors[0].ID != own.ID || !has.Factors[0].Default {
						t.Errorf("%+v", has.Factors)
					}
				} else {
					post.Path = pathOf(his.Link)
					if w.Do(t, post).Want(t, http.StatusGone); len(has.Factors) != 0 {
						t.Errorf("%+v", has.Factors)
					}
				}
				if p := password(b, b.Get("/account")); p.Title != title {
					t.Errorf("by his password he is at %q", p.Title)
				}
			})
		})
	}
}
