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

// HeldSteps are steps that ascend, each of which holds for twice their median
// length at most: beyond that nothing is known until the next. A series that has
// a hole is not taken to stand still in it.
func HeldSteps(steps []Step, until time.Time) Steps {
	if len(steps) < 2 {
		return Steps{Steps: steps, Until: until}
	}
	lengths := make([]time.Duration, len(steps)-1)
	for i := range lengths {
		lengths[i] = steps[i+1].From.Sub(steps[i].From)
	}
	slices.Sort(lengths)
	longest := 2 * lengths[len(lengths)/2]
	s := Steps{Steps: make([]Step, 0, len(steps))}
	for i, st := range steps {
		s.Steps = append(s.Steps, st)
		if end := st.From.Add(longest); i+1 < len(steps) && end.Before(steps[i+1].From) {
			s.Steps = append(s.Steps, Step{From: end, Value: math.NaN()})
		}
	}
	s.Until = earlier(until, steps[len(steps)-1].From.Add(longest))
	return s
}

// Constant reports whether the value is known and the same all over a row.
func (s Steps) Constant(r Row) bool {
	i := max(0, sort.Search(len(s.Steps), func(i int) bool { return s.Steps[i].From.After(r.Start) })-1)
	if i >= len(s.Steps) {
		return false
	}
	first := s.Steps[i].Value
	for ; i < len(s.Steps) && s.Steps[i].From.Before(r.End); i++ {
		if s.Steps[i].Value != first {
			return false
		}
	}
	return true
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
