package waterfall

import "math/bits"

// apportion divides n units by weights, into whole units that add up to n. It is
// the method of Webster: each next unit goes to the largest w/(2s+1), s being what
// one has, and of equal ones to the first (Balinski & Young, Fair Representation,
// 1982). One more unit so changes one part, by one, which largest remainders do not
// promise; and this is what makes shares monotone in the revenue. 10 by 53, 24, 23
// are 6, 2, 2.
//
// A part is its exact share rounded, where the rounded ones add up. Where they do
// not, what is too much or too little falls on large parts first, as on the rest; a
// part of k is never off by more than (k+1)/2. The weights are not negative, not all
// 0, and add up to less than 2^62; n is less than 2^61.
func apportion(n int64, weights []int64, into []int64) {
	var total uint64
	for _, w := range weights {
		total += uint64(w)
	}
	left := n
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(n), uint64(w))
		q, r := bits.Div64(hi, lo, total)
		if r > total-r { // a half is not rounded up: those are given out in order
			q++
		}
		into[i] = int64(q)
		left -= int64(q)
	}
	for ; left > 0; left-- {
		best := -1
		for i, w := range weights {
			if w > 0 && (best < 0 || prior(w, into[i], weights[best], into[best])) {
				best = i
			}
		}
		into[best]++
	}
	for ; left < 0; left++ {
		last := -1
		for i, w := range weights {
			if into[i] > 0 && (last < 0 || !prior(w, into[i]-1, weights[last], into[last]-1)) {
				last = i
			}
		}
		into[last]--
	}
}

// prior reports whether w/(2s+1) is more than v/(2r+1).
func prior(w, s, v, r int64) bool {
	aHi, aLo := bits.Mul64(uint64(w), uint64(2*r+1))
	bHi, bLo := bits.Mul64(uint64(v), uint64(2*s+1))
	return aHi > bHi || aHi == bHi && aLo > bLo
}
