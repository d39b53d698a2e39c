package savings

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// flat is a model that expects the same use every day.
type flat struct{ use, noise float64 }

func (f flat) Predict(rows []energy.Row) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = f.use
		if math.IsNaN(r.TempF) {
			out[i] = math.NaN()
		}
	}
	return out
}

func (f flat) Describe() energy.Fit {
	low, high := 40.0, 80.0
	var o, p []float64
	for d := range 365 {
		o, p = append(o, f.use+f.noise*math.Sin(float64(d*d))), append(p, f.use)
	}
	return energy.Fit{Model: "flat", Interval: energy.Daily, Temperatures: energy.Range{MinF: &low, MaxF: &high}, Statistics: energy.Measure(o, p, 1)}
}

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func reporting(n int, use, temp float64) []energy.Row {
	var rows []energy.Row
	for d := range n {
		rows = append(rows, energy.Row{Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

func TestAvoid(t *testing.T) {
	ten := energy.Period{From: start.AddDate(0, 0, 10), To: start.AddDate(0, 0, 20)}
	half := energy.Period{From: start.Add(12 * time.Hour), To: start.AddDate(0, 0, 1)}
	hole := reporting(100, 80, 60)
	for i := range 15 {
		hole[i].Use = math.NaN()
	}
	for _, c := range []struct {
		name    string
		q       Request
		saving  float64
		codes   []string
		without []string
	}{
		{
			name: "a fifth", q: Request{Model: flat{100, 10}, Rows: reporting(100, 80, 60)}, saving: 2000,
			without: []string{LowCoverage, Extrapolated, NotSignificant, PoorFit},
		},
		{
			name: "a new tenant", q: Request{Model: flat{100, 10}, Rows: reporting(100, 80, 60), Adjustments: []Adjustment{{ten, 30, "tenant on the third floor"}}},
			saving: 2300,
		},
		{
			name: "half a day", q: Request{Model: flat{100, 10}, Rows: reporting(100, 80, 60), Adjustments: []Adjustment{{half, -30, "works"}}},
			saving: 1985,
		},
		{
			name: "no reason", q: Request{Model: flat{100, 10}, Rows: reporting(100, 80, 60), Adjustments: []Adjustment{{ten, 30, ""}}},
			saving: 2300, codes: []string{ShortOfReason},
		},
		{name: "a hole", q: Request{Model: flat{100, 10}, Rows: hole}, saving: 1700, codes: []string{LowCoverage}},
		{name: "a heat wave", q: Request{Model: flat{100, 10}, Rows: reporting(100, 80, 100)}, saving: 2000, codes: []string{Extrapolated}},
		{name: "next to nothing", q: Request{Model: flat{100, 10}, Rows: reporting(100, 99.9, 60)}, saving: 10, codes: []string{NotSignificant}},
		{name: "a poor fit", q: Request{Model: flat{100, 60}, Rows: reporting(100, 80, 60)}, saving: 2000, codes: []string{PoorFit}},
		{name: "a perfect fit", q: Request{Model: flat{100, 0}, Rows: reporting(100, 80, 60)}, saving: 2000, codes: []string{NoUncertainty}},
	} {
		a, err := Avoid(c.q)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if math.Abs(a.Saving-c.saving) > 1e-6 {
			t.Errorf("%s: got %g, want %g", c.name, a.Saving, c.saving)
		}
		if last := a.Series[len(a.Series)-1]; math.Abs(last.Cumulative-a.Saving) > 1e-9 {
			t.Errorf("%s: the series ends at %g, not %g", c.name, last.Cumulative, a.Saving)
		}
		for _, code := range c.codes {
			if !a.Verdict.Has(code) {
				t.Errorf("%s: got %+v, want %s", c.name, a.Verdict.Reasons, code)
			}
		}
		for _, code := range c.without {
			if a.Verdict.Has(code) {
				t.Errorf("%s: got %s", c.name, code)
			}
		}
	}
	if _, err := Avoid(Request{Model: flat{1, 1}}); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("no rows: got %v, want %v", err, energy.ErrInsufficientData)
	}
}

// The band of the cumulative saving grows with the root of the days, not with
// the days.
func TestBandGrows(t *testing.T) {
	a, err := Avoid(Request{Model: flat{100, 10}, Rows: reporting(365, 80, 60)})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(a.Series); i++ {
		if *a.Series[i].Plus <= *a.Series[i-1].Plus {
			t.Fatalf("the band shrinks on day %d", i)
		}
	}
	if r := *a.Series[364].Plus / *a.Series[90].Plus; r < 1.9 || r > 2.7 { // √4, and the polynomial of CalTRACK
		t.Errorf("from a quarter to a year the band grows by %g, want about 2", r)
	}
	if math.Abs(*a.Series[364].Plus-a.Uncertainty.Plus) > 1e-9 {
		t.Errorf("got a last band of %g, want %g", *a.Series[364].Plus, a.Uncertainty.Plus)
	}
}

func TestNormalise(t *testing.T) {
	n, err := Normalise(flat{100, 10}, flat{75, 10}, reporting(365, math.NaN(), 60), 0.9)
	if err != nil {
		t.Fatal(err)
	}
	if n.Saving != 25*365 || *n.Fraction != 0.25 || !n.Significant {
		t.Errorf("got %g, %g", n.Saving, *n.Fraction)
	}
	base := energy.SavingUncertainty(flat{100, 10}.Describe().Statistics, energy.Daily, 365, 365, 0.9)
	if n.Uncertainty.Plus <= base.Plus {
		t.Errorf("two models are as sure as one: %g and %g", n.Uncertainty.Plus, base.Plus)
	}
	if _, err := Normalise(flat{1, 1}, flat{1, 1}, nil, 0.9); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("no weather: got %v, want %v", err, energy.ErrInsufficientData)
	}
}

// A portfolio is surer, as a share of its saving, than its members.
func TestAggregate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		var members []Member
		for range n {
			members = append(members, Member{
				ID: "b", Baseline: 100, Saving: rapid.Float64Range(5, 20).Draw(t, "saving"),
				Uncertainty: &energy.Uncertainty{Plus: rapid.Float64Range(1, 10).Draw(t, "plus"), Confidence: 0.9},
			})
		}
		p := Aggregate(append(members, Member{ID: "blind", Saving: 99}))
		var sum, worst float64
		for _, m := range members {
			sum += m.Saving
			worst = max(worst, m.Uncertainty.Plus/m.Saving)
		}
		if math.Abs(p.Saving-sum) > 1e-9 || *p.Uncertainty.Fraction > worst {
			t.Fatalf("got %g ± %g of it", p.Saving, *p.Uncertainty.Fraction)
		}
		if len(p.Left) != 1 || p.Left[0] != "blind" {
			t.Fatalf("got %v left out", p.Left)
		}
	})
}

