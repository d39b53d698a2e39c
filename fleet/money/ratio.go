package money

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Ratio is an exact rate: a share, a tariff's factor, a rate of tax. Its
// denominator is more than 0. The zero Ratio is invalid, not 0.
type Ratio struct {
	Num int64
	Den int64
}

// Valid reports whether it is a number.
func (r Ratio) Valid() bool { return r.Den > 0 }

// ParseRatio reads a decimal ("0.125", "-3"), a percentage ("12.5%") or a
// fraction ("1/3"), exactly; or returns ErrRatio.
func ParseRatio(s string) (Ratio, error) {
	bad := fmt.Errorf("%w: %q", ErrRatio, s)
	if num, den, ok := strings.Cut(s, "/"); ok {
		n, err := strconv.ParseInt(num, 10, 64)
		if err != nil {
			return Ratio{}, bad
		}
		d, err := strconv.ParseInt(den, 10, 64)
		if err != nil || d <= 0 {
			return Ratio{}, bad
		}
		return Ratio{n, d}, nil
	}
	digits, percent := strings.CutSuffix(s, "%")
	places := 0
	if _, fraction, ok := strings.Cut(digits, "."); ok {
		places = len(fraction)
	}
	n, err := parseDecimal(digits, places)
	if err != nil {
		return Ratio{}, bad
	}
	if percent {
		places += 2
	}
	if places > 18 {
		return Ratio{}, bad
	}
	return Ratio{n, pow10(places)}, nil
}

// Apply returns a·r, rounded once to a whole minor unit, halves to the even one
// (IEEE 754 roundTiesToEven, which has no drift over many amounts): 2.5 cents are
// 2, 3.5 are 4. It is ErrRatio or ErrOverflow otherwise.
func (a Amount) Apply(r Ratio) (Amount, error) {
	if !r.Valid() {
		return Amount{}, ErrRatio
	}
	hi, lo, negative := magnitudes(a.Minor, r.Num)
	den := uint64(r.Den)
	if hi >= den {
		return Amount{}, ErrOverflow
	}
	q, rem := bits.Div64(hi, lo, den)
	if half := den - rem; rem > half || rem == half && q&1 == 1 {
		if q == math.MaxUint64 {
			return Amount{}, ErrOverflow
		}
		q++
	}
	minor, ok := join(0, q, negative)
	if !ok {
		return Amount{}, ErrOverflow
	}
	return Amount{minor, a.Currency}, nil
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
