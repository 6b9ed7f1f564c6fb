package native_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// thing is a kind of thing a request names: one of the caller's own, and what
// must be as unknown to him as if it never was.
type thing struct {
	mine  string
	other map[string]string // by why it is unknown
}

// factorOf gives a person an authenticator app and its id.
func factorOf(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	one, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: secret.NewTOTPSeed()})
	if err != nil {
		t.Fatal(err)
	}
	return one.ID
}

// deviceOf has a person trust a device, and gives its id.
func deviceOf(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := w.Factors.Trust(ctx, tx, u.ID, w.Installation.SiteID, time.Hour)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all, err := factor.Devices{Factors: w.Factors}.List(t.Context(), u.ID, "")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return all[0].ID
}

// things gives one of each kind the routes know, by the name that stands for it:
// the segment of the path before the parameter, or the member of a body.
func things(t *testing.T, w *otltest.World, own, stranger string) map[string]thing {
	t.Helper()
	jane, left := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "left@dev.test", w.Notes.Site)
	john := w.Person(t, "john@dev.test", w.Shop.Site)
	gone := w.Person(t, "gone@dev.test", w.Notes.Site)
	session := func(login otltest.Reply) string {
		t.Helper()
		a, err := w.Installation.Ring.Verify(login.Text("access_token"), otltest.Issuer, w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return a.Session
	}
	one, ended, foreign := w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Shop, "john@dev.test")
	w.Do(t, otltest.Call{Path: "/api/v1/auth/logout", Key: w.Notes.Key, Bearer: ended.Text("access_token"), Body: object{}}).Want(t, http.StatusOK)
	for _, id := range []string{left.ID, gone.ID} {
		call(t, w, w.Notes, http.MethodDelete, "/users/"+id, nil).Want(t, http.StatusOK)
	}
	if err := w.Accounts.Delete(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"editor", "removed"} {
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": name}).Want(t, http.StatusCreated)
	}
	call(t, w, w.Notes, http.MethodDelete, "/roles/removed", nil).Want(t, http.StatusOK)
	call(t, w, w.Shop, http.MethodPost, "/roles", object{"name": "seller"}).Want(t, http.StatusCreated)

	mine, theirs, deleted := ownSite(t, w, own).Text("id"), ownSite(t, w, stranger).Text("id"), ownSite(t, w, own).Text("id")
	as(t, w, own)(http.MethodDelete, "/sites/"+deleted, nil).Want(t, http.StatusOK)
	newKey := func(bearer, site string) string {
		t.Helper()
		return as(t, w, bearer)(http.MethodPost, "/sites/"+site+"/keys", object{"name": "k"}).Want(t, http.StatusCreated).Text("id")
	}
	key, revoked := newKey(own, mine), newKey(own, mine)
	as(t, w, own)(http.MethodDelete, "/sites/"+mine+"/keys/"+revoked, nil).Want(t, http.StatusOK)

	newClient := func(bearer, site string) string {
		return as(t, w, bearer)(http.MethodPost, "/sites/"+site+"/clients", object{"name": "program"}).Want(t, http.StatusCreated).Text("id")
	}
	client, over := newClient(own, mine), newClient(own, mine)
	as(t, w, own)(http.MethodDelete, "/sites/"+mine+"/clients/"+over, nil).Want(t, http.StatusOK)

	w.Deliver(t)
	hooks := map[bool]string{}
	events := map[bool]string{}
	for mine, s := range map[bool]site.Registered{true: w.Notes, false: w.Shop} {
		_, m := w.Hook(t, s)
		var err error
		if events[mine], err = w.Webhooks.Test(t.Context(), s.Site.ID, m.ID, ""); err != nil {
			t.Fatal(err)
		}
		hooks[mine] = m.ID
	}
	w.Deliver(t)
	_, dropped := w.Hook(t, w.Notes)
	call(t, w, w.Notes, http.MethodDelete, "/webhooks/"+dropped.ID, nil).Want(t, http.StatusOK)
	w.Deliver(t)

	return map[string]thing{
		"devices":    {deviceOf(t, w, "owner@dev.test"), map[string]string{"somebody else's": deviceOf(t, w, "stranger@dev.test"), "of another kind": mine}},
		"mfa":        {factorOf(t, w, "owner@dev.test"), map[string]string{"somebody else's": factorOf(t, w, "stranger@dev.test"), "of another kind": mine}},
		"webhooks":   {hooks[true], map[string]string{"another site's": hooks[false], "deleted": dropped.ID, "of another kind": jane.ID}},
		"deliveries": {events[true], map[string]string{"another site's": events[false], "of another kind": hooks[true]}},
		"events":     {events[true], map[string]string{"another site's": events[false], "of another kind": hooks[true]}},
		"orders":     {orderOf(t, w, mine).ID, map[string]string{"another owner's": orderOf(t, w, theirs).ID, "of another kind": mine}},
		"clients":    {client, map[string]string{"another owner's": newClient(stranger, theirs), "revoked": over, "of another kind": mine}},
		"users":      {jane.ID, map[string]string{"another site's": john.ID, "left": left.ID, "deleted": gone.ID, "of another kind": mine}},
		"sessions":   {session(one), map[string]string{"another site's": session(foreign), "ended": session(ended), "of another kind": jane.ID}},
		"sites":      {mine, map[string]string{"another owner's": theirs, "deleted": deleted, "nobody's": w.Shop.Site.ID, "the installation's": w.Installation.SiteID, "of another kind": jane.ID}},
		"keys":       {key, map[string]string{"another owner's": newKey(stranger, theirs), "revoked": revoked, "of another kind": mine}},
		"roles":      {"editor", map[string]string{"another site's": "seller", "removed": "removed"}},
	}
}

