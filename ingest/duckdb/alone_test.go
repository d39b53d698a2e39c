package duckdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const minute = telemetry.Hour / 60

// cachesOf are no cache, one that takes everything, and one that forgets all the
// time.
func cachesOf() []*blocks { return []*blocks{newBlocks(-1), newBlocks(32 << 20), newBlocks(8 << 10)} }

// remembers replaces the cache, while no merge runs.
func (s *Store) remembers(in *blocks) {
	s.merging.turn <- struct{}{}
	s.engine.blocks = in
	<-s.merging.turn
}

// alone is what the reads of one device say in a window, and of its numbers step
// by step.
func alone(t testing.TB, s *Store, q telemetry.RangeQuery, every time.Duration) (got []string) {
	t.Helper()
	got = ranged(t, s, q)
	if q.Fields = slices.DeleteFunc(slices.Clone(q.Fields), func(name string) bool { return name == "state" || name == "station" }); len(q.Fields) == 0 {
		return got
	}
	for _, fn := range []telemetry.Func{telemetry.Mean, telemetry.Last} {
		buckets, err := s.Aggregate(t.Context(), telemetry.AggregateQuery{RangeQuery: q, Func: fn, Every: every})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets {
			got = append(got, fmt.Sprint(fn, " ", b.Start, " ", valuesOf(telemetry.Reading{Values: b.Values})))
		}
	}
	return got
}

// TestCacheChangesNothing holds what is read of single devices with a cache to
// what is read with none, and to what was appended, whatever of it is sealed,
// overridden, merged and read before.
func TestCacheChangesNothing(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{tile: 8})
	caches := cachesOf()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		names := []string{fmt.Sprint("round ", round, " a"), fmt.Sprint("round ", round, " b"), fmt.Sprint("round ", round, " c")}
		start := t0 + int64(round)*4*telemetry.Day
		instant := rapid.Custom(func(rt *rapid.T) int64 { // also the first and the last of a day
			return start + rapid.Int64Range(0, 3).Draw(rt, "day")*telemetry.Day + rapid.SampledFrom([]int64{0, 1, 2, telemetry.Day / 2, telemetry.Day - 1}).Draw(rt, "ms")
		})
		stored := make(content)
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			batch := make([]telemetry.Reading, rapid.IntRange(0, 12).Draw(rt, "readings"))
			for i := range batch {
				values := make(map[string]any)
				for range rapid.IntRange(1, 3).Draw(rt, "fields") {
					switch name := rapid.SampledFrom([]string{"soc_pct", "voltage_v", "state", "station"}).Draw(rt, "field"); name {
					case "state", "station":
						values[name] = rapid.SampledFrom([]string{"", "idle", "longer than twelve bytes", "a\x00b", "ü"}).Draw(rt, "text")
					default:
						values[name] = float64(rapid.IntRange(0, 9).Draw(rt, "number"))
					}
				}
				batch[i] = reading(schema, rapid.SampledFrom(names).Draw(rt, "device"), instant.Draw(rt, "instant"), values)
				k := key{batch[i].Device, batch[i].TS}
				if stored[k] == nil {
					stored[k] = make(map[string]any)
				}
				for name, v := range values {
					stored[k][name] = v
				}
			}
			mustAppend(t, s, batch...)
			switch rapid.IntRange(0, 3).Draw(rt, "compaction") {
			case 0:
				mustCompact(t, s)
			case 1:
				if err := s.pass(t.Context(), s.sealing, true); err != nil {
					t.Fatal(err)
				}
			}
			for range rapid.IntRange(1, 2).Draw(rt, "reads") {
				q := telemetry.RangeQuery{
					Kind: devices.KindBattery, Window: telemetry.Window{From: instant.Draw(rt, "from"), To: instant.Draw(rt, "to")},
					Devices: []string{rapid.SampledFrom(names).Draw(rt, "asked")},
					Fields:  rapid.SliceOfDistinct(rapid.SampledFrom([]string{"soc_pct", "voltage_v", "state", "station"}), rapid.ID).Draw(rt, "asked fields"),
				}
				s.page = rapid.SampledFrom([]int64{2, 5, pageRows}).Draw(rt, "page")
				every := rapid.SampledFrom([]time.Duration{time.Hour, 35 * time.Hour}).Draw(rt, "every")
				s.remembers(caches[0])
				want := alone(t, s, q, every)
				for _, cache := range []*blocks{caches[1], caches[1], caches[2]} {
					s.remembers(cache)
					if d := cmp.Diff(want, alone(t, s, q, every)); d != "" {
						rt.Fatalf("with a cache of %d bytes (-without +with):\n%s", cache.limit, d)
					}
				}
			}
		}
		s.page = pageRows
		whole := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: names, Window: telemetry.Window{From: start, To: start + 4*telemetry.Day}}
		for _, cache := range caches {
			s.remembers(cache)
			got := make(content)
			err := s.Range(t.Context(), whole, func(r telemetry.Reading) error {
				got[key{r.Device, r.TS}] = valuesOf(r)
				return nil
			})
			if d := cmp.Diff(stored, got); err != nil || d != "" {
				rt.Fatalf("with a cache of %d bytes: error %v (-stored +got):\n%s", cache.limit, err, d)
			}
		}
	})
	if got := caches[1].read(); got.Hits < 100 || got.Misses < 100 {
		t.Errorf("got %+v, want many of both", got)
	}
	if got := caches[2].read(); got.Hits == 0 || got.Bytes > caches[2].limit {
		t.Errorf("got %+v in a small cache", got)
	}
}

