package fleet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

// moved is by how much a fault may move a battery's results at most: capacity and
// cycles relative, the share of time earning and the health score in points of
// 100.
type moved struct{ capacity, cycles, utilization, score float64 }

func (m moved) within(limit moved) bool {
	return m.capacity <= limit.capacity && m.cycles <= limit.cycles && m.utilization <= limit.utilization && m.score <= limit.score
}

// Each kind of fault moves no result of any battery by more than is stated here,
// or there is no result, and it says why.
func TestFaultsMoveLittle(t *testing.T) {
	nothing := moved{1e-6, 1e-6, 1e-6, 1e-4}
	tests := []struct {
		name   string
		faults faults.Config
		limit  moved
	}{
		{"offline, sent late", faults.Config{Offline: faults.Spell{PerYear: 30, Hours: 12}}, nothing},
		{"doubled", faults.Config{Doubled: faults.Share{Share: 0.3}}, nothing},
		{"shuffled", faults.Config{Shuffled: faults.Share{Share: 0.3}}, nothing},
		{"malformed", faults.Config{Malformed: faults.Share{Share: 0.2}}, nothing},
		{"counters reset", faults.Config{CounterReset: faults.Rate{PerYear: 12}}, nothing},
		{"counters roll over", faults.Config{CounterRollover: faults.Rollover{Devices: 1, At: 10_000}}, nothing},
		{"clocks off", faults.Config{ClockOffset: faults.Offset{Devices: 1, Seconds: 120}}, moved{0.005, 0.005, 0.1, 0.5}},
		{"clocks drift", faults.Config{ClockDrift: faults.Drift{Devices: 1, PPM: 50}}, moved{0.005, 0.005, 0.1, 0.5}},
		{"fields missing", faults.Config{Missing: faults.Share{Share: 0.05}}, moved{0.005, 0.06, 0.2, 2}},
		{"spikes", faults.Config{Spike: faults.Spike{Share: 0.002, Factor: 3}}, moved{0.005, 0.02, 0.2, 2}},
		{"sensors stuck", faults.Config{Stuck: faults.Spell{PerYear: 100, Hours: 6}}, moved{0.005, 0.03, 0.2, 10}},
		{"sensors drift", faults.Config{DriftingSensor: faults.Creep{Devices: 1, PerYear: 0.02}}, moved{0.01, 0.01, 0.1, 2}},
	}
	want := standingsWith(t, faults.Config{})
	for _, w := range want {
		if w.HealthScore == nil || w.Utilization == nil {
			t.Fatalf("without faults: %+v", w)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := standingsWith(t, tt.faults)
			var worst moved
			told := 0
			for k, w := range want {
				g := got[k]
				if g.Device != w.Device {
					t.Fatalf("got %s in place of %s", g.Device, w.Device)
				}
				if g.HealthScore == nil {
					if g.Reason == "" {
						t.Errorf("%s has neither a score nor a reason", g.Device)
					}
					continue
				}
				told++
				worst.capacity = max(worst.capacity, math.Abs(*g.CapacityAh / *w.CapacityAh - 1))
				worst.cycles = max(worst.cycles, math.Abs(*g.EquivalentFullCycles / *w.EquivalentFullCycles - 1))
				worst.utilization = max(worst.utilization, 100*math.Abs(*g.Utilization-*w.Utilization))
				worst.score = max(worst.score, math.Abs(*g.HealthScore-*w.HealthScore))
			}
			t.Logf("%d of %d told; capacity %.2g %%, cycles %.2g %%, utilization %.2g, score %.2g", told, len(want), 100*worst.capacity, 100*worst.cycles, worst.utilization, worst.score)
			if !worst.within(tt.limit) {
				t.Errorf("moved by %+v, want %+v at most", worst, tt.limit)
			}
		})
	}
}

// standingsWith are those of a small fleet after some weeks of what a server gets
// of it.
func standingsWith(t *testing.T, cfg faults.Config) []dossier.Standing {
	t.Helper()
	const days, lateDays = 45, 10
	sim := fewBatteries(6)
	sim.Slots = 3 // so that none lies idle
	f, err := simulator.New(sim)
	if err != nil {
		t.Fatal(err)
	}
	assets := batteryList{}
	for _, b := range f.Inventory().Batteries {
		assets[b.ID] = b
	}
	b := newLab(t, assets, dossier.DefaultRules())
	decoder := wire.NewDecoder(b.schema, wire.DefaultLimits())
	var got []telemetry.Reading
	now := newYear.UnixMilli()
	stage, err := faults.New(cfg, 1, 4, func(a faults.Action) {
		if a.Act != faults.Send || a.Message.Channel != wire.Telemetry {
			return
		}
		for _, r := range decoder.Telemetry(a.Ref, a.Message.Payload, now+sim.Step.Milliseconds(), false).Readings {
			r.Values = slices.Clone(r.Values)
			got = append(got, r)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	end := newYear.AddDate(0, 0, days)
	for range (days + lateDays) * int(24*time.Hour/sim.Step) {
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindBattery {
				stage.Reading(r)
			}
		}, nil)
		now = f.Now().UnixMilli()
		stage.Tick(now)
		if hour := f.Now().Hour(); hour == 1 && f.Now().Minute() == 0 { // at night
			b.deliver(onTime(got, end))
			got = nil
			b.today = telemetry.DayOf(now)
			b.run("battery")
		}
	}
	standings, err := b.ledger.Standings(t.Context())
	if err != nil || len(standings) != len(assets) {
		t.Fatalf("got %d standings, %v, want %d", len(standings), err, len(assets))
	}
	return standings
}

// onTime leaves out what was measured behind the end: late readings are waited for
// so long.
func onTime(readings []telemetry.Reading, end time.Time) []telemetry.Reading {
	return slices.DeleteFunc(readings, func(r telemetry.Reading) bool { return r.TS >= end.UnixMilli() })
}
