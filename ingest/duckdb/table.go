package duckdb

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fleetwatt/fleetwatt/devices"
)

// table is what the store knows of one kind. Its readings are in segments and in
// Parquet parts:
//
//	device VARCHAR, ts_ms BIGINT, one DOUBLE or VARCHAR for each field
//
// No field may have the names of the first two; the schema sees to it.
// There is no index: Append itself keeps (device, ts_ms) unique.
type table struct {
	measurement *devices.Measurement
	all         []column         // of the fields, also those that have left the schema
	fields      []*devices.Field // of all
	columns     []int            // by Field.Index, the position of its column in all

	// newest is by device its newest reading: a later one is new for certain.
	// Only the one Append that runs adds to it, with mu locked, so that it may
	// read it without.
	mu     sync.RWMutex
	newest map[string]*recency

	// gone is before which time sealed readings may be no more, because of
	// retention.
	gone atomic.Int64

	remembered atomic.Int64 // segments, the one included that is just being

	// sealed is the part of newest that the manifest holds, in so many rows.
	sealed     map[string]int64
	sealedRows int
}

type column struct{ name, typ string }

func (c column) text() bool { return c.typ == "VARCHAR" }

// recency is what is newest of a device.
type recency struct {
	ts atomic.Int64 // of its newest reading

	// During an Append: the newest so far, if turn is its number.
	next int64
	turn uint64

	sealed memory
}

func newTable(m *devices.Measurement) *table {
	t := &table{measurement: m, newest: make(map[string]*recency), sealed: make(map[string]int64)}
	t.gone.Store(math.MinInt64)
	return t
}

// shape gives the table the columns that are known of old, and one for each
// field of the schema that is not among them.
func (t *table) shape(known []column) error {
	t.all = known
	for _, f := range t.measurement.Fields {
		at := slices.IndexFunc(t.all, func(c column) bool { return c.name == f.Name })
		if at < 0 {
			t.all = append(t.all, column{f.Name, columnType(f)})
		} else if t.all[at].typ != columnType(f) {
			return fmt.Errorf("field %s of %s is stored as %s, but the schema says %s: give the field another name, or use another data directory",
				f.Name, t.measurement.Kind, t.all[at].typ, f.Type)
		}
	}
	t.columns = make([]int, len(t.measurement.Fields))
	t.fields = make([]*devices.Field, len(t.all))
	for i, c := range t.all {
		t.fields[i] = t.measurement.Field(c.name)
		if t.fields[i] == nil {
			t.fields[i] = &devices.Field{Name: c.name, Index: -1 - i}
			if c.text() {
				t.fields[i].Type = devices.Text
			}
			continue
		}
		t.columns[t.fields[i].Index] = i
	}
	return nil
}

// fieldColumns are the columns of fields of the schema.
func (t *table) fieldColumns(fields []*devices.Field) []column {
	out := make([]column, len(fields))
	for i, f := range fields {
		out[i] = t.all[t.columns[f.Index]]
	}
	return out
}

// takes reports whether the table has a column for f, which may come from
// another schema of the same fields.
func (t *table) takes(f *devices.Field) bool {
	own := t.measurement.Fields
	if f.Index >= 0 && f.Index < len(own) && own[f.Index] == f {
		return true
	}
	g := t.measurement.Field(f.Name)
	return g != nil && g.Numeric() == f.Numeric()
}

// meet adds a device that has no readings yet.
func (t *table) meet(device string) *recency {
	r := &recency{sealed: memory{looked: math.MinInt64}}
	r.ts.Store(math.MinInt64)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest[strings.Clone(device)] = r
	return r
}

// between is how many devices there are from one to another, both included.
func (t *table) between(first, last string) (n int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for device := range t.newest {
		if first <= device && device <= last {
			n++
		}
	}
	return n
}

// advance records that device has a reading at ts, while nobody else knows t.
func (t *table) advance(device string, ts int64) *recency {
	last := t.newest[device]
	if last == nil {
		last = t.meet(device)
	}
	last.ts.Store(max(last.ts.Load(), ts))
	return last
}

// found records that the newest reading of device in parts is at ts, while
// nobody else knows t.
func (t *table) found(device string, ts int64) {
	t.sealed[device] = ts
	last := t.advance(device, ts)
	last.sealed.looked = max(last.sealed.looked, ts+1)
}

// of is what is newest of a device; nil where it has no readings.
func (t *table) of(device string) *recency {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.newest[device]
}

// forget records that readings of before a day are being removed.
func (t *table) forget(day int64) {
	if day == math.MinInt64 {
		return // nothing ever is
	}
	t.mu.Lock() // both halves of a compaction do it
	defer t.mu.Unlock()
	t.gone.Store(max(t.gone.Load(), startOf(day)))
}

func columnType(f *devices.Field) string {
	if f.Numeric() {
		return "DOUBLE"
	}
	return "VARCHAR"
}

// quote makes an identifier of a name of the schema.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal makes a string constant of a path.
func literal(path string) string { return "'" + strings.ReplaceAll(path, "'", "''") + "'" }

// constant makes a string constant of any text. The engine plans a statement with
// constants once, one with arguments twice; but no statement can have a zero byte.
func constant(text string) string {
	return "(" + strings.ReplaceAll(literal(text), "\x00", "' || chr(0) || '") + ")"
}
