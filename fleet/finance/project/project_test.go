package project

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func plan() Plan {
	return Plan{Start: daycount.Of(2026, 3, 1), Investment: 1000, Revenue: 500, Cost: 100, Life: 3, Rate: 0.1}
}

func TestOutcome(t *testing.T) {
	p := plan()
	got, err := p.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want, tolerance float64 }{
		"npv":        {*got.NPV.Value, -5.2592, 5e-5},
		"irr":        {*got.IRR.Rate, 0.0970, 5e-5},
		"roi":        {*got.ROI.Value, 0.2, 1e-12},
		"annualised": {*got.Annualised.Value, math.Cbrt(1.2) - 1, 1e-12},
		"payback":    {*got.Payback.Value.Value, 2.5, 1e-12},
		"years":      {got.Years, 3, 0},
	} {
		if math.Abs(c.got-c.want) > c.tolerance {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	if got.Discounted.Status != finance.None || math.Abs(got.Discounted.Open-5.2592) > 5e-5 {
		t.Errorf("discounted payback: got %+v, want none, 5.2592 open", got.Discounted)
	}
}

func TestFlows(t *testing.T) {
	p := plan()
	p.Life, p.Fade, p.Residual, p.Recycling = 1.4, 0.1, 70, -20
	got, err := p.Flows()
	if err != nil {
		t.Fatal(err)
	}
	want := []finance.Flow{
		{Date: p.Start, Amount: -1000}, {Date: p.Start + 365, Amount: 400}, {Date: p.Start + 511, Amount: 0.4*(450-100) + 50},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); d != "" {
		t.Error(d)
	}
}

func TestRefusedPlans(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"no life": func(p *Plan) { p.Life = 0 }, "too long": func(p *Plan) { p.Life = 101 }, "NaN": func(p *Plan) { p.Revenue = math.NaN() },
		"negative investment": func(p *Plan) { p.Investment = -1 }, "rate": func(p *Plan) { p.Rate = -1 }, "fade": func(p *Plan) { p.Fade = 1.1 },
		"recycling": func(p *Plan) { p.Recycling = math.Inf(-1) },
	} {
		p := plan()
		change(&p)
		if _, err := p.Outcome(); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v, want %v", name, err, ErrPlan)
		}
	}
	for name, u := range map[string]Uncertainty{
		"nothing":    {},
		"descending": {Range{2, 1, 3}, Just(1), Just(1), Just(1)},
		"life of 0":  {Just(1), Just(1), Just(1), Range{0, 1, 2}},
	} {
		if _, err := plan().Scenarios(u); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v, want %v", name, err, ErrPlan)
		}
	}
	if _, err := plan().Simulate(certain(), 10, rand.NewPCG(1, 2)); !errors.Is(err, ErrPlan) {
		t.Errorf("ten runs: got %v, want %v", err, ErrPlan)
	}
}

func certain() Uncertainty { return Uncertainty{Just(1), Just(1), Just(1), Just(3)} }

func TestScenarios(t *testing.T) {
	u := Uncertainty{Range{0.8, 1, 1.1}, Range{0.9, 1, 1.3}, Just(1), Range{2, 3, 5}}
	s, err := plan().Scenarios(u)
	if err != nil {
		t.Fatal(err)
	}
	low, base, high := *s.Low.NPV.Value, *s.Base.NPV.Value, *s.High.NPV.Value
	if !(low < base && base < high) || math.Abs(base+5.2592) > 5e-5 {
		t.Errorf("got %v, %v, %v", low, base, high)
	}
	if s.Low.Years != 2 || s.High.Years != 5 {
		t.Errorf("lives of %v and %v years, want 2 and 5", s.Low.Years, s.High.Years)
	}
}

