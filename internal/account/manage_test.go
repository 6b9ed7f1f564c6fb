package account_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

func members(pairs ...string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return out
}

// TestWhatASiteKeepsIsMerged: objects member by member where they are to be, everything
// else is replaced, null takes away.
func TestWhatASiteKeepsIsMerged(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		for i, c := range []struct {
			data map[string]json.RawMessage
			want string // "" for an error
		}{
			{members("custom", `{"a":1,"b":{"c":2}}`), `{"custom":{"a":1,"b":{"c":2}}}`},
			{members("custom", `{"b":{"d":3}}`, "birthday", `"1990-12-31"`), `{"birthday":"1990-12-31","custom":{"a":1,"b":{"d":3}}}`},
			{members("custom", `{"a":null,"e":"ü"}`), `{"birthday":"1990-12-31","custom":{"b":{"d":3},"e":"ü"}}`},
			{members("birthday", `null`), `{"custom":{"b":{"d":3},"e":"ü"}}`},
			{members("custom", `[]`), ""},
			{members("custom", `null`), ""},
			{members("address", `"`+strings.Repeat("x", otl.MaxRecord)+`"`), ""},
			{nil, `{"custom":{"b":{"d":3},"e":"ü"}}`},
		} {
			m, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Data: c.data, Merge: []string{"custom"}})
			if (err != nil) != (c.want == "") || err == nil && m.Record.Data != c.want {
				t.Errorf("%d: %s, want %s (%v)", i, m.Record.Data, c.want, err)
			}
		}
		// It goes when he leaves, and is not there when he comes back.
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		w.Login(t, w.Notes, "jane@dev.test")
		if m, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, u.ID); err != nil || m.Record != (otl.Record{}) {
			t.Errorf("%+v %v", m.Record, err)
		}
	})
}

// TestWhatASiteKeepsIsMergedAtOnce: of several that change one record at the same time nothing is
// lost, and what the person is found by is what is kept.
func TestWhatASiteKeepsIsMergedAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		var wg sync.WaitGroup
		const n = 12
		for i := range n {
			wg.Go(func() {
				name := fmt.Sprintf("n%02d", i)
				c := account.MemberChange{Data: members("custom", `{"`+name+`":"x"}`), Merge: []string{"custom"}, Traits: map[string]string{name: "x"}}
				if i == 0 {
					c.ExternalID = ptr("e-1")
				}
				if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		m, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, u.ID)
		if got := strings.Count(m.Record.Data, `:"x"`); err != nil || got != n || m.Record.ExternalID != "e-1" {
			t.Errorf("%d of %d are kept: %+v %v", got, n, m.Record, err)
		}
	})
}

// TestD1_Owns is the one rule of whom a site may set credentials for.
func TestD1_Owns(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		made := func(address string, of *otl.Site) otl.User {
			m, err := w.Accounts.Create(t.Context(), account.Creation{Email: address, Site: of, Profile: account.Profile{Phone: ptr("+491705550100")}})
			if err != nil {
				t.Fatal(err)
			}
			return m.User
		}
		owns := func(u otl.User) bool {
			u, err := w.Accounts.Find(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			yes, err := w.Members.Owns(t.Context(), w.Notes.Site.ID, u)
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		change := func(do func(context.Context, *store.Tx) error) {
			if err := w.Store.Write(t.Context(), do); err != nil {
				t.Fatal(err)
			}
		}
		if u := made("own@dev.test", &w.Notes.Site); !owns(u) {
			t.Error("somebody the site added is not its own")
		}
		if owns(made("none@dev.test", nil)) || owns(made("shop@dev.test", &w.Shop.Site)) {
			t.Error("somebody it did not add is")
		}
		u := made("mail@dev.test", &w.Notes.Site)
		change(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
			return err
		})
		if owns(u) {
			t.Error("somebody who has proven an address is")
		}
		u = made("phone@dev.test", &w.Notes.Site)
		change(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyPhone(ctx, u.ID, u.Phone, w.Clock.Now())
			return err
		})
		if owns(u) {
			t.Error("somebody who has proven a number is")
		}
		u = made("both@dev.test", &w.Notes.Site)
		g := otl.Grant{UserID: u.ID, SiteID: w.Shop.Site.ID, CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()}
		change(func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) })
		if owns(u) {
			t.Error("somebody another site knows is")
		}
		if err := w.Members.SetPassword(t.Context(), w.Notes.Site, u.ID, account.GivenPassword{Password: secret.NewText(otltest.Password)}); !otl.Is(err, "user_independent") {
			t.Error(err)
		}
		if err := w.Accounts.Leave(t.Context(), w.Shop.Site.ID, u.ID); err != nil || !owns(u) {
			t.Error("he left it again", err)
		}
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil || owns(u) {
			t.Error("somebody who left the site is", err)
		}
	})
}

