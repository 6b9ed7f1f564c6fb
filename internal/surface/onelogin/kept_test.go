package onelogin_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// keeps is the browser of a site's own server that keeps the session of a person which its
// session token opened.
func keeps(t *testing.T, x *tenant, email string) *otltest.Browser {
	t.Helper()
	name, value, _ := strings.Cut(held(t, x.form(t, x.sessionToken(t, object{"username_or_email": email}), nil)), "=")
	b := x.Browser(t)
	b.Cookies[name] = value
	return b
}

// signsIn has a person sign in on our own pages.
func signsIn(t *testing.T, x *tenant, email string) *otltest.Browser {
	t.Helper()
	b := x.Browser(t)
	b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": email, "password": otltest.Password})
	if at(b) != email {
		t.Fatalf("%s is not signed in", email)
	}
	return b
}

// TestSE13_ASiteThatIsLetGoKeepsNoSession (D1): the browser session that its session token
// opened, and which it may hold, ends with what the person let the site see; the session he
// opened himself goes on.
func TestSE13_ASiteThatIsLetGoKeepsNoSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own, kept := signsIn(t, x, "jane@dev.test"), keeps(t, x, "jane@dev.test")
		if at(kept) == "" {
			t.Fatal("the site has no session")
		}
		if err := x.Accounts.Leave(t.Context(), x.Notes.Site.ID, x.jane.ID); err != nil {
			t.Fatal(err)
		}
		if who := at(kept); who != "" {
			t.Errorf("the site is still signed in as %s", who)
		}
		if who := at(own); who != "jane@dev.test" {
			t.Errorf("she is signed in as %q", who)
		}
	})
}

// TestSE13_ADeletedSiteKeepsNoSession, nor does it bar anybody from his account where its
// script had signed somebody in beside him (AD-02). What it opened is good again once it is
// restored.
func TestSE13_ADeletedSiteKeepsNoSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "bob@dev.test", x.Notes.Site)
		kept, b := keeps(t, x, "jane@dev.test"), signsIn(t, x, "jane@dev.test")
		x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
		owner, id := x.jane.ID, x.Notes.Site.ID
		own(t, x, owner)
		if _, err := x.Sites.Delete(t.Context(), owner, id); err != nil {
			t.Fatal(err)
		}
		if who := at(kept); who != "" {
			t.Errorf("the site is still signed in as %s", who)
		}
		if p := b.Get("/account"); p.Status != http.StatusOK || p.Fields("switch") != nil || at(b) != "jane@dev.test" {
			t.Errorf("%d %s", p.Status, p.Title)
		}
		if _, err := x.Sites.Restore(t.Context(), owner, id); err != nil {
			t.Fatal(err)
		}
		if who := at(kept); who != "jane@dev.test" {
			t.Errorf("after it was restored: %q", who)
		}
	})
}

// TestD1_AHandedSessionTellsNoName: no page says who somebody is to a site that holds the
// session its token opened.
func TestD1_AHandedSessionTellsNoName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		b := keeps(t, x, "jane@dev.test")
		choose := asks(x, "select_account")
		for _, path := range []string{"/account", "/account?own=1", "/account/profile", "/forgot", "/signout", "/device", choose} {
			p := b.Get(path)
			if page := string(p.Raw); p.Status != http.StatusOK || strings.Contains(page, "jane@dev.test") || strings.Contains(page, "Jane") {
				t.Errorf("%s: %d\n%s", path, p.Status, page)
			}
		}
		if p := b.Get(choose); p.Fields("choose") == nil || !strings.Contains(string(p.Raw), "j***@dev.test") {
			t.Errorf("she does not know herself: %s\n%s", p.Title, p.Raw)
		}
		// She proves who she is by saying it, too.
		p := b.Submit(b.Get("/account?own=1"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		if p.Title != "Your account" || !strings.Contains(string(p.Raw), "jane@dev.test") {
			t.Errorf("%s", p.Title)
		}
	})
}

