package prepare

import (
	"math"
	"sort"
	"time"
)

// Amount is what a meter counted between two bounds.
type Amount struct {
	// Value is NaN where half of the interval or less is known. Where more is
	// known, what is missing is put in at the same rate (CalTRACK 2.0,
	// 2.2.2.1).
	Value    float64
	Coverage float64 // share of the interval over which the amount is known, 0…1
	Resets   int     // of the counter, inside the interval
	Glitches int     // leaps of the counter that no use explains, inside the interval
}

// minCoverage is the share of an interval above which what is missing is put in
// at the rate of the rest (CalTRACK 2.0, 2.2.2.1).
const minCoverage = 0.5

// Interval is an amount that a source states for a span of time.
type Interval struct {
	From, To int64 // Unix milliseconds, half-open
	Value    float64
}

// Intervals sums stated amounts between the bounds; one that crosses a bound is
// split in proportion to time. They do not overlap and ascend. A NaN is missing.
func Intervals(stated []Interval, bounds []time.Time) []Amount {
	acc := newAmounts(bounds)
	for _, s := range stated {
		if !math.IsNaN(s.Value) {
			acc.spread(s.From, s.To, s.Value)
		}
	}
	return acc.finish()
}

// amounts adds up between bounds. The bound that an addition begins in moves
// forward only, since additions ascend.
type amounts struct {
	bounds  []int64
	out     []Amount
	covered []int64
	at      int
}

func newAmounts(bounds []time.Time) *amounts {
	n := max(0, len(bounds)-1)
	a := &amounts{out: make([]Amount, n), covered: make([]int64, n), bounds: make([]int64, len(bounds))}
	for i, b := range bounds {
		a.bounds[i] = b.UnixMilli()
	}
	return a
}

// seek moves to the interval that holds ts, or the first after it.
func (a *amounts) seek(ts int64) {
	for a.at < len(a.out) && a.bounds[a.at+1] <= ts {
		a.at++
	}
}

func (a *amounts) spread(from, to int64, value float64) {
	if to <= from {
		return
	}
	a.seek(from)
	for i := a.at; i < len(a.out) && a.bounds[i] < to; i++ {
		overlap := min(to, a.bounds[i+1]) - max(from, a.bounds[i])
		if overlap <= 0 {
			continue
		}
		a.out[i].Value += value * float64(overlap) / float64(to-from)
		a.covered[i] += overlap
	}
}

// event is what a counter does beside counting.
type event int

const (
	reset event = iota
	glitch
)

// count counts an event where its pair of samples ends.
func (a *amounts) count(ts int64, e event) {
	i := sort.Search(len(a.out), func(i int) bool { return ts <= a.bounds[i+1] })
	if i == len(a.out) || ts <= a.bounds[0] {
		return
	}
	if e == reset {
		a.out[i].Resets++
	} else {
		a.out[i].Glitches++
	}
}

func (a *amounts) finish() []Amount {
	for i := range a.out {
		length := a.bounds[i+1] - a.bounds[i]
		share := float64(a.covered[i]) / float64(length)
		a.out[i].Coverage = share
		switch {
		case share <= minCoverage:
			a.out[i].Value = math.NaN()
		case share < 1:
			a.out[i].Value /= share
		}
	}
	return a.out
}
