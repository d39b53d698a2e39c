package ledger_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

func TestDirtyOrderAndNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, ctx := open(t, path), t.Context()
	station := telemetry.DeviceDay{Kind: devices.KindStation, Device: "a", Day: -3}
	mark := func(days ...telemetry.DeviceDay) {
		t.Helper()
		ok(t, l.MarkDirty(ctx, days))
	}
	dirty := func(after int64, want ...telemetry.DeviceDay) (upTo int64) {
		t.Helper()
		days, upTo, err := l.Dirty(ctx, after)
		ok(t, err)
		got := []telemetry.DeviceDay{}
		for _, d := range days {
			got = append(got, d.DeviceDay)
			if d.Seq <= after || d.Seq > upTo {
				t.Errorf("%v: got number %d, want one in (%d, %d]", d.DeviceDay, d.Seq, after, upTo)
			}
		}
		same(t, fmt.Sprintf("dirty after %d", after), got, append([]telemetry.DeviceDay{}, want...))
		return upTo
	}
	if upTo := dirty(0); upTo != 0 {
		t.Errorf("of nothing: got %d, want 0", upTo)
	}
	mark(station, batteryDay("b", 2), batteryDay("b", 10), batteryDay("B", 2), batteryDay("b", 2))
	mark()
	one := dirty(0, batteryDay("B", 2), batteryDay("b", 2), batteryDay("b", 10), station)
	dirty(one)
	mark(batteryDay("b", 2))
	mark(batteryDay("b", 2), batteryDay("c", 1))
	two := dirty(one, batteryDay("b", 2), batteryDay("c", 1))
	// A caller with an older watermark gets both, whoever asked before.
	dirty(0, batteryDay("B", 2), batteryDay("b", 2), batteryDay("b", 10), batteryDay("c", 1), station)
	dirty(two)
	some, _, _, err := l.DirtyOf(ctx, ledger.DirtyQuery{Kinds: []devices.Kind{devices.KindBattery}, FromDay: 2, ToDay: 10})
	ok(t, err)
	if len(some) != 2 || some[0].DeviceDay != batteryDay("B", 2) || some[1].DeviceDay != batteryDay("b", 2) {
		t.Errorf("of batteries on days 2 to 9: got %v", some)
	}

	closed(t, l)
	l = open(t, path)
	defer closed(t, l)
	dirty(two)
	mark(station)
	three := dirty(two, station)
	ok(t, l.Invalidate(ctx, devices.Ref{Kind: devices.KindBattery, ID: "b"}))
	four := dirty(three, batteryDay("b", 2), batteryDay("b", 10))
	ok(t, l.Invalidate(ctx, devices.Ref{Kind: devices.KindBattery, ID: "unknown"}))
	dirty(four)

	spans, err := l.Spans(ctx, devices.KindBattery)
	ok(t, err)
	same(t, "spans", spans, map[string]ledger.DaySpan{"B": {First: 2, Last: 2}, "b": {First: 2, Last: 10}, "c": {First: 1, Last: 1}})
	spans, err = l.Spans(ctx, devices.KindBuilding)
	ok(t, err)
	same(t, "spans of nothing", spans, map[string]ledger.DaySpan{})
}

// A day that was marked and not handed out since is not written again.
func TestMarkingAgainIsFree(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	days := []telemetry.DeviceDay{batteryDay("b", 1), batteryDay("b", 2)}
	seq := func() int64 {
		t.Helper()
		_, upTo, err := l.Dirty(ctx, 0)
		ok(t, err)
		return upTo
	}
	ok(t, l.MarkDirty(ctx, days))
	before := seq()
	for range 10 {
		ok(t, l.MarkDirty(ctx, days))
		ok(t, l.MarkDirty(ctx, days[:1]))
	}
	if got, want := seq(), before+1; got != want {
		t.Errorf("after 20 markings: got number %d, want %d, of the first of them alone", got, want)
	}
}

