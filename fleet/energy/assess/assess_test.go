package assess

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// building draws the days of a building: weather that differs from year to year,
// a load that follows it, and noise that remembers the day before.
type building struct {
	rng                       *rand.Rand
	base, heat, cool, weekend float64
	noise, memory             float64
}

func newBuilding(seed uint64) *building {
	rng := rand.New(rand.NewPCG(seed, 7))
	return &building{
		rng: rng, base: 200 + 300*rng.Float64(), heat: 5 * rng.Float64(), cool: 8 * rng.Float64(),
		weekend: 0.5 + 0.5*rng.Float64(), noise: 0.05 + 0.05*rng.Float64(), memory: 0.3 * rng.Float64(),
	}
}

func (b *building) days(from time.Time, n int, saving float64) []energy.Row {
	var rows []energy.Row
	var weather, noise float64
	shift := 2 * b.rng.NormFloat64()
	for d := range n {
		at := from.AddDate(0, 0, d)
		weather = 0.7*weather + 5*b.rng.NormFloat64()
		temp := 57 + shift - 25*math.Cos(2*math.Pi*float64(at.YearDay()-15)/365) + weather
		noise = b.memory*noise + math.Sqrt(1-b.memory*b.memory)*b.rng.NormFloat64()
		use := b.base + b.heat*max(58-temp, 0) + b.cool*max(temp-67, 0)
		if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			use *= b.weekend
		}
		use = use*(1-saving) + b.noise*b.base*noise
		rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, 1), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

// The interval at 90 % holds the true saving of 200 buildings in 85 to 97 of a
// hundred, and the portfolio's holds the true sum. What is true is the saving on
// the load without noise, so the noise of the reporting year counts too.
func TestIntervalsCoverTheTruth(t *testing.T) {
	const n = 200
	covered := 0
	var members []savings.Member
	var total float64
	for i := range uint64(n) {
		b := newBuilding(i)
		saving := 0.3 * b.rng.Float64()
		before := b.days(year(2021), 365, 0)
		after := b.days(year(2022), 365, saving)
		var truth float64
		for _, r := range after {
			use := b.base + b.heat*max(58-r.TempF, 0) + b.cool*max(r.TempF-67, 0)
			if r.Start.Weekday() == time.Saturday || r.Start.Weekday() == time.Sunday {
				use *= b.weekend
			}
			truth += saving * use
		}
		a, err := Assess(Request{Baseline: before, Reporting: after, Interval: energy.Daily, Model: "towt-daily"})
		if err != nil {
			t.Fatal(err)
		}
		if a.Avoided == nil {
			t.Fatalf("building %d: %+v", i, a.Verdict)
		}
		if math.Abs(a.Avoided.Saving-truth) <= a.Avoided.Uncertainty.Plus {
			covered++
		}
		total += truth
		members = append(members, savings.Member{ID: "b", Saving: a.Avoided.Saving, Baseline: a.Avoided.Baseline, Uncertainty: a.Avoided.Uncertainty})
	}
	if covered < 85*n/100 || covered > 98*n/100 {
		t.Errorf("got %d of %d covered, want about 90 %%", covered, n)
	}
	p := savings.Aggregate(members)
	if math.Abs(p.Saving-total) > p.Uncertainty.Plus {
		t.Errorf("portfolio: got %g ± %g, want %g", p.Saving, p.Uncertainty.Plus, total)
	}
	t.Logf("covered %d of %d", covered, n)
}

