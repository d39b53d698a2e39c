// Package replay turns a CSV file of real measurements into readings, by a
// mapping that says which column is which field and what time a row was taken
// at. It knows nothing of what the numbers mean, and leaves it to the server to
// judge them: it refuses only what it can't read.
package replay

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Mapping says what a file holds. See deploy/examples for ones to start from.
type Mapping struct {
	Kind      devices.Kind `yaml:"kind"`
	ID        string       `yaml:"id"` // of the device
	CSV       CSV          `yaml:"csv"`
	Timestamp Timestamp    `yaml:"timestamp"`
	Columns   []Column     `yaml:"columns"`
}

// CSV is how the file is written.
type CSV struct {
	Delimiter string   `yaml:"delimiter"` // one character; default a comma
	Comment   string   `yaml:"comment"`   // lines that start with this character are left out; default none
	Header    []string `yaml:"header"`    // names of the columns where the file has no header line
}

// Timestamp is how the time of a row is found. Text is read by a layout;
// numbers count units since Start, by default the Unix epoch.
//
// Data of a test bench that counts from zero in every test has a Group column:
// a row is at Start + (group − first group)·GroupStep + column, or, for a group
// that is named in GroupOffsets, at Start + its offset + column.
type Timestamp struct {
	Column       string                   `yaml:"column"`
	Layout       string                   `yaml:"layout"`    // rfc3339 or a layout of Go's time package; empty: a number
	TimeZone     string                   `yaml:"time_zone"` // IANA name, for layouts without a zone; default UTC
	Unit         string                   `yaml:"unit"`      // of a number: s (default) or ms
	Start        time.Time                `yaml:"start"`
	Group        string                   `yaml:"group"` // a column of numbers
	GroupStep    time.Duration            `yaml:"group_step"`
	GroupOffsets map[string]time.Duration `yaml:"group_offsets"`

	// Interval is how long the value of a cumulative column took to add up.
	Interval time.Duration `yaml:"interval"`
}

// Column maps one column to one field: field = column · Scale + Offset.
type Column struct {
	Column string   `yaml:"column"`
	Field  string   `yaml:"field"`
	Scale  *float64 `yaml:"scale"` // default 1
	Offset float64  `yaml:"offset"`

	// Cumulative says that the column holds what was added in the interval that
	// starts at the row's time, while the field is a register. The register
	// starts with 0 at the first row's time and is stamped at the end of each
	// interval.
	Cumulative bool `yaml:"cumulative"`

	// SkipIf lists the texts that stand for no value.
	SkipIf []string `yaml:"skip_if"`
}

// ReadMapping reads a mapping from YAML. A key that it does not know is an
// error.
func ReadMapping(r io.Reader) (*Mapping, error) {
	var m Mapping
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return &m, nil
}

// Ref is the device that the readings are of.
func (m *Mapping) Ref() devices.Ref { return devices.Ref{Kind: m.Kind, ID: m.ID} }

// Validate reports everything that is wrong with the mapping, by key.
func (m *Mapping) Validate(schema *devices.Schema) error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := devices.ParseKind(string(m.Kind))
	check(err == nil, "kind: %w", err)
	check(devices.ValidID(m.ID), "id %q: want 1–64 of A-Za-z0-9._:-", m.ID)
	check(len([]rune(m.CSV.Delimiter)) <= 1, "csv.delimiter %q: want one character", m.CSV.Delimiter)
	check(len([]rune(m.CSV.Comment)) <= 1, "csv.comment %q: want one character", m.CSV.Comment)

	t := m.Timestamp
	check(t.Column != "", "timestamp.column: want the name of a column")
	check(slices.Contains([]string{"", "s", "ms"}, t.Unit), "timestamp.unit %q: want s or ms", t.Unit)
	check(t.Layout == "" || t.Unit == "" && t.Start.IsZero() && t.Group == "", "timestamp.layout: excludes unit, start and group")
	check(t.Group == "" || !t.Start.IsZero(), "timestamp.group: wants start")
	check(t.Group == "" || t.GroupStep > 0 || len(t.GroupOffsets) > 0, "timestamp.group: wants group_step or group_offsets")
	check(t.GroupStep >= 0, "timestamp.group_step %s: want none below 0", t.GroupStep)
	_, err = time.LoadLocation(t.TimeZone)
	check(err == nil, "timestamp.time_zone: %w", err)

	check(len(m.Columns) > 0, "columns: want at least one")
	fields := map[string]bool{}
	for i, c := range m.Columns {
		key := fmt.Sprintf("columns[%d]", i)
		check(c.Column != "", "%s.column: want the name of a column", key)
		check(!fields[c.Field], "%s.field %q: mapped twice", key, c.Field)
		fields[c.Field] = true
		f := schema.Field(m.Kind, c.Field)
		if f == nil {
			check(false, "%s.field %q: a %s has none of that name", key, c.Field, m.Kind)
			continue
		}
		check(f.Numeric() || c.Scale == nil && c.Offset == 0 && !c.Cumulative, "%s: %s is text and takes no scale, offset or cumulative", key, c.Field)
		check(!c.Cumulative || f.Role == devices.Counter, "%s.cumulative: %s is not a register", key, c.Field)
		check(!c.Cumulative || c.Offset == 0, "%s.offset: a cumulative column takes none", key)
		check(!c.Cumulative || t.Interval >= time.Millisecond, "%s.cumulative: wants timestamp.interval", key)
		check(c.Scale == nil || *c.Scale != 0, "%s.scale: want a number other than 0", key)
	}
	return errors.Join(errs...)
}

func (c CSV) delimiter() rune {
	if c.Delimiter == "" {
		return ','
	}
	return []rune(c.Delimiter)[0]
}

func (c CSV) comment() rune {
	if c.Comment == "" {
		return 0
	}
	return []rune(c.Comment)[0]
}

// skips reports whether the text stands for no value.
func (c *Column) skips(text string) bool {
	return slices.Contains(c.SkipIf, text)
}

func (t *Timestamp) layout() string {
	if strings.EqualFold(t.Layout, "rfc3339") {
		return time.RFC3339Nano
	}
	return t.Layout
}
