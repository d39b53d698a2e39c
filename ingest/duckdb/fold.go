package duckdb

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// batch is what one Append has for one table: each identity once.
type batch struct {
	table    *table
	readings []telemetry.Reading
	index    map[identity]int // into readings
	owned    map[int]bool     // readings whose values are the batch's own, not the caller's
}

type identity struct {
	device string
	ts     int64
}

// fold sorts readings out into batches by kind and merges those of one
// identity, the later one winning. Those that the database would not take are
// rejected.
func fold(e *engine, readings []telemetry.Reading) ([]*batch, []telemetry.Rejection) {
	var rejected []telemetry.Rejection
	byKind := make(map[devices.Kind]*batch, len(e.tables))
	var batches []*batch
	for i := range readings {
		r := &readings[i]
		t := e.tables[r.Kind]
		if reason := refuse(t, r); reason != "" {
			rejected = append(rejected, telemetry.Rejection{Index: i, Reason: reason})
			continue
		}
		b := byKind[r.Kind]
		if b == nil {
			left := len(readings) - i
			b = &batch{
				table:    t,
				readings: make([]telemetry.Reading, 0, left),
				index:    make(map[identity]int, left),
				owned:    make(map[int]bool),
			}
			byKind[r.Kind] = b
			batches = append(batches, b)
		}
		b.add(r)
	}
	return batches, rejected
}

func (b *batch) add(r *telemetry.Reading) {
	id := identity{r.Device, r.TS}
	i, repeated := b.index[id]
	if !repeated {
		b.index[id] = len(b.readings)
		b.readings = append(b.readings, *r)
		return
	}
	first := &b.readings[i]
	if !b.owned[i] {
		first.Values = slices.Clone(first.Values)
		b.owned[i] = true
	}
	first.Merge(*r)
}

// advance records the batch as committed.
func (b *batch) advance() {
	for i := range b.readings {
		b.table.advance(b.readings[i].Device, b.readings[i].TS)
	}
}

// refuse says why a reading can't be stored; empty if it can.
func refuse(t *table, r *telemetry.Reading) string {
	if t == nil {
		return fmt.Sprintf("unknown kind %q", r.Kind)
	}
	if r.Device == "" || !utf8.ValidString(r.Device) {
		return fmt.Sprintf("device %q is empty or not UTF-8", r.Device)
	}
	for _, v := range r.Values {
		if _, ok := t.column(v.Field); !ok {
			return fmt.Sprintf("a %s has no %s field %q", r.Kind, v.Field.Type, v.Field.Name)
		}
		switch {
		case v.Field.Numeric() && (math.IsNaN(v.Num) || math.IsInf(v.Num, 0)):
			return fmt.Sprintf("%s is not finite", v.Field.Name)
		case !v.Field.Numeric() && !utf8.ValidString(v.Text):
			return fmt.Sprintf("%s is not UTF-8", v.Field.Name)
		}
	}
	return ""
}
