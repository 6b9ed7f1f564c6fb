package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// shownKey gives the key that a page shows, "" for none.
func shownKey(p otltest.Page) secret.Text {
	_, after, _ := strings.Cut(string(p.Raw), `<code id="secret" dir="ltr">`)
	key, _, _ := strings.Cut(after, "<")
	return secret.NewText(key)
}

// TestSR10_AnOwnerLooksAfterKeys: he makes one, which is shown once and does what he ticked,
// replaces it, so that both work for a day, and revokes it, each after he was asked.
func TestSR10_AnOwnerLooksAfterKeys(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "keys")
		works := func(key secret.Text, want bool) {
			t.Helper()
			if _, of, err := w.Sites.Authenticate(t.Context(), key); (err == nil) != want || want && of.ID != mine.ID {
				t.Errorf("the key works: %v", err)
			}
		}
		p := b.Get(at)
		holds(t, p, "Keys of Mine", "first key", "not used yet", `value="auth" checked`, `!value="users" checked`, `!value="admin" checked`, `href="`+ownAt(mine, "ways")+`"`)
		p = fills(b, p, "new", url.Values{"name": {"Cash desk"}, "scopes": {"auth", "otp:direct"}})
		key := shownKey(p)
		holds(t, p, "Saved.", "It is shown this once", "Cash desk", "auth, otp:direct", `href="/account" aria-current="true"`)
		works(key, true)
		row, _, err := w.Sites.Authenticate(t.Context(), key)
		if err != nil || row.Scopes.String() != "auth otp:direct" || row.Name != "Cash desk" {
			t.Fatalf("%+v %v", row, err)
		}
		if err := w.Sites.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		p = b.Get(at)
		holds(t, p, "Cash desk", "last used", "!"+key.Reveal())
		ask := press(t, b, p, "act-"+row.ID, "roll", nil)
		holds(t, ask, "Replace this key?", "Cash desk", "24 hours")
		works(key, true) // nothing was done yet
		p = b.Submit(ask, "ask", nil)
		next := shownKey(p)
		holds(t, p, "It is shown this once", "ends ")
		works(key, true)
		works(next, true)
		if old, _, err := w.Sites.Authenticate(t.Context(), key); err != nil || !old.ExpiresAt.Equal(w.Clock.Now().Add(24*time.Hour)) {
			t.Errorf("%+v %v", old, err)
		}
		row, _, err = w.Sites.Authenticate(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		ask = press(t, b, b.Get(at), "act-"+row.ID, "revoke", nil)
		holds(t, ask, "Revoke this key?", "Cash desk")
		holds(t, b.Submit(ask, "ask", nil), "Keys of Mine", "first key", "!act-"+row.ID)
		works(next, false)
		if got := b.Submit(ask, "ask", nil); got.Status != http.StatusNotFound {
			t.Errorf("once more: %d", got.Status)
		}
	})
}

// TestNoKeyIsMadeOfNothing: what is wrong stands at its field; keys of others, and what nobody can do to
// one, are unknown (TE-01); the fifty-first is refused in words.
func TestNoKeyIsMadeOfNothing(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := ownAt(mine, "keys")
	p := b.Get(at)
	refuses(t, b, p, "new", map[string]refusal{
		"no name":  {url.Values{"name": {" "}}, `id="name-wrong">Enter a name.`},
		"nothing":  {url.Values{"name": {"x"}, "scopes": nil}, `id="scopes-wrong">Tick at least one.`},
		"all":      {url.Values{"name": {"x"}, "scopes": {"everything"}}, `id="scopes-wrong"`},
		"too long": {url.Values{"name": {strings.Repeat("x", 101)}, "scopes": {"admin"}}, `value="admin" checked`},
	})
	form := p.Fields("new")
	for _, do := range []string{"roll", "revoke", "x", ""} {
		for _, sure := range []string{"", "yes"} {
			form["do"], form["sure"] = []string{do}, []string{sure}
			if got := b.Send(at+"/"+w.Notes.KeyRow.ID, form); got.Status != http.StatusNotFound {
				t.Errorf("%q of another's key: %d", do, got.Status)
			}
		}
	}
	if _, _, err := w.Sites.Authenticate(t.Context(), w.Notes.Key); err != nil {
		t.Error(err)
	}
	short, err := w.Sites.CreateKey(t.Context(), mine.ID, site.NewKey{Name: "Short", Scopes: otl.AllScopes(), ExpiresAt: w.Clock.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(2 * time.Minute)
	for range 48 {
		if _, err := w.Sites.CreateKey(t.Context(), mine.ID, site.NewKey{Name: "more", Scopes: otl.AllScopes()}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fills(b, p, "new", url.Values{"name": {"One more"}}); got.Status != http.StatusConflict {
		t.Errorf("the fifty-first: %d", got.Status)
	} else {
		holds(t, got, "A site has at most 50 keys. Revoke one first.", `value="One more"`)
	}
	p = b.Get(at) // one that ended counts, and so can be revoked
	holds(t, p, "Short", "ended ")
	if got := press(t, b, p, "act-"+short.ID, "roll", nil); got.Status != http.StatusNotFound {
		t.Errorf("one that ended is replaced: %d", got.Status)
	}
	holds(t, b.Submit(press(t, b, p, "act-"+short.ID, "revoke", nil), "ask", nil), "!Short")
	holds(t, fills(b, p, "new", url.Values{"name": {"One more"}}), "Saved.", "One more")
}
