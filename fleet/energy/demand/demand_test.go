package demand

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// hours of a building with a daily peak in the afternoon, cut to a cap.
func hours(year, days int, limit float64) []energy.Row {
	start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		temp := 60 + 15*math.Sin(2*math.Pi*float64(at.YearDay())/365) + 8*math.Sin(2*math.Pi*float64(at.Hour()-9)/24)
		use := 20 + 3*math.Sin(float64(h)*1.9)
		if at.Hour() >= 9 && at.Hour() < 18 {
			use += 60
		}
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: min(use, limit), TempF: temp, TempCoverage: 1})
	}
	return rows
}

func TestDescribe(t *testing.T) {
	rows := hours(2023, 30, 1000)
	rows[100].Use = 200
	rows[101].Use = math.NaN()
	p, err := Describe(rows)
	if err != nil {
		t.Fatal(err)
	}
	if p.PeakKW != 200 || !p.PeakAt.Equal(rows[100].Start) || p.Missing != 1 {
		t.Errorf("got peak %g at %v, %d missing", p.PeakKW, p.PeakAt, p.Missing)
	}
	if p.BaseKW < 16.9 || p.BaseKW > 18 {
		t.Errorf("base: got %g, want a little above 17", p.BaseKW)
	}
	if math.Abs(*p.LoadFactor-p.MeanKW/200) > 1e-12 {
		t.Errorf("load factor: got %g", *p.LoadFactor)
	}
	if len(p.Duration) != 101 || p.Duration[0] != 200 {
		t.Errorf("load duration: got %d from %g", len(p.Duration), p.Duration[0])
	}
	for i := 1; i < len(p.Duration); i++ {
		if p.Duration[i] > p.Duration[i-1] {
			t.Fatalf("load duration rises at %d %%", i)
		}
	}
	if _, err := Describe(nil); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("got %v, want %v", err, energy.ErrInsufficientData)
	}
}

// noisy are the hours of an office with noise that lasts for hours.
func noisy(seed uint64, year, days int) []energy.Row {
	rng := rand.New(rand.NewPCG(seed, 4))
	start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	noise := 0.0
	var rows []energy.Row
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		temp := 55 + 20*math.Sin(2*math.Pi*float64(at.YearDay())/365) + 8*math.Sin(2*math.Pi*float64(at.Hour())/24) + 3*rng.NormFloat64()
		noise = 0.5*noise + math.Sqrt(0.75)*rng.NormFloat64()
		use := 40 + 0.5*max(temp-65, 0) + 4*noise
		if at.Hour() > 8 && at.Hour() < 18 && at.Weekday()%6 != 0 {
			use += 30
		}
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

// Without a measure the peak falls by nothing that is sure, whether a meter
// caught up in the baseline or after it, and however long the reporting period
// is; a real rise that lasts is not taken for a glitch.
func TestPeakWithoutMeasure(t *testing.T) {
	var goal target.Target
	for _, g := range target.All() {
		if g.ID == target.PeakReduction {
			goal = g
		}
	}
	whole := func(rows []energy.Row) []energy.Row { return rows }
	spike := func(at, n int, kw float64) func([]energy.Row) []energy.Row {
		return func(rows []energy.Row) []energy.Row {
			rows = slices.Clone(rows)
			for i := range n {
				rows[at+i].Use = kw
			}
			return rows
		}
	}
	for _, c := range []struct {
		name             string
		before, after    func([]energy.Row) []energy.Row
		outliersB, later int
		rise             bool
	}{
		{"two years", whole, whole, 0, 0, false},
		{"an hour of four times as much in the baseline", spike(5000, 1, 300), whole, 1, 0, false},
		{"caught up over two hours", spike(5000, 2, 180), whole, 2, 0, false},
		{"a glitch after it", whole, spike(5000, 1, 300), 0, 1, false},
		{"a month", whole, func(r []energy.Row) []energy.Row { return r[4000:4720] }, 0, 0, false},
		{"a baseline of half a year", func(r []energy.Row) []energy.Row { return r[:4380] }, whole, 0, 0, false},
		{"an event of twelve hours after it", whole, spike(5000, 12, 150), 0, 0, true},
	} {
		covered := 0
		const n = 3
		for seed := range uint64(n) {
			before := c.before(noisy(seed, 2022, 365))
			m, err := towt.Fit(before, towt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d, err := Reduce(m, before, c.after(noisy(seed+100, 2023, 365)), Window{FromHour: 16, ToHour: 19}, 0.9)
			if err != nil {
				t.Fatal(err)
			}
			if d.BaselineOutliers != c.outliersB || d.Outliers != c.later {
				t.Errorf("%s: got %d and %d outliers, want %d and %d", c.name, d.BaselineOutliers, d.Outliers, c.outliersB, c.later)
			}
			value, plus := d.Percent()
			if plus == nil {
				t.Fatalf("%s: got no interval", c.name)
			}
			if math.Abs(value) <= *plus {
				covered++
			}
			if s := target.Judge(goal, target.Measured{Value: value, Plus: plus}); s.Status == target.Met {
				t.Errorf("%s: got a target met by %g ± %g %%", c.name, value, *plus)
			}
			if c.rise && value > -50 {
				t.Errorf("%s: got %g %%, want a rise by more than half", c.name, value)
			}
		}
		if !c.rise && covered < 2 {
			t.Errorf("%s: got %d of %d intervals around zero, want nearly all", c.name, covered, n)
		}
	}
}

// A peak needs a baseline to have one above its predictions.
func TestReduceWithoutRows(t *testing.T) {
	rows := hours(2022, 365, 1000)
	m, err := towt.Fit(rows, towt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string][2][]energy.Row{"no baseline": {nil, rows}, "no reporting": {rows, nil}} {
		if _, err := Reduce(m, r[0], r[1], Window{}, 0.9); !errors.Is(err, energy.ErrInsufficientData) {
			t.Errorf("%s: got %v, want %v", name, err, energy.ErrInsufficientData)
		}
	}
}

// Quarters of an hour have four times the power of their energy.
func TestPowerIsPerHour(t *testing.T) {
	at := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	p, err := Describe([]energy.Row{{Start: at, End: at.Add(15 * time.Minute), Use: 5}})
	if err != nil {
		t.Fatal(err)
	}
	if p.PeakKW != 20 || p.MeanKW != 20 {
		t.Errorf("got %g and %g kW, want 20", p.PeakKW, p.MeanKW)
	}
}

func TestReduce(t *testing.T) {
	before := hours(2022, 365, 1000)
	m, err := towt.Fit(before, towt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	window := Window{Name: "afternoon", FromHour: 14, ToHour: 17}
	for _, c := range []struct {
		name  string
		limit float64
		want  float64 // share of the peak
	}{{"no measure", 1000, 0}, {"a cap at 66 of 83 kW", 66.4, 0.2}} {
		d, err := Reduce(m, before, hours(2023, 365, c.limit), window, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(*d.PeakFraction-c.want) > 0.01 {
			t.Errorf("%s: got a peak lower by %g, want %g", c.name, *d.PeakFraction, c.want)
		}
		if want := max(0, 80-c.limit); math.Abs(*d.WindowSavedKW-want) > 0.5 {
			t.Errorf("%s: window: got %g kW less, want %g", c.name, *d.WindowSavedKW, want)
		}
		if d.WindowRows != 3*365 || d.WindowPlusKW == nil || *d.WindowPlusKW <= 0 {
			t.Errorf("%s: got %d hours ± %v", c.name, d.WindowRows, d.WindowPlusKW)
		}
	}
}
