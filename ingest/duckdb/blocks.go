package duckdb

import (
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// block is what a part has of a device, with some of the part's columns,
// ascending by time; none at all where the device is not in the part. It never
// changes, since parts don't.
type block struct {
	ts      []int64
	columns []blockColumn
}

// blockColumn is a column of a block; neither nums nor words: no row has a value.
type blockColumn struct {
	name  string
	nums  []float64 // NaN where a row has no number
	words *words
}

// words is a column of texts, which are mostly states: the same few many times.
type words struct {
	codes []uint32 // by row, which of the texts it is
	texts []string // each once; the first stands where a row has none
}

// at is the text in a row; false where there is none.
func (w *words) at(row int) (string, bool) {
	code := w.codes[row]
	return w.texts[code], code > 0
}

// column is the one of a name; nil where the block does not have it.
func (b *block) column(name string) *blockColumn {
	for i := range b.columns {
		if b.columns[i].name == name {
			return &b.columns[i]
		}
	}
	return nil
}

// tells reports whether b, which is of p, has all that p has of columns.
func (b *block) tells(p *part, columns []column) bool {
	for _, c := range columns {
		if len(b.ts) > 0 && b.column(c.name) == nil && p.fields[c.name] {
			return false
		}
	}
	return true
}

// joined is b with what else another block of the same rows has.
func (b *block) joined(other *block) *block {
	out := &block{ts: b.ts, columns: slices.Clone(b.columns)}
	for _, c := range other.columns {
		if b.column(c.name) == nil {
			out.columns = append(out.columns, c)
		}
	}
	return out
}

// bytes is what b takes in memory.
func (b *block) bytes() int64 {
	n := unsafe.Sizeof(*b) + 8*uintptr(cap(b.ts)) + unsafe.Sizeof(blockColumn{})*uintptr(cap(b.columns))
	for _, c := range b.columns {
		n += 8 * uintptr(cap(c.nums))
		if c.words == nil {
			continue
		}
		n += unsafe.Sizeof(*c.words) + 4*uintptr(cap(c.words.codes)) + unsafe.Sizeof("")*uintptr(cap(c.words.texts))
		for _, text := range c.words.texts {
			n += uintptr(len(text))
		}
	}
	return int64(n)
}

// blocks remembers blocks that were read, up to so many bytes. It forgets those
// first that came first, but for those that were asked for since: a read of many
// devices, once each, does not drive out the few that are asked for again and
// again. A block that is forgotten stays good for those who have it.
type blocks struct {
	limit int64 // bytes; nothing is remembered where it is not above 0

	mu           sync.Mutex
	byKey        map[blockKey]*keptBlock
	queue        []*keptBlock // all of byKey, those to be forgotten next first
	bytes        int64
	hits, misses int64
}

type blockKey struct {
	part   int64 // its id, which no other part ever gets
	device string
}

type keptBlock struct {
	blockKey
	*block
	size  int64
	asked bool // for, since it came to its place in the queue
}

// keptBytes is what it takes to remember a block, beside the block and the name
// of the device: its places in the map, which is half empty at times, and in the
// queue, and what allocations are rounded up by.
const keptBytes = 224

// oneRead is which part of the limit one read may fill.
const oneRead = 8

func newBlocks(limit int64) *blocks {
	return &blocks{limit: limit, byKey: make(map[blockKey]*keptBlock)}
}

// of is what p has of a device; nil where not all of columns are remembered.
func (k *blocks) of(p *part, device string, columns []column) *block {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byKey[blockKey{p.id, device}]
	if e == nil || !e.tells(p, columns) {
		k.misses++
		return nil
	}
	k.hits++
	e.asked = true
	return e.block
}

// put remembers b, beside what is remembered of the same rows already.
func (k *blocks) put(part int64, device string, b *block) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byKey[blockKey{part, device}]
	if e == nil {
		e = &keptBlock{blockKey: blockKey{part, strings.Clone(device)}, block: b}
		k.byKey[e.blockKey] = e
		k.queue = append(k.queue, e)
	} else {
		e.block, e.asked = b.joined(e.block), true
	}
	k.bytes -= e.size
	e.size = e.block.bytes() + int64(len(device)) + keptBytes
	k.bytes += e.size
	for k.bytes > k.limit {
		next := k.queue[0]
		k.queue[0], k.queue = nil, k.queue[1:]
		if next.asked {
			next.asked = false
			k.queue = append(k.queue, next)
			continue
		}
		k.forget(next)
	}
}

// forget takes e, which is not in the queue, out.
func (k *blocks) forget(e *keptBlock) {
	delete(k.byKey, e.blockKey)
	k.bytes -= e.size
}

// drop forgets the blocks of parts that nobody reads any more.
func (k *blocks) drop(parts map[int64]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue = slices.DeleteFunc(k.queue, func(e *keptBlock) bool {
		if parts[e.part] {
			k.forget(e)
		}
		return parts[e.part]
	})
}

func (k *blocks) read() Cache {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Cache{Bytes: k.bytes, Blocks: len(k.byKey), Hits: k.hits, Misses: k.misses}
}
