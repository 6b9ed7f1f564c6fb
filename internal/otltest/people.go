package otltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// One is somebody of a kind, by all that names him.
type One struct {
	Kind                        string
	Email, Phone, Username, UID string
}

// Nobody is the kind of whom nobody knows.
const Nobody = "nobody"

// Crowd is one of each of some kinds of people.
type Crowd []One

// Of gives the one of a kind.
func (c Crowd) Of(kind string) One {
	return c[slices.IndexFunc(c, func(o One) bool { return o.Kind == kind })]
}

// Crowd adds one person of each kind that a door of Notes may not tell from nobody, and gives them with nobody last. All have
// an address, a number, a username and Password: one of its people who lets it see all that and has proven it; one who has proven
// nothing; one who lets it see nothing of it; one who left it; one whom it barred; one who is disabled; and one of Shop's.
// Where kinds are named it is those alone, and nobody. N, below 900, tells crowds apart: their numbers are in other ranges.
func (w *World) Crowd(t testing.TB, n int, kinds ...string) Crowd {
	t.Helper()
	var all Crowd
	for i, kind := range []string{"member", "unproven", "hidden", "left", "barred", "disabled", "elsewhere", Nobody} {
		one := One{Kind: kind, Email: kind + strconv.Itoa(n) + "@dev.test", Phone: fmt.Sprintf("+49%03d%d0000", 100+n, i), Username: kind + strconv.Itoa(n), UID: secret.NewID(w.Clock.Now())}
		if kind != Nobody && len(kinds) > 0 && !slices.Contains(kinds, kind) {
			continue
		}
		if kind != Nobody {
			one.UID = w.one(t, one)
		}
		all = append(all, one)
	}
	return all
}

// one adds a person of a kind and gives his id.
func (w *World) one(t testing.TB, o One) string {
	t.Helper()
	at := w.Notes.Site
	if o.Kind == "elsewhere" {
		at = w.Shop.Site
	}
	u := w.Person(t, o.Email, at)
	name, err := otl.ParseUsername(o.Username)
	if err != nil {
		t.Fatal(err)
	}
	u.Username = name
	w.Phone(t, u, o.Phone, o.Kind != "unproven")
	sees := otl.MinimalFields().With(otl.FieldPhone, otl.FieldUsername)
	if o.Kind == "hidden" {
		sees = otl.Fields{otl.FieldName}
	}
	w.Sees(t, u, at, sees...)
	if o.Kind != "unproven" {
		w.Proven(t, u)
	}
	yes := true
	switch o.Kind {
	case "left":
		err = w.Accounts.Leave(t.Context(), at.ID, u.ID)
	case "barred":
		_, err = w.Members.Change(t.Context(), at, u.ID, account.MemberChange{Suspended: &yes})
	case "disabled":
		err = w.Accounts.SetDisabled(t.Context(), u.ID, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// Proven has a person's address be proven already, so that nothing of his goes when he proves it again (OT-16).
func (w *World) Proven(t testing.TB, u otl.User) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Phone gives a person a number, one that he has proven to hold or not.
func (w *World) Phone(t testing.TB, u otl.User, number string, proven bool) {
	t.Helper()
	u.Phone = number
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Users.UpdateProfile(ctx, u); err != nil || !proven {
			return err
		}
		_, err := tx.Users.VerifyPhone(ctx, u.ID, number, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Sees has a person let a site see these fields of his and no others.
func (w *World) Sees(t testing.TB, u otl.User, site otl.Site, fields ...otl.Field) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		g, err := tx.Grants.Of(ctx, u.ID, site.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		g.UserID, g.SiteID, g.Fields, g.CreatedAt, g.UpdatedAt = u.ID, site.ID, otl.Fields{}.With(fields...), w.Clock.Now(), w.Clock.Now()
		return tx.Grants.Put(ctx, g)
	}); err != nil {
		t.Fatal(err)
	}
}
