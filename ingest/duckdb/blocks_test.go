package duckdb

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// TestFillingIsBounded adds rows of one part for which there is no room.
func TestFillingIsBounded(t *testing.T) {
	const limit = 100 * 16
	room := int64(limit)
	f := &filling{into: newBlocks(limit), device: "a", asked: []column{{"soc_pct", "DOUBLE"}}, room: &room}
	f.begin([]*part{{id: 1, day: telemetry.DayOf(t0)}})
	ts, column := make([]int64, 40), []values{{nums: make([]float64, 40), stride: 1}}
	for i := range int64(5) {
		for row := range ts {
			ts[row] = t0 + 40*i + int64(row)
		}
		if f.add(ts, []int{0}, column); len(f.open.ts) > 100 {
			t.Fatalf("holds %d rows, want 100 at most", len(f.open.ts))
		}
	}
	if f.end(); len(f.into.byKey) != 0 || room != limit {
		t.Errorf("got %+v and room for %d bytes, want nothing remembered", f.into.read(), room)
	}
}

// drawnBlock is a block of so many rows, with a text column among others.
func drawnBlock(rows, columns int) *block {
	b := &block{ts: make([]int64, rows)}
	for i := range columns {
		b.columns = append(b.columns, blockColumn{name: fmt.Sprint("c", i), nums: make([]float64, rows)})
	}
	b.columns = append(b.columns, blockColumn{name: "text", words: &words{codes: make([]uint32, rows), texts: []string{"", strings.Clone("idle")}}})
	return b
}

// TestCacheTakesWhatItCounts measures the memory of a cache that forgets most
// of what it is given, of large, small and empty blocks.
func TestCacheTakesWhatItCounts(t *testing.T) {
	const limit = 8 << 20
	for _, rows := range []int{0, 4, 96, 2880} {
		before := heap()
		k := newBlocks(limit)
		for i := range 5 * limit / (keptBytes + 48 + 30*rows) {
			b := &block{}
			if rows > 0 {
				b = drawnBlock(rows, 2)
			}
			k.put(int64(i%100), fmt.Sprintf("battery-%06d", i/100), b)
			if k.bytes > limit {
				t.Fatalf("%d rows: got %d bytes, want %d at most", rows, k.bytes, limit)
			}
		}
		took := heap() - before
		if got := k.read(); took > limit+limit/10 || took < limit*7/10 || got.Bytes < limit*9/10 || got.Blocks != len(k.queue) {
			t.Errorf("%d rows: takes %d bytes, counts %+v", rows, took, got)
		}
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCacheKeepsWhatIsAskedFor has few blocks asked for again and again while
// many others come and go.
func TestCacheKeepsWhatIsAskedFor(t *testing.T) {
	one := drawnBlock(96, 3)
	k := newBlocks(100 * (one.bytes() + keptBytes + 20))
	p := func(id int) *part { return &part{id: int64(id), fields: map[string]bool{"c0": true, "c9": true}} }
	columns := []column{{"c0", "DOUBLE"}, {"gone", "DOUBLE"}} // the part does not have the other
	for i := range 50 {
		k.put(int64(i), "dear", one)
	}
	for i := range 2000 {
		k.put(int64(i), "passing", drawnBlock(96, 3))
		if k.of(p(i%50), "dear", columns) == nil {
			t.Fatalf("block %d is forgotten after %d others", i%50, i+1)
		}
	}
	if k.of(p(0), "passing", columns) != nil {
		t.Error("the first of the others is there yet")
	}
	if k.of(p(0), "dear", []column{{"c9", "DOUBLE"}}) != nil {
		t.Error("got a block without the column")
	}
	k.put(0, "dear", &block{ts: one.ts, columns: []blockColumn{{name: "c9"}}})
	if b := k.of(p(0), "dear", []column{{"c9", "DOUBLE"}, {"c0", "DOUBLE"}}); b == nil || len(b.columns) != 5 {
		t.Errorf("got %+v, want the columns of both", b)
	}
	k.drop(map[int64]bool{0: true})
	if k.of(p(0), "dear", columns) != nil || k.of(p(1), "dear", columns) == nil {
		t.Error("want the blocks of one part gone, and no others")
	}
}
