package duckdb

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// TestAppendLikeMap holds Append, over a store that is closed and opened again
// in between, to a map of maps: what is stored after it and what it counts.
func TestAppendLikeMap(t *testing.T) {
	schema := standard(t)
	dir := t.TempDir()
	s := open(t, dir, schema)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		want := make(content)
		for range rapid.IntRange(1, 5).Draw(rt, "appends") {
			batch := rapid.SliceOfN(drawnReading(schema, fmt.Sprint("round ", round, " ")), 0, 12).Draw(rt, "batch")
			fresh := 0
			for _, r := range batch {
				k := key{r.Device, r.TS}
				if want[k] == nil {
					fresh++
					want[k] = make(map[string]any)
				}
				maps.Copy(want[k], valuesOf(r))
			}
			got := mustAppend(t, s, batch...)
			if want := (telemetry.Appended{New: fresh, Merged: len(batch) - fresh}); !cmp.Equal(got, want) {
				rt.Fatalf("got %+v, want %+v", got, want)
			}
			if rapid.IntRange(0, 19).Draw(rt, "reopen") == 0 {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, dir, schema)
			}
		}
		got := contentOf(t, s)
		maps.DeleteFunc(got, func(k key, _ map[string]any) bool {
			return !strings.HasPrefix(k.device, fmt.Sprint("round ", round, " "))
		})
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("(-want +got):\n%s", d)
		}
	})
}

// drawnReading draws from few devices, instants and values, so that identities
// meet.
func drawnReading(schema *devices.Schema, prefix string) *rapid.Generator[telemetry.Reading] {
	return rapid.Custom(func(t *rapid.T) telemetry.Reading {
		values := make(map[string]any)
		for range rapid.IntRange(1, 3).Draw(t, "fields") {
			switch name := rapid.SampledFrom([]string{"soc_pct", "voltage_v", "state"}).Draw(t, "field"); name {
			case "state":
				values[name] = rapid.SampledFrom([]string{"", "idle", "a\x00b", "ü"}).Draw(t, "text")
			default:
				values[name] = float64(rapid.IntRange(0, 3).Draw(t, "number"))
			}
		}
		device := rapid.SampledFrom([]string{"a", "b", "B"}).Draw(t, "device")
		return reading(schema, prefix+device, t0+rapid.Int64Range(0, 6).Draw(t, "ts"), values)
	})
}

// TestPagesAreSeamless reads one content in pages of many sizes.
func TestPagesAreSeamless(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	var in []telemetry.Reading
	for device, rows := range []int64{1, 30, 2, 1, 7, 1, 1} {
		for i := range rows {
			r := reading(schema, fmt.Sprint("d", device), t0+i*i, map[string]any{"soc_pct": float64(i)})
			if i%5 == 4 {
				r = reading(schema, r.Device, r.TS, map[string]any{"state": "no number"})
			}
			in = append(in, r)
		}
	}
	mustAppend(t, s, in...)
	queries := map[string]telemetry.RangeQuery{
		"all":          {},
		"one field":    {Fields: []string{"soc_pct"}},
		"one device":   {Devices: []string{"d1"}},
		"some devices": {Devices: []string{"d6", "d1", "d3", "d1", "nobody"}, Fields: []string{"state", "soc_pct"}},
	}
	read := func(q telemetry.RangeQuery, page int64) []string {
		q.Kind, q.Window = devices.KindBattery, telemetry.Window{From: t0, To: t0 + 500}
		s.page = page
		return ranged(t, s, q)
	}
	wants := make(map[string][]string)
	for name, q := range queries {
		want := read(q, pageRows)
		if len(want) == 0 {
			t.Fatalf("%s: got no readings", name)
		}
		wants[name] = want
		for page := int64(1); page < 50; page++ {
			if d := cmp.Diff(want, read(q, page)); d != "" {
				t.Fatalf("%s in pages of %d (-want +got):\n%s", name, page, d)
			}
		}
	}
	mustCompact(t, s)
	for name, q := range queries {
		for _, page := range []int64{1, 2, 3, 7, 31, pageRows} {
			caches := cachesOf()
			for i, cache := range append(caches, caches[1]) {
				s.remembers(cache)
				if d := cmp.Diff(wants[name], read(q, page)); d != "" {
					t.Fatalf("%s, sealed, in pages of %d, cache %d (-want +got):\n%s", name, page, i, d)
				}
			}
		}
	}
}

