package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

const day = 24 * time.Hour

// TestSE02_AccessTokensLiveThirtyMinutes: good one millisecond before, refused
// at the moment itself.
func TestSE02_AccessTokensLiveThirtyMinutes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		tokens := open(t, w, w.Notes.Site)
		if tokens.ExpiresIn != 30*time.Minute {
			t.Errorf("said to live %s", tokens.ExpiresIn)
		}
		w.Clock.Advance(30*time.Minute - time.Millisecond)
		if err := authenticates(t, w, tokens.Access); err != nil {
			t.Errorf("a millisecond before: %v", err)
		}
		w.Clock.Advance(time.Millisecond)
		if err := authenticates(t, w, tokens.Access); !errors.Is(err, otl.ErrToken) {
			t.Errorf("at the moment: %v", err)
		}
	})
}

func TestSE02_RefreshTokensLiveThirtyDaysSinceTheLastOne(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		late, current := open(t, w, w.Notes.Site), open(t, w, w.Notes.Site)
		for range 2 { // sliding: each exchange begins another 30 days
			w.Clock.Advance(30*day - time.Millisecond)
			current = renew(t, w, current.Refresh, w.Notes.Site)
		}
		w.Clock.Advance(-30*day + 2*time.Millisecond) // 30 days after the sign-in
		refuse(t, w, late.Refresh, w.Notes.Site, otl.ErrRefresh)
		if why := ended(t, w, late.Session.ID); why != "" {
			t.Errorf("being late ended the session for %q", why)
		}
	})
}

func TestSE02_SessionsLiveNinetyDaysHoweverOftenRefreshed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		current := open(t, w, w.Notes.Site)
		first := current.Session
		for range 4 {
			w.Clock.Advance(20 * day)
			current = renew(t, w, current.Refresh, w.Notes.Site)
		}
		if by := current.Session.RefreshBy; !by.Equal(first.CreatedAt.Add(90 * day)) {
			t.Errorf("the last refresh token lives until %s", by)
		}
		w.Clock.Advance(10*day - 10*time.Minute)
		current = renew(t, w, current.Refresh, w.Notes.Site)
		if current.ExpiresIn != 10*time.Minute {
			t.Errorf("an access token that outlives its session: %s", current.ExpiresIn)
		}
		w.Clock.Advance(10*time.Minute - time.Millisecond)
		if err := authenticates(t, w, current.Access); err != nil {
			t.Errorf("a millisecond before: %v", err)
		}
		w.Clock.Advance(time.Millisecond)
		refuse(t, w, current.Refresh, w.Notes.Site, otl.ErrRefresh)
		if err := authenticates(t, w, current.Access); !errors.Is(err, otl.ErrToken) {
			t.Errorf("at the moment: %v", err)
		}
	})
}

// TestSE02_ARefreshTokenNeverOutlivesAShorterSession: whatever is configured.
func TestSE02_ARefreshTokenNeverOutlivesAShorterSession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		tokens := open(t, w, w.Notes.Site)
		if s := tokens.Session; !s.RefreshBy.Equal(s.ExpiresAt) || tokens.ExpiresIn != time.Minute {
			t.Errorf("refresh by %s, expires %s, access token %s", s.RefreshBy, s.ExpiresAt, tokens.ExpiresIn)
		}
	}, func(o *node.Options) { o.SessionMaxAge = time.Minute })
}

func TestSE10_ARefreshTokenExchangesOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		w.Clock.Advance(time.Hour)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		s := standing(t, w, first.Session.ID).Session
		if s.Refresh.Generation != 1 || !s.LastSeenAt.Equal(w.Clock.Now()) || !s.RefreshBy.Equal(w.Clock.Now().Add(30*day)) ||
			!s.AuthAt.Equal(first.Session.AuthAt) {
			t.Errorf("%+v", s)
		}
		if second.Session.ID != first.Session.ID || second.Refresh.Reveal() == first.Refresh.Reveal() || second.User.ID != first.User.ID {
			t.Error("not the same session with another token")
		}
		lives(t, w, s.ID, second.Refresh)
		if err := authenticates(t, w, second.Access); err != nil {
			t.Error(err)
		}
		w.Clock.Advance(time.Minute)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
	})
}

