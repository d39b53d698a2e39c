package wire

import (
	"fmt"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// To compare two versions:
//
//	go test -run '^$' -bench Telemetry -count 8 ./devices/wire > old.txt
//	go test -run '^$' -bench Telemetry -count 8 ./devices/wire > new.txt
//	benchstat old.txt new.txt
func BenchmarkTelemetry(b *testing.B) {
	d := testDecoder(b)
	object := []byte(`{"ts":1767225600000,"soc_pct":81.5,"soh_pct":97.2,"voltage_v":52.143,"current_a":-12.75,"power_w":-664.8,` +
		`"temperature_c":24.5,"cell_voltage_min_v":3.251,"cell_voltage_max_v":3.268,"cycles":212,"state":"discharging"}`)
	readings := d.Telemetry(batteryB1, object, arrival, false).Readings
	if len(readings) != 1 || len(readings[0].Values) != 10 {
		b.Fatal("want one reading of ten fields")
	}
	backlog := make([]telemetry.Reading, 1000)
	for i := range backlog {
		backlog[i] = readings[0]
		backlog[i].TS += int64(i) * 1000
	}
	lines, _ := appendLines(backlog)
	benchmarks := []struct {
		form     string
		readings int
		payload  []byte
	}{
		{"object", 1, object},
		{"array", len(backlog), AppendReadings(nil, backlog)},
		{"gzip", len(backlog), zipped(b, AppendReadings(nil, backlog))},
		{"lines", len(backlog), lines},
	}
	for _, bm := range benchmarks {
		b.Run(fmt.Sprintf("form=%s/readings=%d/fields=10", bm.form, bm.readings), func(b *testing.B) {
			b.SetBytes(int64(len(bm.payload)))
			b.ReportAllocs()
			for b.Loop() {
				if got := d.Telemetry(batteryB1, bm.payload, arrival, false); len(got.Readings) != bm.readings {
					b.Fatalf("got %d readings, want %d", len(got.Readings), bm.readings)
				}
			}
		})
	}
}

func BenchmarkAppendReading(b *testing.B) {
	d := testDecoder(b)
	r := d.Telemetry(batteryB1, []byte(`{"ts":1767225600000,"soc_pct":81.5,"voltage_v":52.143,"current_a":-12.75,"state":"discharging"}`), arrival, false).Readings[0]
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendReading(dst[:0], &r)
	}
}
