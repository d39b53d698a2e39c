package quarantine_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 345e6, time.UTC)

// overhead is what an entry counts for beside its bytes.
const overhead = 128

func open(t testing.TB, path string, opts quarantine.Options) *quarantine.Quarantine {
	t.Helper()
	opts.Now = func() time.Time { return noon }
	q, err := quarantine.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return q
}

func fresh(t testing.TB, opts quarantine.Options) *quarantine.Quarantine {
	t.Helper()
	q := open(t, filepath.Join(t.TempDir(), "quarantine.db"), opts)
	t.Cleanup(func() { closed(t, q) })
	return q
}

func closed(t testing.TB, q *quarantine.Quarantine) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, wholeBytes()); diff != "" {
		t.Errorf("%s: want − got +\n%s", what, diff)
	}
}

// wholeBytes compares payloads at once; byte by byte takes seconds.
func wholeBytes() cmp.Option { return cmp.Comparer(bytes.Equal) }

// list returns the entries without the ids, which it checks.
func list(t testing.TB, q *quarantine.Quarantine, f quarantine.Filter) (entries []quarantine.Entry, total int) {
	t.Helper()
	entries, total, err := q.List(t.Context(), f)
	ok(t, err)
	for i := range entries {
		if i > 0 && entries[i].ID >= entries[i-1].ID && entries[i-1].ID != 0 {
			t.Errorf("ids: got %d after %d, want them descending", entries[i].ID, entries[i-1].ID)
		}
	}
	for i := range entries {
		entries[i].ID = 0
	}
	return entries, total
}

func TestAnyBytesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quarantine.db")
	q := open(t, path, quarantine.Options{})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	put := []quarantine.Entry{
		{ReceivedAt: noon, Topic: "fleet/v1/battery/b/telemetry", Device: "battery/b", Principal: "b", Sender: "station/s", Reason: wire.ReasonMalformed, Detail: "cut off", Payload: []byte(`{"ts":`)},
		{ReceivedAt: noon, Topic: string(all), Device: "\xff\x00", Principal: "\xc3\x28", Sender: "\x00\xfe", Trusted: true, Reason: wire.ReasonInvalidUTF8, Detail: "\xed\xa0\x80", Payload: all},
		{ReceivedAt: noon, Topic: "x", Reason: wire.ReasonEmpty, Payload: []byte{}},
		{ReceivedAt: noon, Topic: strings.Repeat("t", 65535), Reason: wire.ReasonTooLarge, Payload: make([]byte, 2<<20)},
	}
	ok(t, q.Put(t.Context(), put))
	ok(t, q.Put(t.Context(), []quarantine.Entry{{Reason: wire.ReasonFuture}}))
	ok(t, q.Put(t.Context(), nil))
	want := append(slices.Clone(put), quarantine.Entry{ReceivedAt: noon, Reason: wire.ReasonFuture, Payload: []byte{}})
	slices.Reverse(want)
	closed(t, q)
	q = open(t, path, quarantine.Options{})
	defer closed(t, q)
	got, total := list(t, q, quarantine.Filter{})
	if total != len(want) {
		t.Errorf("total: got %d, want %d", total, len(want))
	}
	same(t, "entries", got, want)
	got, total = list(t, q, quarantine.Filter{Device: "\xff\x00"})
	if total != 1 || len(got) != 1 || got[0].Topic != string(all) {
		t.Errorf("by a device of awkward bytes: got %d of %d, want the one", len(got), total)
	}
}