// TestSE11_GraceGivesTheSameSuccessor: within ten seconds, as often as asked,
// byte for byte, and without another exchange.
func TestSE11_GraceGivesTheSameSuccessor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		w.Clock.Advance(10*time.Second - time.Millisecond)
		for range 3 {
			again := renew(t, w, first.Refresh, w.Notes.Site)
			if again.Refresh.Reveal() != second.Refresh.Reveal() {
				t.Fatal("another successor")
			}
			if err := authenticates(t, w, again.Access); err != nil {
				t.Error(err)
			}
		}
		if s := standing(t, w, first.Session.ID).Session; s.Refresh.Generation != 1 || !s.LastSeenAt.Equal(second.Session.LastSeenAt) {
			t.Errorf("a repeated exchange wrote: %+v", s)
		}
		w.Clock.Advance(time.Millisecond)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
		refuse(t, w, second.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
	})
}

func TestSE11_NoGraceOnceTheSuccessorWasUsed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		third := renew(t, w, second.Refresh, w.Notes.Site)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused) // in the same moment
		refuse(t, w, third.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
	})
}

func TestSE11_GraceOfZeroIsNone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		renew(t, w, first.Refresh, w.Notes.Site)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
	}, func(o *node.Options) { o.RefreshGrace = 0 })
}

// TestSE11_FiveGenerations: of five tokens exchanged within the grace period
// only the last gets its successor again; each older one ends the session.
func TestSE11_FiveGenerations(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for used := range 5 {
			var chain []session.Tokens
			chain = append(chain, open(t, w, w.Notes.Site))
			for range 5 {
				w.Clock.Advance(100 * time.Millisecond)
				chain = append(chain, renew(t, w, chain[len(chain)-1].Refresh, w.Notes.Site))
			}
			current := chain[5]
			if used == 4 {
				if again := renew(t, w, chain[4].Refresh, w.Notes.Site); again.Refresh.Reveal() != current.Refresh.Reveal() {
					t.Error("the predecessor gets another successor")
				}
				lives(t, w, current.Session.ID, current.Refresh)
				continue
			}
			refuse(t, w, chain[used].Refresh, w.Notes.Site, otl.ErrRefreshReused)
			refuse(t, w, current.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
		}
	})
}

// TestSE12_ReuseEndsTheSession: everything of it is void, the person's other
// access tokens are too, and the log and the feed say why.
func TestSE12_ReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		first, other := open(t, w, w.Notes.Site), open(t, w, w.Notes.Site)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		w.Clock.Advance(10 * time.Second)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
		if why := ended(t, w, first.Session.ID); why != otl.EndRefreshReuse {
			t.Errorf("ended for %q", why)
		}
		if err := authenticates(t, w, second.Access); !errors.Is(err, otl.ErrSessionRevoked) {
			t.Errorf("an access token of it: %v", err)
		}
		if err := authenticates(t, w, other.Access); !errors.Is(err, otl.ErrSessionStale) {
			t.Errorf("an access token of another session: %v", err)
		}
		renewed := renew(t, w, other.Refresh, w.Notes.Site) // which goes on
		if err := authenticates(t, w, renewed.Access); err != nil {
			t.Error(err)
		}
		e := events(t, w, otl.EventSessionRevoked)
		if len(e) != 1 || e[0].SessionID != first.Session.ID || e[0].UserID != u.ID || e[0].SiteID != w.Notes.Site.ID || e[0].Data["reason"] != "refresh_reuse" {
			t.Errorf("%+v", e)
		}
		told, err := w.Store.Read.Revocations.Of(t.Context(), w.Notes.Site.ID, 0, 99, 10)
		if err != nil || len(told) != 1 || told[0].SessionID != first.Session.ID || told[0].SessionVersion != 2 {
			t.Errorf("%+v, %v", told, err)
		}
		if mails := w.Letters(t, jane); len(mails) != 1 || mails[0].Subject != "You were signed out of Notes" || !strings.Contains(mails[0].Text, "somebody else may have a copy") {
			t.Errorf("told by %+v", mails)
		}
		// Reuse of it again changes nothing more.
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
		if n := len(events(t, w, otl.EventSessionRevoked)); n != 1 || len(w.Letters(t, jane)) != 1 {
			t.Errorf("%d events", n)
		}
	})
}

