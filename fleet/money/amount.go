// Package money owns amounts of money: whole minor units of an ISO 4217
// currency, arithmetic that says so when it overflows or mixes currencies, shares
// that add up to the last cent, and decimals that are read and written exactly. It
// knows no floating point, no rates of exchange, and nothing of what is paid for.
package money

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// What can be wrong with amounts.
var (
	ErrOverflow = errors.New("amount is too large")
	ErrMixed    = errors.New("amounts of different currencies")
	ErrCurrency = errors.New("unknown currency")
	ErrSyntax   = errors.New("not a decimal amount")
	ErrPrecise  = errors.New("more decimals than the currency has")
	ErrRatio    = errors.New("not a ratio")
	ErrWeights  = errors.New("weights to allocate by must be at least 0 and not all 0")
)

// Amount is money: a whole number of minor units (cents, fils, yen) of a
// currency. The zero Amount is no money of no currency, and can be added to any.
type Amount struct {
	Minor    int64
	Currency Currency
}

// Of is so many minor units of a currency.
func Of(minor int64, c Currency) Amount { return Amount{minor, c} }

// Zero is none of a currency.
func Zero(c Currency) Amount { return Amount{0, c} }

// IsZero reports whether it is nothing.
func (a Amount) IsZero() bool { return a.Minor == 0 }

// Sign is −1, 0 or 1.
func (a Amount) Sign() int { return cmp.Compare(a.Minor, 0) }

// common is the currency of both; an Amount{} takes that of the other.
func (a Amount) common(b Amount) (Currency, error) {
	switch {
	case a.Currency == b.Currency, b == Amount{}:
		return a.Currency, nil
	case a == Amount{}:
		return b.Currency, nil
	}
	return "", fmt.Errorf("%w: %s and %s", ErrMixed, a.Currency, b.Currency)
}

// Add returns a+b, ErrMixed or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	c, err := a.common(b)
	if err != nil {
		return Amount{}, err
	}
	sum := a.Minor + b.Minor
	if (sum > a.Minor) != (b.Minor > 0) {
		return Amount{}, ErrOverflow
	}
	return Amount{sum, c}, nil
}

// Sub returns a−b, ErrMixed or ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	c, err := a.common(b)
	if err != nil {
		return Amount{}, err
	}
	diff := a.Minor - b.Minor
	if (diff < a.Minor) != (b.Minor > 0) {
		return Amount{}, ErrOverflow
	}
	return Amount{diff, c}, nil
}

// Neg returns −a, or ErrOverflow.
func (a Amount) Neg() (Amount, error) {
	if a.Minor == math.MinInt64 {
		return Amount{}, ErrOverflow
	}
	return Amount{-a.Minor, a.Currency}, nil
}

// Times returns n·a, or ErrOverflow.
func (a Amount) Times(n int64) (Amount, error) {
	minor, ok := join(magnitudes(a.Minor, n))
	if !ok {
		return Amount{}, ErrOverflow
	}
	return Amount{minor, a.Currency}, nil
}

// Compare is −1, 0 or 1 as a is less than, equal to or more than b; or ErrMixed.
func (a Amount) Compare(b Amount) (int, error) {
	if _, err := a.common(b); err != nil {
		return 0, err
	}
	return cmp.Compare(a.Minor, b.Minor), nil
}

// Sum adds up amounts; none of them is Amount{}. Its order does not matter, but
// for which error is returned.
func Sum(amounts ...Amount) (Amount, error) {
	var total Amount
	for _, a := range amounts {
		var err error
		if total, err = total.Add(a); err != nil {
			return Amount{}, err
		}
	}
	return total, nil
}

// magnitudes are the 128-bit product of |a| and |b|, and its sign.
func magnitudes(a, b int64) (hi, lo uint64, negative bool) {
	hi, lo = bits.Mul64(magnitude(a), magnitude(b))
	return hi, lo, (a < 0) != (b < 0)
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// join makes an int64 of a magnitude and a sign, if it is one.
func join(hi, lo uint64, negative bool) (int64, bool) {
	switch {
	case hi != 0:
		return 0, false
	case negative && lo <= 1<<63:
		return -int64(lo), true
	case !negative && lo <= math.MaxInt64:
		return int64(lo), true
	}
	return 0, false
}
