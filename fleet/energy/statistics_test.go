package energy

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.9g, want %.9g", what, got, want)
	}
}

// The unit case of eemeter, to three decimals.
func TestMeasure(t *testing.T) {
	s := Measure([]float64{1, 3, 4, 1, 6}, []float64{2, 3, 3, 2, 4}, 2)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"R²", *s.R2, 0.972}, {"adjusted R²", *s.AdjR2, 0.944},
		{"CV(RMSE)", *s.CVRMSE, 0.394}, {"adjusted CV(RMSE)", *s.CVRMSEAdj, 0.509},
		{"MAPE", *s.MAPE, 0.517}, {"NMAE", *s.NMAE, 0.333}, {"NMBE", *s.NMBE, -0.067},
		{"ρ", *s.Autocorrelation, -0.674}, {"n′", *s.NPrime, 25.694}, {"mean", s.ObservedMean, 3},
	} {
		near(t, c.name, c.got, c.want, 0.0005)
	}
	if s.N != 5 || s.Parameters != 2 {
		t.Errorf("got n %d, p %d, want 5, 2", s.N, s.Parameters)
	}
}

func TestMeasureSaysWhatIsNotThere(t *testing.T) {
	nan := math.NaN()
	for name, s := range map[string]Statistics{
		"nothing":    Measure(nil, nil, 1),
		"all NaN":    Measure([]float64{nan, 1}, []float64{1, nan}, 1),
		"all zero":   Measure([]float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}, 1),
		"constant":   Measure([]float64{2, 2, 2, 2}, []float64{2, 2, 2, 2}, 0),
		"one pair":   Measure([]float64{2}, []float64{3}, 3),
		"two pairs":  Measure([]float64{2, 3}, []float64{3, 3}, 0),
		"infinities": Measure([]float64{math.Inf(1), 3, 4}, []float64{3, 3, 4}, 1),
	} {
		if s.AdjR2 != nil {
			t.Errorf("%s: got adjusted R² %g, want none", name, *s.AdjR2)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if u := SavingUncertainty(s, Daily, 365, 365, 0.9); u != nil && s.N < 3 {
			t.Errorf("%s: got uncertainty %g, want none", name, u.Plus)
		}
	}
}

// Whatever the numbers, the statistics of a scaled meter are scaled, and ratios
// stay.
func TestMeasureScales(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 60).Draw(t, "n")
		draw := rapid.SliceOfN(rapid.Float64Range(1, 100), n, n)
		o, p := draw.Draw(t, "observed"), draw.Draw(t, "predicted")
		k := rapid.Float64Range(0.001, 1000).Draw(t, "scale")
		scaled := func(x []float64) []float64 {
			out := make([]float64, n)
			for i := range x {
				out[i] = k * x[i]
			}
			return out
		}
		a, b := Measure(o, p, 2), Measure(scaled(o), scaled(p), 2)
		if math.Abs(b.RMSE-k*a.RMSE) > 1e-9*b.RMSE {
			t.Fatalf("RMSE: got %g, want %g", b.RMSE, k*a.RMSE)
		}
		if math.Abs(*a.CVRMSE-*b.CVRMSE) > 1e-9 || math.Abs(*a.NMBE-*b.NMBE) > 1e-9 {
			t.Fatalf("ratios: got %g %g, want %g %g", *b.CVRMSE, *b.NMBE, *a.CVRMSE, *a.NMBE)
		}
	})
}

func TestCombine(t *testing.T) {
	u := func(plus, confidence float64) *Uncertainty { return &Uncertainty{Plus: plus, Confidence: confidence} }
	for _, c := range []struct {
		name  string
		parts []*Uncertainty
		want  float64 // 0: none
	}{
		{"two", []*Uncertainty{u(3, 0.9), u(4, 0.9)}, 5},
		{"one", []*Uncertainty{u(3, 0.9)}, 3},
		{"none", nil, 0},
		{"missing", []*Uncertainty{u(3, 0.9), nil}, 0},
		{"other confidence", []*Uncertainty{u(3, 0.9), u(4, 0.68)}, 0},
	} {
		got := Combine(c.parts...)
		if (got == nil) != (c.want == 0) || got != nil && got.Plus != c.want {
			t.Errorf("%s: got %+v, want %g", c.name, got, c.want)
		}
	}
}

