package hot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// ErrFrame says that a frame is not one that Encoder makes.
var ErrFrame = errors.New("malformed frame of readings")

// Decode calls yield with each reading of a frame, in order within its kind. The
// reading is valid during the call. A field that the schema does not have any
// more comes with a field of its own, whose index is negative.
func Decode(frame []byte, schema *devices.Schema, yield func(*telemetry.Reading) error) error {
	d := decoder{rest: frame, schema: schema}
	if d.byte() != frameVersion {
		return fmt.Errorf("%w: unknown version", ErrFrame)
	}
	for len(d.rest) > 0 && d.err == nil {
		if err := d.group(yield); err != nil {
			return err
		}
	}
	return d.err
}

// decoder reads from the front of rest; once something is wrong, it reads
// zeros.
type decoder struct {
	rest   []byte
	schema *devices.Schema
	err    error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrFrame, what)
	}
	d.rest = nil
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("cut off")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail("cut off")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("cut off")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("cut off")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads how many things follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail("more announced than there is")
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.bytes(d.count())) }

func (d *decoder) texts() []string {
	texts := make([]string, d.count())
	for i := range texts {
		texts[i] = d.text()
	}
	return texts
}

func (d *decoder) group(yield func(*telemetry.Reading) error) error {
	kind := devices.Kind(d.text())
	m := d.schema.Measurement(kind)
	if m == nil {
		d.fail(fmt.Sprintf("unknown kind %q", kind))
		return d.err
	}
	names := d.texts()
	fields := make([]*devices.Field, d.count())
	for i := range fields {
		text := d.byte() == 1
		fields[i] = fieldOf(m, d.text(), text, i)
	}
	n := d.count()
	places, times := make([]int, n), make([]int64, n)
	for i := range places {
		if places[i] = int(d.uvarint()); places[i] >= len(names) || places[i] < 0 {
			d.fail("a device that is not listed")
			return d.err
		}
	}
	before := int64(0)
	for i := range times {
		before += d.varint()
		times[i] = before
	}
	columns := make([]decoded, len(fields))
	for i := range columns {
		columns[i] = d.column(n, !fields[i].Numeric())
	}
	if d.err != nil {
		return d.err
	}
	r := telemetry.Reading{Kind: kind}
	for row := range n {
		r.Device, r.TS, r.Values = names[places[row]], times[row], r.Values[:0]
		for i, f := range fields {
			if columns[i].has(row) {
				r.Set(columns[i].next(f))
			}
		}
		if err := yield(&r); err != nil {
			return err
		}
	}
	return nil
}

// fieldOf is the field that a column is of. One that the schema does not have,
// or has as the other type, is kept under its name, with an index that no other
// has.
func fieldOf(m *devices.Measurement, name string, text bool, column int) *devices.Field {
	if f := m.Field(name); f != nil && f.Numeric() != text {
		return f
	}
	f := &devices.Field{Name: name, Index: -1 - column}
	if text {
		f.Type = devices.Text
	}
	return f
}

// decoded is a column; next goes through its values.
type decoded struct {
	bits  []byte // nil: all readings carry it
	nums  []float64
	texts []string
}

func (c *decoded) has(row int) bool { return c.bits == nil || c.bits[row>>3]&(1<<(row&7)) != 0 }

func (c *decoded) next(f *devices.Field) telemetry.Value {
	n := c.nums[0]
	c.nums = c.nums[1:]
	if f.Numeric() {
		return telemetry.Value{Field: f, Num: n}
	}
	return telemetry.Value{Field: f, Text: c.texts[int(n)]}
}

func (d *decoder) column(n int, text bool) decoded {
	how := d.byte()
	carried := n
	var c decoded
	if how&howAll == 0 {
		c.bits = d.bytes((n + 7) / 8)
		carried = ones(c.bits, n)
	}
	how &^= howAll
	switch {
	case how == howTexts && text:
		c.texts = d.texts()
		c.nums = d.numbers(carried, func() float64 {
			place := d.uvarint()
			if place >= uint64(len(c.texts)) {
				d.fail("a text that is not listed")
			}
			return float64(place)
		})
	case how == howScaled && !text:
		power := d.byte()
		if power > maxPower {
			d.fail("a power that is not used")
			return c
		}
		x := int64(0)
		c.nums = d.numbers(carried, func() float64 {
			x += d.varint()
			return float64(x) / powers[power]
		})
	case how == howRaw && !text:
		c.nums = d.numbers(carried, func() float64 {
			b := d.bytes(8)
			if b == nil {
				return 0
			}
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		})
	default:
		d.fail("values of an unknown form")
	}
	return c
}

func (d *decoder) numbers(n int, next func() float64) []float64 {
	if n > len(d.rest) {
		d.fail("more announced than there is")
		return nil
	}
	nums := make([]float64, n)
	for i := range nums {
		nums[i] = next()
	}
	return nums
}

// ones counts the bits set among the first n.
func ones(bits []byte, n int) int {
	count := 0
	for row := range min(n, 8*len(bits)) {
		if bits[row>>3]&(1<<(row&7)) != 0 {
			count++
		}
	}
	return count
}
