package replay

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// RowError is a row that can't be mapped.
type RowError struct {
	File   string
	Line   int // from 1
	Column string
	Value  string
	Err    error
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s:%d: column %q: %q: %v", e.File, e.Line, e.Column, e.Value, e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }

// Read maps the rows of r, which is CSV or gzipped CSV, in their order, and
// calls yield with each reading. The readings may be kept. A row whose columns
// all stand for no value gives none; a row with cumulative and other columns
// gives two, at either end of its interval. Read stops at the first error: a
// *RowError, what the CSV or gzip reader found (with the file's name), or
// yield's own.
//
// name is how errors call the file. rows is how many were mapped.
func Read(m *Mapping, schema *devices.Schema, name string, r io.Reader, yield func(telemetry.Reading) error) (rows int, _ error) {
	if err := m.Validate(schema); err != nil {
		return 0, fmt.Errorf("mapping: %w", err)
	}
	plain, err := unpack(r)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	c := csv.NewReader(plain)
	c.Comma, c.Comment, c.ReuseRecord = m.CSV.delimiter(), m.CSV.comment(), true
	header := m.CSV.Header
	if len(header) == 0 {
		if header, err = c.Read(); err != nil {
			return 0, fmt.Errorf("%s: header: %w", name, err)
		}
		header = slices.Clone(header)
	}
	t, err := newTable(m, schema, header)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	c.FieldsPerRecord = len(header)
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, fmt.Errorf("%s: %w", name, err)
		}
		readings, at, err := t.row(row)
		if err != nil {
			line, _ := c.FieldPos(at)
			return rows, &RowError{File: name, Line: line, Column: header[at], Value: row[at], Err: err}
		}
		rows++
		for _, r := range readings {
			if err := yield(r); err != nil {
				return rows, err
			}
		}
	}
}

// unpack takes off gzip, by content, and a byte order mark.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if start, _ := b.Peek(2); string(start) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReaderSize(z, 64<<10)
	}
	if start, _ := b.Peek(3); string(start) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3) // it was peeked at
	}
	return b, nil
}

// table is a mapping bound to the columns of a file.
type table struct {
	ref      devices.Ref
	instants instants
	interval int64 // ms
	columns  []bound
	began    bool // whether the zeros of the registers are out
}

// bound is one column with its place, its field and, if cumulative, its
// register.
type bound struct {
	*Column
	at       int
	field    *devices.Field
	scale    float64
	register float64
}

func newTable(m *Mapping, schema *devices.Schema, header []string) (*table, error) {
	zone, err := time.LoadLocation(m.Timestamp.TimeZone)
	if err != nil {
		return nil, err
	}
	var missing []string
	find := func(name string) int {
		i := slices.IndexFunc(header, func(h string) bool { return strings.TrimSpace(h) == name })
		if i < 0 {
			missing = append(missing, name)
		}
		return i
	}
	t := &table{ref: m.Ref(), interval: m.Timestamp.Interval.Milliseconds()}
	t.instants = instants{rule: &m.Timestamp, zone: zone, column: find(m.Timestamp.Column), group: -1}
	if m.Timestamp.Group != "" {
		t.instants.group = find(m.Timestamp.Group)
	}
	for i := range m.Columns {
		c := &m.Columns[i]
		b := bound{Column: c, at: find(c.Column), field: schema.Field(m.Kind, c.Field), scale: 1}
		if c.Scale != nil {
			b.scale = *c.Scale
		}
		t.columns = append(t.columns, b)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no column %q; there are %q", missing, header)
	}
	return t, nil
}

// row maps one row. With an error it returns the number of the column at
// fault.
func (t *table) row(row []string) (_ []telemetry.Reading, column int, _ error) {
	ts, column, err := t.instants.at(row)
	if err != nil {
		return nil, column, err
	}
	now, end := t.reading(ts), t.reading(ts+t.interval)
	for i := range t.columns {
		c := &t.columns[i]
		text := row[c.at]
		if c.skips(text) {
			continue
		}
		if !c.field.Numeric() {
			now.Set(telemetry.Value{Field: c.field, Text: text})
			continue
		}
		x, err := parseNumber(text)
		if err != nil {
			return nil, c.at, err
		}
		x = x*c.scale + c.Offset
		if !c.Cumulative {
			now.Set(telemetry.Value{Field: c.field, Num: x})
			continue
		}
		if x < 0 {
			return nil, c.at, fmt.Errorf("a register can't fall")
		}
		c.register += x
		end.Set(telemetry.Value{Field: c.field, Num: tidy(c.register)})
	}
	if !t.began {
		t.began = true
		for _, c := range t.columns {
			if c.Cumulative {
				now.Set(telemetry.Value{Field: c.field})
			}
		}
	}
	var out []telemetry.Reading
	for _, r := range []telemetry.Reading{now, end} {
		if len(r.Values) > 0 {
			out = append(out, r)
		}
	}
	return out, 0, nil
}

func (t *table) reading(ts int64) telemetry.Reading {
	return telemetry.Reading{Kind: t.ref.Kind, Device: t.ref.ID, TS: ts}
}

// tidy takes off what binary addition left behind the sixth decimal.
func tidy(x float64) float64 { return math.Round(x*1e6) / 1e6 }
