package account_test

import (
	"context"
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSE04_WhatJustEndedChoosesNoPassword: a request that was under way when another session took the
// place of its own, which raises no version, or when he signed out everywhere, changes nothing.
func TestSE04_WhatJustEndedChoosesNoPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for name, end := range map[string]func(ctx context.Context, tx *store.Tx, by store.Standing) error{
			"superseded": func(ctx context.Context, tx *store.Tx, by store.Standing) error {
				_, err := w.Accounts.Sessions.End(ctx, tx, by.User.ID, by.Session.ID, otl.EndSuperseded)
				return err
			},
			"everywhere": func(ctx context.Context, tx *store.Tx, by store.Standing) error {
				_, err := w.Accounts.Sessions.EndAll(ctx, tx, by.User.ID, "", "", otl.EndLogout)
				return err
			},
		} {
			u := w.Person(t, name+"@dev.test")
			by, was := w.Strong(t, u), passwordVersion(t, w, u)
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return end(ctx, tx, by) }); err != nil {
				t.Fatal(err)
			}
			r := account.Renewed{By: by, Present: secret.NewText(otltest.Password), New: secret.NewText("staple-battery-8")}
			if _, err := (account.Renewal{Accounts: w.Accounts}).Renew(t.Context(), r); !otl.Is(err, otl.ErrSessionRevoked.Code) {
				t.Errorf("%s: %v", name, err)
			}
			if is := passwordVersion(t, w, u); is != was {
				t.Errorf("%s: %d passwords, of %d", name, is, was)
			}
			if l := w.Letters(t, u.Email.Address); len(l) != 0 {
				t.Errorf("%s: %v", name, l)
			}
		}
	})
}

// passwordVersion gives how many passwords somebody has had.
func passwordVersion(t *testing.T, w *otltest.World, u otl.User) int {
	t.Helper()
	c, err := w.Store.Read.Users.Credential(t.Context(), u.Email.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.PasswordVersion
}

// TestOT16_APasswordThatIsBeingChangedIsNotPlanted: the first proof of the address takes the password away while its change is
// under way, which then changes nothing.
func TestOT16_APasswordThatIsBeingChangedIsNotPlanted(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	u := w.Person(t, "jane@dev.test")
	by := w.Strong(t, u)
	w.Between(t, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Users.Lock(ctx, u.ID); err != nil {
			return err
		}
		_, err := tx.Passwords.Remove(ctx, u.ID)
		return err
	}, func() {
		_, err := w.Accounts.Change(t.Context(), account.Change{Bearer: by, Current: secret.NewText(otltest.Password), New: secret.NewText("staple-battery-8")})
		if !errors.Is(err, otl.ErrVersion) && !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
	if c, err := w.Store.Read.Users.Credential(t.Context(), u.Email.Key, ""); err == nil && c.Hash != "" {
		t.Error("there is a password")
	}
}
