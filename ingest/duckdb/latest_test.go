package duckdb

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// sample is a telemetry.Sample that can be compared.
type sample struct {
	Device string
	TS     int64
	Field  string
	Num    float64
	Text   string
}

func latestOf(t testing.TB, s *Store, q telemetry.RangeQuery) []sample {
	t.Helper()
	got, err := s.Latest(t.Context(), q)
	if err != nil {
		t.Fatalf("latest: %v", err)
	}
	return plainly(got)
}

func plainly(samples []telemetry.Sample) []sample {
	out := make([]sample, len(samples))
	for i, s := range samples {
		out[i] = sample{s.Device, s.TS, s.Value.Field.Name, s.Value.Num, s.Value.Text}
	}
	return out
}

// lastOf is what Latest has to return, by Range.
func lastOf(t testing.TB, s *Store, q telemetry.RangeQuery) []sample {
	t.Helper()
	var out []telemetry.Sample
	err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
		for _, v := range r.Values {
			at, has := slices.BinarySearchFunc(out, telemetry.Sample{Device: r.Device, Value: v}, func(a, b telemetry.Sample) int {
				if a.Device != b.Device {
					return strings.Compare(a.Device, b.Device)
				}
				return a.Value.Field.Index - b.Value.Field.Index
			})
			if !has {
				out = slices.Insert(out, at, telemetry.Sample{})
			}
			out[at] = telemetry.Sample{Device: r.Device, TS: r.TS, Value: v}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("range: %v", err)
	}
	return plainly(out)
}

// TestLatestIsTheLastOfRange holds Latest to Range, whatever was appended,
// sealed, merged, removed by retention and asked before.
func TestLatestIsTheLastOfRange(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	var clock atomic.Int64
	clock.Store(t0)
	options := Options{
		Retention: 3 * 24 * time.Hour, CompactEvery: time.Hour,
		Now: func() time.Time { return time.UnixMilli(clock.Load()) },
	}
	s := openWith(t, dir, schema, options)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		names := make([]string, 4)
		for i := range names {
			names[i] = fmt.Sprint("round ", round, " device ", i)
		}
		instant := rapid.Custom(func(rt *rapid.T) int64 {
			return clock.Load() - telemetry.Day*rapid.Int64Range(-1, 4).Draw(rt, "days ago") + rapid.Int64Range(0, 3).Draw(rt, "ts")
		})
		device := rapid.SampledFrom(names)
		field := rapid.SampledFrom([]string{"soc_pct", "voltage_v", "power_w", "state", "station"})
		actions := map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				batch := make([]telemetry.Reading, rapid.IntRange(1, 8).Draw(rt, "readings"))
				for i := range batch {
					values := make(map[string]any)
					for range rapid.IntRange(1, 3).Draw(rt, "fields") {
						name := field.Draw(rt, "field")
						if schema.Field(devices.KindBattery, name).Numeric() {
							values[name] = float64(rapid.IntRange(0, 9).Draw(rt, "number"))
						} else {
							values[name] = rapid.SampledFrom([]string{"", "idle", "ü"}).Draw(rt, "text")
						}
					}
					batch[i] = reading(schema, device.Draw(rt, "device"), instant.Draw(rt, "instant"), values)
				}
				mustAppend(t, s, batch...)
			},
			"seal": func(*rapid.T) {
				if err := s.pass(t.Context(), s.sealing, true); err != nil {
					t.Fatal(err)
				}
			},
			"compact": func(*rapid.T) { mustCompact(t, s) },
			"tomorrow": func(*rapid.T) {
				clock.Add(telemetry.Day)
			},
			"reopen": func(*rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openWith(t, dir, schema, options)
			},
		}
		compare := func(rt *rapid.T) {
			q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: names, Window: always}
			if rapid.Bool().Draw(rt, "some devices") {
				q.Devices = rapid.SliceOfN(device, 1, 3).Draw(rt, "devices")
			}
			if rapid.Bool().Draw(rt, "some fields") {
				q.Fields = rapid.SliceOfN(field, 1, 3).Draw(rt, "fields")
			}
			if rapid.Bool().Draw(rt, "from") {
				q.Window.From = instant.Draw(rt, "from")
			}
			if rapid.Bool().Draw(rt, "to") {
				q.Window.To = instant.Draw(rt, "to")
			}
			s.merging.turn <- struct{}{} // a seal asks for a pass, which would remove what is old between the reads
			defer func() { <-s.merging.turn }()
			if d := cmp.Diff(lastOf(t, s, q), latestOf(t, s, q), cmpopts.EquateEmpty()); d != "" {
				rt.Fatalf("%+v (-range +latest):\n%s", q, d)
			}
		}
		often := []string{"append", "append", "append", "append", "seal", "seal", "compact", "tomorrow", "reopen"}
		for range rapid.IntRange(1, 12).Draw(rt, "actions") {
			actions[rapid.SampledFrom(often).Draw(rt, "action")](rt)
			compare(rt)
		}
	})
	all := telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}
	if d := cmp.Diff(lastOf(t, s, all), latestOf(t, s, all), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("of all devices (-range +latest):\n%s", d)
	}
}