// Each kind of bad input ends in a reason that names it, and the critical ones
// in no number.
func TestBadInputIsNamed(t *testing.T) {
	each := func(f func(i int, r *energy.Row)) func([]energy.Row) []energy.Row {
		return func(rows []energy.Row) []energy.Row {
			for i := range rows {
				f(i, &rows[i])
			}
			return rows
		}
	}
	for _, c := range []struct {
		name     string
		spoil    func([]energy.Row) []energy.Row
		want     string
		critical bool
	}{
		{"sound", each(func(int, *energy.Row) {}), "", false},
		{"a year of zeros", each(func(_ int, r *energy.Row) { r.Use = 0 }), prepare.AllZero, true},
		{"a constant meter", each(func(_ int, r *energy.Row) { r.Use = 7 }), prepare.ConstantUse, true},
		{"no use", each(func(_ int, r *energy.Row) { r.Use = math.NaN() }), prepare.NoUse, true},
		{"no temperature", each(func(_ int, r *energy.Row) { r.TempF, r.TempCoverage = math.NaN(), 0 }), caltrack.NoData, true},
		{"one month", func(rows []energy.Row) []energy.Row { return rows[:30] }, caltrack.MissingDays, true},
		{"every fifth day missing", each(func(i int, r *energy.Row) {
			if i%5 == 0 {
				r.Use = math.NaN()
			}
		}), caltrack.MissingMeterDays, true},
		{"°F taken for °C", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(r.TempF) }), prepare.TemperatureUnit, true},
		{"°C taken for °F", each(func(_ int, r *energy.Row) { r.TempF = energy.CelsiusOf(r.TempF) }), prepare.TemperatureUnit, true},
		{"kelvin", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(energy.CelsiusOf(r.TempF) + 273.15) }), prepare.TemperatureUnit, true},
		{"a swapped sign", each(func(_ int, r *energy.Row) { r.Use = -r.Use }), prepare.NegativeUse, true},
		{"a second meter from July", each(func(i int, r *energy.Row) {
			if i > 181 {
				r.Use *= 2.2
			}
		}), BaselineShift, false},
		{"two meters in turn", each(func(i int, r *energy.Row) {
			if i%2 == 0 {
				r.Use *= 4
			}
		}), prepare.MixedMeters, true},
		{"gaps as zeros", each(func(i int, r *energy.Row) {
			if i%40 == 0 {
				r.Use = 0
			}
		}), prepare.ZerosSuspected, false},
		{"a stuck sensor", each(func(i int, r *energy.Row) {
			r.TempF = 68
			if i < 10 {
				r.TempF = 40 + float64(i)
			}
		}), prepare.TemperatureConstant, true},
		{"noise", each(func(i int, r *energy.Row) { r.Use = 50 + 40*math.Sin(float64(i*i)) }), PoorModel, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilding(3)
			rows := c.spoil(b.days(year(2021), 365, 0))
			a, err := Assess(Request{Baseline: rows, Reporting: b.days(year(2022), 365, 0.2), Interval: energy.Daily})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Error(err)
			}
			if c.want == "" {
				if !a.Verdict.Sufficient || a.Avoided == nil || !a.Avoided.Significant {
					t.Errorf("got %+v", a.Verdict)
				}
				return
			}
			if !a.Verdict.Has(c.want) {
				t.Errorf("got %+v, want %s", a.Verdict.Reasons, c.want)
			}
			if a.Verdict.Sufficient == c.critical || (a.Avoided == nil) != c.critical {
				t.Errorf("got sufficient %v and savings %v, want critical %v", a.Verdict.Sufficient, a.Avoided != nil, c.critical)
			}
		})
	}
}

func TestNoMeasureShowsNoSaving(t *testing.T) {
	wrong := 0
	for i := range uint64(40) {
		b := newBuilding(1000 + i)
		a, err := Assess(Request{
			Baseline: b.days(year(2021), 365, 0), Reporting: b.days(year(2022), 365, 0), Interval: energy.Daily, Model: "towt-daily",
		})
		if err != nil {
			t.Fatal(err)
		}
		if a.Avoided.Significant {
			wrong++
		}
	}
	if wrong > 8 { // 10 % are expected
		t.Errorf("got %d of 40 buildings with a saving that is not there", wrong)
	}
}

