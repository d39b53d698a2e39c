package money

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// Allocate divides a by weights, in whole minor units that add up to a exactly.
// Each part is its exact share rounded down, and what is left over goes, one unit
// each, to the largest remainders (Hamilton's method), and of equal ones to the
// first. A negative amount is divided like the positive one. One cent by 1:1 is 1
// and 0. A weight below 0, none above 0, or a sum beyond an int64 is ErrWeights.
func (a Amount) Allocate(weights ...int64) ([]Amount, error) {
	var total uint64
	for _, w := range weights {
		if w < 0 {
			return nil, ErrWeights
		}
		if total += uint64(w); total > math.MaxInt64 {
			return nil, ErrWeights
		}
	}
	if total == 0 {
		return nil, ErrWeights
	}
	whole := magnitude(a.Minor)
	left := whole
	shares := make([]uint64, len(weights))
	rests := make([]uint64, len(weights))
	order := make([]int, len(weights))
	for i, w := range weights {
		hi, lo := bits.Mul64(whole, uint64(w))
		shares[i], rests[i] = bits.Div64(hi, lo, total)
		left -= shares[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rests[j], rests[i]) })
	for _, i := range order[:left] {
		shares[i]++
	}
	out := make([]Amount, len(weights))
	for i, s := range shares {
		minor, _ := join(0, s, a.Minor < 0) // |share| ≤ |a|
		out[i] = Amount{minor, a.Currency}
	}
	return out, nil
}

// Split divides a into n parts that differ by one minor unit at most, the larger
// ones first. n must be at least 1.
func (a Amount) Split(n int) ([]Amount, error) {
	if n < 1 {
		return nil, ErrWeights
	}
	return a.Allocate(slices.Repeat([]int64{1}, n)...)
}
