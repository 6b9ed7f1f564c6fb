package site_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

func faults(err error) string {
	var all []string
	for _, e := range otl.As(err).More {
		all = append(all, e.Field+" "+e.Code)
	}
	return strings.Join(all, ", ")
}

func auth(t *testing.T, w *otltest.World, key string) error {
	t.Helper()
	_, _, err := w.Sites.Authenticate(t.Context(), secret.NewText(key))
	return err
}

func TestRegisterFillsInWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		r := w.Register(t, site.Registration{Name: "  Bücher & Mehr! ", Callbacks: []string{"https://b.test/cb"}, Domain: "Bücher.test"})
		if r.Site.Slug != "b-cher-mehr" || r.Site.Name != "Bücher & Mehr!" || r.Site.Domain != "xn--bcher-kva.test" ||
			!reflect.DeepEqual(r.Site.Requested, otl.MinimalFields()) || !reflect.DeepEqual(r.KeyRow.Scopes, otl.AllScopes()) {
			t.Errorf("%+v %+v", r.Site, r.KeyRow)
		}
		for want, name := range map[string]string{"site": "日本", "b-cher-mehr-2": "Bücher, mehr"} {
			if got := w.Register(t, site.Registration{Name: name}).Site.Slug; got != want {
				t.Errorf("%q is %q, want %q", name, got, want)
			}
		}
		long := w.Register(t, site.Registration{Name: strings.Repeat("a", 100)}).Site.Slug
		if len(long) > 63 {
			t.Errorf("a slug of %d characters", len(long))
		}
		got, err := w.Sites.Get(t.Context(), r.Site.Slug)
		if err != nil || got.ID != r.Site.ID || !slices.Equal(got.CallbackURLs, []string{"https://b.test/cb"}) {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := w.Sites.Get(t.Context(), "nothing"); !otl.Is(err, "not_found") {
			t.Error(err)
		}
		events, err := w.Store.Read.Events.List(t.Context(), "", r.Site.ID, "", 10)
		if err != nil || len(events) != 2 {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

// TestSeveral counts sites that are on; our own is none of them.
func TestSeveral(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		is := func(want bool, when string) {
			t.Helper()
			if got, err := w.Sites.Several(t.Context()); err != nil || got != want {
				t.Errorf("%s: %v %v", when, got, err)
			}
		}
		is(true, "two")
		if _, err := operator(w).TurnOff(t.Context(), w.Shop.Site.ID); err != nil {
			t.Fatal(err)
		}
		is(false, "one is off")
		w.Register(t, site.Registration{Name: "Second"})
		is(true, "a second one")
	})
}

func TestRegisterNamesEveryFault(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	_, err := w.Sites.Register(t.Context(), site.Registration{Slug: "Not a label", Domain: "a b", Region: "mars", Callbacks: []string{"http://a.test", "https://b.test/#x"}})
	want := "name required, domain not_a_domain, slug not_a_label, region unknown_value, callback_url not_https, callback_url bad_url"
	if got := faults(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, slug := range []string{"-a", "a-", "a--b", "A", "ä", strings.Repeat("a", 64)} {
		if _, err := w.Sites.Register(t.Context(), site.Registration{Name: "A", Slug: slug}); faults(err) != "slug not_a_label" {
			t.Errorf("%q: %v", slug, err)
		}
	}
	if _, err := w.Sites.Register(t.Context(), site.Registration{Name: "A", Slug: "notes"}); !otl.Is(err, "slug_taken") {
		t.Error(err)
	}
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("https://a.test/%d", i)
	}
	if _, err := w.Sites.Register(t.Context(), site.Registration{Name: "A", Callbacks: many}); faults(err) != "callback_url too_many" {
		t.Error(err)
	}
}

