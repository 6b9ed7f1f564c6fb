package site_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// TestAddressesOfClients are added one by one, twice is once, each is an entry of the log
// with what it changed; another site's client is none (TE-01), nor is one that was revoked.
func TestAddressesOfClients(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		notes := w.Notes.Site.ID
		c, err := w.Clients.Create(t.Context(), notes, site.NewClient{Name: "web", RedirectURIs: []string{"https://notes.test/b"}})
		if err != nil {
			t.Fatal(err)
		}
		count := func() int {
			all, err := w.Store.Read.Events.List(t.Context(), "", notes, "", 200)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, e := range all {
				if e.Type == otl.EventClientUpdated {
					n++
				}
			}
			return n
		}
		for range 2 {
			if err := w.Clients.AddRedirect(t.Context(), notes, c.ID, "https://notes.test/a"); err != nil {
				t.Fatal(err)
			}
			if err := w.Clients.AddPostLogout(t.Context(), notes, c.ID, "https://notes.test/bye"); err != nil {
				t.Fatal(err)
			}
		}
		got, _, err := w.Clients.Find(t.Context(), c.ID)
		if err != nil || !got.Redirects("https://notes.test/a") || !got.Redirects("https://notes.test/b") || got.Redirects("https://notes.test/bye") || !got.Lands("https://notes.test/bye") || !got.Lands("https://notes.test/a") || count() != 2 {
			t.Errorf("%+v %v, %d entries", got, err, count())
		}
		for name, no := range map[string]struct {
			site, client, uri string
			kind              otl.Kind
		}{
			"another site's": {w.Shop.Site.ID, c.ID, "https://shop.test/", otl.NotFound},
			"none":           {notes, secret.NewID(w.Clock.Now()), "https://notes.test/", otl.NotFound},
			"no id":          {notes, "\x00", "https://notes.test/", otl.NotFound},
			"no address":     {notes, c.ID, "https://notes.test/#", otl.Invalid},
			"an app's":       {notes, c.ID, "com.example.app:/cb", otl.Invalid},
		} {
			if err := w.Clients.AddRedirect(t.Context(), no.site, no.client, no.uri); otl.As(err).Kind != no.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		for i := range 48 {
			if err := w.Clients.AddRedirect(t.Context(), notes, c.ID, "https://notes.test/"+strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Clients.AddRedirect(t.Context(), notes, c.ID, "https://notes.test/more"); otl.As(err).Kind != otl.Invalid {
			t.Errorf("the 51st: %v", err)
		}
		if err := w.Clients.Revoke(t.Context(), notes, c.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Clients.AddRedirect(t.Context(), notes, c.ID, "https://notes.test/late"); otl.As(err).Kind != otl.NotFound {
			t.Errorf("revoked: %v", err)
		}
	})
}

// TestOT22_PowerIsAskedForByName: a client of whom nothing is said signs people in and no more; it is
// neither handed codes nor shown people.
func TestOT22_PowerIsAskedForByName(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for want, n := range map[string]site.NewClient{
		"auth":                   {Name: "plain"},
		"users otp:direct":       {Name: "named", Scopes: otl.Scopes{otl.ScopeUsers, otl.ScopeOTPDirect}},
		otl.AllScopes().String(): {Name: "all", Scopes: otl.AllScopes()},
	} {
		c, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, n)
		if err != nil || c.Scopes.String() != want {
			t.Errorf("%s: %v, %v; want %s", n.Name, c.Scopes, err, want)
		}
	}
}

// TestTE04_NoClientSpeaksForTheServer: the audience of its own tokens is nobody's resource.
func TestTE04_NoClientSpeaksForTheServer(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for resource, good := range map[string]bool{otltest.Issuer: false, otltest.Issuer + "/": false, otltest.Issuer + "/api": true} {
		if _, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "c", Resources: []string{resource}}); (err == nil) != good || err != nil && otl.As(err).Kind != otl.Invalid {
			t.Errorf("%s: %v", resource, err)
		}
	}
}

