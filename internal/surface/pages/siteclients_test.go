package pages_test

import (
	"maps"
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
		p = fills(b, p, "new", url.Values{"name": {"Web shop"}, "redirect_uris": {"https://mine.test/back"}, "link_confirm": {"always"}})
		key := shownKey(p)
		holds(t, p, "Saved.", "The secret is shown this once", "Web shop", "https://mine.test/back", "class=\"muted\">\u2068auth\u2069 · ", "always asks for a press", `data-copy="secret"`)
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
		p = fills(b, p, "new", url.Values{"name": {"App"}, "auth": {"none"}, "redirect_uris": {"com.example.app:/back"}})
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
		"no address":    {url.Values{"name": {"x"}, "redirect_uris": {"mine.test"}}, `id="redirect_uris-wrong">`},
		"an app's":      {url.Values{"name": {"x"}, "redirect_uris": {"com.example.app:/"}}, `id="redirect_uris-wrong">`},
		"no kind":       {url.Values{"name": {"x"}, "auth": {"magic"}}, `id="auth-wrong">Choose one of the list.`},
		"no such page":  {url.Values{"name": {"x"}, "link_confirm": {"sometimes"}}, `id="confirm-wrong">Choose one of the list.`},
		"a long name":   {url.Values{"name": {strings.Repeat("x", 101)}}, `id="name-wrong">`},
		"nothing to do": {url.Values{"name": {"x"}, "scopes": nil}, `id="scopes-wrong">Tick at least one.`},
		"no such scope": {url.Values{"name": {"x"}, "scopes": {"everything"}}, `id="scopes-wrong"`},
		"an app's more": {url.Values{"name": {"x"}, "auth": {"none"}, "scopes": {"auth", "users"}}, `id="scopes-wrong"`},
		"what is typed": {url.Values{"name": {" "}, "link_confirm": {"never"}, "auth": {"none"}}, `value="never" checked`},
	})
	other, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "Theirs"})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Get(at + "/" + other.ID); got.Status != http.StatusNotFound {
		t.Errorf("the page of another's: %d", got.Status)
	}
	form := p.Fields("new")
	for _, sure := range []string{"", "yes"} {
		form.Set("sure", sure)
		for _, id := range []string{other.ID, "x"} {
			if got := b.Send(at+"/"+id+"/change", form); got.Status != http.StatusNotFound {
				t.Errorf("%s is changed: %d", id, got.Status)
			}
			if got := b.Send(at+"/"+id, form); got.Status != http.StatusNotFound || strings.Contains(string(got.Raw), "Theirs") {
				t.Errorf("%s: %d", id, got.Status)
			}
		}
	}
	if _, _, err := w.Clients.Find(t.Context(), other.ID); err != nil {
		t.Error(err)
	}
}

