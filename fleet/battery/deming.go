package battery

import "math"

// pair is a measured x and y, each with its standard error, and a weight.
type pair struct {
	x, y, sx, sy, w float64
}

// deming fits y = b·x through the origin where both are measured with error. It
// minimises
//
//	χ²(b) = Σ wₖ·(yₖ − b·xₖ)² / (σyₖ² + b²·σxₖ²)
//
// (Deming 1943, Statistical Adjustment of Data, ch. VIII; Plett 2011, J. Power
// Sources 196:2319, for the capacity of a battery with a fading memory w). The
// standard error is that of an M-estimator, √(Σwₖ²gₖ²)/(χ²″/2), which holds for
// weights that are not inverse variances too; g is the score. It is never less
// than what the stated errors give. Outliers are held down by Huber's weights.
//
// Example: (0.5, 5) and (0.8, 8), however weighted, give 10.
func deming(pairs []pair) (b, stdErr float64, ok bool) {
	var sxx, sxy float64
	for _, p := range pairs {
		sxx += p.w * p.x * p.x
		sxy += p.w * p.x * p.y
	}
	if sxx <= 0 || sxy <= 0 {
		return 0, 0, false
	}
	b = sxy / sxx
	held := make([]float64, len(pairs))
	for k := range held {
		held[k] = 1
	}
	for range 8 {
		was := b
		b = demingMin(pairs, held, b)
		hold(pairs, held, b)
		if math.Abs(b-was) < 1e-7*b {
			break
		}
	}
	return b, demingErr(pairs, held, b), true
}

func demingMin(pairs []pair, held []float64, near float64) float64 {
	return goldenMin(near/2, near*2, 1e-8, func(b float64) float64 {
		chi := 0.0
		for k, p := range pairs {
			d := p.y - b*p.x
			chi += p.w * held[k] * d * d / (p.sy*p.sy + b*b*p.sx*p.sx)
		}
		return chi
	})
}

// hold sets the weights that keep outliers from pulling.
func hold(pairs []pair, held []float64, b float64) {
	r := make([]float64, len(pairs))
	for k, p := range pairs {
		r[k] = (p.y - b*p.x) / math.Hypot(p.sy, b*p.sx)
	}
	scale := max(1, spread(r, 0))
	for k := range r {
		held[k] = huber(r[k] / scale)
	}
}

func demingErr(pairs []pair, held []float64, b float64) float64 {
	var curvature, meat, stated float64
	for k, p := range pairs {
		v := p.sy*p.sy + b*b*p.sx*p.sx
		d := p.y - b*p.x
		w := p.w * held[k]
		// Half the derivative of w·d²/v by b, and the leading term of its own.
		score := -w * (d*p.x/v + d*d*b*p.sx*p.sx/(v*v))
		curvature += w * p.x * p.x / v
		meat += score * score
		stated += w * w * p.x * p.x / v
	}
	return math.Sqrt(max(meat, stated)) / curvature
}
