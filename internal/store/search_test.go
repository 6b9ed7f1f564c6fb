package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// crowd fills a site with three people who granted it everything, and one who granted
// nothing; a fourth belongs to another site.
func crowd(t *testing.T, st *store.Store) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for _, id := range []string{"site", "other"} {
			if _, err := tx.Sites.Insert(ctx, otl.Site{ID: id, Slug: id, Name: id, Version: 1, CreatedAt: start, UpdatedAt: start}); err != nil {
				return err
			}
		}
		for i, name := range []string{"ann", "ben", "cid", "dee", "eve"} {
			at := start.Add(time.Duration(i) * time.Minute)
			u := otl.User{
				ID: name, Email: otl.Email{Address: name + "@dev.test", Key: name + "@dev.test"}, Name: "Öre " + strings.ToUpper(name) + " 100%", Phone: "+49170555010" + string(rune('0'+i)),
				Username: otl.Username{Name: name + "_x", Key: name + "_x"}, Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: at, UpdatedAt: at.Add(time.Hour),
			}
			g := otl.Grant{UserID: name, SiteID: "site", Fields: otl.AllFields(), CreatedAt: at, UpdatedAt: at}
			switch name {
			case "ann":
				g.Roles = []string{"reader"}
			case "ben":
				g.Roles = []string{"editor", "reader", "x"}
			case "cid":
				g.LastLoginAt, g.Roles = at, []string{"reader_x"}
			case "dee":
				g.Fields = nil
			case "eve":
				g.SiteID = "other"
			}
			if _, err := tx.Users.Insert(ctx, u); err != nil {
				return err
			}
			if err := tx.Grants.Put(ctx, g); err != nil {
				return err
			}
			if name == "dee" { // nothing is kept of her
				continue
			}
			if err := tx.Records.Put(ctx, g.SiteID, name, otl.Record{ExternalID: "X-" + name, Data: "{}"}); err != nil {
				return err
			}
			if err := tx.Records.Trait(ctx, g.SiteID, name, "desk", "Ä "+name+"_1"); err != nil {
				return err
			}
		}
		if _, err := tx.Users.SetDisabled(ctx, "ann", start); err != nil {
			return err
		}
		_, err := tx.Grants.Suspend(ctx, otl.Grant{UserID: "ben", SiteID: "site"}, start, time.Time{})
		return err
	})
}

func TestSC06_EveryAttributeWithEveryOperator(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		crowd(t, st)
		text := func(a otl.Attribute, op otl.Op, s string) otl.Filter { return otl.Filter{Attr: a, Op: op, Text: s} }
		when := func(a otl.Attribute, op otl.Op, minutes int) otl.Filter {
			return otl.Filter{Attr: a, Op: op, Time: start.Add(time.Duration(minutes) * time.Minute)}
		}
		not := func(f otl.Filter) otl.Filter { return otl.Filter{Op: otl.OpNot, Parts: []otl.Filter{f}} }
		for _, c := range []struct {
			filter otl.Filter
			want   string
		}{
			{otl.Filter{}, "ann ben cid dee"},
			{text(otl.AttrID, otl.OpEqual, "ben"), "ben"},
			{text(otl.AttrID, otl.OpUnequal, "ben"), "ann cid dee"},
			{text(otl.AttrID, otl.OpPresent, ""), "ann ben cid dee"},
			{text(otl.AttrExternalID, otl.OpEqual, "X-ann"), "ann"},
			{text(otl.AttrExternalID, otl.OpEqual, "x-ann"), ""},
			{not(text(otl.AttrExternalID, otl.OpEqual, "X-ann")), "ben cid dee"},
			{text(otl.AttrEmail, otl.OpEqual, "BEN@dev.test"), "ben"},
			{text(otl.AttrEmail, otl.OpUnequal, "ben@dev.test"), "ann cid"},
			{text(otl.AttrEmail, otl.OpContains, "@DEV"), "ann ben cid"},
			{text(otl.AttrEmail, otl.OpBegins, "c"), "cid"},
			{text(otl.AttrEmail, otl.OpEnds, "test"), "ann ben cid"},
			{text(otl.AttrEmail, otl.OpContains, "_"), ""},
			{text(otl.AttrEmail, otl.OpContains, "%"), ""},
			{text(otl.AttrPhone, otl.OpEnds, "2"), "cid"},
			{text(otl.AttrPhone, otl.OpPresent, ""), "ann ben cid"},
			{text(otl.AttrUsername, otl.OpContains, "_X"), "ann ben cid"},
			{text(otl.AttrName, otl.OpContains, "öre a"), "ann"},
			{text(otl.AttrName, otl.OpEnds, "100%"), "ann ben cid"},
			{text(otl.AttrName, otl.OpEqual, "'; DROP TABLE users; --"), ""},
			{otl.Filter{Attr: otl.AttrTrait, Name: "desk", Op: otl.OpEqual, Text: "ä BEN_1"}, "ben"},
			{otl.Filter{Attr: otl.AttrTrait, Name: "desk", Op: otl.OpBegins, Text: "ä"}, "ann ben cid"},
			{otl.Filter{Attr: otl.AttrTrait, Name: "desk", Op: otl.OpEnds, Text: "%1"}, ""},
			{otl.Filter{Attr: otl.AttrTrait, Name: "Desk", Op: otl.OpPresent}, ""},
			{not(otl.Filter{Attr: otl.AttrTrait, Name: "desk", Op: otl.OpContains, Text: "n_"}), "cid dee"},
			{text(otl.AttrRole, otl.OpEqual, "reader"), "ann ben"},
			{text(otl.AttrRole, otl.OpEqual, "read"), ""},
			{text(otl.AttrRole, otl.OpEqual, "%"), ""},
			{text(otl.AttrRole, otl.OpBegins, "reader"), ""},
			{otl.Filter{Attr: otl.AttrActive, Op: otl.OpEqual, Yes: true}, "cid dee"},
			{otl.Filter{Attr: otl.AttrActive, Op: otl.OpEqual}, "ann ben"},
			{otl.Filter{Attr: otl.AttrActive, Op: otl.OpUnequal, Yes: true}, "ann ben"},
			{otl.Filter{Attr: otl.AttrActive, Op: otl.OpPresent}, "ann ben cid dee"},
			{when(otl.AttrCreated, otl.OpEqual, 1), "ben"},
			{when(otl.AttrCreated, otl.OpUnequal, 1), "ann cid dee"},
			{when(otl.AttrCreated, otl.OpAfter, 1), "cid dee"},
			{when(otl.AttrCreated, otl.OpNotEarly, 1), "ben cid dee"},
			{when(otl.AttrUpdated, otl.OpBefore, 61), "ann"},
			{when(otl.AttrUpdated, otl.OpNotLate, 61), "ann ben"},
			{when(otl.AttrLastLogin, otl.OpPresent, 0), "cid"},
			{not(when(otl.AttrLastLogin, otl.OpPresent, 0)), "ann ben dee"},
			{not(text(otl.AttrName, otl.OpContains, "ore")), "ann ben cid dee"},
			{otl.Filter{Op: otl.OpAnd, Parts: []otl.Filter{when(otl.AttrCreated, otl.OpAfter, 0), not(text(otl.AttrID, otl.OpEqual, "cid"))}}, "ben dee"},
			{otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{text(otl.AttrID, otl.OpEqual, "ann"), text(otl.AttrID, otl.OpEqual, "eve")}}, "ann"},
			{otl.Filter{Attr: "shoe", Op: otl.OpEqual}, ""},
			{text(otl.AttrEmail, otl.OpAfter, "a"), ""},
		} {
			q := store.Query{Filter: c.filter, Sort: otl.AttrCreated, Limit: 10}
			found, err := st.Read.Grants.Search(t.Context(), "site", q)
			n, countErr := st.Read.Grants.Count(t.Context(), "site", q)
			var ids []string
			for _, m := range found {
				ids = append(ids, m.User.ID)
			}
			if got := strings.Join(ids, " "); errors.Join(err, countErr) != nil || got != c.want || n != len(found) {
				t.Errorf("%+v: %q, %d in all, want %q (%v)", c.filter, got, n, c.want, errors.Join(err, countErr))
			}
		}
	})
}

