package daycount

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The worked examples of deltaquants.com/day-count-conventions.
func TestPublishedYears(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     map[string]float64
	}{
		{"2007-12-28", "2008-02-28", map[string]float64{
			"act/act": 4./365 + 58./366, "act/365F": 62. / 365, "act/360": 62. / 360, "NL/365": 62. / 365,
			"30/360": 60. / 360, "30E/360": 60. / 360, "30E+/360": 60. / 360, "german": 60. / 360, "30/360 US": 60. / 360,
		}},
		{"2007-12-28", "2008-02-29", map[string]float64{
			"act/act": 4./365 + 59./366, "act/365F": 63. / 365, "act/360": 63. / 360, "NL/365": 62. / 365,
			"30/360": 61. / 360, "30E/360": 61. / 360, "30E+/360": 61. / 360, "german": 62. / 360, "30/360 US": 61. / 360,
		}},
		{"2007-10-31", "2008-11-30", map[string]float64{
			"act/act": 62./365 + 334./366, "act/365F": 396. / 365, "act/360": 396. / 360, "NL/365": 395. / 365,
			"30/360": 390. / 360, "30E/360": 390. / 360, "30E+/360": 390. / 360, "german": 390. / 360, "30/360 US": 390. / 360,
		}},
		{"2008-02-01", "2009-05-31", map[string]float64{
			"act/act": 335./366 + 150./365, "act/365F": 485. / 365, "act/360": 485. / 360, "NL/365": 484. / 365,
			"30/360": 480. / 360, "30E/360": 479. / 360, "30E+/360": 480. / 360, "german": 479. / 360, "30/360 US": 480. / 360,
		}},
	} {
		for name, want := range c.want {
			convention, err := ParseConvention(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := convention.Years(date(t, c.from), date(t, c.to)); math.Abs(got-want) > 1e-15 {
				t.Errorf("%s, %s to %s: got %v, want %v", name, c.from, c.to, got, want)
			}
		}
	}
}

// From the manual of XLeratorDB's DAYS360.
func TestPublishedDays(t *testing.T) {
	for _, c := range []struct {
		from, to    string
		us, e, real int
	}{
		{"2007-09-30", "2008-03-31", 180, 180, 183},
		{"2007-01-15", "2007-01-31", 16, 15, 16},
		{"2007-01-31", "2007-02-28", 28, 28, 28},
		{"2007-02-28", "2007-03-31", 30, 32, 31},
		{"2006-08-31", "2007-02-28", 178, 178, 181},
		{"2007-02-26", "2008-02-29", 363, 363, 368},
		{"2008-02-29", "2009-02-28", 360, 359, 365},
		{"2007-02-28", "2007-03-05", 5, 7, 5},
		{"2008-08-31", "2009-02-28", 178, 178, 181},
		{"2009-02-28", "2009-08-31", 180, 182, 184},
	} {
		from, to := date(t, c.from), date(t, c.to)
		for convention, want := range map[Convention]int{ThirtyU360: c.us, ThirtyE360: c.e, Actual365F: c.real} {
			if got := convention.Days(from, to); got != want {
				t.Errorf("%v, %s to %s: got %d, want %d", convention, c.from, c.to, got, want)
			}
		}
	}
}

func TestConventionsHaveNames(t *testing.T) {
	for c := range conventionsBehind {
		if got, err := ParseConvention(c.String()); err != nil || got != c {
			t.Errorf("%v: read back as %v %v", c, got, err)
		}
	}
	if _, err := ParseConvention("lunar"); err == nil {
		t.Error("lunar is no convention")
	}
}

func TestDates(t *testing.T) {
	if got := date(t, "1969-12-31"); got != -1 {
		t.Errorf("got %d, want -1", got)
	}
	if got := date(t, "2026-01-31").AddMonths(1).String(); got != "2026-02-28" {
		t.Errorf("got %s, want 2026-02-28", got)
	}
	if got := date(t, "2026-03-31").AddMonths(-1).String(); got != "2026-02-28" {
		t.Errorf("got %s, want 2026-02-28", got)
	}
	for _, bad := range []string{"", "2026-02-30", "2026-2-1", "31/01/2026"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Date(rapid.Int32Range(-700_000, 2_900_000).Draw(t, "day"))
		if y, m, day := d.Civil(); Of(y, m, day) != d {
			t.Fatalf("%d is %d-%d-%d and back %d", d, y, m, day, Of(y, m, day))
		}
	})
}

// The count of leap days, by going through the days one by one.
func TestLeapDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := Date(rapid.Int32Range(0, 40_000).Draw(t, "from"))
		to := from + Date(rapid.Int32Range(0, 2000).Draw(t, "days"))
		want := 0
		for d := from + 1; d <= to; d++ {
			if _, m, day := d.Civil(); m == time.February && day == 29 {
				want++
			}
		}
		if got := leapDays(from, to); got != want {
			t.Fatalf("%v to %v: got %d, want %d", from, to, got, want)
		}
		common, leap := split(from, to)
		if common+leap != int(to-from) {
			t.Fatalf("%v to %v: %d + %d days", from, to, common, leap)
		}
	})
}

func TestDaysStartAtTheirFirstInstant(t *testing.T) {
	for _, c := range []struct{ zone, day, want string }{
		{"UTC", "2026-03-01", "2026-03-01T00:00:00Z"},
		{"Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00"},
		{"Europe/Berlin", "2026-03-30", "2026-03-30T00:00:00+02:00"},
		{"Asia/Kathmandu", "2026-04-01", "2026-04-01T00:00:00+05:45"},
		{"America/Asuncion", "2023-10-01", "2023-10-01T01:00:00-03:00"},  // there was no midnight
		{"America/Havana", "2025-11-02", "2025-11-02T00:00:00-04:00"},    // there were two
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T00:00:00-03:00"}, // 24:00 was 23:00
	} {
		l, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Skipf("no time zones here: %v", err)
		}
		if got := date(t, c.day).Start(l).Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s: got %s, want %s", c.day, c.zone, got, c.want)
		}
	}
}
