package hot

import (
	"encoding/binary"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// A frame is a batch of readings, complete in itself, by kind and by column:
//
//	frame:    1, groups to its end
//	group:    kind, devices, columns, n = count of readings,
//	          n device places, n times as differences, the values of each column
//	devices:  count, names
//	columns:  count, for each 0 (number) or 1 (text) and its name
//	values:   how, a bitmap of the readings that carry the field unless all do,
//	          then the values of those that do:
//	            raw     8 bytes each
//	            scaled  power of ten, then differences of value × 10^power
//	            texts   count, texts, then places
//
// Counts, places and lengths are unsigned varints, times and differences signed
// ones (encoding/binary), all else little-endian. Sensors round, so most columns
// are scaled: a value takes one or two bytes in place of eight.
const frameVersion = 1

const (
	howRaw byte = iota
	howScaled
	howTexts
	howAll byte = 0x80 // added: every reading carries the field
)

// maxPower bounds how many decimals are tried.
const maxPower = 4

var powers = [maxPower + 1]float64{1, 10, 100, 1000, 10000}

// Encoder turns readings into frames. Its memory is used again.
type Encoder struct {
	groups map[devices.Kind]*group
	order  []*group
}

// NewEncoder returns an encoder for one goroutine.
func NewEncoder() *Encoder { return &Encoder{groups: make(map[devices.Kind]*group)} }

type group struct {
	kind    devices.Kind
	devices map[string]uint64
	names   []string
	places  []uint64
	times   []int64
	columns []*column
	byField map[*devices.Field]*column
	dense   []*column // the same by Field.Index, for the fields met first
}

type column struct {
	field *devices.Field
	used  bool
	bits  []byte // of the readings that carry it
	nums  []float64
	texts dictionary
}

// Append appends the frame of readings to dst.
func (e *Encoder) Append(dst []byte, readings []telemetry.Reading) []byte {
	for _, g := range e.order {
		g.clear()
	}
	e.order = e.order[:0]
	for i := range readings {
		e.group(readings[i].Kind).add(&readings[i])
	}
	dst = append(dst, frameVersion)
	for _, g := range e.order {
		dst = g.append(dst)
	}
	return dst
}

func (e *Encoder) group(kind devices.Kind) *group {
	if n := len(e.order); n > 0 && e.order[n-1].kind == kind {
		return e.order[n-1]
	}
	g := e.groups[kind]
	if g == nil {
		g = &group{kind: kind, devices: make(map[string]uint64), byField: make(map[*devices.Field]*column)}
		e.groups[kind] = g
	}
	if len(g.times) == 0 {
		e.order = append(e.order, g)
	}
	return g
}

func (g *group) clear() {
	clear(g.devices)
	clear(g.names)
	g.names, g.places, g.times = g.names[:0], g.places[:0], g.times[:0]
	for _, c := range g.columns {
		c.used = false
		clear(c.bits)
		clear(c.texts.ids)
		clear(c.texts.texts)
		c.bits, c.nums, c.texts.texts = c.bits[:0], c.nums[:0], c.texts.texts[:0]
	}
}

func (g *group) add(r *telemetry.Reading) {
	place, ok := g.devices[r.Device]
	if !ok {
		place = uint64(len(g.names))
		g.devices[r.Device] = place
		g.names = append(g.names, r.Device)
	}
	row := len(g.times)
	g.places = append(g.places, place)
	g.times = append(g.times, r.TS)
	for i := range r.Values {
		g.column(r.Values[i].Field).add(row, &r.Values[i])
	}
}

func (g *group) column(f *devices.Field) *column {
	if f.Index >= 0 && f.Index < len(g.dense) {
		if c := g.dense[f.Index]; c != nil && c.field == f {
			return c
		}
	}
	c := g.byField[f]
	if c == nil {
		c = &column{field: f, texts: dictionary{ids: make(map[string]uint32)}}
		g.byField[f] = c
		g.columns = append(g.columns, c)
		for f.Index >= len(g.dense) {
			g.dense = append(g.dense, nil)
		}
		if f.Index >= 0 && g.dense[f.Index] == nil {
			g.dense[f.Index] = c
		}
	}
	return c
}

func (c *column) add(row int, v *telemetry.Value) {
	c.used = true
	for row>>3 >= len(c.bits) {
		c.bits = append(c.bits, 0)
	}
	c.bits[row>>3] |= 1 << (row & 7)
	n := v.Num
	if !v.Field.Numeric() {
		n = float64(c.texts.id(v.Text))
	}
	c.nums = append(c.nums, n)
}

func (g *group) append(dst []byte) []byte {
	dst = appendText(dst, string(g.kind))
	dst = binary.AppendUvarint(dst, uint64(len(g.names)))
	for _, name := range g.names {
		dst = appendText(dst, name)
	}
	used := 0
	for _, c := range g.columns {
		if c.used {
			used++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(used))
	for _, c := range g.columns {
		if !c.used {
			continue
		}
		text := byte(0)
		if !c.field.Numeric() {
			text = 1
		}
		dst = appendText(append(dst, text), c.field.Name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(g.times)))
	for _, p := range g.places {
		dst = binary.AppendUvarint(dst, p)
	}
	before := int64(0)
	for _, ts := range g.times {
		dst = binary.AppendVarint(dst, ts-before)
		before = ts
	}
	for _, c := range g.columns {
		if c.used {
			dst = c.append(dst, len(g.times))
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// append writes the column of a group of n readings.
func (c *column) append(dst []byte, n int) []byte {
	how := howRaw
	power := 0
	if !c.field.Numeric() {
		how = howTexts
	} else if p, ok := commonPower(c.nums); ok {
		how, power = howScaled, p
	}
	if len(c.nums) == n {
		dst = append(dst, how|howAll)
	} else {
		for (n+7)/8 > len(c.bits) {
			c.bits = append(c.bits, 0)
		}
		dst = append(append(dst, how), c.bits...)
	}
	switch how {
	case howScaled:
		dst = append(dst, byte(power))
		before := int64(0)
		for _, v := range c.nums {
			x := int64(math.Round(v * powers[power]))
			dst = binary.AppendVarint(dst, x-before)
			before = x
		}
	case howTexts:
		dst = binary.AppendUvarint(dst, uint64(len(c.texts.texts)))
		for _, text := range c.texts.texts {
			dst = appendText(dst, text)
		}
		for _, v := range c.nums {
			dst = binary.AppendUvarint(dst, uint64(v))
		}
	default:
		for _, v := range c.nums {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
	}
	return dst
}

// commonPower finds the power of ten with which all numbers are whole and come
// back to the same bits.
func commonPower(nums []float64) (power int, ok bool) {
	for _, v := range nums {
		for !scales(v, power) {
			if power++; power > maxPower {
				return 0, false
			}
		}
	}
	// A number that a smaller power fitted need not come back from a larger one.
	for _, v := range nums {
		if !scales(v, power) {
			return 0, false
		}
	}
	return power, true
}

func scales(v float64, power int) bool {
	const exact = 1 << 52
	x := math.Round(v * powers[power])
	return -exact < x && x < exact && math.Float64bits(x/powers[power]) == math.Float64bits(v)
}
