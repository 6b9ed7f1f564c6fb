package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// planted is what waits to be used by somebody at a site, by its purpose.
type planted map[otl.Purpose][]byte

// plants writes a ticket of somebody at a site for each purpose.
func plants(t *testing.T, w *otltest.World, userID, siteID string, all ...otl.Purpose) planted {
	t.Helper()
	out, now := planted{}, w.Clock.Now()
	if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
		for _, p := range all {
			one := otl.Ticket{ID: secret.NewID(now), Purpose: p, UserID: userID, SiteID: siteID, Data: map[string]string{}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
			one.Slot, out[p] = one.ID, secret.Digest(one.ID)
			if err := tx.Tickets.Insert(ctx, one, out[p], nil); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// left fails the test unless what can be used of them are those of some purposes.
func (p planted) left(t *testing.T, w *otltest.World, what string, stay ...otl.Purpose) {
	t.Helper()
	for purpose, digest := range p {
		_, err := w.Store.Read.Tickets.Live(t.Context(), purpose, digest, w.Clock.Now())
		if err != nil && !errors.Is(err, store.ErrNotFound) || (err == nil) != slices.Contains(stay, purpose) {
			t.Errorf("%s: %s: %v", what, purpose, err)
		}
	}
}

// TestSE05_WhatGoesWithTheSessionsOfAPerson: proofs that are kept for later at the sites of the sessions, and changes that wait
// wherever. What he has on paper, and what takes a change back, stays his.
func TestSE05_WhatGoesWithTheSessionsOfAPerson(t *testing.T) {
	t.Parallel()
	proofs := []otl.Purpose{otl.PurposeDevice, otl.PurposeStep, otl.PurposeHandover, otl.PurposeLinkCode}
	changes := []otl.Purpose{otl.PurposeEmailChange, otl.PurposePhoneChange}
	his := []otl.Purpose{otl.PurposeRecovery, otl.PurposeUndo, otl.PurposeReset}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, joe := w.Person(t, jane, w.Notes.Site, w.Shop.Site), w.Person(t, "joe@dev.test", w.Notes.Site)
		for _, everywhere := range []bool{false, true} {
			here := plants(t, w, u.ID, w.Notes.Site.ID, slices.Concat(proofs, changes, his)...)
			there := plants(t, w, u.ID, w.Shop.Site.ID, slices.Concat(proofs, changes, his)...)
			joes := plants(t, w, joe.ID, w.Notes.Site.ID, slices.Concat(proofs, changes, his)...)
			site, stay := w.Notes.Site.ID, slices.Concat(proofs, his)
			if everywhere {
				site, stay = "", his
			}
			w.Clock.Advance(time.Second)
			if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := w.SignIn.Sessions.EndAll(ctx, tx, u.ID, site, "", otl.EndLogout)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			here.left(t, w, "at "+site, his...)
			there.left(t, w, "at another than "+site, stay...)
			joes.left(t, w, "of somebody else", slices.Concat(proofs, changes, his)...)
		}
	})
}

// TestOT16_WhatGoesByAFirstProof: whatever was given out before, but for what was sent to the address;
// and every session but the one in which it was proven, at whichever site.
func TestOT16_WhatGoesByAFirstProof(t *testing.T) {
	t.Parallel()
	goes := []otl.Purpose{
		otl.PurposeReset, otl.PurposeUndo, otl.PurposeRecovery, otl.PurposeDevice, otl.PurposeFactor, otl.PurposeStep, otl.PurposeStandIn, otl.PurposeFactorUndo,
		otl.PurposeEmailChange, otl.PurposePhoneChange, otl.PurposeHandover, otl.PurposeLinkCode,
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		here, there := plants(t, w, u.ID, w.Notes.Site.ID, append(goes, otl.PurposeSignIn)...), plants(t, w, u.ID, w.Shop.Site.ID, goes...)
		own, other, shop, pages := open(t, w, w.Notes.Site), open(t, w, w.Notes.Site), open(t, w, w.Shop.Site), browse(t, w, u)
		w.Clock.Advance(time.Second)
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.Uproot(ctx, tx, w.Factors, u.ID, w.Notes.Site.ID, own.Session.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		here.left(t, w, "at the site", otl.PurposeSignIn)
		there.left(t, w, "at another")
		for id, why := range map[string]otl.EndReason{own.Session.ID: "", other.Session.ID: otl.EndUnproven, shop.Session.ID: otl.EndUnproven, pages.Session.ID: otl.EndUnproven} {
			if got := ended(t, w, id); got != why {
				t.Errorf("a session: %q, want %q", got, why)
			}
		}
	})
}

// TestSE13_ACookieThatADeletedSiteMayHold opens nothing, and one that a site may hold is offered to nobody once another took its
// place. A site that is restored has its sessions back.
func TestSE13_ACookieThatADeletedSiteMayHold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Shop.Site)
		own := browse(t, w, u)
		var handed session.Browser
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			st := store.Standing{User: u, Site: own.Site, Session: otl.Session{HandedBy: w.Shop.Site.ID}}
			handed, err = w.SignIn.Sessions.OpenBrowser(ctx, tx, st, pass(t, w, tx, st, otl.MethodPassword), &otl.Request{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		now := w.Clock.Now()
		for what, change := range []func(context.Context, *store.Tx) (bool, error){
			nil,
			func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.Sites.Delete(ctx, w.Shop.Site.ID, false, now)
			},
			func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.Sites.Restore(ctx, w.Shop.Site.ID, false, now.Add(-time.Hour), now)
			},
		} {
			if change != nil {
				if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
					_, err := change(ctx, tx)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := holds(t, w, handed.Cookie), what != 1; got != want || !holds(t, w, own.Cookie) {
				t.Errorf("after %d changes: %v", what, got)
			}
		}
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			return w.SignIn.Sessions.Supersede(ctx, tx, handed, own)
		}); err != nil {
			t.Fatal(err)
		}
		for want, b := range map[error]session.Browser{session.ErrNoBrowserSession: handed, nil: own} {
			if _, err := (session.Formers{Sessions: w.SignIn.Sessions}).Of(t.Context(), b.Cookie); !errors.Is(err, want) {
				t.Errorf("offered: %v, want %v", err, want)
			}
		}
	})
}