func TestSearchIsPaged(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		crowd(t, st)
		for _, c := range []struct {
			q    store.Query
			want string
		}{
			{store.Query{Sort: otl.AttrCreated, Limit: 2}, "ann ben"},
			{store.Query{Sort: otl.AttrCreated, Limit: 2, Offset: 3}, "dee"},
			{store.Query{Sort: otl.AttrUpdated, Desc: true, Limit: 2}, "dee cid"},
			{store.Query{Sort: otl.AttrLastLogin, Desc: true, Limit: 1}, "cid"},
			{store.Query{Desc: true, Limit: 3}, "dee cid ben"},
			{store.Query{Prefix: "b", Limit: 9}, "ben"},
			{store.Query{Prefix: "+49170555010", Limit: 9}, "ann ben cid"},
			{store.Query{Prefix: "%", Limit: 9}, ""},
		} {
			found, err := st.Read.Grants.Search(t.Context(), "site", c.q)
			var ids []string
			for _, m := range found {
				ids = append(ids, m.User.ID)
			}
			if got := strings.Join(ids, " "); err != nil || got != c.want {
				t.Errorf("%+v: %q, want %q (%v)", c.q, got, c.want, err)
			}
		}
	})
}

func TestRecords(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		crowd(t, st)
		put := func(site, user string, r otl.Record) error {
			return st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Records.Put(ctx, site, user, r) })
		}
		want := otl.Record{ExternalID: "1", Data: `{"a":"ü"}`, PendingAt: start}
		if err := put("site", "ann", want); err != nil {
			t.Fatal(err)
		}
		if m, err := st.Read.Grants.Member(t.Context(), "site", "ann"); err != nil || m.Record != want {
			t.Errorf("%+v %v", m.Record, err)
		}
		if err := put("site", "ben", otl.Record{ExternalID: "1"}); !errors.Is(err, store.ErrTaken) {
			t.Errorf("one external id twice: %v", err)
		}
		if err := errors.Join(put("other", "eve", otl.Record{ExternalID: "1"}), put("site", "ben", otl.Record{}), put("site", "cid", otl.Record{})); err != nil {
			t.Error(err)
		}
		for site, holder := range map[string]string{"site": "ann", "other": "eve"} {
			if id, err := st.Read.Records.Holder(t.Context(), site, "1"); err != nil || id != holder {
				t.Error(id, err)
			}
		}
		for _, id := range []string{"", "X-ann", "2"} {
			if _, err := st.Read.Records.Holder(t.Context(), "site", id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Records.Delete(ctx, "site", "ann") })
		if m, err := st.Read.Grants.Member(t.Context(), "site", "ann"); err != nil || m.Record != (otl.Record{}) {
			t.Errorf("%+v %v", m.Record, err)
		}
	})
}
