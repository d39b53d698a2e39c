package prepare

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zones: %v", err)
	}
	return loc
}

func TestDaysFollowTheClock(t *testing.T) {
	for _, c := range []struct {
		zone, day string
		want      float64
	}{
		{"Europe/Berlin", "2024-03-31", 23},
		{"Europe/Berlin", "2024-10-27", 25},
		{"Europe/Berlin", "2024-06-01", 24},
		{"America/Chicago", "2024-03-10", 23},
		{"Australia/Lord_Howe", "2024-04-07", 24.5}, // its clock moves by half an hour
		{"America/Sao_Paulo", "2018-11-04", 23},     // midnight did not exist
		{"America/Havana", "2024-11-03", 25},        // midnight came twice
		{"Asia/Kolkata", "2024-06-01", 24},
	} {
		loc := zone(t, c.zone)
		day, err := time.ParseInLocation(time.DateOnly, c.day, loc)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, loc)
		bounds := Days(from, from.AddDate(0, 2, 0))
		found := false
		for i := 0; i+1 < len(bounds); i++ {
			if bounds[i].Format(time.DateOnly) != c.day {
				continue
			}
			found = true
			if got := bounds[i+1].Sub(bounds[i]).Hours(); got != c.want {
				t.Errorf("%s %s: got %g hours, want %g", c.zone, c.day, got, c.want)
			}
		}
		if !found {
			t.Errorf("%s: no day begins on %s", c.zone, c.day)
		}
	}
}

func TestRegister(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	bounds := Hours(at, at.Add(4*time.Hour))
	points := func(minutesAndValues ...float64) []Point {
		var out []Point
		for i := 0; i < len(minutesAndValues); i += 2 {
			out = append(out, Point{at.Add(time.Duration(minutesAndValues[i]) * time.Minute).UnixMilli(), minutesAndValues[i+1]})
		}
		return out
	}
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		points []Point
		want   []float64
		resets int
	}{
		{"none", nil, []float64{nan, nan, nan, nan}, 0},
		{"on the hour", points(0, 10, 60, 12, 120, 15, 180, 15, 240, 20), []float64{2, 3, 0, 5}, 0},
		{"between", points(-30, 0, 30, 10, 90, 20, 150, 30, 210, 40, 270, 50), []float64{10, 10, 10, 10}, 0},
		{"a reset", points(0, 10, 60, 20, 120, 3, 180, 5, 240, 9), []float64{10, nan, 2, 4}, 1},
		{"a dip", points(0, 10, 60, 20, 90, 0, 120, 21, 180, 25, 240, 30), []float64{10, nan, 4, 5}, 1}, // half of the hour is not known
		{"a gap too long", points(0, 0, 60, 10, 230, 50, 240, 60), []float64{10, nan, nan, nan}, 0},
		{"most of an hour", points(0, 0, 60, 10, 75, 20, 90, 0, 120, 40), []float64{10, 40, nan, nan}, 1}, // 30 in 45 minutes
	} {
		got := Register(c.points, bounds, 2*time.Hour)
		values, resets := make([]float64, len(got)), 0
		for i, a := range got {
			values[i] = a.Value
			resets += a.Resets
		}
		if diff := cmp.Diff(c.want, values, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if resets != c.resets {
			t.Errorf("%s: got %d resets, want %d", c.name, resets, c.resets)
		}
	}
}

