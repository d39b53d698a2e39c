package influx_test

import (
	"fmt"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// benchReadings are n readings of 60 devices with six fields, one a minute.
func benchReadings(b *testing.B, n int) []telemetry.Reading {
	in := make([]telemetry.Reading, n)
	for i := range in {
		f := float64(i)
		in[i] = battery(b, fmt.Sprintf("B%02d", i%60), t0+int64(i/60)*60_000, map[string]float64{
			"soc_pct": f / float64(n) * 100, "voltage_v": 48 + f/1e6, "current_a": -1.25, "power_w": f / 7, "temperature_c": 21.5, "cycles": 12,
		})
	}
	return in
}

// Run with: go test -run=^$ -bench=. -count=6 ./ingest/influx/ | benchstat -
func BenchmarkAppend(b *testing.B) {
	db := servertest.StartInfluxd(b)
	s := open(b, influx.Options{URL: db.URL, Bucket: "db"})
	for _, n := range []int{1, 500, 5000} {
		in := benchReadings(b, n)
		b.Run(fmt.Sprintf("readings=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Append(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

func BenchmarkRange(b *testing.B) {
	db := servertest.StartInfluxd(b)
	s := open(b, influx.Options{URL: db.URL, Bucket: "db"})
	const n = 50_000
	if _, err := s.Append(b.Context(), benchReadings(b, n)); err != nil {
		b.Fatal(err)
	}
	six := []string{"soc_pct", "voltage_v", "current_a", "power_w", "temperature_c", "cycles"}
	for _, fields := range [][]string{six[:1], six} {
		b.Run(fmt.Sprintf("readings=%d/fields=%d", n, len(fields)), func(b *testing.B) {
			b.ReportAllocs()
			q := all()
			q.Fields = fields
			for b.Loop() {
				rows := 0
				if err := s.Range(b.Context(), q, func(telemetry.Reading) error { rows++; return nil }); err != nil || rows != n {
					b.Fatalf("got %d readings, error %v", rows, err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
