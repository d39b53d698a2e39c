package hot

import (
	"slices"
	"sort"
)

// blockRows bounds a block: small enough that a reading which comes late moves
// little, large enough that a device's day at a reading a minute is a handful.
const blockRows = 512

// series is the readings of one device, in blocks that ascend by time and do not
// overlap. None is empty.
type series struct {
	name   string
	blocks []*block
}

// block is up to blockRows readings, ascending by time. Its values stand row by
// row: devices report the same fields each time, and a row is written to one
// place in memory, not to one for each field.
type block struct {
	ts     []int64
	layout []int     // the columns that a row has values for, in the order of the row
	values []float64 // len(ts) rows
	// A snapshot holds these slices up to their present length: appending is
	// free, but what is there may not change.
	shared bool
}

// last is the time of the newest reading.
func (s *series) last() int64 {
	b := s.blocks[len(s.blocks)-1]
	return b.ts[len(b.ts)-1]
}

// seek finds ts: the block and the row where it is, or where it belongs.
func (s *series) seek(ts int64) (b, at int, found bool) {
	n := len(s.blocks)
	if n == 0 {
		return 0, 0, false
	}
	if ts > s.last() { // the usual case
		return n - 1, len(s.blocks[n-1].ts), false
	}
	b = sort.Search(n, func(i int) bool { return s.blocks[i].ts[len(s.blocks[i].ts)-1] >= ts })
	at, found = slices.BinarySearch(s.blocks[b].ts, ts)
	return b, at, found
}

// insert makes room for a reading where seek said it belongs, and returns its
// place. All its values are absent.
func (s *series) insert(b, at int, ts int64) (*block, int) {
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, &block{})
	}
	blk := s.blocks[b]
	if len(blk.ts) >= blockRows {
		if at == len(blk.ts) { // behind a full one: another as large may come
			blk = blk.successor()
			s.blocks = slices.Insert(s.blocks, b+1, blk)
			at = 0
		} else {
			b, at = s.split(b, at)
			blk = s.blocks[b]
		}
	}
	if at < len(blk.ts) {
		blk = s.own(b)
	}
	blk.insert(at, ts)
	return blk, at
}

// split cuts block b into halves and returns where row at is then.
func (s *series) split(b, at int) (int, int) {
	old := s.blocks[b]
	half := len(old.ts) / 2
	s.blocks[b] = old.slice(0, half)
	s.blocks = slices.Insert(s.blocks, b+1, old.slice(half, len(old.ts)))
	if at <= half {
		return b, at
	}
	return b + 1, at - half
}

// own makes sure that block b may be changed, and returns it.
func (s *series) own(b int) *block {
	if s.blocks[b].shared {
		s.blocks[b] = s.blocks[b].slice(0, len(s.blocks[b].ts))
	}
	return s.blocks[b]
}

// successor is an empty block with room for as much as k has.
func (k *block) successor() *block {
	return &block{
		ts: make([]int64, 0, len(k.ts)), layout: slices.Clone(k.layout), values: make([]float64, 0, len(k.values)),
	}
}

// slice copies the rows from a to b.
func (k *block) slice(a, b int) *block {
	stride := len(k.layout)
	return &block{
		ts: slices.Clone(k.ts[a:b]), layout: slices.Clone(k.layout), values: slices.Clone(k.values[a*stride : b*stride]),
	}
}

// insert puts a row without values before row at. Only a row at the end may be
// put into a block that is shared.
func (k *block) insert(at int, ts int64) {
	stride := len(k.layout)
	if at == len(k.ts) {
		k.ts = append(k.ts, ts)
	} else {
		k.ts = slices.Insert(k.ts, at, ts)
	}
	n := len(k.values)
	for range stride {
		k.values = append(k.values, absent)
	}
	if from := at * stride; from < n {
		copy(k.values[from+stride:], k.values[from:n])
		for i := range stride {
			k.values[from+i] = absent
		}
	}
}

// slot is the place of column c in a row; false where rows have none. A guess
// that is right is the fastest way to know.
func (k *block) slot(c, guess int) (int, bool) {
	if guess < len(k.layout) && k.layout[guess] == c {
		return guess, true
	}
	i := slices.Index(k.layout, c)
	return i, i >= 0
}

// widen gives rows a place for column c, which they do not have, and returns
// it. Slices that a snapshot holds stay as they are.
func (k *block) widen(c int) int {
	stride := len(k.layout)
	values := make([]float64, 0, max(cap(k.ts), 1)*(stride+1))
	for row := range k.ts {
		values = append(append(values, k.values[row*stride:(row+1)*stride]...), absent)
	}
	k.layout, k.values = append(slices.Clone(k.layout), c), values
	k.shared = false
	k.ts = slices.Clone(k.ts)
	return stride
}

// set writes one value. The block must not be shared, or row be its newest.
func (k *block) set(c, row int, v float64, guess int) {
	slot, ok := k.slot(c, guess)
	if !ok {
		slot = k.widen(c)
	}
	k.values[row*len(k.layout)+slot] = v
}

func (k *block) get(c, row, guess int) float64 {
	slot, ok := k.slot(c, guess)
	if !ok {
		return absent
	}
	return k.values[row*len(k.layout)+slot]
}
