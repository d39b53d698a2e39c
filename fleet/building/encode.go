package building

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// dayFormat is the first byte of an encoded day.
const dayFormat = 1

// ErrBadDay says that bytes are no day of this format.
var ErrBadDay = errors.New("not a day of a building")

// maxExact is beyond every integer that a float64 holds exactly with its
// neighbours.
const maxExact = 1 << 53

// Encode writes a day compactly: times as differences, and readings of a register
// as differences too where all are whole, which they are for most meters. The
// same day gives the same bytes.
func (d *Day) Encode() []byte {
	b := []byte{dayFormat}
	b = binary.AppendVarint(b, d.Number)
	b = binary.AppendVarint(b, d.First)
	b = binary.AppendVarint(b, d.Last-d.First)
	for _, points := range d.Registers {
		b = appendPoints(b, points)
	}
	b = appendMeans(b, d.Outdoor)
	b = appendMeans(b, d.Export)
	b = appendFloat(b, d.Followed.Good)
	b = appendFloat(b, d.Followed.All)
	if len(d.Own) > 0 { // most buildings have none, nor do days from before it was kept
		b = appendMeans(b, d.Own)
	}
	return b
}

func appendFloat(b []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}

// appendPoints writes their number, doubled, plus one where all are whole.
func appendPoints(b []byte, points []prepare.Point) []byte {
	whole := uint64(1)
	for _, p := range points {
		if p.Value != math.Trunc(p.Value) || math.Abs(p.Value) >= maxExact/2 {
			whole = 0
		}
	}
	b = binary.AppendUvarint(b, uint64(len(points))<<1|whole)
	var ts, last int64
	for _, p := range points {
		b = binary.AppendVarint(b, p.TS-ts)
		ts = p.TS
		if whole == 1 {
			b = binary.AppendVarint(b, int64(p.Value)-last)
			last = int64(p.Value)
		} else {
			b = appendFloat(b, p.Value)
		}
	}
	return b
}

func appendMeans(b []byte, means []Mean) []byte {
	b = binary.AppendUvarint(b, uint64(len(means)))
	var ts int64
	for _, m := range means {
		b = binary.AppendVarint(b, m.Hour-ts)
		ts = m.Hour
		// Nothing went out of most hours of most buildings.
		if m.Sum == 0 {
			b = binary.AppendVarint(b, -m.N)
			continue
		}
		b = binary.AppendVarint(b, m.N)
		b = appendFloat(b, m.Sum)
	}
	return b
}

// Decode reads what Encode wrote. The error wraps ErrBadDay.
func Decode(b []byte) (Day, error) {
	r := decoder{rest: b}
	var d Day
	if len(b) == 0 || b[0] != dayFormat {
		return d, fmt.Errorf("%w: format", ErrBadDay)
	}
	r.rest = b[1:]
	d.Number = r.varint()
	d.First = r.varint()
	d.Last = d.First + r.varint()
	for i := range d.Registers {
		d.Registers[i] = r.points()
	}
	d.Outdoor, d.Export = r.means(), r.means()
	d.Followed.Good, d.Followed.All = r.float(), r.float()
	if len(r.rest) > 0 {
		d.Own = r.means()
	}
	if r.bad || len(r.rest) > 0 {
		return Day{}, fmt.Errorf("%w: %d bytes", ErrBadDay, len(b))
	}
	return d, nil
}

// decoder reads from the front of rest until something is bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (r *decoder) varint() int64 {
	v, n := binary.Varint(r.rest)
	return v * r.skip(n)
}

func (r *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return v * uint64(r.skip(n))
}

// skip moves on by n bytes; it is 0 where there is nothing to move on by.
func (r *decoder) skip(n int) int64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return 1
}

func (r *decoder) float() float64 {
	if len(r.rest) < 8 {
		r.bad = true
		return 0
	}
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.rest = r.rest[8:]
	return x
}

// count is a number of things of at least two bytes each.
func (r *decoder) count(n uint64) int {
	if n > uint64(len(r.rest))/2 {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *decoder) points() []prepare.Point {
	head := r.uvarint()
	n := r.count(head >> 1)
	if n == 0 {
		return nil
	}
	out := make([]prepare.Point, 0, n)
	var ts, last int64
	for range n {
		ts += r.varint()
		p := prepare.Point{TS: ts}
		if head&1 == 1 {
			last += r.varint()
			p.Value = float64(last)
		} else {
			p.Value = r.float()
		}
		out = append(out, p)
	}
	return out
}

func (r *decoder) means() []Mean {
	n := r.count(r.uvarint())
	if n == 0 {
		return nil
	}
	out := make([]Mean, 0, n)
	var ts int64
	for range n {
		ts += r.varint()
		m := Mean{Hour: ts, N: r.varint()}
		if m.N < 0 {
			m.N = -m.N
		} else {
			m.Sum = r.float()
		}
		out = append(out, m)
	}
	return out
}

// EncodePoints writes values over time, which ascend, compactly.
func EncodePoints(points []prepare.Point) []byte {
	return appendPoints([]byte{dayFormat}, points)
}

// DecodePoints reads what EncodePoints wrote. The error wraps ErrBadDay.
func DecodePoints(b []byte) ([]prepare.Point, error) {
	if len(b) == 0 || b[0] != dayFormat {
		return nil, fmt.Errorf("%w: format", ErrBadDay)
	}
	r := decoder{rest: b[1:]}
	points := r.points()
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadDay, len(b))
	}
	return points, nil
}
