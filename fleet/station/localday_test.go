package station

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func date(y int, m time.Month, d int) int64 {
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

func TestCalendarAtChangesOfTheClock(t *testing.T) {
	tests := []struct {
		name  string
		zone  string
		day   int64
		start string
		hours float64
	}{
		{"an ordinary day", "Europe/Berlin", date(2026, 3, 28), "2026-03-27T23:00:00Z", 24},
		{"the clock goes forward", "Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00Z", 23},
		{"the clock goes back", "Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00:00Z", 25},
		{"half an hour", "Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30:00Z", 23.5},
		{"quarters of an hour off", "Asia/Kathmandu", date(2026, 5, 1), "2026-04-30T18:15:00Z", 24},
		{"midnight is skipped", "America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00Z", 23},
		{"midnight comes twice", "America/Sao_Paulo", date(2018, 2, 17), "2018-02-17T02:00:00Z", 25},
		{"the other side of the date line", "Pacific/Kiritimati", date(2026, 1, 1), "2025-12-31T10:00:00Z", 24},
		{"before 1970", "UTC", -1, "1969-12-31T00:00:00Z", 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := CalendarOf(zone(t, tt.zone)).Window(tt.day)
			if got := time.UnixMilli(w.From).UTC().Format(time.RFC3339); got != tt.start {
				t.Errorf("starts at %s, want %s", got, tt.start)
			}
			if got := w.Seconds() / 3600; got != tt.hours {
				t.Errorf("lasts %v h, want %v", got, tt.hours)
			}
		})
	}
}

// Days lie side by side, and every instant is in the one it is said to be in.
func TestCalendarHasNoGaps(t *testing.T) {
	names := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati"}
	rapid.Check(t, func(t *rapid.T) {
		c := CalendarOf(zone(t, rapid.SampledFrom(names).Draw(t, "zone")))
		ts := rapid.Int64Range(date(1990, 1, 1)*86400_000, date(2035, 1, 1)*86400_000).Draw(t, "ts")
		day := c.DayOf(ts)
		if w := c.Window(day); !w.contains(ts) {
			t.Fatalf("%d is not in day %d, %v", ts, day, w)
		}
		if last := c.LastComplete(ts); c.Window(last).To > ts {
			t.Fatalf("day %d has not ended at %d", last, ts)
		}
	})
}

// The hours of a window, by counting its minutes.
func TestHoursOfWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"}).Draw(t, "zone"))
		from := date(2026, 3, 20)*86400_000 + 60_000*rapid.Int64Range(0, 300*1440).Draw(t, "from")
		w := Window{from, from + 60_000*rapid.Int64Range(0, 20*1440).Draw(t, "minutes")}
		var want [24]int
		for ts := w.From; ts < w.To; ts += 60_000 {
			want[time.UnixMilli(ts).In(z).Hour()]++
		}
		for h, got := range hoursOf(w, z) {
			if d := got*60 - float64(want[h]); d > 1e-6 || d < -1e-6 {
				t.Fatalf("hour %d: got %v min, want %d", h, got*60, want[h])
			}
		}
	})
}
