package building

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// judged is a saving of a unit each hour, from a day of a year to its end.
func judged(e *evaluation, from time.Time, id string) (s *Saving, rows []energy.Row, baseline []float64) {
	s = &Saving{Intervention: id, Unit: "kWh", Basis: Basis{Version: "v"}, Reporting: energy.Period{From: from, To: e.table.asOf}}
	s.Assessment = &assess.Assessment{Avoided: &savings.Avoided{Fit: energy.Fit{Model: "m", Version: "1"}}}
	rows = within(s.Reporting, e.table.meters[0].hourly)
	baseline = make([]float64, len(rows))
	for i := range rows {
		baseline[i] = rows[i].Use + 1
	}
	return s, rows, baseline
}

// A saving is divided among local months: the parts of its amount add up to it where
// prices are whole, as each part is rounded, and each says of which days it is, how
// much of them is known and how sure it is.
func TestMonthlySavings(t *testing.T) {
	night, day := tariff.Band{Name: "night", To: 7 * time.Hour, Price: 10}, tariff.Band{Name: "day", Price: 30}
	e := paying(true, 0, night, day)
	e.table.asOf = time.Date(2023, 12, 20, 0, 0, 0, 0, time.UTC)
	tf := *e.Plan.Tariffs["t"]
	s, rows, baseline := judged(e, time.Date(2023, 10, 16, 0, 0, 0, 0, time.UTC), "late")
	lost := 36 // hours of which nothing is known
	rows, baseline = rows[lost:], baseline[lost:]
	plus := 1000.0
	cost, why := priced(tf, rows, baseline, &plus)
	if why != nil {
		t.Fatal(why)
	}
	s.Cost = cost
	e.monthly(s, Electricity, tf, rows, baseline)
	var sum int64
	var square float64
	for _, v := range e.monthlySavings {
		sum += v.Saved.Minor
		square += float64(*v.Plus) * float64(*v.Plus)
	}
	if len(e.monthlySavings) != 3 || sum != cost.Saved.Minor || math.Abs(math.Sqrt(square)/float64(*cost.Plus)-1) > 1e-3 {
		t.Fatalf("got %+v, want three that add up to %+v", e.monthlySavings, cost)
	}
	first, last := e.monthlySavings[0], e.monthlySavings[2]
	if first.From != "2023-10-16" || first.To != "2023-11-01" || !first.Complete || math.Abs(first.Coverage-(1-36.0/384)) > 1e-9 || first.Saving != 384-36 || first.Method != "m 1, v" || first.Zone != "UTC" || first.Unit != "kWh" {
		t.Errorf("got %+v", first)
	}
	if last.Month != "2023-12" || last.To != "2023-12-20" || last.Complete || math.Abs(last.Coverage-1) > 1e-9 || last.Saved.Minor != 19*(7*10+17*30) {
		t.Errorf("got %+v", last)
	}
}