// A counter that counts one an hour for ten days, with one thing wrong.
func TestRegisterLeavesOutWhatNoMeterCounts(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	days := Days(at, at.AddDate(0, 0, 9))
	for _, c := range []struct {
		name             string
		spoil            func(p []Point) // of hour 100, on the fifth day
		want             float64         // on the fifth day
		resets, glitches int
	}{
		{"nothing", func([]Point) {}, 24, 0, 0},
		{"one high reading", func(p []Point) { p[100].Value = 99999 }, 24, 0, 1},
		{"three high readings", func(p []Point) { p[100].Value, p[101].Value, p[102].Value = 99999, 99999, 100001 }, 24, 0, 1},
		{"a little too high", func(p []Point) { p[100].Value += 60 }, 24, 0, 1},
		{"one low reading", func(p []Point) { p[100].Value = 0 }, 24 * 24 / 23., 1, 0},
		{"a stale dip", func(p []Point) { p[100].Value, p[101].Value = 500, 900 }, 24 * 24 / 22., 1, 1},
		{"another register from then on", func(p []Point) {
			for i := range p[100:] {
				p[100+i].Value += 98000
			}
		}, 24, 0, 1},
		{"a new meter from zero", func(p []Point) {
			for i := range p[100:] {
				p[100+i].Value = float64(i)
			}
		}, 24, 1, 0},
		{"a new meter that leaps", func(p []Point) {
			for i := range p[100:] {
				p[100+i].Value = float64(i)
				if i > 2 {
					p[100+i].Value += 99999
				}
			}
		}, 24, 1, 1},
		{"nothing for two days, then all at once", func(p []Point) {
			for i := 52; i < 100; i++ {
				p[i].Value = p[51].Value
			}
		}, 49 + 20, 0, 0},
		{"a load of fifty for two hours", func(p []Point) {
			for i := range p[100:] {
				p[100+i].Value += 50 * float64(min(i+1, 2))
			}
		}, 124, 0, 0},
	} {
		var points []Point
		for h := range 24 * 10 {
			points = append(points, Point{at.Add(time.Duration(h) * time.Hour).UnixMilli(), 1000 + float64(h)})
		}
		c.spoil(points)
		got := Register(points, days, 26*time.Hour)
		if math.Abs(got[4].Value-c.want) > 1e-9 || got[4].Resets != c.resets || got[4].Glitches != c.glitches {
			t.Errorf("%s: got %+v, want %g, %d resets, %d glitches", c.name, got[4], c.want, c.resets, c.glitches)
		}
		if got[8].Value != 24 {
			t.Errorf("%s: later: got %g, want 24", c.name, got[8].Value)
		}
		named := false
		for _, r := range Resets(got) {
			named = named || r.Code == CounterLeaps
		}
		if named != (c.glitches > 0) {
			t.Errorf("%s: got named %v", c.name, named)
		}
	}
}

// A counter that falls in every sample, or rises ever further, costs no more than
// one that counts.
func TestRegisterIsLinear(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var points []Point
	for i := range 500_000 {
		points = append(points, Point{at.Add(time.Duration(i) * time.Second).UnixMilli(), float64(1_000_000 - i)})
	}
	days := Days(at, at.AddDate(0, 0, 5))
	if got := Register(points, days, 26*time.Hour); !math.IsNaN(got[2].Value) || got[2].Resets != 86400 {
		t.Errorf("got %+v, want no amount and a reset for each second", got[2])
	}
}

// However a counter is sampled, what it counted between two samples on bounds is
// what the rows sum to, where its rate is one that a meter has.
func TestRegisterKeepsTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		points := []Point{{at.UnixMilli(), 0}}
		end := at.Add(10 * 24 * time.Hour).UnixMilli()
		for ts, v := points[0].TS, 0.0; ; {
			gap := min(int64(rapid.IntRange(1, 20*3600).Draw(t, "gap"))*1000, end-ts)
			ts += gap
			v += rapid.Float64Range(1, 100).Draw(t, "per hour") * float64(gap) / float64(hour)
			points = append(points, Point{ts, v})
			if ts == end {
				break
			}
		}
		var sum float64
		for _, a := range Register(points, Days(at, at.AddDate(0, 0, 10)), 26*time.Hour) {
			sum += a.Value
		}
		if want := points[len(points)-1].Value; math.Abs(sum-want) > 1e-9*(1+want) {
			t.Fatalf("got %g, want %g", sum, want)
		}
	})
}

func TestIntervalsScaleWhatIsMissing(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	hours := func(n int) []Interval {
		var out []Interval
		for h := range n {
			ms := at.Add(time.Duration(h) * time.Hour).UnixMilli()
			out = append(out, Interval{ms, ms + hour, 2})
		}
		return out
	}
	for _, c := range []struct {
		name string
		n    int
		want float64
	}{
		{"whole", 24, 48}, {"18 hours", 18, 48}, {"13 hours", 13, 48}, {"12 hours", 12, math.NaN()}, {"none", 0, math.NaN()},
	} {
		got := Intervals(hours(c.n), Days(at, at.AddDate(0, 0, 1)))[0]
		if !cmp.Equal(got.Value, c.want, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)) {
			t.Errorf("%s: got %g, want %g", c.name, got.Value, c.want)
		}
		if want := float64(c.n) / 24; math.Abs(got.Coverage-want) > 1e-12 {
			t.Errorf("%s: got coverage %g, want %g", c.name, got.Coverage, want)
		}
	}
}

