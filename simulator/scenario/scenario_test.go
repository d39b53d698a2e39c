package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/scenario"
)

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// shipped are the scenarios that fleetwatt comes with.
func shipped(t *testing.T) map[string]scenario.Scenario {
	t.Helper()
	files, err := filepath.Glob("../../deploy/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v", files, err)
	}
	all := map[string]scenario.Scenario{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		s, err := scenario.Read(f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := strings.TrimSuffix(filepath.Base(name), ".yaml"); s.Name != want || s.About == "" {
			t.Errorf("%s: is named %q and is about %q", name, s.Name, s.About)
		}
		all[s.Name] = s
	}
	return all
}

func TestShippedScenarios(t *testing.T) {
	all := shipped(t)
	for _, c := range []struct {
		name                           string
		stations, batteries, buildings int
		faulty                         bool
	}{
		{"demo", 4, 60, 2, false},
		{"city", 50, 3000, 10, false},
		{"stress", 180, 9800, 20, false},
		{"faulty", 4, 60, 2, true},
		{"retrofit", 0, 0, 12, false},
	} {
		s, ok := all[c.name]
		if !ok {
			t.Errorf("there is no %s", c.name)
			continue
		}
		got := []int{s.Fleet.Stations, s.Fleet.Batteries, s.Fleet.Buildings}
		if diff := cmp.Diff([]int{c.stations, c.batteries, c.buildings}, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if faulty := s.Faults != (faults.Config{}); faulty != c.faulty {
			t.Errorf("%s: has faults: %v", c.name, faulty)
		}
		f, err := simulator.New(s.Config(1, start()))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		f.Step(nil, nil)
	}
	if len(all) != 5 {
		t.Errorf("got %d scenarios, the test knows 5", len(all))
	}
}

// The demonstration's file says nothing but the defaults, which are those of the
// simulator.
func TestDemoIsTheDefault(t *testing.T) {
	demo := shipped(t)["demo"]
	want := scenario.Default()
	want.Name, want.About = demo.Name, demo.About
	if diff := cmp.Diff(want, demo); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(simulator.Demo(3, start()), demo.Config(3, start())); diff != "" {
		t.Error(diff)
	}
}

func TestReadIsStrict(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"unknown key", "name: x\n\nstations: 3\n", "line 3: field stations not found"},
		{"unknown key deep down", "faults:\n  doubled: {share: 0.1, sahre: 2}\n", "line 2: field sahre not found"},
		{"wrong type", "fleet:\n  slots: many\n", "line 2"},
		{"twice", "days: 3\ndays: 4\n", "line 2"},
		{"step without a unit", "step: 15\n", `line 1: "15" is not a time`},
		{"no date", "holidays: [tomorrow]\n", `"tomorrow" is not a date`},
		{"nothing", "", "empty"},
		{"two documents", "days: 1\n---\ndays: 2\n", "more than one"},
		{"not YAML", "fleet: [\n", "line"},
		{"too long", "name: " + strings.Repeat("x", 1<<20), "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := scenario.Read(strings.NewReader(c.yaml)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	_, err := scenario.Read(strings.NewReader(`
days: -1
batch: 0
connections: -2
truth_every: 0s
live_step: 2h
fleet: {slots: 1}
faults: {spike: {share: 7}}
retrofits: [{building: 9, day: 3, share: 0.1}]
`))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"days -1", "batch 0", "connections -2", "truth_every 0s", "live_step", "slots 1", "spike.share 7", "building 9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %q", err, want)
		}
	}
}

func TestConfigCarriesEverything(t *testing.T) {
	s, err := scenario.Read(strings.NewReader(`
step: 1h
fleet: {owners: 1, sites: 1, stations: 2, slots: 8, batteries: 10, buildings: 3, swaps_per_day: 7, dispersion: 2, ready_soc: 0.8, knee_share: 0.5}
sensors: {voltage_v: {noise: 1}, current_a: {offset: 2}, temperature_c: {drift: 3}, soc_pct: {noise: 4}}
breakdowns: {station_per_year: 1, station_hours: 2, slot_per_year: 3, slot_hours: 4}
tariff: {low: 1, middle: 2, high: 3}
retrofits: [{building: 2, day: 10, share: 0.25}]
holidays: ["2026-05-01"]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := simulator.Config{
		Seed: 9, Start: start(), Step: time.Hour,
		Owners: 1, Sites: 1, Stations: 2, Slots: 8, Batteries: 10, Buildings: 3, SwapsPerDay: 7, Dispersion: 2, ReadySoC: 0.8, KneeShare: 0.5,
		Sensors: simulator.Sensors{
			Volts: simulator.Sensor{Noise: 1}, Amps: simulator.Sensor{Offset: 2}, Celsius: simulator.Sensor{Drift: 3}, SoC: simulator.Sensor{Noise: 4},
		},
		Breakdowns: simulator.Breakdowns{StationPerYear: 1, StationHours: 2, SlotPerYear: 3, SlotHours: 4},
		Tariff:     simulator.TimeOfUse(1, 2, 3),
		Retrofits:  []simulator.Retrofit{{Building: 2, At: start().AddDate(0, 0, 10), Share: 0.25}},
		Holidays:   []time.Time{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, s.Config(9, start())); diff != "" {
		t.Error(diff)
	}
}

func TestReadWeather(t *testing.T) {
	got, err := scenario.ReadWeather(strings.NewReader("time,celsius\n2026-01-01T00:00:00Z,-3.5\n2026-01-01T01:00:00Z,0\n2026-01-01T03:00:00+01:00,4\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Step != time.Hour || !got.Start.Equal(start()) || !cmp.Equal(got.Celsius, []float64{-3.5, 0, 4}) {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct{ name, csv, want string }{
		{"nothing", "", "headings"},
		{"one line", "time,celsius\n2026-01-01T00:00:00Z,1\n", "at least 2"},
		{"no time", "time,celsius\nnow,1\n", "line 2"},
		{"no number", "time,celsius\n2026-01-01T00:00:00Z,cold\n", "line 2"},
		{"a gap", "time,celsius\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,1\n2026-01-01T03:00:00Z,1\n", "line 4"},
		{"backwards", "time,celsius\n2026-01-01T01:00:00Z,1\n2026-01-01T00:00:00Z,1\n", "line 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := scenario.ReadWeather(strings.NewReader(c.csv)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}
