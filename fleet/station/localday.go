package station

import (
	"sort"
	"time"
)

const dateMS = int64(86400_000)

// Calendar cuts time into the days of a time zone, which last 23 to 25 hours
// where its clock changes. Days are numbered by their date: 0 is 1970-01-01.
type Calendar struct{ zone *time.Location }

// CalendarOf is that of a zone.
func CalendarOf(zone *time.Location) Calendar { return Calendar{zone} }

// Zone is the time zone.
func (c Calendar) Zone() *time.Location { return c.zone }

// date is the number of the date that the clock shows at ts.
func (c Calendar) date(ts int64) int64 {
	y, m, d := time.UnixMilli(ts).In(c.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).UnixMilli() / dateMS
}

// Start is the first instant of the day, Unix milliseconds. Where the clock skips
// midnight it is the first instant after; where it shows midnight twice, one of
// the two, always the same.
func (c Calendar) Start(day int64) int64 {
	const reach = 30 * 3600_000 // zones are at most 15 hours off
	from := day*dateMS - reach
	quarters := sort.Search(2*reach/60_000, func(k int) bool { return c.date(from+int64(k)*60_000) >= day })
	return from + int64(quarters)*60_000 // no zone of this age changes but at a whole minute
}

// Window is the day.
func (c Calendar) Window(day int64) Window { return Window{c.Start(day), c.Start(day + 1)} }

// DayOf is the day that ts lies in.
func (c Calendar) DayOf(ts int64) int64 {
	day := c.date(ts)
	switch {
	case ts < c.Start(day):
		return day - 1
	case ts >= c.Start(day+1):
		return day + 1
	}
	return day
}

// LastComplete is the last day that has ended at ts.
func (c Calendar) LastComplete(ts int64) int64 { return c.DayOf(ts) - 1 }

// Hour is the hour of the day, 0…23, that the clock shows at ts.
func (c Calendar) Hour(ts int64) int { return time.UnixMilli(ts).In(c.zone).Hour() }
