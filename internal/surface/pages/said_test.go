package pages_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestOT10_ForgotSaysWhenAnotherCanBeAsked: just after another message no link goes out; the page
// says so and when to ask again, in the same words for nobody, and the press then sends one.
func TestOT10_ForgotSaysWhenAnotherCanBeAsked(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		var pages []string
		for _, who := range []string{jane, "nobody@dev.test"} {
			b := w.Browser(t)
			p := asks(b, b.Get(request(w.Notes, nil)), who) // a code is on its way
			w.Letters(t, "")
			w.Inbox.Empty()
			p = b.Submit(b.Get("/forgot?f="+p.Fields("again").Get("f")), "/forgot", map[string]string{"email": who})
			holds(t, p, "a link is on its way", "Look in your spam folder, or send it again. No link follows within 30 seconds of another message", `data-left="30"`, "You can ask for another in 30 s.")
			if all := w.Letters(t, ""); len(all) != 0 {
				t.Errorf("%d letters within 30 seconds", len(all))
			}
			_, main, _ := strings.Cut(string(p.Raw), "<main")
			for _, own := range []string{who, p.Fields("again").Get("f"), p.Fields("again").Get("token")} {
				main = strings.ReplaceAll(main, own, "")
			}
			pages = append(pages, main)
			w.Clock.Advance(31 * time.Second)
			holds(t, b.Submit(p, "again", nil), "a link is on its way")
			want := 0
			if who == jane {
				want = 1
			}
			if all := w.Letters(t, ""); len(all) != want {
				t.Errorf("%s: %d letters after 31 seconds", who, len(all))
			}
			w.Clock.Advance(time.Hour)
		}
		if pages[0] != pages[1] {
			t.Errorf("somebody:\n%s\nnobody:\n%s", pages[0], pages[1])
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT10_WhoHasJustSignedUpIsToldOfThatMessage: a code that is asked for within 30 seconds of the mail of the sign-up is no try
// too many. The page says that a message was asked for and when another can be, in the same words for nobody.
func TestOT10_WhoHasJustSignedUpIsToldOfThatMessage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		signUp(w.Browser(t), "nia@dev.test", "a-long-enough-1")
		first := w.Browser(t)
		asks(first, first.Get(request(w.Notes, nil)), "nobody@dev.test")
		w.Clock.Advance(3 * time.Second)
		for _, who := range []string{"nia@dev.test", "nobody@dev.test"} {
			b := w.Browser(t)
			p := asks(b, b.Get(request(w.Notes, nil)), who)
			if p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") != "27" {
				t.Errorf("%s: %d, Retry-After %q", who, p.Status, p.Header.Get("Retry-After"))
			}
			holds(t, p, "A message was asked for a moment ago. Look for it, or ask for another in 27 seconds.", "!Too many tries")
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT07_ALongWaitIsSaidInHours: after ten messages to an address in a day the next one goes when the first of them is a day old.
// Nobody reads that in minutes.
func TestOT07_ALongWaitIsSaidInHours(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		verified(t, w, w.Notes.Site)
		b := home(t, w)
		asks := func() otltest.Page {
			p := b.Get("/account/email")
			if p.Title == "Confirm it's you" { // as it has to be each quarter of an hour
				p = password(b, p)
			}
			return b.Submit(p, "address", map[string]string{"email": "new-jane@dev.test"})
		}
		var p otltest.Page
		for range 11 {
			if p = asks(); p.Status == http.StatusTooManyRequests {
				break
			}
			w.Clock.Advance(4 * time.Minute)
		}
		n, err := strconv.Atoi(p.Header.Get("Retry-After"))
		if hours := (n + 3599) / 3600; err != nil || hours != 24 {
			t.Fatalf("%d, Retry-After %q", p.Status, p.Header.Get("Retry-After"))
		}
		holds(t, p, "Try again in 24 hours", "!"+strconv.Itoa((n+59)/60)+" minutes")
	}, func(o *node.Options) { o.Limits = true })
}

// TestMF11_ASecondStepThatIsOverSaysSo: few tries are told, an empty code is none, and whoever has
// none left is told why he signs in anew.
func TestMF11_ASecondStepThatIsOverSaysSo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		seed := secondFactors(t, w, w.Person(t, jane, w.Notes.Site))
		b := w.Browser(t)
		p := password(b, b.Get(request(w.Notes, nil)))
		for range 6 {
			if got := b.Submit(p, "second", map[string]string{"code": " "}); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), "Enter the code.") {
				t.Fatalf("an empty code: %d %s", got.Status, got.Raw)
			}
		}
		for i, want := range []string{"Check it and try again", "Check it and try again", "Tries left: 2.", "Tries left: 1.", "wrong too often, or took too long. Sign in again."} {
			got := b.Submit(p, "second", map[string]string{"code": "000000"})
			if got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), want) {
				t.Fatalf("wrong for the %d. time: %d %s", i+1, got.Status, got.Raw)
			}
			if i == 4 {
				p = got
			}
		}
		w.Clock.Advance(time.Minute)
		arrives(t, b.Submit(password(b, p), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())}), w.Notes)
	})
}

