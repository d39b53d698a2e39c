package rollup

import (
	"math"
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

// pointsOf sorts the samples of readings by field; fields are those of one kind,
// each at its index.
func pointsOf(fields []*devices.Field, readings []telemetry.Reading) [][]Point {
	points := make([][]Point, len(fields))
	for i := range readings {
		for _, v := range readings[i].Values {
			if v.Field.Index >= len(fields) || !v.Field.Numeric() {
				continue
			}
			p := &points[v.Field.Index]
			if *p == nil {
				*p = make([]Point, 0, len(readings)-i)
			}
			*p = append(*p, Point{readings[i].TS, v.Num})
		}
	}
	return points
}

// series is the samples of one field.
type series struct {
	points []Point
	// growth is, for a counter, what was consumed between each point and the
	// next; NaN where that is not known, because the counter fell.
	growth []float64
}

// newSeries works out a counter's growth. A counter that falls was reset or
// rolled over, and what was consumed meanwhile is not known. One that comes back
// to where it was had only dipped (a meter that restarts and reports 0 for a
// moment, a clock set back): then only what is beyond its highest value so far
// was consumed.
func newSeries(role devices.Role, points []Point) series {
	s := series{points: points}
	if role != devices.Counter || len(points) < 2 {
		return s
	}
	s.growth = make([]float64, len(points)-1)
	high := points[0].Value
	for i := range s.growth {
		a, b := points[i].Value, points[i+1].Value
		switch {
		case b < a:
			s.growth[i] = math.NaN()
		case b >= high:
			s.growth[i] = b - high
		default:
			s.growth[i] = b - a
		}
		high = max(high, b)
	}
	return s
}

// The gap that is interpolated over is a few times the usual one around it, so
// that a lost message or two leave no hole, whatever the cadence of the device
// and however it changes.
const (
	gapFactor       = 2.5
	minGapLimit     = 2 * 60 * 1000
	defaultGapLimit = telemetry.Hour
	gapsAround      = 4 // on each side
)

// covered reports whether the time from point i to the next is covered: it is
// at most two minutes, or 2.5 times the median of the four gaps before and the
// four after it; an hour where there are no others.
func covered(points []Point, i int) bool {
	gap := points[i+1].TS - points[i].TS
	if gap <= minGapLimit {
		return true
	}
	var around [2 * gapsAround]int64
	n := 0
	for k := max(0, i-gapsAround); k <= i+gapsAround && k+1 < len(points); k++ {
		if k != i {
			around[n] = points[k+1].TS - points[k].TS
			n++
		}
	}
	if n == 0 {
		return gap <= defaultGapLimit
	}
	slices.Sort(around[:n])
	return float64(gap) <= gapFactor*float64(around[n/2])
}

// fold summarises a field over w; false where w holds no sample and no
// interpolated part.
func fold(f *devices.Field, s series, w telemetry.Window) (Stat, bool) {
	st := Stat{Field: f.Name}
	points := s.points
	// The pair that reaches into w from before starts at the last point before it.
	i := max(0, sort.Search(len(points), func(i int) bool { return points[i].TS >= w.From })-1)
	var acc accumulator
	for ; i < len(points) && points[i].TS < w.To; i++ {
		if w.Contains(points[i].TS) {
			acc.sample(points[i].Value, st.Samples)
			st.Samples++
		}
		if i+1 < len(points) {
			acc.pair(s, i, w)
		}
	}
	if st.Samples == 0 && acc.covered == 0 && acc.spread == 0 {
		return Stat{}, false
	}
	if st.Samples > 0 {
		st.Min, st.Max, st.Last = &acc.min, &acc.max, &acc.last
	}
	st.Coverage = float64(acc.covered) / float64(w.To-w.From)
	if f.Role == devices.Counter {
		st.Resets = acc.resets
		if acc.spread > 0 {
			st.Delta = &acc.delta
		}
		return st, true
	}
	switch {
	case acc.covered > 0:
		mean := acc.area / float64(acc.covered)
		st.Mean = &mean
	case st.Samples > 0:
		mean := acc.sum / float64(st.Samples)
		st.Mean = &mean
	}
	return st, true
}

// accumulator adds up the samples and what lies between neighbouring ones.
type accumulator struct {
	sum, min, max, last float64 // of the samples

	area    float64 // value · ms over the covered part
	covered int64   // ms between points that are not too far apart
	delta   float64 // of a counter
	spread  int64   // ms over which a delta is known
	resets  int
}

// sample adds one that has n before it.
func (c *accumulator) sample(v float64, n int) {
	c.sum += v
	c.last = v
	if n == 0 || v < c.min {
		c.min = v
	}
	if n == 0 || v > c.max {
		c.max = v
	}
}

// pair adds the part of the interval from point i to the next that lies in w.
// Between the two the value runs straight: the mean over the overlap is the
// value at its middle, and a counter grows in proportion to time.
func (c *accumulator) pair(s series, i int, w telemetry.Window) {
	a, b := s.points[i], s.points[i+1]
	from, to := max(a.TS, w.From), min(b.TS, w.To)
	length := b.TS - a.TS
	if to <= from || length > Margin {
		return
	}
	if s.growth != nil {
		if math.IsNaN(s.growth[i]) {
			if w.Contains(b.TS - 1) { // counted once, where the pair ends
				c.resets++
			}
			return
		}
		c.delta += s.growth[i] * float64(to-from) / float64(length)
		c.spread += to - from
	}
	if covered(s.points, i) {
		middle := float64(from+to)/2 - float64(a.TS)
		c.area += (a.Value + (b.Value-a.Value)*middle/float64(length)) * float64(to-from)
		c.covered += to - from
	}
}

// Delta is the consumption of a counter in one window of time.
type Delta struct {
	Start    int64   `json:"start"` // Unix milliseconds
	Value    float64 `json:"value"`
	Coverage float64 `json:"coverage"` // share of the window over which the consumption is known, 0…1; at 0 the value says nothing
	Resets   int     `json:"resets,omitempty"`
}

// Deltas splits the consumption of a counter into windows of every
// milliseconds, aligned to the Unix epoch; the first and last may be cut by w.
// Points ascend by time and may reach up to Margin beyond w. A window over which
// nothing is known is absent, but for one with a reset. The consumption between
// two points is spread evenly over the time between them, up to Margin.
func Deltas(points []Point, w telemetry.Window, every int64) []Delta {
	s := newSeries(devices.Counter, points)
	var out []Delta
	i := 0
	for start := telemetry.Floor(w.From, every); start < w.To; start += every {
		part := telemetry.Window{From: max(start, w.From), To: min(start+every, w.To)}
		for i+1 < len(points) && points[i+1].TS <= part.From {
			i++
		}
		var acc accumulator
		for k := i; k+1 < len(points) && points[k].TS < part.To; k++ {
			acc.pair(s, k, part)
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
