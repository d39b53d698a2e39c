package prepare

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones differ by halves and quarters of an hour, and change the clock at midnight.
func zones() *rapid.Generator[*time.Location] {
	return rapid.Custom(func(t *rapid.T) *time.Location {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"}).Draw(t, "zone")
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	})
}

// A clock shows what time.Time does, in whatever order it is asked.
func TestClockShowsLocalTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := zones().Draw(t, "loc")
		clock := NewClock(loc)
		for _, ts := range rapid.SliceOfN(rapid.Int64Range(-1e12, 4e12), 1, 30).Draw(t, "ts") {
			const layout = "2006-01-02 15:04:05.000"
			got, want := time.UnixMilli(clock.Wall(ts)).UTC().Format(layout), time.UnixMilli(ts).In(loc).Format(layout)
			if got != want {
				t.Fatalf("%d: got %s, want %s", ts, got, want)
			}
		}
	})
}

// A calendar turns when the date does, also where the clock skips or repeats
// midnight.
func TestCalendarTurnsWithTheDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := zones().Draw(t, "loc")
		at := time.UnixMilli(rapid.Int64Range(0, 2e12).Draw(t, "from")).In(loc)
		step := time.Duration(rapid.Int64Range(1, 30*60).Draw(t, "minutes")) * time.Minute
		var c Calendar
		last := ""
		for range 3000 {
			date := at.Format(time.DateOnly)
			if got := c.Turns(at); got != (date != last) || c.Day.Format(time.DateOnly) != date {
				t.Fatalf("%s after %s: got %v, %s", at, last, got, c.Day)
			}
			last, at = date, at.Add(step)
		}
	})
}

// Every hour of 17 years is of its date, in zones that change the clock in any way:
// at midnight, to midnight, by half an hour, and by a day.
func TestCalendarOfManyZones(t *testing.T) {
	for _, name := range []string{
		"Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Bogota", "America/Caracas", "America/Havana", "America/Los_Angeles",
		"America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Asia/Amman", "Asia/Beirut",
		"Asia/Damascus", "Asia/Gaza", "Asia/Hebron", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran",
		"Asia/Ulaanbaatar", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Istanbul", "Europe/London",
		"Europe/Volgograd", "Pacific/Apia", "Pacific/Fiji", "UTC",
	} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		var c Calendar
		var last time.Time
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, loc)
		for at := time.Date(2010, 1, 1, 0, 0, 0, 0, loc); at.Before(end); at = at.Add(time.Hour) {
			y, m, d := at.Date()
			date := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
			if turned := c.Turns(at); turned == date.Equal(last) || !c.Day.Equal(date) {
				t.Errorf("%s: got %v, %s", at, turned, c.Day.Format(time.DateOnly))
				break
			}
			last = date
		}
	}
}

func TestInstant(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2024, 7, 1, 10, 30, 0, 0, time.UTC).UnixMilli()
	for _, text := range []string{
		"2024-07-01T10:30:00Z", "2024-07-01T12:30:00+02:00", "2024-07-01 12:30:00+02:00", "2024-07-01 12:30:00", "2024-07-01 12:30",
		"2024-07-01T12:30:00", "2024-07-01T12:30", "1719829800000",
	} {
		if got, err := Instant(text, berlin); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2024", "01.07.2024 12:30", "2024-13-01 00:00"} {
		if got, err := Instant(text, berlin); err == nil {
			t.Errorf("%s: got %d, want an error", text, got)
		}
	}
}

func TestAscending(t *testing.T) {
	got := Ascending([]Point{{3, 1}, {1, 2}, {3, 4}, {2, 5}, {1, 6}})
	if want := []Point{{1, 6}, {2, 5}, {3, 4}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
