package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestAU01_AnOwnerLooksAfterClients: he makes one that keeps a secret, which is shown once, and one
// that has none, says what the page of their links does, and revokes one after he was asked.
func TestAU01_AnOwnerLooksAfterClients(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "clients")
		p := b.Get(at)
		holds(t, p, "Programs of Mine", "No program yet.", `value="secret" checked`, `value="auto" checked`)
		p = fills(b, p, "new", url.Values{"name": {"Web shop"}, "redirect_uri": {"https://mine.test/back"}, "link_confirm": {"always"}})
		key := shownKey(p)
		holds(t, p, "Saved.", "The secret is shown this once", "Web shop", "https://mine.test/back", " · auth", "always asks for a press", `data-copy="secret"`)
		all, err := w.Clients.List(t.Context(), mine.ID)
		if err != nil || len(all) != 1 || all[0].LinkConfirm != otl.ConfirmAlways || all[0].Scopes.String() != "auth" || all[0].Auth != otl.AuthSecret {
			t.Fatalf("%+v %v", all, err)
		}
		if _, of, err := w.Clients.Authenticate(t.Context(), all[0].ID, key); err != nil || of.ID != mine.ID {
			t.Errorf("%v", err)
		}
		p = b.Get(at)
		holds(t, p, "Web shop", "!"+key.Reveal())
		w.Clock.Advance(time.Second) // of one moment none is the first
		p = fills(b, p, "new", url.Values{"name": {"App"}, "auth": {"none"}, "redirect_uri": {"com.example.app:/back"}})
		holds(t, p, "Saved.", "com.example.app:/back", `!id="secret"`)
		if all, err = w.Clients.List(t.Context(), mine.ID); err != nil || len(all) != 2 || all[1].Auth != otl.AuthNone || all[1].Scopes.String() != "auth" {
			t.Fatalf("%+v %v", all, err)
		}
		ask := b.Submit(b.Get(at), "revoke-"+all[0].ID, nil)
		holds(t, ask, "Revoke this program?", "Web shop")
		if _, _, err := w.Clients.Authenticate(t.Context(), all[0].ID, key); err != nil {
			t.Errorf("asking revokes: %v", err)
		}
		holds(t, b.Submit(ask, "ask", nil), "Programs of Mine", "!Web shop", "App")
		if _, _, err := w.Clients.Authenticate(t.Context(), all[0].ID, key); err == nil {
			t.Error("it was not revoked")
		}
		if got := b.Submit(ask, "ask", nil); got.Status != http.StatusNotFound {
			t.Errorf("once more: %d", got.Status)
		}
	})
}

// TestNoClientIsMadeOfNothing: what is wrong stands at its field; clients of others are unknown
// (TE-01).
func TestNoClientIsMadeOfNothing(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := ownAt(mine, "clients")
	p := b.Get(at)
	refuses(t, b, p, "new", map[string]refusal{
		"no name":       {url.Values{"name": {" "}, "link_confirm": {"never"}}, `id="name-wrong">Enter a name.`},
		"no address":    {url.Values{"name": {"x"}, "redirect_uri": {"mine.test"}}, `id="redirect-wrong">`},
		"an app's":      {url.Values{"name": {"x"}, "redirect_uri": {"com.example.app:/"}}, `id="redirect-wrong">`},
		"no kind":       {url.Values{"name": {"x"}, "auth": {"magic"}}, `id="auth-wrong">Choose one of the list.`},
		"no such page":  {url.Values{"name": {"x"}, "link_confirm": {"sometimes"}}, `id="confirm-wrong">Choose one of the list.`},
		"a long name":   {url.Values{"name": {strings.Repeat("x", 101)}}, `id="name-wrong">`},
		"what is typed": {url.Values{"name": {" "}, "link_confirm": {"never"}, "auth": {"none"}}, `value="never" checked`},
	})
	other, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "Theirs"})
	if err != nil {
		t.Fatal(err)
	}
	form := p.Fields("new")
	for _, sure := range []string{"", "yes"} {
		form.Set("sure", sure)
		for _, id := range []string{other.ID, "x"} {
			if got := b.Send(at+"/"+id, form); got.Status != http.StatusNotFound || strings.Contains(string(got.Raw), "Theirs") {
				t.Errorf("%s: %d", id, got.Status)
			}
		}
	}
	if _, _, err := w.Clients.Find(t.Context(), other.ID); err != nil {
		t.Error(err)
	}
}
