package pages_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestAPasskeyIsOfferedOnce: H15, to who signed in without one on a device that can keep it,
// on the way to a site; whoever does not want it goes on, and is left alone for a month.
func TestAPasskeyIsOfferedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		in := func(b *otltest.Browser, path string) otltest.Page {
			return b.Submit(b.Get(path), "/signin", map[string]string{"identifier": jane, "password": otltest.Password, "keys": "1"})
		}
		b := w.Browser(t)
		p := in(b, request(w.Notes, nil))
		if p.Title != "Sign in faster next time" || p.Fields("offer") == nil {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		arrives(t, b.Submit(p, "offer", map[string]string{"decision": "later"}), w.Notes)
		w.Clock.Advance(time.Second)
		arrives(t, in(b, request(w.Shop, map[string]string{"prompt": "login"})), w.Shop)
		arrives(t, b.Get(request(w.Notes, nil)), w.Notes)
		// Neither where no script said that the device can, nor on our own pages.
		plain := w.Browser(t)
		arrives(t, password(plain, plain.Get(request(w.Notes, nil))), w.Notes)
		if got := in(w.Browser(t), "/account"); got.Title != "Your account" {
			t.Errorf("on our own pages: %s", got.Title)
		}
		// Who changes his mind goes on, who wants one has it, and signs in by it.
		b = w.Browser(t)
		p = b.Submit(in(b, request(w.Notes, nil)), "offer", map[string]string{"decision": "create"})
		if p.Fields("confirm") == nil {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		ways := b.Get("/mfa/setup?f=" + p.Fields("confirm").Get("f"))
		holds(t, ways, `id="later"`, "A second step keeps others out", `!id="back"`)
		arrives(t, b.Submit(ways, "later", nil), w.Notes)
		b = w.Browser(t)
		p = b.Submit(in(b, request(w.Notes, nil)), "offer", map[string]string{"decision": "create"})
		k := blank(u.ID)
		p = b.Submit(p, "confirm", map[string]string{"credential": k.made(t, invited(t, p)).Reveal()})
		if p.Title != "Your recovery codes" {
			t.Fatalf("%d %s\n%s", p.Status, p.Title, p.Raw)
		}
		exchange(t, w, w.Notes, arrives(t, b.Submit(p, "saved", nil), w.Notes)).Want(t, http.StatusOK)
		b = w.Browser(t)
		p = b.Get(request(w.Shop, nil))
		arrives(t, b.Submit(p, "passkey", map[string]string{"credential": k.signed(t, invited(t, p))}), w.Shop)
		// And nobody gets one without being asked.
		stranger := w.Browser(t)
		form := stranger.Get(request(w.Notes, nil)).Fields("/signin")
		form.Set("decision", "create")
		if got := stranger.Send("/passkey/offer", form); got.Title != "Sign in" {
			t.Errorf("nobody: %s", got.Title)
		}
	})
}
