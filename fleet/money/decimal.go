package money

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Parse reads a decimal number of the currency's major unit, as "12.34", "-0.5"
// or "1200", exactly. More decimals than the currency has are ErrPrecise, even
// where they are 0; a sign "+", an exponent, spaces and separators of thousands
// are ErrSyntax.
func Parse(s string, c Currency) (Amount, error) {
	digits, err := c.Digits()
	if err != nil {
		return Amount{}, err
	}
	minor, err := parseDecimal(s, digits)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %q %s", err, s, c)
	}
	return Amount{minor, c}, nil
}

// parseDecimal reads s·10^places.
func parseDecimal(s string, places int) (int64, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(unsigned, ".")
	if whole == "" || point && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return 0, ErrSyntax
	}
	if len(fraction) > places {
		return 0, ErrPrecise
	}
	var v uint64
	for _, d := range whole + fraction + strings.Repeat("0", places-len(fraction)) {
		if v > (math.MaxInt64+1)/10 {
			return 0, ErrOverflow
		}
		v = 10*v + uint64(d-'0')
	}
	n, ok := join(0, v, negative)
	if !ok {
		return 0, ErrOverflow
	}
	return n, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Decimal is the amount in major units with all decimals of its currency, as
// Parse reads it: "12.30", "-0.05", "1200". An amount of no currency has none.
func (a Amount) Decimal() string {
	digits := a.Currency.mustDigits()
	s := strconv.FormatUint(magnitude(a.Minor), 10)
	if short := digits + 1 - len(s); short > 0 {
		s = strings.Repeat("0", short) + s
	}
	if digits > 0 {
		s = s[:len(s)-digits] + "." + s[len(s)-digits:]
	}
	if a.Minor < 0 {
		s = "-" + s
	}
	return s
}

// String is "12.30 EUR".
func (a Amount) String() string {
	if a.Currency == "" {
		return a.Decimal()
	}
	return a.Decimal() + " " + string(a.Currency)
}

// Float is the amount in major units, near enough for an analysis: within one
// part in 2^53. It is never booked.
func (a Amount) Float() float64 {
	return float64(a.Minor) / float64(pow10(a.Currency.mustDigits()))
}