// malformed are ids nobody ever made. The first is well-formed and stands for
// every unknown one: all other answers must be equal to its.
func malformed(w *otltest.World) []string {
	return []string{secret.NewID(w.Clock.Now()), "x", "0", "-1", "me2", "null", "%00", "a%2Fb", "%20", "'", "%F0%9F%98%80", strings.Repeat("A", 300), "00000000000000000000000000"}
}

// kindOf names the thing a place in a request stands for.
func kindOf(path, place string) string {
	switch place {
	case "user_id":
		return "users"
	case "role":
		return "roles"
	}
	before, _, _ := strings.Cut(path, "/{"+place+"}")
	return before[strings.LastIndexByte(before, '/')+1:]
}

// places gives the parameters and members of an operation that name a thing.
func places(o described) []string {
	var out []string
	for _, p := range o.Parameters {
		if p.In == "path" || p.Name == "user_id" {
			out = append(out, p.Name)
		}
	}
	if o.RequestBody != nil {
		example, _ := o.RequestBody.Content["application/json"].Example.(map[string]any)
		for _, member := range []string{"user_id", "role"} {
			if _, ok := example[member]; ok && !slices.Contains(out, member) {
				out = append(out, member)
			}
		}
	}
	slices.Sort(out)
	return out
}

// answer is what a caller can tell two answers apart by.
func answer(t *testing.T, r otltest.Reply) string {
	t.Helper()
	body := maps.Clone(r.JSON)
	for _, own := range []string{"request_id", "cursor"} { // new in each answer; a cursor is sealed
		delete(body, own)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	h := r.Header.Clone()
	for _, own := range []string{"X-Request-Id", "Date", "Content-Length"} {
		h.Del(own)
	}
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return http.StatusText(r.Status) + " " + string(head) + " " + string(raw)
}

// TestTE01_WhatIsNotYoursIsUnknown goes through every operation that takes an id,
// with every kind of caller it has, and names in each place what is another's,
// what is gone and what never was: each answer is the same 404, and nothing
// changes. An operation with an id the test knows no thing for fails it.
func TestTE01_WhatIsNotYoursIsUnknown(t *testing.T) {
	t.Parallel()
	d := describe(t)
	eachSeen(t, func(t *testing.T, w seen) {
		own, stranger := owner(t, w.World, "owner@dev.test"), owner(t, w.World, "stranger@dev.test")
		kinds := things(t, w.World, own, stranger)
		w.Clock.Advance(time.Second) // tokens are of after what was revoked
		callers := map[string]map[string]otltest.Call{
			"siteKey": {"a site key": {Key: w.Notes.Key}},
			"bearer":  {"a person": {Bearer: w.Login(t, w.Notes, "jane@dev.test").Text("access_token")}, "an owner": {Bearer: own}},
		}
		before := dump(t, w.driver, w.url)
		tried := 0
		for name, o := range d.operations() {
			method, path, _ := strings.Cut(name, " ")
			for _, place := range places(o) {
				kind, known := kinds[kindOf(path, place)]
				if !known {
					t.Errorf("%s takes %s, and the test has none", o.OperationID, place)
					continue
				}
				for _, by := range o.Security {
					for scheme := range by {
						for who, c := range callers[scheme] {
							tried += unknownEverywhere(t, w.World, o, method, path, place, kinds, kind, who, c)
						}
					}
				}
			}
		}
		if tried < 500 {
			t.Errorf("only %d requests were tried", tried)
		}
		if after := dump(t, w.driver, w.url); after != before {
			t.Errorf("the database changed:\n%s", difference(before, after))
		}
	})
}

func unknownEverywhere(t *testing.T, w *otltest.World, o described, method, path, place string, kinds map[string]thing, kind thing, who string, c otltest.Call) (tried int) {
	t.Helper()
	send := func(id string) otltest.Reply {
		c := c
		c.Method, c.Path = method, path
		query := url.Values{}
		body := object{}
		if o.RequestBody != nil {
			maps.Copy(body, o.RequestBody.Content["application/json"].Example.(map[string]any))
		}
		for _, p := range places(o) {
			value := kinds[kindOf(path, p)].mine
			if p == place {
				value = id
			}
			plain, err := url.PathUnescape(value)
			if err != nil {
				plain = value
			}
			switch {
			case strings.Contains(path, "{"+p+"}"):
				c.Path = strings.Replace(c.Path, "{"+p+"}", value, 1)
			case o.RequestBody != nil:
				body[p] = plain
			default:
				query.Set(p, plain)
			}
		}
		if o.RequestBody != nil {
			c.Body = body
		}
		if len(query) > 0 {
			c.Path += "?" + query.Encode()
		}
		return w.Do(t, c)
	}
	if r := send(malformed(w)[0]); r.Status == http.StatusForbidden && r.Text("code") == "role_missing" {
		return 1 // this caller may do none of it, whatever he names
	}
	unknown := send(malformed(w)[0])
	want := answer(t, unknown)
	notTaken := unknown.Status == http.StatusUnprocessableEntity && strings.HasPrefix(unknown.Text("detail"), place)
	if unknown.Status != http.StatusNotFound && !notTaken {
		t.Errorf("%s by %s with an unknown %s: %s", o.OperationID, who, place, want)
		return 1
	}
	others := maps.Clone(kind.other)
	for i, id := range malformed(w) {
		others["malformed "+string(rune('a'+i))] = id
	}
	for why, id := range others {
		if o.OperationID == "restoreSite" && why == "deleted" {
			continue // which is what it is for
		}
		tried++
		r := send(id)
		if r.Status == http.StatusUnprocessableEntity && strings.HasPrefix(why, "malformed") && strings.HasPrefix(r.Text("detail"), place) {
			continue // a member of a body that breaks its own rule is told so
		}
		if got := answer(t, r); got != want {
			t.Errorf("%s by %s, %s %s:\n%s\nan unknown one: %s", o.OperationID, who, place, why, got, want)
		}
	}
	return tried
}

// TestTE02_AnotherSiteIsNotFelt asks one site everything it may read, then fills
// the other one and asks again: not a byte is different.
func TestTE02_AnotherSiteIsNotFelt(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		bearer := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		asked := func() string {
			var all []string
			for _, path := range []string{
				"/users", "/users?limit=1", "/users?q=j", "/users?email=john@dev.test", "/users/" + jane.ID, "/roles", "/sessions?user_id=" + jane.ID, "/revocations", "/webhooks", "/events",
			} {
				all = append(all, answer(t, call(t, w, w.Notes, http.MethodGet, path, nil)))
			}
			for _, path := range []string{"/users/me", "/sessions", "/sites"} {
				all = append(all, answer(t, as(t, w, bearer)(http.MethodGet, path, nil)))
			}
			return strings.Join(all, "\n")
		}
		before := asked()
		for _, name := range []string{"john", "joan", "jack"} {
			u := w.Person(t, name+"@dev.test", w.Shop.Site)
			w.Login(t, w.Shop, name+"@dev.test")
			call(t, w, w.Shop, http.MethodPost, "/roles", object{"name": name, "default": true}).Want(t, http.StatusCreated)
			call(t, w, w.Shop, http.MethodPost, "/users/"+u.ID+"/roles", object{"role": name}).Want(t, http.StatusOK)
			call(t, w, w.Shop, http.MethodDelete, "/users/"+u.ID, nil).Want(t, http.StatusOK)
		}
		if err := w.Store.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := asked(); after != before {
			t.Errorf("what happened at Shop is seen at Notes:\n%s\n\n%s", before, after)
		}
	})
}

// TestTE04_ATokenIsGoodAtItsSiteOnly sends each site's token with the other's key,
// to every operation that takes both.
func TestTE04_ATokenIsGoodAtItsSiteOnly(t *testing.T) {
	t.Parallel()
	d := describe(t)
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		bearer := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
		tried := 0
		for name, o := range d.operations() {
			takes := map[string]bool{}
			for _, by := range o.Security {
				for scheme := range by {
					takes[scheme] = true
				}
			}
			if !takes["siteKey"] || !takes["bearer"] {
				continue
			}
			method, path, _ := strings.Cut(name, " ")
			c := otltest.Call{Method: method, Path: strings.NewReplacer("{id}", jane.ID, "{role}", "r").Replace(path), Key: w.Shop.Key, Bearer: bearer}
			if o.RequestBody != nil {
				c.Body = o.RequestBody.Content["application/json"].Example
			}
			if r := w.Do(t, c); r.Status != http.StatusUnauthorized || r.Text("code") != otl.ErrToken.Code {
				t.Errorf("%s: %d %s", o.OperationID, r.Status, r.Raw)
			}
			tried++
		}
		if tried < 8 {
			t.Errorf("only %d operations were tried", tried)
		}
	})
}
