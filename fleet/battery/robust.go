package battery

import (
	"math"
	"slices"
)

// madToSigma makes a standard deviation of a median absolute deviation of
// normally distributed values: 1/Φ⁻¹(¾).
const madToSigma = 1.4826

// median of values, which it leaves as they are; NaN without any.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return middle(slices.Clone(values))
}

// spread is the standard deviation of values by their median absolute deviation
// from center.
func spread(values []float64, center float64) float64 {
	off := make([]float64, len(values))
	for k, v := range values {
		off[k] = math.Abs(v - center)
	}
	return madToSigma * median(off)
}

// quantile of ascending values by linear interpolation (Hyndman & Fan 1996,
// type 7). p is in 0…1 and there is at least one value.
func quantile(ascending []float64, p float64) float64 {
	at := p * float64(len(ascending)-1)
	k := int(at)
	if k >= len(ascending)-1 {
		return ascending[len(ascending)-1]
	}
	return ascending[k] + (ascending[k+1]-ascending[k])*(at-float64(k))
}

// huber is the weight of a standardised residual (Huber, Robust Statistics,
// §7.8): 1 up to k, k/|r| beyond, with k = 1.345 for 95 % efficiency.
func huber(r float64) float64 {
	const k = 1.345
	if r = math.Abs(r); r > k {
		return k / r
	}
	return 1
}

// maxTrendPoints bounds the pairs that a trend looks at.
const maxTrendPoints = 500

// trend is the median slope over all pairs of points, and the intercept that
// halves the residuals (Theil 1950; Sen 1968). It needs two points of different
// x. Of more than 500 points, evenly many are used.
func trend(x, y []float64) (slope, intercept float64, ok bool) {
	step := (len(x) + maxTrendPoints - 1) / maxTrendPoints
	var slopes []float64
	for i := 0; i < len(x); i += step {
		for j := i + step; j < len(x); j += step {
			if x[j] != x[i] {
				slopes = append(slopes, (y[j]-y[i])/(x[j]-x[i]))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, 0, false
	}
	slope = middle(slopes)
	rest := make([]float64, len(x))
	for k := range x {
		rest[k] = y[k] - slope*x[k]
	}
	return slope, middle(rest), true
}

// goldenMin finds where f is least between lo and hi, to a share tol of their
// distance, if it has one minimum there (Kiefer 1953).
func goldenMin(lo, hi, tol float64, f func(float64) float64) float64 {
	const g = 0.6180339887498949
	tol *= hi - lo
	a, b := hi-g*(hi-lo), lo+g*(hi-lo)
	fa, fb := f(a), f(b)
	for hi-lo > tol {
		if fa < fb {
			hi, b, fb = b, a, fa
			a = hi - g*(hi-lo)
			fa = f(a)
		} else {
			lo, a, fa = a, b, fb
			b = lo + g*(hi-lo)
			fb = f(b)
		}
	}
	return (lo + hi) / 2
}
