// Package daycount owns days of the calendar and the conventions by which the
// time between two of them is a number of years. It knows no clock and no time
// zone: which day an instant belongs to is its callers' business.
package daycount

import (
	"fmt"
	"time"
)

const (
	layout    = "2006-01-02"
	secondsOf = 24 * 60 * 60
)

// Date is a day of the proleptic Gregorian calendar: the days since 1970-01-01.
type Date int32

// Of is the day of a year, a month and a day of the month, which are normalised
// as time.Date does: the 32nd of January is the 1st of February.
func Of(year int, month time.Month, day int) Date {
	return Date(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), secondsOf))
}

// On is the day that t shows on its own location's calendar.
func On(t time.Time) Date {
	y, m, d := t.Date()
	return Of(y, m, d)
}

// Parse reads "2026-03-31".
func Parse(s string) (Date, error) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return 0, fmt.Errorf("not a date: %q", s)
	}
	return On(t), nil
}

// Start is the first instant of the day at a location: midnight, or what follows
// it where the clocks are put forward then.
func (d Date) Start(l *time.Location) time.Time {
	midnight := d.utc()
	var first time.Time
	for _, near := range []time.Duration{36 * time.Hour, -36 * time.Hour} { // before and behind any change of the clocks
		_, offset := midnight.Add(near).In(l).Zone()
		t := midnight.Add(-time.Duration(offset) * time.Second).In(l)
		if first.IsZero() || On(t) == d && (t.Before(first) || On(first) != d) {
			first = t
		}
	}
	return first
}

// Civil returns the year, the month and the day of the month.
func (d Date) Civil() (year int, month time.Month, day int) { return d.utc().Date() }

// AddMonths is the same day so many months later, or the last of that month
// where it has no such day: one month after 01-31 is 02-28.
func (d Date) AddMonths(n int) Date {
	y, m, day := d.Civil()
	last := Of(y, m+time.Month(n)+1, 0)
	return min(Of(y, m+time.Month(n), 1)+Date(day)-1, last)
}

func (d Date) utc() time.Time { return time.Unix(int64(d)*secondsOf, 0).UTC() }

// String is "2026-03-31".
func (d Date) String() string { return d.utc().Format(layout) }

// MarshalText writes String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what Parse reads.
func (d *Date) UnmarshalText(b []byte) (err error) {
	*d, err = Parse(string(b))
	return err
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
