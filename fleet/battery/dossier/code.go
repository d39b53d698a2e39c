package dossier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// ErrCorrupt says that stored bytes are not what this package writes.
var ErrCorrupt = errors.New("stored battery results can't be read")

// writer appends the parts of a value: integers as zigzag varints, numbers in 4
// or 8 bytes, little endian, lists of mostly zeros as a bitmap and what is not 0.
type writer struct {
	b    []byte
	wide bool // 8 bytes
}

func (w *writer) Int(v *int64) { w.b = binary.AppendVarint(w.b, *v) }

func (w *writer) Float(v *float64) {
	if w.wide {
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(*v))
		return
	}
	w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(float32(*v)))
}

func (w *writer) Floats(v []float64) {
	for k := 0; k < len(v); k += 8 {
		var set byte
		for i := range min(8, len(v)-k) {
			if v[k+i] != 0 {
				set |= 1 << i
			}
		}
		w.b = append(w.b, set)
	}
	for k := range v {
		if v[k] != 0 {
			w.Float(&v[k])
		}
	}
}

func (w *writer) Text(v *string) {
	w.Len(len(*v))
	w.b = append(w.b, *v...)
}

func (w *writer) Len(n int) int {
	w.b = binary.AppendUvarint(w.b, uint64(n))
	return n
}

// reader is the way back. After an error everything is 0.
type reader struct {
	b     []byte
	wide  bool
	err   error
	texts map[string]string // those seen, of which few are different
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = ErrCorrupt
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) Int(v *int64) {
	x, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		*v = 0
		return
	}
	*v, r.b = x, r.b[n:]
}

func (r *reader) Float(v *float64) {
	*v = 0
	if r.wide {
		if b := r.take(8); b != nil {
			*v = math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
		return
	}
	if b := r.take(4); b != nil {
		*v = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
}

func (r *reader) Floats(v []float64) {
	sets := r.take((len(v) + 7) / 8)
	for k := range v {
		v[k] = 0
		if sets != nil && sets[k/8]>>(k%8)&1 == 1 {
			r.Float(&v[k])
		}
	}
}

func (r *reader) Text(v *string) {
	b := r.take(r.Len(0))
	if known, ok := r.texts[string(b)]; ok {
		*v = known
		return
	}
	*v = string(b)
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	r.texts[*v] = *v
}

func (r *reader) Len(int) int {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64(len(r.b)-used) { // each takes a byte at least
		r.fail()
		return 0
	}
	r.b = r.b[used:]
	return int(n)
}

// end is the error of what was read, of which nothing may be left.
func (r *reader) end(what string) error {
	if r.err == nil && len(r.b) > 0 {
		r.fail()
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", what, r.err)
	}
	return nil
}

func codeList[T any](c battery.Coder, list *[]T, each func(*T)) {
	n := c.Len(len(*list))
	if n != len(*list) {
		*list = make([]T, n)
	}
	for k := range *list {
		each(&(*list)[k])
	}
}

// codeOption walks over a number that may not be there, as NaN.
func codeOption(c battery.Coder, p **float64) {
	v := math.NaN()
	if *p != nil {
		v = **p
	}
	c.Float(&v)
	*p = number(v)
}

// codeTail walks over what came to a layout later, at its end, and is left out
// where it is empty.
func codeTail(c battery.Coder, empty func() bool, code func()) {
	r, reading := c.(*reader)
	switch {
	case !reading && !empty():
		code()
	case reading && len(r.b) > 0:
		if code(); empty() {
			r.fail()
		}
	}
}

func codeInt(c battery.Coder, v *int) {
	x := int64(*v)
	c.Int(&x)
	*v = int(x)
}

func codeBool(c battery.Coder, v *bool) {
	var x int64
	if *v {
		x = 1
	}
	c.Int(&x)
	*v = x == 1
}

// layout is the first byte of all that is stored here.
const layout = 1

// AppendUse appends what a day adds to the use of the battery, and AppendFound
// what was found on it. They are stored apart because they are asked for apart.
func (d *Day) AppendUse(b []byte) []byte {
	w := writer{b: append(b, layout)}
	d.codeUse(&w)
	return w.b
}

// AppendFound appends what was found on the day; see Day.AppendUse.
func (d *Found) AppendFound(b []byte) []byte {
	w := writer{b: append(b, layout)}
	d.codeFound(&w)
	return w.b
}

// DecodeDay reads a day. Error: ErrCorrupt.
func DecodeDay(day int64, use, found []byte) (Day, error) {
	d := emptyDay(day)
	if err := decode(use, false, "use of a day", d.codeUse); err != nil {
		return Day{}, err
	}
	var err error
	d.Found, err = DecodeFound(found)
	return d, err
}

func decode(b []byte, wide bool, what string, code func(battery.Coder)) error {
	if len(b) == 0 || b[0] != layout {
		return fmt.Errorf("%s: %w", what, ErrCorrupt)
	}
	r := reader{b: b[1:], wide: wide}
	code(&r)
	return r.end(what)
}

func (d *Day) codeUse(c battery.Coder) {
	codeInt(c, &d.Readings)
	c.Int(&d.Last)
	d.Usage.Code(c)
	codeList(c, &d.States, func(s *State) {
		c.Text(&s.State)
		c.Float(&s.Seconds)
	})
	c.Float(&d.SoCPct)
	c.Int(&d.SoCAt)
	c.Float(&d.Cycles)
	d.Rest.code(c)
	codeList(c, &d.Rests, func(q *quiet) { q.code(c) })
}

func (a *AtRest) code(c battery.Coder) {
	c.Int(&a.At)
	c.Float(&a.VoltageV)
	c.Float(&a.SoCPct)
}

// DecodeFound reads what was found on a day. Error: ErrCorrupt.
func DecodeFound(b []byte) (Found, error) {
	var f Found
	err := decode(b, false, "findings of a day", f.codeFound)
	return f, err
}

func (d *Found) codeFound(c battery.Coder) {
	codeList(c, &d.Capacities, func(x *battery.Capacity) { x.Code(c) })
	codeList(c, &d.Loops, func(x *battery.Loop) { x.Code(c) })
	codeList(c, &d.Steps, func(x *battery.ResistanceStep) { x.Code(c) })
	codeList(c, &d.Cells, func(x *battery.CellSample) { x.Code(c) })
	codeTail(c, func() bool { return len(d.Late.Capacities)+len(d.Late.Loops) == 0 }, func() {
		codeList(c, &d.Late.Capacities, func(x *battery.Capacity) { x.Code(c) })
		codeList(c, &d.Late.Loops, func(x *battery.Loop) { x.Code(c) })
	})
}

// stored is the day as it comes back from being stored: numbers are kept to seven
// digits.
func (d *Day) stored() Day {
	out, err := DecodeDay(d.Day, d.AppendUse(nil), d.AppendFound(nil))
	if err != nil { // impossible: what is written here can be read here
		panic(fmt.Sprintf("dossier: %v", err))
	}
	return out
}

// StandsIn reports whether the day is among those, which ascend, as it is, or by
// more readings.
func (d *Day) StandsIn(days []Day) bool {
	k, found := slices.BinarySearchFunc(days, d.Day, func(x Day, day int64) int { return int(x.Day - day) })
	if !found {
		return false
	}
	x := &days[k]
	return x.Readings > d.Readings || bytes.Equal(x.AppendUse(nil), d.AppendUse(nil)) && bytes.Equal(x.AppendFound(nil), d.AppendFound(nil))
}