// Hours are told by the day.
func TestHoursAreSummedToDays(t *testing.T) {
	var rows []energy.Row
	for h := range 72 {
		at := start.Add(time.Duration(h) * time.Hour)
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: 4, TempF: 60, TempCoverage: 1})
	}
	rows[30].Use = math.NaN()
	a, err := Avoid(Request{Model: hourly{flat{5, 1}}, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Series) != 3 {
		t.Fatalf("got %d points, want 3 days", len(a.Series))
	}
	for i, want := range []float64{96, 92, 96} {
		if got := a.Series[i]; *got.Observed != want || *got.Baseline != want/4*5 {
			t.Errorf("day %d: got %g of %g, want %g of %g", i, *got.Observed, *got.Baseline, want, want/4*5)
		}
	}
	if last := a.Series[2]; last.Cumulative != a.Saving || math.Abs(*last.Plus-a.Uncertainty.Plus) > 1e-9 {
		t.Errorf("the series ends at %g ± %g, want %g ± %g", last.Cumulative, *last.Plus, a.Saving, a.Uncertainty.Plus)
	}
	if v, plus := a.Percent(); v != 20 || plus == nil {
		t.Errorf("got %g %% ± %v, want 20", v, plus)
	}
}

type hourly struct{ flat }

func (h hourly) Describe() energy.Fit {
	f := h.flat.Describe()
	f.Interval = energy.Hourly
	return f
}

// Errors that go together do not cancel.
func TestPortfolioOfOneSky(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sky := make([]float64, 52)
	for k := range sky {
		sky[k] = rng.NormFloat64()
	}
	members := func(n int, shared float64) []Member {
		var out []Member
		for i := range n {
			w := energy.Weekly{First: 2800 + i%3}
			for k := range 50 {
				x := math.Sqrt(shared)*sky[k+i%3] + math.Sqrt(1-shared)*rng.NormFloat64()
				w.Sums = append(w.Sums, energy.Known(7*float64(i+1)*x))
			}
			w.Sums[i%50] = nil
			out = append(out, Member{
				ID: "b", Baseline: 1000, Saving: 100, Residuals: &w,
				Uncertainty: &energy.Uncertainty{Method: energy.FractionalCalTRACK, Confidence: 0.9, Plus: 10},
			})
		}
		return out
	}
	for _, c := range []struct {
		name      string
		members   []Member
		low, high float64 // of the correlation
	}{
		{"independent", members(40, 0), 0, 0.03},
		{"half", members(40, 0.5), 0.4, 0.6},
		{"all one", members(40, 1), 0.95, 1},
	} {
		p := Aggregate(c.members)
		if p.Correlation == nil || *p.Correlation < c.low || *p.Correlation > c.high {
			t.Errorf("%s: got a correlation of %v, want %g to %g", c.name, p.Correlation, c.low, c.high)
			continue
		}
		n := float64(len(c.members))
		if want := math.Sqrt(100*n + *p.Correlation*(100*n*n-100*n)); math.Abs(p.Together.Plus-want) > 1e-9 {
			t.Errorf("%s: got ± %g, want %g", c.name, p.Together.Plus, want)
		}
		if again := Aggregate(c.members); again.Together.Plus != p.Together.Plus {
			t.Errorf("%s: got another interval from the same members", c.name)
		}
	}
	// The worked case, with what is not known left out.
	four := members(4, 0.5)
	p := Aggregate(four)
	if math.Abs(p.Uncertainty.Plus-20) > 1e-12 {
		t.Errorf("got ± %g, want 20", p.Uncertainty.Plus)
	}
	for i := range four {
		four[i].Residuals = nil
	}
	if p := Aggregate(four); p.Together != nil || p.Correlation != nil {
		t.Errorf("got %+v without residuals", p.Together)
	}
	wide := 30.0
	four = members(4, 0)
	four[0].SlowPlus = &wide
	if p := Aggregate(four); p.Together.Plus < math.Sqrt(1200) {
		t.Errorf("got ± %g, want the wider interval of each to count", p.Together.Plus)
	}
}