// TestD2_AHandedSessionSeesNoAddressesOfASite that its person owns.
func TestD2_AHandedSessionSeesNoAddressesOfASite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own(t, x, x.jane.ID)
		ask := "/authorize?site=" + x.Notes.Site.ID + "&redirect_uri=https%3A%2F%2Fnotes.test%2Fother"
		for name, b := range map[string]*otltest.Browser{"her own": signsIn(t, x, "jane@dev.test"), "a site's": keeps(t, x, "jane@dev.test")} {
			p := b.Get(ask)
			if p.Status != http.StatusBadRequest || strings.Contains(string(p.Raw), "/redirect?") != (name == "her own") {
				t.Errorf("%s: %d\n%s", name, p.Status, p.Raw)
			}
		}
	})
}

// TestSE07_SigningOutEverywhereIsOnesOwn: whom a script signed in beside her keeps his other
// sessions, and a site that holds her session ends none but that.
func TestSE07_SigningOutEverywhereIsOnesOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "bob@dev.test", x.Notes.Site)
		bobs, b, other := signsIn(t, x, "bob@dev.test"), signsIn(t, x, "jane@dev.test"), signsIn(t, x, "jane@dev.test")
		kept := keeps(t, x, "jane@dev.test")
		everywhere := map[string]string{"where": "everywhere"}
		if p := kept.Submit(kept.Get("/signout"), "signout", everywhere); p.Title != "Confirm it's you" || at(other) == "" {
			t.Errorf("a site signed her out everywhere: %s", p.Title)
		}
		kept.Submit(kept.Get("/signout"), "signout", map[string]string{"where": "here"})
		if at(kept) != "" || at(other) == "" {
			t.Error("a site ended another number of sessions than its own")
		}
		x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
		planted := b.Cookies[acrossCookie]
		b.Submit(b.Get("/signout"), "signout", everywhere)
		again := x.Browser(t)
		again.Cookies[acrossCookie] = planted
		if at(other) != "" || at(again) != "" || at(bobs) != "bob@dev.test" {
			t.Errorf("hers: %q, planted: %q, his: %q", at(other), at(again), at(bobs))
		}
	})
}

// TestSE04_ASignInEndsBoth: the session of our own pages and the one that a script opened
// beside it, on whichever way somebody comes in.
func TestSE04_ASignInEndsBoth(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "bob@dev.test", x.Notes.Site)
		for way, comesIn := range map[string]func(*otltest.Browser){
			"by password": func(b *otltest.Browser) {
				b.Submit(b.Get(asks(x, "login")), "/signin", map[string]string{"password": otltest.Password})
			},
			"by a session token": func(b *otltest.Browser) {
				posts(t, x, b, x.sessionToken(t, nil))
			},
		} {
			b := signsIn(t, x, "jane@dev.test")
			before := b.Cookies[ownCookie]
			x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
			left := x.Browser(t)
			left.Cookies[acrossCookie] = b.Cookies[acrossCookie]
			if at(left) != "bob@dev.test" {
				t.Fatalf("%s: nobody was signed in beside her", way)
			}
			x.Clock.Advance(time.Second)
			comesIn(b)
			if b.Cookies[ownCookie] == before || b.Cookies[acrossCookie] != "" {
				t.Errorf("%s: %v", way, b.Cookies)
			}
			if at(left) != "" || at(b) != "jane@dev.test" {
				t.Errorf("%s: what she held beside is %q's, hers %q's", way, at(left), at(b))
			}
		}
	})
}

// TestAD02_TheAnswerIsAboutWhomThePageShowed: a site that proposes another meanwhile has the
// person asked again.
func TestAD02_TheAnswerIsAboutWhomThePageShowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, one := range []string{"bob@dev.test", "mallory@dev.test"} {
			x.Person(t, one, x.Notes.Site)
		}
		b := signsIn(t, x, "jane@dev.test")
		x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
		p := b.Get("/account")
		delete(b.Cookies, acrossCookie)
		x.presents(t, b, "mallory@dev.test").Want(t, http.StatusOK)
		p = b.Submit(p, "switch", nil)
		if p.Fields("switch") == nil || !strings.Contains(string(p.Raw), "m***@dev.test") || at(b) != "jane@dev.test" {
			t.Errorf("%s, signed in as %s", p.Title, at(b))
		}
		if b.Submit(p, "switch", nil); at(b) != "mallory@dev.test" {
			t.Errorf("signed in as %s", at(b))
		}
	})
}

