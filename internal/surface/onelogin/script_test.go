package onelogin_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

const loginPage = "https://login.notes.test"

const (
	ownCookie    = "__Host-otl_session"
	acrossCookie = "__Host-otl_across"
)

// presents has a page's script present a session token of somebody in a browser, which
// sends the cookies of these names along, and keeps what the answer sets.
func (x *tenant) presents(t *testing.T, b *otltest.Browser, email string, sends ...string) otltest.Reply {
	t.Helper()
	token := x.sessionToken(t, object{"username_or_email": email}, "Custom-Allowed-Origin-Header-1", loginPage)
	var pairs []string
	for _, name := range sends {
		pairs = append(pairs, name+"="+b.Cookies[name])
	}
	headers := map[string]string{"Origin": loginPage}
	if len(pairs) > 0 {
		headers["Cookie"] = strings.Join(pairs, "; ")
	}
	r := x.Do(t, otltest.Call{Path: "/session_via_api_token", Body: object{"session_token": token}, Headers: headers})
	for name, rest := range cookies(r) {
		if value, _, _ := strings.Cut(rest, ";"); value != "" {
			b.Cookies[name] = value
		} else {
			delete(b.Cookies, name)
		}
	}
	return r
}

// at gives whom our own pages take a browser for, "" for nobody. To the portal a handed
// session shows no more than that.
func at(b *otltest.Browser) string {
	var held []secret.Text
	for _, name := range []string{ownCookie, acrossCookie} {
		if value := b.Cookies[name]; value != "" {
			held = append(held, secret.NewText(value))
		}
	}
	who, err := b.World.Flows.Who(context.Background(), held)
	if err != nil {
		return err.Error()
	}
	return who.User.Email.Address
}

// TestAD02_AScriptSignsInWhoWasSignedOut (contract 2.8): the cookie of a session of our own
// pages that ended meanwhile stays in the browser, and does not hide the new one.
func TestAD02_AScriptSignsInWhoWasSignedOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		b := x.Browser(t)
		b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		if at(b) != "jane@dev.test" {
			t.Fatal("not signed in")
		}
		for _, s := range x.browserSessions(t) {
			if _, err := x.SignIn.Revoke(t.Context(), signin.Scope{UserID: x.jane.ID}, s.ID, otl.EndLogout); err != nil {
				t.Fatal(err)
			}
		}
		x.presents(t, b, "jane@dev.test").Want(t, http.StatusOK) // of another site: ours is not sent
		if b.Cookies[ownCookie] == "" || b.Cookies[acrossCookie] == "" || at(b) != "jane@dev.test" {
			t.Errorf("signed out by signing in: %v", slices.Collect(maps.Keys(b.Cookies)))
		}
	})
}

// TestSE04_AScriptOfANeighbourTakesTheSessionOver: a page of a sibling host sends the
// session of our own pages along, which ends as at every sign-in; the new one stands in its
// place, and none that other sites' calls carry (D8).
func TestSE04_AScriptOfANeighbourTakesTheSessionOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		b := x.Browser(t)
		b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		before := b.Cookies[ownCookie]
		r := x.presents(t, b, "jane@dev.test", ownCookie).Want(t, http.StatusOK)
		if live := x.browserSessions(t); len(live) != 1 || b.Cookies[ownCookie] == before || b.Cookies[acrossCookie] != "" || at(b) != "jane@dev.test" {
			t.Errorf("%d live, %v", len(live), r.Header)
		}
		x.Person(t, "bob@dev.test", x.Notes.Site)
		x.presents(t, b, "bob@dev.test", ownCookie).Want(t, http.StatusForbidden)
		if at(b) != "jane@dev.test" {
			t.Error("another person, silently")
		}
		// A token that names no origin, by a program: none for other sites' calls.
		r = x.script(t, x.sessionToken(t, nil), "").Want(t, http.StatusOK)
		if c := cookies(r)[ownCookie]; !strings.HasSuffix(c, "; SameSite=Lax") || !strings.Contains(cookies(r)[acrossCookie], "Max-Age=0") {
			t.Errorf("%v", r.Header)
		}
	})
}

// TestAD02_AScriptPutsNobodyInAnothersPlace: whom a script of another site signs in beside
// somebody else, the person is asked about at his pages, and stays who he is unless he says
// otherwise.
func TestAD02_AScriptPutsNobodyInAnothersPlace(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]string{"switch": "bob@dev.test", "stay": "jane@dev.test"} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, x *tenant) {
				bob := x.Person(t, "bob@dev.test", x.Notes.Site)
				b := x.Browser(t)
				b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
				x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
				if p := b.Get("/account/profile"); !strings.Contains(string(p.Raw), "jane@dev.test") {
					t.Errorf("she is %s already", p.Title)
				}
				p := b.Get("/account")
				if p.Fields(choice) == nil || !strings.Contains(string(p.Raw), "Notes") {
					t.Fatalf("%s\n%s", p.Title, p.Raw)
				}
				if said := string(p.Raw); strings.Count(said, `<button class="second">`) != 2 || strings.Index(said, `id="stay"`) > strings.Index(said, `id="switch"`) || !strings.Contains(said, "Then stay") {
					t.Errorf("one choice is told from the other\n%s", said)
				}
				if p = b.Submit(p, choice, nil); p.Path != "/account" || p.Fields(choice) != nil || at(b) != want {
					t.Errorf("%s leads to %s as %s", choice, p.Title, at(b))
				}
				live, err := x.Store.Read.Sessions.Live(t.Context(), bob.ID, x.Installation.SiteID, "", x.Clock.Now(), 10)
				if n := len(x.browserSessions(t)); err != nil || n+len(live) != 1 || (len(live) == 1) != (choice == "switch") {
					t.Errorf("%d of hers, %d of his, %v", n, len(live), err)
				}
				b.Send("/account/switch", p.Fields("")) // there is nothing to choose any more
				if at(b) != want {
					t.Errorf("then %s", at(b))
				}
			})
		})
	}
}

// TestSE11_SigningOutEndsBoth: the session of our own pages, and the one that a script
// opened beside it.
func TestSE11_SigningOutEndsBoth(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		b := x.Browser(t)
		b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		x.presents(t, b, "jane@dev.test").Want(t, http.StatusOK)
		if n := len(x.browserSessions(t)); n != 2 {
			t.Fatalf("%d", n)
		}
		b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "here"})
		if n := len(x.browserSessions(t)); n != 0 || at(b) != "" {
			t.Errorf("%d sessions go on", n)
		}
		if _, err := x.SignIn.Sessions.Browser(t.Context(), secret.NewText("otl_bs_"), secret.Text{}); err == nil {
			t.Error("nothing holds a session")
		}
	})
}
