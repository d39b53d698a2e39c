package duckdb

import (
	"math"
	"math/bits"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// folder folds samples of one field into one number.
type folder struct {
	fn    telemetry.Func
	fleet bool    // samples come in no order of time
	scale float64 // of exact sums, a power of two; 0: sums are plain
}

// folded is what some samples of a field have come to.
type folded struct {
	n               int64
	ts              int64   // of value, for First and Last
	value           float64 // the extreme, or the sum as floating point gives it
	whole, fraction int128
	beyond          bool // some sample was too large for whole
}

// The scaled bounds of a field come to at most 2^wholeBits, and fractions are
// counted in units of 2^-fractionBits.
const (
	widestBits   = 50 // of bounds, as a power of two
	wholeBits    = 61
	fractionBits = 52
)

// newFolder returns the folder of f.
//
// Sums are of integers, for which order does not matter. Each number is scaled
// by a power of two, which loses nothing, so that the bounds of its field come
// to at most 2^61; the whole part and the fraction, in units of 2^-52, are
// summed apart. A number is so taken to within 2^-53 of a unit: for a current
// of ±5000 A to 2^-101 A, for an energy register to 2^-64 Wh.
func newFolder(q telemetry.AggregateQuery, f *devices.Field) folder {
	out := folder{fn: q.Func, fleet: q.Fleet}
	if _, bits := math.Frexp(max(math.Abs(f.Min), math.Abs(f.Max))); bits <= widestBits {
		out.scale = math.Ldexp(1, wholeBits-bits)
	}
	return out
}

// add folds the samples of some rows of a run in.
func (f *folder) add(into *folded, v *values, ts []int64, from, to int) {
	for row := from; row < to; row++ {
		n, ok := v.num(row)
		if !ok {
			continue
		}
		switch f.fn {
		case telemetry.Mean, telemetry.Sum:
			into.sum(n, f.scale)
		case telemetry.Min:
			if into.n == 0 || n < into.value {
				into.value = n
			}
		case telemetry.Max:
			if into.n == 0 || n > into.value {
				into.value = n
			}
		case telemetry.First:
			if into.n == 0 || ts[row] < into.ts || ts[row] == into.ts && n > into.value {
				into.value, into.ts = n, ts[row]
			}
		case telemetry.Last:
			if into.n == 0 || ts[row] > into.ts || ts[row] == into.ts && n > into.value {
				into.value, into.ts = n, ts[row]
			}
		}
		into.n++
	}
}

func (a *folded) sum(n, scale float64) {
	a.value += n
	scaled := n * scale
	if scaled >= 1<<63 || scaled < -1<<63 {
		a.beyond = true
		return
	}
	whole := int64(scaled)
	a.whole.add(whole)
	if rest := scaled - float64(whole); rest != 0 {
		a.fraction.add(int64(math.RoundToEven(rest * (1 << fractionBits))))
	}
}

// result is the number; false where there were no samples.
func (f *folder) result(a *folded) (float64, bool) {
	if a.n == 0 {
		return 0, false
	}
	switch f.fn {
	case telemetry.Count:
		return float64(a.n), true
	case telemetry.Sum:
		return f.total(a), true
	case telemetry.Mean:
		return f.total(a) / float64(a.n), true
	}
	return a.value, true
}

func (f *folder) total(a *folded) float64 {
	if f.scale == 0 || a.beyond {
		return a.value
	}
	return (a.whole.float() + a.fraction.float()/(1<<fractionBits)) / f.scale
}

// int128 is an integer of 128 bits.
type int128 struct {
	high int64
	low  uint64
}

func (x *int128) add(n int64) {
	var carry uint64
	x.low, carry = bits.Add64(x.low, uint64(n), 0)
	x.high += n>>63 + int64(carry)
}

// float is x to within the last bit.
func (x int128) float() float64 {
	if x.high == int64(x.low)>>63 {
		return float64(int64(x.low))
	}
	return float64(x.high)*(1<<64) + float64(x.low)
}
