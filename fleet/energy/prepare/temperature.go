package prepare

import (
	"math"
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
	var out []Temperature
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
		out = append(out, average(hourMeans(points[at:end], from, to), bounds[i+1].Sub(bounds[i])))
		at = end
	}
	return out
}

const hour = int64(time.Hour / time.Millisecond)

// hourMeans are the means of the hours of [from, to), in °F; NaN for an hour
// without a sample.
func hourMeans(points []Point, from, to int64) []float64 {
	n := int((to - from + hour - 1) / hour)
	means, counts := make([]float64, n), make([]int, n)
	for _, p := range points {
		h := (p.TS - from) / hour
		means[h] += energy.FahrenheitOf(p.Value)
		counts[h]++
	}
	for h := range means {
		means[h] /= float64(counts[h]) // 0/0 is NaN
	}
	return means
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

// DegreeDays are the heating and cooling degree days of a day at a balance
// point, max(b−T, 0) and max(T−b, 0), in the unit of the temperature.
func DegreeDays(mean, balance float64) (heating, cooling float64) {
	return max(balance-mean, 0), max(mean-balance, 0)
}
