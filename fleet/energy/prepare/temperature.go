package prepare

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Temperature is the outdoor temperature over one interval.
type Temperature struct {
	MeanF    float64   // °F; NaN where too few hours are known
	Coverage float64   // share of the hours with a sample, 0…1
	DaysF    []float64 // means of the days of an interval over 25 hours, without the days that are not known
}

// The shares of hours that must be known (CalTRACK 2.0, 2.2.2.3 and 2.2.3.2).
const (
	minDayHours    = 0.5 // of a day, to be exceeded
	minPeriodHours = 0.9 // of a billing period
)

// Temperatures averages samples in °C over the intervals between the bounds:
// samples to hours, hours to days, days to bills, each with equal weight. Hours
// and days are counted from the interval's start. The samples ascend by time.
func Temperatures(points []Point, bounds []time.Time) []Temperature {
	out := make([]Temperature, 0, len(bounds))
	var hours hourly
	at := 0
	for i := 0; i+1 < len(bounds); i++ {
		from, to := bounds[i].UnixMilli(), bounds[i+1].UnixMilli()
		for at < len(points) && points[at].TS < from {
			at++
		}
		end := at
		for end < len(points) && points[end].TS < to {
			end++
		}
		out = append(out, average(hours.means(points[at:end], from, to), bounds[i+1].Sub(bounds[i])))
		at = end
	}
	return out
}

const hour = int64(time.Hour / time.Millisecond)

// hourly is room for the hours of one interval after another.
type hourly struct{ sums, counts []float64 }

// means are the means of the hours of [from, to), in °F; NaN for an hour without a
// sample. They are good until the next call.
func (h *hourly) means(points []Point, from, to int64) []float64 {
	n := int((to - from + hour - 1) / hour)
	h.sums, h.counts = zeros(h.sums, n), zeros(h.counts, n)
	for _, p := range points {
		at := (p.TS - from) / hour
		h.sums[at] += energy.FahrenheitOf(p.Value)
		h.counts[at]++
	}
	for i := range h.sums {
		h.sums[i] /= h.counts[i] // 0/0 is NaN
	}
	return h.sums
}

// zeros are n of them, in the place of x where it has room.
func zeros(x []float64, n int) []float64 {
	x = slices.Grow(x[:0], n)[:n]
	clear(x)
	return x
}

func average(hours []float64, length time.Duration) Temperature {
	mean, known := meanOf(hours)
	t := Temperature{MeanF: mean, Coverage: known}
	if length <= 25*time.Hour {
		if known <= minDayHours {
			t.MeanF = math.NaN()
		}
		return t
	}
	if known < minPeriodHours {
		t.MeanF = math.NaN()
		return t
	}
	for d := 0; d < len(hours); d += 24 {
		day := hours[d:min(d+24, len(hours))]
		if m, k := meanOf(day); k*float64(len(day)) > minDayHours*24 {
			t.DaysF = append(t.DaysF, m)
		}
	}
	return t
}

// meanOf is the mean of the numbers that are known, and their share.
func meanOf(x []float64) (mean, known float64) {
	var n float64
	for _, v := range x {
		if !math.IsNaN(v) {
			mean += v
			n++
		}
	}
	return mean / n, n / float64(len(x))
}
