package export_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/export"
)

// BenchmarkExport writes a million readings of 100 batteries with ten fields.
func BenchmarkExport(b *testing.B) {
	const devs, each = 100, 10_000
	schema := newSchema(b)
	s := embedded(b, schema)
	fields := schema.Measurement(devices.KindBattery).Fields[:10]
	var batch []telemetry.Reading
	for i := range each {
		for d := range devs {
			r := telemetry.Reading{Kind: devices.KindBattery, Device: fmt.Sprintf("bat-%04d", d), TS: t0 + int64(i)*1000}
			for j, f := range fields {
				r.Set(telemetry.Value{Field: f, Num: float64((i*7+d*13+j)%5000) / 100})
			}
			batch = append(batch, r)
		}
		if len(batch) >= 50_000 {
			_, err := s.Append(b.Context(), batch)
			ok(b, err)
			batch = batch[:0]
		}
	}
	for _, format := range []export.Format{export.CSV, export.Parquet} {
		b.Run("format="+string(format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e, err := export.New(b.Context(), s, schema, telemetry.RangeQuery{Kind: devices.KindBattery, Window: window}, export.Options{Format: format, TempDir: b.TempDir()})
				ok(b, err)
				rows, err := e.Copy(b.Context(), io.Discard)
				ok(b, err)
				ok(b, e.Close())
				if rows != devs*each {
					b.Fatalf("got %d rows, want %d", rows, devs*each)
				}
			}
			b.ReportMetric(float64(devs*each)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
