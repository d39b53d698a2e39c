package battery

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// windows makes measurements of a battery whose capacity falls from ah by
// fadePerDay, one a day, with the errors the rules state.
func windows(rng *rand.Rand, n int, ah, fadePerDay float64, r FitRules) []Capacity {
	var out []Capacity
	for k := range n {
		dz := 0.4 + 0.55*rng.Float64()
		lo := 0.02 + (0.96-dz)*rng.Float64()
		noise := func() float64 { return rng.NormFloat64() * r.SoCStdErrPct }
		a, b := 100*lo+noise(), 100*(lo+dz)+noise()
		q := (ah - fadePerDay*float64(k)) * dz * (1 + rng.NormFloat64()*r.ChargeStdErr)
		to := int64(k) * dayMS
		out = append(out, Capacity{Method: SoCWindow, From: to - 3600_000, To: to, ChargeAh: q, CapacityAh: q / dz, SoCFrom: &a, SoCTo: &b})
	}
	return out
}

// Against a truth made here: no bias, and a 90 % interval that covers it 85 to
// 95 times in a hundred.
func TestFitCapacityAgainstTruth(t *testing.T) {
	rng, r := rand.New(rand.NewPCG(1, 2)), DefaultFitRules()
	const runs, ah = 2000, 40.0
	var errs []float64
	covered := 0
	for range runs {
		f := FitCapacity(windows(rng, 30, ah, 0, r), r)
		if !f.OK() {
			t.Fatal(f.Reason)
		}
		e := *f.CapacityAh - ah
		if math.Abs(e) < 1.645**f.StdErrAh {
			covered++
		}
		errs = append(errs, e/ah)
	}
	bias := sum(errs) / runs
	slices.Sort(errs)
	if math.Abs(bias) > 2e-4 {
		t.Errorf("got a bias of %.2g, want none above 2e-4", bias)
	}
	if share := float64(covered) / runs; share < 0.85 || share > 0.95 {
		t.Errorf("the 90 %% interval covers the truth %.1f %% of the time", share*100)
	}
	t.Logf("bias %.2g, 5…95 %% %.2g…%.2g, covered %.1f %%", bias, quantile(errs, 0.05), quantile(errs, 0.95), float64(covered)/runs*100)
}

// A battery that loses 2 % in a hundred days is followed, and a tenth of the
// measurements gone wild moves the result by less than 1 %.
func TestFitCapacityFollowsAndHolds(t *testing.T) {
	rng, r := rand.New(rand.NewPCG(3, 4)), DefaultFitRules()
	w := windows(rng, 100, 40, 0.008, r)
	if f := FitCapacity(w, r); math.Abs(*f.CapacityAh/39.2-1) > 0.01 {
		t.Errorf("got %.3f ± %.3f Ah, want about 39.2", *f.CapacityAh, *f.StdErrAh)
	}
	for k := 0; k < len(w); k += 10 {
		w[k].ChargeAh *= 1.5
	}
	if f := FitCapacity(w, r); math.Abs(*f.CapacityAh/39.2-1) > 0.015 {
		t.Errorf("with outliers: got %.3f Ah, want about 39.2", *f.CapacityAh)
	}
}

// Charges that hold 2 % more than comes out again are left out where there are
// discharges, and used where there are none.
func TestFitCapacityPrefersDischarges(t *testing.T) {
	rng, r := rand.New(rand.NewPCG(9, 10)), DefaultFitRules()
	w := windows(rng, 60, 40, 0, r)
	for k := range w {
		w[k].MeanCurrentA = -5
		if k%3 > 0 {
			w[k].MeanCurrentA, w[k].ChargeAh = 5, 1.02*w[k].ChargeAh
		}
	}
	if f := FitCapacity(w, r); f.Directions != "discharges" || f.Count != 20 || math.Abs(*f.CapacityAh/40-1) > 0.007 {
		t.Errorf("got %+v, %.3f Ah", f, *f.CapacityAh)
	}
	for k := range w {
		w[k].MeanCurrentA = 5
	}
	if f := FitCapacity(w, r); f.Directions != "all" || f.Count != 60 {
		t.Errorf("got %+v", f)
	}
}

func TestFitCapacityInsufficient(t *testing.T) {
	rng, r := rand.New(rand.NewPCG(5, 6)), DefaultFitRules()
	if f := FitCapacity(windows(rng, 2, 40, 0, r), r); f.OK() || f.CapacityAh != nil || f.Count != 2 {
		t.Errorf("got %+v of two measurements, want nothing and a reason", f)
	}
}

// scipy 1.17.1: odr.ODR of the model b·x, with the same errors in x and y.
func TestDemingMatchesScipy(t *testing.T) {
	b, _, ok := deming([]pair{
		{0.45, 45.6, 0.01, 0.3, 1}, {0.6, 59.9, 0.005, 0.5, 1}, {0.7, 70.7, 0.02, 0.2, 1},
		{0.82, 81.1, 0.01, 0.6, 1}, {0.95, 95.8, 0.004, 0.4, 1},
	})
	if want := 100.48277407915148; !ok || math.Abs(b/want-1) > 1e-7 {
		t.Errorf("got %.12g, want %.12g", b, want)
	}
}

func TestDemingExact(t *testing.T) {
	b, se, ok := deming([]pair{{0.5, 5, 0.01, 0.1, 1}, {0.8, 8, 0.02, 0.1, 0.3}})
	if !ok || math.Abs(b-10) > 1e-6 || se <= 0 {
		t.Errorf("got %v ± %v, want 10", b, se)
	}
	if _, _, ok := deming([]pair{{0.5, -5, 0.01, 0.1, 1}}); ok {
		t.Error("a charge against the state of charge gave a capacity")
	}
}