// Noise that lasts for weeks looks like a saving. Where it does, none is sure.
func TestSlowNoiseIsNoSaving(t *testing.T) {
	for _, c := range []struct {
		memory float64
		most   int // of 100 buildings, of which 10 are expected
	}{{0.5, 20}, {0.9, 20}, {0.95, 20}} {
		wrong, withheld := 0, 0
		for i := range uint64(100) {
			b := newBuilding(3000 + i)
			b.memory, b.noise, b.weekend = c.memory, 0.08, 1
			a, err := Assess(Request{
				Baseline: b.days(year(2021), 365, 0), Reporting: b.days(year(2022), 365, 0), Interval: energy.Daily, Model: "changepoint-5p",
			})
			if err != nil {
				t.Fatal(err)
			}
			if a.Avoided == nil {
				t.Fatalf("building %d: %+v", i, a.Verdict)
			}
			if a.Avoided.Significant {
				wrong++
			}
			if a.Verdict.Has(savings.SlowNoise) {
				withheld++
				if _, plus := a.Avoided.Percent(); plus != nil {
					t.Errorf("building %d: got ± %g %%, want none", i, *plus)
				}
			}
		}
		if wrong > c.most {
			t.Errorf("memory %g: got %d of 100 buildings with a saving that is not there", c.memory, wrong)
		}
		if c.memory == 0.5 && withheld > 0 || c.memory == 0.95 && withheld < 50 {
			t.Errorf("memory %g: got %d of 100 withheld", c.memory, withheld)
		}
		t.Logf("memory %g: %d wrong, %d withheld", c.memory, wrong, withheld)
	}
}

// bills are a year and more of them, of the given days, of a heated building.
func bills(days []int) []energy.Row {
	at := year(2021)
	var rows []energy.Row
	for _, n := range days {
		r := energy.Row{Start: at, End: at.AddDate(0, 0, n), TempCoverage: 1}
		for d := range n {
			temp := 55 - 25*math.Cos(2*math.Pi*float64(at.AddDate(0, 0, d).YearDay())/365)
			r.DayTempsF = append(r.DayTempsF, temp)
			r.TempF += temp / float64(n)
			r.Use += 20 + max(60-temp, 0)
		}
		rows, at = append(rows, r), r.End
	}
	return rows
}

// A bill that was estimated over a quarter, or for a few days, is no row of the
// fit.
func TestUnusualBillsAreLeftOut(t *testing.T) {
	usual := []int{30, 31, 30, 31, 30, 31, 30, 31, 30, 31, 30, 31}
	for _, c := range []struct {
		name       string
		days       []int
		fitted     int
		sufficient bool
		named      bool
	}{
		{"months", usual, 12, true, false},
		{"two months", []int{61, 61, 62, 61, 61, 61, 61}, 7, true, false},
		{"a bill of five days", append([]int{5}, usual...), 12, true, true},
		{"a bill of four months", append([]int{120}, usual...), 0, false, true},
	} {
		rows := bills(c.days)
		for i := range rows {
			if n := c.days[i]; n == 5 {
				rows[i].Use *= 4
			}
		}
		a, err := Assess(Request{Baseline: rows, Reporting: bills(usual), Interval: energy.Billing})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict.Has(caltrack.Estimated) != c.named {
			t.Errorf("%s: got %+v", c.name, a.Verdict.Reasons)
		}
		if !c.sufficient {
			if a.Verdict.Sufficient || a.Fit != nil {
				t.Errorf("%s: got a fit, want %s", c.name, caltrack.MissingMeterDays)
			}
			continue
		}
		if a.Fit == nil || a.Fit.Statistics.N != c.fitted {
			t.Errorf("%s: got %+v and fit %+v, want %d bills", c.name, a.Verdict, a.Fit, c.fitted)
		}
	}
}

func TestUnknownModel(t *testing.T) {
	if _, err := Assess(Request{Interval: energy.Daily, Model: "oracle"}); err == nil {
		t.Error("got no error for a model that does not exist")
	}
}

func TestNormalised(t *testing.T) {
	b := newBuilding(5)
	a, err := Assess(Request{
		Baseline: b.days(year(2021), 365, 0), Reporting: b.days(year(2022), 365, 0.2), Typical: b.days(year(2023), 365, 0),
		Interval: energy.Daily, Model: caltrack.DailyModel,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := a.Normalised; n == nil || math.Abs(*n.Fraction-0.2) > 0.05 || !n.Significant {
		t.Errorf("got %+v, want a fifth", n)
	}
}