// More days than the limit come page by page, each once, by the numbers of their
// markings, of which none is cut; what was marked since is on a later page.
func TestDirtyPages(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	var want []string
	for n := range int64(7) {
		var days []telemetry.DeviceDay
		for device := range n + 1 { // 1, 2, … 7 days
			days = append(days, batteryDay(fmt.Sprint(device), n))
		}
		ok(t, l.MarkDirty(ctx, days))
		want = append(want, fmt.Sprint(n, "×", n+1))
	}
	for limit, pages := range map[int]int{1: 8, 4: 7, 6: 6, 28: 1, 27: 2} {
		var got []string
		q, n := ledger.DirtyQuery{Kinds: devices.Kinds(), FromDay: 0, ToDay: 100, Limit: limit}, 0
		for more := true; more; n++ {
			var days []ledger.DirtyDay
			var err error
			days, q.After, more, err = l.DirtyOf(ctx, q)
			ok(t, err)
			count := map[int64]int64{}
			for _, d := range days {
				count[d.Day]++
			}
			if len(days) > limit && len(count) > 1 {
				t.Errorf("limit %d: got a page of %d days", limit, len(days))
			}
			for _, day := range slices.Sorted(maps.Keys(count)) {
				got = append(got, fmt.Sprint(day, "×", count[day]))
			}
		}
		same(t, fmt.Sprint("limit ", limit), got, want)
		if n != pages {
			t.Errorf("limit %d: got %d pages, want %d", limit, n, pages)
		}
	}
	newest, upTo, more, err := l.DirtyOf(ctx, ledger.DirtyQuery{Kinds: devices.Kinds(), ToDay: 100, Newest: 7 + 6 + 1})
	ok(t, err)
	if len(newest) != 7+6 || more || upTo != 7 {
		t.Errorf("of the newest: got %d days up to %d, more %v, want those of the last two markings", len(newest), upTo, more)
	}
	first, upTo, more, err := l.DirtyOf(ctx, ledger.DirtyQuery{Kinds: devices.Kinds(), ToDay: 100, Limit: 6})
	ok(t, err)
	if len(first) != 6 || !more {
		t.Fatalf("got %d days, more %v", len(first), more)
	}
	ok(t, l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("0", 0)}))
	bounded, end, more, err := l.DirtyOf(ctx, ledger.DirtyQuery{After: upTo, UpTo: 7, Kinds: devices.Kinds(), ToDay: 100})
	ok(t, err)
	if len(bounded) != 28-6 || end != 7 || more {
		t.Errorf("got %d days up to %d, more %v, want those that were marked by then", len(bounded), end, more)
	}
	rest, _, more, err := l.DirtyOf(ctx, ledger.DirtyQuery{After: upTo, Kinds: devices.Kinds(), ToDay: 100})
	ok(t, err)
	if len(rest) != 28-6+1 || more || rest[0].DeviceDay != batteryDay("0", 0) {
		t.Errorf("got %d days from %v on, more %v, want all others and what was marked since", len(rest), rest[0], more)
	}
}

// An error leaves no trace in memory: the marking is made good by the next call.
func TestMarkDirtyAfterAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	defer closed(t, l)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	days := []telemetry.DeviceDay{batteryDay("b", 1)}
	if err := l.MarkDirty(cancelled, days); err == nil {
		t.Fatal("with a cancelled context: got no error")
	}
	ok(t, l.MarkDirty(t.Context(), days))
	// Another handle sees what is in the file alone.
	other := open(t, path)
	defer closed(t, other)
	got, _, err := other.Dirty(t.Context(), 0)
	ok(t, err)
	same(t, "in the file", len(got), 1)
}

func TestNoAppendIsMissed(t *testing.T) {
	one := []*ledger.Ledger{fresh(t)}
	missNoAppend(t, slices.Repeat(one, 4), slices.Repeat(one, 2), 300)
}

