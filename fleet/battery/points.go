package battery

import (
	"math"
	"slices"
)

// hampelSide is how many neighbours a point has on each side where it is asked
// whether it is an outlier; up to so many in a row are found.
const hampelSide = 7

// clean leaves out the points that are not finite, and the outliers among the
// others: those further from the median of their neighbourhood than six of its
// standard deviations, and than 5 % (Hampel's filter; Pearson et al. 2016, EURASIP
// J. Adv. Signal Process. 2016:87). At the ends the neighbourhood is the first or
// last fifteen points, so that the first point is judged too.
func clean(points []LifePoint) []LifePoint {
	points = finite(points)
	const width, most, least = 2*hampelSide + 1, 6, 0.05
	if len(points) < width {
		return points
	}
	out := make([]LifePoint, 0, len(points))
	near := make([]float64, width)
	for k, p := range points {
		from := max(0, min(k-hampelSide, len(points)-width))
		for i := range near {
			near[i] = points[from+i].Value
		}
		mid := median(near)
		if math.Abs(p.Value-mid) <= max(most*spread(near, mid), least*math.Abs(mid)) {
			out = append(out, p)
		}
	}
	return out
}

// finite leaves out the points that are no numbers.
func finite(points []LifePoint) []LifePoint {
	lacks := func(p LifePoint) bool { return !isFinite(p.X) || !isFinite(p.Value) }
	if slices.ContainsFunc(points, lacks) {
		points = slices.DeleteFunc(slices.Clone(points), lacks)
	}
	return points
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// independent is how many independent values the residuals are worth, n/τ, where
// τ = 1 + 2Σρ is summed over pairs of lags as long as they are positive (Geyer
// 1992, Statistical Science 7:473). It is 1…n.
func independent(residuals []float64) float64 {
	n := len(residuals)
	lag := func(k int) float64 {
		s := 0.0
		for i := k; i < n; i++ {
			s += residuals[i] * residuals[i-k]
		}
		return s
	}
	zero := lag(0)
	if zero <= 0 {
		return float64(n)
	}
	tau := -1.0
	for k := 0; k+1 < n; k += 2 {
		pair := (lag(k) + lag(k+1)) / zero
		if pair <= 0 {
			break
		}
		tau += 2 * pair
	}
	return float64(n) / max(1, min(float64(n), tau))
}