// TestLatestReadsPartsOnce asks a store that knows nothing yet of what is sealed.
// Without the parts it can answer only what it remembers.
func TestLatestReadsPartsOnce(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	s := open(t, dir, schema)
	mustAppend(t, s,
		reading(schema, "a", t0-40*telemetry.Day, map[string]any{"voltage_v": 48.0, "state": "idle"}),
		reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}),
		reading(schema, "b", t0, map[string]any{"soc_pct": 2.0, "voltage_v": 49.0}))
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, schema, Options{CacheBytes: -1})
	mustAppend(t, s, reading(schema, "a", t0+1, map[string]any{"soc_pct": 3.0}))
	all := telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}
	one := all
	one.Devices = []string{"a"}
	some := all
	some.Fields = []string{"state"}
	if d := cmp.Diff(lastOf(t, s, some), latestOf(t, s, some)); d != "" {
		t.Fatalf("of one field (-range +latest):\n%s", d)
	}
	want := latestOf(t, s, all)
	if d := cmp.Diff(lastOf(t, s, all), want); d != "" {
		t.Fatalf("(-range +latest):\n%s", d)
	}
	s.engine.query.Close()
	if _, err := s.Latest(t.Context(), telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: always.From, To: t0}}); err == nil {
		t.Error("got no error for an earlier window, which parts must be read for")
	}
	if d := cmp.Diff(want, latestOf(t, s, all)); d != "" {
		t.Errorf("again (-first +again):\n%s", d)
	}
	mustAppend(t, s, reading(schema, "a", t0-1, map[string]any{"voltage_v": 47.0, "soc_pct": 9.0}))
	if d := cmp.Diff([]sample{{"a", t0 + 1, "soc_pct", 3, ""}, {"a", t0 - 1, "voltage_v", 47, ""}, {"a", t0 - 40*telemetry.Day, "state", 0, "idle"}}, latestOf(t, s, one)); d != "" {
		t.Errorf("with a late reading (-want +got):\n%s", d)
	}
}

// TestOddNames asks files for devices whose names are no plain words.
func TestOddNames(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	s := open(t, dir, schema)
	names := []string{"a'b", "''", "'); --", "a\x00b", "\x00", "a", `a"b`, "?", "ü'\x00'", `a\b`}
	for i, name := range names {
		mustAppend(t, s, reading(schema, name, t0, map[string]any{"soc_pct": float64(i)}), reading(schema, name, t0+1, map[string]any{"power_w": 1.0}))
	}
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, schema)
	for i, name := range names {
		q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{name}, Window: always}
		want := []sample{{name, t0, "soc_pct", float64(i), ""}, {name, t0 + 1, "power_w", 1, ""}}
		if d := cmp.Diff(want, lastOf(t, s, q)); d != "" {
			t.Errorf("range of %q (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff(want, latestOf(t, s, q)); d != "" {
			t.Errorf("latest of %q (-want +got):\n%s", name, d)
		}
	}
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: names, Window: always}
	if got := lastOf(t, s, q); len(got) != 2*len(names) {
		t.Errorf("of all at once: got %d samples, want %d", len(got), 2*len(names))
	}
}

