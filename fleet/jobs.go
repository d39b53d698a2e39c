package fleet

import (
	"context"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// Rollup is the job that folds every device's readings into hours and days.
func Rollup(r telemetry.Reader, schema *devices.Schema, schedule string) Job {
	return Job{
		Name: "rollup", Schedule: schedule, Kinds: devices.Kinds(), Spread: rollup.Spread,
		Compute: func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
			var c ledger.Changes
			fields := schema.Measurement(ref.Kind).Fields
			rows, err := span{ref: ref, margin: rollup.Margin}.eachDay(ctx, r, days, func(day int64, readings []telemetry.Reading) {
				c.Rollups = append(c.Rollups, ledger.RollupDay{
					DeviceDay: telemetry.DeviceDay{Kind: ref.Kind, Device: ref.ID, Day: day},
					Day:       rollup.Compute(day, fields, readings),
				})
			})
			return c, rows, err
		},
	}
}

// Capacity is the job that measures the capacity of batteries.
func Capacity(r telemetry.Reader, batteries Batteries, rules battery.Rules, schedule string) Job {
	fields := []string{"soc_pct", "voltage_v", "current_a", "temperature_c"}
	return Job{
		Name: "capacity", Schedule: schedule, Kinds: []devices.Kind{devices.KindBattery}, Spread: 1,
		Compute: func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
			var c ledger.Changes
			b, err := batteries.GetBattery(ctx, ref.ID)
			if err != nil {
				return c, 0, err
			}
			ratings := battery.Ratings{CapacityAh: b.RatedCapacityAh, CutoffVoltageV: b.CutoffVoltageV}
			rows, err := span{ref, fields, rules.MaxSpanMS}.eachDay(ctx, r, days, func(day int64, readings []telemetry.Reading) {
				c.Capacities = append(c.Capacities, ledger.CapacityDay{
					DeviceDay: telemetry.DeviceDay{Kind: ref.Kind, Device: ref.ID, Day: day},
					Found:     startingOn(day, battery.Capacities(samplesOf(readings), ratings, rules)),
				})
			})
			return c, rows, err
		},
	}
}

// startingOn keeps the measurements that begin on the day; the others belong to
// its neighbours.
func startingOn(day int64, found []battery.Capacity) []battery.Capacity {
	var out []battery.Capacity
	for _, c := range found {
		if telemetry.DayOf(c.From) == day {
			out = append(out, c)
		}
	}
	return out
}

// carryMS is how long a value stands for the instants after it. Batteries send
// voltage, current and state of charge in one message or in several.
const carryMS = 60_000

// samplesOf makes one sample of each reading that has a current, with the newest
// voltage, state of charge and temperature of the last minute. One without a
// voltage is left out.
func samplesOf(readings []telemetry.Reading) []battery.Sample {
	out := make([]battery.Sample, 0, len(readings))
	var voltage, soc, temperature carried
	for i := range readings {
		ts, current := readings[i].TS, math.NaN()
		for _, v := range readings[i].Values {
			switch v.Field.Name {
			case "soc_pct":
				soc = carried{ts, v.Num}
			case "voltage_v":
				voltage = carried{ts, v.Num}
			case "current_a":
				current = v.Num
			case "temperature_c":
				temperature = carried{ts, v.Num}
			}
		}
		s := battery.Sample{TS: ts, VoltageV: voltage.at(ts), CurrentA: current, SoCPct: soc.at(ts), TemperatureC: temperature.at(ts)}
		if !math.IsNaN(s.VoltageV) && !math.IsNaN(s.CurrentA) {
			out = append(out, s)
		}
	}
	return out
}

// carried is a value and when it was measured; zero: never.
type carried struct {
	ts    int64
	value float64
}

func (c carried) at(ts int64) float64 {
	if c.ts == 0 || ts-c.ts > carryMS {
		return math.NaN()
	}
	return c.value
}