// TestReadAgain reads days of a device that were read before from a store that
// can't read files any more.
func TestReadAgain(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	for i := range 90 {
		values := map[string]any{"soc_pct": float64(i), "state": fmt.Sprint("state ", i%3)}
		if i >= 30 { // there is a part without it
			values["voltage_v"] = 48.0
		}
		mustAppend(t, s, reading(schema, fmt.Sprint("d", i%2), t0+int64(i)*telemetry.Hour, values))
		if i == 40 || i == 89 { // two sets of the second day
			if err := s.pass(t.Context(), s.sealing, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustAppend(t, s, reading(schema, "d0", t0+50*telemetry.Hour, map[string]any{"soc_pct": 99.0})) // hot
	days := func(from, to float64, device string, fields ...string) telemetry.RangeQuery {
		day := float64(telemetry.Day)
		return telemetry.RangeQuery{
			Kind: devices.KindBattery, Devices: []string{device}, Fields: fields,
			Window: telemetry.Window{From: t0 + int64(from*day), To: t0 + int64(to*day)},
		}
	}
	again := []telemetry.RangeQuery{
		days(0.5, 2.5, "d0", "soc_pct", "state"),
		days(0, 4, "d0", "state"),     // more than before of days that were read
		days(1, 2, "d0", "soc_pct"),   // less
		days(0, 3, "d1", "soc_pct"),   // gathered field by field
		days(0, 3, "d1", "state"),     //
		days(0, 3, "nobody", "state"), // nothing, also in the parts
	}
	var want [][]string
	for _, q := range again {
		want = append(want, alone(t, s, q, 35*time.Hour))
	}
	before := statsOf(t, s).Cache
	s.engine.query.Close()
	again, want = append(again, days(0, 3, "d1", "state", "soc_pct")), append(want, nil)
	for i, q := range again {
		got := alone(t, s, q, 35*time.Hour)
		if d := cmp.Diff(want[i], got); want[i] != nil && d != "" {
			t.Errorf("query %d again (-first +again):\n%s", i, d)
		}
	}
	after := statsOf(t, s).Cache
	if after.Misses != before.Misses || after.Hits <= before.Hits || after.Blocks != before.Blocks {
		t.Errorf("got %+v, before %+v, want hits only", after, before)
	}
	for name, q := range map[string]telemetry.RangeQuery{"a field": days(1.5, 2, "d0", "voltage_v"), "a device": days(1, 2, "d3")} {
		if err := s.Range(t.Context(), q, func(telemetry.Reading) error { return nil }); err == nil {
			t.Errorf("%s that was not read before: got no error", name)
		}
	}
}

func statsOf(t testing.TB, s *Store) Stats {
	t.Helper()
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// TestDeadParts forgets what is remembered of parts that were merged.
func TestDeadParts(t *testing.T) {
	schema := standard(t)
	s := openWith(t, t.TempDir(), schema, Options{})
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"a"}, Window: always}
	for i := range int64(2) {
		for day := range int64(3) {
			mustAppend(t, s, reading(schema, "a", t0+day*telemetry.Day+i, map[string]any{"soc_pct": float64(i)}))
		}
		if err := s.pass(t.Context(), s.sealing, true); err != nil {
			t.Fatal(err)
		}
	}
	want := ranged(t, s, q)
	if got := statsOf(t, s); len(want) != 6 || got.Cache.Blocks != 6 || got.Parts != 6 {
		t.Fatalf("got %d readings, %+v, want six of each", len(want), got)
	}
	mustCompact(t, s)
	if got := statsOf(t, s); got.Cache.Blocks != 0 || got.Cache.Bytes != 0 || got.Parts != 3 {
		t.Errorf("merged: got %+v, want nothing remembered of parts that are gone", got)
	}
	if d := cmp.Diff(want, ranged(t, s, q)); d != "" {
		t.Errorf("merged (-before +after):\n%s", d)
	}
}

// TestOneReadKeepsLittle reads more than there is room for.
func TestOneReadKeepsLittle(t *testing.T) {
	schema := standard(t)
	const limit, steps = 64 << 10, 24
	s := openWith(t, t.TempDir(), schema, Options{CacheBytes: limit})
	var batch []telemetry.Reading
	for day := range int64(60) {
		for i := range int64(steps) {
			batch = append(batch, reading(schema, "long", t0+day*telemetry.Day+i*telemetry.Hour, map[string]any{"soc_pct": float64(i)}))
		}
		if day < 4 { // few others, so that more is expected of a device than the short one has
			batch = append(batch, reading(schema, "short", t0+day*telemetry.Day, map[string]any{"soc_pct": 1.0}))
		}
	}
	mustAppend(t, s, batch...)
	mustCompact(t, s)
	read := func(device string, days int64) Cache {
		t.Helper()
		q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{device}, Window: telemetry.Window{From: t0, To: t0 + days*telemetry.Day}}
		q.Fields = []string{"soc_pct"}
		before := statsOf(t, s).Cache
		for _, page := range []int64{pageRows, 7} {
			s.page = page
			ranged(t, s, q)
		}
		after := statsOf(t, s).Cache
		if after.Bytes-before.Bytes > 2*limit/oneRead || after.Bytes > limit {
			t.Errorf("%d days of %s: got %+v, before %+v", days, device, after, before)
		}
		return after
	}
	few := read("short", 4)
	if few.Blocks != 4 || few.Hits != 4 {
		t.Errorf("got %+v, want four days read and found again", few)
	}
	if got := read("long", 60); got.Blocks != few.Blocks {
		t.Errorf("got %+v, before %+v, want nothing remembered of many days", got, few)
	}
	if got := read("long", 4); got.Blocks != few.Blocks+4 {
		t.Errorf("got %+v, before %+v, want four days more", got, few)
	}
}

// TestMoreThanExpected reads a device that has far more than others: what it is
// expected to have would fit, what it has doesn't.
func TestMoreThanExpected(t *testing.T) {
	schema := standard(t)
	const limit = 32 << 10
	s := openWith(t, t.TempDir(), schema, Options{CacheBytes: limit})
	s.page = 50
	var batch []telemetry.Reading
	for i := range 600 {
		batch = append(batch, reading(schema, "much", t0+int64(i)*minute, map[string]any{"soc_pct": float64(i)}))
		batch = append(batch, reading(schema, fmt.Sprint("other ", i), t0, map[string]any{"soc_pct": 1.0}))
	}
	mustAppend(t, s, batch...)
	mustCompact(t, s)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"much"}, Window: always}
	for range 2 {
		if got := ranged(t, s, q); len(got) != 600 {
			t.Errorf("got %d readings, want 600", len(got))
		}
	}
	if got := statsOf(t, s).Cache; got.Blocks != 0 || got.Misses != 2 {
		t.Errorf("got %+v, want nothing remembered", got)
	}
	q.Window = telemetry.Window{From: t0 + 590*minute, To: t0 + 595*minute}
	if got := ranged(t, s, q); len(got) != 5 {
		t.Errorf("got %d readings, want 5", len(got))
	}
	// Once it is known that there are too many, no more are read than are asked for.
	rows := 0
	err := s.use(t.Context(), func(ctx context.Context, e *engine) error {
		return e.view(ctx, q, func(v *view) error {
			p := v.plan(q, v.table.fieldColumns([]*devices.Field{schema.Field(q.Kind, "soc_pct")}), s.page, true)
			pages := p.alone(ctx, p.units[0])[0].(*pageStream)
			defer pages.close()
			for {
				more, err := pages.nextChunk()
				if err != nil || !more {
					return err
				}
				rows += pages.chunk.Len
			}
		})
	})
	if err != nil || rows > 400 {
		t.Errorf("got %d rows read, %v, want some of the 600", rows, err)
	}
}

