package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT09_CodesOnThePages count with all others of a household: once it has tried too many
// wrong ones, whoever's they are, the right one is not looked at either.
func TestOT09_CodesOnThePages(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		code := letter(t, w, jane).Code
		here := netip.MustParseAddr("127.0.0.1")
		ctx := otl.WithRequest(t.Context(), &otl.Request{Client: here, Peer: here})
		guess := func(ctx context.Context, i int) error {
			who := signin.Identifier{Type: signin.ByEmail, Value: fmt.Sprintf("p%d@dev.test", i)}
			if _, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Shop.Site, Who: who, Channel: otl.ChannelDirect}); err != nil {
				t.Fatal(err)
			}
			_, err := w.Codes.Verify(ctx, signin.CodeAttempt{Site: w.Shop.Site, Who: who, Code: secret.NewText("x")})
			return err
		}
		for i := range 60 {
			if err := guess(ctx, i); !otl.Is(err, "code_invalid") {
				t.Fatal(err)
			}
		}
		if got := b.Submit(p, "code-form", map[string]string{"code": code}); got.Status != http.StatusTooManyRequests {
			t.Errorf("the right code of a household that guesses: %d", got.Status)
		}
		w.Clock.Advance(15 * time.Second)
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": code}), w.Notes)
	}, func(o *node.Options) { o.Limits = true })
}

// TestAPageSaysWhenToComeBack: 429 with Retry-After, also on the page of a code.
func TestAPageSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		if p.Header.Get("Retry-After") != "" {
			t.Errorf("%d with Retry-After", p.Status)
		}
		if p = b.Submit(p, "again", nil); p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") != "30" {
			t.Errorf("%d, Retry-After %q", p.Status, p.Header.Get("Retry-After"))
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestWhatLooksAheadIsNoActivity: a mail scanner's HEAD stands in the log and not among what people did.
func TestWhatLooksAheadIsNoActivity(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		asks(b, b.Get("/signin"), jane)
		link := strings.TrimPrefix(letter(t, w, jane).Link, otltest.Issuer)
		w.Do(t, otltest.Call{Method: http.MethodHead, Path: link}).Want(t, http.StatusOK)
		opened := func(p otltest.Page) int { return strings.Count(string(p.Raw), "A sign-in link for") }
		b.Get(link)
		b.Submit(b.Get(link), "", nil)
		if p := b.Get("/account/activity"); opened(p) != 2 {
			t.Errorf("%d openings\n%s", opened(p), p.Raw)
		}
		all, err := w.Store.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventLinkOpened, Limit: 10})
		if err != nil || len(all) != 3 {
			t.Errorf("%d in the log, %v", len(all), err)
		}
	})
}

// TestOT10_ForgotTellsNoNeighbour who is signed in behind the same address: where strangers have
// used up the mails of a day the page is the same, and the mail goes to whoever is known (PW-13).
func TestOT10_ForgotTellsNoNeighbour(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		forgot := func(email string) {
			t.Helper()
			got := b.Submit(b.Get("/forgot"), "/forgot", map[string]string{"email": email})
			if got.Status != http.StatusOK || !strings.Contains(string(got.Raw), "If \u2068"+email+"\u2069 has an account") {
				t.Errorf("%s: %d %s", email, got.Status, got.Raw)
			}
		}
		for range 10 {
			if err := w.Accounts.Forgot(t.Context(), w.Flows.FirstParty, jane); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(4 * time.Minute)
		}
		w.Letters(t, jane)
		w.Inbox.Empty()
		forgot(jane)
		if n := len(w.Letters(t, jane)); n != 0 {
			t.Errorf("%d mails beyond the limit", n)
		}
		here := w.Browser(t)
		password(here, here.Get(request(w.Notes, nil)))
		forgot(jane)
		if n := len(w.Letters(t, jane)); n != 1 {
			t.Errorf("%d mails to whoever is known", n)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT10_ACodeTellsNoNeighbour who is signed in behind the same address: where the messages of a
// day are used up the pages of a code are the same, also after wrong ones, and the mail goes to
// whoever is known (PW-13).
func TestOT10_ACodeTellsNoNeighbour(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Person(t, "joe@dev.test", w.Notes.Site)
		all := []string{jane, "joe@dev.test", "nobody@dev.test"}
		for range 10 {
			for _, email := range all {
				if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: email}, Channel: otl.ChannelMail}); err != nil {
					t.Fatal(err)
				}
			}
			w.Clock.Advance(4 * time.Minute)
		}
		w.Clock.Advance(4 * time.Minute)
		here := w.Browser(t)
		password(here, here.Get(request(w.Notes, nil)))
		w.Letters(t, "")
		w.Inbox.Empty()
		said := map[string][]string{}
		for _, email := range all {
			b := w.Browser(t)
			p := asks(b, b.Get(request(w.Notes, nil)), email)
			note := func(p otltest.Page) {
				said[email] = append(said[email], fmt.Sprintf("%d %s %v %v", p.Status, p.Title, p.Header["Retry-After"], strings.Contains(string(p.Raw), "right")))
			}
			note(p)
			note(b.Submit(p, "again", nil))
			for range 6 {
				note(b.Submit(p, "code-form", map[string]string{"code": "x"}))
			}
		}
		if !slices.Equal(said[jane], said["joe@dev.test"]) || !slices.Equal(said[jane], said["nobody@dev.test"]) || !strings.HasPrefix(said[jane][0], "200 Check your email") {
			t.Errorf("%q", said)
		}
		if len(w.Letters(t, jane)) != 1 || len(w.Letters(t, "joe@dev.test")) != 0 {
			t.Errorf("%d and %d letters", len(w.Letters(t, jane)), len(w.Letters(t, "joe@dev.test")))
		}
	}, func(o *node.Options) { o.Limits = true })
}
