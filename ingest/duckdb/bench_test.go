//go:build unix

package duckdb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Compare two commits with
//
//	go test -run '^$' -bench . -count 6 ./ingest/duckdb | tee new.txt
//	benchstat old.txt new.txt

// benchDevices is how many batteries report in turn, each once a second.
const benchDevices = 1000

// benchBatch is n readings of ten fields, in order, from the given one on.
func benchBatch(schema *devices.Schema, from, n int) []telemetry.Reading {
	var fields []*devices.Field
	for _, f := range schema.Measurement(devices.KindBattery).Fields {
		if f.Numeric() && len(fields) < 10 {
			fields = append(fields, f)
		}
	}
	out := make([]telemetry.Reading, n)
	for i := range out {
		values := make([]telemetry.Value, len(fields))
		for k, f := range fields {
			values[k] = telemetry.Value{Field: f, Num: float64(rand.IntN(1000)) / 10}
		}
		out[i] = telemetry.Reading{
			Kind:   devices.KindBattery,
			Device: fmt.Sprintf("battery-%04d", (from+i)%benchDevices),
			TS:     t0 + int64((from+i)/benchDevices)*1000,
			Values: values,
		}
	}
	return out
}

func benchStore(b *testing.B, readings int) *Store {
	b.Helper()
	s := open(b, b.TempDir(), standard(b))
	for from := 0; from < readings; from += 50_000 {
		mustAppend(b, s, benchBatch(s.schema, from, 50_000)...)
	}
	return s
}

func perReading(b *testing.B, readings int) {
	b.ReportMetric(float64(readings)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{20, 10_000} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			s := benchStore(b, 0)
			from := 0
			for b.Loop() {
				b.StopTimer()
				batch := benchBatch(s.schema, from, n)
				// Each batch begins a new second, so that all of it is new.
				from += (n + benchDevices - 1) / benchDevices * benchDevices
				b.StartTimer()
				if got := mustAppend(b, s, batch...); got.New != n {
					b.Fatalf("got %+v, want %d new", got, n)
				}
			}
			perReading(b, n)
		})
	}
	const stored = 1_000_000
	for _, what := range []string{"same", "rewritten", "late"} {
		for _, n := range []int{20, 10_000} {
			b.Run(fmt.Sprintf("dup=%s/batch=%d/stored=%d", what, n, stored), func(b *testing.B) {
				s := benchStore(b, stored)
				batch := benchBatch(s.schema, stored/2, n)
				mustAppend(b, s, batch...)
				want := telemetry.Appended{Merged: n}
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					switch what {
					case "rewritten":
						batch = benchBatch(s.schema, stored/2, n)
					case "late":
						batch = benchBatch(s.schema, stored/2, n)
						for k := range batch {
							batch[k].TS += int64(i + 1)
						}
						want = telemetry.Appended{New: n}
					}
					b.StartTimer()
					if got := mustAppend(b, s, batch...); got.New != want.New || got.Merged != want.Merged {
						b.Fatalf("got %+v, want %+v", got, want)
					}
				}
				perReading(b, n)
			})
		}
	}
}

func BenchmarkRange(b *testing.B) {
	const stored = 1_000_000
	s := benchStore(b, stored)
	queries := []struct {
		name string
		q    telemetry.RangeQuery
		rows int
	}{
		{"devices=1/fields=all", telemetry.RangeQuery{Devices: []string{"battery-0500"}}, stored / benchDevices},
		{"devices=1/fields=1", telemetry.RangeQuery{Devices: []string{"battery-0500"}, Fields: []string{"soc_pct"}}, stored / benchDevices},
		{"devices=all/fields=1", telemetry.RangeQuery{Fields: []string{"soc_pct"}}, stored},
		{"devices=all/fields=all", telemetry.RangeQuery{}, stored},
	}
	for _, bm := range queries {
		bm.q.Kind, bm.q.Window = devices.KindBattery, always
		b.Run(fmt.Sprintf("%s/rows=%d", bm.name, bm.rows), func(b *testing.B) {
			for b.Loop() {
				rows := 0
				err := s.Range(b.Context(), bm.q, func(telemetry.Reading) error { rows++; return nil })
				if err != nil || rows != bm.rows {
					b.Fatalf("got %d rows, error %v, want %d", rows, err, bm.rows)
				}
			}
			perReading(b, bm.rows)
		})
	}
	b.Run(fmt.Sprintf("latest/devices=all/fields=all/rows=%d", stored), func(b *testing.B) {
		for b.Loop() {
			got, err := s.Latest(b.Context(), telemetry.RangeQuery{Kind: devices.KindBattery, Window: always})
			if err != nil || len(got) != 10*benchDevices {
				b.Fatalf("got %d samples, error %v", len(got), err)
			}
		}
	})
}

