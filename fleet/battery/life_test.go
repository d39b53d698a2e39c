package battery

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// The published method on NASA's B0005: quantiles of remaining cycles down to
// 1.4 Ah, which it reached at cycle 125.
func TestRemainingLifeNASA(t *testing.T) {
	ah := measured.NASACapacities(t, "B0005")
	tests := []struct {
		seen int
		want [3]float64
	}{
		{60, [3]float64{46.9, 96.9, 203}},
		{80, [3]float64{18.9, 40.0, 86.3}},
		{100, [3]float64{5.5, 17.2, 59.9}},
	}
	for _, tt := range tests {
		var points []LifePoint
		for k, v := range ah[:tt.seen] {
			points = append(points, LifePoint{float64(k + 1), v})
		}
		got := RemainingLife(points, LifeRules{EndOfLife: 1.4, MinPoints: 20, Level: 0.9, DriftKnown: true})
		if !got.OK() {
			t.Fatal(got.Reason)
		}
		for k, v := range []*float64{got.Low, got.Median, got.High} {
			if math.Abs(*v-tt.want[k]) > max(0.06, 0.002*tt.want[k]) {
				t.Errorf("from cycle %d: got %.2f, want %v", tt.seen, *v, tt.want[k])
			}
		}
		if left := float64(125 - tt.seen); left < *got.Low || left > *got.High {
			t.Errorf("from cycle %d: the true %v is not in %.1f…%.1f", tt.seen, left, *got.Low, *got.High)
		}
	}
}

// Against processes made here, with and without noise of measurement: the 90 %
// interval covers the truth 85 to 95 times in a hundred.
func TestRemainingLifeAgainstTruth(t *testing.T) {
	tests := []struct {
		name         string
		sigma, noise float64
	}{
		{"process alone", 0.004, 0},
		{"process and noise", 0.003, 0.004},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, 12))
			const runs, drift = 1000, 0.001
			covered, told := 0, 0
			for range runs {
				x, n := 1.0, 0.0
				var points []LifePoint
				for len(points) < 80 {
					points = append(points, LifePoint{n, x + tt.noise*rng.NormFloat64()})
					n++
					x -= drift + tt.sigma*rng.NormFloat64()
				}
				// Small steps, so as not to miss a first passage between two.
				const fine = 20
				left := 0.0
				for x > 0.8 && left < 1e5 {
					x -= drift/fine + tt.sigma/math.Sqrt(fine)*rng.NormFloat64()
					left += 1. / fine
				}
				rules := DefaultLifeRules()
				rules.MaxAhead = 0 // the fade is known to be a line
				l := RemainingLife(points, rules)
				if !l.OK() || l.Ended {
					continue
				}
				told++
				if left >= *l.Low && (l.High == nil || left <= *l.High) {
					covered++
				}
			}
			share := float64(covered) / float64(told)
			t.Logf("%d told, %.1f %% covered", told, share*100)
			if told < runs/2 || share < 0.85 || share > 0.96 {
				t.Errorf("the 90 %% interval covers the truth %.1f %% of the time in %d of %d", share*100, told, runs)
			}
		})
	}
}

