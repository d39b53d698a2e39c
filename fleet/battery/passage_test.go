package battery

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// averaged is the distribution for an uncertain distance by brute force: the mean
// over a fine grid of known ones.
func averaged(p passage, t float64) float64 {
	const steps, wide = 1000, 6.0 // standard deviations either way
	total, mass := 0.0, 0.0
	for k := range steps {
		x := wide * (2*(float64(k)+0.5)/steps - 1)
		w := math.Exp(-x * x / 2)
		known := p
		known.distance, known.distanceErr = p.distance+x*p.distanceErr, 0
		mass += w
		total += w * known.cdf(t)
	}
	return total / mass
}

// An uncertain distance gives the mean over the distances, be it far more or far
// less uncertain than what comes on the way: no staircase. The quadrature has a
// kink where the distance is passed already.
func TestPassageOfAnUncertainDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := passage{distance: rapid.Float64Range(-0.01, 0.1).Draw(t, "w"), drift: 1}
		p.distanceErr = math.Pow(10, rapid.Float64Range(-4, -1).Draw(t, "log e"))
		p.driftErr = rapid.Float64Range(0, 0.4).Draw(t, "s")
		p.sigma = math.Pow(10, rapid.Float64Range(-4, -1).Draw(t, "log σ"))
		x := rapid.Float64Range(0.001, 0.3).Draw(t, "t")
		if got, want := p.cdf(x), averaged(p, x); math.Abs(got-want) > 0.01 {
			t.Fatalf("%+v: got F(%v) = %v, want %v", p, x, got, want)
		}
	})
	// Nothing else is uncertain: the quantiles are those of the distance.
	p := passage{distance: 0.01, drift: 1, distanceErr: 0.002, sigma: 1e-9}
	for q, z := range map[float64]float64{0.05: -1.6449, 0.25: -0.6745, 0.5: 0, 0.95: 1.6449} {
		if got, want := p.quantile(q), 0.01+0.002*z; math.Abs(got-want) > 1e-5 {
			t.Errorf("got a quantile %v of %v, want %v", q, got, want)
		}
	}
}

// The inverse Gaussian distribution, from narrow to wide, against scipy 1.17.1:
// stats.invgauss.ppf(q, σ²/(μw), scale=w²/σ²).
func TestPassageMatchesScipy(t *testing.T) {
	for _, c := range []struct {
		distance, drift, sigma float64
		want                   [3]float64
	}{
		{0.1, 0.002, 0.0001, [3]float64{49.4205966294, 49.998750037, 50.5836671048}},
		{0.2, 0.001, 0.002, [3]float64{157.110202243, 198.022993612, 249.633446122}},
		{0.05, 0.0004, 0.02, [3]float64{1.5923501874, 12.3086804272, 503.405902051}},
	} {
		p := passage{distance: c.distance, drift: c.drift, sigma: c.sigma}
		for k, q := range []float64{0.05, 0.5, 0.95} {
			if got := p.quantile(q); math.Abs(got/c.want[k]-1) > 1e-9 {
				t.Errorf("%+v: got a quantile %v of %.12g, want %.12g", p, q, got, c.want[k])
			}
		}
	}
}
