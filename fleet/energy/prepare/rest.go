package prepare

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Rest is when a building rests: the days of the week that it does so, and the
// working days that it spent as one of them, holidays for the most part.
type Rest struct {
	Quietest time.Weekday `json:"quietest_day"`
	Days     []string     `json:"days"` // local dates, 2006-01-02, ascending
}

// The limits of Rest. A day of rest uses at least this much less than a working
// day; a working day is spent at rest where it comes this far down to those around
// it, and lies this many deviations below the other working days around it.
const (
	leastRest   = 0.2
	restReach   = 0.6
	restOutlier = 4
	restAround  = 21 // days on either side
	fewestWork  = 10 // working days around
	fewestRest  = 4  // days of rest around
	mostRest    = 0.08
)

// FindRest finds when a building rests, by its use alone, since no meter knows the
// holidays. Every working day is compared with the working days and the days of
// rest of the three weeks before and after it, so that neither the season nor a
// measure shifts what is usual. Where more than one working day in twelve would be
// at rest, or the weekend uses about as much as the week, none is named: nil.
//
// Days of less than 90 % of their hours are passed over, and bills have no days.
func FindRest(rows []energy.Row) *Rest {
	days := useOfDays(rows)
	quietest, working, ok := week(days)
	if !ok {
		return nil
	}
	r := Rest{Quietest: quietest, Days: []string{}}
	work := 0
	for i, d := range days {
		if !working[d.weekday] {
			continue
		}
		work++
		if atRest(days, working, i) {
			r.Days = append(r.Days, d.date)
		}
	}
	if float64(len(r.Days)) > mostRest*float64(work) {
		return nil
	}
	return &r
}

// Quietest is the day of the week on which a building rests most; false where none
// is clearly below the others.
func Quietest(rows []energy.Row) (time.Weekday, bool) {
	day, _, ok := week(useOfDays(rows))
	return day, ok
}

// dayUse is the use of a local day.
type dayUse struct {
	date       string
	number     int // of the day, since 1970
	weekday    time.Weekday
	use, hours float64
}

// useOfDays sums rows to days.
func useOfDays(rows []energy.Row) []dayUse {
	out := make([]dayUse, 0, len(rows)/20)
	var c Calendar
	for i := range rows {
		r := &rows[i]
		if r.Days() > 1.5 {
			return nil
		}
		if c.Turns(r.Start) {
			out = append(out, dayUse{date: r.Start.Format(time.DateOnly), number: int(c.Day.Unix() / 86400), weekday: r.Start.Weekday()})
		}
		if !math.IsNaN(r.Use) {
			day := &out[len(out)-1]
			day.use, day.hours = day.use+r.Use, day.hours+24*r.Days()
		}
	}
	return slices.DeleteFunc(out, func(d dayUse) bool { return d.hours < 0.9*24 })
}

// week tells the working days of the week from those of rest, by the median of
// each.
func week(days []dayUse) (quietest time.Weekday, working [7]bool, ok bool) {
	var uses [7][]float64
	for _, d := range days {
		uses[d.weekday] = append(uses[d.weekday], d.use)
	}
	var medians [7]float64
	for w, u := range uses {
		if len(u) < fewestRest {
			return 0, working, false
		}
		medians[w] = median(u)
	}
	low, high := slices.Min(medians[:]), slices.Max(medians[:])
	for w, m := range medians {
		working[w] = m > (low+high)/2
	}
	return time.Weekday(slices.Index(medians[:], low)), working, low < (1-leastRest)*high
}

// atRest reports whether a working day was spent at rest.
func atRest(days []dayUse, working [7]bool, i int) bool {
	var room [2][2*restAround + 1]float64
	work, rest := room[0][:0], room[1][:0]
	for k := i; k >= 0 && days[i].number-days[k].number <= restAround; k-- {
		work, rest = sortIn(days[k], working, k != i, work, rest)
	}
	for k := i + 1; k < len(days) && days[k].number-days[i].number <= restAround; k++ {
		work, rest = sortIn(days[k], working, true, work, rest)
	}
	if len(work) < fewestWork || len(rest) < fewestRest {
		return false
	}
	usual, quiet := median(work), median(rest)
	for k, u := range work {
		work[k] = math.Abs(u - usual)
	}
	spread := madScale * median(work)
	return quiet < (1-leastRest)*usual && days[i].use < usual-restReach*(usual-quiet) && days[i].use < usual-restOutlier*spread
}

// madScale makes the median absolute deviation of normal numbers their standard
// deviation.
const madScale = 1.4826

func sortIn(d dayUse, working [7]bool, other bool, work, rest []float64) (w, r []float64) {
	switch {
	case !working[d.weekday]:
		return work, append(rest, d.use)
	case other:
		return append(work, d.use), rest
	}
	return work, rest
}

// median changes the order of numbers.
func median(x []float64) float64 {
	return energy.QuantileOf(x, 0.5)
}

// Mark copies rows with the days at rest going by the quietest day of the week.
func (r *Rest) Mark(rows []energy.Row) []energy.Row {
	if r == nil || len(r.Days) == 0 {
		return rows
	}
	out := slices.Clone(rows)
	as, found := r.Quietest, false
	var c Calendar
	for i := range out {
		if c.Turns(out[i].Start) {
			_, found = slices.BinarySearch(r.Days, out[i].Start.Format(time.DateOnly))
		}
		if found {
			out[i].RestsAs = &as
		}
	}
	return out
}
