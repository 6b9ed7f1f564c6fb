package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOA23_WhoHoldsASession: a session of a client is its own, one that is bound to a key is whose key it is, and what
// proves nothing has only its own.
func TestOA23_WhoHoldsASession(t *testing.T) {
	t.Parallel()
	site, a, b, public := session.Holder{}, session.Holder{Client: "a"}, session.Holder{Client: "b"}, session.Holder{Client: "a", Public: true}
	bound, other := session.Holder{Client: "a", Key: "k"}, session.Holder{Client: "a", Key: "l"}
	for _, c := range []struct {
		what string
		by   session.Holder
		of   otl.Session
		want bool
	}{
		{"the site itself", site, otl.Session{}, true},
		{"a program of the site that has proven to be one", a, otl.Session{}, true},
		{"one that has not", public, otl.Session{}, false},
		{"its client", a, otl.Session{Client: "a"}, true},
		{"its client, which proves nothing", public, otl.Session{Client: "a"}, true},
		{"another client", b, otl.Session{Client: "a"}, false},
		{"the site, of a client's", site, otl.Session{Client: "a"}, false},
		{"its key", bound, otl.Session{Client: "a", ProofKey: "k"}, true},
		{"another key", other, otl.Session{Client: "a", ProofKey: "k"}, false},
		{"no key", a, otl.Session{Client: "a", ProofKey: "k"}, false},
		{"a key where none is asked for", bound, otl.Session{Client: "a"}, true},
	} {
		if got := c.by.Holds(c.of); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// shut is what keeps somebody out of a site, each since a time, and for the zero time not any more.
func shut(userID, siteID string) map[string]func(ctx context.Context, tx *store.Tx, since time.Time) error {
	return map[string]func(ctx context.Context, tx *store.Tx, since time.Time) error{
		"disabled": func(ctx context.Context, tx *store.Tx, since time.Time) error {
			_, err := tx.Users.SetDisabled(ctx, userID, since)
			return err
		},
		"leaving": func(ctx context.Context, tx *store.Tx, since time.Time) error {
			_, err := tx.Users.SetDeleteAt(ctx, userID, since)
			return err
		},
		"suspended": func(ctx context.Context, tx *store.Tx, since time.Time) error {
			g, err := tx.Grants.Of(ctx, userID, siteID)
			if err == nil {
				_, err = tx.Grants.Suspend(ctx, g, since, time.Time{})
			}
			return err
		},
	}
}

// TestSE13_WhoResumesASession: it goes on for its holder at its site and for its person, as long as it lives, and he and
// the site let each other in.
func TestSE13_WhoResumesASession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, joe := w.Person(t, jane, w.Notes.Site, w.Shop.Site), w.Person(t, "joe@dev.test", w.Notes.Site)
		var id string
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		begin := func() {
			must(write(t, w, func(ctx context.Context, tx *store.Tx) error {
				g, err := tx.Grants.Of(ctx, u.ID, w.Notes.Site.ID)
				if err != nil {
					return err
				}
				st := store.Standing{User: u, Site: w.Notes.Site, Grant: g, Session: otl.Session{Client: "c", ProofKey: "k"}}
				_, err = w.SignIn.Sessions.Open(ctx, tx, &st, pass(t, w, tx, st, otl.MethodPassword), &otl.Request{})
				id = st.Session.ID
				return err
			}))
		}
		by := session.Holder{Client: "c", Key: "k"}
		resumes := func(what string, by session.Holder, siteID, userID, id string, want error) {
			t.Helper()
			err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := w.SignIn.Sessions.Resume(ctx, tx, by, siteID, userID, id, otl.MethodTOTP)
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		at := w.Notes.Site.ID
		begin()
		resumes("its own", by, at, u.ID, id, nil)
		resumes("of anybody", by, at, "", id, nil)
		if s := standing(t, w, id).Session; s.Methods.String() != "pwd totp" || s.Client != "c" {
			t.Errorf("%+v", s)
		}
		resumes("at another site", by, w.Shop.Site.ID, u.ID, id, session.ErrNone)
		resumes("of another person", by, at, joe.ID, id, session.ErrNone)
		resumes("by another client", session.Holder{Client: "d", Key: "k"}, at, u.ID, id, session.ErrNone)
		resumes("without its key", session.Holder{Client: "c"}, at, u.ID, id, session.ErrNone)
		resumes("of no such", by, at, u.ID, u.ID, session.ErrNone)

		now := w.Clock.Now()
		for what, change := range shut(u.ID, at) {
			must(write(t, w, func(ctx context.Context, tx *store.Tx) error { return change(ctx, tx, now) }))
			resumes(what, by, at, u.ID, id, session.ErrNone)
			must(write(t, w, func(ctx context.Context, tx *store.Tx) error { return change(ctx, tx, time.Time{}) }))
			resumes("not "+what+" any more", by, at, u.ID, id, nil)
		}
		w.Clock.Advance(30 * 24 * time.Hour)
		resumes("unused for thirty days", by, at, u.ID, id, session.ErrNone)
		begin()
		must(write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sessions.End(ctx, id, otl.EndLogout, w.Clock.Now())
			return err
		}))
		resumes("ended", by, at, u.ID, id, session.ErrNone)
		begin()
		must(write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Grants.Revoke(ctx, u.ID, at, w.Clock.Now())
			return err
		}))
		resumes("of a site he left", by, at, u.ID, id, session.ErrNone)
	})
}
