package pages_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// letter gives the newest letter to somebody, and empties the inbox.
func letter(t *testing.T, w *otltest.World, to string) outbox.Received {
	t.Helper()
	all := w.Letters(t, to)
	if len(all) == 0 {
		t.Fatalf("no letter to %s", to)
	}
	w.Inbox.Empty()
	if i := slices.IndexFunc(all, func(l outbox.Received) bool { return l.Code+l.Link != "" }); i >= 0 {
		return all[i]
	}
	return all[0]
}

// asks has a code sent to somebody for the visit a browser is on.
func asks(b *otltest.Browser, p otltest.Page, address string) otltest.Page {
	return b.Submit(p, "/signin", map[string]string{"identifier": address, "way": "code"})
}

// signUp sends the form of a new account on the way to Notes.
func signUp(b *otltest.Browser, email, password string) otltest.Page {
	p := b.Get(request(b.World.Notes, nil))
	p = b.Get("/signup?" + strings.SplitN(p.Path, "?", 2)[1])
	return b.Submit(p, "/signup", map[string]string{"email": email, "name": "Nia New", "password": password})
}

func pathOf(link string) string { return strings.TrimPrefix(link, otltest.Issuer) }

// shown gives the number a page shows that waits for a link.
func shown(t *testing.T, p otltest.Page) string {
	t.Helper()
	_, after, ok := strings.Cut(string(p.Raw), `id="number"><bdi dir="ltr">`)
	if !ok || len(after) < 2 {
		t.Fatalf("no number on\n%s", p.Raw)
	}
	return after[:2]
}

// offered gives the numbers that the page of a link asks to choose from.
func offered(p otltest.Page) []string {
	var out []string
	for _, part := range strings.Split(string(p.Raw), `name="number" value="`)[1:] {
		out = append(out, part[:2])
	}
	return out
}

// TestACodeByMailSignsIn: H3. The code is good for this visit alone; whether anybody
// has the address shows nowhere (OT-10).
func TestACodeByMailSignsIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		if p.Title != "Check your email" || !strings.Contains(string(p.Raw), "\u2068"+jane+"\u2069") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		l := letter(t, w, jane)
		if got := b.Submit(p, "code-form", map[string]string{"code": "000000"}); got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "That code isn&#39;t right") {
			t.Errorf("a wrong code: %d", got.Status)
		}
		other := w.Browser(t) // a phisher with a visit of his own
		q := other.Get(request(w.Notes, nil))
		w.Clock.Advance(time.Second)
		forged := w.Do(t, otltest.Call{Path: "/api/v1/auth/otp/verify", Key: w.Notes.Key, Body: map[string]string{"email": jane, "code": l.Code}})
		if forged.Status != http.StatusUnauthorized {
			t.Errorf("the code of a visit is good elsewhere: %d", forged.Status)
		}
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": " " + l.Code[:3] + "-" + l.Code[3:]}), w.Notes)

		unknown := asks(other, q, "nobody@dev.test")
		if unknown.Title != "Check your email" || unknown.Status != http.StatusOK || len(w.Letters(t, "nobody@dev.test")) != 0 {
			t.Errorf("somebody unknown: %d %s", unknown.Status, unknown.Title)
		}
		if got := other.Submit(unknown, "code-form", map[string]string{"code": "123456"}); got.Status != http.StatusUnauthorized || !strings.Contains(string(got.Raw), "That code isn&#39;t right") {
			t.Errorf("a code of nobody: %d", got.Status)
		}
		if got := asks(other, q, "no address"); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), "Enter an email address") {
			t.Errorf("no address: %d", got.Status)
		}
	})
}

