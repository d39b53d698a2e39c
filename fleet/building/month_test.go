package building

import (
	"math"
	"testing"
	"time"

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

// A saving is divided among local months: the parts of its amount add up to it, and
// each says of which days it is, how much of them is known and how sure it is.
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
	if first.From != "2023-10-16" || first.To != "2023-11-01" || !first.Complete || math.Abs(first.Coverage-(1-36.0/384)) > 1e-9 || first.Saving != 384-36 || first.Method != "m 1, v" || first.Unit != "kWh" {
		t.Errorf("got %+v", first)
	}
	if last.Month != "2023-12" || last.To != "2023-12-20" || last.Complete || math.Abs(last.Coverage-1) > 1e-9 || last.Saved.Minor != 19*(7*10+17*30) {
		t.Errorf("got %+v", last)
	}
}

// Of two measures on a meter the first tells of each day, so that the second changes
// no month that was told before it.
func TestFirstMeasureTellsOfAMonth(t *testing.T) {
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
	add(on(10, 5), "second", Electricity, on(12, 1))
	add(on(11, 10), "third", Electricity, on(12, 1))
	add(on(10, 5), "second", Gas, on(11, 1))
	got := map[string]string{}
	for _, v := range e.monthlySavings {
		got[string(v.Meter)+" "+string(v.From)] = v.Intervention
		if v.Plus != nil || !v.Complete {
			t.Errorf("got %+v, want it complete, of unknown certainty", v)
		}
	}
	for at, want := range map[string]string{
		"electricity 2023-09-01": "first", "electricity 2023-10-01": "first", "electricity 2023-11-01": "first", "electricity 2023-11-10": "third", "gas 2023-10-05": "second",
	} {
		if got[at] != want {
			t.Errorf("%s: got %q, want %q", at, got[at], want)
		}
		delete(got, at)
	}
	if len(got) > 0 {
		t.Errorf("got too much: %v", got)
	}
}