// TestSE17_AnotherSitesKeyNeitherRotatesNorEnds: not even an old token, which
// would end its session at its own site.
func TestSE17_AnotherSitesKeyNeitherRotatesNorEnds(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		first := open(t, w, w.Notes.Site)
		refuse(t, w, first.Refresh, w.Shop.Site, otl.ErrRefresh)
		lives(t, w, first.Session.ID, first.Refresh)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		refuse(t, w, first.Refresh, w.Shop.Site, otl.ErrRefresh) // in its grace
		w.Clock.Advance(time.Minute)
		refuse(t, w, first.Refresh, w.Shop.Site, otl.ErrRefresh) // reused
		refuse(t, w, second.Refresh, otl.Site{}, otl.ErrRefresh)
		lives(t, w, first.Session.ID, second.Refresh)
	})
}

// TestRenew_RefusesWhatWasNeverIssued: a forgery must not even end the session
// it names.
func TestRenew_RefusesWhatWasNeverIssued(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		w.Clock.Advance(time.Hour)
		forged, err := token.NewRefresher(secret.Bytes(32)).First(first.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		unknown, err := token.NewRefresher(w.Master.DeriveAll("refresh")...).First(secret.NewID(w.Clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		raw := second.Refresh.Reveal()
		for name, bad := range map[string]secret.Text{
			"empty":            {},
			"of another kind":  second.Access,
			"forged":           forged,
			"of no session":    unknown,
			"truncated":        secret.NewText(raw[:len(raw)-1]),
			"longer":           secret.NewText(raw + "A"),
			"with white space": secret.NewText(raw + " "),
			"one byte changed": secret.NewText(raw[:30] + string(raw[30]^1) + raw[31:]),
		} {
			t.Run(name, func(t *testing.T) { refuse(t, w, bad, w.Notes.Site, otl.ErrRefresh) })
		}
		lives(t, w, first.Session.ID, second.Refresh)
	})
}

// TestRenew_ATokenFromAfterABackup: after the database was restored from a
// backup, holders of newer tokens are refused but their session does not end for
// reuse. Whoever has the token of the backup goes on.
func TestRenew_ATokenFromAfterABackup(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		refresher := token.NewRefresher(w.Master.DeriveAll("refresh")...)
		presented, err := refresher.Read(first.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		future, err := refresher.Successors(presented, secret.Bytes(32))
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, w, future[0], w.Notes.Site, otl.ErrRefresh)
		lives(t, w, first.Session.ID, first.Refresh)
		renew(t, w, first.Refresh, w.Notes.Site)
	})
}

// TestRenew_SurvivesANewMasterKey: tokens made under the key that was replaced
// are good while it is still given, the grace of an exchange included.
func TestRenew_SurvivesANewMasterKey(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		untouched, first := open(t, w, w.Notes.Site), open(t, w, w.Notes.Site)
		second := renew(t, w, first.Refresh, w.Notes.Site)
		key := base64.StdEncoding.EncodeToString(secret.Bytes(secret.MasterSize))
		master, err := secret.ParseMaster(key, w.Master.Encode().Reveal())
		if err != nil {
			t.Fatal(err)
		}
		next := w.Again(t, func(o *node.Options) { o.Master = func(bool) (secret.Master, error) { return master, nil } })
		if again := renew(t, next, first.Refresh, w.Notes.Site); again.Refresh.Reveal() != second.Refresh.Reveal() {
			t.Error("the repeated exchange gives another successor")
		}
		renew(t, next, untouched.Refresh, w.Notes.Site)
		third := renew(t, next, second.Refresh, w.Notes.Site)
		refuse(t, next, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
		refuse(t, next, third.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
	})
}

// TestSE13_APersonOrSiteShutOutRenewsNothing, even where his sessions were not
// ended along with it.
func TestSE13_APersonOrSiteShutOutRenewsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		tokens := open(t, w, w.Notes.Site)
		for name, shut := range map[string]struct {
			out, in func(context.Context, *store.Tx) error
		}{
			"disabled": {
				func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Users.SetDisabled(ctx, u.ID, w.Clock.Now())
					return err
				},
				func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Users.SetDisabled(ctx, u.ID, time.Time{})
					return err
				},
			},
			"without a grant": {
				func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Grants.Revoke(ctx, u.ID, w.Notes.Site.ID, w.Clock.Now())
					return err
				},
				func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, tokens.Grant) },
			},
		} {
			if err := write(t, w, shut.out); err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { refuse(t, w, tokens.Refresh, w.Notes.Site, otl.ErrRefresh) })
			if err := write(t, w, shut.in); err != nil {
				t.Fatal(err)
			}
			lives(t, w, tokens.Session.ID, tokens.Refresh)
		}
	})
}