// TestASecondMailOfAVisitFollowsTheFirst: mailboxes keep them together, apart from those
// of other visits; each says who asked for it, and by which request.
func TestASecondMailOfAVisitFollowsTheFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		b.Headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		p := b.Get(request(w.Notes, nil))
		asks(b, p, jane)
		first := letter(t, w, jane)
		asks(b, p, jane)
		second := letter(t, w, jane)
		other := w.Browser(t)
		asks(other, other.Get(request(w.Notes, nil)), jane)
		third := letter(t, w, jane)
		if first.Thread == "" || first.Thread != second.Thread || first.Thread == third.Thread || first.Request == second.Request || len(first.Request) != 36 {
			t.Errorf("%q %q %q by %q %q", first.Thread, second.Thread, third.Thread, first.Request, second.Request)
		}
		if strings.Contains(p.Path, first.Thread) || !strings.Contains(first.Text, ", Firefox, Linux, 127.0.0.1\n") || !strings.Contains(first.Text, "Secure your account: "+otltest.Issuer+"/account/secure") {
			t.Errorf("%s", first.Text)
		}
	})
}

// TestAMailThatASiteAsksForSaysWhatTheSiteSays: when it was asked for is known, by what device and from where only if the
// site passes it on; its own address and program are nobody's.
func TestAMailThatASiteAsksForSaysWhatTheSiteSays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		for _, c := range []struct {
			agent, ip, says string
		}{
			{"", "", ""},
			{firefox, "", ", Firefox, Linux"},
			{"", "203.0.113.7", ", 203.0.113.7"},
			{firefox, "203.0.113.7", ", Firefox, Linux, 203.0.113.7"},
		} {
			for _, call := range []otltest.Call{
				{Path: "/api/v1/auth/otp/send", Key: w.Notes.Key, Body: map[string]string{"email": jane}},
				{Path: "/api/v1/auth/link/send", Key: w.Notes.Key, Body: map[string]string{"email": jane, "callback_url": "https://notes.test/callback"}},
			} {
				call.Headers = map[string]string{"X-OTL-Client-User-Agent": c.agent, "X-OTL-Client-IP": c.ip, "User-Agent": "curl/8"}
				want := "\nRequested: " + w.Clock.Now().UTC().Format("2006-01-02 15:04 UTC") + c.says + "\n"
				w.Do(t, call).Want(t, http.StatusAccepted)
				if got := letter(t, w, jane); !strings.Contains(got.Text, want) || strings.Contains(got.Text, "127.0.0.1") {
					t.Errorf("%s: want %q in\n%s", call.Path, want, got.Text)
				}
				w.Clock.Advance(3 * time.Hour)
			}
		}
	})
}

// TestALinkGoesOnInItsBrowser: H4a. The same browser goes on by itself where scripts
// run, by a button where they do not; link and code are one.
func TestALinkGoesOnInItsBrowser(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		l := letter(t, w, jane)
		for range 3 {
			page := b.Get(pathOf(l.Link))
			if !strings.Contains(string(page.Raw), ` data-auto>`) || len(offered(page)) != 0 || !strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action 'self' https://notes.test;") {
				t.Fatalf("%s\n%s", page.Header.Get("Content-Security-Policy"), page.Raw)
			}
		}
		page := b.Get(pathOf(l.Link))
		r := exchange(t, w, w.Notes, arrives(t, b.Submit(page, "confirm", nil), w.Notes)).Want(t, http.StatusOK)
		me := w.Do(t, otltest.Call{Path: "/api/v1/auth/introspect", Key: w.Notes.Key, Body: map[string]string{"token": r.Text("access_token")}})
		if !strings.Contains(string(me.Raw), `"amr":["eml"]`) {
			t.Errorf("%s", me.Raw)
		}
		if got := b.Submit(page, "confirm", nil); got.Status != http.StatusGone {
			t.Errorf("a second time: %d", got.Status)
		}
		if got := b.Submit(p, "code-form", map[string]string{"code": l.Code}); got.Status == http.StatusSeeOther {
			t.Errorf("the code after the link: %d", got.Status)
		}
	})
}

