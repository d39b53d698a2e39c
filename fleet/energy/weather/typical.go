package weather

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// Version names the rules of this package in results.
const Version = "weather/1"

// Chosen is the year that a month of a typical year is taken from.
type Chosen struct {
	Month time.Month `json:"month"`
	Year  int        `json:"year"`
	Years int        `json:"years"`    // that it was chosen from
	FS    float64    `json:"distance"` // Finkelstein–Schafer statistic, 0…1
}

// minMonth is the share of the hours of a month that must be known for it to be
// a candidate.
const minMonth = 0.9

// Typical puts together a year of the months that were most like the usual one:
// of each calendar month that one whose distribution of daily means is closest to
// that of all years, by the Finkelstein–Schafer statistic
//
//	FS = Σ |F_year(x) − F_all(x)| / n
//
// over the days of the month (Hall et al. 1978, Generation of a typical
// meteorological year, SAND-78-1096, with the temperature alone). The result is
// moved into the year given. Samples ascend and are in °C. The error wraps
// energy.ErrInsufficientData where a month has no candidate.
func Typical(points []prepare.Point, loc *time.Location, year int) ([]prepare.Point, []Chosen, error) {
	byMonth := map[time.Month]map[int]*month{}
	clock := prepare.NewClock(loc)
	var c *month
	for _, p := range points {
		at := time.UnixMilli(clock.Wall(p.TS)).UTC()
		y, m, day := at.Date()
		if c == nil || c.year != y || c.name != m {
			if byMonth[m] == nil {
				byMonth[m] = map[int]*month{}
			}
			if c = byMonth[m][y]; c == nil {
				c = &month{year: y, name: m, points: make([]prepare.Point, 0, mostHours)}
				byMonth[m][y] = c
			}
		}
		c.add(p, day, at.Hour())
	}
	out := make([]prepare.Point, 0, 12*mostHours)
	chosen := make([]Chosen, 0, 12)
	for m := time.January; m <= time.December; m++ {
		c, ok := pick(byMonth[m], m, loc)
		if !ok {
			return nil, nil, energy.Lacking(Version, "month_without_weather", "no year has enough hours of "+m.String())
		}
		chosen = append(chosen, c)
		out = byMonth[m][c.Year].moved(out, clock, year, loc)
	}
	return prepare.Ascending(out), chosen, nil
}

// mostHours are those of the longest month.
const mostHours = 31 * 24

// month is one calendar month of one year. Days count from 1.
type month struct {
	year   int
	name   time.Month
	points []prepare.Point
	known  int // hours with a sample
	hours  [32 * 24]bool
	sum, n [32]float64 // by day
}

func (m *month) add(p prepare.Point, day, hour int) {
	m.points = append(m.points, p)
	if h := &m.hours[day*24+hour]; !*h {
		*h = true
		m.known++
	}
	m.sum[day] += p.Value
	m.n[day]++
}

// moved appends the samples at the same times of the clock in another year.
func (m *month) moved(to []prepare.Point, clock *prepare.Clock, year int, loc *time.Location) []prepare.Point {
	today, even := 0, false
	var midnight time.Time
	for _, p := range m.points {
		at := time.UnixMilli(clock.Wall(p.TS)).UTC()
		if day := at.Day(); day != today {
			today, midnight = day, time.Date(year, m.name, day, 0, 0, 0, 0, loc)
			even = time.Date(year, m.name, day+1, 0, 0, 0, 0, loc).Sub(midnight) == 24*time.Hour
		}
		moved := midnight.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second)
		if !even { // the clock is changed
			moved = time.Date(year, m.name, today, at.Hour(), at.Minute(), at.Second(), 0, loc)
		}
		if moved.Month() == m.name { // 29 February of a leap year has no place in others
			to = append(to, prepare.Point{TS: moved.UnixMilli(), Value: p.Value})
		}
	}
	return to
}

// days are the daily means, sorted.
func (m *month) days() []float64 {
	out := make([]float64, 0, len(m.n))
	for d, n := range m.n {
		if n > 0 {
			out = append(out, m.sum[d]/n)
		}
	}
	slices.Sort(out)
	return out
}

// pick is the candidate of the smallest distance; the earlier year wins a tie.
func pick(years map[int]*month, m time.Month, loc *time.Location) (Chosen, bool) {
	var all []float64
	var candidates []int
	for y, c := range years {
		length := time.Date(y, m+1, 1, 0, 0, 0, 0, loc).Sub(time.Date(y, m, 1, 0, 0, 0, 0, loc)).Hours()
		if float64(c.known) >= minMonth*length {
			candidates = append(candidates, y)
			all = append(all, c.days()...)
		}
	}
	slices.Sort(candidates)
	slices.Sort(all)
	best := Chosen{Month: m, FS: math.Inf(1), Years: len(candidates)}
	for _, y := range candidates {
		days := years[y].days()
		var fs float64
		for i, x := range days {
			own := (float64(i) + 0.5) / float64(len(days))
			fs += math.Abs(own-rank(all, x)) / float64(len(days))
		}
		if fs < best.FS {
			best.Year, best.FS = y, fs
		}
	}
	return best, len(candidates) > 0
}

// rank is the share of sorted numbers below x, counting those at x half.
func rank(sorted []float64, x float64) float64 {
	below := sort.SearchFloat64s(sorted, x)
	upTo := sort.Search(len(sorted), func(i int) bool { return sorted[i] > x })
	return (float64(below) + float64(upTo)) / 2 / float64(len(sorted))
}