// TestAU01_AClientIsChanged as far as its kind allows, all of a change or nothing, and each is an entry of the log with
// what was before; another site's client is none (TE-01).
func TestAU01_AClientIsChanged(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		notes := w.Notes.Site.ID
		made := func(n site.NewClient) otl.Client {
			n.Name = "program"
			c, err := w.Clients.Create(t.Context(), notes, n)
			if err != nil {
				t.Fatal(err)
			}
			return c.Client
		}
		web := made(site.NewClient{Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/a"}, PostLogout: []string{"https://notes.test/bye"}})
		app, pairwise := made(site.NewClient{Auth: "none"}), made(site.NewClient{SubjectType: "pairwise"})
		name, never, some, none := "till", "never", []string{"users", "auth"}, []string{}
		last := func() otl.Event {
			all, err := w.Store.Read.Events.List(t.Context(), "", notes, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			return all[0]
		}
		w.Clock.Advance(time.Second) // of one moment none is the last
		got, err := w.Clients.Update(t.Context(), notes, web.ID, site.ClientChange{Name: &name, LinkConfirm: &never, Scopes: &some, PostLogout: &none, Of: site.ClientMark(web)})
		if err != nil || got.Name != name || got.LinkConfirm != otl.ConfirmNever || got.Scopes.String() != "auth users" || !got.Redirects("https://notes.test/a") || len(got.PostLogout) != 0 {
			t.Errorf("%+v %v", got, err)
		}
		if kept, _, err := w.Clients.Find(t.Context(), web.ID); err != nil || site.ClientMark(kept) != site.ClientMark(got) {
			t.Errorf("%+v %v", kept, err)
		}
		said := last()
		if said.Type != otl.EventClientUpdated || said.Data["client_id"] != web.ID || said.Data[otl.DataChanged] != "link_confirm name post_logout_redirect_uris scopes" || said.Changes[0] != (otl.Change{Field: "link_confirm", Before: "auto", After: "never"}) {
			t.Errorf("%+v", said)
		}
		bad, elsewhere := []string{"everything"}, []string{"com.example.app:/back"}
		for what, no := range map[string]struct {
			site, client, code string
			change             site.ClientChange
		}{
			"another site's":         {w.Shop.Site.ID, web.ID, "not_found", site.ClientChange{Name: &name}},
			"none":                   {notes, secret.NewID(w.Clock.Now()), "not_found", site.ClientChange{Name: &name}},
			"no id":                  {notes, "\x00", "not_found", site.ClientChange{Name: &name}},
			"of before":              {notes, web.ID, otl.ErrVersion.Code, site.ClientChange{Name: &never, Of: site.ClientMark(web)}},
			"no scopes":              {notes, web.ID, "validation_failed", site.ClientChange{Name: &never, Scopes: &none}},
			"no such scope":          {notes, web.ID, "validation_failed", site.ClientChange{Name: &never, Scopes: &bad}},
			"no such page":           {notes, web.ID, "validation_failed", site.ClientChange{Scopes: &some, LinkConfirm: &name}},
			"an app's address":       {notes, web.ID, "validation_failed", site.ClientChange{Name: &never, RedirectURIs: &elsewhere}},
			"an app with power":      {notes, app.ID, "validation_failed", site.ClientChange{Scopes: &some}},
			"a pairwise one with it": {notes, pairwise.ID, "validation_failed", site.ClientChange{Scopes: &some}},
		} {
			if _, err := w.Clients.Update(t.Context(), no.site, no.client, no.change); !otl.Is(err, no.code) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := w.Clients.Update(t.Context(), notes, web.ID, site.ClientChange{Name: &name}); err != nil || last().ID != said.ID {
			t.Errorf("what changes nothing, or is refused, has an entry: %+v %v", last(), err)
		}
		if got, err := w.Clients.Update(t.Context(), notes, app.ID, site.ClientChange{RedirectURIs: &elsewhere}); err != nil || !got.Redirects(elsewhere[0]) {
			t.Errorf("an app: %+v %v", got, err)
		}
	})
}

// TestAU01_WhoAClientHasCreatedIsChanged by two switches, each an entry of the log; a form of before the change is of another client.
func TestAU01_WhoAClientHasCreatedIsChanged(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		notes, on, off := w.Notes.Site.ID, true, false
		made, err := w.Clients.Create(t.Context(), notes, site.NewClient{Name: "web", AutoCreate: true})
		if err != nil || made.TakesNewcomers() || !made.AutoCreate {
			t.Fatalf("%+v %v", made, err)
		}
		for _, c := range []struct {
			change  site.ClientChange
			changed string
			signs   bool
		}{
			{site.ClientChange{SignUp: &on}, "allow_signup", true},
			{site.ClientChange{AutoCreate: &off}, "auto_create", false},
			{site.ClientChange{AutoCreate: &on, SignUp: &off}, "allow_signup auto_create", false},
		} {
			w.Clock.Advance(time.Second) // of one moment none is the last
			was, _, err := w.Clients.Find(t.Context(), made.ID)
			if err != nil {
				t.Fatal(err)
			}
			c.change.Of = site.ClientMark(was)
			if _, err := w.Clients.Update(t.Context(), notes, made.ID, c.change); err != nil {
				t.Fatal(err)
			}
			got, _, err := w.Clients.Find(t.Context(), made.ID)
			if err != nil || got.TakesNewcomers() != c.signs || site.ClientMark(got) == c.change.Of {
				t.Errorf("%s: %+v %v", c.changed, got, err)
			}
			if all, err := w.Store.Read.Events.List(t.Context(), "", notes, "", 1); err != nil || all[0].Type != otl.EventClientUpdated || all[0].Data[otl.DataChanged] != c.changed {
				t.Errorf("%s: %+v %v", c.changed, all, err)
			}
			if _, err := w.Clients.Update(t.Context(), notes, made.ID, c.change); !otl.Is(err, otl.ErrVersion.Code) {
				t.Errorf("%s, once more: %v", c.changed, err)
			}
		}
	})
}