// TestOT18_ANumberIsNamed: H4b, H5, D4. A link that another browser opens lets the
// first one in only for the number that one shows; a wrong one ends the link.
func TestOT18_ANumberIsNamed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first, phone := w.Browser(t), w.Browser(t)
		phone.Headers["User-Agent"] = "Mozilla/5.0 (iPhone) Safari/605"
		first.Headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		p := asks(first, first.Get(request(w.Notes, nil)), jane)
		number := shown(t, p)
		link := pathOf(letter(t, w, jane).Link)
		page := phone.Get(link)
		if all := offered(page); len(all) != 3 || !slices.Contains(all, number) || !slices.IsSorted(all) || !strings.Contains(string(page.Raw), "Firefox, Linux") || strings.Contains(string(page.Raw), "data-auto") {
			t.Fatalf("%s\n%s", number, page.Raw)
		}
		ready := func() string {
			return string(w.Do(t, otltest.Call{Path: "/signin/wait?" + strings.SplitN(p.Path, "?", 2)[1], Headers: map[string]string{"Cookie": "__Host-otl_flow=" + first.Cookies["__Host-otl_flow"]}}).Raw)
		}
		if got := first.Submit(p, "continue", nil); got.Status != http.StatusConflict || !strings.Contains(string(got.Raw), "Nobody has confirmed the link yet. Was it refused") || ready() != `{"ready":false}` {
			t.Errorf("before the link was opened: %d", got.Status)
		}
		done := phone.Submit(page, "confirm", map[string]string{"where": "start", "number": number})
		if holds(t, done, "!Which number does the other screen show?"); done.Title != "Confirmed" || !strings.Contains(string(done.Raw), "Go on where you started") || phone.Cookies["__Host-otl_session"] != "" {
			t.Fatalf("%s %v", done.Raw, phone.Cookies)
		}
		if ready() != `{"ready":true}` {
			t.Error("the first browser is not told")
		}
		arrives(t, first.Submit(p, "continue", nil), w.Notes)

		// Another number ends the link, and nobody gets in.
		w.Clock.Advance(time.Minute)
		first = w.Browser(t)
		p = asks(first, first.Get(request(w.Notes, nil)), jane)
		number = shown(t, p)
		l := letter(t, w, jane)
		link = pathOf(l.Link)
		page = phone.Get(link)
		wrong := slices.DeleteFunc(offered(page), func(n string) bool { return n == number })[0]
		if got := phone.Submit(page, "confirm", map[string]string{"where": "start", "number": wrong}); !strings.Contains(string(got.Raw), "this link no longer works") || got.Title != "That wasn't the number" {
			t.Errorf("%s: %s", got.Title, got.Raw)
		} else {
			holds(t, got, `<a href="/account/secure">`, "!Which number does the other screen show?")
		}
		if got := phone.Submit(page, "confirm", map[string]string{"where": "start", "number": number}); got.Status != http.StatusGone {
			t.Errorf("the right one afterwards: %d", got.Status)
		}
		if got := first.Submit(p, "continue", nil); got.Status != http.StatusConflict || first.Cookies["__Host-otl_session"] != "" {
			t.Errorf("let in by a wrong number: %d", got.Status)
		}
		if got := first.Submit(p, "code-form", map[string]string{"code": l.Code}); got.Status != http.StatusUnauthorized {
			t.Errorf("the code beside it: %d", got.Status)
		}
	})
}

// TestOT18_TheBrowserThatClicksGetsIn: who asks for a link to somebody else's address
// gets nothing of it; the visit goes on where it was opened.
func TestOT18_TheBrowserThatClicksGetsIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		phisher, victim := w.Browser(t), w.Browser(t)
		p := asks(phisher, phisher.Get(request(w.Notes, nil)), jane)
		page := victim.Get(pathOf(letter(t, w, jane).Link))
		arrives(t, victim.Submit(page, "confirm", map[string]string{"where": "here"}), w.Notes)
		if got := phisher.Submit(p, "continue", nil); got.Left != nil || phisher.Cookies["__Host-otl_session"] != "" {
			t.Errorf("the phisher is in: %v", got.Left)
		}
		// "This wasn't me" ends a link as well.
		w.Clock.Advance(time.Minute)
		phisher = w.Browser(t)
		p = asks(phisher, phisher.Get(request(w.Notes, nil)), jane)
		l := letter(t, w, jane)
		page = victim.Get(pathOf(l.Link))
		victim.Submit(page, "deny", nil).Want(t, http.StatusOK)
		if got := phisher.Submit(p, "code-form", map[string]string{"code": l.Code}); got.Left != nil {
			t.Error("the code of a link that was refused is good")
		}
	})
}

