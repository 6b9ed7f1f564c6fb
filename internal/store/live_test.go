package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestACodeIsGuessedInItsVisitAlone: as long as the ticket and its code last, by its person, at its site, and most
// times at most.
func TestACodeIsGuessedInItsVisitAlone(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "john")
		for person, until := range map[string][2]time.Duration{ // how long the ticket and its code last
			"jane": {2 * time.Minute, 0}, "jill": {3 * time.Minute, 2 * time.Minute}, "jack": {2 * time.Minute, 3 * time.Minute},
		} {
			signedIn(t, st, person)
			ticket := otl.Ticket{
				ID: "t-" + person, Purpose: otl.PurposeSignIn, UserID: person, SiteID: "site", Data: map[string]string{"flow": "fl"},
				CreatedAt: start, ExpiresAt: start.Add(until[0]),
			}
			if until[1] != 0 {
				ticket.CodeUntil = start.Add(until[1])
			}
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.Tickets.Insert(ctx, ticket, nil, []byte("code of "+person))
			})
			guess := func(what, id, user, site, but string, at time.Duration, most int, want error) {
				t.Helper()
				err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					one, code, err := tx.Tickets.GuessIn(ctx, id, "flow", user, otl.PurposeSignIn, site, but, start.Add(at), most)
					if err == nil && (one.ID != ticket.ID || string(code) != "code of "+person) {
						t.Errorf("%s of %s: %+v %q", what, person, one, code)
					}
					return err
				})
				if !errors.Is(err, want) {
					t.Errorf("%s of %s: %v", what, person, err)
				}
			}
			guess("the first", "fl", person, "site", "", 0, 2, nil)
			guess("another visit", "f", person, "site", "", 0, 9, store.ErrNotFound)
			guess("another person", "fl", "john", "site", "", 0, 9, store.ErrNotFound)
			guess("another site", "fl", person, "shop", "", 0, 9, store.ErrNotFound)
			guess("all but it", "fl", person, "site", ticket.ID, 0, 9, store.ErrNotFound)
			guess("the end", "fl", person, "site", "", 2*time.Minute, 9, store.ErrNotFound)
			guess("the second", "fl", person, "site", "", 2*time.Minute-time.Millisecond, 2, nil)
			guess("one too many", "fl", person, "site", "", 0, 2, store.ErrNotFound)
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Tickets.Spend(ctx, ticket.ID, start)
				return err
			})
			guess("one that was used", "fl", person, "site", "", 0, 9, store.ErrNotFound)
		}
	})
}

// TestPW13_WhereSomebodyIsKnown: from where a session of his at the site came that lives and that no other site opened.
func TestPW13_WhereSomebodyIsKnown(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		here := netip.MustParseAddr("198.51.100.7")
		for i, one := range []struct {
			what          string
			is            otl.Session
			at, somewhere bool
		}{
			{"live", otl.Session{SiteID: "site"}, true, true},
			{"opened by its site", otl.Session{SiteID: "site", HandedBy: "site"}, true, true},
			{"opened by another", otl.Session{SiteID: "site", HandedBy: "shop"}, false, true},
			{"at another site", otl.Session{SiteID: "shop"}, false, true},
			{"unused for too long", otl.Session{SiteID: "site", RefreshBy: start}, false, false},
			{"ended", otl.Session{SiteID: "site", EndedAt: start}, false, false},
			{"opened by its site and ended", otl.Session{SiteID: "site", HandedBy: "site", EndedAt: start}, false, false},
		} {
			person := fmt.Sprint("p", i)
			signedIn(t, st, person)
			one.is.ID, one.is.UserID, one.is.IP = "s-"+person, person, here.String()
			if one.is.RefreshBy.IsZero() {
				one.is.RefreshBy = start.Add(time.Minute)
			}
			one.is.AuthAt, one.is.CreatedAt, one.is.LastSeenAt, one.is.ExpiresAt, one.is.Refresh.Digest = start, start, start, start.Add(time.Hour), []byte(person)
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Sites.Insert(ctx, otl.Site{ID: "shop", Slug: "shop", Name: "Shop", Version: 1, CreatedAt: start, UpdatedAt: start})
				err = errors.Join(err, tx.Sessions.Insert(ctx, one.is))
				if !one.is.EndedAt.IsZero() {
					_, endErr := tx.Sessions.End(ctx, one.is.ID, otl.EndLogout, start)
					err = errors.Join(err, endErr)
				}
				return err
			})
			at, err := st.Read.Sessions.LiveFrom(t.Context(), person, "site", here.String(), start)
			elsewhere, elseErr := st.Read.Sessions.LiveFrom(t.Context(), person, "site", "203.0.113.9", start)
			if err = errors.Join(err, elseErr); err != nil || at != one.at || elsewhere {
				t.Errorf("%s: known %v, from elsewhere %v, %v", one.what, at, elsewhere, err)
			}
			places, err := st.Read.Sessions.LiveAddresses(t.Context(), person, start)
			if err != nil || slices.Contains(places, here) != one.somewhere {
				t.Errorf("%s: %v %v", one.what, places, err)
			}
		}
	})
}

