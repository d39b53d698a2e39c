package duckdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

// openWith opens a store whose compaction runs when it is told to only, unless
// opts say otherwise.
func openWith(t testing.TB, dir string, schema *devices.Schema, opts Options) *Store {
	t.Helper()
	if opts.CompactEvery == 0 {
		opts.CompactEvery = time.Hour
	}
	s, err := Open(context.Background(), dir, schema, opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func mustCompact(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sealing is a store that seals each append before it returns.
type sealing struct{ *Store }

func (s sealing) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	done, err := s.Store.Append(ctx, readings)
	if err != nil {
		return done, err
	}
	return done, s.Compact(ctx)
}

func TestConformanceSealed(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return sealing{openWith(t, t.TempDir(), storetest.Schema(t), Options{tile: 10})}
	})
}

// TestConformanceRolling freezes after every few rows and seals and merges them
// all the time.
func TestConformanceRolling(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return openWith(t, t.TempDir(), storetest.Schema(t), Options{SegmentRows: 50, CompactEvery: 10 * time.Millisecond, tile: 20})
	})
}

// steps are what a compaction does to the layout of the batteries, one at a
// time, so that a test can look in between.
func (s *Store) compactionSteps() []func(context.Context) error {
	in := func(fn func(context.Context, *engine) error) func(context.Context) error {
		return func(ctx context.Context) error { return s.use(ctx, fn) }
	}
	const kind = devices.KindBattery
	return []func(context.Context) error{
		in(func(ctx context.Context, e *engine) error {
			return s.exclusively(ctx, e, func() error { return e.freeze(kind) })
		}),
		in(func(ctx context.Context, e *engine) error {
			if len(e.versions.current().layouts[kind].frozen()) == 0 {
				return nil
			}
			return s.seal(ctx, e, kind)
		}),
		in(func(ctx context.Context, e *engine) error {
			if run := e.nextRun(e.versions.current().layouts[kind], rand.IntN(2) == 0); run != nil {
				return s.mergeParts(ctx, e, kind, run)
			}
			return nil
		}),
		in(func(_ context.Context, e *engine) error { return s.sweep(e) }),
	}
}

// everything is what all kinds of read say of the batteries.
type everything struct {
	Content content
	Latest  []telemetry.Sample
	Newest  []telemetry.Sample // of a window that cuts days
	Buckets map[telemetry.Func][]telemetry.Bucket
	Alone   []string // of single devices, in a window that cuts days
	Rows    int64
}

