package energy

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Step is a value that holds from an instant to the next step.
type Step struct {
	From  time.Time `json:"from"`
	Value float64   `json:"value"`
}

// Steps is a value over time: a price per half hour, a carbon factor per hour.
// They ascend; the last one holds until Until. Before the first, and where a
// value is NaN, nothing is known.
type Steps struct {
	Steps []Step    `json:"steps"`
	Until time.Time `json:"until"`
}

// Over is the mean of the value over a row, weighted by time, and the share of
// the row over which it is known. The mean is NaN where none is.
func (s Steps) Over(r Row) (mean, known float64) {
	i := sort.Search(len(s.Steps), func(i int) bool { return s.Steps[i].From.After(r.Start) })
	var sum, length float64
	for i = max(0, i-1); i < len(s.Steps) && s.Steps[i].From.Before(r.End); i++ {
		end := s.Until
		if i+1 < len(s.Steps) {
			end = s.Steps[i+1].From
		}
		from, to := later(s.Steps[i].From, r.Start), earlier(end, r.End)
		if to.After(from) && finite(s.Steps[i].Value) {
			overlap := to.Sub(from).Seconds()
			sum += overlap * s.Steps[i].Value
			length += overlap
		}
	}
	if length == 0 {
		return math.NaN(), 0
	}
	return sum / length, length / r.End.Sub(r.Start).Seconds()
}

// Mean is the mean of the steps, each counted once.
func (s Steps) Mean() float64 {
	var sum, n float64
	for _, st := range s.Steps {
		if finite(st.Value) {
			sum, n = sum+st.Value, n+1
		}
	}
	return sum / n
}

// Ascending reports whether the steps are in order, each after the one before.
func (s Steps) Ascending() bool {
	return slices.IsSortedFunc(s.Steps, func(a, b Step) int {
		if !a.From.Before(b.From) {
			return 1
		}
		return -1
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