// The distribution rises from 0, its quantile undoes it, and an uncertain drift
// widens it.
func TestPassage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := passage{
			distance: rapid.Float64Range(0.01, 10).Draw(t, "w"), drift: rapid.Float64Range(0.001, 1).Draw(t, "m"),
			sigma: rapid.Float64Range(0.001, 1).Draw(t, "s"),
		}
		p.driftErr = p.drift * rapid.Float64Range(0, 0.2).Draw(t, "e")
		was := 0.0
		for k := 1; k < 40; k++ {
			f := p.cdf(p.distance / p.drift * float64(k) / 10)
			if f < was-1e-9 || f > 1 || math.IsNaN(f) {
				t.Fatalf("cdf falls from %v to %v", was, f)
			}
			was = f
		}
		q := rapid.Float64Range(0.01, 0.9).Draw(t, "q")
		if x := p.quantile(q); !math.IsInf(x, 1) && math.Abs(p.cdf(x)-q) > 1e-6 {
			t.Fatalf("cdf(quantile(%v)) = %v", q, p.cdf(x))
		}
	})
	known, guessed := passage{1, 0.1, 0.1, 0, 0}, passage{1, 0.1, 0.1, 0.02, 0}
	if known.quantile(0.05) <= guessed.quantile(0.05) || known.quantile(0.95) >= guessed.quantile(0.95) {
		t.Error("an uncertain drift does not widen the interval")
	}
	// A mean of 10 and a shape of 100: F(10) = Φ(0) + e²⁰·Φ(−2√10).
	if got := known.cdf(10); math.Abs(got-(0.5+math.Exp(20)*phi(-2*math.Sqrt(10)))) > 1e-9 {
		t.Errorf("got F(10) = %v", got)
	}
	if a, b := logErfcx(20-1e-9), logErfcx(20); math.Abs(a-b) > 1e-9 {
		t.Errorf("the logarithm jumps from %v to %v", a, b)
	}
	// Ever less diffusion leaves the median of the uncertain drift alone, w/μ.
	for _, sigma := range []float64{1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-9, 1e-12} {
		p := passage{distance: 0.15, drift: 1, sigma: sigma, driftErr: 0.3}
		for k, q := range []float64{0.05, 0.5, 0.95} {
			want := 0.15 / (1 + []float64{1.6449, 0, -1.6449}[k]*0.3)
			if got := p.quantile(q); math.Abs(got/want-1) > 1e-3 {
				t.Errorf("σ %g: got a quantile %v of %v, want %v", sigma, q, got, want)
			}
		}
	}
}

func TestRemainingLifeBounds(t *testing.T) {
	line := func(n int, first, loss float64) []LifePoint {
		var out []LifePoint
		for k := range n {
			out = append(out, LifePoint{float64(k), first - loss*float64(k) + 1e-4*float64(k%2)})
		}
		return out
	}
	if l := RemainingLife(line(5, 1, 0.001), DefaultLifeRules()); l.OK() || l.Reason == "" {
		t.Errorf("of five points: got %+v", l.Basis)
	}
	if l := RemainingLife(line(50, 1, -0.001), DefaultLifeRules()); l.OK() || l.Median != nil {
		t.Errorf("of a battery that does not fade: got %+v", l)
	}
	if l := RemainingLife(line(50, 0.82, 0.001), DefaultLifeRules()); !l.Ended || *l.High != 0 {
		t.Errorf("of a battery past its life: got %+v", l)
	}
	if l := RemainingLife(line(50, 1, 0.001), DefaultLifeRules()); l.OK() || l.Reason != tooFar || l.Median != nil {
		t.Errorf("of a twentieth lost and three left: got %+v", l)
	}
	far := DefaultLifeRules()
	far.MaxAhead = 0
	l := RemainingLife(line(50, 1, 0.001), far)
	if !l.OK() || math.Abs(*l.Median-151) > 5 {
		t.Fatalf("got %+v, want a median of about 151", l)
	}
	point := 100.0
	knee := Knee{Found: true, Point: &point}
	if c := l.CapAtKnee(knee, 49); !c.Capped || *c.Median != 51 || *c.High != 51 || *c.Low > 51 {
		t.Errorf("got %+v, want it cut at 51", c)
	}
	if c := l.CapAtKnee(knee, 150); c.Capped {
		t.Error("a knee already passed cut the life")
	}
	wide := Life{Basis: Basis{Status: HealthOK}, Low: num(10), Median: num(50), High: num(200)}
	if c := wide.CapAtKnee(knee, 30); !c.Capped || *c.Low != 10 || *c.Median != 50 || *c.High != 70 {
		t.Errorf("got %+v, want its upper end alone cut", c)
	}
	if c := l.CapAtKnee(Knee{Found: true, Point: num(1e6)}, 49); c.Capped {
		t.Error("a knee far ahead cut the life")
	}
	onset := 150.0
	for _, c := range []struct {
		name    string
		point   float64
		onset   *float64
		atLeast int
		want    int
	}{
		{"behind the point", 100, nil, 20, 100}, {"from the onset", 190, &onset, 20, 50}, {"the newest", 190, nil, 20, 20}, {"all there are", 190, nil, 300, 200},
	} {
		if got := BehindKnee(line(200, 1, 0.001), Knee{Found: true, Point: &c.point, Onset: c.onset}, c.atLeast); len(got) != c.want {
			t.Errorf("%s: got %d points, want %d", c.name, len(got), c.want)
		}
	}
}
