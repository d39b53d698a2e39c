package api

import (
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// timeLayout is how every instant leaves the API: RFC 3339, UTC, milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is an instant in Unix milliseconds that is written as RFC 3339 in UTC.
type Time int64

// timeOf is the instant t, cut to the millisecond.
func timeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// timePtr is the instant t, or nil for the zero time or nil.
func timePtr(t *time.Time) *Time {
	if t == nil || t.IsZero() {
		return nil
	}
	ms := timeOf(*t)
	return &ms
}

// since1970 is the instant ms, or nil for 0.
func since1970(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	t := Time(ms)
	return &t
}

func (t Time) String() string { return time.UnixMilli(int64(t)).UTC().Format(timeLayout) }

// MarshalJSON writes the instant as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.append(make([]byte, 0, 32)), nil
}

// UnmarshalJSON reads an RFC 3339 instant in any zone.
func (t *Time) UnmarshalJSON(b []byte) error {
	parsed, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return fmt.Errorf("time: %w", err)
	}
	*t = timeOf(parsed)
	return nil
}

// Schema describes a Time in the OpenAPI document.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "RFC 3339, UTC, milliseconds"}
}

// date is the UTC day of the instant.
func (t Time) date() string { return time.UnixMilli(int64(t)).UTC().Format(time.DateOnly) }
