package building

import (
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// A building of the demonstration after 90 days: its savings lack a year, and say
// so; its load, forecast, generation and comfort are told.
func TestNinetyDaysOfTheDemonstration(t *testing.T) {
	cfg := simulator.Demo(7, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	cfg.Owners, cfg.Sites, cfg.Stations, cfg.Slots, cfg.Batteries, cfg.Buildings = 1, 1, 1, 4, 6, 1
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	byDay := map[int64][]telemetry.Reading{}
	for range 90 * 96 {
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindBuilding {
				r.Values = append([]telemetry.Value(nil), r.Values...)
				byDay[telemetry.DayOf(r.TS)] = append(byDay[telemetry.DayOf(r.TS)], r)
			}
		}, nil)
	}
	inv := f.Inventory()
	zone := inv.Sites[0].TimeZone
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var days []Day
	for day, readings := range byDay {
		days = append(days, Fold(day, readings, loc, 1))
	}
	r, err := Evaluate(Input{Series: Join(days), Plan: &Plan{
		Building: "b", Zone: zone, FloorM2: inv.Buildings[0].FloorAreaM2, Rules: DefaultRules(),
		Interventions: []Intervention{{ID: "i", Title: "LED", Concerns: []Meter{Electricity, Gas}, Start: "2026-04-15"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Savings {
		if s.Status != Insufficient || s.firstReason() == "" || s.Assessment.Avoided != nil {
			t.Errorf("%s: got %+v, want a named insufficiency and no number", s.Meter, s.Basis)
		}
	}
	if r.Forecast.Status != OK || len(r.Forecast.Hours) != 24 || r.Forecast.Backtest == nil {
		t.Errorf("forecast: got %+v", r.Forecast.Basis)
	}
	if r.Demand.Profile == nil || len(r.Demand.Months) < 3 {
		t.Errorf("demand: got %+v", r.Demand.Basis)
	}
	told := map[string]bool{}
	for _, s := range r.Targets {
		told[s.ID] = s.Value != nil
		if s.Value == nil && s.Reason == "" {
			t.Errorf("%s: neither a value nor a reason", s.ID)
		}
	}
	for id, want := range map[string]bool{
		target.EnergySavings: false, target.PeakReduction: false, target.WaterSavings: false, target.CarbonReduction: false,
		target.ForecastAccuracy: true, target.AutomationSuccess: true, target.GreenEnergy: true,
	} {
		if told[id] != want {
			t.Errorf("%s: got told %v, want %v", id, told[id], want)
		}
	}
	s := r.Usage.Solar
	if s == nil || s.Own <= 0 || s.Own > s.Generation || s.Own > s.Use {
		t.Fatalf("solar: got %+v, %s", s, r.Usage.SolarWhy)
	}
	t.Logf("forecast %.1f %%, green %.1f %%, automation %.1f %%", *r.Headline.ForecastPct, *r.Headline.GreenPct, *r.Headline.FollowedPct)
}