// BenchmarkDay folds what one device of many has reported in a day into windows
// of 15 minutes: sealed and not read before, read before, in memory, and half of
// each.
func BenchmarkDay(b *testing.B) {
	const count = 10_000
	schema, rec := standard(b), record(b)
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("battery-%05d", i)
	}
	for _, bm := range []struct {
		name   string
		sealed int // steps
		asked  int // devices, in turn
	}{
		{"sealed/read=first", figuresSteps, count},
		{"sealed/read=again", figuresSteps, 100},
		{"half/read=first", figuresSteps / 2, count},
		{"half/read=again", figuresSteps / 2, 100},
		{"hot", 0, count},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := openWith(b, b.TempDir(), schema, Options{SegmentRows: 10_000_000})
			fields := make([]*devices.Field, len(sensors))
			for i, s := range sensors {
				fields[i] = schema.Field(devices.KindBattery, s.field)
			}
			fill := func(from, to int) {
				for step := from; step < to; step++ {
					batch := make([]telemetry.Reading, count)
					for i, name := range names {
						batch[i] = telemetry.Reading{Kind: devices.KindBattery, Device: name, TS: t0 + int64(step)*telemetry.Day/figuresSteps}
						life := rec[i%simulated]
						for k, f := range fields {
							batch[i].Values = append(batch[i].Values, telemetry.Value{Field: f, Num: life[(step+i)%len(life)][k]})
						}
					}
					mustAppend(b, s, batch...)
				}
			}
			fill(0, bm.sealed)
			mustCompact(b, s)
			fill(bm.sealed, figuresSteps)
			q := telemetry.AggregateQuery{Func: telemetry.Mean, Every: 15 * time.Minute}
			q.Kind, q.Fields, q.Window = devices.KindBattery, []string{"soc_pct", "power_w", "temperature_c"}, telemetry.Window{From: t0, To: t0 + telemetry.Day}
			n := 0
			read := func() {
				q.Devices = names[n%bm.asked*7919%count:][:1]
				if got, err := s.Aggregate(b.Context(), q); err != nil || len(got) != figuresSteps {
					b.Fatalf("got %d buckets, error %v", len(got), err)
				}
				n++
			}
			for bm.asked < count && n < bm.asked {
				read()
			}
			before := spent()
			n = 0
			for b.Loop() {
				read()
			}
			b.ReportMetric(float64(spent()-before)/float64(n), "ns-cpu/op")
		})
	}
}

// BenchmarkRangeFleet reads what the jobs read: sealed, and in memory. What is
// reported beside the time is readings by second of the processor, of all
// threads.
func BenchmarkRangeFleet(b *testing.B) {
	const count, days = 5000, 2
	schema, rec := standard(b), record(b)
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("battery-%05d", i)
	}
	for _, sealed := range []bool{true, false} {
		s := openWith(b, b.TempDir(), schema, Options{SegmentRows: 1 << 40})
		for step := range days * figuresSteps {
			batch := make([]telemetry.Reading, count)
			for i := range batch {
				life := rec[i%simulated]
				batch[i] = telemetry.Reading{Kind: devices.KindBattery, Device: names[i], TS: t0 + int64(step)*telemetry.Day/figuresSteps}
				for k, n := range life[(step+(i/simulated)*37)%len(life)] {
					batch[i].Set(telemetry.Value{Field: schema.Field(devices.KindBattery, sensors[k].field), Num: n})
				}
			}
			mustAppend(b, s, batch...)
			if sealed && step == figuresSteps { // two sets to be merged
				mustCompact(b, s)
			}
		}
		if sealed {
			mustCompact(b, s)
		}
		for _, bm := range fleetReads(names, 0) {
			b.Run(fmt.Sprintf("%s/sealed=%v", bm.name, sealed), func(b *testing.B) {
				rows, before := 0, spent()
				for b.Loop() {
					if err := s.Range(b.Context(), bm.q, func(telemetry.Reading) error { rows++; return nil }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows)/(spent()-before).Seconds(), "readings/cpu-s")
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "readings/s")
			})
		}
	}
}

func BenchmarkAggregate(b *testing.B) {
	const stored = 1_000_000
	s := benchStore(b, stored)
	for _, fn := range telemetry.Funcs() {
		for _, fleet := range []bool{false, true} {
			b.Run(fmt.Sprintf("func=%s/fleet=%v/fields=1/rows=%d", fn, fleet, stored), func(b *testing.B) {
				q := telemetry.AggregateQuery{Func: fn, Every: time.Minute, Fleet: fleet}
				q.Kind, q.Window, q.Fields = devices.KindBattery, always, []string{"soc_pct"}
				for b.Loop() {
					if got, err := s.Aggregate(b.Context(), q); err != nil || len(got) == 0 {
						b.Fatalf("got %d buckets, error %v", len(got), err)
					}
				}
			})
		}
	}
}

// BenchmarkAppendWait measures how long an Append waits beside the compaction
// of what came before, and with none.
func BenchmarkAppendWait(b *testing.B) {
	const size = 2000
	for _, segment := range []int64{1 << 40, 300_000} {
		b.Run(fmt.Sprintf("batch=%d/compaction=%v", size, segment < 1<<40), func(b *testing.B) {
			s := openWith(b, b.TempDir(), standard(b), Options{SegmentRows: segment})
			var waits []time.Duration
			for from := 0; b.Loop(); from += size {
				b.StopTimer()
				batch := benchBatch(s.schema, from, size)
				b.StartTimer()
				start := time.Now()
				mustAppend(b, s, batch...)
				waits = append(waits, time.Since(start))
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, "ms-max")
			b.ReportMetric(float64(s.counts.read().Seals), "seals")
			perReading(b, size)
		})
	}
}
