package duckdb

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// batteryParts are the parts of the batteries, as the store has them now.
func batteryParts(s *Store) []*part {
	return s.engine.versions.current().layouts[devices.KindBattery].parts
}

// readings that were yielded, as text.
func ranged(t testing.TB, s *Store, q telemetry.RangeQuery) (got []string) {
	t.Helper()
	err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
		got = append(got, fmt.Sprint(r.Device, " ", r.TS, " ", valuesOf(r)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestTiles divides days into parts of few devices, and reads them in pages of
// many sizes: sealed, with newer readings of the same days in memory, sealed
// apart, and merged.
func TestTiles(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	const tileDevices = 12
	opts := Options{tile: 10}
	s, plain := openWith(t, dir, schema, opts), open(t, t.TempDir(), schema)
	both := func(device, step int, values map[string]any) {
		r := reading(schema, fmt.Sprintf("d%02d", device), t0+int64(step)*telemetry.Day/4, values)
		mustAppend(t, s, r)
		mustAppend(t, plain, r)
	}
	fill := func(first, every int, soc float64) {
		for device := first; device < tileDevices; device += every {
			for step := range 12 {
				values := map[string]any{"soc_pct": soc + float64(step)}
				if step%3 == 0 {
					values = map[string]any{"state": fmt.Sprint("state ", step, " of a long name")}
				}
				both(device, step, values)
			}
		}
	}
	var listed []string
	for i := range tileDevices {
		if i%3 != 1 {
			listed = append(listed, fmt.Sprintf("d%02d", i))
		}
	}
	queries := map[string]telemetry.RangeQuery{
		"all":        {},
		"one field":  {Fields: []string{"soc_pct"}},
		"one device": {Devices: []string{"d07"}},
		"three":      {Devices: []string{"d11", "nobody", "d00"}, Fields: []string{"state"}},
		"many":       {Devices: append([]string{"d05", "x"}, listed...)},
	}
	caches := cachesOf()
	check := func(when string) {
		t.Helper()
		for name, q := range queries {
			q.Kind = devices.KindBattery
			for _, w := range []telemetry.Window{always, {From: t0 + telemetry.Day/2, To: t0 + 5*telemetry.Day/2}} {
				q.Window = w
				want := ranged(t, plain, q)
				for _, page := range []int64{5, 40, pageRows} {
					s.page = page
					for _, cache := range caches {
						s.remembers(cache)
						if d := cmp.Diff(want, ranged(t, s, q)); d != "" {
							t.Errorf("%s: %s in pages of %d, with a cache of %d bytes (-want +got):\n%s", when, name, page, cache.limit, d)
						}
					}
				}
				s.page = 13
				s.remembers(caches[1])
				for _, every := range []time.Duration{time.Hour, 35 * time.Hour} {
					agg := telemetry.AggregateQuery{RangeQuery: q, Func: telemetry.Last, Every: every}
					agg.Fields = []string{"soc_pct"}
					want, err := plain.Aggregate(t.Context(), agg)
					if err != nil {
						t.Fatal(err)
					}
					got, err := s.Aggregate(t.Context(), agg)
					if d := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); err != nil || d != "" {
						t.Errorf("%s: %s every %s: error %v (-want +got):\n%s", when, name, every, err, d)
					}
				}
			}
		}
	}
	fill(0, 2, 0)
	mustCompact(t, s)
	fill(1, 2, 1)
	mustCompact(t, s) // merges two sets of each day
	parts := batteryParts(s)
	if len(parts) < 3*4 {
		t.Errorf("got %d parts of three days, want at least four of each", len(parts))
	}
	for i, p := range parts[1:] {
		if before := parts[i]; p.day == before.day && (p.seq != before.seq || p.fromDevice <= before.toDevice || p.fromDevice > p.toDevice) {
			t.Errorf("got parts %+v and %+v of one day", before, p)
		}
	}
	check("sealed")
	fill(0, 4, 2)
	check("newer ones in memory")
	if err := s.pass(t.Context(), s.sealing, true); err != nil {
		t.Fatal(err)
	}
	check("newer ones sealed apart")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, schema, opts)
	check("opened again")
	mustCompact(t, s)
	check("merged")
	if n := slices.IndexFunc(batteryParts(s), func(p *part) bool { return p.overrides != 0 }); n >= 0 {
		t.Errorf("got %+v, want no overrides", batteryParts(s)[n])
	}
}

// TestOrderOverRowGroups reads a part of several row groups, which the engine
// does in parallel.
func TestOrderOverRowGroups(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	const count, rows = 40, 1200 // three row groups
	var names []string
	for device := range count {
		names = append(names, fmt.Sprintf("a device of the number %02d", device))
		var batch []telemetry.Reading
		for i := range int64(rows) {
			batch = append(batch, reading(schema, names[device], t0+i*1000, map[string]any{"soc_pct": float64(i)}))
		}
		mustAppend(t, s, batch...)
	}
	mustCompact(t, s)
	for _, n := range []int{1, 3, 6, 20, count} {
		var asked []string
		for i := range n {
			asked = append(asked, names[i*count/n])
		}
		seen := 0
		q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: asked, Window: always}
		err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
			if want := asked[seen/rows]; r.Device != want || r.TS != t0+int64(seen%rows)*1000 {
				return fmt.Errorf("reading %d: got %s at %d, want %s", seen, r.Device, r.TS, want)
			}
			seen++
			return nil
		})
		if err != nil || seen != n*rows {
			t.Errorf("%d devices: got %d readings, error %v, want %d", n, seen, err, n*rows)
		}
	}
}

