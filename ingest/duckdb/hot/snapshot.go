package hot

import (
	"slices"
	"sort"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Snapshot is a table at one instant, or the part of it that was asked for.
type Snapshot struct {
	columns []Column
	texts   []string
	series  []frozen // ascending by name
}

type frozen struct {
	name   string
	blocks []view
}

// view is a block's slices at the time of the snapshot.
type view struct {
	ts     []int64
	layout []int
	values []float64
}

// Snapshot returns the readings of some devices (none named: of all) in a
// window, as they are now.
func (t *Table) Snapshot(names []string, w telemetry.Window) *Snapshot {
	t.mu.Lock() // blocks are marked as shared
	defer t.mu.Unlock()
	s := &Snapshot{columns: slices.Clone(t.columns), texts: t.texts.texts[:len(t.texts.texts):len(t.texts.texts)]}
	if len(names) == 0 {
		for _, d := range t.devices {
			s.take(d, w)
		}
	} else {
		asked := slices.Compact(slices.Sorted(slices.Values(names)))
		for _, name := range asked {
			if d := t.devices[name]; d != nil {
				s.take(d, w)
			}
		}
	}
	slices.SortFunc(s.series, func(a, b frozen) int {
		if a.name < b.name {
			return -1
		}
		return 1 // names are unique
	})
	return s
}

// take adds the blocks of d that have readings in w, cut to it.
func (s *Snapshot) take(d *series, w telemetry.Window) {
	f := frozen{name: d.name}
	first := sort.Search(len(d.blocks), func(i int) bool { return d.blocks[i].ts[len(d.blocks[i].ts)-1] >= w.From })
	for _, b := range d.blocks[first:] {
		if b.ts[0] >= w.To {
			break
		}
		v, ok := view{ts: b.ts, layout: b.layout, values: b.values}.cut(w)
		if !ok {
			continue
		}
		b.shared = true
		v.ts = v.ts[:len(v.ts):len(v.ts)]
		v.values = v.values[:len(v.values):len(v.values)]
		f.blocks = append(f.blocks, v)
	}
	if len(f.blocks) > 0 {
		s.series = append(s.series, f)
	}
}

// Rows is the number of readings of the snapshot.
func (s *Snapshot) Rows() int {
	n := 0
	for _, f := range s.series {
		for _, v := range f.blocks {
			n += len(v.ts)
		}
	}
	return n
}

// Cut is the readings of s in w of the devices from first to last, which are
// both included; where last is empty, of all.
func (s *Snapshot) Cut(w telemetry.Window, first, last string) *Snapshot {
	out := &Snapshot{columns: s.columns, texts: s.texts}
	from, to := 0, len(s.series)
	if last != "" {
		from = sort.Search(len(s.series), func(i int) bool { return s.series[i].name >= first })
		to = sort.Search(len(s.series), func(i int) bool { return s.series[i].name > last })
	}
	for _, f := range s.series[from:max(from, to)] {
		cut := frozen{name: f.name}
		for _, v := range f.blocks {
			if v, ok := v.cut(w); ok {
				cut.blocks = append(cut.blocks, v)
			}
		}
		if len(cut.blocks) > 0 {
			out.series = append(out.series, cut)
		}
	}
	return out
}

// cut is the rows of v in w; false where there are none.
func (v view) cut(w telemetry.Window) (view, bool) {
	if v.ts[0] >= w.From && v.ts[len(v.ts)-1] < w.To {
		return v, true
	}
	from, _ := slices.BinarySearch(v.ts, w.From)
	to, _ := slices.BinarySearch(v.ts, w.To)
	if from >= to {
		return view{}, false
	}
	stride := len(v.layout)
	return view{ts: v.ts[from:to:to], layout: v.layout, values: v.values[from*stride : to*stride : to*stride]}, true
}

// Extent is what a snapshot holds.
type Extent struct {
	Rows        int
	First, Last int64           // times, both included; of no meaning without rows
	Carried     map[string]bool // the columns that some reading carries
}

// Survey goes through the snapshot.
func (s *Snapshot) Survey() Extent {
	e := Extent{Carried: make(map[string]bool)}
	for _, f := range s.series {
		for _, v := range f.blocks {
			if e.Rows == 0 {
				e.First, e.Last = v.ts[0], v.ts[0]
			}
			e.Rows += len(v.ts)
			e.First, e.Last = min(e.First, v.ts[0]), max(e.Last, v.ts[len(v.ts)-1])
			for slot, c := range v.layout {
				if name := s.columns[c].Name; !e.Carried[name] && v.carries(slot) {
					e.Carried[name] = true
				}
			}
		}
	}
	return e
}

// carries reports whether any row has a value in a slot.
func (v view) carries(slot int) bool {
	for at := slot; at < len(v.values); at += len(v.layout) {
		if n := v.values[at]; n == n { // not NaN
			return true
		}
	}
	return false
}
