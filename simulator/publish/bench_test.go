package publish_test

import (
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// BenchmarkBackfill sends ten days of the demo to a broker in this process
// that does nothing with them: simulation, encoding and MQTT.
func BenchmarkBackfill(b *testing.B) {
	server := startBroker(b)
	server.deaf.Store(true)
	f, err := publish.New(publish.Options{Broker: "tcp://" + server.addr})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		sim, err := simulator.New(simulator.Demo(1, start))
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Backfill(b.Context(), sim, start.Add(10*24*time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(f.Stats().ReadingsAcked)/b.Elapsed().Seconds(), "readings/s")
}
