package hot

import (
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Who writes gets in between while many devices are looked up: of one that is
// named first and last, something newer is found at the end.
func TestPutBesideLatest(t *testing.T) {
	m := schemaOf(t).Measurement(devices.KindBattery)
	table, field := NewTable(m), m.Field("soc_pct")
	put := func(ts int64) {
		r := telemetry.Reading{Kind: m.Kind, Device: "a", TS: ts}
		r.Set(telemetry.Value{Field: field, Num: 50})
		if _, err := table.Put(&r); err != nil {
			t.Error(err)
		}
	}
	put(0)
	names := slices.Repeat([]string{"a"}, 100*lookedUpAtOnce)
	found := make([]telemetry.Sample, len(names))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ts := int64(1); ; ts++ {
			select {
			case <-done:
				return
			default:
				put(ts)
			}
		}
	}()
	defer func() { close(done); <-ended }()
	for limit := time.Now().Add(10 * time.Second); ; {
		clear(found)
		table.Latest(names, []*devices.Field{field}, everything, found)
		for some := range slices.Chunk(found, lookedUpAtOnce) {
			if some[0].TS != some[len(some)-1].TS {
				t.Fatalf("got %d and %d of one instant", some[0].TS, some[len(some)-1].TS)
			}
		}
		if found[0].TS < found[len(found)-1].TS {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("nothing was put while the table was read")
		}
	}
}

// How long a reading waits to be put, at most, while 100,000 devices are looked up.
func BenchmarkPutBesideLatest(b *testing.B) {
	const count = 100_000
	m := schemaOf(b).Measurement(devices.KindBattery)
	table, names := NewTable(m), make([]string, count)
	batch := benchBatch(m, count, count)
	for i := range batch {
		names[i] = batch[i].Device
		if _, err := table.Put(&batch[i]); err != nil {
			b.Fatal(err)
		}
	}
	found := make([]telemetry.Sample, count*len(m.Fields))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				clear(found)
				table.Latest(names, m.Fields, everything, found)
			}
		}
	}()
	var longest time.Duration
	for i := 0; b.Loop(); i++ {
		r := &batch[i%count]
		r.TS += 1000
		began := time.Now()
		if _, err := table.Put(r); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(began))
	}
	close(done)
	<-ended
	b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
}
