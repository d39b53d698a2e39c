package main

import (
	"strings"
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   string
		want time.Time // zero: an error
	}{
		{"RFC 3339", "2026-01-31T12:00:00+01:00", time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)},
		{"a fraction", "2026-01-31T12:00:00.25Z", time.Date(2026, 1, 31, 12, 0, 0, 25e7, time.UTC)},
		{"a date", "2026-01-31", time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
		{"hours ago", "36h", now.Add(-36 * time.Hour)},
		{"days ago", "7d", now.AddDate(0, 0, -7)},
		{"now", "0s", now},
		{"ahead", "-1h", time.Time{}},
		{"half a day", "0.5d", time.Time{}},
		{"too many days", "70000d", time.Time{}},
		{"a word", "yesterday", time.Time{}},
		{"nothing", "", time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseMoment(tt.in, now)
			if (err != nil) != tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// A terminal takes nothing that is shown for a command.
func TestShown(t *testing.T) {
	tests := []struct{ name, in, line, text string }{
		{"plain", `b-1 "Ω" \n`, `b-1 "Ω" \n`, `b-1 "Ω" \n`},
		{"lines", "a\n\tb\r", `a\n\tb\r`, "a\n\tb\\r"},
		{"escape sequence", "\x1b[2J\u009b1m", `\x1b[2J\u009b1m`, `\x1b[2J\u009b1m`},
		{"right to left", "a\u202eb", `a\u202eb`, `a\u202eb`},
		{"zero", "a\x00b", `a\x00b`, `a\x00b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shown(tt.in); got != tt.line {
				t.Errorf("in a line: got %q, want %q", got, tt.line)
			}
			if got := printable([]byte(tt.in), true); got != tt.text {
				t.Errorf("as text: got %q, want %q", got, tt.text)
			}
		})
	}
	if got := shown("\xff\x1b"); got != `\xff\x1b` {
		t.Errorf("no UTF-8: got %q", got)
	}
	if got := printable([]byte("\xff\x1b"), false); strings.Contains(got, "\x1b") || !strings.Contains(got, "ff 1b") {
		t.Errorf("bytes: got %q", got)
	}
}