// TestSE04_ACookieIsRefusedOnceAnotherTookItsPlace: at once, though what it held was read a moment ago, and no token was made void.
func TestSE04_ACookieIsRefusedOnceAnotherTookItsPlace(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		first, second, site := browse(t, w, u), browse(t, w, u), open(t, w, w.Notes.Site)
		if !holds(t, w, first.Cookie) || !holds(t, w, second.Cookie) {
			t.Fatal("one of two holds nothing")
		}
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error { return w.SignIn.Sessions.Supersede(ctx, tx, first) }); err != nil {
			t.Fatal(err)
		}
		if holds(t, w, first.Cookie) || !holds(t, w, second.Cookie) {
			t.Error("the one whose place was taken holds a session, or the other none")
		}
		if err := authenticates(t, w, site.Access); err != nil {
			t.Errorf("at a site: %v", err)
		}
	})
}

// TestMF06_WhatMeetsADemand: two kinds of proof, or the authority of whoever runs the server; not two of a kind, nor a code that
// somebody was handed.
func TestMF06_WhatMeetsADemand(t *testing.T) {
	t.Parallel()
	site := otl.Site{MFA: otl.MFARequired}
	for stored, want := range map[string]struct {
		meets   bool
		factors int
	}{
		"":             {false, 0},
		"pwd":          {false, 1},
		"pwd otp":      {false, 1},
		"otp":          {false, 0},
		"eotp eml":     {false, 1},
		"eml recovery": {true, 2},
		"pwd totp":     {true, 2},
		"pwd otp sms":  {true, 2},
		"webauthn":     {false, 1},
		"webauthn uv":  {true, 2},
		"admin":        {true, 0},
		"pwd admin":    {true, 1},
	} {
		ms := otl.StoredMethods(stored)
		if ms.Meets(site, nil) != want.meets || ms.Factors() != want.factors || !ms.Meets(otl.Site{MFA: otl.MFAOptional}, nil) {
			t.Errorf("%q: %v, %d factors", stored, ms.Meets(site, nil), ms.Factors())
		}
	}
}

// TestSE07_ABrowserSessionEndsForItsPerson: by the id of another person nothing ends.
func TestSE07_ABrowserSessionEndsForItsPerson(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, joe := browse(t, w, w.Person(t, jane)), w.Person(t, "joe@dev.test")
		ends := func(userID string) error {
			return write(t, w, func(ctx context.Context, tx *store.Tx) error {
				return w.SignIn.Sessions.EndBrowser(ctx, tx, userID, b.Session.ID, otl.EndLogout)
			})
		}
		if err := ends(joe.ID); !errors.Is(err, store.ErrNotFound) || !holds(t, w, b.Cookie) {
			t.Errorf("for somebody else: %v", err)
		}
		if err := ends(b.User.ID); err != nil || holds(t, w, b.Cookie) {
			t.Errorf("for whose it is: %v", err)
		}
	})
}
