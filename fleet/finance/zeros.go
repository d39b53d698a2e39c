package finance

import (
	"math"
	"slices"
)

// Where zeros are looked for: forces of interest that are numbers as a rate, from
// −1+2e−16 to 8e307.
const (
	leastForce = -36
	mostForce  = 709
)

// zeros returns every zero of f between leastForce and mostForce, ascending, and
// whether there are others beyond. A zero that f touches without crossing it is
// listed once. ok is false where zeros are so near each other that they can't be
// told apart in a bounded time, as those of (1−v)^10.
//
// The search is complete: an interval is let go only once a bound proves it to
// have no zero, or at most one. With g(x) = f(x)·e^(τx), which has the zeros of f,
// and c the middle of an interval of half the width h, Taylor's theorem has
//
//	|g(x) − g(c)| ≤ |g′(c)|·h + M₂·h²/2,  |g′(x) − g′(c)| ≤ M₂·h,  |g″(x) − g″(c)| ≤ M₃·h
//
// with Mₙ = Σ |aₖ|·|τ−tₖ|ⁿ·max e^((τ−tₖ)x) over the interval. So g has no zero where
// |g(c)| exceeds the first, one at most where |g′(c)| exceeds the second, and two at
// most, either side of its extremum, where |g″(c)| exceeds the third. τ is the mean
// time of the terms as they weigh at c, which keeps the bounds small.
func (f exposum) zeros() (found []float64, beyond, ok bool) {
	s := search{f: f, boxes: max(leastBoxes, maxWork/len(f))}
	switch f.changes() {
	case 0:
		return nil, false, true
	case 1:
		s.cross(leastForce, mostForce)
	default:
		s.all()
	}
	if s.boxes < 0 {
		return nil, false, false
	}
	// What signs f has at the ends of the axis, its first and its last term say.
	beyond = f.positive(mostForce) != (f[0].a > 0) || f.positive(leastForce) != (f[len(f)-1].a > 0)
	return s.found, beyond, true
}

// A search is bounded: so many terms are looked at, some tenths of a second, but so
// many intervals at least. 1000 flows of random signs take 200 intervals.
const (
	maxWork    = 2_000_000
	leastBoxes = 4000
)

// search is the state of looking for the zeros of f.
type search struct {
	f     exposum
	found []float64
	boxes int // left to look at; below 0, the search was given up
}

// narrowest is the half-width below which an interval that is still undecided
// holds zeros that are one, as far as numbers of this precision tell.
const narrowest = 1e-9

// pieces is how many the range is cut into to begin with. No end of one is 0, a
// rate that flows like to have; and each is narrow beside its distance from 0, so
// that a term too small for a number at the middle is so all over it.
const pieces = 32

func (s *search) all() {
	// Equal steps of asinh x: fine where rates usually are, coarse far out.
	from, to := math.Asinh(leastForce), math.Asinh(mostForce)
	a := float64(leastForce)
	for i := 1; i <= pieces; i++ {
		b := float64(mostForce)
		if i < pieces {
			b = math.Sinh(from + (to-from)*float64(i)/pieces)
		}
		s.within(a, b)
		a = b
	}
	slices.Sort(s.found)
	s.found = slices.CompactFunc(s.found, func(a, b float64) bool { return math.Abs(a-b) <= 4*narrowest })
}

// within finds the zeros of f in [a, b].
func (s *search) within(a, b float64) {
	if s.boxes--; s.boxes < 0 {
		return
	}
	h := (b - a) / 2
	c := a + h
	g := s.f.tilt(c)
	d := g.derivatives(c)
	m2, m3 := g.bounds(a, b)
	switch {
	case math.Abs(d[0]) > math.Abs(d[1])*h+m2*h*h/2:
		return
	case math.Abs(d[1]) > m2*h:
		s.cross(a, b)
	case math.Abs(d[2]) > m3*h:
		s.turn(a, b, g)
	case h < narrowest:
		if !s.cross(a, b) {
			s.touch(c)
		}
	default:
		s.within(a, c)
		s.within(c, b)
	}
}

// cross adds the zero between a and b, if f changes its sign there.
func (s *search) cross(a, b float64) bool {
	if s.f.positive(a) == s.f.positive(b) {
		return false
	}
	s.found = append(s.found, s.f.zero(a, b))
	return true
}

// touch adds x, if f is 0 there as far as can be told.
func (s *search) touch(x float64) {
	if v, noise := s.f.at(x); math.Abs(v) <= noise {
		s.found = append(s.found, x)
	}
}

// turn adds the zeros between a and b, where g has one extremum at most.
func (s *search) turn(a, b float64, g tilted) {
	rising := func(x float64) bool { return g.derivatives(x)[1] >= 0 }
	if rising(a) == rising(b) {
		s.cross(a, b)
		return
	}
	x := bisect(rising, a, b)
	if v, noise := s.f.at(x); math.Abs(v) <= noise {
		s.found = append(s.found, x)
		return
	}
	s.cross(a, x)
	s.cross(x, b)
}

// tilted is f times e^(τ·x); scaled, so that it does not overflow about there.
type tilted struct {
	exposum
	tau, origin float64
	weights     []float64 // aₖ·e^((pivot−tₖ)·origin)
}

// tilt chooses τ as the mean of the times, weighed by the terms at c.
func (f exposum) tilt(c float64) tilted {
	g := tilted{exposum: f, origin: c, weights: make([]float64, len(f))}
	p := f.pivot(c)
	var sum, moment float64
	for i, k := range f {
		w := k.a * math.Exp((p-k.t)*c)
		g.weights[i] = w
		sum += math.Abs(w)
		moment += math.Abs(w) * k.t
	}
	g.tau = moment / sum
	return g
}

// derivatives are g, g′ and g″ at x, all by the same factor.
func (g tilted) derivatives(x float64) (d [3]float64) {
	var sums [3]total
	for i, k := range g.exposum {
		s := g.tau - k.t
		v := g.weights[i]
		if x != g.origin {
			v *= math.Exp(s * (x - g.origin))
		}
		sums[0].add(v)
		sums[1].add(v * s)
		sums[2].add(v * s * s)
	}
	for i := range d {
		d[i] = sums[i].value()
	}
	return d
}

// bounds are M₂ and M₃ over [a, b], by the factor of derivatives. They may be
// infinite, which decides nothing.
func (g tilted) bounds(a, b float64) (m2, m3 float64) {
	h := max(b-g.origin, g.origin-a)
	for i, k := range g.exposum {
		s := math.Abs(g.tau - k.t)
		if w := math.Abs(g.weights[i]); w > 0 {
			w *= s * s * math.Exp(s*h)
			m2 += w
			m3 += w * s
		}
	}
	return m2, m3
}
