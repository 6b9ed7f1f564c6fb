package node_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// refused writes what was refused and gives the entries of a site, "" for all, by reason.
func refused(t *testing.T, w *otltest.World, siteID string) map[string][]otl.Event {
	t.Helper()
	if err := w.SignIn.Second.Failures.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := w.Store.Read.Events.List(t.Context(), "", siteID, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]otl.Event{}
	for _, e := range all {
		if e.Type == otl.EventAccessRefused {
			out[e.Data[otl.DataReason]] = append(out[e.Data[otl.DataReason]], e)
		}
	}
	return out
}

// others are refused on the other wires, and for want of a role: each is in the log.
func others(t *testing.T, w *otltest.World, made site.MadeClient) {
	t.Helper()
	w.Person(t, "jane@dev.test", w.Notes.Site)
	bearer := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
	posted := func(path, body string, head ...string) otltest.Call {
		h := map[string]string{"Content-Type": form}
		for i := 0; i < len(head); i += 2 {
			h[head[i]] = head[i+1]
		}
		return otltest.Call{Method: http.MethodPost, Path: path, Body: body, Headers: h}
	}
	narrow, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "narrow", Scopes: otl.Scopes{otl.ScopeAuth}, RedirectURIs: []string{"https://notes.test/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	mine := "client_id:" + narrow.ID + ", client_secret:" + narrow.Secret.Reveal()
	token := w.Do(t, otltest.Call{Path: "/auth/oauth2/v2/token", Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": mine}}).Want(t, http.StatusOK)
	wrong := "client_id:" + made.ID + ", client_secret:otc_wrong"
	forged := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {"a.b.c"}, "client_assertion_type": {site.AssertionType}}
	for operation, c := range map[string]otltest.Call{
		"POST /api/v1/roles/assign":  {Path: "/api/v1/roles/assign", Bearer: bearer, Body: object{"user_id": "x", "role": "editor"}},
		"POST /api/v1/sites":         {Path: "/api/v1/sites", Bearer: bearer, Body: object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb"}},
		"POST /oidc/par":             posted("/oidc/par", "client_id="+made.ID+"&client_secret=otc_wrong"),
		"POST /oidc/introspect":      posted("/oidc/introspect", forged.Encode()+"&token=x"),
		"POST /auth/oauth2/v2/token": {Path: "/auth/oauth2/v2/token", Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": wrong}},
		"GET /api/1/users":           {Path: "/api/1/users", Headers: map[string]string{"Authorization": "bearer:" + token.Text("access_token")}},
	} {
		if r := w.Do(t, c); r.Status != http.StatusUnauthorized && r.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", operation, r.Status, r.Raw)
		}
		found := false
		for _, some := range refused(t, w, "") {
			found = found || slices.ContainsFunc(some, func(e otl.Event) bool { return e.Data[otl.DataOperation] == operation })
		}
		if !found {
			t.Errorf("%s is not in the log", operation)
		}
	}
}

// TestAU01_RefusedAccess: a key that is wrong, or not good for what it is used for, is in the
// log, whose it is as far as that is proven; and a storm of them is a few entries.
func TestAU01_RefusedAccess(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		narrow, err := w.Sites.CreateKey(t.Context(), w.Notes.Site.ID, site.NewKey{Name: "narrow", Scopes: otl.Scopes{otl.ScopeAuth}})
		if err != nil {
			t.Fatal(err)
		}
		made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"}})
		if err != nil {
			t.Fatal(err)
		}
		wrong := secret.NewKey("otr_").Reveal()
		scope := otltest.Call{Path: "/api/v1/users", Key: narrow.Key}
		w.Do(t, scope).Want(t, http.StatusForbidden)
		w.Do(t, otltest.Call{Path: "/api/v1/users", Key: w.Notes.Key, Headers: map[string]string{"Origin": "https://notes.test"}}).Want(t, http.StatusForbidden)
		w.Do(t, otltest.Call{Path: "/api/v1/users/" + made.ID, Headers: map[string]string{"X-OTL-Site-Key": wrong}}).Want(t, http.StatusUnauthorized)
		asked := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {"otc_wrong"}}
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/oidc/token", Body: asked.Encode(), Headers: map[string]string{"Content-Type": form}}).Want(t, http.StatusUnauthorized)
		w.Do(t, otltest.Call{Path: "/api/v1/users"}).Want(t, http.StatusUnauthorized) // no key at all is no attempt
		all, its := refused(t, w, ""), refused(t, w, w.Notes.Site.ID)
		for reason, want := range map[string]struct {
			operation string
			by        otl.Actor
			site      bool
		}{
			"scope_missing":       {"GET /api/v1/users", otl.Actor{Kind: otl.ActorSiteKey, ID: narrow.ID}, true},
			"site_key_in_browser": {"GET /api/v1/users", otl.Actor{Kind: otl.ActorAnybody}, false},
			"site_key_unknown":    {"GET /api/v1/users/{id}", otl.Actor{Kind: otl.ActorAnybody}, false},
			"invalid_client":      {"POST /oidc/token", otl.Actor{Kind: otl.ActorAnybody}, false},
		} {
			if len(all[reason]) != 1 || (len(its[reason]) == 1) != want.site {
				t.Errorf("%s: %d entries, %d of them the site's", reason, len(all[reason]), len(its[reason]))
				continue
			}
			if e := all[reason][0]; e.Data[otl.DataOperation] != want.operation || e.By != want.by || e.From == "" || e.RequestID == "" {
				t.Errorf("%s: %+v", reason, e)
			}
		}
		if len(all) != 4 {
			t.Errorf("%d reasons: %v", len(all), all)
		}
		for range 200 {
			w.Do(t, scope)
		}
		w.Clock.Advance(2 * time.Minute)
		var tries []string // in any order: both may be of one millisecond
		for _, e := range refused(t, w, w.Notes.Site.ID)["scope_missing"] {
			tries = append(tries, e.Data[otl.DataTries])
		}
		if slices.Sort(tries); !slices.Equal(tries, []string{"1", "200"}) {
			t.Errorf("a storm: entries of %v", tries)
		}
		if n := w.SignIn.Second.Failures.Total.Load(); n != 0 {
			t.Errorf("%d of them are counted as sign-ins", n)
		}
		others(t, w, made)
	})
}
