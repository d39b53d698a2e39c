package battery

import "math"

// passage is the time that a Wiener process with drift takes to rise by a
// distance for the first time: X(t) = μ·t + σ·B(t), X = distance.
//
// For a known drift it has the inverse Gaussian distribution with the mean
// distance/μ and the shape distance²/σ²,
//
//	F(t) = Φ((μt − w)/(σ√t)) + exp(2μw/σ²)·Φ(−(μt + w)/(σ√t)),
//
// (Chhikara & Folks 1989, The Inverse Gaussian Distribution; for batteries Tang
// et al. 2014, Energies 7:520). For a drift known only to be normal around μ with the standard
// deviation s,
//
//	F(t) = Φ((μt − w)/√(s²t² + σ²t)) + exp(2μw/σ² + 2s²w²/σ⁴) ·
//	       Φ(−(2s²wt + σ²(μt + w))/(σ²√(s²t² + σ²t))),
//
// (Peng & Tseng 2009, IEEE Trans. Reliability 58:444), which is the same at s = 0.
// A distance that is uncertain too is averaged over.
type passage struct {
	distance, drift, sigma, driftErr, distanceErr float64
}

// hermite are the points x and weights of a Gauss–Hermite quadrature of seven
// points for a standard normal distribution (Abramowitz & Stegun 25.4.46).
func hermite() [7][2]float64 {
	return [7][2]float64{
		{-3.750439717725742, 0.0005482688559722}, {-2.366759410734541, 0.0307571239675865}, {-1.154405394739968, 0.2401231786050127},
		{0, 0.4571428571428571},
		{1.154405394739968, 0.2401231786050127}, {2.366759410734541, 0.0307571239675865}, {3.750439717725742, 0.0005482688559722},
	}
}

// cdf is the probability that it takes t at most. With the distance normal around
// w with the standard deviation e, and r² = s²t² + σ²t, the first term becomes
//
//	Φ((μt − w)/√(r² + e²)).
//
// The second, for a distance W, is exp(−(μt − W)²/2r²)·erfcx(x/√2)/2 with −x the
// argument of its Φ. The first factor times the density of W is a normal density
// of W around the mean of μt and w by their precisions, and what is left changes
// slowly with W: a quadrature does for that. One over both factors would not, as
// where r is far less than e it sees steps.
func (p passage) cdf(t float64) float64 {
	w, e := p.distance, p.distanceErr
	switch {
	case e == 0 && w <= 0:
		return 1
	case t <= 0:
		return phi(-w / e) // 0 where e is
	}
	rise, r2 := p.drift*t, (p.driftErr*p.driftErr*t+p.sigma*p.sigma)*t
	total := r2 + e*e
	if total == 0 { // all is known
		if rise >= w {
			return 1
		}
		return 0
	}
	z := (rise - w) / math.Sqrt(total)
	f := phi(z)
	if r2 == 0 || f > 1-1e-9 || z*z > 60 { // the second term is less than exp(−z²/2)/2
		return f
	}
	root := math.Sqrt(r2)
	if e == 0 {
		return min(1, f+p.reflected(w, t, root, z))
	}
	mean, sd, second := (rise*e*e+w*r2)/total, root*e/math.Sqrt(total), 0.0
	for _, h := range hermite() {
		second += h[1] * p.reflected(mean+h[0]*sd, t, root, z)
	}
	return min(1, f+second*root/math.Sqrt(total))
}

// reflected is erfcx(x/√2)·exp(−z²/2)/2 for a known distance w. Where that is
// passed already, x is such that both terms make 1.
func (p passage) reflected(w, t, root, z float64) float64 {
	v := p.sigma * p.sigma
	x := (p.drift*t - w) / root
	switch {
	case w > 0 && v == 0: // no noise: only the drift is uncertain
		return 0
	case w > 0:
		x = (2*p.driftErr*p.driftErr*w*t/v + p.drift*t + w) / root
	}
	// Taken together, as one may be huge where the other is tiny.
	return math.Exp(logErfcx(x/math.Sqrt2)-z*z/2) / 2
}

// quantile is the time by which it has happened with probability q in (0, 1),
// +Inf where it may never happen.
func (p passage) quantile(q float64) float64 {
	hi := 1.0
	if p.drift > 0 {
		hi = p.distance / p.drift
	}
	for range 60 {
		if p.cdf(hi) >= q {
			break
		}
		hi *= 2
	}
	if p.cdf(hi) < q {
		return math.Inf(1)
	}
	lo := 0.0
	if p.cdf(lo) >= q {
		return 0
	}
	for hi-lo > 1e-10*hi {
		mid := (lo + hi) / 2
		if mid == lo || mid == hi {
			break
		}
		if p.cdf(mid) < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// phi is the standard normal distribution function.
func phi(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// logErfcx is the logarithm of exp(x²)·erfc(x), by its asymptotic series where
// erfc underflows (Abramowitz & Stegun 7.1.23).
func logErfcx(x float64) float64 {
	if x < 20 {
		return x*x + math.Log(math.Erfc(x))
	}
	z := 1 / (2 * x * x)
	return math.Log1p(-z*(1-3*z*(1-5*z))) - math.Log(x*math.Sqrt(math.Pi))
}
