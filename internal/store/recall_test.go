package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// start is the time in these tests.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// recalled is a store that remembers, and its file.
func recalled(t *testing.T) (*store.Store, string) {
	t.Helper()
	url := otltest.DatabaseURL(t, otltest.SQLite)
	return open(t, url, true), url
}

func open(t testing.TB, url string, serve bool) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: url, Serve: serve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// write runs a transaction that must succeed.
func write(t testing.TB, st *store.Store, fn func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := st.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// signedIn adds a site, a person who joined it, and sessions of his.
func signedIn(t testing.TB, st *store.Store, person string, sessions ...string) {
	t.Helper()
	email, err := otl.ParseEmail(person + "@dev.test")
	if err != nil {
		t.Fatal(err)
	}
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		site := otl.Site{ID: "site", Slug: "site", Name: "Site", Version: 1, CreatedAt: start, UpdatedAt: start}
		_, err := tx.Sites.Insert(ctx, site)
		u := otl.User{ID: person, Email: email, SessionVersion: 1, Version: 1, Preferences: "{}", CreatedAt: start, UpdatedAt: start}
		_, insertErr := tx.Users.Insert(ctx, u)
		err = errors.Join(err, insertErr, tx.Grants.Put(ctx, otl.Grant{UserID: person, SiteID: "site", CreatedAt: start, UpdatedAt: start}))
		for _, id := range sessions {
			err = errors.Join(err, tx.Sessions.Insert(ctx, otl.Session{
				ID: id, UserID: person, SiteID: "site", AuthAt: start, CreatedAt: start,
				LastSeenAt: start, RefreshBy: start.Add(time.Hour), ExpiresAt: start.Add(time.Hour), Refresh: otl.Rotation{Digest: []byte(id)},
			}))
		}
		return err
	})
}

// same fails the test unless what is remembered is what is stored.
func same(t *testing.T, st *store.Store, session string) store.Standing {
	t.Helper()
	got, err := st.Standing(t.Context(), session)
	want, wantErr := st.Read.Sessions.Standing(t.Context(), session)
	if !reflect.DeepEqual(got, want) || !errors.Is(err, wantErr) {
		t.Fatalf("remembered %+v (%v)\nstored     %+v (%v)", got, err, want, wantErr)
	}
	return got
}

func TestSE07_EveryChangeReachesWhatIsRemembered(t *testing.T) {
	t.Parallel()
	st, _ := recalled(t)
	signedIn(t, st, "jane", "a", "b")
	changes := map[string]func(context.Context, *store.Tx) error{
		"sign-in": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.SignedIn(ctx, "jane", 1, start.Add(time.Second))
			return err
		},
		"profile": func(ctx context.Context, tx *store.Tx) error {
			u, err := tx.Users.ByID(ctx, "jane")
			u.Name = "Jane"
			_, updateErr := tx.Users.UpdateProfile(ctx, u)
			return errors.Join(err, updateErr)
		},
		"version": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.RaiseSessionVersion(ctx, "jane")
			return err
		},
		"grant": func(ctx context.Context, tx *store.Tx) error {
			return tx.Grants.Put(ctx, otl.Grant{UserID: "jane", SiteID: "site", Fields: otl.MinimalFields(), CreatedAt: start, UpdatedAt: start})
		},
		"rotation": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sessions.Rotate(ctx, "a", otl.Rotation{Digest: []byte("a")}, otl.Rotation{
				Digest: []byte("a2"), Generation: 1, Previous: []byte("a"),
				Nonce: []byte("n"), RotatedAt: start.Add(time.Minute), PaidTo: start.Add(2 * time.Minute),
			}, start.Add(2*time.Hour))
			return err
		},
		"end": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sessions.End(ctx, "b", otl.EndLogout, start.Add(time.Minute))
			return err
		},
		"disable": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.SetDisabled(ctx, "jane", start.Add(time.Minute))
			return err
		},
		"end all": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sessions.EndAll(ctx, "jane", "", "", otl.EndAdmin, start.Add(time.Hour))
			return err
		},
	}
	for _, name := range []string{"sign-in", "profile", "version", "grant", "rotation", "end", "disable", "end all"} {
		before := [2]store.Standing{same(t, st, "a"), same(t, st, "b")} // both are remembered
		write(t, st, changes[name])
		if after := [2]store.Standing{same(t, st, "a"), same(t, st, "b")}; reflect.DeepEqual(before, after) {
			t.Errorf("%s changed nothing", name)
		}
	}
}