// TestUnevenDevices reads a device that has far more than others, so that what is
// expected of it is far too little.
func TestUnevenDevices(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	const rows = 3000
	for day := range int64(3) {
		var batch []telemetry.Reading
		for i := range int64(rows) {
			batch = append(batch, reading(schema, "m", t0+day*telemetry.Day+i*1000, map[string]any{"soc_pct": 1.0}))
		}
		for i := range 200 {
			batch = append(batch, reading(schema, fmt.Sprint("other ", i), t0+day*telemetry.Day, map[string]any{"soc_pct": 2.0}))
		}
		mustAppend(t, s, batch...)
	}
	mustCompact(t, s)
	s.page = 100
	for _, asked := range [][]string{{"m"}, {"m", "other 1", "other 2", "other 3", "other 4"}} {
		caches := cachesOf()
		for _, cache := range []*blocks{caches[1], caches[1], caches[2]} {
			s.remembers(cache)
			got := ranged(t, s, telemetry.RangeQuery{Kind: devices.KindBattery, Devices: asked, Window: always})
			if want := 3*rows + 3*(len(asked)-1); len(got) != want || !slices.IsSorted(got) {
				t.Errorf("%v, with a cache of %d bytes: got %d readings, in order: %v, want %d", asked, cache.limit, len(got), slices.IsSorted(got), want)
			}
		}
	}
}

// TestManyDaysInFewQueries reads a device whose days are all together more than
// a page.
func TestManyDaysInFewQueries(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	const days, rows = 24, 50
	var batch []telemetry.Reading
	for i := range int64(days * rows) {
		batch = append(batch, reading(schema, "a", t0+i/rows*telemetry.Day+i%rows, map[string]any{"soc_pct": 1.0}))
	}
	mustAppend(t, s, batch...)
	mustCompact(t, s)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"a"}, Window: always}
	for page, want := range map[int64]int{pageRows: days / 2, days * rows: days / 2, 5 * rows: 2, 1: 1} {
		err := s.engine.view(t.Context(), q, func(v *view) error {
			p := v.plan(q, v.table.all, page, true)
			if got, _ := p.reads(p.units[0], days, days); got != want {
				t.Errorf("pages of %d rows: got %d days of %d rows in a query, want %d", page, got, rows, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