// TestWhatEndedIsLeftAlone: no session that has ended is one too many, gets a method or is used again.
func TestWhatEndedIsLeftAlone(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane", "a", "b", "c")
		s := otl.Session{ID: "a", UserID: "jane", LastSeenAt: start.Add(time.Minute), RefreshBy: start.Add(2 * time.Hour)}
		change := func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.Sessions.AddMethod(ctx, s, otl.Methods{otl.MethodTOTP}, s.LastSeenAt), tx.Sessions.Seen(ctx, s))
		}
		for _, id := range []string{"a", "b"} {
			if s.ID = id; id == "b" {
				write(t, st, func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Sessions.End(ctx, id, otl.EndLogout, start)
					return err
				})
			}
			write(t, st, change)
			is, err := st.Read.Sessions.Standing(t.Context(), id)
			got := [...]bool{len(is.Session.Methods) > 0, is.Session.AuthAt.After(start), is.Session.LastSeenAt.After(start), is.Session.RefreshBy.Equal(s.RefreshBy)}
			lives := id == "a"
			if err != nil || got != [...]bool{lives, lives, lives, lives} {
				t.Errorf("%s: %+v %v", id, is.Session, err)
			}
		}
		if excess, err := st.Read.Sessions.Excess(t.Context(), "jane", "site", "", 1); err != nil || !slices.Equal(excess, []string{"a"}) {
			t.Errorf("too many: %v %v", excess, err)
		}
	})
}

// TestASiteEndsWhatItOpened: with the sessions at a site end those elsewhere that its session tokens opened, and no others.
func TestASiteEndsWhatItOpened(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "john", "z")
		signedIn(t, st, "jane", "a")
		for id, by := range map[string]string{"b": "shop", "c": "notes", "d": "shop"} {
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.Sessions.Insert(ctx, otl.Session{
					ID: id, UserID: "jane", SiteID: "site", HandedBy: by, AuthAt: start, CreatedAt: start,
					LastSeenAt: start, RefreshBy: start.Add(time.Hour), ExpiresAt: start.Add(time.Hour), Refresh: otl.Rotation{Digest: []byte(id)},
				})
			})
		}
		for _, one := range []struct{ site, keep, ends string }{{"shop", "d", "b"}, {"shop", "", "d"}, {"shop", "", ""}, {"site", "", "ac"}} {
			ended := in(t, st, func(ctx context.Context, tx *store.Tx) ([]store.Ended, error) {
				return tx.Sessions.EndAll(ctx, "jane", one.site, one.keep, otl.EndLogout, start)
			})
			ids := []string{}
			for _, e := range ended {
				ids = append(ids, e.ID)
			}
			slices.Sort(ids)
			if got := strings.Join(ids, ""); got != one.ends {
				t.Errorf("at %s but %q: %q ended, want %q", one.site, one.keep, got, one.ends)
			}
		}
	})
}

// TestASessionOfADeletedSiteIsNone, though it did not end.
func TestASessionOfADeletedSiteIsNone(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane", "a")
		if _, err := st.Standing(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Delete(ctx, "site", false, start)
			return err
		})
		if _, err := st.Standing(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestAFactorIsItsPersonsAlone: what is done with the id of somebody else's changes nothing of it.
func TestAFactorIsItsPersonsAlone(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for _, person := range []string{"jane", "john"} {
			signedIn(t, st, person)
			for _, confirmed := range []time.Time{{}, start} {
				f := otl.Factor{ID: person, UserID: person, Kind: otl.FactorTOTP, Label: "of " + person, Default: true, CreatedAt: start, ConfirmBy: start.Add(time.Minute), ConfirmedAt: confirmed}
				if confirmed.IsZero() {
					f.ID, f.Default = person+"'s new", false
				}
				write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Factors.Insert(ctx, f, nil) })
			}
		}
		his := func() (out [2]otl.Factor) {
			for i, id := range []string{"john", "john's new"} {
				one, _, err := st.Read.Factors.ByID(t.Context(), "john", id)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				out[i] = one
			}
			return out
		}
		was := his()
		if _, _, err := st.Read.Factors.ByID(t.Context(), "jane", "john"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("read: %v", err)
		}
		for _, do := range []struct {
			what string
			do   func(context.Context, *store.Tx) error
		}{
			{"renamed", func(ctx context.Context, tx *store.Tx) error {
				return tx.Factors.Rename(ctx, "jane", "john", "of jane")
			}},
			{"preferred", func(ctx context.Context, tx *store.Tx) error { return tx.Factors.Prefer(ctx, "jane", "jane") }},
			{"deleted", func(ctx context.Context, tx *store.Tx) error {
				had, err := tx.Factors.Delete(ctx, "jane", "john")
				if had {
					t.Error("jane had what is john's")
				}
				return err
			}},
			{"given up", func(ctx context.Context, tx *store.Tx) error {
				return tx.Factors.DeletePending(ctx, "jane", otl.FactorTOTP)
			}},
			{"all deleted", func(ctx context.Context, tx *store.Tx) error { return tx.Factors.DeleteAll(ctx, "jane") }},
		} {
			write(t, st, do.do)
			if is := his(); is != was {
				t.Errorf("%s: %+v\nwas %+v", do.what, is, was)
				was = is
			}
		}
	})
}
