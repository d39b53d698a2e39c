package demand

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// hours of a building with a daily peak in the afternoon, cut to a cap.
func hours(year, days int, limit float64) []energy.Row {
	start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		temp := 60 + 15*math.Sin(2*math.Pi*float64(at.YearDay())/365) + 8*math.Sin(2*math.Pi*float64(at.Hour()-9)/24)
		use := 20 + 3*math.Sin(float64(h)*1.9)
		if at.Hour() >= 9 && at.Hour() < 18 {
			use += 60
		}
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: min(use, limit), TempF: temp, TempCoverage: 1})
	}
	return rows
}

func TestDescribe(t *testing.T) {
	rows := hours(2023, 30, 1000)
	rows[100].Use = 200
	rows[101].Use = math.NaN()
	p, err := Describe(rows)
	if err != nil {
		t.Fatal(err)
	}
	if p.PeakKW != 200 || !p.PeakAt.Equal(rows[100].Start) || p.Missing != 1 {
		t.Errorf("got peak %g at %v, %d missing", p.PeakKW, p.PeakAt, p.Missing)
	}
	if p.BaseKW < 16.9 || p.BaseKW > 18 {
		t.Errorf("base: got %g, want a little above 17", p.BaseKW)
	}
	if math.Abs(*p.LoadFactor-p.MeanKW/200) > 1e-12 {
		t.Errorf("load factor: got %g", *p.LoadFactor)
	}
	if len(p.Duration) != 101 || p.Duration[0] != 200 {
		t.Errorf("load duration: got %d from %g", len(p.Duration), p.Duration[0])
	}
	for i := 1; i < len(p.Duration); i++ {
		if p.Duration[i] > p.Duration[i-1] {
			t.Fatalf("load duration rises at %d %%", i)
		}
	}
	if _, err := Describe(nil); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("got %v, want %v", err, energy.ErrInsufficientData)
	}
}

// Quarters of an hour have four times the power of their energy.
func TestPowerIsPerHour(t *testing.T) {
	at := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	p, err := Describe([]energy.Row{{Start: at, End: at.Add(15 * time.Minute), Use: 5}})
	if err != nil {
		t.Fatal(err)
	}
	if p.PeakKW != 20 || p.MeanKW != 20 {
		t.Errorf("got %g and %g kW, want 20", p.PeakKW, p.MeanKW)
	}
}

func TestReduce(t *testing.T) {
	before := hours(2022, 365, 1000)
	m, err := towt.Fit(before, towt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	window := Window{Name: "afternoon", FromHour: 14, ToHour: 17}
	for _, c := range []struct {
		name  string
		limit float64
		want  float64 // share of the peak
	}{{"no measure", 1000, 0}, {"a cap at 66 of 83 kW", 66.4, 0.2}} {
		d, err := Reduce(m, before, hours(2023, 365, c.limit), window, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(*d.PeakFraction-c.want) > 0.01 {
			t.Errorf("%s: got a peak lower by %g, want %g", c.name, *d.PeakFraction, c.want)
		}
		if want := max(0, 80-c.limit); math.Abs(*d.WindowSavedKW-want) > 0.5 {
			t.Errorf("%s: window: got %g kW less, want %g", c.name, *d.WindowSavedKW, want)
		}
		if d.WindowRows != 3*365 || d.WindowPlusKW == nil || *d.WindowPlusKW <= 0 {
			t.Errorf("%s: got %d hours ± %v", c.name, d.WindowRows, d.WindowPlusKW)
		}
	}
}