// TestCacheBesideMerges reads single devices while their days are sealed, merged
// and removed. What is in the store is a function of the device and the time.
func TestCacheBesideMerges(t *testing.T) {
	schema := standard(t)
	for _, limit := range []int64{0, 8 << 10} {
		t.Run(fmt.Sprint("limit=", limit), func(t *testing.T) {
			s := openWith(t, t.TempDir(), schema, Options{CacheBytes: limit, tile: 50})
			const count, days, rounds = 6, 3, 12
			ctx, stop := context.WithCancel(t.Context())
			var readers, writer errgroup.Group
			for r := range 3 {
				rnd := rand.New(rand.NewPCG(uint64(r), 1))
				readers.Go(func() error {
					for ctx.Err() == nil {
						device := rnd.IntN(count)
						from := t0 + rnd.Int64N(days)*telemetry.Day + rnd.Int64N(2)*telemetry.Hour
						q := telemetry.RangeQuery{
							Kind: devices.KindBattery, Devices: []string{fmt.Sprint("d", device)}, Fields: []string{"soc_pct", "state"}[:1+rnd.IntN(2)],
							Window: telemetry.Window{From: from, To: from + telemetry.Day*(1+rnd.Int64N(days))},
						}
						last := q.Window.From - 1
						err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
							n, _ := r.Num("soc_pct")
							if n != float64(device+int(r.TS/minute)%50) || r.TS <= last || r.TS >= q.Window.To {
								return fmt.Errorf("got %v at %d after %d, in %+v", valuesOf(r), r.TS, last, q)
							}
							if len(q.Fields) == 2 && r.Values[1].Text != fmt.Sprint("state ", r.TS/minute%3) {
								return fmt.Errorf("got %v at %d", valuesOf(r), r.TS)
							}
							last = r.TS
							return nil
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			writer.Go(func() error {
				defer stop()
				for round := range rounds {
					var batch []telemetry.Reading
					for i := range count * days * 4 {
						ts := t0 + int64(i/count%days)*telemetry.Day + int64(round*4+i/count/days)*minute
						batch = append(batch, reading(schema, fmt.Sprint("d", i%count), ts, map[string]any{
							"soc_pct": float64(i%count + int(ts/minute)%50), "state": fmt.Sprint("state ", ts/minute%3),
						}))
					}
					if _, err := s.Append(ctx, batch); err != nil {
						return err
					}
					if err := s.compact(ctx, round%3 == 2); err != nil {
						return err
					}
					if err := s.pass(ctx, s.sealing, true); err != nil {
						return err
					}
				}
				return nil
			})
			if err := errors.Join(writer.Wait(), readers.Wait()); err != nil {
				t.Fatal(err)
			}
			if got := statsOf(t, s); got.Cache.Hits == 0 || got.Cache.Misses == 0 || got.Compaction.Merges == 0 {
				t.Errorf("got %+v, want hits, misses and merges", got)
			}
		})
	}
}
