package prepare

import (
	"math"
	"time"
)

// Clock is the clock on the wall of a zone. It remembers how far that is from UTC
// until the next change, so that it takes little to read it again and again.
type Clock struct {
	loc      *time.Location
	from, to int64 // Unix ms between which offset holds
	offset   int64 // ms
}

// NewClock is the clock of a zone.
func NewClock(loc *time.Location) *Clock { return &Clock{loc: loc} }

// Wall is what the clock shows at an instant in Unix milliseconds: the Unix
// milliseconds at which a clock in UTC shows the same.
func (c *Clock) Wall(ts int64) int64 {
	if ts < c.from || ts >= c.to {
		at := time.UnixMilli(ts).In(c.loc)
		_, seconds := at.Zone()
		from, to := at.ZoneBounds()
		c.from, c.to, c.offset = math.MinInt64, math.MaxInt64, int64(seconds)*1000
		if !from.IsZero() {
			c.from = from.UnixMilli()
		}
		if !to.IsZero() {
			c.to = to.UnixMilli()
		}
	}
	return ts + c.offset
}

// Calendar turns from one local day to the next. It is asked of instants that
// ascend, of one zone.
type Calendar struct {
	Day  time.Time // the date of the last one, at midnight UTC
	next time.Time // none before it is of another day
}

// Turns reports whether an instant is of another day than the last; the first one
// is.
func (c *Calendar) Turns(at time.Time) bool {
	if at.Before(c.next) {
		return false
	}
	y, m, d := at.Date()
	was := c.Day
	// Where the clock goes back to midnight, the next day begins an hour before the
	// midnight that time.Date may name. Reading a date too early does no harm.
	c.Day, c.next = time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.Date(y, m, d+1, 0, 0, 0, 0, at.Location()).Add(-time.Hour)
	return !c.Day.Equal(was)
}