func TestSimulation(t *testing.T) {
	s, err := plan().Simulate(certain(), 200, rand.NewPCG(1, 2))
	if err != nil || s.Loss != 1 || math.Abs(s.NPV.Mean+5.2592) > 5e-5 || s.NPV.StandardError > 1e-9 || s.NPV.Quantiles[0].StandardError != 0 {
		t.Errorf("nothing uncertain: got %+v %v", s, err)
	}
	// Only the revenue is uncertain: 500·f, f triangular over 0.8, 1, 1.2, and the
	// present value is linear in it.
	u := certain()
	u.Revenue = Range{0.8, 1, 1.2}
	annuity := 1/1.1 + 1/1.21 + 1/1.331
	want := func(f float64) float64 { return -1000 + annuity*(500*f-100) }
	const runs = 10_000
	if s, err = plan().Simulate(u, runs, rand.NewPCG(1, 2)); err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(s.NPV.Mean - want(1)); off > 4*s.NPV.StandardError {
		t.Errorf("mean %v ± %v, want %v", s.NPV.Mean, s.NPV.StandardError, want(1))
	}
	if e := annuity * 500 * 0.2 / math.Sqrt(6) / math.Sqrt(runs); math.Abs(s.NPV.StandardError/e-1) > 0.05 {
		t.Errorf("standard error %v, want %v", s.NPV.StandardError, e)
	}
	for _, q := range s.NPV.Quantiles {
		if exact := want(u.Revenue.at(q.P)); math.Abs(q.Value-exact) > 4*q.StandardError || q.StandardError <= 0 || q.StandardError > 3 {
			t.Errorf("quantile %v: %v ± %v, want %v", q.P, q.Value, q.StandardError, exact)
		}
	}
	if s.IRR.Count != runs || math.Abs(s.Loss-0.5) > 0.1 {
		t.Errorf("%d rates, a loss of %v", s.IRR.Count, s.Loss)
	}
	again, err := plan().Simulate(u, runs, rand.NewPCG(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, again); d != "" {
		t.Errorf("the same seed, another result: %s", d)
	}
}

// Of quantiles told with a standard error, the true one is within 1.96 of them 95
// times in 100.
func TestQuantileErrorsAreOfTheRightSize(t *testing.T) {
	within := 0
	const times = 400
	for k := range uint64(times) {
		r := rand.New(rand.NewPCG(k, 99))
		v := make([]float64, 500)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		q := distribution(v).Quantiles[4] // 95 %
		if math.Abs(q.Value-1.6448536) < 1.96*q.StandardError {
			within++
		}
	}
	if share := float64(within) / times; share < 0.90 || share > 0.985 {
		t.Errorf("the true quantile was within 1.96 standard errors %v of the time", share)
	}
}

// The triangle's quantiles are the inverse of its distribution.
func TestTriangle(t *testing.T) {
	if got := (Range{0.8, 1, 1.2}).at(0.05); math.Abs(got-0.8632456) > 5e-8 {
		t.Errorf("got %v, want 0.8632456", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(0, 10).Draw(t, "low")
		mode := low + rapid.Float64Range(0.01, 10).Draw(t, "to mode")
		high := mode + rapid.Float64Range(0.01, 10).Draw(t, "to high")
		u := rapid.Float64Range(0, 1).Draw(t, "u")
		x := Range{low, mode, high}.at(u)
		got := (x - low) * (x - low) / (high - low) / (mode - low)
		if x > mode {
			got = 1 - (high-x)*(high-x)/(high-low)/(high-mode)
		}
		if math.Abs(got-u) > 1e-9 {
			t.Fatalf("%v is below %v of the triangle, want %v", x, got, u)
		}
	})
}

// A life is below what it is told at 5, 50 and 95 % as often as that says, however
// far the ends are from the middle, and never beyond them.
func TestLifeByItsOdds(t *testing.T) {
	if got := (Range{2, 4, 30}).told(0.25); math.Abs(got-2.8889) > 5e-5 {
		t.Errorf("got %v, want 2.8889", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(0, 10).Draw(t, "low")
		mode := low + rapid.Float64Range(0, 10).Draw(t, "to mode")
		r := Range{low, mode, mode + rapid.Float64Range(0, 100).Draw(t, "to high")}
		for u, want := range map[float64]float64{0: r.Low, 0.05: r.Low, 0.5: r.Mode, 0.95: r.High, 1: r.High} {
			if got := r.told(u); math.Abs(got-want) > 1e-9 {
				t.Fatalf("%v: quantile %v is %v, want %v", r, u, got, want)
			}
		}
		a := rapid.Float64Range(0, 1).Draw(t, "a")
		b := rapid.Float64Range(a, 1).Draw(t, "b")
		if r.told(a) > r.told(b)+1e-9 {
			t.Fatalf("%v: quantiles %v and %v do not ascend", r, a, b)
		}
	})
	// Of a plan that only its life is unsure of, half of the runs live as long as is
	// likeliest, though its high end is open.
	p, u := plan(), certain()
	u.Life = Range{2, 4, 30}
	p.Rate = 0
	s, err := p.Simulate(u, 10_000, rand.NewPCG(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if q := s.NPV.Quantiles[2]; math.Abs(q.Value-600) > 4*q.StandardError {
		t.Errorf("median %v ± %v, want that of a life of 4 years, 600", q.Value, q.StandardError)
	}
}

func TestExpand(t *testing.T) {
	var peers []Peer
	for i := range 30 {
		peers = append(peers, Peer{ID: string(rune('A' + i)), Return: float64(i) / 100, Features: []float64{float64(i), 7}})
	}
	got, err := Expand([]float64{10.2, 7}, peers, 9, 0.8)
	if err != nil || got.Status != finance.OK || got.Count != 9 {
		t.Fatalf("got %+v %v", got, err)
	}
	// The nine nearest are 6…14; of nine, the range covers 0.8.
	if *got.Median != 0.10 || *got.Low != 0.06 || *got.High != 0.14 || math.Abs(got.Level-0.8) > 1e-12 || got.Peers[0].ID != "K" || len(got.Outside) != 0 {
		t.Errorf("got %v of %v…%v, level %v, %v", *got.Median, *got.Low, *got.High, got.Level, got.Peers[0])
	}
	// Fewer tell a lower level than asked for, and say so.
	if got, err = Expand([]float64{40, 8}, peers, 5, 0.9); err != nil || math.Abs(got.Level-4./6) > 1e-12 || !cmp.Equal(got.Outside, []int{0, 1}) {
		t.Errorf("got level %v, outside %v %v, want 2/3", got.Level, got.Outside, err)
	}
	if got, err = Expand([]float64{1, 7}, peers[:4], 9, 0.9); err != nil || got.Status != finance.Insufficient || got.Median != nil || got.Count != 4 {
		t.Errorf("four peers: got %+v %v", got, err)
	}
	for name, do := range map[string]func() (Expansion, error){
		"other features": func() (Expansion, error) { return Expand([]float64{1}, peers, 9, 0.9) },
		"NaN":            func() (Expansion, error) { return Expand([]float64{math.NaN(), 1}, peers, 9, 0.9) },
		"level":          func() (Expansion, error) { return Expand([]float64{1, 7}, peers, 9, 1) },
	} {
		if _, err := do(); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v, want %v", name, err, ErrPlan)
		}
	}
}

// The interval covers one more station of the same kind as often as it says.
func TestExpansionCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	covered, level := 0, 0.0
	const times = 4000
	for range times {
		peers := make([]Peer, 19)
		for i := range peers {
			peers[i] = Peer{Return: math.Exp(r.NormFloat64())}
		}
		e, err := Expand(nil, peers, 19, 0.8)
		if err != nil {
			t.Fatal(err)
		}
		level = e.Level
		if next := math.Exp(r.NormFloat64()); *e.Low <= next && next <= *e.High {
			covered++
		}
	}
	if share := float64(covered) / times; math.Abs(level-0.8) > 1e-12 || math.Abs(share-level) > 0.025 {
		t.Errorf("covered %v of the time, told %v", share, level)
	}
}

func BenchmarkSimulate(b *testing.B) {
	u := Uncertainty{Range{0.8, 1, 1.2}, Range{0.9, 1, 1.2}, Range{0, 1, 2}, Range{5, 8, 12}}
	b.Run("runs=1000", func(b *testing.B) {
		for b.Loop() {
			if _, err := plan().Simulate(u, 1000, rand.NewPCG(1, 2)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
