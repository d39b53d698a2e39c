package battery_test

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// The demonstration's batteries, 90 days by the quarter of an hour, against the
// simulator's truth: every capacity within 2 %, on average within 1 %.
func TestCapacityAgainstTruth(t *testing.T) {
	f, err := simulator.New(simulator.Demo(3, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string][]battery.Sample{}
	for range 90 * 96 {
		f.Step(func(r telemetry.Reading) {
			if r.Kind != devices.KindBattery {
				return
			}
			s := battery.Sample{TS: r.TS}
			s.VoltageV, _ = r.Num("voltage_v")
			s.CurrentA, _ = r.Num("current_a")
			s.SoCPct, _ = r.Num("soc_pct")
			s.TemperatureC, _ = r.Num("temperature_c")
			samples[r.Device] = append(samples[r.Device], s)
		}, nil)
	}
	truth := map[string]float64{}
	for _, b := range f.Truth().Batteries {
		truth[b.ID] = b.CapacityAh
	}
	methods := map[battery.Method]int{}
	worst, sum := 0.0, 0.0
	for _, b := range f.Inventory().Batteries {
		found := battery.Capacities(samples[b.ID], battery.Ratings{CapacityAh: b.RatedCapacityAh, CutoffVoltageV: b.CutoffVoltageV}, battery.DefaultRules())
		h := battery.Assess(found, b.RatedCapacityAh)
		if h.Status != battery.HealthOK {
			t.Errorf("%s: %s", b.ID, h.Reason)
			continue
		}
		off := math.Abs(*h.CapacityAh/truth[b.ID] - 1)
		if off > 0.02 {
			t.Errorf("%s: got %.3f Ah by %s, the truth is %.3f", b.ID, *h.CapacityAh, h.Method, truth[b.ID])
		}
		methods[h.Method]++
		worst, sum = max(worst, off), sum+off
	}
	if mean := sum / float64(len(truth)); mean > 0.01 {
		t.Errorf("on average %.2f %% off, want at most 1 %%", mean*100)
	}
	t.Logf("%d batteries by %v: worst %.2f %%, mean %.2f %% off", len(truth), methods, worst*100, sum/float64(len(truth))*100)
}
