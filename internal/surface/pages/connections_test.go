package pages_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// ticked gives the fields that are ticked on a page of consent, or fixed.
func ticked(p otltest.Page) []string { return p.Fields("consent")["fields"] }

// TestOA08_WhatWasLeftOutStaysOut: whoever is asked again finds what he refused unticked,
// and what he has not decided on marked; a press on Connect gives back nothing.
func TestOA08_WhatWasLeftOutStaysOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := w.Register(t, site.Registration{Name: "Asks", Callbacks: []string{"https://asks.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}})
		u := w.Person(t, jane)
		b := home(t, w)
		p := b.Get(request(s, nil))
		if got := ticked(p); !slices.Equal(got, []string{"email", "name", "phone"}) {
			t.Errorf("at first: %v", got)
		}
		holds(t, p, "!class=\"tag\"", "!asks for more", "\u2068"+jane+"\u2069</bdi> · not verified") // no tags the first time
		arrives(t, b.Submit(p, "consent", map[string]string{"fields": "email name"}), s)
		again := b.Get(request(s, map[string]string{"prompt": "consent"}))
		if got := ticked(again); !slices.Equal(got, []string{"email", "name"}) {
			t.Errorf("what was left out is ticked again: %v", got)
		}
		arrives(t, b.Submit(again, "consent", nil), s)
		if err := (account.Consents{Accounts: w.Accounts}).Limit(t.Context(), u.ID, s.Site.ID, otl.Fields{otl.FieldEmail}); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			now, err := tx.Sites.ByID(ctx, s.Site.ID)
			now.Requested = append(now.Requested, otl.FieldLocale)
			if err == nil {
				_, err = tx.Sites.Update(ctx, now)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		more := b.Get(request(s, nil))
		if got := ticked(more); !slices.Equal(got, []string{"email", "locale"}) {
			t.Errorf("more than before: %v", got)
		}
		holds(t, more, "asks for more than before", "Language <strong class=\"tag\">new</strong>")
		if n := strings.Count(string(more.Raw), "class=\"tag\""); n != 1 {
			t.Errorf("%d are marked", n)
		}
	})
}

// TestADisconnectedSiteSaysWhereItIsAsked: the question before it shows the links of the
// site, which are not ours and are not told where one comes from.
func TestADisconnectedSiteSaysWhereItIsAsked(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Brands.Put(ctx, w.Notes.Site.ID, otl.Brand{Links: []otl.BrandLink{{Text: "Privacy", URL: "https://notes.test/privacy"}}})
		}); err != nil {
			t.Fatal(err)
		}
		b := home(t, w)
		holds(t, b.Get("/account/sites/"+w.Notes.Site.ID+"/disconnect"), `<a href="https://notes.test/privacy" rel="noreferrer">Privacy</a>`)
	})
}

// TestWhatWasDoneIsSaidOnceAndByNoLink: that a site was let go and which one, or that something was saved; whoever opens a page
// by somebody's link, or again, is told nothing.
func TestWhatWasDoneIsSaidOnceAndByNoLink(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		b := home(t, w)
		const gone, saved = `role="status">Notes disconnected`, `role="status">Saved.`
		p := b.Get("/account/sites/" + w.Notes.Site.ID + "/disconnect")
		p = b.Submit(p, p.Path, nil)
		holds(t, p, gone, "!"+saved)
		holds(t, b.Get("/account"), "!"+gone, "!"+saved)
		for _, id := range []string{w.Shop.Site.ID, "x"} { // a cookie that he did not get
			b.Cookies["__Host-otl_done"] = cookie.DoneLeft + id
			holds(t, b.Get("/account"), `!role="status"`)
		}
		p = b.Submit(b.Get("/account/profile"), "/account/profile", map[string]string{"name": "Jane Doe"})
		holds(t, p, saved)
		for _, path := range []string{"/account", "/account/profile", "/account/security", "/account/sessions", "/account/data"} {
			holds(t, b.Get(path+"?saved=1&changed=name"), "!"+saved, "!"+gone)
		}
	})
}

// TestTheFirstPageOfTheAccount: what keeps the account safe, what happened lately, what he
// is at each site.
func TestTheFirstPageOfTheAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/roles", Key: w.Notes.Key, Body: map[string]string{"name": "editor"}}).Want(t, http.StatusCreated)
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/roles/assign", Key: w.Notes.Key, Body: map[string]string{"user_id": u.ID, "role": "editor"}}).Want(t, http.StatusOK)
		b := home(t, w)
		holds(t, b.Get("/account"), "Your roles there: \u2068editor\u2069")
		holds(t, b.Get("/account"), "No passkey yet.", "No second step yet.", "!Codes left", "Signed in to \u2068OneTimeLogin\u2069", `href="/account/security"`)
		secondFactors(t, w, u)
		p := b.Get("/account")
		holds(t, p, "A second step is on.", "Codes left: 0", "Make new codes")
		if got := b.Get("/account/security"); got.Status != http.StatusOK {
			t.Fatal(got.Status)
		}
		holds(t, b.Get("/account/security"), "since 2 January 2026", "Links and codes by email", jane, `href="/account/security" aria-current="page"`)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Passwords.Remove(ctx, u.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Get("/account/security"), "none yet")
	})
}
