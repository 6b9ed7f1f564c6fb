package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT16_D1_ANumberNamesWhoProvedItToASiteThatSeesIt: whoever proved it is named, however many wrote it into their profiles;
// where nobody did, who alone has it. Two who are as good as each other are nobody, and so is whoever does not let the site see it.
func TestOT16_D1_ANumberNamesWhoProvedItToASiteThatSeesIt(t *testing.T) {
	t.Parallel()
	type has struct {
		proven, sees, elsewhere, left bool
	}
	writes, proves, hides := has{sees: true}, has{proven: true, sees: true}, has{proven: true}
	cases := []struct {
		name   string
		people []has // in the order of their ids
		want   int   // place of who is named; -1 for nobody
		many   bool
	}{
		{"nobody", nil, -1, false},
		{"who proved it", []has{proves}, 0, false},
		{"who wrote it", []has{writes}, 0, false},
		{"who proved it, after a stranger", []has{writes, proves}, 1, false},
		{"who proved it, before a stranger", []has{proves, writes}, 0, false},
		{"who proved it, among strangers", []has{writes, writes, proves, writes}, 2, false},
		{"two who wrote it", []has{writes, writes}, -1, true},
		{"two who proved it", []has{proves, proves}, -1, true},
		{"two who proved it, among strangers", []has{proves, writes, proves, writes}, -1, true},
		{"who hides it", []has{hides}, -1, false},
		{"who hides it unproven", []has{{}}, -1, false},
		{"two who hide it", []has{hides, {}}, -1, false},
		{"a stranger beside who hides it", []has{hides, writes}, 1, false},
		{"who proved it, beside who hides it", []has{hides, proves}, 1, false},
		{"somebody elsewhere", []has{{proven: true, sees: true, elsewhere: true}}, -1, false},
		{"a stranger beside somebody elsewhere", []has{{proven: true, sees: true, elsewhere: true}, writes}, 1, false},
		{"a stranger beside who left", []has{{proven: true, sees: true, left: true}, writes}, 1, false},
	}
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		signedIn(t, st, "somebody")
		signedIn(t, st, "another")
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Insert(ctx, otl.Site{ID: "elsewhere", Slug: "elsewhere", Name: "Elsewhere", Version: 1, CreatedAt: start, UpdatedAt: start})
			return err
		})
		for i, c := range cases {
			number := fmt.Sprintf("+4917055502%02d", i)
			id := func(n int) string { return fmt.Sprintf("u%02d-%d", i, n) }
			for n, p := range c.people {
				g := otl.Grant{UserID: id(n), SiteID: "site", Fields: otl.Fields{otl.FieldEmail}, CreatedAt: start, UpdatedAt: start}
				if p.sees {
					g.Fields = g.Fields.With(otl.FieldPhone)
				}
				if p.elsewhere {
					g.SiteID = "elsewhere"
				}
				write(t, st, func(ctx context.Context, tx *store.Tx) error {
					u := otl.User{ID: id(n), Phone: number, Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: start, UpdatedAt: start}
					_, err := tx.Users.Insert(ctx, u)
					_, joinErr := tx.Grants.Join(ctx, g)
					if p.proven {
						_, err := tx.Users.VerifyPhone(ctx, u.ID, number, start)
						joinErr = errors.Join(joinErr, err)
					}
					if p.left {
						_, err := tx.Grants.Revoke(ctx, u.ID, g.SiteID, start)
						joinErr = errors.Join(joinErr, err)
					}
					return errors.Join(err, joinErr)
				})
			}
			m, err := st.Read.Grants.MemberByPhone(t.Context(), "site", number)
			switch {
			case c.want < 0 && (!errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrSeveral) != c.many):
				t.Errorf("%s: %q %v", c.name, m.User.ID, err)
			case c.want >= 0 && (err != nil || m.User.ID != id(c.want) || m.Grant.UserID != m.User.ID || m.Grant.SiteID != "site"):
				t.Errorf("%s: %q, want %s (%v)", c.name, m.User.ID, id(c.want), err)
			}
		}
		if _, err := st.Read.Grants.MemberByPhone(t.Context(), "site", ""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no number: %v", err)
		}
	})
}