// TestADeadLinkOffersAnother: H20, in the browser that is still on its visit.
func TestADeadLinkOffersAnother(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		asks(b, b.Get(request(w.Notes, nil)), jane)
		link := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(15 * time.Minute)
		if got := w.Browser(t).Get(link); got.Status != http.StatusGone || got.Fields("again") != nil {
			t.Errorf("in another browser: %d", got.Status)
		}
		page := b.Get(link)
		if page.Status != http.StatusGone || page.Title != "This link has expired" {
			t.Fatalf("%d %s", page.Status, page.Title)
		}
		if got := b.Submit(page, "again", nil); got.Title != "Check your email" {
			t.Fatalf("%s", got.Raw)
		}
		arrives(t, b.Submit(b.Get(pathOf(letter(t, w, jane).Link)), "confirm", nil), w.Notes)
		for _, path := range []string{"/l/otl_ln_nothing", "/l/x"} {
			if got := b.Get(path); got.Status != http.StatusGone || got.Fields("again") != nil {
				t.Errorf("%s: %d", path, got.Status)
			}
		}
	})
}

// TestANewPersonProvesTheAddressFirst: H8, H9. The password becomes his by the first
// proof; an address that has an account shows so in the mail alone.
func TestANewPersonProvesTheAddressFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: jane, Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Verified: true}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		for _, weak := range []string{"short", "password1", "nia@dev.test"} {
			if got := signUp(b, "nia@dev.test", weak); got.Status != http.StatusBadRequest || got.Fields("/signup").Get("email") != "nia@dev.test" {
				t.Errorf("%q: %d", weak, got.Status)
			}
		}
		p := signUp(b, "nia@dev.test", "a-long-enough-1")
		if p.Title != "Confirm your email" {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		try := func(name, password string) int {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: map[string]string{"email": name, "password": password}}).Status
		}
		if got := try("nia@dev.test", "a-long-enough-1"); got != http.StatusUnauthorized {
			t.Fatalf("signed in before the address was proven: %d", got)
		}
		l := letter(t, w, "nia@dev.test")
		if l.Subject != "Confirm your email for Notes" {
			t.Errorf("%q", l.Subject)
		}
		p = b.Submit(p, "code-form", map[string]string{"code": l.Code})
		r := exchange(t, w, w.Notes, arrives(t, b.Submit(p, "consent", nil), w.Notes)).Want(t, http.StatusOK)
		if r.Text("user", "name") != "Nia New" || try("nia@dev.test", "a-long-enough-1") != http.StatusOK {
			t.Errorf("%s", r.Raw)
		}

		// An address with an account: the same page; its password stays.
		known := signUp(w.Browser(t), jane, "a-long-enough-1")
		if known.Title != "Confirm your email" || known.Status != http.StatusOK {
			t.Fatalf("%d %s", known.Status, known.Title)
		}
		if l := letter(t, w, jane); l.Subject != "You already have an account" || l.Code == "" {
			t.Errorf("%q", l.Subject)
		}
		if try(jane, otltest.Password) != http.StatusOK || try(jane, "a-long-enough-1") == http.StatusOK {
			t.Error("somebody else's sign-up changed the password")
		}
	})
}

// TestOT16_ASignUpPlantsNothing: whoever signed up with an address of somebody else's
// keeps no password in the account once its holder proves the address.
func TestOT16_ASignUpPlantsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		b.Submit(b.Get("/signup?"+strings.SplitN(p.Path, "?", 2)[1]), "/signup", map[string]string{"email": jane, "password": "planted-horse-7"})
		letter(t, w, jane)
		w.Clock.Advance(time.Minute)
		holder := w.Browser(t)
		p = asks(holder, holder.Get(request(w.Notes, nil)), jane)
		p = holder.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code})
		arrives(t, holder.Submit(p, "consent", nil), w.Notes)
		if _, err := w.SignIn.Prove(t.Context(), signin.Named(w.Notes.Site, jane, secret.NewText("planted-horse-7"))); err == nil {
			t.Error("the planted password signs in")
		}
	})
}