func TestGetDeleteCounts(t *testing.T) {
	q, ctx := fresh(t, quarantine.Options{}), t.Context()
	counts, err := q.Counts(ctx)
	ok(t, err)
	same(t, "counts of nothing", counts, map[wire.Reason]int{})
	ok(t, q.Put(ctx, []quarantine.Entry{
		{Reason: wire.ReasonEmpty, Topic: "1"}, {Reason: wire.ReasonFuture, Topic: "2"}, {Reason: wire.ReasonEmpty, Topic: "3"},
	}))
	entries, _, err := q.List(ctx, quarantine.Filter{Reason: wire.ReasonEmpty})
	ok(t, err)
	if len(entries) != 2 || entries[0].Topic != "3" {
		t.Fatalf("by reason: got %v, want 3 and 1", entries)
	}
	id := entries[0].ID
	got, err := q.Get(ctx, id)
	ok(t, err)
	same(t, "Get", got, entries[0])
	ok(t, q.Delete(ctx, id))
	if err := q.Delete(ctx, id); !errors.Is(err, quarantine.ErrNotFound) {
		t.Errorf("Delete again: got %v, want %v", err, quarantine.ErrNotFound)
	}
	if _, err := q.Get(ctx, id); !errors.Is(err, quarantine.ErrNotFound) {
		t.Errorf("Get of a deleted one: got %v, want %v", err, quarantine.ErrNotFound)
	}
	counts, err = q.Counts(ctx)
	ok(t, err)
	same(t, "counts", counts, map[wire.Reason]int{wire.ReasonEmpty: 1, wire.ReasonFuture: 1})
	if got := q.Purged(); got != 0 {
		t.Errorf("Purged after Delete: got %d, want 0", got)
	}
	ok(t, q.Put(ctx, []quarantine.Entry{{Reason: wire.ReasonEmpty}}))
	entries, _, err = q.List(ctx, quarantine.Filter{Limit: 1})
	ok(t, err)
	if entries[0].ID <= id {
		t.Errorf("id after a deletion: got %d, want more than %d, which may be known to somebody", entries[0].ID, id)
	}
}

func TestPurgeByAge(t *testing.T) {
	q, ctx := fresh(t, quarantine.Options{MaxAge: time.Hour}), t.Context()
	for _, age := range []time.Duration{3 * time.Hour, time.Hour + time.Millisecond, time.Hour, 0} {
		ok(t, q.Put(ctx, []quarantine.Entry{{ReceivedAt: noon.Add(-age), Reason: wire.ReasonEmpty}}))
	}
	for i, want := range []int{2, 0} {
		if got, err := q.Purge(ctx, noon); err != nil || got != want {
			t.Errorf("Purge, call %d: got %d, %v, want %d", i+1, got, err, want)
		}
	}
	if _, total := list(t, q, quarantine.Filter{}); total != 2 || q.Purged() != 2 {
		t.Errorf("got %d left and %d counted, want 2 and 2", total, q.Purged())
	}
}

// evict drops from the model, one at a time, the oldest entry of the principal
// that has the most, until what is left is at most maxBytes; the newest stays.
func evict(model []quarantine.Entry, maxBytes int) (left []quarantine.Entry, dropped int64) {
	for {
		total, sizes := 0, map[string]int{}
		for _, e := range model {
			total += size(e)
			sizes[e.Principal] += size(e)
		}
		if total <= maxBytes || len(model) == 1 {
			return model, dropped
		}
		oldest := -1
		for i, e := range model[:len(model)-1] {
			if oldest >= 0 {
				a, b := sizes[e.Principal], sizes[model[oldest].Principal]
				if a < b || (a == b && e.Principal >= model[oldest].Principal) {
					continue
				}
			}
			oldest = i
		}
		model = slices.Delete(slices.Clone(model), oldest, oldest+1)
		dropped++
	}
}

func size(e quarantine.Entry) int {
	return overhead + len(e.Topic) + len(e.Device) + len(e.Principal) + len(e.Sender) + len(e.Reason) + len(e.Detail) + len(e.Payload)
}