// TestOT07_AnEmptyCodeIsNoTry of a code that was mailed.
func TestOT07_AnEmptyCodeIsNoTry(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		for range 6 {
			if got := b.Submit(p, "code-form", map[string]string{"code": ""}); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), "Enter the code.") {
				t.Fatalf("%d %s", got.Status, got.Raw)
			}
		}
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code}), w.Notes)
	})
}

// TestPW11_AWaitIsSaidAsItIs: the page names the seconds of Retry-After.
func TestPW11_AWaitIsSaidAsItIs(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	w.Person(t, jane)
	b := w.Browser(t)
	p := b.Get("/signin")
	for range 9 {
		got := b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "wrong-horse-7"})
		if got.Status != http.StatusTooManyRequests {
			continue
		}
		n, err := strconv.Atoi(got.Header.Get("Retry-After"))
		if err != nil || n < 1 || n > 59 {
			t.Fatalf("Retry-After %q", got.Header.Get("Retry-After"))
		}
		holds(t, got, "Too many tries. Try again in "+strconv.Itoa(n)+" second")
		return
	}
	t.Fatal("nine wrong passwords, and no wait")
}

// TestAFieldThatIsWrongSaysItsRule: a username, an endpoint, types of events.
func TestAFieldThatIsWrongSaysItsRule(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	holds(t, b.Submit(b.Get("/account/profile"), "profile", map[string]string{"username": "a b"}), "Use 2 to 64 letters", "!Check what you entered")
	p := b.Get("/account/sites/" + mine.ID + "/webhooks")
	holds(t, b.Submit(p, "new", map[string]string{"url": "ftp://x"}), "begins with https://", "!Check what you entered")
	holds(t, b.Submit(p, "new", map[string]string{"url": "https://mine.test/", "events": "no.such"}), "There is no such type of event", "!Check what you entered")
}

// TestNothingIsOfferedThatTakesAMail where nobody delivers any; who opens such a page all the same
// is told at once.
func TestNothingIsOfferedThatTakesAMail(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { delete(o.Senders, otl.ChannelMail) })
	w.Person(t, jane)
	b := w.Browser(t)
	holds(t, b.Get("/"), `href="/account">Sign in</a>`, "!/signup")
	p := b.Get("/signin")
	holds(t, p, `id="password"`, "!Email me a code", "!Create an account", "!Forgot password?")
	holds(t, b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "wrong-horse-7"}), "Check both.", "!email yourself")
	for _, path := range []string{"/signup", "/forgot"} {
		got := b.Get(path)
		if holds(t, got, "send mail at the moment."); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}

// TestSignUpOpensByItself for who is sent by no site; whoever is signed in has an account.
func TestSignUpOpensByItself(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b := w.Browser(t)
	holds(t, b.Get("/"), `href="/account">Sign in</a>`, `href="/signup">Create an account</a>`)
	p := b.Get("/signup")
	if p.Title != "Create your account" {
		t.Fatalf("%s", p.Title)
	}
	p = b.Submit(p, "/signup", map[string]string{"email": "nia@dev.test", "name": "Nia", "password": otltest.Password})
	if p = b.Submit(p, "code-form", map[string]string{"code": letter(t, w, "nia@dev.test").Code}); p.Title != "Your account" {
		t.Fatalf("%s\n%s", p.Title, p.Raw)
	}
	holds(t, b.Get("/account/activity"), "Email address confirmed", "!Profile changed")
	if p = b.Get("/signup"); p.Title != "Your account" {
		t.Errorf("signed in: %s", p.Title)
	}
}

// TestWhatIsNotThereSaysWhatMayBe: an address that leads nowhere, and the end of an account, where
// a language can still be chosen.
func TestWhatIsNotThereSaysWhatMayBe(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	holds(t, w.Browser(t).Get("/nothing"), "The address may be mistyped, or the page was moved.", `class="button second" href="/account"`)
	b := home(t, w)
	holds(t, b.Submit(b.Get("/account/data"), "delete", map[string]string{"sure": "yes"}), "will be deleted for good on", `id="lang"`)
}

// TestALinkThatIsRefusedLeadsOn: the page that waits for it says what may have happened, which is
// the same as where nobody opened it (OT-10).
func TestALinkThatIsRefusedLeadsOn(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	b := w.Browser(t)
	p := asks(b, b.Get(request(w.Notes, nil)), jane)
	before := b.Submit(p, "continue", nil)
	got := letter(t, w, jane)
	other := w.Browser(t)
	other.Submit(other.Get(pathOf(got.Link)), "deny", nil)
	after := b.Submit(p, "continue", nil)
	if holds(t, after, "Was it refused, or another number chosen? Then send a new one."); string(after.Raw) != string(before.Raw) {
		t.Errorf("before:\n%s\nafter:\n%s", before.Raw, after.Raw)
	}
	holds(t, b.Submit(p, "code-form", map[string]string{"code": got.Code}), "or no longer works. Check the newest message, or send a new one.")
}