// TestLatestBesideWriters asks for what two devices report at once, while it is
// appended, sealed and merged.
func TestLatestBesideWriters(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{SegmentRows: 50})
	const batches = 400
	var acknowledged atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		defer acknowledged.Store(batches)
		for i := range int64(batches) {
			at := func(device string) telemetry.Reading {
				return reading(schema, device, t0+i, map[string]any{"soc_pct": float64(i), "voltage_v": float64(i), "state": fmt.Sprint(i)})
			}
			if _, err := s.Append(context.Background(), []telemetry.Reading{at("a"), at("b")}); err != nil {
				t.Error(err)
				return
			}
			acknowledged.Store(i)
		}
	})
	running.Go(func() {
		for acknowledged.Load() < batches {
			if err := s.Compact(context.Background()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2 {
		running.Go(func() {
			q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}
			for least := int64(0); least < batches; {
				least = acknowledged.Load()
				got, err := s.Latest(context.Background(), q)
				if err != nil {
					t.Error(err)
					return
				}
				for _, x := range got {
					if len(got) != 6 || x.TS != got[0].TS || x.TS < t0+min(least, batches-1) || !x.Value.Field.Numeric() && x.Value.Text != fmt.Sprint(x.TS-t0) ||
						x.Value.Field.Numeric() && x.Value.Num != float64(x.TS-t0) {
						t.Errorf("got %+v after batch %d", got, least)
						return
					}
				}
			}
		})
	}
	running.Wait()
}

// BenchmarkLatest asks for the newest values of one device of many, each time of
// another: all are remembered; nothing is, but they are in memory; and nothing
// is, so that parts are read.
func BenchmarkLatest(b *testing.B) {
	const count, readings = 100_000, 4
	schema, dir := standard(b), b.TempDir()
	s := open(b, dir, schema)
	names := make([]string, count)
	fields := schema.Measurement(devices.KindBattery).Fields
	fill := func(ts int64) {
		for some := range slices.Chunk(names, 10_000) {
			batch := make([]telemetry.Reading, len(some))
			for i, name := range some {
				batch[i] = telemetry.Reading{Kind: devices.KindBattery, Device: name, TS: ts}
				for _, f := range fields[:13] {
					v := telemetry.Value{Field: f, Num: float64(i%100) / 10}
					if !f.Numeric() {
						v = telemetry.Value{Field: f, Text: "idle"}
					}
					batch[i].Values = append(batch[i].Values, v)
				}
			}
			mustAppend(b, s, batch...)
		}
	}
	for i := range names {
		names[i] = fmt.Sprintf("battery-%06d", i)
	}
	ask := func(b *testing.B) {
		q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: t0 - telemetry.Day, To: t0 + telemetry.Day}}
		before, n := spent(), 0
		for b.Loop() {
			q.Devices = names[n*7919%count:][:1]
			if got, err := s.Latest(b.Context(), q); err != nil || len(got) != 13 {
				b.Fatalf("got %d samples, error %v", len(got), err)
			}
			n++
		}
		b.ReportMetric(float64(spent()-before)/float64(n), "ns-cpu/op")
	}
	reopen := func() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		s = open(b, dir, schema)
	}
	for i := range int64(readings) {
		fill(t0 + i*1000)
	}
	mustCompact(b, s)
	b.Run("remembered", ask)
	reopen()
	b.Run("sealed", ask)
	fill(t0 + readings*1000)
	reopen()
	b.Run("hot", ask)
}

// BenchmarkMemory is what a device with twelve fields takes to remember.
func BenchmarkMemory(b *testing.B) {
	const count = 100_000
	fields := standard(b).Measurement(devices.KindBattery).Fields
	found := make([]telemetry.Sample, len(fields))
	for i := range 11 {
		found[i] = telemetry.Sample{Device: "battery", TS: t0, Value: telemetry.Value{Field: fields[i], Num: 1}}
	}
	found[11] = telemetry.Sample{Device: "battery", TS: t0, Value: telemetry.Value{Field: fields[13], Text: "idle"}}
	memories := make([]memory, count)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for b.Loop() {
		for i := range memories {
			memories[i] = memory{}
			memories[i].learn(found[:12], true, t0)
		}
	}
	b.ReportMetric(float64(heap()-before)/count+float64(unsafe.Sizeof(memories[0])), "B/device")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/device")
	runtime.KeepAlive(memories)
}
