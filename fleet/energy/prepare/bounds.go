// Package prepare turns what meters and weather sensors deliver into rows that a
// baseline can be fitted to: counters into consumption, samples into means,
// both over the local hours, days and bills of a building, with how much of each
// was covered. It judges the data and changes none of it in silence.
//
// It is pure and knows nothing of stores and models.
package prepare

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Point is one sample of a counter or a gauge.
type Point struct {
	TS    int64 // Unix milliseconds
	Value float64
}

// Hours are the bounds of the whole hours from one instant to another: one more
// than there are hours. A change of the clock moves none of them.
func Hours(from, to time.Time) []time.Time {
	out := make([]time.Time, 0, max(0, to.Sub(from)/time.Hour+1))
	for t := from; !t.After(to); t = t.Add(time.Hour) {
		out = append(out, t)
	}
	return out
}

// Days are the local midnights from that of from up to that of to, in the
// location of from. A day on which the clock changes has 23 or 25 hours. Where
// midnight does not exist, the day begins when the clock reads on.
func Days(from, to time.Time) []time.Time {
	y, m, d := from.Date()
	out := make([]time.Time, 0, max(0, to.Sub(from)/(24*time.Hour)+2))
	for i := 0; ; i++ {
		t := midnight(y, m, d+i, from.Location())
		if t.After(to) {
			return out
		}
		out = append(out, t)
	}
}

// midnight is the first instant of a local day. time.Date maps a midnight that
// the clock skips to the hour before or after it, depending on the zone.
func midnight(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	want := time.Date(y, m, d, 12, 0, 0, 0, loc).Day()
	if t.Day() == want {
		return t
	}
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return t
	}
	return end
}

// Rows joins amounts and temperatures over the same bounds, one fewer than there
// are bounds.
func Rows(bounds []time.Time, use []Amount, temperatures []Temperature) []energy.Row {
	out := make([]energy.Row, 0, len(bounds))
	for i := 0; i+1 < len(bounds); i++ {
		out = append(out, energy.Row{
			Start: bounds[i], End: bounds[i+1], Use: use[i].Value,
			TempF: temperatures[i].MeanF, TempCoverage: temperatures[i].Coverage, DayTempsF: temperatures[i].DaysF,
		})
	}
	return out
}
