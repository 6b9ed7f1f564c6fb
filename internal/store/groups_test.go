package store_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// in runs one statement that must succeed in a transaction of its own and gives
// what it gives.
func in[T any](t *testing.T, st *store.Store, fn func(context.Context, *store.Tx) (T, error)) (out T) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = fn(ctx, tx)
		return err
	})
	return out
}

// fails runs one statement that must fail with ErrNotFound.
func fails(t *testing.T, st *store.Store, fn func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := st.Write(t.Context(), fn); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, want %v", err, store.ErrNotFound)
	}
}

// TestGone: who is not there and who is disabled look alike; a failure is neither.
func TestGone(t *testing.T) {
	t.Parallel()
	there, disabled := otl.User{ID: "1"}, otl.User{ID: "1", DisabledAt: start}
	for _, one := range []struct {
		u    otl.User
		err  error
		gone bool
	}{
		{there, nil, false},
		{disabled, nil, true},
		{otl.User{}, store.ErrNotFound, true},
		{otl.User{}, fmt.Errorf("look: %w", store.ErrNotFound), true},
		{otl.User{}, errors.New("the disk is full"), false},
		{disabled, errors.New("the disk is full"), false},
	} {
		if store.Gone(one.u, one.err) != one.gone {
			t.Errorf("%+v, %v: want %t", one.u, one.err, one.gone)
		}
	}
}

func TestUsersAreStoredAsGiven(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		want := otl.User{
			ID: "1", Email: otl.Email{Address: "Jane@Dev.test", Key: "jane@dev.test"}, EmailVerifiedAt: start, Name: "Jane Ö.", DisplayName: "J",
			Phone: "+4915112345678", PhoneVerifiedAt: start.Add(time.Second), Picture: "https://x.test/p", Locale: "de",
			Preferences: `{"a":"ü"}`, SessionVersion: 3, Version: 2, DisabledAt: start.Add(time.Minute), CreatedAt: start,
			UpdatedAt: start.Add(time.Hour), LastLoginAt: start.Add(2 * time.Hour),
		}
		insert := func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Users.Insert(ctx, want) }
		if !in(t, st, insert) {
			t.Fatal("not inserted")
		}
		byID, err1 := st.Read.Users.ByID(t.Context(), "1")
		byEmail, err2 := st.Read.Users.ByEmail(t.Context(), "jane@dev.test")
		if err1 != nil || err2 != nil || !reflect.DeepEqual(byID, want) || !reflect.DeepEqual(byEmail, want) {
			t.Errorf("%+v\n%+v\n%+v %v %v", want, byID, byEmail, err1, err2)
		}
		want.ID = "2"
		if in(t, st, insert) {
			t.Error("one address twice")
		}
		list, err := st.Read.Users.List(t.Context(), "", 10)
		if err != nil || len(list) != 1 {
			t.Error(list, err)
		}
	})
}

func TestPW08_ANewPasswordWinsOverARehash(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		set := func(hash string, imported bool) {
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.Passwords.Set(ctx, "jane", hash, imported, start)
			})
		}
		rehash := func(old, hash string) {
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Passwords.Rehash(ctx, "jane", old, hash) })
		}
		stored := func() store.Credential {
			c, err := st.Read.Users.Credential(t.Context(), "jane@dev.test", "site")
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		none := stored()
		if none.Hash != "" || none.Imported || none.Grant.SiteID != "site" {
			t.Errorf("%+v", none)
		}
		set("one", true)
		before := stored()
		if before.Hash != "one" || !before.Imported || before.PasswordVersion != none.PasswordVersion+1 {
			t.Errorf("%+v", before)
		}
		set("two", false)
		rehash("one", "old password again")
		if c := stored(); c.Hash != "two" {
			t.Errorf("%+v", c)
		}
		fails(t, st, func(ctx context.Context, tx *store.Tx) error { // the sign-in that read "one"
			_, err := tx.Users.SignedIn(ctx, "jane", before.PasswordVersion, start)
			return err
		})
		rehash("two", "two, dearer")
		if c := stored(); c.Hash != "two, dearer" || c.PasswordVersion != before.PasswordVersion+1 {
			t.Errorf("%+v", c)
		}
	})
}

