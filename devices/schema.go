package devices

import (
	"fmt"
	"math"
	"slices"
)

// FieldType says how a field's values are written.
type FieldType uint8

// The types of field. Stores keep Number and Integer as 64-bit floats.
const (
	Number  FieldType = iota // any finite number within the bounds
	Integer                  // a whole number within the bounds
	Text                     // valid UTF-8 of at most MaxTextLength bytes
)

// MaxTextLength bounds a text field in bytes.
const MaxTextLength = 256

func (t FieldType) String() string {
	switch t {
	case Integer:
		return "integer"
	case Text:
		return "text"
	}
	return "number"
}

// Role says what a field's values mean over time.
type Role uint8

// The roles of a field.
const (
	Gauge   Role = iota // an instantaneous value: averaged over time
	Counter             // a register that only grows, but for resets: differenced
	State               // a label: counted, never averaged
)

func (r Role) String() string {
	switch r {
	case Counter:
		return "counter"
	case State:
		return "state"
	}
	return "gauge"
}

// Field describes one measurement of a kind of device.
type Field struct {
	Name  string    // with the unit as suffix: voltage_v
	Unit  string    // V, A, W, Wh, °C, %, 1 for counts, empty for text
	Type  FieldType //
	Role  Role      //
	Min   float64   // lowest admissible number, inclusive
	Max   float64   // highest admissible number, inclusive
	Index int       // position within the kind; set by the schema
}

// Numeric reports whether the field holds numbers.
func (f *Field) Numeric() bool { return f.Type != Text }

// Measurement is the ordered set of fields that one kind may report.
type Measurement struct {
	Kind   Kind
	Fields []*Field
	byName map[string]*Field
}

// Field returns the field of that name, or nil.
func (m *Measurement) Field(name string) *Field { return m.byName[name] }

// FieldBytes is Field for a name that is still a byte slice; it does not
// allocate.
func (m *Measurement) FieldBytes(name []byte) *Field { return m.byName[string(name)] }

// Schema is the set of measurements. It does not change once built, so it may
// be shared by goroutines.
type Schema struct {
	kinds map[Kind]*Measurement
}

// Measurement returns the fields of kind; nil for an unknown kind.
func (s *Schema) Measurement(kind Kind) *Measurement { return s.kinds[kind] }

// Field returns the field of that name of kind, or nil.
func (s *Schema) Field(kind Kind, name string) *Field {
	m := s.kinds[kind]
	if m == nil {
		return nil
	}
	return m.byName[name]
}

// KindField is a field an operator adds to a kind.
type KindField struct {
	Kind  Kind
	Field Field
}

// NewSchema returns the standard measurements and, behind them, the extra
// fields in their order. Standard fields keep their index whatever is added.
// A name that is taken, is not [a-z][a-z0-9_]*, or has empty bounds is an
// error.
func NewSchema(extra ...KindField) (*Schema, error) {
	s := &Schema{kinds: make(map[Kind]*Measurement)}
	for _, k := range Kinds() {
		s.kinds[k] = &Measurement{Kind: k, byName: make(map[string]*Field)}
	}
	for _, kf := range slices.Concat(standardFields(), extra) {
		if err := s.add(kf); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Schema) add(kf KindField) error {
	f := kf.Field
	m := s.kinds[kf.Kind]
	if m == nil {
		return fmt.Errorf("field %q: unknown kind %q", f.Name, kf.Kind)
	}
	if !validFieldName(f.Name) {
		return fmt.Errorf("%s field %q: a name is a lower-case letter, then letters, digits and _, at most 64, and not one of device, ts, ts_ms, time, sent_at, values", kf.Kind, f.Name)
	}
	if m.byName[f.Name] != nil {
		return fmt.Errorf("%s field %q: the name is taken", kf.Kind, f.Name)
	}
	if f.Numeric() && (math.IsNaN(f.Min) || math.IsNaN(f.Max) || f.Min >= f.Max) {
		return fmt.Errorf("%s field %q: bounds [%v, %v] hold no value", kf.Kind, f.Name, f.Min, f.Max)
	}
	if f.Type == Text {
		f.Role = State
	}
	f.Index = len(m.Fields)
	m.Fields = append(m.Fields, &f)
	m.byName[f.Name] = &f
	return nil
}

func validFieldName(name string) bool {
	if len(name) == 0 || len(name) > 64 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	switch name {
	case "device", "ts", "ts_ms", "time", "sent_at", "values":
		return false
	}
	return true
}
