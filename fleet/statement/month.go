package statement

import (
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Month is a month of a calendar.
type Month struct {
	Year  int
	Month time.Month
}

// ParseMonth reads "2026-03".
func ParseMonth(s string) (Month, error) {
	t, err := time.Parse("2006-01", s)
	if err != nil {
		return Month{}, fmt.Errorf("not a month: %q", s)
	}
	return Month{t.Year(), t.Month()}, nil
}

// String is "2026-03".
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m.Year, int(m.Month)) }

// MarshalText writes String.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMonth reads.
func (m *Month) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMonth(string(b))
	return err
}

// Bounds is the month [from, to) where its midnights are those of a location, in
// Unix milliseconds. Where clocks are put forward at midnight, a day begins at its
// first instant.
func (m Month) Bounds(l *time.Location) (from, to int64) {
	first, behind := m.days()
	return first.Start(l).UnixMilli(), behind.Start(l).UnixMilli()
}

func (m Month) days() (first, behind daycount.Date) {
	return daycount.Of(m.Year, m.Month, 1), daycount.Of(m.Year, m.Month+1, 1)
}
