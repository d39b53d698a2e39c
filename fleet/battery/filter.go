package battery

import "math"

// filtered is what a Kalman filter makes of noisy values of a process that falls
// at a steady rate by chance.
type filtered struct {
	level, levelErr float64 // the value behind the last measurement
	drift, driftErr float64 // loss per X
	sigma, noise    float64 // of the process over an X of 1, and of one measurement
}

// filter tells the process from the noise: a level that falls as a Wiener
// process with drift, seen with independent errors. The ratio of the two
// variances is that of the greatest likelihood, the rest follows from it
// (Harvey 1989, Forecasting, Structural Time Series Models and the Kalman
// Filter, §3.4, with the likelihood concentrated over σ²). The points' X
// ascends; there are three or more. A zero sigma says that it found nothing.
func filter(points []LifePoint) filtered {
	step := (points[len(points)-1].X - points[0].X) / float64(len(points)-1)
	if step <= 0 {
		return filtered{}
	}
	const lo, hi, grid = -8.0, 8.0, 32 // of the logarithm of noise over process within one step
	best, most := lo, math.Inf(-1)
	try := func(p float64) float64 { _, l := run(points, math.Exp(p)*step); return l }
	for k := range grid + 1 {
		p := lo + (hi-lo)*float64(k)/grid
		if l := try(p); l > most {
			best, most = p, l
		}
	}
	const cell = (hi - lo) / grid
	best = goldenMin(best-cell, best+cell, 1e-4, func(p float64) float64 { return -try(p) })
	f, _ := run(points, math.Exp(best)*step)
	return f
}

// run filters with the given ratio of variances τ²/σ² and returns the logarithm
// of the likelihood, but for a constant. Covariances are in units of σ².
func run(points []LifePoint, ratio float64) (filtered, float64) {
	// The state is the level and the drift. The first point sets the level, and
	// a drift of which nothing is known is learned from the second.
	const vague = 1e8
	level, drift := points[0].Value, 0.0
	pll, pld, pdd := ratio, 0.0, vague
	var squares, logs float64
	n := 0
	for k := 1; k < len(points); k++ {
		dx := points[k].X - points[k-1].X
		if dx < 0 {
			continue
		}
		level -= drift * dx
		pll += dx - 2*dx*pld + dx*dx*pdd
		pld -= dx * pdd
		innovation, v := points[k].Value-level, pll+ratio
		gl, gd := pll/v, pld/v
		level += gl * innovation
		drift += gd * innovation
		pll, pld, pdd = pll-gl*pll, pld-gl*pld, pdd-gd*pld
		if k > 1 {
			squares += innovation * innovation / v
			logs += math.Log(v)
			n++
		}
	}
	if n == 0 || squares == 0 {
		return filtered{}, math.Inf(-1)
	}
	variance := squares / float64(n)
	f := filtered{
		level: level, drift: drift, sigma: math.Sqrt(variance), noise: math.Sqrt(variance * ratio),
		levelErr: math.Sqrt(variance * pll), driftErr: math.Sqrt(variance * pdd),
	}
	return f, -(float64(n)*math.Log(variance) + logs) / 2
}
