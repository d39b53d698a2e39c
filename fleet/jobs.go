package fleet

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
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
