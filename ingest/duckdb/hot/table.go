// Package hot is the part of the embedded store that was written last, held in
// memory by column: what the log has and the Parquet files do not have yet. It
// merges readings of one identity, answers for single identities, and hands out
// snapshots that later writes do not touch.
//
// It knows neither files nor SQL. Durability is the log's, queries are DuckDB's.
package hot

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Column is a field as it is stored.
type Column struct {
	Name string
	Text bool
}

// absent stands in a column where a reading does not carry the field. Readings
// hold finite numbers only.
var absent = math.NaN()

// Table holds the readings of one kind. One goroutine writes; any number take
// snapshots beside it.
type Table struct {
	kind devices.Kind
	own  []*devices.Field // by Field.Index; their columns are the first

	mu      sync.RWMutex
	columns []Column
	fields  []*devices.Field // of the columns
	byName  map[string]int
	devices map[string]*series
	texts   dictionary
	rows    int
	days    map[int64]*int // rows of each UTC day
	day     int64          // the one counted last
	ofDay   *int
}

// NewTable returns an empty table with a column for each field of m.
func NewTable(m *devices.Measurement) *Table {
	t := &Table{
		kind: m.Kind, own: m.Fields,
		byName: make(map[string]int), devices: make(map[string]*series), days: make(map[int64]*int),
		texts: dictionary{ids: make(map[string]uint32)},
	}
	for _, f := range m.Fields {
		t.addColumn(f)
	}
	return t
}

func (t *Table) addColumn(f *devices.Field) int {
	c := len(t.columns)
	t.byName[f.Name] = c
	t.columns = append(t.columns, Column{Name: f.Name, Text: !f.Numeric()})
	if c >= len(t.own) { // of no field of the schema
		f = &devices.Field{Name: f.Name, Type: f.Type, Index: -1 - c}
	}
	t.fields = append(t.fields, f)
	return c
}

// Rows is the number of readings.
func (t *Table) Rows() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows
}

// Days lists the UTC days, counted from 1970-01-01, that have readings,
// ascending, and how many each has.
func (t *Table) Days() (days []int64, rows []int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for d := range t.days {
		days = append(days, d)
	}
	slices.Sort(days)
	for _, d := range days {
		rows = append(rows, *t.days[d])
	}
	return days, rows
}

// Newest calls fn with each device and the time of its newest reading, in no
// order.
func (t *Table) Newest(fn func(device string, ts int64)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for name, s := range t.devices {
		fn(name, s.last())
	}
}

// Outcome is what Put did.
type Outcome uint8

// The outcomes of Put.
const (
	Added     Outcome = iota // the identity was not in the table
	Changed                  // it was, and some field has another value now
	Unchanged                // it was, with all these values
)

// Put adds a reading, or merges it into the one of its identity. The reading is
// not kept. Fields of other schemas are known by their names; the error is for
// one whose column holds the other type, and then nothing is changed.
func (t *Table) Put(r *telemetry.Reading) (Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.put(r)
}

// PutAll puts the readings of the table's kind, list by list and in order, such
// that a snapshot has all of them or none, and calls fn with the outcome of
// each. It stops at the first error.
func (t *Table) PutAll(fn func(list, i int, o Outcome), lists ...[]telemetry.Reading) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, readings := range lists {
		for i := range readings {
			if readings[i].Kind != t.kind {
				continue
			}
			o, err := t.put(&readings[i])
			if err != nil {
				return err
			}
			fn(n, i, o)
		}
	}
	return nil
}

func (t *Table) put(r *telemetry.Reading) (Outcome, error) {
	s := t.devices[r.Device]
	if s != nil && t.follows(s, r) {
		t.count(r.TS)
		return Added, nil
	}
	for i := range r.Values {
		if _, err := t.column(r.Values[i].Field); err != nil {
			return 0, err
		}
	}
	if s == nil {
		s = &series{name: strings.Clone(r.Device)}
		t.devices[s.name] = s
	}
	b, at, found := s.seek(r.TS)
	if found {
		return t.merge(s, b, at, r.Values), nil
	}
	blk, row := s.insert(b, at, r.TS)
	for i := range r.Values {
		c, _ := t.column(r.Values[i].Field)
		blk.set(c, row, t.number(&r.Values[i]), i)
	}
	t.count(r.TS)
	return Added, nil
}

