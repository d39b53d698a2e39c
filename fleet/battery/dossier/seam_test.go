package dossier

import (
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// held is a battery at a constant voltage over the days from 20000 on, which goes
// over the limit of 58.4 V for an hour on the second.
func held(days int64) []Reading {
	nan := math.NaN()
	var out []Reading
	for ts := startOf(20000); ts < startOf(20000+days); ts += 60_000 {
		x := Reading{CellMinV: nan, CellMaxV: nan, ResistanceMOhm: nan, Cycles: nan}
		x.Sample = battery.Sample{TS: ts, VoltageV: 58.4, CurrentA: 0.5, SoCPct: 100, TemperatureC: 20}
		if ts >= startOf(20001)+6*3600_000 && ts < startOf(20001)+7*3600_000 {
			x.VoltageV = 59.5
		}
		out = append(out, x)
	}
	return out
}

// What was not counted as an event on a day is not taken back at midnight, however
// the numbers were rounded and whatever limit is set since.
func TestMidnightTakesBackNoMoreThanWasCounted(t *testing.T) {
	r := DefaultRules()
	r.Limits.MaxVoltageV = 58.4
	lower := r
	lower.Limits.MaxVoltageV = 58
	for name, later := range map[string]Rules{"same limit": r, "lower limit": lower} {
		x, sheet := New("b"), Sheet{Ratings: battery.Ratings{CapacityAh: 40}}
		all := held(5)
		for day := int64(20000); day < 20005; day++ {
			x.Add(Measure(day, all[(day-20000)*1440:(day-19999)*1440], sheet, r), sheet, later)
		}
		got := x.Total.Events[battery.OverVoltage]
		if got.Count != 1 || math.Abs(got.Seconds-3600) > 60 {
			t.Errorf("%s: got %+v, want one of an hour", name, got)
		}
	}
}

// Cycles never get fewer: neither by a counter that starts again nor by one that
// is put right.
func TestCyclesOutliveTheirCounter(t *testing.T) {
	x, day := New("b"), int64(20000)
	for _, step := range []struct{ shows, want float64 }{
		{300, 300}, {301, 301}, {300, 301}, {302, 302}, {0, 302}, {5, 307}, {1, 308},
	} {
		x.Add(Day{Day: day, Readings: 1, Cycles: step.shows, SoCPct: math.NaN()}, Sheet{}, DefaultRules())
		if day++; x.Cycles != step.want {
			t.Errorf("counter at %g: got %g cycles, want %g", step.shows, x.Cycles, step.want)
		}
	}
	terms := DefaultRules()
	terms.Warranty.Cycles = 300
	if w := x.Warranty(Sheet{}, terms); w.Covered {
		t.Error("the warranty covers again")
	}
}

// charged is a battery that charges from 20 % from 18:00 on until midnight of the
// day, a tenth of the rated capacity an hour, and rests before.
func charged(day int64) []Reading {
	nan := math.NaN()
	var out []Reading
	for ts := startOf(day); ts < startOf(day+1); ts += 60_000 {
		x := Reading{CellMinV: nan, CellMaxV: nan, ResistanceMOhm: nan, Cycles: nan}
		x.Sample = battery.Sample{TS: ts, VoltageV: 52, SoCPct: 20, TemperatureC: 20}
		if since := float64(ts-startOf(day))/3600_000 - 18; since >= 0 {
			x.CurrentA, x.SoCPct = 4, 20+10*since
		}
		out = append(out, x)
	}
	return out
}

// What ends at midnight is found once: on the next day, or where that is silent on
// the day itself, once a later one has come.
func TestWhatEndsAtMidnight(t *testing.T) {
	r, sheet := DefaultRules(), Sheet{Ratings: battery.Ratings{CapacityAh: 40}}
	for name, next := range map[string]int64{"next day": 20001, "silent day": 20002, "silent week": 20008} {
		readings := append(charged(20000), charged(next)...)
		x, days := New("b"), []Day{}
		for _, day := range []int64{20000, next} {
			var near []Reading
			for _, q := range readings {
				if q.TS >= startOf(day)-Lookback && q.TS < startOf(day+1) {
					near = append(near, q)
				}
			}
			d := Measure(day, near, sheet, r)
			x.Add(d, sheet, r)
			days = append(days, d)
			if day == 20000 && (len(x.Newest) != 0 || len(Capacities(Findings(days))) != 0) {
				t.Errorf("%s: got %+v before it is known to have ended", name, x.Newest)
			}
			y, err := Decode(x.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			x = y
		}
		listed := Capacities(Findings(days))
		if len(listed) != 1 || listed[0].To != startOf(20001)-60_000 || math.Abs(listed[0].CapacityAh-40) > 0.1 {
			t.Errorf("%s: got %+v, want one capacity of 40 Ah", name, listed)
		}
		if len(x.Newest) != 1 || x.Newest[0].To != startOf(20001)-60_000 {
			t.Errorf("%s: the dossier has %+v, want the charge", name, x.Newest)
		}
		if fit := x.lately(Findings(days)).Capacities; len(fit) != 1 {
			t.Errorf("%s: health is told of %+v, want the charge", name, fit)
		}
	}
}

// A day that can't be read is no silent one: it had what was late the day before.
func TestUnreadDayIsNotSilent(t *testing.T) {
	r, sheet := DefaultRules(), Sheet{Ratings: battery.Ratings{CapacityAh: 40}}
	days := []Day{Measure(20000, charged(20000), sheet, r), Unread(20001), Measure(20002, charged(20002), sheet, r)}
	x := New("b")
	for _, d := range days {
		x.Add(d, sheet, r)
	}
	listed, fit := Capacities(Findings(days)), x.lately(Findings(days)).Capacities
	if len(days[0].Late.Capacities) == 0 || len(listed)+len(fit)+len(x.Newest) != 0 {
		t.Errorf("got %d late, then %+v listed, health told of %+v and %+v in the dossier, want none of them", len(days[0].Late.Capacities), listed, fit, x.Newest)
	}
	a, ok := Replay("b", days, nil, sheet, r, 20002)
	if !ok || a.Days != 2 {
		t.Errorf("got a replay of %d days, %v, want 2", a.Days, ok)
	}
	if _, ok := Replay("b", days[1:2], nil, sheet, r, 20002); ok {
		t.Error("got a replay of nothing but a day that can't be read")
	}
}

// A battery that no swap event names may stand at stations that send none.
func TestSwapsAreKnownOnceOneIs(t *testing.T) {
	r, sheet := DefaultRules(), Sheet{Ratings: battery.Ratings{CapacityAh: 40}}
	var days []Day
	for day := int64(20000); day < 20050; day++ {
		days = append(days, Measure(day, charged(day), sheet, r))
	}
	for name, tt := range map[string]struct {
		swaps []Swaps
		want  *int
	}{
		"none ever":       {nil, nil},
		"later alone":     {[]Swaps{{Day: 20050, Out: 1}}, nil},
		"before alone":    {[]Swaps{{Day: 19990, In: 1}}, ptr(0)},
		"taken back":      {[]Swaps{{Day: 20040, In: 1}}, ptr(0)},
		"one of them old": {[]Swaps{{Day: 20001, Out: 5}, {Day: 20020, Out: 1}, {Day: 20049, Out: 2}}, ptr(3)},
	} {
		a, ok := Replay("b", days, tt.swaps, sheet, r, 20049)
		if !ok {
			t.Fatal("no assessment")
		}
		if known := tt.want != nil; a.Swaps.Basis.OK() != known || (a.Swaps.PerDay != nil) != known || (a.Standing.SwapsPerDay != nil) != known || (a.Swaps.Basis.Reason == "") != known {
			t.Errorf("%s: got %+v", name, a.Swaps)
		}
		if tt.want != nil && (a.Swaps.Swaps != *tt.want || a.Standing.Swaps != *tt.want) {
			t.Errorf("%s: got %d swaps, in its standing %d, want %d", name, a.Swaps.Swaps, a.Standing.Swaps, *tt.want)
		}
	}
}

func ptr[T any](v T) *T { return &v }
