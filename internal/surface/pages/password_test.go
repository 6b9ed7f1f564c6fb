package pages_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestPW14_ANewPasswordIsChosenWhereOneIs (H16): who has just proven who he is chooses one without
// a mail, which may be in other hands; everybody else is signed out, and he is not.
func TestPW14_ANewPasswordIsChosenWhereOneIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		other, b := home(t, w), home(t, w)
		w.Clock.Advance(20 * time.Minute)
		p := b.Get("/account/password?secure=1")
		if p.Title != "Confirm it's you" {
			t.Fatalf("%d %s", p.Status, p.Title)
		}
		p = password(b, p)
		holds(t, p, "<h1>Choose a new password</h1>", "signed out everywhere but here", `href="/account/secure">Cancel</a>`, `name="username" autocomplete="username" value="`+jane+`"`)
		wrong := b.Submit(p, "password-form", map[string]string{"password": "short"})
		if wrong.Status != http.StatusUnprocessableEntity && wrong.Status != http.StatusBadRequest {
			t.Errorf("%d", wrong.Status)
		}
		holds(t, wrong, "Use at least 8 characters.", `aria-invalid="true"`)
		if got := other.Get("/account"); got.Title != "Your account" {
			t.Errorf("a password that was refused ended a session: %s", got.Title)
		}
		p = b.Submit(p, "password-form", map[string]string{"password": "a rather new password"})
		if p.Path != "/account/secure" {
			t.Errorf("%s", p.Path)
		}
		holds(t, p, "Saved. You are signed out everywhere but here.")
		for _, path := range []string{"/account/secure", "/account/secure?saved=1&alone=1", "/account?alone=1"} { // said once, and by no link of anybody's
			holds(t, b.Get(path), "!You are signed out everywhere")
		}
		if got := other.Get("/account"); got.Title != "Sign in" {
			t.Errorf("still signed in: %s", got.Title)
		}
		if l := letter(t, w, jane); l.Subject != "Your password was changed" {
			t.Errorf("%s", l.Subject)
		}
		p = b.Get("/account/security")
		holds(t, p, `<a href="/account/password">Change<span class="unseen">: Password</span></a>`)
		fresh := w.Browser(t)
		if p = password(fresh, fresh.Get("/account")); p.Status != http.StatusUnauthorized {
			t.Errorf("the old one: %d", p.Status)
		}
		p = fresh.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "a rather new password"})
		if p.Title != "Your account" {
			t.Errorf("the new one: %d %s", p.Status, p.Title)
		}
	})
}

const chosen = "a rather new password"

// TestSE04_ANewPasswordThrowsACopyOfTheCookieOut: the browser has another session, and what the
// session before opened at sites is over, too.
func TestSE04_ANewPasswordThrowsACopyOfTheCookieOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		site := w.Login(t, w.Notes, jane)
		b, thief := home(t, w), w.Browser(t)
		maps.Copy(thief.Cookies, b.Cookies)
		if got := thief.Get("/account"); got.Title != "Your account" {
			t.Fatalf("no copy: %s", got.Title)
		}
		p := b.Submit(b.Get("/account/password"), "password-form", map[string]string{"password": chosen})
		if p.Path != "/account/security" || b.Get("/account").Title != "Your account" {
			t.Fatalf("%d %s %s", p.Status, p.Path, p.Title)
		}
		for _, path := range []string{"/account", "/account/password"} {
			if got := thief.Get(path); got.Title != "Sign in" {
				t.Errorf("the copy opens %s: %s", path, got.Title)
			}
		}
		w.Refresh(t, w.Notes, site.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		if live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10); err != nil || len(live) != 1 || live[0].Methods.String() != "pwd" {
			t.Errorf("%v %v", live, err)
		}
	})
}

// TestPW14_ANewPasswordTakesThePresentOne, or two factors, in this moment: a browser that was
// left open, or a mailbox, is none of them.
func TestPW14_ANewPasswordTakesThePresentOne(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		verified(t, w)
		b := home(t, w)
		holds(t, b.Get("/account/password"), `!name="current_password"`)
		w.Clock.Advance(3 * time.Minute)
		p := b.Get("/account/password")
		holds(t, p, `name="current_password" type="password"`, `autocomplete="current-password"`, `<a href="/forgot">`)
		for _, present := range []string{"", "a wrong password"} {
			got := b.Submit(p, "password-form", map[string]string{"current_password": present, "password": chosen})
			if got.Status != http.StatusBadRequest {
				t.Errorf("%q: %d", present, got.Status)
			}
			holds(t, got, `id="current_password-wrong">That isn&#39;t your current password.`, `name="current_password"`)
		}
		fresh := w.Browser(t)
		if p := password(fresh, fresh.Get("/account")); p.Title != "Your account" {
			t.Errorf("the present password is gone: %s", p.Title)
		}
		mail := w.Browser(t)
		w.Inbox.Empty()
		got := asks(mail, mail.Get("/account/password"), jane)
		got = mail.Submit(got, "code-form", map[string]string{"code": letter(t, w, jane).Code})
		holds(t, got, `name="current_password"`) // the mailbox alone
		if p = b.Submit(p, "password-form", map[string]string{"current_password": otltest.Password, "password": chosen}); p.Path != "/account/security" {
			t.Errorf("%d %s", p.Status, p.Path)
		}
		holds(t, p, "Saved. You are signed out everywhere but here.")
	})
}

