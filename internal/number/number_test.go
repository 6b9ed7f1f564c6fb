package number_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestTE08_ANumberIsOneThingsForEver: also when many ask at once, and after what it
// stood for is gone.
func TestTE08_ANumberIsOneThingsForEver(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		numbers := &number.Numbers{Store: st}
		of := func(k number.Kind, ref string) int {
			n, err := numbers.Of(t.Context(), k, ref)
			if err != nil || n < 1 {
				t.Fatal(n, err)
			}
			return n
		}
		got := make([]int, 20)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() { got[i] = of(number.User, "a") })
		}
		wg.Wait()
		if a := got[0]; slices.ContainsFunc(got, func(n int) bool { return n != a }) {
			t.Errorf("one person has several numbers: %v", got)
		}
		seen := map[int]string{got[0]: "user a"}
		for _, k := range []number.Kind{number.User, number.Device, number.Account, number.Role} {
			all, err := numbers.All(t.Context(), k, []string{"b", "c", "b"})
			if err != nil || all[0] != all[2] {
				t.Fatal(all, err)
			}
			for _, n := range all[:2] {
				if seen[n] != "" {
					t.Errorf("%d stands for %s and another %s", n, seen[n], k)
				}
				seen[n] = string(k)
			}
		}
	})
}

// TestSeveralNumbersAreGivenInOneTransaction: and those that are there already take none.
func TestSeveralNumbersAreGivenInOneTransaction(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		numbers := &number.Numbers{Store: st}
		for _, one := range []struct {
			refs   []string
			writes uint64
		}{{[]string{"a", "b", "c"}, 1}, {[]string{"d", "a", "e"}, 1}, {[]string{"e", "c"}, 0}, {nil, 0}} {
			before := st.Stats().Writes
			if all, err := numbers.All(t.Context(), number.Device, one.refs); err != nil || len(all) != len(one.refs) {
				t.Fatal(all, err)
			}
			if n := st.Stats().Writes - before; n != one.writes {
				t.Errorf("%v: %d transactions, not %d", one.refs, n, one.writes)
			}
		}
	})
}

// TestANumberOfOneKindIsNoneOfAnother: nor is one that was never given.
func TestANumberOfOneKindIsNoneOfAnother(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		numbers := &number.Numbers{Store: w.Store}
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		n, err := numbers.Of(t.Context(), number.User, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ref, err := numbers.Ref(t.Context(), number.User, n); err != nil || ref != u.ID {
			t.Errorf("%q %v", ref, err)
		}
		for _, bad := range []int{0, -1, n + 1, 1 << 31, 1 << 40} {
			if ref, err := numbers.Ref(t.Context(), number.User, bad); otl.As(err).Kind != otl.NotFound {
				t.Errorf("%d is %q (%v)", bad, ref, err)
			}
		}
		if _, err := numbers.Ref(t.Context(), number.Device, n); otl.As(err).Kind != otl.NotFound {
			t.Error(err)
		}
		if err := w.Accounts.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		next, err := numbers.Of(t.Context(), number.User, secret.NewID(w.Clock.Now()))
		if err != nil || next <= n {
			t.Errorf("a number is used again: %d after %d (%v)", next, n, err)
		}
		// A transaction that is given up gives none.
		_ = w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.Numbers.Give(ctx, string(number.User), "x"); err != nil {
				t.Error(err)
			}
			return context.Canceled
		})
		if again, err := numbers.Of(t.Context(), number.User, "x"); err != nil || again <= next {
			t.Errorf("%d after %d (%v)", again, next, err)
		}
	})
}

// TestBelow gives what begins with a prefix, in the order of numbers, and nothing of
// another kind.
func TestBelow(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		n := &number.Numbers{Store: st}
		var want []int
		for _, ref := range []string{"A b", "B c", "A a", "A b", "AB c"} {
			id, err := n.Of(t.Context(), number.Attribute, ref)
			if err != nil {
				t.Fatal(err)
			}
			if ref[:2] == "A " && !slices.Contains(want, id) {
				want = append(want, id)
			}
		}
		if _, err := n.Of(t.Context(), number.Role, "A role"); err != nil {
			t.Fatal(err)
		}
		refs, ids, err := n.Below(t.Context(), number.Attribute, "A ")
		if err != nil || !slices.Equal(refs, []string{"A b", "A a"}) || !slices.Equal(ids, want) {
			t.Errorf("%v %v %v, want %v", refs, ids, err, want)
		}
	})
}

// TestTE01_NumbersOfASitesPeople gives whom several numbers stand for among the people of a site, whatever else is asked for, in as many
// statements whoever it is elsewhere.
func TestTE01_NumbersOfASitesPeople(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		n := &number.Numbers{Store: w.Store}
		var want []string
		asked := []int{math.MinInt, -1, 0, 1 << 30, math.MaxInt32 + 1, math.MaxInt}
		for i := range 130 { // of more than two statements
			at, kind := w.Notes.Site, number.User
			switch i % 13 {
			case 1:
				kind = number.Role
			case 2:
				at = w.Shop.Site
			}
			u := w.Person(t, fmt.Sprintf("%03d@dev.test", i), at)
			switch {
			case i%13 == 3:
				if err := w.Accounts.Leave(t.Context(), at.ID, u.ID); err != nil {
					t.Fatal(err)
				}
			case i%13 != 1 && i%13 != 2:
				want = append(want, u.ID)
			}
			id, err := n.Of(t.Context(), kind, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			asked = append(asked, id)
		}
		before := w.Store.Stats().Statements
		got, err := n.Members(t.Context(), w.Notes.Site.ID, asked)
		slices.Sort(got)
		slices.Sort(want)
		if got = slices.Compact(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v %v", got, err)
		}
		if ran := w.Store.Stats().Statements - before; ran != 3 {
			t.Errorf("%d statements", ran)
		}
		if got, err := n.Members(t.Context(), w.Notes.Site.ID, nil); err != nil || len(got) != 0 {
			t.Errorf("of none: %v %v", got, err)
		}
	})
}
