package session_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// rounds of the races; the long campaigns are in e2e.
const (
	rounds = 5
	racers = 100
)

// race renews one refresh token from many goroutines at once, spread over nodes,
// and gives every answer.
func race(t *testing.T, nodes []*otltest.World, raw secret.Text, siteID string) []session.Tokens {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	answers, errs := make([]session.Tokens, racers), make([]error, racers)
	for i := range racers {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = nodes[i%len(nodes)].SignIn.Sessions.Renew(t.Context(), raw, siteID)
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return answers
}

// raceRounds exchanges the token of one session again and again (MN-02): each
// time every answer is the same successor and the only one that is good.
func raceRounds(t *testing.T, nodes []*otltest.World) {
	t.Helper()
	w := nodes[0]
	w.Person(t, jane, w.Notes.Site)
	first := open(t, w, w.Notes.Site)
	id, current := first.Session.ID, first.Refresh
	for round := range rounds {
		answers := race(t, nodes, current, w.Notes.Site.ID)
		for _, a := range answers {
			if a.Refresh.Reveal() != answers[0].Refresh.Reveal() {
				t.Fatal("two successors of one token")
			}
		}
		lives(t, w, id, answers[0].Refresh)
		if g := standing(t, w, id).Session.Refresh.Generation; g != round+1 {
			t.Fatalf("generation %d after %d exchanges", g, round+1)
		}
		if err := authenticates(t, w, answers[racers-1].Access); err != nil {
			t.Fatal(err)
		}
		current = answers[0].Refresh
	}
	if n := len(events(t, w, otl.EventSessionRevoked)); n != 0 {
		t.Fatalf("%d sessions ended", n)
	}
	refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrRefreshReused)
	refuse(t, w, current, w.Notes.Site, otl.ErrSessionRevoked)
}

func TestMN02_AHundredRefreshesOfOneToken(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) { raceRounds(t, []*otltest.World{w}) })
}

func TestMN02_AHundredRefreshesOverTwoNodes(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres)
	raceRounds(t, []*otltest.World{w, w.Again(t)})
}

// TestOA23_EachUseOfATokenThatStaysIsPaidFor: however many exchange it at once, each that is let in
// counts with the rate of refreshes.
func TestOA23_EachUseOfATokenThatStaysIsPaidFor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		var let atomic.Int64
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				renewed, err := w.SignIn.Sessions.RenewFor(t.Context(), first.Refresh, w.Notes.Site.ID, session.Holder{Stays: true})
				switch {
				case err == nil && renewed.Refresh.Reveal() != first.Refresh.Reveal():
					t.Error("another token")
				case err == nil:
					let.Add(1)
				case otl.As(err).Kind != otl.Unavailable && otl.As(err).Kind != otl.Limited:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		paid := standing(t, w, first.Session.ID).Session.Refresh.PaidTo.Sub(w.Clock.Now())
		if let.Load() == 0 || paid.Round(time.Second) != time.Duration(let.Load())*time.Second {
			t.Errorf("%d were let in, and %v paid for", let.Load(), paid)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestSE12_AHundredReusesEndTheSessionOnce: outside the grace period, whoever of
// them is first.
func TestSE12_AHundredReusesEndTheSessionOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		renew(t, w, first.Refresh, w.Notes.Site)
		w.Clock.Advance(time.Minute)
		var wg sync.WaitGroup
		errs := make([]error, racers)
		for i := range racers {
			wg.Go(func() { _, errs[i] = w.SignIn.Sessions.Renew(t.Context(), first.Refresh, w.Notes.Site.ID) })
		}
		wg.Wait()
		for _, err := range errs {
			if !errors.Is(err, otl.ErrRefreshReused) && !errors.Is(err, otl.ErrSessionRevoked) {
				t.Errorf("got %v", err)
			}
		}
		if e := events(t, w, otl.EventSessionRevoked); len(e) != 1 {
			t.Errorf("%d events", len(e))
		}
		if v := standing(t, w, first.Session.ID).User.SessionVersion; v != 2 {
			t.Errorf("the version is %d", v)
		}
	})
}

// TestEndAll_LeavesNoSignInBehindThatItOvertook: all sessions end while a
// sign-in is under way that is not committed yet. It must not live on under the
// version from before.
func TestEndAll_LeavesNoSignInBehindThatItOvertook(t *testing.T) {
	t.Parallel()
	var url string
	w := otltest.New(t, otltest.Postgres, func(o *node.Options) { url = o.Store.URL }) // SQLite has one writer
	u := w.Person(t, jane, w.Notes.Site)
	who, err := w.Store.Read.Users.Credential(t.Context(), jane, w.Notes.Site.ID)
	if err != nil {
		t.Fatal(err)
	}
	st := store.Standing{User: u, Site: w.Notes.Site, Grant: who.Grant}
	overtaken := make(chan error, 1)
	err = write(t, w, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Users.SignedIn(ctx, u.ID, who.PasswordVersion, w.Clock.Now()); err != nil {
			return err
		}
		if _, err := w.SignIn.Sessions.Open(ctx, tx, &st, pass(t, w, tx, st), &otl.Request{}); err != nil {
			return err
		}
		go func() {
			_, err := w.SignIn.RevokeAll(t.Context(), u.ID)
			overtaken <- err
		}()
		return untilSomebodyWaits(ctx, url)
	})
	if err := errors.Join(err, <-overtaken); err != nil {
		t.Fatal(err)
	}
	if why := ended(t, w, st.Session.ID); why != otl.EndAdmin {
		t.Errorf("the session that was being opened ended for %q", why)
	}
}

// TestMF08_NoFactorIsLeftByASessionThatEnds: all sessions end while a factor is being
// confirmed from one of them. It is not set up.
func TestMF08_NoFactorIsLeftByASessionThatEnds(t *testing.T) {
	t.Parallel()
	var url string
	w := otltest.New(t, otltest.Postgres, func(o *node.Options) { url = o.Store.URL }) // SQLite has one writer
	u := w.Person(t, jane, w.Notes.Site)
	b := standing(t, w, open(t, w, w.Notes.Site).Session.ID)
	e, err := w.Setup.Enrol(t.Context(), b, factor.New{Kind: otl.FactorTOTP})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := secret.ParseTOTPSeed(e.Seed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	confirmed := make(chan error, 1)
	err = write(t, w, func(ctx context.Context, tx *store.Tx) error {
		if _, err := w.SignIn.Sessions.EndAll(ctx, tx, u.ID, "", "", otl.EndLogout); err != nil {
			return err
		}
		go func() {
			_, err := w.Setup.Confirm(t.Context(), b, e.ID, secret.NewText(secret.TOTP(seed, w.Clock.Now())))
			confirmed <- err
		}()
		return untilSomebodyWaits(ctx, url)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-confirmed; !errors.Is(err, otl.ErrSessionRevoked) {
		t.Errorf("got %v", err)
	}
	if own, err := w.Setup.List(t.Context(), u); err != nil || len(own.Factors) != 0 || own.CodesLeft != 0 {
		t.Errorf("left: %+v %v", own, err)
	}
}

// untilSomebodyWaits returns when a transaction in a PostgreSQL database waits
// for a lock of another one.
func untilSomebodyWaits(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	for waiting := 0; waiting == 0 && err == nil; {
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
	}
	return err
}
