package finance

import (
	"cmp"
	"math"
	"slices"
)

// term is an amount a at a time t ≥ 0.
type term struct{ t, a float64 }

// exposum is f(x) = Σ aₖ·e^(−tₖ·x), the present value as a function of the force
// of interest x = ln(1+rate). Its times are apart and ascend from 0, no amount is
// 0, and the largest is 1.
type exposum []term

// negligible is the share of the largest amount below which one is taken for
// nothing. Amounts of money are never so far apart; products with less might not
// be numbers.
const negligible = 1e-150

// newExposum brings terms into that form. What falls on the same time is added up;
// what cancels within rounding is gone, as 0.1+0.2−0.3 is.
func newExposum(terms []term) exposum {
	sorted := slices.Clone(terms)
	slices.SortStableFunc(sorted, func(a, b term) int { return cmp.Compare(a.t, b.t) })
	f := make(exposum, 0, len(sorted))
	for i := 0; i < len(sorted); {
		var sum total
		var size float64
		j := i
		for ; j < len(sorted) && sorted[j].t == sorted[i].t; j++ {
			sum.add(sorted[j].a)
			size += math.Abs(sorted[j].a)
		}
		if v := sum.value(); math.Abs(v) > 4*epsilon*size {
			f = append(f, term{sorted[i].t, v})
		}
		i = j
	}
	scale := 0.0
	for _, k := range f {
		scale = max(scale, math.Abs(k.a))
	}
	f = slices.DeleteFunc(f, func(k term) bool { return math.Abs(k.a) < negligible*scale })
	for i, start := 0, startOf(f); i < len(f); i++ {
		f[i].t -= start
		f[i].a /= scale
	}
	return f
}

func startOf(f exposum) float64 {
	if len(f) == 0 {
		return 0
	}
	return f[0].t
}

// epsilon is the distance from 1 to the next larger number.
const epsilon = 0x1p-52

// last is the latest time.
func (f exposum) last() float64 { return f[len(f)-1].t }

// changes is how often the amounts change sign. By Descartes' rule, which holds
// for real exponents too (Pólya & Szegő, part V, no. 77), it is at least the
// number of zeros of f, and differs from it by an even number.
func (f exposum) changes() int {
	n := 0
	for i := 1; i < len(f); i++ {
		if (f[i].a > 0) != (f[i-1].a > 0) {
			n++
		}
	}
	return n
}

// pivot is the time that e^(pivot·x) is multiplied by, so that no term exceeds
// its amount: the first for x ≥ 0, the last below.
func (f exposum) pivot(x float64) float64 {
	if x >= 0 {
		return 0
	}
	return f.last()
}

// at returns f(x)·e^(pivot·x), which has the sign of f and does not overflow, and
// a bound of what it is off by for rounding.
func (f exposum) at(x float64) (value, noise float64) {
	p := f.pivot(x)
	var sum total
	for _, k := range f {
		e := (p - k.t) * x
		v := k.a * math.Exp(e)
		sum.add(v)
		noise += math.Abs(v) * (3 - e)
	}
	return sum.value(), epsilon * noise
}

// positive is the sign that f is taken to have at x. A zero counts as positive,
// so that of two neighbouring intervals just one has a change of sign.
func (f exposum) positive(x float64) bool {
	v, _ := f.at(x)
	return v >= 0
}

// zero returns the zero in (a, b), at whose ends f has different signs: by Newton's
// steps where they stay between the ends and get shorter by half, by halving
// elsewhere (Press et al., Numerical Recipes, rtsafe).
func (f exposum) zero(a, b float64) float64 {
	atA := f.positive(a)
	x, before := a+(b-a)/2, b-a
	for {
		v, slope := f.slope(x)
		if (v >= 0) == atA {
			a = x
		} else {
			b = x
		}
		next := x - v/slope
		if !(next > a && next < b && math.Abs(next-x) < before/2) {
			next = a + (b-a)/2
		}
		before = math.Abs(next - x)
		if next == a || next == b || before <= epsilon/4*max(1, math.Abs(x)) {
			return next
		}
		x = next
	}
}

// slope returns f(x)·e^(pivot·x) and its derivative for that pivot.
func (f exposum) slope(x float64) (value, slope float64) {
	p := f.pivot(x)
	var v, d total
	for _, k := range f {
		w := k.a * math.Exp((p-k.t)*x)
		v.add(w)
		d.add(w * (p - k.t))
	}
	return v.value(), d.value()
}

// bisect narrows [a, b], at whose ends the answer differs, to two neighbouring
// numbers, and returns one of them.
func bisect(positive func(float64) bool, a, b float64) float64 {
	atA := positive(a)
	for {
		m := a + (b-a)/2
		if m == a || m == b || b-a < 1e-17 {
			return m
		}
		if positive(m) == atA {
			a = m
		} else {
			b = m
		}
	}
}

// verifiable reports whether the number nearest to the rate of a zero x brings f
// as near to 0 as unverified says. Half the distance between two such numbers
// moves f by |f′(x)|·|rate|·ε/2/(1+rate) at most; and the terms are rounded.
func (f exposum) verifiable(x float64) bool {
	var slope total
	var size, terms float64
	for _, k := range f {
		v := k.a * math.Exp(-k.t*x)
		slope.add(v * k.t)
		terms += math.Abs(v)
		size += math.Abs(k.a)
	}
	rate := math.Expm1(x)
	off := math.Abs(slope.value())*math.Abs(rate)/2/(1+rate) + terms
	return off*epsilon <= unverified*size
}

// unverified is the share of all amounts that a present value may be from 0 at a
// rate of return.
const unverified = 1e-7