// TestSitesOfOneOwnerAreOneBusiness, and of different owners are not.
func TestSitesOfOneOwnerAreOneBusiness(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		a, b := w.Person(t, "a@dev.test"), w.Person(t, "b@dev.test")
		one := w.Register(t, site.Registration{Name: "One", Owner: a.ID, Business: "Acme"})
		w.Clock.Advance(time.Millisecond)
		two := w.Register(t, site.Registration{Name: "Two", Owner: a.ID})
		other := w.Register(t, site.Registration{Name: "Other", Owner: b.ID})
		if one.Site.BusinessID != two.Site.BusinessID || one.Site.BusinessID == other.Site.BusinessID {
			t.Error("the businesses are mixed up")
		}
		mine, err := w.Sites.List(t.Context(), a.ID, "", 10)
		if err != nil || len(mine) != 2 || mine[0].ID != one.Site.ID {
			t.Errorf("%+v %v", mine, err)
		}
		if rest, err := w.Sites.List(t.Context(), a.ID, one.Site.ID, 10); err != nil || len(rest) != 1 {
			t.Errorf("%d more, %v", len(rest), err)
		}
		if all, err := w.Sites.List(t.Context(), "", "", 10); err != nil || len(all) != 5 {
			t.Errorf("%d in all, %v", len(all), err)
		}
	})
}

// TestSlugsAreNeverShared: many sites of one name at the same time.
func TestSlugsAreNeverShared(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		slugs := make(chan string, 10)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				r, err := w.Sites.Register(t.Context(), site.Registration{Name: "Same"})
				if err != nil {
					t.Error(err)
				}
				slugs <- r.Site.Slug
			})
		}
		wg.Wait()
		close(slugs)
		seen := map[string]bool{}
		for s := range slugs {
			seen[s] = true
		}
		if len(seen) != 10 {
			t.Errorf("%d slugs for 10 sites", len(seen))
		}
	})
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id := w.Notes.Site.ID
		add := func(url string) error { return w.Sites.AddCallback(t.Context(), id, url) }
		for _, url := range []string{"http://localhost:3000/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "https://notes.test/other?x=1"} {
			if err := add(url); err != nil {
				t.Errorf("%s: %v", url, err)
			}
		}
		for _, url := range []string{"http://notes.test/cb", "notes.test", "https://*.test/", "https://u:p@notes.test/", "javascript:alert(1)", "https://notes.test/#", ""} {
			if err := add(url); otl.As(err).Field != "callback_url" {
				t.Errorf("%s: %v", url, err)
			}
		}
		got, err := w.Sites.Get(t.Context(), id)
		if err != nil || len(got.CallbackURLs) != 4 {
			t.Errorf("%v %v", got.CallbackURLs, err)
		}
		if err := w.Sites.RemoveCallback(t.Context(), id, "http://127.0.0.1/cb"); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"again": w.Sites.RemoveCallback(t.Context(), id, "http://127.0.0.1/cb"), "of another site": w.Sites.RemoveCallback(t.Context(), w.Shop.Site.ID, "https://notes.test/callback"),
		} {
			if !otl.Is(err, "not_found") {
				t.Errorf("%s: %v", what, err)
			}
		}
		for i := range 47 {
			if err := add(fmt.Sprintf("https://notes.test/%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := add("https://notes.test/beyond"); faults(err) != "callback_url too_many" {
			t.Error(err)
		}
	})
}

func TestSE06_KeysAreComparedWhole(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	key := w.Notes.Key.Reveal()
	if err := auth(t, w, key); err != nil {
		t.Fatal(err)
	}
	bad := []string{"", "otr_", key[:len(key)-1], key + "A", " " + key, key + "\n", strings.ToUpper(key), strings.Replace(key, "otr_", "otl_", 1), strings.Repeat(key, 100)}
	for i := range key {
		for _, c := range "0aZ_" {
			if rune(key[i]) != c {
				bad = append(bad, key[:i]+string(c)+key[i+1:])
			}
		}
	}
	for _, b := range bad {
		if err := auth(t, w, b); !errors.Is(err, otl.ErrSiteKey) {
			t.Errorf("%.60q: %v", b, err)
		}
	}
}

// TestSR10_ASuccessorLastsAsLong as the key before it was made for.
func TestSR10_ASuccessorLastsAsLong(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id, now := w.Notes.Site.ID, w.Clock.Now()
		old, err := w.Sites.CreateKey(t.Context(), id, site.NewKey{Name: "a day", Scopes: w.Notes.KeyRow.Scopes, ExpiresAt: now.Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(20 * time.Hour)
		next, err := w.Sites.RollKey(t.Context(), id, old.ID, time.Hour)
		if want := w.Clock.Now().Add(24 * time.Hour); err != nil || !next.ExpiresAt.Equal(want) {
			t.Errorf("the successor ends at %v, want %v: %v", next.ExpiresAt, want, err)
		}
		for range 2 { // whose end is that of the overlap by then
			next, err := w.Sites.RollKey(t.Context(), id, w.Notes.KeyRow.ID, time.Hour)
			if err != nil || !next.ExpiresAt.IsZero() {
				t.Errorf("the successor of a key without an end has one: %v, %v", next.ExpiresAt, err)
			}
		}
	})
}