// TestModel holds a small quarantine to a slice that drops as evict does, with
// reopenings between.
func TestModel(t *testing.T) {
	const maxBytes = 1000
	path, ctx := filepath.Join(t.TempDir(), "quarantine.db"), t.Context()
	q := open(t, path, quarantine.Options{MaxBytes: maxBytes})
	defer func() { closed(t, q) }()
	rapid.Check(t, func(rt *rapid.T) {
		clean(t, q)
		var model []quarantine.Entry // oldest first
		purged := q.Purged()
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				var entries []quarantine.Entry
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 1200), 1, 4).Draw(rt, "sizes") {
					entries = append(entries, quarantine.Entry{
						ReceivedAt: noon, Topic: "t", Device: "d", Detail: "é", Payload: make([]byte, n),
						Principal: rapid.SampledFrom([]string{"", "p", "q\xff"}).Draw(rt, "principal"),
						Reason:    rapid.SampledFrom([]wire.Reason{wire.ReasonEmpty, wire.ReasonFuture}).Draw(rt, "reason"),
					})
				}
				ok(t, q.Put(ctx, entries))
				model = append(model, entries...)
				left, dropped := evict(model, maxBytes)
				model = left
				purged += dropped
			},
			"delete": func(rt *rapid.T) {
				if len(model) == 0 {
					rt.Skip("empty")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "index")
				entries, _, err := q.List(ctx, quarantine.Filter{Limit: 1, Offset: len(model) - 1 - i})
				ok(t, err)
				ok(t, q.Delete(ctx, entries[0].ID))
				model = slices.Delete(slices.Clone(model), i, i+1)
			},
			"reopen": func(rt *rapid.T) {
				if rapid.IntRange(0, 4).Draw(rt, "seldom") != 0 {
					rt.Skip("opening takes long")
				}
				closed(t, q)
				q = open(t, path, quarantine.Options{MaxBytes: maxBytes})
				purged = 0
			},
			"": func(rt *rapid.T) {
				want := slices.Clone(model)
				slices.Reverse(want)
				got, total := list(t, q, quarantine.Filter{})
				if total != len(want) || q.Purged() != purged {
					rt.Fatalf("got %d entries, %d purged, want %d, %d", total, q.Purged(), len(want), purged)
				}
				if diff := cmp.Diff(want, got, wholeBytes()); len(want) > 0 && diff != "" {
					rt.Fatalf("entries: want − got +\n%s", diff)
				}
			},
		})
	})
}

// clean deletes all entries.
func clean(t testing.TB, q *quarantine.Quarantine) {
	t.Helper()
	entries, _, err := q.List(t.Context(), quarantine.Filter{})
	ok(t, err)
	for _, e := range entries {
		ok(t, q.Delete(t.Context(), e.ID))
	}
}

func TestConcurrentPuts(t *testing.T) {
	const putters, puts, keep = 4, 25, 10
	q, ctx := fresh(t, quarantine.Options{MaxBytes: keep * (overhead + 5 + 100)}), t.Context()
	var wg sync.WaitGroup
	for p := range putters {
		wg.Go(func() {
			for i := range puts {
				e := quarantine.Entry{Reason: wire.ReasonEmpty, Payload: make([]byte, 100)}
				if err := q.Put(ctx, []quarantine.Entry{e}); err != nil {
					t.Errorf("Put %d of %d: %v", i, p, err)
				}
				if _, _, err := q.List(ctx, quarantine.Filter{Limit: 3}); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
	_, total := list(t, q, quarantine.Filter{})
	if total != keep || q.Purged() != putters*puts-keep {
		t.Errorf("got %d kept and %d purged, want %d and %d", total, q.Purged(), keep, putters*puts-keep)
	}
}

func TestCloseTwice(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "quarantine.db"), quarantine.Options{})
	closed(t, q)
	closed(t, q)
	if err := q.Put(t.Context(), []quarantine.Entry{{Reason: wire.ReasonEmpty}}); err == nil {
		t.Error("a closed quarantine took an entry")
	}
}

func BenchmarkPut(b *testing.B) {
	for _, full := range []bool{false, true} {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("full=%v/entries=%d", full, n), func(b *testing.B) {
				entries := slices.Repeat([]quarantine.Entry{{Topic: "fleet/v1/battery/b/telemetry", Reason: wire.ReasonMalformed, Payload: make([]byte, 200)}}, n)
				opts := quarantine.Options{}
				if full {
					opts.MaxBytes = 16 << 20
				}
				q := fresh(b, opts)
				for i := 0; full && q.Purged() == 0; i++ { // 200 principals with as much
					e := entries[0]
					e.Principal = fmt.Sprint(i % 200)
					ok(b, q.Put(b.Context(), slices.Repeat([]quarantine.Entry{e}, 100)))
				}
				for b.Loop() {
					ok(b, q.Put(b.Context(), entries))
				}
			})
		}
	}
}
