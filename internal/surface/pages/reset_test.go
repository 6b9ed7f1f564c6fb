package pages_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// onward is the way on to the visit that was left for a new password.
var onward = regexp.MustCompile(`<a class="button(?: second)?" href="(/signin\?f=fl_[0-9A-Za-z_-]+)">Sign in</a>`)

// forgets asks for a new password in a visit to a site, and gives the link of the mail.
func forgets(t *testing.T, w *otltest.World, b *otltest.Browser, asked string) string {
	t.Helper()
	flow := b.Get(asked).Fields("/signin").Get("f")
	b.Submit(b.Get("/forgot?f="+flow), "/forgot", map[string]string{"email": jane})
	return resetLink(t, w)
}

// resetLink gives the link of the one mail there is about a new password, and empties the inbox.
func resetLink(t *testing.T, w *otltest.World) string {
	t.Helper()
	var links []string
	for _, one := range w.Letters(t, jane) {
		if strings.Contains(one.Link, "/reset/") {
			links = append(links, pathOf(one.Link))
		}
	}
	w.Inbox.Empty()
	if len(links) != 1 {
		t.Fatalf("%d mails", len(links))
	}
	return links[0]
}

// TestPW17_ANewPasswordLeadsBackToTheSite (H11): who left a visit for a new password comes back to it from
// the mail, with his name filled in; he signs in there with what he chose, for the mail alone opens nothing.
func TestPW17_ANewPasswordLeadsBackToTheSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		link := forgets(t, w, b, request(w.Notes, nil))
		w.Clock.Advance(29 * time.Minute) // nothing was done in the visit meanwhile
		page := b.Get(link)
		holds(t, page, `<strong dir="auto">Notes</strong></header>`, "Account: \u2068"+jane+"\u2069", `autocomplete="username" value="`+jane+`"`)
		done := b.Submit(page, link, map[string]string{"password": chosen})
		holds(t, done, "Your password was changed", "to continue to \u2068Notes\u2069", "!where you started")
		on := onward.FindSubmatch(done.Raw)
		if on == nil {
			t.Fatalf("no way on\n%s", done.Raw)
		}
		if p := b.Get("/account"); p.Title != "Sign in" {
			t.Errorf("signed in by the mail alone: %s", p.Title)
		}
		p := b.Get(string(on[1]))
		if p.Title != "Sign in" || p.Fields("/signin").Get("identifier") != jane {
			t.Fatalf("%s %v", p.Title, p.Fields("/signin"))
		}
		back := arrives(t, b.Submit(p, "/signin", map[string]string{"password": chosen}), w.Notes)
		exchange(t, w, w.Notes, back).Want(t, http.StatusOK)
		if got := w.Browser(t).Get(string(on[1])); got.Status != http.StatusNotFound {
			t.Errorf("the visit is another browser's, too: %d", got.Status)
		}
	})
}

// TestOT18_TheMailInAnotherBrowserAnswersNoSite: a site takes an answer in the browser that asked alone, and
// whoever asked may be a stranger who entered the address of another. The browser of the mail is told where
// it goes on and led to our own pages; in the one that asked the visit goes on.
func TestOT18_TheMailInAnotherBrowserAnswersNoSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b, mail := w.Browser(t), w.Browser(t)
		asked := b.Get(request(w.Notes, nil))
		b.Submit(b.Get("/forgot?f="+asked.Fields("/signin").Get("f")), "/forgot", map[string]string{"email": jane})
		link := resetLink(t, w)
		done := mail.Submit(mail.Get(link), link, map[string]string{"password": chosen})
		holds(t, done, "Your password was changed", "To go on to \u2068Notes\u2069, go back to the browser where you started.", "!to continue to")
		on := onward.FindSubmatch(done.Raw)
		if on == nil {
			t.Fatalf("no way on\n%s", done.Raw)
		}
		p := mail.Get(string(on[1]))
		if holds(t, p, "!Notes"); p.Title != "Sign in" || p.Fields("/signin").Get("identifier") != jane {
			t.Fatalf("%s %v", p.Title, p.Fields("/signin"))
		}
		if p = mail.Submit(p, "/signin", map[string]string{"password": chosen}); p.Left != nil || p.Title != "Your account" {
			t.Errorf("%s %v", p.Title, p.Left)
		}
		arrives(t, b.Submit(b.Get(asked.Path), "/signin", map[string]string{"identifier": jane, "password": chosen}), w.Notes)
	})
}