// count books a row. Rows mostly come day by day, so the map is rarely asked.
func (t *Table) count(ts int64) {
	t.rows++
	if d := telemetry.DayOf(ts); d != t.day || t.ofDay == nil {
		t.day, t.ofDay = d, t.days[d]
		if t.ofDay == nil {
			t.ofDay = new(int)
			t.days[d] = t.ofDay
		}
	}
	*t.ofDay++
}

// follows appends r where it is newer than all of its device and carries just
// the fields that the block's rows have, which is how a device goes on. It
// reports whether it did; if not, nothing is changed.
func (t *Table) follows(s *series, r *telemetry.Reading) bool {
	k := s.blocks[len(s.blocks)-1]
	n := len(k.values)
	if len(k.ts) >= blockRows || r.TS <= k.ts[len(k.ts)-1] || len(r.Values) != len(k.layout) {
		return false
	}
	for i := range r.Values {
		v := &r.Values[i]
		if c := k.layout[i]; c >= len(t.own) || t.own[c] != v.Field {
			k.values = k.values[:n]
			return false
		}
		k.values = append(k.values, t.number(v))
	}
	k.ts = append(k.ts, r.TS)
	return true
}

// merge writes values over row at of block b.
func (t *Table) merge(s *series, b, at int, values []telemetry.Value) Outcome {
	outcome := Unchanged
	for i := range values {
		c, _ := t.column(values[i].Field)
		n := t.number(&values[i])
		if s.blocks[b].get(c, at, i) == n {
			continue
		}
		s.own(b).set(c, at, n, i)
		outcome = Changed
	}
	return outcome
}

// column is where f is stored; a field of another schema is known by its name
// and gets a column if it has none.
func (t *Table) column(f *devices.Field) (int, error) {
	if f.Index >= 0 && f.Index < len(t.own) && t.own[f.Index] == f {
		return f.Index, nil
	}
	c, ok := t.byName[f.Name]
	if !ok {
		return t.addColumn(f), nil
	}
	if t.columns[c].Text == f.Numeric() {
		return 0, fmt.Errorf("field %s of %s is stored as another type than %s", f.Name, t.kind, f.Type)
	}
	return c, nil
}

// number is how v stands in its column: texts by their place in the
// dictionary, and a negative zero as zero.
func (t *Table) number(v *telemetry.Value) float64 {
	if v.Field.Numeric() {
		return v.Num + 0
	}
	return float64(t.texts.id(v.Text))
}

// Has reports whether the table holds the identity of r, and whether with all
// the values of r.
func (t *Table) Has(r *telemetry.Reading) (held, same bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := t.devices[r.Device]
	if s == nil {
		return false, false
	}
	b, at, found := s.seek(r.TS)
	if !found {
		return false, false
	}
	for i := range r.Values {
		if !t.holds(s.blocks[b], at, &r.Values[i], i) {
			return true, false
		}
	}
	return true, true
}

// holds reports whether row at of a block has the value v.
func (t *Table) holds(k *block, at int, v *telemetry.Value, guess int) bool {
	c, known := t.byName[v.Field.Name]
	if !known || t.columns[c].Text == v.Field.Numeric() {
		return false
	}
	n := k.get(c, at, guess)
	if v.Field.Numeric() {
		return n == v.Num
	}
	return n == n && t.texts.texts[uint32(n)] == v.Text // NaN: absent
}

// Get returns the values stored under an identity, in the order of the columns;
// false where there is none. Columns that are of no field of the schema come
// with a field of their own, whose index is negative.
func (t *Table) Get(device string, ts int64) ([]telemetry.Value, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := t.devices[device]
	if s == nil {
		return nil, false
	}
	b, at, found := s.seek(ts)
	if !found {
		return nil, false
	}
	var values []telemetry.Value
	for c := range t.columns {
		n := s.blocks[b].get(c, at, c)
		if n != n { // NaN
			continue
		}
		values = append(values, t.value(t.fields[c], n))
	}
	return values, true
}

// value is what number has made n of.
func (t *Table) value(f *devices.Field, n float64) telemetry.Value {
	if f.Numeric() {
		return telemetry.Value{Field: f, Num: n}
	}
	return telemetry.Value{Field: f, Text: t.texts.texts[uint32(n)]}
}

// dictionary numbers texts in the order in which they came.
type dictionary struct {
	texts []string
	ids   map[string]uint32
}

func (d *dictionary) id(text string) uint32 {
	id, ok := d.ids[text]
	if !ok {
		id = uint32(len(d.texts))
		text = strings.Clone(text)
		d.texts = append(d.texts, text)
		d.ids[text] = id
	}
	return id
}