// TestSR10_KeysRollWithOverlap: both work for the overlap; a revoked one ends at
// the next call.
func TestSR10_KeysRollWithOverlap(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id, old := w.Notes.Site.ID, w.Notes
		row, err := w.Sites.RollKey(t.Context(), id, old.KeyRow.ID, time.Hour)
		next := row.Key
		if err != nil || row.Name != old.KeyRow.Name || !reflect.DeepEqual(row.Scopes, old.KeyRow.Scopes) {
			t.Fatalf("%+v %v", row, err)
		}
		w.Clock.Advance(time.Hour - time.Millisecond)
		if auth(t, w, old.Key.Reveal()) != nil || auth(t, w, next.Reveal()) != nil {
			t.Error("within the overlap one of them fails")
		}
		w.Clock.Advance(time.Millisecond)
		if !errors.Is(auth(t, w, old.Key.Reveal()), otl.ErrSiteKey) || auth(t, w, next.Reveal()) != nil {
			t.Error("after the overlap")
		}
		if _, err := w.Sites.RollKey(t.Context(), id, old.KeyRow.ID, time.Hour); !otl.Is(err, "not_found") {
			t.Errorf("rolling an expired key: %v", err)
		}
		if err := w.Sites.RevokeKey(t.Context(), w.Shop.Site.ID, row.ID); !otl.Is(err, "not_found") {
			t.Errorf("another site's key: %v", err)
		}
		if err := w.Sites.RevokeKey(t.Context(), id, row.ID); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(auth(t, w, next.Reveal()), otl.ErrSiteKey) {
			t.Error("a revoked key is good")
		}
		if err := w.Sites.RevokeKey(t.Context(), id, row.ID); !otl.Is(err, "not_found") {
			t.Errorf("again: %v", err)
		}
		if auth(t, w, w.Shop.Key.Reveal()) != nil {
			t.Error("another site's key ended too")
		}
	})
}

func TestKeysOfASite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id := w.Notes.Site.ID
		w.Clock.Advance(time.Millisecond)
		row, err := w.Sites.CreateKey(t.Context(), id, site.NewKey{Name: "mobile", Scopes: otl.Scopes{otl.ScopeAuth}, ExpiresAt: w.Clock.Now().Add(time.Hour)})
		key := row.Key
		if err != nil || row.Prefix == "" || !strings.HasPrefix(key.Reveal(), "otr_"+row.Prefix) {
			t.Fatalf("%+v %v", row, err)
		}
		keys, err := w.Sites.Keys(t.Context(), id)
		if err != nil || len(keys) != 2 || keys[1].Name != "mobile" || !keys[1].LastUsedAt.IsZero() {
			t.Errorf("%+v %v", keys, err)
		}
		if auth(t, w, key.Reveal()) != nil {
			t.Error("the new key fails")
		}
		if err := w.Sites.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keys, _ := w.Sites.Keys(t.Context(), id); !keys[1].LastUsedAt.Equal(w.Clock.Now()) {
			t.Errorf("last used %v", keys[1].LastUsedAt)
		}
		w.Clock.Advance(time.Hour)
		if !errors.Is(auth(t, w, key.Reveal()), otl.ErrSiteKey) {
			t.Error("an expired key is good")
		}
		if _, err := w.Sites.CreateKey(t.Context(), id, site.NewKey{Name: "a\nb"}); otl.As(err).Field != "name" {
			t.Error(err)
		}
	})
}