// TestAU01_AnOwnerChangesAClient: name, scopes, addresses and what the page of its links does, each change an entry of the
// log with what was before; of two who change it at once the second is told; an app has no choice of scopes.
func TestAU01_AnOwnerChangesAClient(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "clients")
		made, err := w.Clients.Create(t.Context(), mine.ID, site.NewClient{Name: "Web shop", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://mine.test/back"}})
		if err != nil {
			t.Fatal(err)
		}
		its := at + "/" + made.ID
		holds(t, b.Get(at), `href="`+its+`"`)
		p := b.Get(its)
		holds(t, p, "Web shop", made.ID, "https://mine.test/back</textarea>", `value="admin" checked`, `value="auto" checked`, `!name="auth"`)
		stands := func() url.Values { return maps.Clone(p.Fields("client")) }
		before := stands()
		for field, c := range map[string]struct {
			change url.Values
			want   string
		}{
			"name":      {url.Values{"name": {" "}}, `id="name-wrong">Enter a name.`},
			"scopes":    {url.Values{"scopes": {"everything"}}, `id="scopes-wrong"`},
			"addresses": {url.Values{"redirect_uris": {"https://mine.test/a\nmine.test"}}, `id="redirect_uris-wrong">mine.test is no address`},
			"confirm":   {url.Values{"link_confirm": {"sometimes"}}, `id="confirm-wrong">Choose one of the list.`},
		} {
			form := stands()
			for name, values := range c.change {
				form[name] = values
			}
			if got := b.Send(its+"/change", form); got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", field, got.Status)
			} else {
				holds(t, got, c.want)
			}
		}
		w.Clock.Advance(time.Second) // of one moment none is the last
		form := stands()
		form["name"], form["scopes"], form["link_confirm"], form["redirect_uris"] = []string{"Till"}, []string{"auth"}, []string{"always"}, []string{"https://mine.test/b\r\nhttps://mine.test/a"}
		holds(t, b.Send(its+"/change", form), "Saved.", "Programs of Mine", "Till", "always asks for a press")
		got, _, err := w.Clients.Find(t.Context(), made.ID)
		if err != nil || got.Name != "Till" || got.Scopes.String() != "auth" || got.LinkConfirm != otl.ConfirmAlways || strings.Join(got.RedirectURIs, " ") != "https://mine.test/a https://mine.test/b" {
			t.Errorf("%+v %v", got, err)
		}
		all, err := w.Store.Read.Events.List(t.Context(), "", mine.ID, "", 1)
		if err != nil || all[0].Type != otl.EventClientUpdated || all[0].Data[otl.DataChanged] != "link_confirm name redirect_uris scopes" || len(all[0].Changes) != 4 {
			t.Errorf("%+v %v", all, err)
		}
		late := b.Send(its+"/change", before)
		if late.Status != http.StatusConflict {
			t.Errorf("a form of before: %d", late.Status)
		}
		holds(t, late, "Till", `value="always" checked`)
		before.Del("version")
		if got := b.Send(its+"/change", before); got.Status != http.StatusConflict {
			t.Errorf("a form of nothing: %d", got.Status)
		}
		app, err := w.Clients.Create(t.Context(), mine.ID, site.NewClient{Name: "App", Auth: "none"})
		if err != nil {
			t.Fatal(err)
		}
		p = b.Get(at + "/" + app.ID)
		holds(t, p, `!name="scopes"`)
		holds(t, b.Submit(p, at+"/"+app.ID+"/change", map[string]string{"redirect_uris": "com.example.app:/back"}), "Saved.", "com.example.app:/back")
	})
}

// TestAU01_AnOwnerSaysWhomAClientHasCreated by two boxes, neither of which is ticked at first; an app has none.
func TestAU01_AnOwnerSaysWhomAClientHasCreated(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "clients")
		holds(t, b.Get(at), "Sign-ups", `name="allow_signup" value="yes"><`, `name="auto_create" value="yes"><`)
		holds(t, fills(b, b.Get(at), "new", url.Values{"name": {"Web shop"}, "auto_create": {"yes"}}), "Saved.")
		only := func() otl.Client {
			all, err := w.Clients.List(t.Context(), mine.ID)
			if err != nil || len(all) != 1 {
				t.Fatalf("%+v %v", all, err)
			}
			return all[0]
		}
		c := only()
		if c.SignUp || !c.AutoCreate {
			t.Errorf("%+v", c)
		}
		its := at + "/" + c.ID
		for _, one := range []struct{ signUp, auto bool }{{true, true}, {true, false}, {false, false}} {
			w.Clock.Advance(time.Second) // of one moment none is the last
			form := maps.Clone(b.Get(its).Fields("client"))
			for name, on := range map[string]bool{"allow_signup": one.signUp, "auto_create": one.auto} {
				if form.Del(name); on {
					form.Set(name, "yes")
				}
			}
			holds(t, b.Send(its+"/change", form), "Saved.")
			if c := only(); c.SignUp != one.signUp || c.AutoCreate != one.auto {
				t.Errorf("%+v: %+v", one, c)
			}
			p := b.Get(its).Fields("client")
			if (p.Get("allow_signup") != "") != one.signUp || (p.Get("auto_create") != "") != one.auto {
				t.Errorf("%+v is shown as %v", one, p)
			}
			all, err := w.Store.Read.Events.List(t.Context(), "", mine.ID, "", 1)
			if err != nil || all[0].Type != otl.EventClientUpdated || !strings.Contains("allow_signup auto_create", all[0].Data[otl.DataChanged]) {
				t.Errorf("%+v %v", all, err)
			}
		}
		app, err := w.Clients.Create(t.Context(), mine.ID, site.NewClient{Name: "App", Auth: "none"})
		if err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get(at+"/"+app.ID), `!name="allow_signup"`, `!name="auto_create"`)
	})
}
