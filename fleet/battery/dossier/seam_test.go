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