func TestWhoIsDisabledDoesNotSignIn(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		disable := func(at time.Time) bool {
			return in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Users.SetDisabled(ctx, "jane", at) })
		}
		signIn := func(ctx context.Context, tx *store.Tx) (int, error) { return tx.Users.SignedIn(ctx, "jane", 1, start) }
		if in(t, st, signIn) != 1 {
			t.Error("another session version")
		}
		if !disable(start) || disable(start.Add(time.Hour)) {
			t.Error("disabled twice, or not at all")
		}
		fails(t, st, func(ctx context.Context, tx *store.Tx) error { _, err := signIn(ctx, tx); return err })
		if !disable(time.Time{}) || disable(time.Time{}) || in(t, st, signIn) != 1 {
			t.Error("not enabled")
		}
	})
}

// TestWhoCameIsAsHeIsNow: on PostgreSQL person and grant may change between the read and the
// sign-in that is noted.
func TestWhoCameIsAsHeIsNow(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		was, grant, err := st.Read.Users.At(t.Context(), "jane", "site")
		if err != nil {
			t.Fatal(err)
		}
		came := func(ctx context.Context, tx *store.Tx) (otl.User, error) { return tx.Users.Came(ctx, was, start) }
		at := func(ctx context.Context, tx *store.Tx) (otl.Grant, error) {
			return tx.Grants.SignedIn(ctx, grant, start)
		}
		now, err := st.Read.Users.ByID(t.Context(), "jane")
		if now.LastLoginAt = start; err != nil || in(t, st, came) != now {
			t.Errorf("unchanged: %+v %v", in(t, st, came), err)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { // the one with a new version, the other without
			renamed := was
			renamed.Name = "Jane D."
			_, err := tx.Users.UpdateProfile(ctx, renamed)
			return err
		})
		if u := in(t, st, came); u.Name != "Jane D." || u.LastLoginAt != start {
			t.Errorf("renamed: %+v", u)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.SetDeleteAt(ctx, "jane", start)
			return err
		})
		if u := in(t, st, came); !u.DeleteAt.Equal(start) {
			t.Errorf("leaving: %+v", u)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			narrow := grant
			narrow.Fields = otl.MinimalFields()
			return tx.Grants.Put(ctx, narrow)
		})
		if g := in(t, st, at); !slices.Equal(g.Fields, otl.MinimalFields()) || g.LastLoginAt != start {
			t.Errorf("narrowed: %+v", g)
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Grants.Revoke(ctx, "jane", "site", start)
			return err
		})
		fails(t, st, func(ctx context.Context, tx *store.Tx) error { _, err := at(ctx, tx); return err })
	})
}

func TestADeletedPersonLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane", "a")
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Passwords.Set(ctx, "jane", "h", false, start) })
		remove := func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Users.Delete(ctx, "jane") }
		if !in(t, st, remove) || in(t, st, remove) {
			t.Error("deleted twice, or not at all")
		}
		_, session := st.Read.Sessions.Standing(t.Context(), "a")
		_, grant := st.Read.Grants.Of(t.Context(), "jane", "site")
		_, user := st.Read.Users.Credential(t.Context(), "jane@dev.test", "site")
		for _, err := range []error{session, grant, user} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// live names the sessions of jane.
