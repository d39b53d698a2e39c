package rollup

import (
	"fmt"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// BenchmarkCompute folds one day of a building with ten fields.
func BenchmarkCompute(b *testing.B) {
	m := schema(b)
	for _, every := range []int64{15 * minute, minute, 1000} {
		b.Run(fmt.Sprintf("every=%ds", every/1000), func(b *testing.B) {
			var rs []telemetry.Reading
			for ts := day0 - Margin; ts < day0+telemetry.Day+Margin; ts += every {
				r := telemetry.Reading{Kind: m.Kind, Device: "b", TS: ts}
				for i, f := range m.Fields[:10] {
					r.Values = append(r.Values, telemetry.Value{Field: f, Num: math.Abs(float64(ts/1000)) + float64(i)})
				}
				rs = append(rs, r)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				Compute(day, m.Fields, rs)
			}
			b.ReportMetric(float64(len(rs))*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
