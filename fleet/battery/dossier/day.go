package dossier

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Reading is one instant of a battery. Values that were not reported are NaN, and
// State is empty.
type Reading struct {
	battery.Sample
	CellMinV, CellMaxV float64
	ResistanceMOhm     float64
	Cycles             float64 // as the battery counts them
	State              string
}

// Lookback is how far before a day its readings are needed, in ms. What began
// earlier is seen from there on alone.
const Lookback = 6 * 3600 * 1000

// What is kept of a day at most; evenly spread over what there is.
const (
	maxCapacities = 12
	maxLoops      = 6
	maxSteps      = 4
	maxCells      = 4
)

// Day is what one UTC day tells of a battery.
type Day struct {
	Day      int64 // since 1970-01-01
	Readings int   // on the day
	Last     int64 // Unix milliseconds, of the last reading

	Usage  battery.Usage
	States []State // time in each, ascending by name
	SoCPct float64 // newest; NaN: not reported
	SoCAt  int64
	Cycles float64 // newest, as the battery counts them; NaN: not reported
	Rest   AtRest  // newest instant at rest

	Rests []quiet

	Found
	Unread bool // it can't be read; see Unread
}

// Found is what was found on a day: that which ended on it, as far as could be
// known by its last reading; see Day.known.
type Found struct {
	Capacities []battery.Capacity
	Loops      []battery.Loop
	Steps      []battery.ResistanceStep
	Cells      []battery.CellSample
	Late       Late
}

// Late is what ended so near midnight that the next day may carry it on, and finds
// it then. It counts where the next day has no readings.
type Late struct {
	Capacities []battery.Capacity
	Loops      []battery.Loop
}

// Finding is what was found on which day.
type Finding struct {
	Day int64
	Found
	Unread bool // see Unread
}

// settled reports whether what was late on the k-th of the days with data, which
// ascend, counts: the day after it had no readings. Of the newest that is not known.
func settled(days []Finding, k int) bool { return k+1 < len(days) && days[k+1].Day > days[k].Day+1 }

// Capacities are those found on the days with data, which ascend.
func Capacities(days []Finding) []battery.Capacity {
	all := []battery.Capacity{}
	for k := range days {
		all = append(all, days[k].Capacities...)
		if settled(days, k) {
			all = append(all, days[k].Late.Capacities...)
		}
	}
	return all
}

// AtRest is the voltage of a battery at an instant without current; At 0: none.
type AtRest struct {
	At       int64
	VoltageV float64
	SoCPct   float64 // NaN: not reported
}

func emptyDay(day int64) Day {
	return Day{Day: day, SoCPct: math.NaN(), Cycles: math.NaN(), Rest: AtRest{SoCPct: math.NaN()}}
}

// State is the time that a battery spent in one state.
type State struct {
	State   string
	Seconds float64
}

// Unread stands for a day that had readings, where what was made of them can't be
// read. Nothing else is known of it.
func Unread(day int64) Day {
	d := emptyDay(day)
	d.Unread = true
	return d
}

// Empty reports whether nothing was read on the day.
func (d *Day) Empty() bool { return d.Readings == 0 }

// Measure makes the facts of a day of its readings and of those of Lookback
// before it, which ascend by time. The numbers are as they will be when they have
// been stored.
func Measure(day int64, readings []Reading, s Sheet, r Rules) Day {
	d := emptyDay(day)
	from := startOf(day)
	start, _ := slices.BinarySearchFunc(readings, from, func(x Reading, ts int64) int { return int(x.TS - ts) })
	today := readings[start:]
	if d.Readings = len(today); d.Readings == 0 {
		return d
	}
	d.Last = today[len(today)-1].TS
	terms := r.terms(s)
	samples := make([]battery.Sample, 0, len(readings)) // those that can be integrated
	first := 0
	for k, x := range readings {
		if k == start {
			first = len(samples)
		}
		if !math.IsNaN(x.VoltageV) && !math.IsNaN(x.CurrentA) {
			samples = append(samples, x.Sample)
		}
	}
	for _, x := range samples[first:] {
		d.Usage.Add(x, terms)
	}
	d.newest(today, r.idleA(s))
	d.States = statesOf(readings, station.Window{From: from, To: from + dayMS}, r.Use)
	d.find(samples, first, today, s, r)
	return d.stored()
}