func live(t *testing.T, st *store.Store, site, before string, now time.Time, limit int) []string {
	t.Helper()
	found, err := st.Read.Sessions.Live(t.Context(), "jane", site, before, now, limit)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, s := range found {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane", "a", "b", "c", "d", "e")
		check := func(got []string, want ...string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		check(live(t, st, "", "", start, 3), "e", "d", "c")
		check(live(t, st, "site", "c", start, 3), "b", "a")
		check(live(t, st, "other", "", start, 3))
		check(live(t, st, "", "", start.Add(time.Hour), 3)) // expired
		for by, want := range map[string][]string{"": {"b", "a"}, "another": nil} {
			excess, err := st.Read.Sessions.Excess(t.Context(), "jane", "site", by, 3)
			if err != nil {
				t.Fatal(err)
			}
			check(excess, want...)
		}

		end := func(ctx context.Context, tx *store.Tx) (store.Ended, error) {
			return tx.Sessions.End(ctx, "c", otl.EndLogout, start.Add(time.Minute))
		}
		if e := in(t, st, end); e != (store.Ended{ID: "c", UserID: "jane", SiteID: "site", Reason: otl.EndLogout}) {
			t.Errorf("%+v", e)
		}
		fails(t, st, func(ctx context.Context, tx *store.Tx) error { _, err := end(ctx, tx); return err })
		if s, err := st.Read.Sessions.Standing(t.Context(), "c"); err != nil || s.Session.EndReason != otl.EndLogout || !s.Session.EndedAt.Equal(start.Add(time.Minute)) {
			t.Errorf("%+v %v", s.Session, err)
		}
		rotated := in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
			return tx.Sessions.Rotate(ctx, "c", otl.Rotation{Digest: []byte("c")}, otl.Rotation{Digest: []byte("x"), Nonce: []byte("n"), RotatedAt: start}, start)
		})
		if rotated {
			t.Error("an ended session was rotated")
		}
		all := func(site, keep string) int {
			return len(in(t, st, func(ctx context.Context, tx *store.Tx) ([]store.Ended, error) {
				return tx.Sessions.EndAll(ctx, "jane", site, keep, otl.EndLogout, start)
			}))
		}
		if all("other", "") != 0 || all("site", "b") != 3 || all("", "") != 1 || all("", "") != 0 {
			t.Error("another number of sessions ended")
		}
		check(live(t, st, "", "", start, 3))
		pruned := in(t, st, func(ctx context.Context, tx *store.Tx) (int, error) { return tx.Sessions.Prune(ctx, "c", 10) })
		if _, err := st.Read.Sessions.Standing(t.Context(), "b"); pruned != 2 || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%d pruned, %v", pruned, err)
		}
	})
}

func TestSiteKeysEnd(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		key := otl.SiteKey{ID: "k", SiteID: "site", Name: "n", Prefix: "otr_abcd", Scopes: otl.AllScopes(), CreatedAt: start}
		insert := func(ctx context.Context, tx *store.Tx) (bool, error) {
			return tx.SiteKeys.Insert(ctx, key, []byte("digest"))
		}
		if !in(t, st, insert) {
			t.Fatal("not inserted")
		}
		key.ID = "again"
		if in(t, st, insert) {
			t.Error("one key twice")
		}
		key.ID = "k"
		got, site, err := st.Read.SiteKeys.ByDigest(t.Context(), []byte("digest"))
		if err != nil || !reflect.DeepEqual(got, key) || site.ID != "site" {
			t.Errorf("%+v %+v %v", got, site, err)
		}
		expire := func(at time.Time) time.Time {
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SiteKeys.Expire(ctx, "site", "k", at) })
			k, err := st.Read.SiteKeys.ByID(t.Context(), "site", "k")
			if err != nil {
				t.Fatal(err)
			}
			return k.ExpiresAt
		}
		soon := start.Add(time.Hour)
		if !expire(soon).Equal(soon) || !expire(soon.Add(time.Hour)).Equal(soon) {
			t.Error("the end was put off")
		}
		if _, err := st.Read.SiteKeys.ByID(t.Context(), "other", "k"); !errors.Is(err, store.ErrNotFound) {
			t.Error("another site reads the key")
		}
		revoke := func(site string) bool {
			return in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.SiteKeys.Revoke(ctx, site, "k", start)
			})
		}
		if revoke("other") || !revoke("site") || revoke("site") {
			t.Error("revoked by another, twice or not at all")
		}
		if keys, err := st.Read.SiteKeys.OfSite(t.Context(), "site"); err != nil || len(keys) != 0 {
			t.Error(keys, err)
		}
	})
}

