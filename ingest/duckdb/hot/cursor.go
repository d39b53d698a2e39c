package hot

import "slices"

// Run is some readings of one device, ascending by time.
type Run struct {
	Device string
	TS     []int64

	slots  []int // by the cursor's columns, the place in a row; −1: absent
	stride int
	values []float64 // row by row
	texts  []string
}

// Carries reports whether any reading of the run may have column c, counted as
// the cursor was asked for them.
func (r *Run) Carries(c int) bool { return r.slots[c] >= 0 }

// Nums is column c from the first row on: each stride-th number is one of it,
// NaN where it is absent. It is empty where no reading has the column. A number
// of a text column is of no meaning.
func (r *Run) Nums(c int) (nums []float64, stride int) {
	if r.slots[c] < 0 {
		return nil, r.stride
	}
	return r.values[r.slots[c]:], r.stride
}

// Num returns the number of column c in a row; NaN where it is absent.
func (r *Run) Num(c, row int) float64 {
	if r.slots[c] < 0 {
		return absent
	}
	return r.values[row*r.stride+r.slots[c]]
}

// Text returns the text of column c in a row; false where it is absent.
func (r *Run) Text(c, row int) (string, bool) {
	n := r.Num(c, row)
	if n != n { // NaN
		return "", false
	}
	return r.texts[uint32(n)], true
}

// Cursor goes through the readings of several snapshots of one kind, by device,
// then time. Of readings of one identity it shows the one of the first
// snapshot that has it.
type Cursor struct {
	columns []Column
	sources []*source
	merging []*source // of the present device, while several have it
	texts   dictionary
}

// source is a snapshot on its way.
type source struct {
	snap    *Snapshot
	columns []int // by the cursor's columns; −1 where the snapshot has none
	series  int   // the present one
	block   int   // of the present series
	row     int   // of the present block, while merging
}

// NewCursor returns a cursor over snapshots, the newest first. A column that a
// snapshot does not have, or has as the other type, is absent there.
func NewCursor(columns []Column, newestFirst ...*Snapshot) *Cursor {
	c := &Cursor{columns: columns, texts: dictionary{ids: make(map[string]uint32)}}
	for _, snap := range newestFirst {
		if snap == nil {
			continue
		}
		src := &source{snap: snap, columns: make([]int, len(columns))}
		for i, want := range columns {
			src.columns[i] = -1
			for j, have := range snap.columns {
				if have == want {
					src.columns[i] = j
				}
			}
		}
		c.sources = append(c.sources, src)
	}
	return c
}

// Next returns the next run; false at the end. A run may be kept.
func (c *Cursor) Next() (Run, bool) {
	if len(c.merging) > 0 {
		if run, ok := c.merge(); ok {
			return run, true
		}
	}
	var first *source
	for _, s := range c.sources {
		if s.ended() || (first != nil && s.device() > first.device()) {
			continue
		}
		if first == nil || s.device() < first.device() {
			first, c.merging = s, c.merging[:0]
		}
		c.merging = append(c.merging, s)
	}
	switch {
	case first == nil:
		return Run{}, false
	case len(c.merging) > 1:
		return c.merge()
	}
	c.merging = c.merging[:0]
	return first.run(), true
}

func (s *source) ended() bool    { return s.series >= len(s.snap.series) }
func (s *source) device() string { return s.snap.series[s.series].name }

// run is the present block as it stands.
func (s *source) run() Run {
	f := &s.snap.series[s.series]
	v := f.blocks[s.block]
	run := Run{Device: f.name, TS: v.ts, slots: make([]int, len(s.columns)), stride: len(v.layout), values: v.values, texts: s.snap.texts}
	for i, c := range s.columns {
		run.slots[i] = slices.Index(v.layout, c)
	}
	if s.block++; s.block == len(f.blocks) {
		s.series, s.block = s.series+1, 0
	}
	return run
}

// merge makes a run of the next readings of the device that several snapshots
// have; false where all of them are through.
func (c *Cursor) merge() (Run, bool) {
	run := Run{Device: c.merging[0].device(), stride: len(c.columns), slots: make([]int, len(c.columns))}
	for i := range run.slots {
		run.slots[i] = i
	}
	for len(run.TS) < blockRows {
		var next *source
		for _, s := range c.merging {
			if !s.through() && (next == nil || s.time() < next.time()) {
				next = s
			}
		}
		if next == nil {
			break
		}
		ts := next.time()
		c.add(&run, next)
		for _, s := range c.merging {
			if !s.through() && s.time() == ts {
				s.step()
			}
		}
	}
	if len(run.TS) == 0 {
		for _, s := range c.merging {
			s.series, s.block, s.row = s.series+1, 0, 0
		}
		c.merging = c.merging[:0]
		return Run{}, false
	}
	run.texts = c.texts.texts
	return run, true
}

func (s *source) through() bool { return s.block >= len(s.snap.series[s.series].blocks) }
func (s *source) time() int64   { return s.snap.series[s.series].blocks[s.block].ts[s.row] }

func (s *source) step() {
	if s.row++; s.row == len(s.snap.series[s.series].blocks[s.block].ts) {
		s.block, s.row = s.block+1, 0
	}
}

// add appends the present row of s to run.
func (c *Cursor) add(run *Run, s *source) {
	v := s.snap.series[s.series].blocks[s.block]
	run.TS = append(run.TS, v.ts[s.row])
	row := v.values[s.row*len(v.layout) : (s.row+1)*len(v.layout)]
	for i, from := range s.columns {
		n := absent
		if slot := slices.Index(v.layout, from); slot >= 0 {
			n = row[slot]
		}
		if c.columns[i].Text && n == n { // not NaN
			n = float64(c.texts.id(s.snap.texts[uint32(n)]))
		}
		run.values = append(run.values, n)
	}
}
