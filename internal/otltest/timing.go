package otltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Samples gives how many samples a measurement of time takes (OTL_TIMING_SAMPLES), and skips the
// test where nobody says: a loaded machine proves nothing, so that tests do not measure.
func Samples(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("OTL_TIMING_SAMPLES"))
	if err != nil {
		t.Skip("OTL_TIMING_SAMPLES says how many samples to take; make timing does")
	}
	return n
}

// PerPerson is for how many samples in a row one person is asked for: a hundred wrong codes
// close them to a person, and to nobody.
const PerPerson = 90

// Compare takes samples of how long something takes for each kind of person, in another order
// each time, and prints how all others differ from the first kind, for somebody to read:
// their medians, and the largest distance of the distributions with how likely it is where they are one
// (Kolmogorov and Smirnov). Ask does it once for sample i and says how long it took.
func Compare(name string, samples int, kinds []string, ask func(i int, kind string) time.Duration) {
	took, warm := map[string][]float64{}, samples/10
	for i := range samples + warm {
		for _, kind := range shuffled(kinds) { // what comes before it has an influence
			if spent := ask(i, kind); i >= warm {
				took[kind] = append(took[kind], float64(spent.Microseconds())/1000)
			}
		}
	}
	first := took[kinds[0]]
	for _, kind := range kinds[1:] {
		d, p := kolmogorov(first, took[kind])
		fmt.Printf("%-34s %-10s median %.3f ms, of a %s %.3f ms, differ by %+.3f ms; KS D=%.3f p=%.3f\n",
			name, kind, median(took[kind]), kinds[0], median(first), median(took[kind])-median(first), d, p)
	}
}

func shuffled(all []string) []string {
	out := slices.Clone(all)
	for i := range out {
		j := i + int(secret.Bytes(1)[0])%(len(out)-i)
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func median(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}

// kolmogorov gives the largest distance between two empirical distributions and how
// likely it is to be at least so large if they are one (the asymptotic distribution).
func kolmogorov(a, b []float64) (d, p float64) {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := min(a[i], b[j])
		for i < len(a) && a[i] <= x {
			i++
		}
		for j < len(b) && b[j] <= x {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := float64(len(a)*len(b)) / float64(len(a)+len(b))
	lambda := (math.Sqrt(n) + 0.12 + 0.11/math.Sqrt(n)) * d
	if lambda < 0.3 {
		return d, 1 // the sum below does not converge there
	}
	for k := 1.0; k <= 100; k++ {
		p += 2 * math.Pow(-1, k-1) * math.Exp(-2*k*k*lambda*lambda)
	}
	return d, min(max(p, 0), 1)
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

// Username gives the username that somebody of Kinds has beside an address.
func Username(address string) string { return strings.ReplaceAll(address, "@", ".") }

// Kinds adds a person of each kind that pages and APIs must not tell from nobody, whose addresses
// begin with the kind and end as said: a member of Notes, one of Shop, and one who is disabled, each with a
// proven number that the site sees, and one whose number is not proven. Each has a username, too.
func (w *World) Kinds(t testing.TB, end, number string) {
	t.Helper()
	for i, kind := range []string{"member", "elsewhere", "disabled", "unproven"} {
		at := w.Notes.Site
		if kind == "elsewhere" {
			at = w.Shop.Site
		}
		u := w.Person(t, kind+end, at)
		name, err := otl.ParseUsername(Username(kind + end))
		if err != nil {
			t.Fatal(err)
		}
		u.Username = name
		w.Phone(t, u, number+strconv.Itoa(i), kind != "unproven")
		w.Sees(t, u, at, otl.MinimalFields().With(otl.FieldPhone)...)
		if kind != "disabled" {
			continue
		}
		if err := w.Accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
	}
}
