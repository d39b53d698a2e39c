//go:build unix

package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// figuresReadings is how many readings TestFigures loads; 100 million take
// about 2 GB of disk and a quarter of an hour.
const figuresReadings = "FLEETWATT_DUCKDB_FIGURES"

// sensors are the ten fields of a reading and the steps per unit to which they
// are rounded where they are measured.
var sensors = []struct {
	field   string
	perUnit float64
}{
	{"soc_pct", 10}, {"voltage_v", 100}, {"current_a", 10}, {"power_w", 1}, {"temperature_c", 10},
	{"cell_voltage_min_v", 1000}, {"cell_voltage_max_v", 1000}, {"cycles", 1}, {"energy_in_wh", 1}, {"energy_out_wh", 1},
}

const (
	figuresDays   = 90
	figuresSteps  = 96 // a day
	simulatedDays = 30
	simulated     = 200
)

// recording is what simulated batteries reported, by battery and step.
type recording [simulated][][]float64

func record(t testing.TB) *recording {
	t.Helper()
	fleet, err := simulator.New(simulator.Config{
		Seed: 1, Start: time.UnixMilli(t0), Step: 24 * time.Hour / figuresSteps,
		Owners: 2, Sites: 4, Stations: simulated / 15, Slots: 12, Batteries: simulated, Buildings: 1, SwapsPerDay: 40, ReadySoC: 0.9,
	})
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	for range simulatedDays * figuresSteps {
		n := 0
		fleet.Step(func(r telemetry.Reading) {
			if r.Kind != devices.KindBattery {
				return
			}
			row := make([]float64, len(sensors))
			for i, s := range sensors {
				v, _ := r.Num(s.field)
				row[i] = math.Round(v*s.perUnit) / s.perUnit
			}
			rec[n] = append(rec[n], row)
			n++
		}, nil)
	}
	return &rec
}

// TestFigures loads many readings in the order of time, each device with a
// simulated life of its own, as fast as Append takes them and with compaction
// running; and reads them. It prints what it measured:
//
//	FLEETWATT_DUCKDB_FIGURES=100000000 go test -run TestFigures -v -timeout 1h ./ingest/duckdb
func TestFigures(t *testing.T) {
	total, err := strconv.Atoi(os.Getenv(figuresReadings))
	if err != nil {
		t.Skip("set " + figuresReadings + " to a number of readings to measure the store")
	}
	schema, rec := standard(t), record(t)
	fields := make([]*devices.Field, len(sensors))
	for i, s := range sensors {
		fields[i] = schema.Field(devices.KindBattery, s.field)
	}
	var clock atomic.Int64
	clock.Store(t0)
	s := openWith(t, t.TempDir(), schema, Options{
		MemoryLimit: "384MB", CompactEvery: time.Second,
		Now: func() time.Time { return time.UnixMilli(clock.Load()) },
	})
	count := max(1, total/(figuresDays*figuresSteps))
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("battery-%05d", i)
	}
	var rates []float64 // of every million, while Append runs
	var waits []time.Duration
	var appending time.Duration
	batch := make([]telemetry.Reading, 0, 10_000)
	values := make([]telemetry.Value, cap(batch)*len(fields))
	rows := 0
	flush := func() {
		start := time.Now()
		if got := mustAppend(t, s, batch...); got.New != len(batch) {
			t.Fatalf("got %+v, want %d new", got, len(batch))
		}
		waits = append(waits, time.Since(start))
		appending += waits[len(waits)-1]
		if rows += len(batch); rows/1_000_000 > (rows-len(batch))/1_000_000 {
			rates = append(rates, 1_000_000/appending.Seconds())
			appending = 0
		}
		batch = batch[:0]
	}
	logMemory(t, s) // of the generator, and of a store with nothing in it
	loading := time.Now()
	for step := range figuresDays * figuresSteps {
		ts := t0 + int64(step)*telemetry.Day/figuresSteps
		for i, name := range names {
			life := rec[i%simulated]
			row := life[(step+(i/simulated)*37)%len(life)]
			at := values[len(batch)*len(fields):][:len(fields)]
			for k, f := range fields {
				at[k] = telemetry.Value{Field: f, Num: row[k]}
			}
			if batch = append(batch, telemetry.Reading{Kind: devices.KindBattery, Device: name, TS: ts, Values: at}); len(batch) == cap(batch) {
				flush()
			}
		}
		clock.Store(ts)
	}
	flush()
	t.Logf("loaded %d readings of %d devices in %s", rows, count, time.Since(loading).Round(time.Second))
	slices.Sort(waits)
	t.Logf("append of 10,000: p50 %s, p99 %s, max %s", waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1])
	edge := min(10, len(rates)/2)
	t.Logf("append rate in readings/s: first million %.0f, mean of the first %d million %.0f, of the last %.0f",
		rates[0], edge, mean(rates[:edge]), mean(rates[len(rates)-edge:]))
	logStats(t, s)
	start := time.Now()
	mustCompact(t, s)
	t.Logf("what was left to compact: %s", time.Since(start).Round(time.Millisecond))
	logStats(t, s)
	logMemory(t, s)
	readFigures(t, s, names)
	logMemory(t, s)
}

