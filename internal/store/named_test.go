package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// BenchmarkNamed is what it costs to find whom an address or a number stands for at a site: the same for one of its
// people, for somebody elsewhere and for nobody (OT-10).
func BenchmarkNamed(b *testing.B) {
	const people = 2000
	start := time.UnixMilli(1_700_000_000_000)
	for _, e := range otltest.Engines() {
		url := otltest.DatabaseURL(b, e)
		st := open(b, url, false)
		signedIn(b, st, "somebody")
		signedIn(b, st, "another")
		err := st.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Insert(ctx, otl.Site{ID: "elsewhere", Slug: "elsewhere", Name: "Elsewhere", Version: 1, CreatedAt: start, UpdatedAt: start})
			for i := range people {
				for k, site := range []string{"site", "elsewhere"} {
					u := otl.User{ID: fmt.Sprintf("u%06d-%d", i, k), Phone: phoned(k, i), Preferences: "{}", SessionVersion: 1, Version: 1, CreatedAt: start, UpdatedAt: start}
					u.Email, _ = otl.ParseEmail(addressed(k, i))
					u.Username, _ = otl.ParseUsername(exactNames()[otl.AttrUsername](k, i))
					_, insertErr := tx.Users.Insert(ctx, u)
					_, joinErr := tx.Grants.Join(ctx, otl.Grant{UserID: u.ID, SiteID: site, Fields: otl.MinimalFields().With(otl.FieldPhone, otl.FieldUsername), CreatedAt: start, UpdatedAt: start})
					_, proveErr := tx.Users.VerifyPhone(ctx, u.ID, u.Phone, start)
					keepErr := tx.Records.Put(ctx, site, u.ID, otl.Record{ExternalID: external(k, i)})
					err = errors.Join(err, insertErr, joinErr, proveErr, keepErr)
				}
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if e == otltest.Postgres {
			run(b, connect(b, e, url), `ANALYZE`) // as its server does by itself before long
		}
		for k, kind := range []string{"member", "elsewhere", "nobody"} {
			b.Run(fmt.Sprintf("%s/address/%s", e, kind), func(b *testing.B) {
				for i := range b.N {
					m, err := st.Read.Grants.MemberByEmail(b.Context(), "site", addressed(k, i%people))
					if found := err == nil; found != (kind == "member") {
						b.Fatal(m, err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/number/%s", e, kind), func(b *testing.B) {
				for i := range b.N {
					m, err := st.Read.Grants.MemberByPhone(b.Context(), "site", phoned(k, i%people))
					if found := err == nil; found != (kind == "member") {
						b.Fatal(m, err)
					}
				}
			})
		}
		listed := func(name string, list func(kind, i int) ([]store.Member, error)) {
			for k, kind := range []string{"member", "elsewhere", "nobody"} {
				b.Run(fmt.Sprintf("%s/%s/%s", e, name, kind), func(b *testing.B) {
					for i := range b.N {
						found, err := list(k, i%people)
						if err != nil || len(found) == 1 != (kind == "member") {
							b.Fatal(found, err)
						}
					}
				})
			}
		}
		listed("list", func(kind, i int) ([]store.Member, error) {
			return st.Read.Grants.Members(b.Context(), "site", store.Search{EmailKey: addressed(kind, i)}, "", 51)
		})
		for attr, name := range exactNames() {
			listed("search by "+string(attr), func(kind, i int) ([]store.Member, error) {
				return st.Read.Grants.Search(b.Context(), "site", store.Query{Filter: otl.Filter{Op: otl.OpEqual, Attr: attr, Text: name(kind, i)}, Limit: 51})
			})
		}
	}
}

// TestWhoIsNamedIsNotLookedForAmongAll: a list of whoever has an address, a number, a username or a site's own id
// begins with whom the index of it gives, however many people the site has.
func TestWhoIsNamedIsNotLookedForAmongAll(t *testing.T) {
	t.Parallel()
	url := otltest.DatabaseURL(t, otltest.SQLite)
	st, db := open(t, url, false), connect(t, otltest.SQLite, url)
	var texts []string
	st.Hear(func(h store.Heard) { texts = append(texts, h.Text) })
	_, err := st.Read.Grants.Members(t.Context(), "site", store.Search{EmailKey: addressed(0, 0)}, "", 51)
	for attr, name := range exactNames() {
		q := store.Query{Filter: otl.Filter{Op: otl.OpEqual, Attr: attr, Text: name(0, 0)}, Limit: 51}
		_, searchErr := st.Read.Grants.Search(t.Context(), "site", q)
		_, countErr := st.Read.Grants.Count(t.Context(), "site", q)
		err = errors.Join(err, searchErr, countErr)
	}
	st.Hear(nil)
	if err != nil || len(texts) != 1+2*len(exactNames()) {
		t.Fatal(len(texts), err)
	}
	for _, text := range texts {
		for _, step := range plan(t, db, text) {
			if strings.Contains(step, "(site_id=?)") || strings.Contains(step, "(site_id=? AND user_id>?)") {
				t.Errorf("%s\n\t%s", step, text)
			}
		}
	}
}

// exactNames gives by what a site's people are named, and what the one of a kind is named.
func exactNames() map[otl.Attribute]func(kind, i int) string {
	return map[otl.Attribute]func(kind, i int) string{
		otl.AttrEmail: addressed, otl.AttrPhone: phoned, otl.AttrExternalID: external,
		otl.AttrUsername: func(kind, i int) string { return fmt.Sprintf("person.%d.%06d", kind, i) },
	}
}

func external(kind, i int) string { return fmt.Sprintf("ext-%d-%06d", kind, i) }

func phoned(kind, i int) string    { return fmt.Sprintf("+49170%d%06d", kind, i) }
func addressed(kind, i int) string { return fmt.Sprintf("p%d-%06d@dev.test", kind, i) }

// TestANumberBeginsWithWhoHasIt: PostgreSQL, which has counted nothing yet, goes from a number to those who have
// it, and not through all people of the site.
func TestANumberBeginsWithWhoHasIt(t *testing.T) {
	t.Parallel()
	db := database(t, otltest.Postgres)
	db.SetMaxOpenConns(1) // what is prepared is one connection's
	texts, _ := statements(t, db)
	at := slices.IndexFunc(texts, func(s string) bool { return strings.Contains(s, "u.phone = $2") })
	if at < 0 {
		t.Fatal("no statement finds people by their number")
	}
	run(t, db, `SET plan_cache_mode = force_generic_plan`, `PREPARE named (text, text) AS `+texts[at])
	rows, err := db.QueryContext(t.Context(), `EXPLAIN EXECUTE named ('site', '+491700000000')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	all := strings.Join(steps, "\n")
	if err := rows.Err(); err != nil || strings.Count(all, "using users_phone on") != 2 || strings.Contains(all, "Bitmap") {
		t.Errorf("%v\n%s", err, all)
	}
}