// TestWelcome adds whom nobody knows, once.
func TestWelcome(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "shopper@dev.test", w.Shop.Site)
		for _, c := range []struct {
			address, number string
			made            bool
			code            string
		}{
			{"fresh@dev.test", "", true, ""},
			{"FRESH@dev.test", "", false, ""},
			{"shopper@dev.test", "", false, ""},
			{"", "+491705550100", true, ""},
			{"", "+491705550100", false, ""},
			{"", "", false, "validation_failed"},
			{"x", "", false, "validation_failed"},
			{"", "x", false, "validation_failed"},
		} {
			made, err := w.Members.Welcome(t.Context(), w.Notes.Site, c.address, c.number)
			if made != c.made || (c.code == "") != (err == nil) || err != nil && !otl.Is(err, c.code) {
				t.Errorf("%+v: %t %v", c, made, err)
			}
		}
		u, err := w.Accounts.Find(t.Context(), "fresh@dev.test")
		if err != nil || !u.EmailVerifiedAt.IsZero() || u.CreatedBy != w.Notes.Site.ID {
			t.Errorf("%+v %v", u, err)
		}
		if _, err := w.Accounts.Member(t.Context(), w.Shop.Site.ID, u.ID); !otl.Is(err, "not_found") {
			t.Error(err)
		}
	})
}

// TestOT17_AnUndoneChangeTakesLaterOnesAlong: of changes one after the other the first
// can be undone, and what came after it cannot be then.
func TestOT17_AnUndoneChangeTakesLaterOnesAlong(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "a@dev.test", w.Notes.Site)
		token := func(to string) string {
			for _, l := range w.Letters(t, to) {
				if _, path, ok := strings.Cut(l.Link, "/c/"); ok {
					return path
				}
			}
			t.Fatalf("no link came to %s", to)
			return ""
		}
		address := func() string {
			now, err := w.Accounts.Find(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			return now.Email.Key
		}
		move := func(from, to string) (undo string) {
			w.Clock.Advance(80 * time.Hour / 2)
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // proven, and not held
				now, err := tx.Users.ByID(ctx, u.ID)
				if err != nil {
					return err
				}
				now.EmailVerifiedAt, now.HeldUntil = w.Clock.Now(), time.Time{}
				_, err = tx.Users.ChangeEmail(ctx, now, from, w.Clock.Now())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &to}); err != nil {
				t.Fatal(err)
			}
			undo = token(from)
			if err := w.Members.Changes.Follow(t.Context(), token(to)); err != nil || address() != to {
				t.Fatal(fmt.Errorf("%s: %w", address(), err))
			}
			return undo
		}
		first, second := move("a@dev.test", "b@dev.test"), move("b@dev.test", "c@dev.test")
		if err := w.Members.Changes.Follow(t.Context(), first); err != nil || address() != "a@dev.test" {
			t.Errorf("%s %v", address(), err)
		}
		if err := w.Members.Changes.Follow(t.Context(), second); !otl.Is(err, "change_invalid") || address() != "a@dev.test" {
			t.Errorf("%s %v", address(), err)
		}
	})
}