func (d *Day) newest(today []Reading, idle float64) {
	for _, x := range today {
		if !math.IsNaN(x.SoCPct) {
			d.SoCPct, d.SoCAt = x.SoCPct, x.TS
		}
		if !math.IsNaN(x.Cycles) {
			d.Cycles = x.Cycles
		}
		if x.VoltageV > 0 && math.Abs(x.CurrentA) <= idle {
			d.Rest = AtRest{x.TS, x.VoltageV, x.SoCPct}
		}
	}
}

// statesOf is the time spent in each state within the window.
func statesOf(readings []Reading, w station.Window, r station.UseRules) []State {
	var samples []station.StateSample
	for _, x := range readings {
		if x.State != "" {
			samples = append(samples, station.StateSample{TS: x.TS, State: x.State})
		}
	}
	if samples == nil {
		return nil
	}
	var out []State
	for _, x := range station.Use(samples, w, r).States {
		out = append(out, State{x.State, x.Seconds})
	}
	return out
}

// find looks for measurements in the samples, of which those from first on are of
// the day.
func (d *Day) find(samples []battery.Sample, first int, today []Reading, s Sheet, r Rules) {
	for _, c := range battery.Capacities(samples, s.Ratings, r.Measure) {
		switch d.known(c.To, r) {
		case d.Day:
			d.Capacities = append(d.Capacities, c)
		case d.Day + 1:
			d.Late.Capacities = append(d.Late.Capacities, c)
		}
	}
	for _, l := range battery.Loops(samples, r.Measure) {
		switch d.known(l.To, r) {
		case d.Day:
			d.Loops = append(d.Loops, l)
		case d.Day + 1:
			d.Late.Loops = append(d.Late.Loops, l)
		}
	}
	d.Steps = battery.Steps(samples[max(0, first-1):], s.Ratings, r.Steps)
	idle := r.idleA(s)
	for _, x := range today {
		if x.ResistanceMOhm > 0 {
			d.Steps = append(d.Steps, battery.ResistanceStep{
				At: x.TS, MOhm: x.ResistanceMOhm, TemperatureC: number(x.TemperatureC), SoCPct: number(x.SoCPct),
			})
		}
		// At rest, or where nothing is known of the current.
		if x.CellMinV > 0 && x.CellMaxV >= x.CellMinV && !(math.Abs(x.CurrentA) > idle) {
			d.Cells = append(d.Cells, battery.CellSample{TS: x.TS, MinV: x.CellMinV, MaxV: x.CellMaxV, CurrentA: x.CurrentA, SoCPct: x.SoCPct})
		}
	}
	d.Steps = spreadSteps(d.Steps)
	d.Cells = evenly(d.Cells, maxCells)
	d.Capacities, d.Loops = evenly(d.Capacities, maxCapacities), evenly(d.Loops, maxLoops)
	d.Late = Late{evenly(d.Late.Capacities, maxCapacities), evenly(d.Late.Loops, maxLoops)}
	d.Rests = quiets(today, idle, r.Rests)
}

// known is the day on which something that ended at ts is known to have. A sample
// might have carried it on until Rules.MaxGapS later, so what ended that near to
// midnight is the next day's: each day then needs nothing of what comes after it.
func (d *Day) known(ts int64, r Rules) int64 {
	return floorDiv(ts+int64(1000*r.Measure.MaxGapS), dayMS)
}

// spreadSteps keeps some of the steps seen by us, and some of those reported.
func spreadSteps(all []battery.ResistanceStep) []battery.ResistanceStep {
	var seen, reported []battery.ResistanceStep
	for _, x := range all {
		if x.StepA == 0 {
			reported = append(reported, x)
		} else {
			seen = append(seen, x)
		}
	}
	return append(evenly(seen, maxSteps), evenly(reported, maxSteps)...)
}

// evenly keeps at most n of a list, spread over it.
func evenly[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for k := range out {
		out[k] = list[(2*k+1)*len(list)/(2*n)]
	}
	return out
}

func number(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// seconds is the time spent in one of the states.
func (d *Day) seconds(states []string) float64 {
	total := 0.0
	for _, x := range d.States {
		if slices.Contains(states, x.State) {
			total += x.Seconds
		}
	}
	return total
}

// stated is the time with a known state.
func (d *Day) stated() float64 {
	total := 0.0
	for _, x := range d.States {
		total += x.Seconds
	}
	return total
}
