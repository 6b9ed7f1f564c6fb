package pages_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	chrome  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36"
	edge    = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36 Edg/129.0"
)

// TestASignInFromElsewhereIsTold to its person: neither the first one of all, nor a newer version of
// a browser he has, nor what the mailbox that would be told has let in; and a few a day.
func TestASignInFromElsewhereIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		with := func(agent string) (*otltest.Browser, otltest.Page) {
			b := w.Browser(t)
			b.Headers["User-Agent"] = agent
			return b, b.Get(request(w.Notes, nil))
		}
		signsIn := func(agent string) {
			t.Helper()
			w.Clock.Advance(time.Minute)
			b, p := with(agent)
			arrives(t, password(b, p), w.Notes)
		}
		quiet := func(what string) {
			t.Helper()
			if all := w.Letters(t, jane); len(all) != 0 {
				t.Fatalf("%s: %+v", what, all)
			}
		}
		signsIn(firefox)
		quiet("the first of all")
		signsIn(strings.ReplaceAll(firefox, "130", "131"))
		quiet("a newer version")
		signsIn(chrome)
		l := letter(t, w, jane)
		if l.Subject != "New sign-in to your account" || l.Link != "" || !strings.Contains(l.Text, " UTC, Chrome, macOS, 127.0.0.1.") ||
			!strings.Contains(l.Text, "\n"+otltest.Issuer+"/account/secure\n") || !strings.Contains(l.HTML, ">This wasn&#39;t me</a>") {
			t.Errorf("%q\n%s", l.Subject, l.Text)
		}
		signsIn(chrome)
		quiet("again")

		w.Clock.Advance(time.Hour)
		b, p := with(edge)
		p = b.Submit(p, "/signin", map[string]string{"identifier": jane, "way": "code"})
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": letter(t, w, jane).Code}), w.Notes)
		quiet("by a code in the mailbox")
		signsIn(edge)
		quiet("a browser that came in by it")

		for i, agent := range []string{"made-up/1.0", strings.ReplaceAll(firefox, "X11; Linux x86_64", "Windows NT 10.0"), strings.ReplaceAll(chrome, "Macintosh; Intel Mac OS X 10_15_7", "CrOS")} {
			signsIn(agent)
			if n := len(w.Letters(t, jane)); (n == 1) != (i < 2) {
				t.Errorf("%d: %d mails", i, n)
			}
			w.Inbox.Empty()
		}
		told := func(what string) {
			t.Helper()
			signsIn(edge)
			if n := len(w.Letters(t, jane)); n != 1 {
				t.Errorf("%s: %d mails", what, n)
			}
			w.Inbox.Empty()
			signsIn(edge)
			quiet("again after " + what)
		}
		for _, c := range []struct {
			days           int
			after, forgets int
		}{{91, 0, 90}, {32, 31, 31}} { // what was not seen for so long is forgotten, not that she ever came
			w.Clock.Advance(time.Duration(c.days) * 24 * time.Hour)
			if err := w.SignIn.Fade(t.Context(), time.Duration(c.after)*24*time.Hour); err != nil {
				t.Fatal(err)
			}
			told(fmt.Sprint(c.forgets, " days"))
		}
	}, func(o *node.Options) { o.Limits = true })
}
