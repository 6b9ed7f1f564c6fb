package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// comes signs somebody in to a client in a browser and gives the code.
func (x *provider) comes(t *testing.T, b *otltest.Browser, c site.MadeClient, email string) string {
	t.Helper()
	p := b.Get(x.ask(c, nil))
	if p.Left == nil && p.Fields("/signin") != nil {
		p = b.Submit(p, "/signin", map[string]string{"identifier": email, "password": otltest.Password})
	}
	if p.Left == nil && p.Fields("consent") != nil {
		p = b.Submit(p, "consent", nil)
	}
	if p.Left == nil || p.Left.Query().Get("code") == "" {
		t.Fatalf("%s: %d %s %v", email, p.Status, p.Title, p.Left)
	}
	return p.Left.Query().Get("code")
}

// TestOA14_WhatNoLongerStands is the matrix of causes and doors: once the person, the site,
// the consent, a field it required or the client is gone, no token is renewed, read or
// looked at, and no code is exchanged.
func TestOA14_WhatNoLongerStands(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		owner, yes := x.Person(t, "owner@dev.test"), true
		for name, end := range map[string]func(of otl.Site, c site.MadeClient, u otl.User) error{
			"disabled": func(_ otl.Site, _ site.MadeClient, u otl.User) error {
				return x.Accounts.SetDisabled(t.Context(), u.ID, true)
			},
			"deleted": func(_ otl.Site, _ site.MadeClient, u otl.User) error { return x.Accounts.Delete(t.Context(), u.ID) },
			"suspended": func(of otl.Site, _ site.MadeClient, u otl.User) error {
				_, err := x.Members.Change(t.Context(), of, u.ID, account.MemberChange{Suspended: &yes})
				return err
			},
			"left": func(of otl.Site, _ site.MadeClient, u otl.User) error {
				return x.Accounts.Leave(t.Context(), of.ID, u.ID)
			},
			"field": func(of otl.Site, _ site.MadeClient, u otl.User) error {
				return account.Consents{Accounts: x.Accounts}.Limit(t.Context(), u.ID, of.ID, otl.Fields{otl.FieldEmail})
			},
			"client": func(of otl.Site, c site.MadeClient, _ otl.User) error {
				return x.Clients.Revoke(t.Context(), of.ID, c.ID)
			},
			"site": func(of otl.Site, _ site.MadeClient, _ otl.User) error {
				_, err := x.Sites.Delete(t.Context(), owner.ID, of.ID)
				return err
			},
		} {
			email := name + "@dev.test"
			u := x.Person(t, email)
			s := x.Register(t, site.Registration{Name: name, Owner: owner.ID, Requested: otl.Fields{otl.FieldEmail, otl.FieldName}, Required: otl.Fields{otl.FieldName}})
			c, err := x.Clients.Create(t.Context(), s.Site.ID, site.NewClient{Name: name, RedirectURIs: []string{callback}})
			if err != nil {
				t.Fatal(err)
			}
			b := x.Browser(t)
			r := x.exchange(t, c, x.comes(t, b, c, email), nil).Want(t, http.StatusOK)
			code := x.comes(t, b, c, email)
			x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
			if err := end(s.Site, c, u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}); got.Status != http.StatusUnauthorized {
				t.Errorf("%s: userinfo %d %s", name, got.Status, got.Raw)
			}
			word := "invalid_grant"
			if name == "client" || name == "site" {
				word = "invalid_client"
			} else if got := x.form(t, "/oidc/introspect", c, url.Values{"token": {r.Text("access_token")}}); strings.TrimSpace(string(got.Raw)) != `{"active":false}` {
				t.Errorf("%s: introspection %s", name, got.Raw)
			}
			if got := x.form(t, "/oidc/token", c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.Text("refresh_token")}}); got.Text("error") != word {
				t.Errorf("%s: refresh %d %s", name, got.Status, got.Raw)
			}
			if got := x.exchange(t, c, code, nil); got.Text("error") != word {
				t.Errorf("%s: code %d %s", name, got.Status, got.Raw)
			}
		}
	})
}

// TestOA13_AnOldIDTokenSignsNobodyOut: whoever kept one, of this browser or of another, has
// the person asked; that of the session there is signs him out at once.
func TestOA13_AnOldIDTokenSignsNobodyOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		in := func(b *otltest.Browser) string {
			return x.exchange(t, x.client, x.comes(t, b, x.client, jane), nil).Want(t, http.StatusOK).Text("id_token")
		}
		out := func(b *otltest.Browser, hint string) otltest.Page {
			return b.Get("/oidc/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
		}
		b, other := x.browser, x.Browser(t)
		old := in(b)
		b.Submit(b.Get("/signout"), "signout", map[string]string{"where": "here"})
		x.Clock.Advance(time.Minute)
		now, elsewhere := in(b), in(other)
		for name, hint := range map[string]string{"an old one": old, "another browser's": elsewhere} {
			if p := out(b, hint); p.Title != "Sign out" || b.Get("/account").Title != "Your account" {
				t.Errorf("%s: %s", name, p.Title)
			}
		}
		if p := b.Send("/oidc/logout", url.Values{"id_token_hint": {now}}); p.Title != "You're signed out" || b.Get("/account").Title == "Your account" || other.Get("/account").Title != "Your account" {
			t.Errorf("its own: %s", p.Title)
		}
	})
}

// TestPushedRequestsGoSoon: what was sent ahead and never brought is deleted once it is
// over, a visit that goes on stays; a client has no more waiting than its pace allows.
func TestPushedRequestsGoSoon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		q, err := url.ParseQuery(strings.SplitN(x.ask(x.client, nil), "?", 2)[1])
		if err != nil {
			t.Fatal(err)
		}
		x.form(t, "/oidc/par", x.client, q).Want(t, http.StatusCreated)
		x.browser.Get(x.ask(x.client, nil)) // a visit
		x.Clock.Advance(2 * time.Minute)
		if err := x.Flows.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if n, err := tx.Flows.Prune(ctx, x.Clock.Now().Add(time.Hour), 10); err != nil || n != 1 {
				t.Errorf("%d were left: %v", n, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f := *x.Flows
		f.Pushes = &limit.Pace{Limits: &limit.Limits{Store: x.Store, Now: x.Clock.Now}, Rate: limit.Rate{Name: "pushes", Uses: 3, Per: time.Minute}}
		push := func(c site.MadeClient) error {
			_, err := f.Push(t.Context(), x.Notes.Site, otl.Asked{Client: c.ID})
			return err
		}
		for range 3 {
			if err := push(x.client); err != nil {
				t.Fatal(err)
			}
		}
		if err := push(x.client); otl.As(err).Kind != otl.Limited || push(x.second) != nil {
			t.Errorf("one more: %v", err)
		}
	})
}