func readEverything(t testing.TB, s *Store) everything {
	t.Helper()
	all := telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}
	got := everything{Content: contentOf(t, s), Buckets: make(map[telemetry.Func][]telemetry.Bucket)}
	var err error
	if got.Latest, err = s.Latest(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	cut := telemetry.RangeQuery{
		Kind: all.Kind, Devices: []string{"d1", "d2", "nobody"}, Fields: []string{"state", "current_a"},
		Window: telemetry.Window{From: t0 + telemetry.Day/2, To: t0 + 5*telemetry.Day/2},
	}
	if got.Newest, err = s.Latest(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	for _, fn := range telemetry.Funcs() {
		q := telemetry.AggregateQuery{RangeQuery: all, Func: fn, Every: 7 * time.Hour, Fleet: fn == telemetry.Sum}
		if got.Buckets[fn], err = s.Aggregate(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for _, device := range []string{"d1", "d2", "d1"} {
		cut.Devices = []string{device}
		got.Alone = append(got.Alone, alone(t, s, cut, 7*time.Hour)...)
	}
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got.Rows = stats.Rows[devices.KindBattery]
	return got
}

func diffEverything(want, got everything) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(key{}), cmp.Comparer(func(a, b *devices.Field) bool { return a.Name == b.Name }))
}

// TestCompactionChangesNothing holds a store that is compacted in steps, and
// closed and opened in between, to one that never is: the same counts of each
// append and the same of each read, to the bit.
func TestCompactionChangesNothing(t *testing.T) {
	schema := standard(t)
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			plain := openWith(t, t.TempDir(), schema, Options{})
			s := openWith(t, dir, schema, Options{})
			for round := range 20 {
				batch := make([]telemetry.Reading, rnd.IntN(25))
				for i := range batch {
					values := map[string]any{"current_a": rnd.Float64() - 0.5}
					if rnd.IntN(3) == 0 {
						values["state"] = fmt.Sprint(rnd.IntN(3))
					}
					if round > 7 && rnd.IntN(3) == 0 {
						values["soc_pct"] = float64(rnd.IntN(3))
					}
					ts := t0 + int64(rnd.IntN(4))*telemetry.Day + int64(rnd.IntN(6))*5*telemetry.Hour/2
					batch[i] = reading(schema, fmt.Sprint("d", rnd.IntN(4)), ts, values)
				}
				want, got := mustAppend(t, plain, batch...), mustAppend(t, s, batch...)
				if !cmp.Equal(want, got) {
					t.Fatalf("round %d: got %+v, want %+v", round, got, want)
				}
				steps := s.compactionSteps()
				for range rnd.IntN(6) {
					if err := steps[rnd.IntN(len(steps))](t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if rnd.IntN(8) == 0 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = openWith(t, dir, schema, Options{})
				}
				if d := diffEverything(readEverything(t, plain), readEverything(t, s)); d != "" {
					t.Fatalf("round %d (-never compacted +compacted):\n%s", round, d)
				}
			}
			mustCompact(t, s)
			if d := diffEverything(readEverything(t, plain), readEverything(t, s)); d != "" {
				t.Fatalf("at last (-never compacted +compacted):\n%s", d)
			}
			stats, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if stats.Hot.Rows != 0 || stats.Parts != 4 || stats.Sealed.Rows != stats.Rows[devices.KindBattery] {
				t.Errorf("at last: got %+v, want all in one part for each of 4 days, each once", stats)
			}
			if files := partFiles(t, dir); len(files) != stats.Parts {
				t.Errorf("at last: got files %v, want %d", files, stats.Parts)
			}
		})
	}
}

// partFiles lists the files below sealed.
func partFiles(t testing.TB, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "sealed"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestReadDuringCompaction seals, merges and sweeps under a range that is in
// the middle of its pages.
func TestReadDuringCompaction(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	for i := range int64(10) {
		mustAppend(t, s, reading(schema, "a", t0+2*i, map[string]any{"soc_pct": 1.0}))
		if i == 5 {
			mustCompact(t, s)
		}
	}
	s.page = 2
	seen := 0
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"a"}, Window: always}
	err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
		if v, _ := r.Num("soc_pct"); v != 1 {
			t.Errorf("got %v at %d, want 1 of before", v, r.TS)
		}
		seen++
		var g errgroup.Group // yield must not call the store; others may
		g.Go(func() error {
			if _, err := s.Append(t.Context(), []telemetry.Reading{reading(schema, "a", t0+2*int64(seen), map[string]any{"soc_pct": 2.0})}); err != nil {
				return err
			}
			return s.Compact(t.Context())
		})
		return g.Wait()
	})
	if err != nil || seen != 10 {
		t.Errorf("got %d readings, error %v, want 10 of before", seen, err)
	}
	mustCompact(t, s)
	if files := partFiles(t, filepath.Dir(s.path)); len(files) != 1 {
		t.Errorf("afterwards: got files %v, want one", files)
	}
}

