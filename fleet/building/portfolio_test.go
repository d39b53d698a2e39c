package building

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// weeks are residuals of a year of which a share is the same for all buildings.
func weeks(rng *rand.Rand, common []float64, share float64) *energy.Weekly {
	w := energy.Weekly{First: 2700}
	for _, c := range common {
		w.Sums = append(w.Sums, energy.Known(100*(math.Sqrt(share)*c+math.Sqrt(1-share)*rng.NormFloat64())))
	}
	return &w
}

// What a headline keeps of the residuals gives a portfolio the interval that the
// residuals themselves give it.
func TestPortfolioKnowsTheWeather(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	common := make([]float64, 52)
	for i := range common {
		common[i] = rng.NormFloat64()
	}
	var members []savings.Member
	var headlines []Headline
	of := func(x float64) *float64 { return &x }
	for i := range 12 {
		w := weeks(rng, common, 0.5)
		if i == 3 {
			w.Sums[7] = nil
		}
		members = append(members, savings.Member{
			ID: strconv.Itoa(i), Baseline: 10_000, Saving: 300, SlowPlus: of(500), Residuals: w,
			Uncertainty: (&energy.Uncertainty{Confidence: 0.9, Plus: 200}).Of(300),
		})
		h := Headline{
			Building: strconv.Itoa(i), SavingKWh: of(300), BaselineKWh: of(10_000), PlusKWh: of(500), StandardKWh: of(200), Confidence: of(0.9),
			Residuals: packResiduals(w), Parts: map[string]Part{target.EnergySavings: {Of: 300, All: 10_000, Plus: of(500)}},
		}
		raw, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var stored Headline
		if err := json.Unmarshal(raw, &stored); err != nil {
			t.Fatal(err)
		}
		if size, err := json.Marshal(h.Residuals); err != nil || len(size) > 150 {
			t.Errorf("got %d bytes of residuals, %v", len(size), err)
		}
		headlines = append(headlines, stored)
	}
	want := savings.Aggregate(members)
	got, left := Portfolio(headlines)
	if len(left) > 0 || got.Together == nil || *want.Correlation < 0.3 {
		t.Fatalf("got %+v without %v, want correlation %v", got.Together, left, want.Correlation)
	}
	near(t, "correlation", *got.Correlation, *want.Correlation, 0.01)
	near(t, "together", got.Together.Plus, want.Together.Plus, 0.01)
	near(t, "the standard's", got.Uncertainty.Plus, 200*math.Sqrt(12), 1e-12)
	if u := Interval(got); u != got.Together || u.Plus < 1.5*500*math.Sqrt(12) {
		t.Errorf("got ± %g, want together's ± %g, far above that of independent buildings", u.Plus, got.Together.Plus)
	}
	standings, _ := PortfolioTargets(headlines)
	at := slices.IndexFunc(standings, func(s target.Standing) bool { return s.ID == target.EnergySavings })
	near(t, "interval of the goal, percent", *standings[at].Plus, 100*got.Together.Plus/120_000, 1e-12)

	// One building tells nothing of others: its wider interval stands.
	alone, _ := Portfolio(headlines[:1])
	if u := Interval(alone); alone.Together != nil || u.Plus != 500 || u.Method != Independent {
		t.Errorf("got ± %+v of one building, want 500", u)
	}
	if u := Interval(savings.Portfolio{}); u != nil {
		t.Errorf("got %+v of none", u)
	}
}

// Packed residuals are off by half a step at most, and no week comes or goes.
func TestResidualsPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := energy.Weekly{First: rapid.IntRange(-100, 5000).Draw(t, "first")}
		for _, x := range rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 60).Draw(t, "sums") {
			if rapid.IntRange(0, 9).Draw(t, "known") == 0 {
				w.Sums = append(w.Sums, nil)
			} else {
				w.Sums = append(w.Sums, &x)
			}
		}
		r := packResiduals(&w)
		got := r.weekly()
		if got.First != w.First || len(got.Sums) != len(w.Sums) {
			t.Fatalf("got %d weeks from %d, want %d from %d", len(got.Sums), got.First, len(w.Sums), w.First)
		}
		for i, x := range w.Sums {
			if (x == nil) != (got.Sums[i] == nil) || x != nil && math.Abs(*x-*got.Sums[i]) > r.Step*0.5000001 {
				t.Fatalf("week %d: got %v, want %v within half of %g", i, got.Sums[i], x, r.Step)
			}
		}
	})
	for _, r := range []*Residuals{nil, packResiduals(nil), {Weeks: "?"}} {
		if got := r.weekly(); got != nil {
			t.Errorf("got %+v of %+v", got, r)
		}
	}
}

// Meters add up over the weeks that both know.
func TestResidualsOfTwoMeters(t *testing.T) {
	of := func(x ...float64) []*float64 {
		var out []*float64
		for _, v := range x {
			out = append(out, energy.Known(v))
		}
		return out
	}
	got := added(&energy.Weekly{First: 10, Sums: of(1, 2, math.NaN(), 4)}, &energy.Weekly{First: 11, Sums: of(10, 20, 30, 40)})
	if got.First != 11 || len(got.Sums) != 3 || *got.Sums[0] != 12 || got.Sums[1] != nil || *got.Sums[2] != 34 {
		t.Errorf("got %+v", got)
	}
	if got := added(&energy.Weekly{First: 1, Sums: of(1)}, &energy.Weekly{First: 2, Sums: of(1)}); got != nil {
		t.Errorf("got %+v of different years", got)
	}
}
