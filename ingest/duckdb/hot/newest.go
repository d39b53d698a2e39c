package hot

import (
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// lookedUpAtOnce is for how many devices Latest keeps who writes waiting.
const lookedUpAtOnce = 1024

// Latest finds the newest value in w of each field of each device. found has a
// sample for each of names and, of each, for each of fields, which are of the
// table's schema; one that has no device is none. It is replaced where the table
// has a newer one. Each 1,024 names are as of one instant.
func (t *Table) Latest(names []string, fields []*devices.Field, w telemetry.Window, found []telemetry.Sample) {
	for some := range slices.Chunk(names, lookedUpAtOnce) {
		n := len(some) * len(fields)
		t.lookUp(some, fields, w, found[:n])
		found = found[n:]
	}
}

func (t *Table) lookUp(names []string, fields []*devices.Field, w telemetry.Window, found []telemetry.Sample) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i, name := range names {
		if s := t.devices[name]; s != nil {
			t.latest(s, fields, w, found[i*len(fields):][:len(fields)])
		}
	}
}

// latest goes back through the blocks of s until the older ones have nothing
// newer than found.
func (t *Table) latest(s *series, fields []*devices.Field, w telemetry.Window, found []telemetry.Sample) {
	for _, k := range slices.Backward(s.blocks) {
		rows := len(k.ts)
		if k.ts[rows-1] < w.From {
			return
		}
		if k.ts[rows-1] >= w.To {
			rows, _ = slices.BinarySearch(k.ts, w.To)
		}
		open := false
		for i, f := range fields {
			since := w.From
			if found[i].Device != "" {
				since = max(since, found[i].TS+1)
			}
			if row, n := k.newest(f.Index, i, rows, since); row >= 0 {
				found[i] = telemetry.Sample{Device: s.name, TS: k.ts[row], Value: t.value(f, n)}
			} else if since < k.ts[0] {
				open = true
			}
		}
		if !open {
			return
		}
	}
}

// newest is the last of the first rows that has column c and is not before a
// time, and its value; −1 where there is none.
func (k *block) newest(c, guess, rows int, since int64) (int, float64) {
	slot, ok := k.slot(c, guess)
	if !ok {
		return -1, absent
	}
	for row := rows - 1; row >= 0 && k.ts[row] >= since; row-- {
		if n := k.values[row*len(k.layout)+slot]; n == n { // not NaN
			return row, n
		}
	}
	return -1, absent
}
