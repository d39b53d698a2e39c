package ledger_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// fullDay is the roll-up of a battery that reports all its numbers every minute.
func fullDay(t testing.TB, device string, day int64) ledger.RollupDay {
	t.Helper()
	schema, err := devices.NewSchema()
	ok(t, err)
	m := schema.Measurement(devices.KindBattery)
	var readings []telemetry.Reading
	for ts := day*telemetry.Day - rollup.Margin; ts < (day+1)*telemetry.Day+rollup.Margin; ts += 60_000 {
		r := telemetry.Reading{Kind: m.Kind, Device: device, TS: ts}
		for k, f := range m.Fields {
			if f.Numeric() {
				wave := math.Sin(float64(ts/60_000)/100 + float64(k))
				r.Values = append(r.Values, telemetry.Value{Field: f, Num: math.Round(1000*(50+40*wave)) / 1000})
			}
		}
		readings = append(readings, r)
	}
	return ledger.RollupDay{DeviceDay: batteryDay(device, day), Day: rollup.Compute(day, m.Fields, readings)}
}

// BenchmarkRead reads what an answer about one battery is made of:
//
//	go test -run='^$' -bench=Read -count=6 ./fleet/ledger | tee new.txt && benchstat new.txt
func BenchmarkRead(b *testing.B) {
	l, ctx, ref := fresh(b), b.Context(), devices.Ref{Kind: devices.KindBattery, ID: "b"}
	whole, result := fullDay(b, "b", 100), ledger.BatteryResult{Device: "b"}
	changes := ledger.Changes{Job: "all"}
	for day := int64(100); day < 150; day++ {
		whole.DeviceDay.Day = day
		changes.Rollups = append(changes.Rollups, whole)
		result.Days = append(result.Days, factsOf(day, 2880, capacity(battery.SoCWindow, day*telemetry.Day, 2)))
		changes.Parts = append(changes.Parts, ledger.StationSwaps{Station: "s", Day: day, Batteries: map[string]dossier.Swaps{"b": {In: 1, Out: 1}}})
	}
	changes.Parts = append(changes.Parts, ledger.BatteryResults{result})
	ok(b, l.Commit(ctx, changes))
	for _, bb := range []struct {
		what string
		rows int
		read func(ctx context.Context) (int, error)
	}{
		{"hours", 1, func(ctx context.Context) (int, error) {
			days, err := l.Rollups(ctx, ref, 100, 101)
			return len(days), err
		}},
		{"totals", 30, func(ctx context.Context) (int, error) {
			days, err := l.RollupTotals(ctx, ref, 100, 130)
			return len(days), err
		}},
		{"days", 45, func(ctx context.Context) (int, error) {
			days, err := l.BatteryDays(ctx, "b", 100, 145)
			return len(days), err
		}},
		{"swaps", 45, func(ctx context.Context) (int, error) {
			swaps, err := l.BatterySwaps(ctx, "b", 100, 145)
			return len(swaps), err
		}},
		{"watermark", 1, func(ctx context.Context) (int, error) {
			_, err := l.Watermark(ctx, "all")
			return 1, err
		}},
	} {
		b.Run(fmt.Sprintf("what=%s/rows=%d", bb.what, bb.rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := bb.read(b.Context()); err != nil || n != bb.rows {
					b.Fatalf("got %d rows, %v, want %d", n, err, bb.rows)
				}
			}
		})
	}
}
