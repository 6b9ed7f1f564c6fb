package native_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestTiming measures whether time tells who has an address (OT-10, PW-09): samples of
// each kind of person, interleaved, compared by their medians and by Kolmogorov and
// Smirnov. It asserts nothing, because a loaded machine proves nothing: `make timing`
// prints the figures for somebody to read.
func TestTiming(t *testing.T) {
	samples, err := strconv.Atoi(os.Getenv("OTL_TIMING_SAMPLES"))
	if err != nil {
		t.Skip("OTL_TIMING_SAMPLES says how many samples to take; make timing does")
	}
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Argon2 = secret.Argon2{Memory: 19 << 10, Time: 2, Threads: 1} })
	kinds := []string{"member", "elsewhere", "disabled", "nobody"}
	people := func(n int) { // a hundred wrong codes close them to a person, and to nobody
		at := strconv.Itoa(n) + "@dev.test"
		w.Person(t, "member"+at, w.Notes.Site)
		w.Person(t, "elsewhere"+at, w.Shop.Site)
		off := w.Person(t, "disabled"+at, w.Notes.Site)
		if err := w.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	const each = 90 // samples of one person
	for n := range (samples+samples/10)/each + 1 {
		people(n)
	}
	first := map[string]string{"/api/v1/auth/otp/verify": "/api/v1/auth/otp/send"} // a code to be wrong about
	for path, body := range map[string]map[string]string{
		"/api/v1/auth/otp/send":        {},
		"/api/v1/auth/link/send":       {"callback_url": "https://notes.test/callback"},
		"/api/v1/auth/password/forgot": {},
		"/api/v1/auth/otp/verify":      {"code": "123456"},
		"/api/v1/auth/login":           {"password": "wrong-horse-7"},
	} {
		took := map[string][]float64{}
		for i := range samples + samples/10 {
			w.Clock.Advance(time.Minute)
			for _, k := range rand.Perm(len(kinds)) { // what comes before it has an influence
				kind := kinds[k]
				all := map[string]string{"email": kind + strconv.Itoa(i/each) + "@dev.test"}
				for name, v := range body {
					all[name] = v
				}
				if send := first[path]; send != "" {
					w.Do(t, otltest.Call{Path: send, Key: w.Notes.Key, Body: map[string]string{"email": all["email"]}}).Want(t, http.StatusAccepted)
				}
				began := time.Now()
				r := w.Do(t, otltest.Call{Path: path, Key: w.Notes.Key, Body: all})
				spent := time.Since(began)
				if r.Status != http.StatusAccepted && r.Status != http.StatusUnauthorized {
					t.Fatalf("%d %s", r.Status, r.Raw)
				}
				if i >= samples/10 { // the first ones warm up
					took[kind] = append(took[kind], float64(spent.Microseconds())/1000)
				}
			}
		}
		for _, kind := range kinds[1:] {
			d, p := kolmogorov(took[kinds[0]], took[kind])
			fmt.Printf("%-30s %-10s median %.3f ms, of a member %.3f ms, differ by %+.3f ms; KS D=%.3f p=%.3f\n",
				path, kind, median(took[kind]), median(took[kinds[0]]), median(took[kind])-median(took[kinds[0]]), d, p)
		}
	}
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

func TestKolmogorov(t *testing.T) {
	t.Parallel()
	var a, b, c []float64
	for i := range 500 {
		a, b, c = append(a, float64(i*7%500)), append(b, float64(i*11%500)), append(c, float64(i*7%500)+60)
	}
	if d, p := kolmogorov(a, b); d > 0.01 || p < 0.99 {
		t.Errorf("of one distribution: %f %f", d, p)
	}
	if d, p := kolmogorov(a, c); d < 0.11 || p > 0.01 {
		t.Errorf("of two: %f %f", d, p)
	}
}
