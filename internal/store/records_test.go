package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestATraitIsOfItsRecord: it is replaced, taken away and gone with the record, and whatever its
// length it is compared.
func TestATraitIsOfItsRecord(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		crowd(t, st)
		set := func(name, text string) {
			t.Helper()
			write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Records.Trait(ctx, "site", "ann", name, text) })
		}
		has := func(name, text string) bool {
			t.Helper()
			f := otl.Filter{Attr: otl.AttrTrait, Name: name, Op: otl.OpBegins, Text: text}
			n, err := st.Read.Grants.Count(t.Context(), "site", store.Query{Filter: f})
			if err != nil {
				t.Fatal(err)
			}
			return n == 1
		}
		set("desk", "B")
		if !has("desk", "b") || has("desk", "ä ann") {
			t.Error("it is not replaced")
		}
		set("long", strings.Repeat("\U0001f510\ufdfa", 300)) // of the longest folded forms there are
		if !has("long", "\U0001f510") {
			t.Error("a long one")
		}
		set("desk", "")
		set("none", "")
		if has("desk", "") || !has("long", "") {
			t.Error("it is not taken away")
		}
		write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Records.Delete(ctx, "site", "ann") })
		if has("long", "") {
			t.Error("it outlives the record")
		}
	})
}
