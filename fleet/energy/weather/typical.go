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
	for _, p := range points {
		at := time.UnixMilli(p.TS).In(loc)
		years := byMonth[at.Month()]
		if years == nil {
			years = map[int]*month{}
			byMonth[at.Month()] = years
		}
		if years[at.Year()] == nil {
			years[at.Year()] = &month{hours: map[int]bool{}, sum: map[int]float64{}, n: map[int]float64{}}
		}
		years[at.Year()].add(at, p)
	}
	var out []prepare.Point
	var chosen []Chosen
	for m := time.January; m <= time.December; m++ {
		c, ok := pick(byMonth[m], m, loc)
		if !ok {
			return nil, nil, energy.Lacking(Version, "month_without_weather", "no year has enough hours of "+m.String())
		}
		chosen = append(chosen, c)
		for _, p := range byMonth[m][c.Year].points {
			at := time.UnixMilli(p.TS).In(loc)
			moved := time.Date(year, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, loc)
			if moved.Month() == m { // 29 February of a leap year has no place in others
				out = append(out, prepare.Point{TS: moved.UnixMilli(), Value: p.Value})
			}
		}
	}
	return ascending(out), chosen, nil
}

// month is one calendar month of one year.
type month struct {
	points []prepare.Point
	hours  map[int]bool
	sum, n map[int]float64 // by day
}

func (m *month) add(at time.Time, p prepare.Point) {
	m.points = append(m.points, p)
	m.hours[at.Day()*24+at.Hour()] = true
	m.sum[at.Day()] += p.Value
	m.n[at.Day()]++
}

// days are the daily means, sorted.
func (m *month) days() []float64 {
	var out []float64
	for d, s := range m.sum {
		out = append(out, s/m.n[d])
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
		if float64(len(c.hours)) >= minMonth*length {
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
