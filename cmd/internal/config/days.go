package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// days is a flag of a duration that may be in days.
type days time.Duration

// Set parses as ParseDays does.
func (d *days) Set(s string) error {
	parsed, err := ParseDays(s)
	if err == nil {
		*d = days(parsed)
	}
	return err
}

func (d *days) String() string { return time.Duration(*d).String() }

// Type is that of any duration.
func (d *days) Type() string { return "duration" }

// ParseDays reads a duration that may be in days, 90m, 24h or 7d, and is not
// negative.
func ParseDays(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q: want a duration like 90m, 24h or 7d", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q: want a duration like 90m, 24h or 7d", s)
	}
	return d, nil
}
