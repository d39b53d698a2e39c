package prepare

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// A reading that falls back to where it came from was no reading where it rose
// at beyondPeak times the rate of all but one in peakShare rises. One that stays
// is harder to tell from a load that seldom runs, so it is no growth only at
// beyondJump times the rate of all rises but the fewJumps fastest. Below
// fewestRises the rate of the meter is not known.
const (
	beyondPeak  = 10
	beyondJump  = 100
	peakShare   = 100
	fewJumps    = 5
	fewestRises = 20
)

// rates are the fastest growth that is believed, per hour.
type rates struct {
	peak float64 // before a fall
	jump float64
	gap  time.Duration
}

// ratesOf learns them from a counter. The time of a rise runs from when the
// counter last changed, so that a coarse one is as fast as a fine one, but not
// beyond gap.
func ratesOf(points []Point, gap time.Duration) rates {
	limits := rates{math.Inf(1), math.Inf(1), gap}
	if len(points) == 0 {
		return limits
	}
	all := make([]float64, 0, len(points))
	changed := points[0].TS
	for i := 0; i+1 < len(points); i++ {
		a, b := points[i], points[i+1]
		if b.Value > a.Value && b.TS > changed {
			all = append(all, (b.Value-a.Value)/limits.hours(changed, b.TS))
		}
		if b.Value != a.Value {
			changed = b.TS
		}
	}
	if len(all) < fewestRises {
		return limits
	}
	last := len(all) - 1
	limits.jump = beyondJump * energy.Select(all, last-fewJumps)
	limits.peak = beyondPeak * energy.Select(all, last-max(fewJumps, len(all)/peakShare))
	return limits
}

func (l rates) hours(from, to int64) float64 {
	return min(time.Duration(to-from)*time.Millisecond, l.gap).Hours()
}

// reading is a sample, and when its value was first seen.
type reading struct {
	Point
	since int64
}

// withoutPeaks drops readings that rise faster than the meter can and fall back,
// within the gap, to no less than before: one bad value, or several. The others
// show what was counted meanwhile. It also gives the times of those rises.
func withoutPeaks(points []Point, limits rates) (kept []reading, peaks []int64) {
	kept = make([]reading, 0, len(points))
	lower := make([]int, 0, len(points)) // indexes into kept of ascending values: the last one at or below a new value comes before a rise
	for _, p := range points {
		for len(lower) > 0 && kept[lower[len(lower)-1]].Value > p.Value {
			lower = lower[:len(lower)-1]
		}
		if len(lower) > 0 {
			i := lower[len(lower)-1]
			if i+1 < len(kept) && kept[i+1].Value > p.Value && limits.isPeak(kept[i], kept[i+1], p) {
				peaks = append(peaks, kept[i+1].TS)
				kept = kept[:i+1]
			}
		}
		r := reading{p, p.TS}
		if n := len(kept); n > 0 && kept[n-1].Value == p.Value {
			r.since = kept[n-1].since
		}
		lower, kept = append(lower, len(kept)), append(kept, r)
	}
	return kept, peaks
}

// isPeak reports whether the rise from a to b was too fast, and c back in time.
func (l rates) isPeak(a, b reading, c Point) bool {
	return time.Duration(c.TS-a.TS)*time.Millisecond <= l.gap && b.Value-a.Value > l.peak*l.hours(a.since, b.TS)
}

// Register splits the growth of a counter at the bounds. The samples ascend by
// time. Growth between two samples is spread evenly over the time between them;
// beyond maxGap it is not known when it was used, so it is no amount at all.
//
// A counter that falls was reset or rolled over, and what it counted meanwhile
// is not known. One that comes back to where it was had only dipped: what it
// showed meanwhile counts for nothing, and only what is beyond its highest value
// was counted. One that leaps beyond all that the meter ever draws, and falls
// back, showed bad values, which are dropped; one that leaps and stays was
// changed, and what it counted meanwhile is not known. Amount says how often.
func Register(points []Point, bounds []time.Time, maxGap time.Duration) []Amount {
	acc := newAmounts(bounds)
	limits := ratesOf(points, maxGap)
	kept, peaks := withoutPeaks(points, limits)
	for _, ts := range peaks {
		acc.count(ts, glitch)
	}
	if len(kept) > 0 {
		c := counter{acc: acc, limits: limits, high: kept[0].Value}
		for i := 0; i+1 < len(kept); i++ {
			c.step(kept[i], kept[i+1])
		}
		c.flush()
	}
	return acc.finish()
}

// counter walks over readings. Growth after a fall is held back until it is known
// whether the counter comes back.
type counter struct {
	acc    *amounts
	limits rates
	high   float64
	fallen int64 // when the counter last stood at high, while growth is held back
	held   []Interval
	holds  bool
}

func (c *counter) step(a, b reading) {
	if c.holds && time.Duration(b.TS-c.fallen)*time.Millisecond > c.limits.gap {
		c.flush()
	}
	if b.Value < a.Value {
		c.acc.count(b.TS, reset)
		if !c.holds {
			c.holds, c.fallen = true, a.TS
		}
		return
	}
	grown := b.Value - a.Value
	if b.Value >= c.high {
		if a.Value < c.high { // back from a dip
			c.holds, c.held = false, nil
		}
		grown, c.high = b.Value-c.high, b.Value
	}
	if grown > c.limits.jump*c.limits.hours(a.since, b.TS) {
		c.acc.count(b.TS, glitch)
		grown = math.NaN()
	}
	if math.IsNaN(grown) || time.Duration(b.TS-a.TS)*time.Millisecond > c.limits.gap {
		return
	}
	c.held = append(c.held, Interval{a.TS, b.TS, grown})
	if !c.holds {
		c.flush()
	}
}

// flush books what was held back.
func (c *counter) flush() {
	for _, i := range c.held {
		c.acc.spread(i.From, i.To, i.Value)
	}
	c.held, c.holds = c.held[:0], false
}