func TestMembersAreFoundByWhatTheyGranted(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "nobody")
		for i, p := range []struct{ email, name, fields string }{
			{"ann@dev.test", "Ann 100%", "email"}, {"bob@dev.test", "Bob_Ö", "name"}, {"cy@dev.test", "Cy", ""},
		} {
			email, err := otl.ParseEmail(p.email)
			if err != nil {
				t.Fatal(err)
			}
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				id := fmt.Sprint("u", i)
				_, err := tx.Users.Insert(ctx, otl.User{ID: id, Email: email, Name: p.name, Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: start, UpdatedAt: start})
				_, joinErr := tx.Grants.Join(ctx, otl.Grant{UserID: id, SiteID: "site", Fields: otl.StoredFields(p.fields), CreatedAt: start, UpdatedAt: start})
				return errors.Join(err, joinErr)
			})
		}
		for name, one := range map[string]struct {
			s    store.Search
			want string
		}{
			"all":                              {store.Search{}, "nobody u0 u1 u2 "},
			"by the address he showed":         {store.Search{EmailKey: "ann@dev.test"}, "u0 "},
			"by an address he did not show":    {store.Search{EmailKey: "bob@dev.test"}, ""},
			"by the beginning of an address":   {store.Search{Text: "ann@"}, "u0 "},
			"by a name he did not show":        {store.Search{Text: "100"}, ""},
			"by a part of a name":              {store.Search{Text: otl.Fold("Ö")}, "u1 "},
			"a sign of patterns is itself":     {store.Search{Text: "b_ö"}, "u1 "},
			"a sign of patterns is no other":   {store.Search{Text: "o_"}, ""},
			"nor the sign that escapes":        {store.Search{Text: "!"}, ""},
			"a percent sign is no beginning":   {store.Search{Text: "%"}, ""},
			"whoever showed nothing is nobody": {store.Search{Text: "cy"}, ""},
		} {
			found, err := st.Read.Grants.Members(t.Context(), "site", one.s, "", 10)
			got := ""
			for _, m := range found {
				got += m.User.ID + " "
			}
			if err != nil || got != one.want {
				t.Errorf("%s: %q, want %q, %v", name, got, one.want, err)
			}
		}
		page, err := st.Read.Grants.Members(t.Context(), "site", store.Search{}, "u0", 1)
		if err != nil || len(page) != 1 || page[0].User.ID != "u1" {
			t.Errorf("%+v %v", page, err)
		}
	})
}

func TestWhoJoinsGetsTheDefaultRoles(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		for _, r := range []otl.Role{{Name: "reader", Default: true}, {Name: "admin"}} {
			r.SiteID, r.CreatedAt = "site", start
			insert := func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.Roles.Insert(ctx, r) }
			if !in(t, st, insert) || in(t, st, insert) {
				t.Error("not inserted, or twice")
			}
		}
		revoke := func(ctx context.Context, tx *store.Tx) (bool, error) {
			return tx.Grants.Revoke(ctx, "jane", "site", start)
		}
		if !in(t, st, revoke) || in(t, st, revoke) {
			t.Error("left twice, or not at all")
		}
		g := in(t, st, func(ctx context.Context, tx *store.Tx) (otl.Grant, error) {
			return tx.Grants.Join(ctx, otl.Grant{UserID: "jane", SiteID: "site", CreatedAt: start, UpdatedAt: start})
		})
		stored, err := st.Read.Grants.Of(t.Context(), "jane", "site")
		if err != nil || !slices.Equal(g.Roles, []string{"reader"}) || !slices.Equal(stored.Roles, g.Roles) || !stored.RevokedAt.IsZero() {
			t.Errorf("%+v %+v %v", g, stored, err)
		}
		set := func(had []string, roles ...string) bool {
			return in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.Grants.SetRoles(ctx, otl.Grant{UserID: "jane", SiteID: "site", Roles: had}, roles)
			})
		}
		if set([]string{"admin"}, "x") || !set([]string{"reader"}, "reader", "admin") {
			t.Error("written over somebody's change, or not at all")
		}
		for role, want := range map[string]int{"admin": 1, "reader": 1, "adm": 0, "adm%": 0, "_dmin": 0} {
			if found, err := st.Read.Grants.WithRole(t.Context(), "site", role, 10); err != nil || len(found) != want {
				t.Errorf("%s: %d %v", role, len(found), err)
			}
		}
	})
}

func TestEventsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for i, e := range []otl.Event{{UserID: "jane", SiteID: "notes"}, {UserID: "jane", SiteID: "shop"}, {UserID: "joe", SiteID: "notes"}, {}} {
			e.ID, e.Type, e.CreatedAt, e.Data = fmt.Sprint("evt_", i), otl.EventKeyRotated, start, map[string]string{"n": fmt.Sprint(i)}
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) })
		}
		for _, one := range []struct{ user, site, before, want string }{
			{"", "", "", "3210"}, {"jane", "", "", "10"}, {"", "notes", "", "20"}, {"jane", "notes", "", "0"}, {"", "", "evt_2", "10"}, {"joe", "shop", "", ""},
		} {
			found, err := st.Read.Events.List(t.Context(), one.user, one.site, one.before, 10)
			got := ""
			for _, e := range found {
				got += e.Data["n"]
			}
			if err != nil || got != one.want {
				t.Errorf("%+v: %s %v", one, got, err)
			}
		}
	})
}

// TestAU07_EventsAreListedByTheirPlaces: by what happened first, not by what a clock said, also where it was set
// back, with what has no place yet before all others; and a page goes on behind the last one, whatever got its place meanwhile.
func TestAU07_EventsAreListedByTheirPlaces(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		clocks := []int{5, 6, 1, 7, 2, 3, 8, 4} // in the order in which they happen
		add := func(n int) {
			t.Helper()
			e := otl.Event{ID: fmt.Sprint("evt_", n), Type: []otl.EventType{otl.EventKeyRotated, otl.EventUserUpdated}[n%2], UserID: []string{"jane", "joe"}[n/5], SiteID: []string{"notes", "shop"}[n%2], CreatedAt: start}
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) })
		}
		length := int64(0)
		place := func(upTo int64) {
			t.Helper()
			write(t, st, func(ctx context.Context, tx *store.Tx) error {
				found, err := tx.Events.Unplaced(ctx, 100)
				for i := range found {
					length++
					found[i].Seq, found[i].Hash = length, []byte("x")
				}
				return errors.Join(err, tx.Events.Place(ctx, found))
			})
			if length != upTo {
				t.Fatalf("%d have places, want %d", length, upTo)
			}
		}
		for i, n := range clocks {
			if add(n); i == 4 {
				place(5)
			}
		}
		want := func(q store.EventQuery, want string) {
			t.Helper()
			got := ""
			for q.Limit = 3; ; {
				page, err := st.Read.Events.Select(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page {
					got += strings.TrimPrefix(e.ID, "evt_")
				}
				if len(page) < q.Limit {
					break
				}
				q.Before = page[len(page)-1].ID
			}
			if got != want {
				t.Errorf("%+v: %s, want %s", q, got, want)
			}
		}
		all := func() {
			t.Helper()
			want(store.EventQuery{}, "48327165")
			want(store.EventQuery{UserID: "jane"}, "4321")
			want(store.EventQuery{SiteID: "notes"}, "4826")
			want(store.EventQuery{UserID: "joe", SiteID: "shop"}, "75")
			want(store.EventQuery{Type: otl.EventUserUpdated}, "3715")
			want(store.EventQuery{From: "evt_5"}, "8765")
			want(store.EventQuery{From: "evt_8"}, "8")
			want(store.EventQuery{From: "evt_5", Before: "evt_8"}, "765")
			want(store.EventQuery{From: "evt_9"}, "")
			want(store.EventQuery{Before: "evt_3"}, "27165")
			want(store.EventQuery{Before: "evt_7"}, "165")
			want(store.EventQuery{Before: "evt_5"}, "")
			want(store.EventQuery{Before: "evt_9"}, "")
		}
		all()
		place(8)
		all()
	})
}

// meanwhile does something between the statements of a reader.
type meanwhile struct {
	store.Conn
	do func()
	n  int
}

func (m *meanwhile) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if m.n++; m.n > 1 {
		m.do()
	}
	return m.Conn.QueryContext(ctx, text, args...)
}