// missNoAppend has writers that append to a store and mark, and jobs with
// watermarks of their own that ask for dirty days, read the store and save what
// they read. However they interleave, once all is quiet one more run of a job
// must leave its results equal to the store.
func missNoAppend(t *testing.T, writers, jobs []*ledger.Ledger, appends int) {
	t.Helper()
	const keys = 3
	ctx, store := t.Context(), newCountingStore()
	var writing, running sync.WaitGroup
	quiet := make(chan struct{})
	for w, l := range writers {
		writing.Go(func() {
			for i := range appends {
				day := batteryDay("b", int64((w+i)%keys))
				store.append(day)
				if err := l.MarkDirty(ctx, []telemetry.DeviceDay{day}); err != nil {
					t.Errorf("MarkDirty: %v", err)
					return
				}
			}
		})
	}
	for _, l := range jobs {
		running.Go(func() {
			results := make(map[telemetry.DeviceDay]int)
			watermark := int64(0)
			for last := false; ; {
				days, upTo, err := l.Dirty(ctx, watermark)
				if err != nil {
					t.Errorf("Dirty: %v", err)
					return
				}
				for _, d := range days {
					results[d.DeviceDay] = store.count(d.DeviceDay)
				}
				watermark = upTo
				if last {
					break
				}
				select {
				case <-quiet:
					last = true
				default:
				}
			}
			same(t, "results of a job", results, store.all())
		})
	}
	writing.Wait()
	close(quiet)
	running.Wait()
}

// countingStore stands for a telemetry store: what is appended is visible at
// once.
type countingStore struct {
	mu     sync.Mutex
	counts map[telemetry.DeviceDay]int
}

func newCountingStore() *countingStore {
	return &countingStore{counts: make(map[telemetry.DeviceDay]int)}
}

func (s *countingStore) append(d telemetry.DeviceDay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[d]++
}

func (s *countingStore) count(d telemetry.DeviceDay) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[d]
}

func (s *countingStore) all() map[telemetry.DeviceDay]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// TestDirtyModel holds the dirty days of one goroutine, with crashes, to a
// model: a job's results are right after each of its runs, whatever came
// between. A crash is a ledger that is opened again without the memory of the
// one before.
func TestDirtyModel(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "ledger.db"), t.Context()
	l := open(t, path)
	defer func() { closed(t, l) }()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		device := fmt.Sprintf("b%d", run) // one file serves all runs
		store := newCountingStore()
		_, start, err := l.Dirty(ctx, 0)
		ok(t, err)
		type job struct {
			watermark int64
			results   map[telemetry.DeviceDay]int
		}
		jobs := []*job{{start, map[telemetry.DeviceDay]int{}}, {start, map[telemetry.DeviceDay]int{}}}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				var days []telemetry.DeviceDay
				for _, n := range rapid.SliceOfN(rapid.Int64Range(0, 4), 1, 3).Draw(rt, "days") {
					days = append(days, batteryDay(device, n))
					store.append(batteryDay(device, n))
				}
				ok(t, l.MarkDirty(ctx, days))
			},
			"run": func(rt *rapid.T) {
				j := rapid.SampledFrom(jobs).Draw(rt, "job")
				days, upTo, err := l.Dirty(ctx, j.watermark)
				ok(t, err)
				for _, d := range days {
					j.results[d.DeviceDay] = store.count(d.DeviceDay)
				}
				j.watermark = upTo
				if want := store.all(); !maps.Equal(j.results, want) {
					rt.Fatalf("results: got %v, want %v", j.results, want)
				}
			},
			"run that fails": func(rt *rapid.T) {
				j := rapid.SampledFrom(jobs).Draw(rt, "job")
				_, _, err := l.Dirty(ctx, j.watermark)
				ok(t, err)
			},
			"invalidate": func(rt *rapid.T) {
				ok(t, l.Invalidate(ctx, devices.Ref{Kind: devices.KindBattery, ID: device}))
				days, _, err := l.Dirty(ctx, slices.MinFunc(jobs, func(a, b *job) int { return int(a.watermark - b.watermark) }).watermark)
				ok(t, err)
				if len(days) != len(store.all()) {
					rt.Fatalf("after Invalidate: got %d dirty days, want all %d", len(days), len(store.all()))
				}
			},
			"crash": func(rt *rapid.T) {
				if rapid.IntRange(0, 4).Draw(rt, "seldom") != 0 {
					rt.Skip("opening takes long")
				}
				before := l
				l = open(t, path)
				closed(t, before)
			},
		})
	})
}