// TestOA02_ANewPasswordLeadsToNoAddressTakenBack: what was checked when the visit began is checked again;
// and from our own pages, and by a call of a site, the page leads to the account alone.
func TestOA02_ANewPasswordLeadsToNoAddressTakenBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		chooses := func(link string) otltest.Page {
			w.Clock.Advance(time.Minute)
			b := w.Browser(t)
			return b.Submit(b.Get(link), link, map[string]string{"password": chosen})
		}
		w.Do(t, otltest.Call{Path: "/api/v1/auth/password/forgot", Key: w.Notes.Key, Body: map[string]string{"email": jane}}).Want(t, http.StatusAccepted)
		holds(t, chooses(resetLink(t, w)), "Your password was changed", `href="/signin">Sign in</a>`, "!to continue to")
		b := w.Browser(t)
		home := chooses(forgets(t, w, b, "/signin"))
		if onward.Find(home.Raw) == nil || strings.Contains(string(home.Raw), "to continue to") {
			t.Errorf("%s", home.Raw)
		}
		link := forgets(t, w, b, request(w.Notes, nil))
		if err := w.Sites.RemoveCallback(t.Context(), w.Notes.Site.ID, w.Notes.Site.CallbackURLs[0]); err != nil {
			t.Fatal(err)
		}
		holds(t, chooses(link), "Your password was changed", `href="/signin">Sign in</a>`, "!to continue to")
	})
}

// TestOT10_AVisitTellsNobodyWhetherAMailLeft: the answer is the same to the byte for who has an account and
// who has none, but for what he entered, the first time and once more.
func TestOT10_AVisitTellsNobodyWhetherAMailLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		own := regexp.MustCompile(`name="(token|f)" value="[^"]*"|f=fl_[^"&]*|data-key="[^"]*"`)
		var said []string
		for _, who := range []string{jane, "nobo@dev.test"} {
			b := w.Browser(t)
			flow := b.Get(request(w.Notes, nil)).Fields("/signin").Get("f")
			p := b.Submit(b.Get("/forgot?f="+flow), "/forgot", map[string]string{"email": who})
			again := b.Submit(p, "again", nil)
			text := string(p.Raw) + string(again.Raw) + string(b.Get("/signin?f="+flow).Raw)
			said = append(said, strings.ReplaceAll(own.ReplaceAllString(text, ""), who, "WHO"))
		}
		if said[0] != said[1] {
			t.Errorf("%s\n\n%s", said[0], said[1])
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestAResetLinkSaysWhyItIsDead (H11), and stays where it is in another language: no answer that is an
// error holds the link (PR-01).
func TestAResetLinkSaysWhyItIsDead(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		link := forgets(t, w, b, request(w.Notes, nil))
		page := b.Get(link)
		b.Submit(page, link, map[string]string{"password": chosen})
		for how, got := range map[string]otltest.Page{"opened": b.Get(link), "sent": b.Submit(page, link, map[string]string{"password": "one more password"})} {
			holds(t, got, "<h1>This link was already used</h1>", "It was used on 2 January 2026, 03:04 UTC", "Ask for a new link", `href="/account/secure"`, `<form method="get">`, "!"+link)
			if got.Status != http.StatusGone {
				t.Errorf("%s: %d", how, got.Status)
			}
		}
		holds(t, b.Get(link+"?lang=de"), "Dieser Link wurde schon benutzt")
		w.Clock.Advance(time.Hour)
		late := forgets(t, w, b, request(w.Notes, nil))
		w.Clock.Advance(31 * time.Minute)
		holds(t, w.Browser(t).Get(late), "<h1>This link has expired</h1>", "It worked until 2 January 2026, 04:34 UTC", "!/account/secure")
		holds(t, w.Browser(t).Get("/reset/otl_pr_nothing"), "<h1>This link no longer works</h1>", "a newer one took its place", "!It worked until")
	})
}

