package otltest

import "testing"

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
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("%f", m)
	}
}