// TestOT16_APressElsewhereTakesNoPassword: whoever presses the mail of a sign-up that
// somebody else began proves the address, and not that password.
func TestOT16_APressElsewhereTakesNoPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		b.Submit(b.Get("/signup?"+strings.SplitN(p.Path, "?", 2)[1]), "/signup", map[string]string{"email": jane, "password": "planted-horse-7"})
		holder := w.Browser(t)
		link := holder.Get(pathOf(letter(t, w, jane).Link))
		if p = holder.Submit(link, "confirm", map[string]string{"where": "here"}); p.Left == nil && p.Fields("consent") == nil {
			t.Fatalf("the holder of the address is not let in: %d %s\n%s", p.Status, p.Path, p.Raw)
		}
		if _, err := w.SignIn.Prove(t.Context(), signin.Named(w.Notes.Site, jane, secret.NewText("planted-horse-7"))); err == nil {
			t.Error("the planted password signs in")
		}
	})
}

// TestPW15_ResetByPage: H10, H11, PW-16, PW-17. The answer is the same for nobody; the
// link of the mail leads to the page; all sessions end and nobody is signed in.
func TestPW15_ResetByPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		password(b, b.Get(request(w.Notes, nil)))
		if b.Get("/account").Title != "Your account" {
			t.Fatal("not signed in")
		}
		lost := w.Browser(t)
		p := lost.Get("/forgot")
		p = lost.Get("/forgot?" + strings.SplitN(p.Path, "?", 2)[1])
		for _, address := range []string{"nobody@dev.test", jane} {
			got := lost.Submit(p, "/forgot", map[string]string{"email": address})
			if got.Status != http.StatusOK || !strings.Contains(string(got.Raw), "If \u2068"+address+"\u2069 has an account") {
				t.Errorf("%s: %d %s", address, got.Status, got.Raw)
			}
		}
		if len(w.Letters(t, "nobody@dev.test")) != 0 {
			t.Error("a mail to nobody")
		}
		link := pathOf(letter(t, w, jane).Link)
		if !strings.HasPrefix(link, "/reset/otl_pr_") {
			t.Fatalf("the mail leads to %s", link)
		}
		page := lost.Get(link)
		if page.Title != "Choose a new password" || page.Header.Get("Referrer-Policy") != "same-origin" {
			t.Fatalf("%s", page.Raw)
		}
		if got := lost.Submit(page, link, map[string]string{"password": "short"}); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), "at least 8") {
			t.Errorf("a short password: %d", got.Status)
		}
		done := lost.Submit(page, link, map[string]string{"password": "staple-battery-9"})
		if done.Status != http.StatusOK || !strings.Contains(string(done.Raw), "Your password was changed") || lost.Cookies["__Host-otl_session"] != "" {
			t.Fatalf("%d %s", done.Status, done.Raw)
		}
		if got := b.Get("/account"); got.Title != "Sign in" {
			t.Errorf("a session outlives the reset: %s", got.Title)
		}
		for _, got := range []otltest.Page{lost.Get(link), lost.Submit(page, link, map[string]string{"password": "staple-battery-8"}), lost.Get("/reset/otl_pr_x")} {
			if got.Status != http.StatusGone || got.Title != "This link was already used" && got.Title != "This link no longer works" {
				t.Errorf("a second time: %d", got.Status)
			}
		}
	})
}

// TestTooManyTriesSaysWhen: H21, with the way out still there.
func TestTooManyTriesSaysWhen(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	w.Person(t, jane, w.Notes.Site)
	b := w.Browser(t)
	p := b.Get(request(w.Notes, nil))
	for range 30 {
		got := b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "wrong-horse-7"})
		if got.Status == http.StatusTooManyRequests {
			if !strings.Contains(string(got.Raw), "Too many tries. Try again in 1 second,") || got.Fields("/signin") == nil {
				t.Fatalf("%s", got.Raw)
			}
			return
		}
	}
	t.Fatal("thirty wrong passwords, and no end")
}