// TestSigningOutEverywhereIsToldApart from signing out here, once.
func TestSigningOutEverywhereIsToldApart(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	for where, want := range map[string]string{"here": "Nobody is signed in in this browser any more.", "everywhere": "All your sessions have ended, on every device."} {
		b := home(t, w)
		holds(t, b.Submit(b.Get("/signout"), "signout", map[string]string{"where": where}), "<h1>You&#39;re signed out</h1>", want)
		holds(t, b.Get("/signout"), "Nobody is signed in", "!All your sessions have ended")
	}
}

// TestTheNumbersOfALinkDifferInBothDigits: a press beside the right one ends the link.
func TestTheNumbersOfALinkDifferInBothDigits(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	for range 8 {
		b := w.Browser(t)
		asks(b, b.Get(request(w.Notes, nil)), jane)
		all := offered(w.Browser(t).Get(pathOf(letter(t, w, jane).Link)))
		if len(all) != 3 {
			t.Fatalf("%v", all)
		}
		for i, one := range all {
			for _, other := range all[:i] {
				if one[0] == other[0] || one[1] == other[1] {
					t.Errorf("%v", all)
				}
			}
		}
		w.Clock.Advance(10 * time.Minute)
	}
}

// TestMF12_TheKeyOfAnAppStaysWhereItWasBegun: a wrong code takes it away from nobody who has not got it into
// his app yet; another browser of the same person is not shown it, and nobody is once it is confirmed.
func TestMF12_TheKeyOfAnAppStaysWhereItWasBegun(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b, p := setsUp(t, w)
		p = b.Submit(p, "way-totp", nil)
		seed := seedOf(t, p)
		for range 2 {
			p = b.Submit(p, "confirm", map[string]string{"code": "000000"})
			if p.Status != http.StatusUnauthorized || seedOf(t, p).Reveal() != seed.Reveal() || !strings.Contains(scanned(t, p), "secret=") {
				t.Fatalf("%d\n%s", p.Status, p.Raw)
			}
		}
		holds(t, p, "That code isn&#39;t right", "set its clock by itself", "Choose another step", "!Is the key not in your app yet?", `data-copy="seed"`)
		fields := p.Fields("confirm")
		fields.Set("code", "000000")
		other, q := setsUp(t, w)
		own := q.Fields("way-totp")
		fields.Set("f", own.Get("f"))
		fields.Set("token", own.Get("token"))
		got := other.Send("/mfa/setup/confirm", fields)
		if got.Status != http.StatusUnauthorized || seedText.Match(got.Raw) || strings.Contains(string(got.Raw), "otpauth:") {
			t.Errorf("another browser: %d\n%s", got.Status, got.Raw)
		}
		holds(t, got, "Is the key not in your app yet?")
		if got := b.Get("/mfa/setup/confirm?f=" + p.Fields("confirm").Get("f")); seedText.Match(got.Raw) {
			t.Error("the key has an address")
		}
		if strings.Contains(w.Log.String(), seed.Reveal()) {
			t.Error("the key is in the log")
		}
	})
}

// TestASecondStepNamesWhoseItIs by a hint, on every page of it; and the buttons that send something say so.
func TestASecondStepNamesWhoseItIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		_, p := setsUp(t, w)
		holds(t, p, `>Text me a code<span class="unseen">: Codes by SMS`, `>Continue<span class="unseen">: Authenticator app`)
		secondFactors(t, w, u)
		b := w.Browser(t)
		p = password(b, b.Get(request(w.Notes, nil)))
		if p.Title != "One more step" {
			t.Fatalf("%d %s", p.Status, p.Title)
		}
		holds(t, p, "Account: \u2068"+otl.Masked(jane)+"\u2069", "!"+jane)
	})
}