// TestTE04_AResourceBelongsToTheSiteThatNamedItFirst: tokens for an audience are asked
// for by clients of one site alone, whichever ask at once; once the site is purged
// another may have it.
func TestTE04_AResourceBelongsToTheSiteThatNamedItFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		create := func(siteID string, resources ...string) error {
			_, err := w.Clients.Create(t.Context(), siteID, site.NewClient{Name: "c", Resources: resources})
			return err
		}
		owner := w.Person(t, "owner@dev.test").ID
		sites := []string{w.Register(t, site.Registration{Name: "a", Owner: owner}).Site.ID, w.Register(t, site.Registration{Name: "b", Owner: owner}).Site.ID}
		var wg sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			wg.Go(func() { errs[i] = create(sites[i%2], "https://api.test/a_b", "https://api.test/c") })
		}
		wg.Wait()
		var first string
		for i, err := range errs {
			if err == nil {
				first = sites[i%2]
			}
		}
		for i, err := range errs {
			if mine := sites[i%2] == first; mine != (err == nil) || !mine && !errors.Is(err, site.ErrResource) {
				t.Errorf("%s, of which %v is the first: %v", sites[i%2], mine, err)
			}
		}
		other := sites[0]
		if other == first {
			other = sites[1]
		}
		if err := create(other, "https://api.test/mine", "https://api.test/c"); !errors.Is(err, site.ErrResource) {
			t.Error(err)
		}
		if err := create(first, "https://api.test/mine", "https://api.test/axb"); err != nil {
			t.Errorf("half of a refused client was kept: %v", err)
		}
		if _, err := w.Sites.Delete(t.Context(), owner, first); err != nil {
			t.Fatal(err)
		}
		if err := create(other, "https://api.test/c"); !errors.Is(err, site.ErrResource) {
			t.Errorf("of a site that can be restored: %v", err)
		}
		w.Clock.Advance(31 * 24 * time.Hour)
		if err := w.Sites.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := create(other, "https://api.test/c"); err != nil {
			t.Error(err)
		}
	})
}

// TestMF05_APolicyNamesRolesOfTheSite: one that the site does not have would ask nobody for a second factor. What it named
// before it can keep, also where the role is no more.
func TestMF05_APolicyNamesRolesOfTheSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		all := site.Roles{Store: w.Store, Now: w.Clock.Now}
		set := func(roles ...string) (otl.Site, error) {
			policy := string(otl.MFARoles)
			return w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{MFA: &policy, MFARoles: &roles})
		}
		for _, name := range []string{"admin", "editor"} {
			if _, err := all.Create(t.Context(), otl.Role{SiteID: w.Notes.Site.ID, Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := all.Create(t.Context(), otl.Role{SiteID: w.Shop.Site.ID, Name: "cashier"}); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"edtior", "cashier"} {
			if _, err := set("admin", bad); faults(err) != "mfa_roles.1 unknown_value" {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if s, err := set("editor", "admin"); err != nil || strings.Join(s.MFARoles, " ") != "admin editor" {
			t.Errorf("%v %v", s.MFARoles, err)
		}
		if err := all.Delete(t.Context(), w.Notes.Site.ID, "editor"); err != nil {
			t.Fatal(err)
		}
		if s, err := set("admin", "editor"); err != nil || len(s.MFARoles) != 2 {
			t.Errorf("as it was: %v %v", s.MFARoles, err)
		}
		if _, err := set("admin"); err != nil {
			t.Error(err)
		}
		if _, err := set("admin", "editor"); faults(err) != "mfa_roles.1 unknown_value" {
			t.Errorf("once it was taken away: %v", err)
		}
	})
}

// TestMN11_ChangesAtOnceAreAllMade: what several set of a site at the same moment is all there
// afterwards, and nobody is told that it is who then finds that it is not.
func TestMN11_ChangesAtOnceAreAllMade(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		id := w.Notes.Site.ID
		for round := range 20 {
			name, region, days := fmt.Sprintf("Notes %d", round), []string{"eu", "us"}[round%2], round
			var all sync.WaitGroup
			for _, c := range []site.Change{{Name: &name}, {Region: &region}, {TrustDays: &days}} {
				all.Go(func() {
					if _, err := w.Sites.Set(t.Context(), id, c); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			got, err := w.Store.Read.Sites.ByID(t.Context(), id)
			if err != nil || got.Name != name || got.Region != region || got.TrustDays != days {
				t.Fatalf("round %d: %q, %q, %d days, %v", round, got.Name, got.Region, got.TrustDays, err)
			}
		}
	})
}