// TestAU07_APageIsOfOneMoment: what is appended and gets its place while a page is read is neither left out nor given twice, nor
// does it come before what happened later.
func TestAU07_APageIsOfOneMoment(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			for want, q := range map[string]store.EventQuery{
				"54321": {}, "5432": {Limit: 4}, "21": {Before: "evt_3"}, "2": {Before: "evt_3", Limit: 1}, "543": {From: "evt_3"}, "1": {UserID: "jane", Before: "evt_2"},
			} {
				db := database(t, e)
				tx := store.NewTx(db)
				n, length := 0, int64(0)
				add := func() {
					n++
					if err := tx.Events.Append(t.Context(), otl.Event{ID: fmt.Sprint("evt_", n), Type: otl.EventUserUpdated, UserID: "jane", CreatedAt: start}); err != nil {
						t.Fatal(err)
					}
				}
				for range 5 {
					add()
				}
				place := func() {
					add()
					found, err := tx.Events.Unplaced(t.Context(), 100)
					for i := range found {
						length++
						found[i].Seq, found[i].Hash = length, []byte("x")
					}
					if err = errors.Join(err, tx.Events.Place(t.Context(), found)); err != nil {
						t.Fatal(err)
					}
				}
				q.Limit = cmp.Or(q.Limit, 10)
				page, err := store.NewTx(&meanwhile{Conn: db, do: place}).Events.Select(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, e := range page {
					got += strings.TrimPrefix(e.ID, "evt_")
				}
				if got != want {
					t.Errorf("%+v: %s, want %s", q, got, want)
				}
			}
		})
	}
}

func TestTheStateOfTheKeysChangesWithThem(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		states := map[string]bool{}
		note := func(what string) {
			t.Helper()
			s, err := st.Read.SigningKeys.State(t.Context())
			if err != nil || states[s] {
				t.Errorf("%s: the state %q was there before, %v", what, s, err)
			}
			states[s] = true
		}
		note("empty")
		for i := 1; i <= 2; i++ {
			insert := func(ctx context.Context, tx *store.Tx) (bool, error) {
				return tx.SigningKeys.Insert(ctx, store.SigningKey{ID: fmt.Sprint(i), Purpose: "access", Sequence: i, Algorithm: "ES256", Public: "{}", Private: []byte("x"), CreatedAt: start, SignFrom: start})
			}
			if !in(t, st, insert) || in(t, st, insert) {
				t.Error("not inserted, or twice")
			}
			note("one more")
		}
		for _, want := range []bool{true, false} {
			if got := in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) { return tx.SigningKeys.Revoke(ctx, "1", start) }); got != want {
				t.Errorf("revoked is %t, want %t", got, want)
			}
		}
		note("revoked")
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SigningKeys.Delete(ctx, "2") })
		note("deleted")
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SigningKeys.Seal(ctx, "1", []byte("y")) })
		if all, err := st.Read.SigningKeys.All(t.Context(), ""); err != nil || len(all) != 1 || string(all[0].Private) != "y" || !all[0].RevokedAt.Equal(start) {
			t.Errorf("%+v %v", all, err)
		}
	})
}

// TestTicketsWithoutASecret: tickets that have a code alone stand beside each other, and no
// secret leads to one.
func TestTicketsWithoutASecret(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "jane")
		signedIn(t, st, "john")
		for _, id := range []string{"jane", "john"} {
			ticket := otl.Ticket{ID: "t-" + id, Purpose: otl.PurposeSignIn, UserID: id, SiteID: "site", CreatedAt: start, ExpiresAt: start.Add(time.Minute)}
			in(t, st, func(ctx context.Context, tx *store.Tx) (bool, error) {
				return true, tx.Tickets.Insert(ctx, ticket, nil, []byte("code of "+id))
			})
		}
		for _, secret := range [][]byte{nil, {}, []byte("digest"), []byte("t-jane")} {
			if got, err := st.Read.Tickets.Live(t.Context(), otl.PurposeSignIn, secret, start); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%q leads to %+v", secret, got)
			}
		}
		for _, id := range []string{"jane", "john"} {
			got := in(t, st, func(ctx context.Context, tx *store.Tx) (string, error) {
				one, code, err := tx.Tickets.Guess(ctx, id, otl.PurposeSignIn, "site", "", start, 5, nil)
				return one.ID + " " + string(code), err
			})
			if got != "t-"+id+" code of "+id {
				t.Errorf("%q", got)
			}
		}
	})
}
