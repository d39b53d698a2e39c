package rollup

import (
	"slices"
	"sort"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Point is one sample of one field.
type Point struct {
	TS    int64 // Unix milliseconds
	Value float64
}

func pointsOf(f *devices.Field, readings []telemetry.Reading) []Point {
	var points []Point
	for i := range readings {
		for _, v := range readings[i].Values {
			if v.Field.Name == f.Name {
				points = append(points, Point{readings[i].TS, v.Num})
				break
			}
		}
	}
	return points
}

// The gap that is interpolated over is a few times the usual one, so that a
// lost message or two leave no hole, whatever the cadence of the device.
const (
	gapFactor       = 2.5
	minGapLimit     = 2 * 60 * 1000
	defaultGapLimit = telemetry.Hour
)

// gapLimit is the longest time between two samples of [from, to) that counts as
// covered: 2.5 times the median time between them, at least two minutes; an
// hour where there are not two samples.
func gapLimit(points []Point, from, to int64) int64 {
	lo := sort.Search(len(points), func(i int) bool { return points[i].TS >= from })
	hi := sort.Search(len(points), func(i int) bool { return points[i].TS >= to })
	if hi-lo < 2 {
		return defaultGapLimit
	}
	gaps := make([]int64, 0, hi-lo-1)
	for i := lo + 1; i < hi; i++ {
		gaps = append(gaps, points[i].TS-points[i-1].TS)
	}
	slices.Sort(gaps)
	return max(minGapLimit, int64(gapFactor*float64(gaps[len(gaps)/2])))
}

// fold summarises the points of one field over w; false where w holds no sample
// and no interpolated part.
func fold(f *devices.Field, points []Point, w telemetry.Window, limit int64) (Stat, bool) {
	s := Stat{Field: f.Name}
	// The pair that reaches into w from before starts at the last point before it.
	i := max(0, sort.Search(len(points), func(i int) bool { return points[i].TS >= w.From })-1)
	acc := accumulator{counter: f.Role == devices.Counter}
	for ; i < len(points) && points[i].TS < w.To; i++ {
		if w.Contains(points[i].TS) {
			s.sample(points[i].Value)
			acc.sum += points[i].Value
		}
		if i+1 < len(points) {
			acc.pair(points[i], points[i+1], w, limit)
		}
	}
	if s.Samples == 0 && acc.covered == 0 && acc.spread == 0 {
		return Stat{}, false
	}
	s.Coverage = float64(acc.covered) / float64(w.To-w.From)
	if f.Role == devices.Counter {
		s.Resets = acc.resets
		if acc.spread > 0 {
			s.Delta = &acc.delta
		}
		return s, true
	}
	switch {
	case acc.covered > 0:
		mean := acc.area / float64(acc.covered)
		s.Mean = &mean
	case s.Samples > 0:
		mean := acc.sum / float64(s.Samples)
		s.Mean = &mean
	}
	return s, true
}

func (s *Stat) sample(v float64) {
	s.Samples++
	s.Last = &v
	if s.Min == nil || v < *s.Min {
		s.Min = &v
	}
	if s.Max == nil || v > *s.Max {
		s.Max = &v
	}
}

// accumulator adds up what lies between neighbouring points.
type accumulator struct {
	counter bool
	sum     float64 // of the samples
	area    float64 // value · ms over the covered part
	covered int64   // ms between points no further apart than the limit
	delta   float64 // of a counter
	spread  int64   // ms over which a delta is known
	resets  int
}

// pair adds the part of [a, b) that lies in w. Between the two the value runs
// straight: the mean over the overlap is the value at its middle, and a counter
// grows in proportion to time. A counter that falls was reset or rolled over;
// what was consumed meanwhile is not known, so nothing is booked.
func (c *accumulator) pair(a, b Point, w telemetry.Window, limit int64) {
	from, to := max(a.TS, w.From), min(b.TS, w.To)
	length := b.TS - a.TS
	if to <= from || length > Margin {
		return
	}
	if c.counter {
		if b.Value < a.Value {
			if w.Contains(b.TS - 1) { // counted once, where the pair ends
				c.resets++
			}
			return
		}
		c.delta += (b.Value - a.Value) * float64(to-from) / float64(length)
		c.spread += to - from
	}
	if length <= limit {
		middle := float64(from+to)/2 - float64(a.TS)
		c.area += (a.Value + (b.Value-a.Value)*middle/float64(length)) * float64(to-from)
		c.covered += to - from
	}
}

// Delta is the consumption of a counter in one window of time.
type Delta struct {
	Start    int64   `json:"start"` // Unix milliseconds
	Value    float64 `json:"value"`
	Coverage float64 `json:"coverage"` // share of the window over which the consumption is known, 0…1
	Resets   int     `json:"resets,omitempty"`
}

// Deltas splits the consumption of a counter into windows of every
// milliseconds, aligned to the Unix epoch; the first and last may be cut by w.
// Points ascend by time and may reach up to Margin beyond w. A window over which
// nothing is known is absent. The consumption between two points is spread
// evenly over the time between them, up to Margin.
func Deltas(points []Point, w telemetry.Window, every int64) []Delta {
	var out []Delta
	i := 0
	for start := telemetry.Floor(w.From, every); start < w.To; start += every {
		part := telemetry.Window{From: max(start, w.From), To: min(start+every, w.To)}
		for i+1 < len(points) && points[i+1].TS <= part.From {
			i++
		}
		acc := accumulator{counter: true}
		for k := i; k+1 < len(points) && points[k].TS < part.To; k++ {
			acc.pair(points[k], points[k+1], part, 0)
		}
		if acc.spread > 0 || acc.resets > 0 {
			out = append(out, Delta{
				Start: start, Value: acc.delta, Resets: acc.resets,
				Coverage: float64(acc.spread) / float64(part.To-part.From),
			})
		}
	}
	return out
}
