package battery

import "math"

// kinked fits continuous lines with one or two kinks to a curve, as the model of
// Bacon & Watts (1971, Biometrika 58:525) in the limit of a sharp transition,
//
//	y = β₀ + β₁(x − c₁) + β₂(x − c₁)·sgn(x − c₁) [ + β₃(x − c₂)·sgn(x − c₂) ],
//
// which is a line that changes its slope at c₁ (and at c₂). For given kinks the
// rest is linear, and sums over the points right of each kink give it without
// going over the points again.
type kinked struct {
	u []float64 // even steps from 0 to 1
	// Sums over the points from an index on.
	s0, s1, s2, sy, suy []float64
	yy                  float64
}

func newKinked(u, y []float64) *kinked {
	n := len(u)
	k := &kinked{u: u}
	for _, s := range []*[]float64{&k.s0, &k.s1, &k.s2, &k.sy, &k.suy} {
		*s = make([]float64, n+1)
	}
	for i := n - 1; i >= 0; i-- {
		k.s0[i] = k.s0[i+1] + 1
		k.s1[i] = k.s1[i+1] + u[i]
		k.s2[i] = k.s2[i+1] + u[i]*u[i]
		k.sy[i] = k.sy[i+1] + y[i]
		k.suy[i] = k.suy[i+1] + u[i]*y[i]
		k.yy += y[i] * y[i]
	}
	return k
}

// rss is the sum of squares left with kinks at c, which ascend.
func (k *kinked) rss(c ...float64) float64 {
	e := normal{n: 2 + len(c), yy: k.yy}
	e.a[0][0], e.a[0][1], e.a[1][0], e.a[1][1] = k.s0[0], k.s1[0], k.s1[0], k.s2[0]
	e.b[0], e.b[1] = k.sy[0], k.suy[0]
	for j, cj := range c {
		i, r := min(len(k.u), int(math.Ceil(cj*float64(len(k.u)-1)))), 2+j
		e.a[r][0] = k.s1[i] - cj*k.s0[i]
		e.a[r][1] = k.s2[i] - cj*k.s1[i]
		e.a[0][r], e.a[1][r] = e.a[r][0], e.a[r][1]
		e.b[r] = k.suy[i] - cj*k.sy[i]
		for m, cm := range c[:j+1] { // cm ≤ cj: both are positive right of cj
			v := k.s2[i] - (cj+cm)*k.s1[i] + cj*cm*k.s0[i]
			e.a[r][2+m], e.a[2+m][r] = v, v
		}
	}
	_, rss, ok := e.solve()
	if !ok {
		return math.Inf(1)
	}
	return rss
}

// kinkGrid is how many places are tried for each kink at each scale.
const kinkGrid = 24

// one finds the best kink.
func (k *kinked) one() float64 {
	lo, hi := 0.0, 1.0
	best, least := 0.5, math.Inf(1)
	for hi-lo > 1e-9 {
		step := (hi - lo) / kinkGrid
		for i := range kinkGrid + 1 {
			c := lo + float64(i)*step
			if r := k.rss(c); r < least {
				best, least = c, r
			}
		}
		lo, hi = max(0, best-2*step), min(1, best+2*step)
	}
	return best
}

// two finds the best pair of kinks, ascending.
func (k *kinked) two() (float64, float64) {
	best1, best2, least := 0.3, 0.7, math.Inf(1)
	lo1, hi1, lo2, hi2 := 0.0, 1.0, 0.0, 1.0
	for hi1-lo1 > 1e-7 {
		step1, step2 := (hi1-lo1)/kinkGrid, (hi2-lo2)/kinkGrid
		for i := range kinkGrid + 1 {
			c1 := lo1 + float64(i)*step1
			for j := range kinkGrid + 1 {
				c2 := lo2 + float64(j)*step2
				if c2 <= c1 {
					continue
				}
				if r := k.rss(c1, c2); r < least {
					best1, best2, least = c1, c2, r
				}
			}
		}
		lo1, hi1 = max(0, best1-3*step1), min(1, best1+3*step1)
		lo2, hi2 = max(0, best2-3*step2), min(1, best2+3*step2)
	}
	return best1, best2
}
