package pages_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestD4_AClientSaysHowItsLinksAreConfirmed: the switch of the client that began a visit
// holds for the links of the visit. With never there is no page in the browser that
// asked; another browser gets its page all the same, and nobody else uses the link up.
func TestD4_AClientSaysHowItsLinksAreConfirmed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		callback := w.Notes.Site.CallbackURLs[0]
		visit := func(confirm string) (*otltest.Browser, otltest.Page, string) {
			c, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "web", RedirectURIs: []string{callback}, LinkConfirm: confirm})
			if err != nil {
				t.Fatal(err)
			}
			b := w.Browser(t)
			p := b.Get("/oidc/authorize?" + url.Values{
				"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {callback}, "state": {"s"},
				"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
			}.Encode())
			p = asks(b, p, jane)
			return b, p, pathOf(letter(t, w, jane).Link)
		}
		if b, _, link := visit("auto"); !strings.Contains(string(b.Get(link).Raw), " data-auto>") {
			t.Error("auto: the page does not go on by itself")
		}
		b, _, link := visit("always")
		page := b.Get(link)
		if strings.Contains(string(page.Raw), " data-auto>") || page.Status != http.StatusOK {
			t.Errorf("always: %d\n%s", page.Status, page.Raw)
		}
		if p := b.Submit(page, "confirm", nil); p.Left == nil {
			t.Errorf("always: %d %s", p.Status, p.Title)
		}
		b, _, link = visit("never")
		other := w.Browser(t)
		for range 3 { // scanners, and a page that would have its visitor signed in as somebody else
			if p := other.Get(link); p.Status != http.StatusOK || len(offered(p)) != 3 {
				t.Fatalf("never, in another browser: %d\n%s", p.Status, p.Raw)
			}
		}
		b.Headers["Sec-Purpose"] = "prefetch"
		if p := b.Get(link); p.Left != nil || p.Status != http.StatusOK {
			t.Errorf("a prefetch used the link up: %d", p.Status)
		}
		delete(b.Headers, "Sec-Purpose")
		if p := b.Get(link); p.Left == nil || !strings.HasPrefix(p.Left.String(), callback+"?code=") {
			t.Fatalf("never: %d %s\n%s", p.Status, p.Title, p.Raw)
		}
		if p := b.Get(link); p.Status != http.StatusGone {
			t.Errorf("a second time: %d", p.Status)
		}
		// A client that was revoked meanwhile leaves the usual page.
		b, asked, _ := visit("never")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			all, err := tx.Clients.OfSite(ctx, w.Notes.Site.ID)
			for _, c := range all {
				if err == nil && c.LinkConfirm == otl.ConfirmNever {
					_, err = tx.Clients.Revoke(ctx, w.Notes.Site.ID, c.ID, w.Clock.Now())
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b.Submit(asked, "/signin/again", nil)
		if p := b.Get(pathOf(letter(t, w, jane).Link)); p.Status != http.StatusOK || !strings.Contains(string(p.Raw), " data-auto>") {
			t.Errorf("of a client that was revoked: %d", p.Status)
		}
	})
}

// TestOT04_AnOlderMailOfAVisitStillWorksForAMinute: whoever asked twice may press the
// link of the first mail.
func TestOT04_AnOlderMailOfAVisitStillWorksForAMinute(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), jane)
		if !strings.Contains(string(p.Raw), "The code works for 5 minutes, the link for 15 minutes.") {
			t.Errorf("%s", p.Raw)
		}
		first := letter(t, w, jane)
		if !strings.Contains(first.Text, "The code works for 5 minutes, the link for 15 minutes.") {
			t.Errorf("%s", first.Text)
		}
		w.Clock.Advance(40 * time.Second)
		p = b.Submit(p, "/signin/again", nil)
		letter(t, w, jane)
		if got := b.Submit(p, "code-form", map[string]string{"code": first.Code}); got.Status != http.StatusUnauthorized {
			t.Errorf("the older code: %d", got.Status)
		}
		w.Clock.Advance(50 * time.Second)
		page := b.Get(pathOf(first.Link))
		arrives(t, b.Submit(page, "confirm", nil), w.Notes)
	})
}
