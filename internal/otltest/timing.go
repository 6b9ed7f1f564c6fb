package otltest

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
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