// TestPW14_ANewPasswordBySecondFactor: two factors shown in this moment stand in for the present
// password, but not one that was set up in this moment.
func TestPW14_ANewPasswordBySecondFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane)
		b := home(t, w)
		seed := secondFactors(t, w, u)
		second := func(p otltest.Page) otltest.Page {
			t.Helper()
			if p.Title != "One more step" {
				t.Fatalf("the second factor is not asked for: %d %s", p.Status, p.Title)
			}
			return b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		}
		p := second(b.Get("/account/password"))
		holds(t, p, `name="current_password"`, `href="/account/password?anew=1&amp;secure="`)
		w.Clock.Advance(3 * time.Minute)
		p = second(password(b, b.Get("/account/password?anew=1")))
		holds(t, p, "<h1>Choose a new password</h1>", `!name="current_password"`)
		if p = b.Submit(p, "password-form", map[string]string{"password": chosen}); p.Path != "/account/security" {
			t.Errorf("%d %s", p.Status, p.Path)
		}
		if live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10); err != nil || len(live) != 1 || !live[0].Methods.Strong() {
			t.Errorf("%v %v", live, err)
		}
	})
}

// TestPW14_AFirstPasswordTakesAProofInThisMoment: of whoever has none nothing else can be asked.
func TestPW14_AFirstPasswordTakesAProofInThisMoment(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: jane, Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		b := w.Browser(t)
		proves := func(p otltest.Page) otltest.Page {
			t.Helper()
			p = asks(b, p, jane)
			return b.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code})
		}
		p := proves(b.Get("/account/password"))
		holds(t, p, "<h1>Choose a new password</h1>", `!name="current_password"`)
		w.Clock.Advance(3 * time.Minute)
		late := b.Submit(p, "password-form", map[string]string{"password": chosen})
		if late.Title != "Confirm it's you" {
			t.Fatalf("%d %s", late.Status, late.Title)
		}
		p = b.Submit(proves(late), "password-form", map[string]string{"password": chosen})
		if p.Path != "/account/security" {
			t.Errorf("%d %s", p.Status, p.Path)
		}
	})
}

// TestD1_ASessionOfASiteChoosesNoPassword: the site may hold it as well.
func TestD1_ASessionOfASiteChoosesNoPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		st := store.Standing{User: w.Person(t, jane, w.Notes.Site), Session: otl.Session{HandedBy: w.Notes.Site.ID}}
		b, form := home(t, w), "password-form"
		p := b.Get("/account/password")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			if st.Site, err = tx.Sites.ByID(ctx, w.Flows.FirstParty); err != nil {
				return err
			}
			pass, _, err := w.Setup.Admit(ctx, tx, st, otl.Methods{otl.MethodPassword}, nil)
			if err != nil {
				return err
			}
			held, err := w.Accounts.Sessions.OpenBrowser(ctx, tx, st, pass, otl.RequestOf(ctx))
			b.Cookies["__Host-otl_session"] = held.Cookie.Reveal()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, got := range []otltest.Page{b.Get("/account/password"), b.Submit(p, form, map[string]string{"password": chosen})} {
			if got.Title != "Confirm it's you" {
				t.Errorf("%d %s", got.Status, got.Title)
			}
		}
		if l := w.Letters(t, jane); len(l) != 0 {
			t.Errorf("%v", l)
		}
	})
}

// TestOT19_NewPasswordsHaveARate: five an hour, before any is hashed and told by mail.
func TestOT19_NewPasswordsHaveARate(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		b := home(t, w)
		for i := range 6 {
			p := b.Submit(b.Get("/account/password"), "password-form", map[string]string{"password": fmt.Sprint(chosen, i)})
			if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 5]; p.Status != want {
				t.Errorf("%d: %d", i, p.Status)
			}
		}
		if l := w.Letters(t, jane); len(l) != 5 {
			t.Errorf("%d letters", len(l))
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestTimesAreSaidInTheReadersZone: each time of a page is an element that a script can read
// (in UTC), and without one the text of the page's language; what looks like a time is none.
func TestTimesAreSaidInTheReadersZone(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane)
	b := home(t, w)
	for path, wants := range map[string][]string{
		"/account/sessions": {`last active ` + "\u2068" + `<time datetime="2026-01-02T03:04:05Z">2 January 2026, 03:04` + "\u00a0" + `UTC</time>` + "\u2069"},
		"/account/security": {`since ` + "\u2068" + `<time datetime="2026-01-02T03:04:05Z" data-day>2 January 2026</time>` + "\u2069"},
		"/account/activity": {`<time datetime="2026-01-02T03:04:05Z">`},
		"/account":          {`<time datetime="2026-01-02T03:04:05Z">`},
		"/status":           {`<time datetime="2026-01-02T03:04:`},
	} {
		has(t, b.Get(path), wants...)
	}
	has(t, w.Browser(t).Get("/status?lang=de"), `>2. Januar 2026, 03:04`) // a choice of another browser's
	seed := secondFactors(t, w, u)
	p := b.Get("/account/security")
	p = b.Submit(p, "add", nil)
	b.Submit(p, "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
	p = b.Get("/account/security")
	b.Submit(p, p.Actions()[slices.IndexFunc(p.Actions(), func(a string) bool { return strings.HasSuffix(a, "/rename") })], map[string]string{"label": `2 January 2026, 03:04` + "\u00a0" + `UTC <b>`})
	has(t, b.Get("/account/security"), "2 January 2026, 03:04\u00a0UTC &lt;b&gt;</bdi></h3>", "!<b>", "!UTC</time> &lt;b&gt;")
}

// TestTheStatusOfTheParts is named with a word, not a colour alone, and the clock is one of them.
func TestTheStatusOfTheParts(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	p := w.Browser(t).Get("/status")
	for _, part := range []string{"Database", "Signing keys", "Mails and SMS", "Webhooks", "Clock"} {
		has(t, p, "<span>"+part+`</span> <strong class="tag good">Works</strong>`)
	}
	if n := strings.Count(string(p.Raw), "<time "); n != 1 {
		t.Errorf("%d times", n)
	}
}