// TestFieldsComeAndGoInParts reads parts from before and after fields changed.
func TestFieldsComeAndGoInParts(t *testing.T) {
	dir := t.TempDir()
	extra := func(name string) devices.KindField {
		return devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: name, Min: -1, Max: 1}}
	}
	before, after := standard(t, extra("gone_v")), standard(t, extra("new_v"))
	s := openWith(t, dir, before, Options{})
	mustAppend(t, s, reading(before, "a", t0, map[string]any{"soc_pct": 1.0, "gone_v": 0.5}), reading(before, "a", t0+1, map[string]any{"soc_pct": 1.0}))
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, after, Options{})
	mustAppend(t, s, reading(after, "a", t0, map[string]any{"new_v": 1.0}), reading(after, "a", t0+telemetry.Day, map[string]any{"new_v": 0.0}))
	want := content{
		{"a", t0}:                 {"soc_pct": 1.0, "new_v": 1.0},
		{"a", t0 + 1}:             {"soc_pct": 1.0},
		{"a", t0 + telemetry.Day}: {"new_v": 0.0},
	}
	for range 2 {
		if d := cmp.Diff(want, contentOf(t, s)); d != "" {
			t.Fatalf("with new fields (-want +got):\n%s", d)
		}
		mustCompact(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, before, Options{})
	want = content{
		{"a", t0}:     {"soc_pct": 1.0, "gone_v": 0.5},
		{"a", t0 + 1}: {"soc_pct": 1.0},
	}
	if d := cmp.Diff(want, contentOf(t, s)); d != "" {
		t.Errorf("a compaction lost the value of a field that had left the schema (-want +got):\n%s", d)
	}
}

// TestRetention removes whole days, sealed and hot ones.
func TestRetention(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	now := time.UnixMilli(t0 + 10*telemetry.Day + telemetry.Hour)
	s := openWith(t, dir, schema, Options{Retention: 72 * time.Hour, Now: func() time.Time { return now }})
	at := func(day int64) telemetry.Reading {
		return reading(schema, "a", t0+day*telemetry.Day, map[string]any{"soc_pct": float64(day)})
	}
	days := func() (got []int64) {
		for day := range int64(20) {
			if _, ok := contentOf(t, s)[key{"a", t0 + day*telemetry.Day}]; ok {
				got = append(got, day)
			}
		}
		return got
	}
	mustAppend(t, s, at(5), at(6), at(7), at(8), at(10))
	if d := cmp.Diff([]int64{5, 6, 7, 8, 10}, days()); d != "" {
		t.Errorf("before any compaction (-want +got):\n%s", d)
	}
	mustCompact(t, s)
	if d := cmp.Diff([]int64{7, 8, 10}, days()); d != "" {
		t.Errorf("hot and too old (-want +got):\n%s", d)
	}
	now = now.Add(24 * time.Hour)
	mustCompact(t, s)
	if d := cmp.Diff([]int64{8, 10}, days()); d != "" {
		t.Errorf("sealed and too old (-want +got):\n%s", d)
	}
	if files := partFiles(t, dir); len(files) != 2 {
		t.Errorf("got files %v, want two", files)
	}
	if got := mustAppend(t, s, at(8), at(7)); !cmp.Equal(got, telemetry.Appended{New: 1, Merged: 1}) {
		t.Errorf("appended again: got %+v, want the expired one to be new", got)
	}
}

// TestDayEnds freezes the segment of a day that is over, and merges the parts
// of one that is quiet, without being told.
func TestDayEnds(t *testing.T) {
	schema := standard(t)
	var now atomic.Int64
	now.Store(t0 + telemetry.Hour)
	s := openWith(t, t.TempDir(), schema, Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	pass := func() Stats {
		t.Helper()
		if err := s.compact(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats
	}
	mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}))
	if got := pass(); got.Hot.Rows != 1 {
		t.Errorf("during the day: got %+v, want the row hot", got)
	}
	now.Add(telemetry.Day)
	if got := pass(); got.Hot.Rows != 0 || got.Parts != 1 {
		t.Errorf("after the day: got %+v, want all sealed", got)
	}
	mustAppend(t, s, reading(schema, "a", t0+1, map[string]any{"soc_pct": 1.0}))
	now.Add(telemetry.Day)
	if got := pass(); got.Hot.Rows != 0 || got.Parts != 2 {
		t.Errorf("with a late reading: got %+v, want it in a part of its own", got)
	}
	now.Add(telemetry.Hour)
	if got := pass(); got.Parts != 1 {
		t.Errorf("on a quiet day: got %+v, want one part", got)
	}
}