// Of measures on a meter the first tells of each day, so that a later one changes
// nothing that was told before it, and no day is lost or told twice.
func TestFirstMeasureTellsOfADay(t *testing.T) {
	e := paying(true, 0, tariff.Band{Name: "all", Price: 20})
	tf := *e.Plan.Tariffs["t"]
	add := func(from time.Time, id string, m Meter, to time.Time) {
		s, rows, baseline := judged(e, from, id)
		s.Cost, s.Reporting.To = &CostSaving{}, to
		rows = within(s.Reporting, rows)
		e.monthly(s, m, tf, rows, baseline[:len(rows)])
	}
	on := func(month time.Month, day int) time.Time { return time.Date(2023, month, day, 0, 0, 0, 0, time.UTC) }
	add(on(9, 1), "first", Electricity, on(11, 10))
	add(on(10, 5), "second", Electricity, on(11, 20))
	add(on(10, 20), "third", Electricity, on(11, 15))
	add(on(11, 25), "fourth", Electricity, on(12, 1))
	add(on(8, 25), "stated", Electricity, on(12, 5)) // around all of them
	add(on(10, 5), "second", Gas, on(11, 1))
	type span struct{ id, to string }
	got := map[string]span{}
	for _, v := range e.monthlySavings {
		got[string(v.Meter)+" "+string(v.From)] = span{v.Intervention, string(v.To)}
		from, _ := v.From.In(time.UTC)
		to, _ := v.To.In(time.UTC)
		if hours := int64(to.Sub(from).Hours()); v.Plus != nil || !v.Complete || v.Coverage != 1 || v.Saved.Minor != 20*hours || v.Saving != float64(hours) {
			t.Errorf("got %+v, want all of its %d hours, of unknown certainty", v, hours)
		}
	}
	want := map[string]span{
		"electricity 2023-08-25": {"stated", "2023-09-01"}, "electricity 2023-09-01": {"first", "2023-10-01"}, "electricity 2023-10-01": {"first", "2023-11-01"},
		"electricity 2023-11-01": {"first", "2023-11-10"}, "electricity 2023-11-10": {"second", "2023-11-20"}, "electricity 2023-11-20": {"stated", "2023-11-25"},
		"electricity 2023-11-25": {"fourth", "2023-12-01"}, "electricity 2023-12-01": {"stated", "2023-12-05"}, "gas 2023-10-05": {"second", "2023-11-01"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" || len(e.monthlySavings) != len(want) {
		t.Errorf("%d months: %s", len(e.monthlySavings), diff)
	}
}

// A month whose prices have not come in has no amount, and says why: a saving of 0
// would be false. Where few are missing, the rest of it is told; whether the whole is
// told in money changes no month.
func TestMonthWithoutPrices(t *testing.T) {
	e := paying(true, 0)
	on := func(month time.Month, day int) time.Time { return time.Date(2023, month, day, 0, 0, 0, 0, time.UTC) }
	tf := tariff.Tariff{ID: "t", Version: "1", Currency: "EUR", Dynamic: &energy.Steps{Steps: []energy.Step{{From: on(1, 1), Value: 20}}}}
	for _, tt := range []struct {
		name  string
		until time.Time
		whole bool
		told  int   // months
		last  int64 // of them
	}{
		{"all priced", on(12, 31).AddDate(0, 0, 1), true, 12, 31 * 24 * 20},
		{"two days are not", on(12, 30), true, 12, 29 * 24 * 20},
		{"a month is not", on(12, 1), true, 11, 30 * 24 * 20},
		{"four months are not", on(9, 1), false, 8, 31 * 24 * 20},
		{"nor two days before", on(8, 30), false, 8, 29 * 24 * 20},
		{"none is", on(1, 1), false, 0, 0},
	} {
		e.monthlySavings, e.telling = nil, nil
		tf.Dynamic.Until = tt.until
		s, rows, baseline := judged(e, on(1, 15), "m")
		plus := 100.0
		e.inMoney(s, Electricity, &Intervention{}, tf, rows, baseline, &plus)
		if s.has(UnpricedUse) == tt.whole || (s.Cost != nil) != tt.whole {
			t.Errorf("%s: the whole is told as %+v, %+v", tt.name, s.Cost, s.Reasons)
		}
		if len(e.monthlySavings) != 12 {
			t.Fatalf("%s: got %d months, want all 12", tt.name, len(e.monthlySavings))
		}
		for k, v := range e.monthlySavings {
			to, _ := v.To.In(time.UTC)
			hours := 24 * int64(to.AddDate(0, 0, -1).Day())
			if k == 0 {
				hours = 24 * 17
			}
			want := 20 * hours
			if k == tt.told-1 {
				want = tt.last
			}
			switch {
			case v.Saving != float64(hours):
				t.Errorf("%s: %s saved %v kWh, want %d", tt.name, v.Month, v.Saving, hours)
			case k < tt.told && (v.Lacks != nil || v.Saved.Minor != want || (v.Plus != nil) != tt.whole):
				t.Errorf("%s: got %+v, want %d", tt.name, v, want)
			case k >= tt.told && (v.Lacks == nil || v.Lacks.Code != UnpricedUse || v.Saved.Minor != 0 || v.Plus != nil):
				t.Errorf("%s: got %+v, want no amount", tt.name, v)
			}
		}
	}
}

// What other months lack of prices changes no month, and so none that is closed: one
// with a hole is told as it was when those of half the year stall, and when they come.
// Who changes these amounts changes Version, so that they are worked out anew.
func TestMonthByItself(t *testing.T) {
	e := paying(true, 0)
	on := func(month time.Month, day int) time.Time { return time.Date(2023, month, day, 0, 0, 0, 0, time.UTC) }
	for _, until := range []time.Time{on(12, 31).AddDate(0, 0, 1), on(11, 10), on(7, 1)} {
		tf := tariff.Tariff{ID: "t", Version: "1", Currency: "EUR", Dynamic: &energy.Steps{Until: until, Steps: []energy.Step{
			{From: on(1, 1), Value: 20}, {From: on(2, 10).Add(5 * time.Hour), Value: math.NaN()}, {From: on(2, 10).Add(6 * time.Hour), Value: 20},
		}}}
		e.monthlySavings, e.telling = nil, nil
		s, rows, baseline := judged(e, on(1, 15), "m")
		e.inMoney(s, Electricity, &Intervention{}, tf, rows, baseline, nil)
		february := e.monthlySavings[1]
		if february.Lacks != nil || february.Saved.Minor != (28*24-1)*20 || Version != "building/4" {
			t.Errorf("prices until %s, %s: got %+v, want all hours but one", until.Format(time.DateOnly), Version, february)
		}
	}
}

// A month is as sure as its part of the days says, whether they are told by the hour
// or in rows of a day.
func TestMonthlyIntervalIsByDays(t *testing.T) {
	e := paying(true, 0, tariff.Band{Name: "all", Price: 20})
	s, hours, _ := judged(e, time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), "m")
	plus := int64(10_000)
	s.Cost = &CostSaving{Plus: &plus}
	december := time.Date(2023, 12, 1, 0, 0, 0, 0, time.UTC)
	rows := slices.Clone(within(energy.Period{From: s.Reporting.From, To: december}, hours))
	rows = append(rows, within(energy.Period{From: december, To: s.Reporting.To}, e.table.meters[0].daily)...)
	e.monthly(s, Electricity, *e.Plan.Tariffs["t"], rows, make([]float64, len(rows)))
	for _, v := range e.monthlySavings {
		to, _ := v.To.In(time.UTC)
		if want := int64(math.Round(10_000 * math.Sqrt(float64(to.AddDate(0, 0, -1).Day())/365))); *v.Plus != want {
			t.Errorf("%s: got ± %d, want %d", v.Month, *v.Plus, want)
		}
	}
}
