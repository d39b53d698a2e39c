package ledger

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// packedDay is the first byte of a packed roll-up. No DEFLATE stream (RFC 1951,
// 3.2.3: block type 3 is an error) begins with it, which is how earlier releases
// packed JSON.
const packedDay = 0x07

var errPacked = errors.New("a stored roll-up can't be read")

// What a packed statistic has.
const (
	// The first five bits are mean, min, max, last and delta.
	hasResets = 1 << 5
	isCovered = 1 << 6 // coverage 1
)

// packer appends the parts of a roll-up.
type packer struct {
	b     []byte
	names map[string]uint64 // of fields, by when they came first
	wrong bool
}

// pack turns a roll-up into bytes, the same into the same: the day, then its
// hours. A field is named where it comes first. A number with up to three
// decimals, which is what devices send, is a varint.
func pack(day *rollup.Day) ([]byte, error) {
	p := packer{b: []byte{packedDay}, names: map[string]uint64{}}
	p.bucket(&day.Total)
	p.b = binary.AppendUvarint(p.b, uint64(len(day.Hours)))
	for k := range day.Hours {
		p.bucket(&day.Hours[k])
	}
	if p.wrong {
		return nil, errors.New("a number is not finite")
	}
	return p.b, nil
}

func (p *packer) bucket(of *rollup.Bucket) {
	p.b = binary.AppendVarint(p.b, of.Start)
	p.b = binary.AppendUvarint(p.b, uint64(len(of.Stats)))
	for k := range of.Stats {
		s := &of.Stats[k]
		p.field(s.Field)
		p.b = binary.AppendUvarint(p.b, uint64(s.Samples))
		numbers, has := [...]*float64{s.Mean, s.Min, s.Max, s.Last, s.Delta}, byte(0)
		for n, v := range numbers {
			if v != nil {
				has |= 1 << n
			}
		}
		if s.Resets != 0 {
			has |= hasResets
		}
		if s.Coverage == 1 {
			has |= isCovered
		}
		p.b = append(p.b, has)
		if s.Coverage != 1 {
			p.number(s.Coverage)
		}
		for _, v := range numbers {
			if v != nil {
				p.number(*v)
			}
		}
		if s.Resets != 0 {
			p.b = binary.AppendUvarint(p.b, uint64(s.Resets))
		}
	}
}

func (p *packer) field(name string) {
	k, known := p.names[name]
	if known {
		p.b = binary.AppendUvarint(p.b, k)
		return
	}
	p.b = binary.AppendUvarint(p.b, uint64(len(p.names)))
	p.b = binary.AppendUvarint(p.b, uint64(len(name)))
	p.b = append(p.b, name...)
	p.names[name] = uint64(len(p.names))
}

// whole is the tag of a number that is kept in eight bytes; a smaller one is its
// count of decimals.
const whole = 4

func (p *packer) number(v float64) {
	p.wrong = p.wrong || math.IsNaN(v) || math.IsInf(v, 0)
	scale := 1.0
	for decimals := range byte(whole) {
		n := math.Round(v * scale)
		if math.Abs(n) < 1<<48 && n/scale == v && (n != 0 || !math.Signbit(v)) {
			p.b = binary.AppendVarint(append(p.b, decimals), int64(n))
			return
		}
		scale *= 10
	}
	p.b = binary.LittleEndian.AppendUint64(append(p.b, whole), math.Float64bits(v))
}

// unpack is the way back, also of what earlier releases have packed: the day as a
// whole, and its hours where they are wanted. It keeps nothing of the payload.
func unpack(payload []byte, hours bool) (day rollup.Day, err error) {
	if len(payload) == 0 || payload[0] != packedDay {
		err = inflate(payload, &day)
		return day, err
	}
	u := unpacker{b: payload[1:]}
	day.Total = u.bucket()
	if !hours {
		return day, u.err()
	}
	day.Hours = make([]rollup.Bucket, u.count(2))
	most := len(day.Hours) * len(day.Total.Stats) // statistics, of 4 numbers for the most part
	u.stats = make([]rollup.Stat, min(most, len(u.b)/leastStat))
	u.numbers = make([]float64, min(4*most, len(u.b)/leastNumber))
	for k := range day.Hours {
		day.Hours[k] = u.bucket()
	}
	if len(u.b) > 0 {
		u.failed = true
	}
	return day, u.err()
}

// What a packed statistic and a packed number take at least, in bytes.
const leastStat, leastNumber = 3, 2

// unpacker reads a packed roll-up. After a failure everything is 0.
type unpacker struct {
	b       []byte
	names   []string
	stats   []rollup.Stat // room for those that come
	numbers []float64     // the same
	failed  bool
}

func (u *unpacker) err() error {
	if u.failed {
		return errPacked
	}
	return nil
}

func (u *unpacker) take(n int) []byte {
	if n > len(u.b) {
		u.failed, u.b = true, nil
		return nil
	}
	out := u.b[:n]
	u.b = u.b[n:]
	return out
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.failed, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) varint() int64 {
	v := u.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// count is the length of a list whose elements have so many bytes at least.
func (u *unpacker) count(least int) int {
	n := u.uvarint()
	if n > uint64(len(u.b)/least) {
		u.failed, u.b = true, nil
		return 0
	}
	return int(n)
}

func (u *unpacker) bucket() rollup.Bucket {
	b := rollup.Bucket{Start: u.varint()}
	n := u.count(leastStat)
	if n > len(u.stats) || u.stats == nil {
		u.stats = make([]rollup.Stat, n)
	}
	b.Stats, u.stats = u.stats[:n:n], u.stats[n:]
	if u.names == nil {
		u.names = make([]string, 0, n)
	}
	for k := range b.Stats {
		s := &b.Stats[k]
		s.Field = u.field()
		s.Samples = int(u.uvarint())
		var has byte
		if mask := u.take(1); mask != nil {
			has = mask[0]
		}
		s.Coverage = 1
		if has&isCovered == 0 {
			s.Coverage = *u.number()
		}
		for n, v := range [...]**float64{&s.Mean, &s.Min, &s.Max, &s.Last, &s.Delta} {
			if has&(1<<n) != 0 {
				*v = u.number()
			}
		}
		if has&hasResets != 0 {
			s.Resets = int(u.uvarint())
		}
	}
	return b
}

func (u *unpacker) field() string {
	k := u.uvarint()
	if k == uint64(len(u.names)) {
		u.names = append(u.names, string(u.take(u.count(1))))
	}
	if k >= uint64(len(u.names)) {
		u.failed = true
		return ""
	}
	return u.names[k]
}

func (u *unpacker) number() *float64 {
	if len(u.numbers) == 0 {
		u.numbers = make([]float64, 64)
	}
	v := &u.numbers[0]
	u.numbers = u.numbers[1:]
	tag := u.take(1)
	switch {
	case tag == nil:
	case tag[0] < whole:
		*v = float64(u.varint()) / [...]float64{1, 10, 100, 1000}[tag[0]]
	default:
		if raw := u.take(8); raw != nil {
			*v = math.Float64frombits(binary.LittleEndian.Uint64(raw))
			u.failed = u.failed || math.IsNaN(*v) || math.IsInf(*v, 0) // none was packed
		}
	}
	return v
}