func TestGuideline14(t *testing.T) {
	fit := Fit{Interval: Daily, Statistics: Measure([]float64{100, 110, 90, 105}, []float64{101, 108, 92, 104}, 1)}
	for _, c := range []struct {
		name     string
		u        *Uncertainty
		wantPass bool
	}{
		{"sure", (&Uncertainty{Plus: 4}).Of(10), true},
		{"unsure", (&Uncertainty{Plus: 6}).Of(10), false},
	} {
		pass := true
		for _, k := range Guideline14(fit, 12, c.u) {
			pass = pass && k.Pass
		}
		if pass != c.wantPass {
			t.Errorf("%s: got %v, want %v", c.name, pass, c.wantPass)
		}
	}
}

func TestInsufficientNamesItsReasons(t *testing.T) {
	v := Verdict{Sufficient: true}
	v.Add(Reason{Code: "hint"})
	if v.Err() != nil {
		t.Fatalf("a hint is no failure: %v", v.Err())
	}
	v.Add(Reason{Code: "too_few", Critical: true})
	err := v.Err()
	if !errors.Is(err, ErrInsufficientData) || err.Error() != "insufficient data: too_few" {
		t.Errorf("got %v", err)
	}
	var i *Insufficient
	if !errors.As(err, &i) || !i.Verdict.Has("hint") {
		t.Errorf("the verdict is lost in %v", err)
	}
}

func TestSteps(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Steps{Until: at.Add(90 * time.Minute)}
	for i, v := range []float64{10, 20, math.NaN()} {
		s.Steps = append(s.Steps, Step{at.Add(time.Duration(i) * 30 * time.Minute), v})
	}
	for _, c := range []struct {
		name        string
		from, to    time.Duration
		mean, known float64
	}{
		{"one step", 0, 30 * time.Minute, 10, 1},
		{"two steps", 0, time.Hour, 15, 1},
		{"a part without", 30 * time.Minute, 90 * time.Minute, 20, 0.5},
		{"before", -time.Hour, 0, math.NaN(), 0},
		{"after", 2 * time.Hour, 3 * time.Hour, math.NaN(), 0},
	} {
		mean, known := s.Over(Row{Start: at.Add(c.from), End: at.Add(c.to)})
		if mean != c.mean && !(math.IsNaN(mean) && math.IsNaN(c.mean)) || known != c.known {
			t.Errorf("%s: got %g, %g, want %g, %g", c.name, mean, known, c.mean, c.known)
		}
	}
}

// What is selected is what sorting puts there, and a quantile is that of the
// sorted numbers to the bit.
func TestSelectIsAsSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-3, 3), 1, 200).Draw(t, "x")
		if rapid.Bool().Draw(t, "ties") {
			for i := range x {
				x[i] = math.Trunc(x[i])
			}
		}
		sorted := slices.Sorted(slices.Values(x))
		k, q := rapid.IntRange(0, len(x)-1).Draw(t, "k"), rapid.Float64Range(0, 1).Draw(t, "q")
		if got, want := QuantileOf(slices.Clone(x), q), Quantile(sorted, q); got != want {
			t.Fatalf("quantile %g: got %g, want %g", q, got, want)
		}
		if got := Select(x, k); got != sorted[k] || x[k] != got {
			t.Fatalf("got %g and %g at %d, want %g", got, x[k], k, sorted[k])
		}
		for i, v := range x {
			if i < k && v > x[k] || i > k && v < x[k] {
				t.Fatalf("got %g at %d, on the wrong side of %g at %d", v, i, x[k], k)
			}
		}
		if slices.Sort(x); !slices.Equal(x, sorted) {
			t.Fatalf("got %v, want the same numbers as in %v", x, sorted)
		}
	})
}
