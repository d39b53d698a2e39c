package battery

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func fact(v float64) Fact { return Fact{Value: &v} }

func TestScore(t *testing.T) {
	r := DefaultScoreRules()
	recent := map[Negative]int{OverVoltage: 2, ChargingInCold: 1}
	tests := []struct {
		name  string
		facts Facts
		want  float64
		gates []string
	}{
		{"as new in all", Facts{Capacity: fact(100), Energy: fact(100), Resistance: fact(0), Imbalance: fact(5), SelfDischarge: fact(2), Efficiency: fact(97)}, 100, nil},
		{"the worked example", Facts{Capacity: fact(90), Resistance: fact(20)}, (0.5*75 + 0.2*80) / 0.7, nil},
		{"below its end of life", Facts{Capacity: fact(79.5), Resistance: fact(0)}, 50, []string{"end_of_life"}},
		{"a low score is not raised by a gate", Facts{Capacity: fact(62)}, 5, []string{"end_of_life"}},
		{"cells apart", Facts{Capacity: fact(100), Imbalance: fact(120), Resistance: fact(0)}, 60, []string{"imbalance"}},
		{"knee and events", Facts{Capacity: fact(100), Recent: recent, BehindKnee: true}, 55, []string{"knee", "safety"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Score(tt.facts, 0, r)
			if !got.OK() || math.Abs(*got.Score-tt.want) > 1e-9 {
				t.Fatalf("got %+v, want a score of %v", got, tt.want)
			}
			var names []string
			for _, g := range got.Gates {
				names = append(names, g.Name)
			}
			if !slices.Equal(names, tt.gates) {
				t.Errorf("got gates %v, want %v", names, tt.gates)
			}
			total := 0.0
			for _, p := range got.Parts {
				total += p.Weight
			}
			if math.Abs(total-1) > 1e-9 {
				t.Errorf("the weights of the parts measured add up to %v, want 1", total)
			}
		})
	}
	if got := Score(Facts{Resistance: fact(10)}, 0, r); got.OK() || got.Score != nil || got.Reason == "" {
		t.Errorf("without a capacity: got %+v", got)
	}
}

// A measure that gets better never lowers the score, older data never adds
// confidence, and both stay in their ranges.
func TestScoreIsMonotone(t *testing.T) {
	r := DefaultScoreRules()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi float64) *float64 {
			v := rapid.Float64Range(lo, hi).Draw(t, name)
			return &v
		}
		f := Facts{
			Capacity: Fact{Value: draw("capacity", 40, 110)}, Resistance: Fact{Value: draw("resistance", -10, 200)},
			Imbalance: Fact{Value: draw("imbalance", 0, 300)}, SelfDischarge: Fact{Value: draw("self-discharge", 0, 30)},
		}
		if rapid.Bool().Draw(t, "no resistance") {
			f.Resistance.Value = nil
		}
		day := int64(rapid.IntRange(0, 500).Draw(t, "age"))
		a, better := Score(f, day*dayMS, r), f
		v := *f.Capacity.Value + *draw("more", 0, 20)
		better.Capacity.Value = &v
		w := *f.Imbalance.Value - *draw("less", 0, 20)
		better.Imbalance.Value = &w
		b, older := Score(better, day*dayMS, r), Score(f, (day+10)*dayMS, r)
		if *b.Score < *a.Score-1e-9 {
			t.Fatalf("a better battery fell from %v to %v", *a.Score, *b.Score)
		}
		if older.Confidence > a.Confidence || a.Confidence < 0 || a.Confidence > 1 || *a.Score < 0 || *a.Score > 100 {
			t.Fatalf("got %+v", a)
		}
	})
}

// Two hundred batteries with noisy measurements are ranked as their true loss
// and resistance rank them.
func TestScoreRanksAsTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	var truth, got []float64
	for range 200 {
		loss := 25 * rng.Float64()
		truth = append(truth, -loss)
		f := Facts{Capacity: fact(100 - loss + 0.7*rng.NormFloat64()), Resistance: fact(2*loss + 3*rng.NormFloat64()), Imbalance: fact(15 + 5*rng.NormFloat64())}
		got = append(got, *Score(f, 0, DefaultScoreRules()).Uncapped)
	}
	if rho := spearman(truth, got); rho < 0.95 {
		t.Errorf("got a rank correlation of %.3f, want 0.95", rho)
	}
}

func spearman(a, b []float64) float64 {
	ranks := func(v []float64) []float64 {
		at := make([]int, len(v))
		for k := range at {
			at[k] = k
		}
		slices.SortFunc(at, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
		out := make([]float64, len(v))
		for k, i := range at {
			out[i] = float64(k)
		}
		return out
	}
	ra, rb, n, d := ranks(a), ranks(b), float64(len(a)), 0.0
	for k := range ra {
		d += (ra[k] - rb[k]) * (ra[k] - rb[k])
	}
	return 1 - 6*d/(n*(n*n-1))
}
