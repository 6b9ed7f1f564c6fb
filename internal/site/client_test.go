package site_test

import (
	"strconv"
	"testing"

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