// TestSE19_ASiteCrowdsOutItsOwnSessionsOnly: of the sessions that its session tokens open the
// oldest makes room for the newest, and none that the person opened himself (D1).
func TestSE19_ASiteCrowdsOutItsOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		own := signsIn(t, x, "jane@dev.test")
		var kept []*otltest.Browser
		for range 52 {
			x.Clock.Advance(10 * time.Second)
			kept = append(kept, keeps(t, x, "jane@dev.test"))
		}
		if at(own) == "" {
			t.Error("the person's own session made room")
		}
		gone := slices.DeleteFunc(kept, func(b *otltest.Browser) bool { return at(b) != "" })
		if n := len(x.browserSessions(t)); n != 51 || len(gone) != 2 {
			t.Errorf("%d sessions, %d made room", n, len(gone))
		}
	})
}

// asks gives the address at which a site has somebody sign in, with a prompt.
func asks(x *tenant, prompt string) string {
	return "/authorize?" + url.Values{
		"site": {x.Notes.Site.ID}, "redirect_uri": {x.Notes.Site.CallbackURLs[0]}, "code_challenge_method": {"S256"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "prompt": {prompt},
	}.Encode()
}

// posts presents a session token by a form of our own host, so that the browser says at once
// who it is signed in as.
func posts(t *testing.T, x *tenant, b *otltest.Browser, token string) {
	t.Helper()
	r := x.form(t, token, map[string]string{
		"Cookie": ownCookie + "=" + b.Cookies[ownCookie] + "; " + acrossCookie + "=" + b.Cookies[acrossCookie], "Origin": otltest.Issuer, "Sec-Fetch-Site": "same-origin",
	}).Want(t, http.StatusSeeOther)
	_, b.Cookies[ownCookie], _ = strings.Cut(held(t, r), "=")
	delete(b.Cookies, acrossCookie)
}

// own makes a person an owner of Notes.
func own(t *testing.T, x *tenant, userID string) {
	t.Helper()
	err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Businesses.AddOwner(ctx, x.Notes.Site.BusinessID, userID, x.Clock.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAD02_WhatWasPlantedIsAskedAbout: whoever's own session ends, here or from elsewhere, does
// not go on as somebody whom a site's page signed in beside him, unless he says so.
func TestAD02_WhatWasPlantedIsAskedAbout(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Person(t, "bob@dev.test", x.Notes.Site)
		b := signsIn(t, x, "jane@dev.test")
		x.presents(t, b, "bob@dev.test").Want(t, http.StatusOK)
		if p := b.Get(asks(x, "")); p.Left == nil || p.Left.Query().Get("code") == "" {
			t.Fatalf("as herself: %s %v", p.Title, p.Left)
		}
		if _, err := x.SignIn.RevokeAll(t.Context(), x.jane.ID); err != nil {
			t.Fatal(err)
		}
		p := b.Get(asks(x, ""))
		if p.Left != nil || p.Fields("choose") == nil || strings.Contains(string(p.Raw), "bob@dev.test") {
			t.Fatalf("%s %v\n%s", p.Title, p.Left, p.Raw)
		}
		if p = b.Submit(p, "choose", nil); p.Left == nil || p.Left.Query().Get("code") == "" {
			t.Errorf("as whom she said: %s %v", p.Title, p.Left)
		}
		// A browser that was nobody's before is asked nothing.
		kept := keeps(t, x, "bob@dev.test")
		if p := kept.Get(asks(x, "")); p.Left == nil || p.Left.Query().Get("code") == "" {
			t.Errorf("%s %v", p.Title, p.Left)
		}
	})
}
