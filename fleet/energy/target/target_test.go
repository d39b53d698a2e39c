package target

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func TestJudge(t *testing.T) {
	limit := Target{ID: EnergySavings, Limit: 20}
	plus := func(x float64) *float64 { return &x }
	for _, c := range []struct {
		name   string
		m      Measured
		status Status
		sure   bool
	}{
		{"above", Measured{Value: 25, Plus: plus(3)}, Met, true},
		{"above, not sure", Measured{Value: 25, Plus: plus(6)}, Met, false},
		{"above, not known how sure", Measured{Value: 25}, Met, false},
		{"at the limit", Measured{Value: 20, Plus: plus(1)}, Missed, false},
		{"below", Measured{Value: 5, Plus: plus(3)}, Missed, true},
		{"unknown", Measured{Value: math.NaN()}, Insufficient, false},
	} {
		s := Judge(limit, c.m)
		if s.Status != c.status || s.Sure != c.sure {
			t.Errorf("%s: got %s, sure %v, want %s, %v", c.name, s.Status, s.Sure, c.status, c.sure)
		}
		if (s.Status == Insufficient) != (s.Reason != "") {
			t.Errorf("%s: got reason %q", c.name, s.Reason)
		}
	}
}

func TestTargetsOfTheProduct(t *testing.T) {
	want := map[string]float64{
		EnergySavings: 20, PeakReduction: 15, ForecastAccuracy: 90, AutomationSuccess: 95,
		CarbonReduction: 25, WaterSavings: 15, GreenEnergy: 30,
	}
	for _, g := range All() {
		if want[g.ID] != g.Limit {
			t.Errorf("%s: got limit %g, want %g", g.ID, g.Limit, want[g.ID])
		}
		delete(want, g.ID)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestTrendOf(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name    string
		history []float64
		want    string // "" none
	}{
		{"up", []float64{1, 2, 3.1, 4, 5}, "up"},
		{"down with a gap", []float64{9, 8, nan, 6.1, 5}, "down"},
		{"noise", []float64{1, -1, 1, -1, 1}, "flat"},
		{"level", []float64{3, 3, 3, 3}, "flat"},
		{"short", []float64{1, 2, nan, 3}, ""},
	} {
		got := TrendOf(c.history)
		if (got == nil) != (c.want == "") || got != nil && got.Direction != c.want {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.want)
		}
	}
}

func TestFollow(t *testing.T) {
	start := time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	var samples []Sample
	for m := range 5 * 24 * 12 { // five days of five minutes
		at := start.Add(time.Duration(m) * 5 * time.Minute)
		s := Sample{At: at, IndoorC: 21, SetpointC: 21, InUse: at.Hour() >= 8 && at.Hour() < 18}
		if at.Hour() == 8 && at.Day()%2 == 0 {
			s.IndoorC = 18 // too cold in the first hour of every other day
		}
		if at.Hour() == 3 {
			s.IndoorC = 15 // nobody is there
		}
		samples = append(samples, s)
	}
	f, err := Follow(samples, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := 100 * 47.0 / 50; math.Abs(*f.Percent-want) > 1e-9 || f.Days != 5 {
		t.Errorf("got %g %% of %d days, want %g of 5", *f.Percent, f.Days, want)
	}
	if *f.Plus < 2 || *f.Plus > 12 {
		t.Errorf("got ± %g, want a few percent", *f.Plus)
	}
	if _, err := Follow(samples[:100], 1); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("a morning: got %v, want %v", err, energy.ErrInsufficientData)
	}
}
