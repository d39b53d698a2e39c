package watch

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/changepoint"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

const noise = 5.0

func days(seed uint64, year, n int, extra func(d int) float64) []energy.Row {
	rng := rand.New(rand.NewPCG(seed, 1))
	start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for d := range n {
		temp := 55 - 25*math.Cos(2*math.Pi*float64(d)/365) + 5*rng.NormFloat64()
		use := 100 + 2*max(60-temp, 0) + noise*rng.NormFloat64() + extra(d)
		rows = append(rows, energy.Row{Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

func none(int) float64 { return 0 }

func model(t *testing.T) energy.Model {
	t.Helper()
	m, err := changepoint.Fit(days(1, 2021, 365, none), changepoint.ThreeHeating)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnomalies(t *testing.T) {
	m := model(t)
	rows := days(2, 2022, 365, func(d int) float64 {
		if d == 100 {
			return 60
		}
		return 0
	})
	got, err := Anomalies(m, rows, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 6 || len(got) > 36 {
		t.Errorf("got %d of 365 days outside the 95 %% band, want about 18", len(got))
	}
	found := false
	for _, a := range got {
		if a.Observed >= a.Low && a.Observed <= a.High {
			t.Errorf("%v lies inside its band", a)
		}
		found = found || a.Start.YearDay() == 101 && a.Score > 8
	}
	if !found {
		t.Error("the day of 60 more was missed")
	}
}

func TestShifts(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		name  string
		extra func(d int) float64
		onset []int // days, within a week
		mean  float64
		ended bool
	}{
		{"none", none, nil, 0, false},
		{"one day", func(d int) float64 { return map[bool]float64{true: 25}[d == 50] }, nil, 0, false},
		{"for good", func(d int) float64 { return map[bool]float64{true: 10}[d >= 200] }, []int{200}, 10, false},
		{"down", func(d int) float64 { return map[bool]float64{true: -10}[d >= 90] }, []int{90}, -10, false},
		{"two months", func(d int) float64 { return map[bool]float64{true: 15}[d >= 120 && d < 180] }, []int{120}, 15, true},
	} {
		got, err := Shifts(m, days(3, 2022, 365, c.extra))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(c.onset) {
			t.Errorf("%s: got %+v", c.name, got)
			continue
		}
		for i, s := range got {
			if d := s.Onset.YearDay() - 1; math.Abs(float64(d-c.onset[i])) > 7 {
				t.Errorf("%s: onset on day %d, want %d", c.name, d, c.onset[i])
			}
			if math.Abs(s.PerRow-c.mean) > 2 || (s.End != nil) != c.ended {
				t.Errorf("%s: got %g per day, end %v, want %g, %v", c.name, s.PerRow, s.End, c.mean, c.ended)
			}
			if want := s.PerRow * float64(s.Rows); math.Abs(s.Total-want) > 1e-6 {
				t.Errorf("%s: got total %g, want %g", c.name, s.Total, want)
			}
		}
	}
}

// In ten steady years there is hardly a false alarm.
func TestFewFalseAlarms(t *testing.T) {
	m := model(t)
	alarms := 0
	for y := range uint64(10) {
		got, err := Shifts(m, days(100+y, 2022, 365, none))
		if err != nil {
			t.Fatal(err)
		}
		alarms += len(got)
	}
	if alarms > 2 {
		t.Errorf("got %d false alarms in ten years", alarms)
	}
}

func TestFindStep(t *testing.T) {
	for _, c := range []struct {
		name string
		size float64
		want float64 // share explained, at least; 0: next to nothing
	}{{"steady", 0, 0}, {"doubled", 130, 0.5}} {
		rows := days(5, 2022, 365, func(d int) float64 {
			if d >= 180 {
				return c.size
			}
			return 0
		})
		m, err := changepoint.Fit(rows, changepoint.ThreeHeating)
		if err != nil {
			t.Fatal(err)
		}
		s := FindStep(m, rows)
		if s == nil {
			t.Fatalf("%s: got none", c.name)
		}
		if c.want == 0 && s.Explained > 0.05 || s.Explained < c.want {
			t.Errorf("%s: got %+v, want %g explained", c.name, s, c.want)
		}
		if d := s.At.YearDay() - 1; c.want > 0 && math.Abs(float64(d-180)) > 3 {
			t.Errorf("%s: got day %d, want 180", c.name, d)
		}
	}
}

// The forecast of an office's hours is 90 % right, and learns a shift that the
// baseline does not know.
func TestBacktest(t *testing.T) {
	hours := func(seed uint64, year int, factor float64) []energy.Row {
		rng := rand.New(rand.NewPCG(seed, 9))
		start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		var rows []energy.Row
		for h := range 365 * 24 {
			at := start.Add(time.Duration(h) * time.Hour)
			temp := 55 - 20*math.Cos(2*math.Pi*float64(at.YearDay())/365) + 8*math.Sin(2*math.Pi*float64(at.Hour()-9)/24)
			use := 30 + 0.5*max(60-temp, 0)
			if wd := at.Weekday(); wd != time.Saturday && wd != time.Sunday && at.Hour() >= 8 && at.Hour() < 18 {
				use += 50
			}
			use *= factor * (1 + 0.04*rng.NormFloat64())
			rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: use, TempF: temp, TempCoverage: 1})
		}
		return rows
	}
	m, err := towt.Fit(hours(1, 2021, 1), towt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		factor float64
		want   float64
	}{{"as before", 1, 95}, {"a fifth more", 1.2, 90}} {
		a, err := Backtest(m, nil, hours(2, 2022, c.factor))
		if err != nil {
			t.Fatal(err)
		}
		if *a.Accuracy < c.want || *a.Accuracy > 100 || a.Days != 365 || *a.Plus > 1 {
			t.Errorf("%s: got %g ± %g over %d days, want above %g", c.name, *a.Accuracy, *a.Plus, a.Days, c.want)
		}
	}
	if _, err := Backtest(m, nil, nil); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("got %v, want %v", err, energy.ErrInsufficientData)
	}
}
