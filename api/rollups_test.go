package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

func TestRollupsAreWrittenAsTheirSchemaSays(t *testing.T) {
	names := []string{"soc_pct", "voltage_v", "power_w", "energy_in_wh"}
	number := rapid.Ptr(rapid.OneOf(rapid.Float64Range(-1e30, 1e30), rapid.Float64Range(-1e-5, 1e-5), rapid.Just(0.0),
		rapid.Map(rapid.IntRange(-1e6, 1e6), func(n int) float64 { return float64(n) / 1000 })), true)
	stat := rapid.Custom(func(t *rapid.T) rollup.Stat {
		return rollup.Stat{
			Field: rapid.SampledFrom(append(names, "gone")).Draw(t, "field"), Samples: rapid.IntRange(0, 1e6).Draw(t, "samples"),
			Coverage: rapid.Float64Range(0, 1).Draw(t, "coverage"), Resets: rapid.IntRange(0, 2).Draw(t, "resets"),
			Mean: number.Draw(t, "mean"), Min: number.Draw(t, "min"), Max: number.Draw(t, "max"), Last: number.Draw(t, "last"), Delta: number.Draw(t, "delta"),
		}
	})
	bucket := rapid.Custom(func(t *rapid.T) rollup.Bucket {
		return rollup.Bucket{Start: rapid.Int64Range(0, 99).Draw(t, "start"), Stats: rapid.SliceOfN(stat, 0, 5).Draw(t, "stats")}
	})
	rapid.Check(t, func(t *rapid.T) {
		days := make([]ledger.RollupDay, rapid.IntRange(0, 3).Draw(t, "days"))
		for k := range days {
			days[k].Day = rollup.Day{Hours: rapid.SliceOfN(bucket, 0, 3).Draw(t, "hours"), Total: bucket.Draw(t, "total")}
		}
		whole, fields := rapid.Bool().Draw(t, "whole"), rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "fields")
		window := telemetry.Window{From: rapid.Int64Range(0, 50).Draw(t, "from"), To: rapid.Int64Range(51, 99).Draw(t, "to")}
		want := items[Rollup]{Items: []Rollup{}}
		for _, d := range days {
			buckets := d.Hours
			if whole {
				buckets = []rollup.Bucket{d.Total}
			}
			for _, b := range buckets {
				view := Rollup{Start: Time(b.Start)}
				for _, s := range b.Stats {
					if slices.Contains(fields, s.Field) {
						view.Stats = append(view.Stats, FieldStat(s))
					}
				}
				if window.Contains(b.Start) && len(view.Stats) > 0 {
					want.Items = append(want.Items, view)
				}
			}
		}
		var text bytes.Buffer
		if err := json.NewEncoder(&text).Encode(want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text.String(), string(encodeRollups(days, whole, window, fields))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// anyBattery is a registry that has every battery.
type anyBattery struct{ Registry }

func (anyBattery) GetBattery(_ context.Context, id string) (devices.Battery, error) {
	return devices.Battery{Asset: devices.Asset{ID: id}}, nil
}

// BenchmarkRollups answers for a battery that reports all its numbers every
// minute, from the ledger:
//
//	go test -run='^$' -bench=Rollups -count=6 ./api | tee new.txt && benchstat new.txt
func BenchmarkRollups(b *testing.B) {
	schema, err := devices.NewSchema()
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	const first, days = 20_000, 30
	fields := schema.Measurement(devices.KindBattery).Fields
	var readings []telemetry.Reading
	for ts := (first-1)*telemetry.Day - rollup.Margin; ts < (first+2)*telemetry.Day; ts += 60_000 {
		r := telemetry.Reading{Kind: devices.KindBattery, Device: "b", TS: ts}
		for k, f := range fields {
			if f.Numeric() {
				wave := math.Sin(float64(ts/60_000)/100 + float64(k))
				r.Values = append(r.Values, telemetry.Value{Field: f, Num: math.Round(1000*(50+40*wave)) / 1000})
			}
		}
		readings = append(readings, r)
	}
	of := rollup.Compute(first, fields, readings)
	changes := ledger.Changes{Job: "rollup"}
	for day := int64(first); day < first+days; day++ {
		of.Total.Start = day * telemetry.Day
		changes.Rollups = append(changes.Rollups, ledger.RollupDay{
			DeviceDay: telemetry.DeviceDay{Kind: devices.KindBattery, Device: "b", Day: day}, Day: of,
		})
	}
	if err := l.Commit(b.Context(), changes); err != nil {
		b.Fatal(err)
	}
	a := &API{opts: Options{Schema: schema, Now: func() time.Time { return clock }, Registry: anyBattery{}, Results: l}}
	for _, bb := range []struct {
		name, every string
		days        int64
		fields      []string
	}{
		{"every=1h/days=1/fields=all", "1h", 1, nil},
		{"every=1h/days=1/fields=1", "1h", 1, []string{"soc_pct"}},
		{"every=1d/days=30/fields=all", "1d", 30, nil},
		{"every=1d/days=30/fields=1", "1d", 30, []string{"soc_pct"}},
	} {
		in := &rollupsInput{Every: bb.every, Fields: bb.fields}
		in.From, in.To = time.UnixMilli(first*telemetry.Day), time.UnixMilli((first+bb.days)*telemetry.Day)
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			length := 0
			for b.Loop() {
				out, err := a.rollups(b.Context(), devices.Ref{Kind: devices.KindBattery, ID: "b"}, in)
				if err != nil {
					b.Fatal(err)
				}
				length = len(out.Body)
			}
			b.ReportMetric(float64(length), "B/answer")
		})
	}
}
