package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// TestDD10_EverybodyIsSignedOut: of tokens, browsers and devices, also beyond one step; codes that
// were sent open nothing, who was signed out signs in again, and what takes a change back is good.
func TestDD10_EverybodyIsSignedOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		for i := range 40 { // whoever comes after them is in another step
			w.Person(t, fmt.Sprintf("%d@dev.test", i))
		}
		last := w.Person(t, "zoe@dev.test")
		tokens, hers, his := open(t, w, w.Notes.Site), browse(t, w, u), browse(t, w, last)
		secrets := map[otl.Purpose][]byte{}
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeSignIn, otl.PurposeLinkCode, otl.PurposeFlow, otl.PurposeFactor, otl.PurposeStep, otl.PurposeDevice, otl.PurposeHandover, otl.PurposeUndo} {
				digest := secret.Digest(string(p))
				secrets[p] = digest
				now := w.Clock.Now()
				if err := tx.Tickets.Insert(ctx, otl.Ticket{ID: secret.NewID(now), Purpose: p, UserID: last.ID, SiteID: w.Notes.Site.ID, CreatedAt: now, ExpiresAt: now.Add(1e12)}, digest, nil); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		newcomer := secret.Digest("newcomer")
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			now := w.Clock.Now()
			return tx.Tickets.Insert(ctx, otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeLinkCode, Newcomer: true, SiteID: w.Notes.Site.ID, CreatedAt: now, ExpiresAt: now.Add(1e12)}, newcomer, nil)
		}); err != nil {
			t.Fatal(err)
		}
		n, err := session.Everybody{Sessions: w.SignIn.Sessions}.End(t.Context(), otl.EndAdmin)
		if err != nil || n != (session.Counted{People: 42, Sessions: 3}) {
			t.Fatalf("%+v %v", n, err)
		}
		refuse(t, w, tokens.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
		if err := authenticates(t, w, tokens.Access); !errors.Is(err, otl.ErrSessionRevoked) {
			t.Errorf("the access token: %v", err)
		}
		for _, b := range []session.Browser{hers, his} {
			if _, err := w.SignIn.Sessions.Browser(t.Context(), b.Cookie); !errors.Is(err, session.ErrNoBrowserSession) {
				t.Errorf("the browser of %s: %v", b.User.Email.Address, err)
			}
		}
		for p, digest := range secrets {
			_, err := w.Store.Read.Tickets.Live(t.Context(), p, digest, w.Clock.Now())
			if errors.Is(err, store.ErrNotFound) != (p != otl.PurposeUndo) {
				t.Errorf("%s: %v", p, err)
			}
		}
		if _, err := w.Store.Read.Tickets.Live(t.Context(), otl.PurposeLinkCode, newcomer, w.Clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a newcomer's: %v", err)
		}
		if got := events(t, w, otl.EventSessionRevoked); len(got) != 3 {
			t.Errorf("%d entries of sessions", len(got))
		}
		all := events(t, w, otl.EventAllSignedOut)
		if len(all) != 1 || all[0].Data[otl.DataPeople] != "42" || all[0].Data[otl.DataSessions] != "3" || all[0].Data[otl.DataReason] != "admin" {
			t.Errorf("%+v", all)
		}
		if newest, err := w.Feed.Newest(t.Context()); err != nil || newest != 43 { // of Jane's two sessions each is one
			t.Errorf("%d entries of the feed, %v", newest, err)
		}
		if err := authenticates(t, w, open(t, w, w.Notes.Site).Access); err != nil {
			t.Errorf("signed in again: %v", err)
		}
	})
}

// TestDD10_WhoeverGivesUpIsNotAtTheEnd: what was done stands, and the log does not say that it was all.
func TestDD10_WhoeverGivesUpIsNotAtTheEnd(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n, err := session.Everybody{Sessions: w.SignIn.Sessions}.End(ctx, otl.EndAdmin)
		if !errors.Is(err, context.Canceled) || n.People != 0 {
			t.Errorf("%+v %v", n, err)
		}
		if all := events(t, w, otl.EventAllSignedOut); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}
