package prepare

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Instant reads a time of a table, in Unix milliseconds: RFC 3339, Unix
// milliseconds, or local without an offset, as 2006-01-02 15:04.
func Instant(text string, local *time.Location) (int64, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) >= 12 {
		return ms, nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05-07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04",
	} {
		if t, err := time.ParseInLocation(layout, text, local); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time", text)
}

// Ascending sorts samples by time, in place, and keeps the last of each.
func Ascending(points []Point) []Point {
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.TS, b.TS) })
	out := points[:0]
	for _, p := range points {
		if n := len(out); n > 0 && out[n-1].TS == p.TS {
			out[n-1] = p
			continue
		}
		out = append(out, p)
	}
	return out
}