// TestRangeIsOneSnapshot appends between the pages of a range.
func TestRangeIsOneSnapshot(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	for i := range int64(10) {
		mustAppend(t, s, reading(schema, "a", t0+2*i, map[string]any{"soc_pct": 1.0}))
	}
	s.page = 2
	seen := 0
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"a"}, Window: always}
	err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
		seen++
		appended := make(chan error)
		go func() { // yield must not call the store; others may
			_, err := s.Append(t.Context(), []telemetry.Reading{reading(schema, "a", t0+3+2*int64(seen), map[string]any{"soc_pct": 2.0})})
			appended <- err
		}()
		return <-appended
	})
	if err != nil || seen != 10 {
		t.Errorf("got %d readings, error %v, want 10 of before", seen, err)
	}
}

// TestSumsDoNotDependOnOrder appends the same numbers, which floating point
// rounds differently in each order, in several orders.
func TestSumsDoNotDependOnOrder(t *testing.T) {
	schema := standard(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var in []telemetry.Reading
	var naive float64
	for i := range int64(4000) {
		amps := (rnd.Float64() - 0.5) * math.Pow(10, float64(rnd.IntN(8)-4))
		naive += amps
		in = append(in, reading(schema, fmt.Sprint(i%3), t0+i, map[string]any{"current_a": amps, "energy_in_wh": 1e9 * rnd.Float64()}))
	}
	var want []telemetry.Bucket
	for order := range 4 {
		s := open(t, t.TempDir(), schema)
		for part := range 4 {
			mustAppend(t, s, in[part*1000:(part+1)*1000]...)
		}
		for _, fn := range []telemetry.Func{telemetry.Sum, telemetry.Mean} {
			q := telemetry.AggregateQuery{Func: fn, Every: time.Hour, Fleet: true}
			q.Kind, q.Window = devices.KindBattery, always
			got, err := s.Aggregate(t.Context(), q)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %v, error %v, want one bucket", got, err)
			}
			if fn == telemetry.Sum && math.Abs(got[0].Values[0].Num-naive) > 1e-9*math.Abs(naive) {
				t.Errorf("sum: got %v, want about %v", got[0].Values[0].Num, naive)
			}
			if order == 0 {
				want = append(want, got...)
				continue
			}
			same := cmp.Comparer(func(a, b *devices.Field) bool { return a.Name == b.Name })
			if d := cmp.Diff(want[map[telemetry.Func]int{telemetry.Sum: 0, telemetry.Mean: 1}[fn]], got[0], same); d != "" {
				t.Errorf("%s in order %d (-first +this):\n%s", fn, order, d)
			}
		}
		rnd.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
	}
}

// TestSumOfOddNumbers covers what does not fit the exact sum.
func TestSumOfOddNumbers(t *testing.T) {
	wide := devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: "x", Min: -1e300, Max: 1e300}}
	tests := []struct {
		name, field string
		values      []float64
		want        float64
	}{
		{"one number comes back as it was", "current_a", []float64{0.1}, 0.1},
		{"a register comes back as it was", "energy_in_wh", []float64{0.1}, 0.1},
		{"a small number", "current_a", []float64{1e-12, 1e-12}, 2e-12},
		{"large cancel", "current_a", []float64{5000, 1e-9, -5000}, 1e-9},
		{"far beyond the bounds", "soc_pct", []float64{1e30, 1e30}, 2e30},
		{"a field without useful bounds", "x", []float64{1e299, 1e-9}, 1e299},
		{"a small number of such a field", "x", []float64{1e-9}, 1e-9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			schema := standard(t, wide)
			s := open(t, t.TempDir(), schema)
			for i, v := range tt.values {
				mustAppend(t, s, reading(schema, "a", t0+int64(i), map[string]any{tt.field: v}))
			}
			for fn, want := range map[telemetry.Func]float64{telemetry.Sum: tt.want, telemetry.Mean: tt.want / float64(len(tt.values))} {
				q := telemetry.AggregateQuery{Func: fn, Every: time.Hour}
				q.Kind, q.Window = devices.KindBattery, always
				got, err := s.Aggregate(t.Context(), q)
				if err != nil || len(got) != 1 || got[0].Values[0].Num != want {
					t.Errorf("%s: got %v, error %v, want %v", fn, got, err, want)
				}
			}
		})
	}
}