// logMemory tells what is resident: at most so far, now, and of that the Go heap,
// and what the engines say they hold. The rest of it is what the allocators
// of both keep, and the program.
func logMemory(t *testing.T, s *Store) {
	t.Helper()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	line := fmt.Sprintf("memory: Go heap %d MB of %d from the system", heap.HeapInuse>>20, (heap.Sys-heap.HeapReleased)>>20)
	const held = "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory()"
	err := s.use(t.Context(), func(ctx context.Context, e *engine) error {
		err := e.query.Each(ctx, held, func(c *chunks.Chunk) { line += fmt.Sprintf(", reading engine %d MB", c.Int64s(0)[0]>>20) })
		return errors.Join(err, query(ctx, e.writer, held, nil, func(row []driver.Value) error {
			line += fmt.Sprintf(", writing engine %d MB", row[0].(int64)>>20)
			return nil
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(line)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // of this system only the other figures are known
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "RssAnon") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// spent is the processor time of this process so far.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

func logStats(t *testing.T, s *Store) {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", st)
	if st.Sealed.Rows > 0 {
		t.Logf("sealed bytes per reading: %.2f", float64(st.Sealed.Bytes)/float64(st.Sealed.Rows))
	}
}

// fleetRead is a read of the jobs: many devices, a day or two.
type fleetRead struct {
	name string
	q    telemetry.RangeQuery
}

// fleetReads are such reads from a day on, counted from t0, of stores that have
// the given devices.
func fleetReads(names []string, day int64) []fleetRead {
	base := telemetry.RangeQuery{
		Kind:   devices.KindBattery,
		Window: telemetry.Window{From: t0 + day*telemetry.Day, To: t0 + (day+1)*telemetry.Day},
	}
	for _, s := range sensors[:8] {
		base.Fields = append(base.Fields, s.field)
	}
	all, two, some, half := base, base, base, base
	two.Window.To += telemetry.Day
	some.Devices = names[len(names)/3:][:min(2000, len(names)/3)]
	for i := 0; i < len(names); i += 2 {
		half.Devices = append(half.Devices, names[i])
	}
	return []fleetRead{
		{"devices=all/days=1/fields=8", all},
		{"devices=all/days=2/fields=8", two},
		{fmt.Sprintf("devices=%d/days=1/fields=8", len(some.Devices)), some},
		{"devices=second/days=1/fields=8", half},
	}
}

func readFigures(t *testing.T, s *Store, names []string) {
	t.Helper()
	month := telemetry.RangeQuery{
		Kind: devices.KindBattery, Devices: names[len(names)/3:][:1],
		Window: telemetry.Window{From: t0 + 30*telemetry.Day, To: t0 + 60*telemetry.Day},
	}
	quarter := telemetry.RangeQuery{
		Kind: devices.KindBattery, Devices: names[:min(1000, len(names))],
		Fields: []string{"soc_pct", "power_w", "temperature_c", "current_a"}, Window: always,
	}
	all := telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}
	type figure struct {
		name string
		read func() (int, error)
	}
	reads := []figure{
		{"30 days of one device, all fields", func() (n int, err error) {
			err = s.Range(t.Context(), month, func(telemetry.Reading) error { n++; return nil })
			return n, err
		}},
		{"hourly means of 4 fields, up to 1,000 devices, 90 days", func() (int, error) {
			b, err := s.Aggregate(t.Context(), telemetry.AggregateQuery{RangeQuery: quarter, Func: telemetry.Mean, Every: time.Hour})
			return len(b), err
		}},
		{"hourly maxima of the same", func() (int, error) {
			b, err := s.Aggregate(t.Context(), telemetry.AggregateQuery{RangeQuery: quarter, Func: telemetry.Max, Every: time.Hour})
			return len(b), err
		}},
		{"latest of all devices, all fields", func() (int, error) {
			l, err := s.Latest(t.Context(), all)
			return len(l), err
		}},
	}
	for _, fleet := range fleetReads(names, 40) {
		reads = append(reads, figure{fleet.name, func() (n int, err error) {
			err = s.Range(t.Context(), fleet.q, func(telemetry.Reading) error { n++; return nil })
			return n, err
		}})
	}
	for _, r := range reads {
		for _, again := range []string{"first", "again"} {
			start, before := time.Now(), spent()
			n, err := r.read()
			if err != nil || n == 0 {
				t.Fatalf("%s: got %d, error %v", r.name, n, err)
			}
			cpu := spent() - before
			t.Logf("%s, %s: %d in %s, %s of processor, %.0f a second of it", r.name, again, n,
				time.Since(start).Round(100*time.Microsecond), cpu.Round(100*time.Microsecond), float64(n)/cpu.Seconds())
		}
	}
}