// TestATakenBackWriteIsNotRemembered: the change of a transaction that failed
// after it is not applied, though its neighbours in the same commit are.
func TestATakenBackWriteIsNotRemembered(t *testing.T) {
	t.Parallel()
	st, _ := recalled(t)
	signedIn(t, st, "jane", "a")
	same(t, st, "a")
	failure := errors.New("no")
	err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		won, err := tx.Sessions.Rotate(ctx, "a", otl.Rotation{Digest: []byte("a")}, otl.Rotation{Digest: []byte("stolen"), RotatedAt: start}, start)
		if err != nil || !won {
			t.Errorf("rotate: %v %v", won, err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if st := same(t, st, "a"); string(st.Session.Refresh.Digest) != "a" {
		t.Errorf("the token is %q", st.Session.Refresh.Digest)
	}
}

// TestAnotherProcessIsNoticed: a command beside the server ends a session; the
// server finds out within the bound without being told.
func TestAnotherProcessIsNoticed(t *testing.T) {
	t.Parallel()
	st, url := recalled(t)
	signedIn(t, st, "jane", "a")
	same(t, st, "a")
	command := open(t, url, false)
	write(t, command, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Sessions.End(ctx, "a", otl.EndAdmin, start)
		return err
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		got, err := st.Standing(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if !got.Session.EndedAt.IsZero() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the session still counts")
		}
	}
}

func TestARevokedKeyIsNotRemembered(t *testing.T) {
	t.Parallel()
	st, _ := recalled(t)
	signedIn(t, st, "jane")
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.SiteKeys.Insert(ctx, otl.SiteKey{ID: "key", SiteID: "site", CreatedAt: start}, []byte("digest"))
		return err
	})
	for _, revoked := range []bool{false, true} {
		if revoked {
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SiteKeys.Revoke(ctx, "site", "key", start)
				return err
			})
		}
		for range 2 { // read, then remembered
			key, site, err := st.SiteKey(t.Context(), []byte("digest"))
			if err != nil || site.ID != "site" || key.RevokedAt.IsZero() == revoked {
				t.Errorf("revoked %v: %+v %+v %v", revoked, key, site, err)
			}
		}
	}
	if _, _, err := st.SiteKey(t.Context(), []byte("other")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}

// TestACallerIsRememberedUntilItChanges: who calls with a token of the OneLogin wire is read once, and read again, or
// refused, from the commit on that changes or ends his token, his client or its site, and when the token expires (SE-13).
func TestACallerIsRememberedUntilItChanges(t *testing.T) {
	t.Parallel()
	access := []byte("access")
	for name, change := range map[string]func(context.Context, *store.Tx) error{
		"exchanged": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.APITokens.Exchange(ctx, access, []byte("refresh"), start)
			return err
		},
		"revoked": func(ctx context.Context, tx *store.Tx) error {
			return tx.APITokens.Revoke(ctx, "client", access, start)
		},
		"all revoked": func(ctx context.Context, tx *store.Tx) error { return tx.APITokens.RevokeAll(ctx, "client", start) },
		"client revoked": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Clients.Revoke(ctx, "site", "client", start)
			return err
		},
		"site deleted": func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Delete(ctx, "site", false, start)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := calledBy(t, access)
			read := st.Stats().Statements
			for range 3 {
				c, err := st.Caller(t.Context(), access, start)
				if err != nil || c.Client.Name != "Robot" || c.Site.ID != "site" {
					t.Fatalf("%+v %v", c, err)
				}
			}
			if n := st.Stats().Statements - read; n != 1 {
				t.Errorf("%d statements for three calls", n)
			}
			if _, err := st.Caller(t.Context(), access, start.Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("when the token expires: %v", err)
			}
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Clients.Update(ctx, otl.Client{ID: "client", SiteID: "site", Name: "Machine"})
				return err
			})
			if c, err := st.Caller(t.Context(), access, start); err != nil || c.Client.Name != "Machine" {
				t.Errorf("after it got another name: %+v %v", c, err)
			}
			write(t, st, change)
			if _, err := st.Caller(t.Context(), access, start); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// calledBy is a store that remembers, with a client that calls with a token for an hour.
