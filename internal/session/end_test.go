package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSE07_EveryReasonToEndButOneRaisesTheVersion: and the version given back is
// the one in the store.
func TestSE07_EveryReasonToEndButOneRaisesTheVersion(t *testing.T) {
	t.Parallel()
	reasons := []otl.EndReason{
		otl.EndLogout, otl.EndAdmin, otl.EndPasswordChange, otl.EndRefreshReuse, otl.EndUserDisabled,
		otl.EndConsentWithdrawn, otl.EndUserDeleted, otl.EndSuperseded,
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		stored := 1
		for _, reason := range reasons {
			tokens, other := open(t, w, w.Notes.Site), open(t, w, w.Notes.Site)
			var version int
			err := write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
				version, err = w.SignIn.Sessions.End(ctx, tx, u.ID, tokens.Session.ID, reason)
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", reason, err)
			}
			want, others := 0, error(nil)
			if reason != otl.EndSuperseded {
				stored++
				want, others = stored, otl.ErrSessionStale
			}
			if now := standing(t, w, other.Session.ID).User.SessionVersion; version != want || now != stored {
				t.Errorf("%s gave version %d, want %d; stored %d, want %d", reason, version, want, now, stored)
			}
			if err := authenticates(t, w, tokens.Access); !errors.Is(err, otl.ErrSessionRevoked) {
				t.Errorf("%s, the session: %v", reason, err)
			}
			if err := authenticates(t, w, other.Access); !errors.Is(err, others) {
				t.Errorf("%s, another one: %v", reason, err)
			}
			if why := ended(t, w, tokens.Session.ID); why != reason {
				t.Errorf("stored as %q", why)
			}
		}
		if n := len(events(t, w, otl.EventSessionRevoked)); n != len(reasons) {
			t.Errorf("%d events", n)
		}
	})
}

// TestEnd_Twice: the second call finds nothing, and its transaction leaves
// nothing: no version, no event, no entry of the feed.
func TestEnd_Twice(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		tokens := open(t, w, w.Notes.Site)
		end := func(userID, id string) error {
			return write(t, w, func(ctx context.Context, tx *store.Tx) error {
				_, err := w.SignIn.Sessions.End(ctx, tx, userID, id, otl.EndLogout)
				return err
			})
		}
		if err := end(u.ID, tokens.Session.ID); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{tokens.Session.ID, "", "01J00000000000000000000000"} {
			if err := end(u.ID, id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if err := end("nobody", tokens.Session.ID); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		if v := standing(t, w, tokens.Session.ID).User.SessionVersion; v != 2 {
			t.Errorf("the version is %d", v)
		}
		newest, err := w.Feed.Newest(t.Context())
		if err != nil || newest != 1 || len(events(t, w, otl.EventSessionRevoked)) != 1 {
			t.Errorf("%d entries, %v", newest, err)
		}
	})
}

func TestEndAll_EndsWhatItIsAskedTo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		john := w.Person(t, "john@dev.test", w.Notes.Site)
		var foreign store.Standing
		foreign.User, foreign.Site = john, w.Notes.Site
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.Open(ctx, tx, &foreign, pass(t, w, tx, foreign), &otl.Request{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		all := func() []session.Tokens {
			return []session.Tokens{open(t, w, w.Notes.Site), open(t, w, w.Notes.Site), open(t, w, w.Shop.Site)}
		}
		for i, c := range []struct {
			name, site string
			keep       int   // index of the one to keep, -1 for none
			left       []int // indices of those that live on
		}{
			{"everywhere", "", -1, nil},
			{"at one site", w.Notes.Site.ID, -1, []int{2}},
			{"everywhere but one", "", 1, []int{1}},
			{"at one site but one", w.Notes.Site.ID, 0, []int{0, 2}},
			{"at a site without any", "01J00000000000000000000000", -1, []int{0, 1, 2}},
		} {
			opened := all()
			keep := ""
			if c.keep >= 0 {
				keep = opened[c.keep].Session.ID
			}
			var version int
			if err := write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
				version, err = w.SignIn.Sessions.EndAll(ctx, tx, u.ID, c.site, keep, otl.EndAdmin)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if version != i+2 {
				t.Errorf("%s: version %d", c.name, version)
			}
			for n, one := range opened {
				if lives := ended(t, w, one.Session.ID) == ""; lives != slices.Contains(c.left, n) {
					t.Errorf("%s: session %d lives: %v", c.name, n, lives)
				}
				if err := authenticates(t, w, one.Access); err == nil {
					t.Errorf("%s: access token %d is still good", c.name, n)
				}
			}
			if why := ended(t, w, foreign.Session.ID); why != "" {
				t.Fatalf("%s ended somebody else's session for %q", c.name, why)
			}
		}
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.EndAll(ctx, tx, "nobody", "", "", otl.EndAdmin)
			return err
		}); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestEndAll_TellsTheFeedThoughNoSessionWasLeft: a raised version voids access
// tokens that verifiers elsewhere may still hold.
func TestEndAll_TellsTheFeedThoughNoSessionWasLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.SignIn.Sessions.EndAll(ctx, tx, u.ID, "", "", otl.EndAdmin)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		told, err := w.Store.Read.Revocations.Of(t.Context(), w.Notes.Site.ID, 0, 9, 10)
		if err != nil || len(told) != 1 || told[0].UserID != u.ID || told[0].SessionID != "" || told[0].SessionVersion != 2 {
			t.Errorf("%+v, %v", told, err)
		}
	})
}

// TestLive_EndsWithEitherTime is about the list that people see.
func TestLive_EndsWithEitherTime(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		open(t, w, w.Notes.Site)
		for _, c := range []struct {
			forward time.Duration
			want    int
		}{{30*day - time.Millisecond, 1}, {time.Millisecond, 0}} {
			w.Clock.Advance(c.forward)
			live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10)
			if err != nil || len(live) != c.want {
				t.Errorf("%d sessions, %v", len(live), err)
			}
		}
	})
}
