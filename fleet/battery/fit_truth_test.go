package battery_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// The demonstration's batteries over 60 days, against the simulator's truth:
// capacity by regression (median error at most 1 %, 95th percentile 3 %), cycles
// used, and the energy that comes back.
func TestFitsAgainstTruth(t *testing.T) {
	cfg := simulator.Demo(5, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]simulator.BatteryTruth{}
	for _, b := range f.Truth().Batteries {
		before[b.ID] = b
	}
	samples := map[string][]battery.Sample{}
	for range 60 * 24 * int(time.Hour/cfg.Step) {
		f.Step(func(r telemetry.Reading) {
			if r.Kind != devices.KindBattery {
				return
			}
			s := battery.Sample{TS: r.TS, VoltageV: math.NaN(), CurrentA: math.NaN(), SoCPct: math.NaN(), TemperatureC: math.NaN()}
			for name, to := range map[string]*float64{"voltage_v": &s.VoltageV, "current_a": &s.CurrentA, "soc_pct": &s.SoCPct, "temperature_c": &s.TemperatureC} {
				if v, ok := r.Num(name); ok {
					*to = v
				}
			}
			samples[r.Device] = append(samples[r.Device], s)
		}, nil)
	}
	ratings := map[string]battery.Ratings{}
	for _, b := range f.Inventory().Batteries {
		ratings[b.ID] = battery.Ratings{CapacityAh: b.RatedCapacityAh, CutoffVoltageV: b.CutoffVoltageV}
	}
	rules := battery.DefaultRules()
	var capacity, cycles []float64
	for _, truth := range f.Truth().Batteries {
		s, r := samples[truth.ID], ratings[truth.ID]
		fit := battery.FitCapacity(battery.Capacities(s, r, rules), battery.DefaultFitRules())
		if !fit.OK() {
			t.Errorf("%s: %s", truth.ID, fit.Reason)
			continue
		}
		capacity = append(capacity, math.Abs(*fit.CapacityAh/truth.CapacityAh-1))
		u := battery.Measure(s, battery.Terms{Ratings: r, Rules: rules, Limits: battery.DefaultLimits()}).Report(0, 0, r)
		used := truth.Cycles - before[truth.ID].Cycles
		cycles = append(cycles, math.Abs(*u.EquivalentFullCycles/used-1))
		if e := battery.RoundTrip(battery.Loops(s, rules)); !e.OK() || *e.RoundTripPct < 80 || *e.RoundTripPct > 100.5 {
			t.Errorf("%s: a round trip of %+v", truth.ID, e)
		}
	}
	slices.Sort(capacity)
	slices.Sort(cycles)
	n := len(capacity)
	t.Logf("%d batteries: capacity off by %.2f %% (median), %.2f %% (95th percentile); cycles by %.2f %%, %.2f %%",
		n, 100*capacity[n/2], 100*capacity[n*95/100], 100*cycles[n/2], 100*cycles[n*95/100])
	if capacity[n/2] > 0.01 || capacity[n*95/100] > 0.03 {
		t.Error("the capacity is too far off")
	}
	if cycles[n/2] > 0.02 || cycles[n*95/100] > 0.05 {
		t.Error("the cycles are too far off")
	}
}
