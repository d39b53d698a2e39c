package simulator

import (
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// city is the fleet of the scenario of that name.
func city() Config {
	c := Demo(1, start())
	c.Owners, c.Sites, c.Stations, c.Slots, c.Batteries, c.Buildings, c.SwapsPerDay = 5, 25, 50, 20, 3000, 0, 45
	c.Dispersion = 1.5
	return c
}

// BenchmarkStep steps the city from one goroutine. A year of it has 107
// million readings.
func BenchmarkStep(b *testing.B) {
	f := newFleet(b, city())
	f.Step(nil, nil)
	readings := 0
	for b.Loop() {
		f.Step(func(telemetry.Reading) { readings++ }, nil)
	}
	b.ReportMetric(float64(readings)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkDemo(b *testing.B) {
	readings := 0
	for b.Loop() {
		f := newFleet(b, Demo(1, start()))
		run(f, int(90*24*time.Hour/(15*time.Minute)), func(telemetry.Reading) { readings++ }, nil)
	}
	b.ReportMetric(float64(readings)/b.Elapsed().Seconds(), "readings/s")
}