func calledBy(t *testing.T, access []byte) *store.Store {
	t.Helper()
	st, _ := recalled(t)
	signedIn(t, st, "jane")
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		err := tx.Clients.Insert(ctx, otl.Client{ID: "client", SiteID: "site", Name: "Robot", CreatedAt: start}, []byte("secret"))
		token := otl.APIToken{ID: "token", ClientID: "client", CreatedAt: start, ExpiresAt: start.Add(time.Hour), RefreshBy: start.Add(2 * time.Hour)}
		return errors.Join(err, tx.APITokens.Insert(ctx, token, access, []byte("refresh")))
	})
	return st
}

// TestWhatChangedWhileItWasReadIsNotRemembered: what a session was before a commit of this process or another, which came
// between its read and the end of that, is given to whoever asked and to nobody after him.
func TestWhatChangedWhileItWasReadIsNotRemembered(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"this process", "another"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			st, url := recalled(t)
			signedIn(t, st, "jane", "a")
			signedIn(t, st, "john", "b")
			writer := st
			if by == "another" {
				writer = open(t, url, false)
			}
			same(t, st, "b") // is remembered, and shows when the commit of another is noticed
			st.Hear(func(h store.Heard) {
				if h.Writes || !strings.Contains(h.Text, "FROM sessions e") {
					return
				}
				st.Hear(nil)
				write(t, writer, func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Sessions.End(ctx, "a", otl.EndAdmin, start)
					_, endErr := tx.Sessions.End(ctx, "b", otl.EndAdmin, start)
					return errors.Join(err, endErr)
				})
				for deadline := time.Now().Add(10 * time.Second); ; {
					other, err := st.Standing(t.Context(), "b")
					if err != nil || time.Now().After(deadline) {
						t.Fatalf("nobody noticed: %v", err)
					}
					if !other.Session.EndedAt.IsZero() {
						return
					}
				}
			})
			if was, err := st.Standing(t.Context(), "a"); err != nil || !was.Session.EndedAt.IsZero() {
				t.Errorf("it was read when it had ended: %+v %v", was.Session, err)
			}
			if is := same(t, st, "a"); is.Session.EndedAt.IsZero() {
				t.Error("it still counts")
			}
		})
	}
}

// TestRememberedIsStoredUnderConcurrency lets writers and readers at the same
// sessions: whoever has written finds it written, always.
func TestRememberedIsStoredUnderConcurrency(t *testing.T) {
	t.Parallel()
	st, _ := recalled(t)
	const people, rounds = 8, 60
	for i := range people {
		signedIn(t, st, fmt.Sprint("p", i), fmt.Sprint("s", i))
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := st.Standing(t.Context(), fmt.Sprint("s", rand.IntN(people))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range people {
		writers.Go(func() { raise(t, st, fmt.Sprint("p", i), fmt.Sprint("s", i), rounds) })
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	for i := range people {
		same(t, st, fmt.Sprint("s", i))
	}
}

// raise writes one person's session version again and again and asks for it.
func raise(t *testing.T, st *store.Store, person, session string, rounds int) {
	for range rounds {
		var version int
		err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			version, err = tx.Users.RaiseSessionVersion(ctx, person)
			return err
		})
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := st.Standing(t.Context(), session); err != nil || got.User.SessionVersion != version {
			t.Errorf("version %d, remembered %d (%v)", version, got.User.SessionVersion, err)
			return
		}
	}
}