func TestTemperatures(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var points []Point
	for m := 0; m < 24*60; m += 10 { // ten minutes, but twelve times as many in the first hour
		h := m / 60
		n := 1
		if h == 0 {
			n = 12
		}
		for k := range n {
			points = append(points, Point{at.Add(time.Duration(m)*time.Minute + time.Duration(k)*time.Second).UnixMilli(), float64(h)})
		}
	}
	day := Days(at, at.AddDate(0, 0, 1))
	got := Temperatures(points, day)[0]
	if want := energy.FahrenheitOf(11.5); math.Abs(got.MeanF-want) > 1e-9 || got.Coverage != 1 {
		t.Errorf("got %+v, want %g", got, want)
	}
	half := points[:len(points)/2]
	for h := range half {
		half[h].Value = 1
	}
	if got := Temperatures(points[:66+12*5], day)[0]; got.Coverage > 0.5 || !math.IsNaN(got.MeanF) {
		t.Errorf("half a day: got %+v, want NaN", got)
	}
	month := []time.Time{at, at.AddDate(0, 1, 0)}
	if got := Temperatures(points, month)[0]; !math.IsNaN(got.MeanF) || got.DaysF != nil {
		t.Errorf("a day of a month: got %+v, want NaN", got)
	}
	var whole []Point
	for h := range 31 * 24 {
		whole = append(whole, Point{at.Add(time.Duration(h) * time.Hour).UnixMilli(), float64(h / 24)})
	}
	bill := Temperatures(whole, month)[0]
	if len(bill.DaysF) != 31 || bill.DaysF[30] != energy.FahrenheitOf(30) {
		t.Errorf("a month: got %d days, last %v", len(bill.DaysF), bill.DaysF)
	}
}

func TestSuspectZeros(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := func(f func(h int) float64) []energy.Row {
		var out []energy.Row
		for h := range 1000 {
			s := at.Add(time.Duration(h) * time.Hour)
			out = append(out, energy.Row{Start: s, End: s.Add(time.Hour), Use: f(h), TempF: 50 + float64(h%24)})
		}
		return out
	}
	for _, c := range []struct {
		name string
		f    func(h int) float64
		want int
	}{
		{"no zero", func(h int) float64 { return 5 + float64(h%24) }, 0},
		{"a gap in a base load", func(h int) float64 {
			if h >= 500 && h < 550 {
				return 0
			}
			return 5 + float64(h%24)
		}, 50},
		{"a meter that rests at night", func(h int) float64 { return max(float64(h%24)-6, 0) }, 0},
		{"a heater", func(h int) float64 { return max(0, math.Sin(float64(h)/50)) }, 0},
	} {
		if got := len(SuspectZeros(rows(c.f))); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// A sensor that reads on and off is stuck long before it never changes.
func TestStuckTemperature(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		moving int
		want   bool
	}{{0, true}, {10, true}, {100, false}} {
		var rows []energy.Row
		for d := range 365 {
			r := energy.Row{Start: at.AddDate(0, 0, d), End: at.AddDate(0, 0, d+1), Use: 100 + float64(d%7), TempF: 68}
			if d < c.moving {
				r.TempF = 40 + float64(d%20)
			}
			rows = append(rows, r)
		}
		got := false
		for _, r := range Inspect(rows) {
			got = got || r.Code == TemperatureConstant
		}
		if got != c.want {
			t.Errorf("%d days move: got %v, want %v", c.moving, got, c.want)
		}
	}
}

func TestInterpolate(t *testing.T) {
	at := func(h int, v float64) Point { return Point{int64(h) * hour, v} }
	for _, c := range []struct {
		name   string
		points []Point
		want   []Point
	}{
		{"nothing", nil, nil},
		{"no gap", []Point{at(0, 1), at(1, 2)}, []Point{at(0, 1), at(1, 2)}},
		{"one hour", []Point{at(0, 1), at(2, 3)}, []Point{at(0, 1), at(1, 2), at(2, 3)}},
		{"six hours", []Point{at(0, 0), at(7, 7)}, []Point{at(0, 0), at(1, 1), at(2, 2), at(3, 3), at(4, 4), at(5, 5), at(6, 6), at(7, 7)}},
		{"seven hours", []Point{at(0, 0), at(8, 8)}, []Point{at(0, 0), at(8, 8)}},
	} {
		if diff := cmp.Diff(c.want, Interpolate(c.points, 6), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
