package chart

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// mostSteps bounds the ticks where numbers are too close for their size.
const mostSteps = 20

// linear is an axis over numbers, of about n ticks at multiples of 1, 2 or 5
// times a power of ten. It holds low and high.
func linear(low, high float64, n int) span {
	if low == high {
		half := math.Max(math.Abs(low)/10, 0.5)
		low, high = low-half, high+half
	}
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5, 10} {
		if step*f >= raw {
			step *= f
			break
		}
	}
	first, last := math.Floor(low/step), math.Ceil(high/step)
	s := span{from: first * step, to: last * step}
	for k := range int(min(last-first, mostSteps)) + 1 {
		s.ticks = append(s.ticks, (first+float64(k))*step+0)
	}
	return s
}

// step is the distance between two ticks.
func (s span) step() float64 {
	if len(s.ticks) < 2 {
		return 1
	}
	return s.ticks[1] - s.ticks[0]
}

// mostTicks is how many dates an axis has room for.
const mostTicks = 5

// calendar is an axis over time, in Unix seconds: ticks at the first of months
// or years in the zone, or at midnights where it is short.
func calendar(low, high float64, zone *time.Location) span {
	if low == high {
		low, high = low-43200, high+43200
	}
	from, to := time.Unix(int64(math.Floor(low)), 0).In(zone), time.Unix(int64(math.Ceil(high)), 0).In(zone)
	s := span{from: low, to: high}
	for _, by := range []struct{ months, days int }{{0, 1}, {0, 7}, {0, 14}, {1, 0}, {2, 0}, {3, 0}, {6, 0}, {12, 0}, {24, 0}, {60, 0}, {120, 0}} {
		s.ticks = s.ticks[:0]
		for t := floor(from, by.months); !t.After(to) && len(s.ticks) <= mostTicks; t = t.AddDate(0, by.months, by.days) {
			if !t.Before(from) {
				s.ticks = append(s.ticks, float64(t.Unix()))
			}
		}
		if len(s.ticks) <= mostTicks {
			break
		}
	}
	return s
}

// floor is the first tick at or before t.
func floor(t time.Time, months int) time.Time {
	y, m, d := t.Date()
	if months == 0 {
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	}
	k := y*12 + int(m) - 1
	k -= k % months
	return time.Date(k/12, time.Month(k%12+1), 1, 0, 0, 0, 0, t.Location())
}

// date names a tick, no finer than the ticks are apart.
func (d *drawing) date(x float64, zone *time.Location) string {
	t := time.Unix(int64(x), 0).In(zone)
	switch days := d.x.step() / 86400; {
	case days < 28:
		return t.Format("2 Jan")
	case days < 360:
		return t.Format("Jan 2006")
	}
	return t.Format("2006")
}

// mostDecimals is how many a tick has room for; finer ones, and those above
// largest, are written with an exponent.
const (
	mostDecimals = 5
	largest      = 1e9
)

// number writes a tick with as many decimals as its step needs.
func number(x, step float64) string {
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if decimals > mostDecimals || math.Abs(x) > largest {
		return strings.ReplaceAll(strconv.FormatFloat(x, 'g', 4, 64), "-", "−")
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	whole, part, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	if x < 0 {
		return "−" + whole
	}
	return whole
}
