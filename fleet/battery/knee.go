package battery

import "math"

// KneeVersion names the rules of FindKnee.
const KneeVersion = "knee/3"

// BaconWatts names how a knee is found.
const BaconWatts Method = "bacon_watts"

// LifePoint is a battery's capacity, or another measure of health that falls, at
// a point of its life.
type LifePoint struct {
	X     float64 `json:"x"`     // cycles, days or another measure of use that grows
	Value float64 `json:"value"` // Ah, or a share
}

// KneeRules are what FindKnee goes by.
type KneeRules struct {
	EndOfLife float64 // share of the first value at which life ends
	MinPoints int     // fewer are insufficient
	// MinBend is how much steeper the fade has to be behind the knee than before
	// its onset, as a ratio; MinDrop the least loss over the whole curve, as a
	// share of the first value. Below either, what bends is noise.
	MinBend, MinDrop float64
	// KeepOutliers takes every value as it is, as the published method does. One
	// glitch then moves the knee by tens of cycles, and may end the life.
	KeepOutliers bool
}

// DefaultKneeRules end life at 80 % of the first capacity.
func DefaultKneeRules() KneeRules {
	return KneeRules{EndOfLife: 0.8, MinPoints: 50, MinBend: 2, MinDrop: 0.02}
}

// Knee is where the fade of a battery turns from slow to fast.
type Knee struct {
	Basis
	Found      bool     `json:"found"`
	Onset      *float64 `json:"onset"`       // X where it begins to turn
	Point      *float64 `json:"point"`       // X where it has turned
	OnsetValue *float64 `json:"onset_value"` // on the monotone curve
	PointValue *float64 `json:"point_value"` // on the monotone curve
	EndOfLife  *float64 `json:"end_of_life"` // first whole X below the end of life; null: not reached
	Bend       float64  `json:"bend"`        // slope behind the point over slope before the onset; 0: there is no bend
}

// FindKnee finds the knee of a fade curve, whose X ascends, as
// Fermín-Cueto et al. define it (2020, Energy and AI 1:100006): the curve is
// made monotone, then smooth as a line plus an exponential,
//
//	y = d·exp(a·x) + c + θ·x,
//
// to which the model of Bacon & Watts is fitted with one transition, the knee
// point, and with two, the first of which is the onset. Each fit is the best
// there is, as all but one or two of its parameters are linear; X is rounded to
// whole steps, as cycles are. Outliers are left out first, and a knee counts as
// found only where the points tell the bend from a straight line beyond their
// noise. A knee that is found is passed: none is foretold.
//
// Example: cell b2c2 of Severson et al. (2019) has its onset at 282.7, its knee
// at 345.3 and reaches 80 % of its first capacity at 447 cycles. The published
// 280.8 and 344.7 are where a general solver of the same fits stopped.
func FindKnee(points []LifePoint, r KneeRules) Knee {
	k := Knee{Basis: basis(BaconWatts, KneeVersion)}
	if points = finite(points); !r.KeepOutliers {
		points = clean(points)
	}
	k.Count = len(points)
	if len(points) < max(r.MinPoints, 4) {
		k.lacking("too few measurements of capacity to tell a knee from noise")
		return k
	}
	x, y, step := whole(points)
	if len(x) < 4 {
		k.lacking("the measurements span fewer than four steps")
		return k
	}
	k.ok()
	first := y[0]
	for i := range y {
		if y[i] < r.EndOfLife*first {
			end := x[i]
			k.EndOfLife = &end
			break
		}
	}
	u, span := make([]float64, len(x)), x[len(x)-1]-x[0]
	for i := range x {
		u[i] = (x[i] - x[0]) / span
	}
	if first-y[len(y)-1] < r.MinDrop*first {
		return k
	}
	// Whether there is a bend at all is much cheaper to tell than where.
	bent, ok := bentDown(points)
	if !ok {
		return k
	}
	curve, ok := smooth(u, y)
	if !ok {
		return k
	}
	kinks := newKinked(u, curve)
	point := kinks.one()
	onset, _ := kinks.two()
	k.Bend = bend(u, curve, onset, point)
	if onset >= point || k.Bend < r.MinBend || !bent.at(points, x[0]+point*span) {
		return k
	}
	k.Found = true
	onset, point = x[0]+onset*span, x[0]+point*span
	onsetY, pointY := y[int((onset-x[0])/step)], y[int((point-x[0])/step)]
	k.Onset, k.Point, k.OnsetValue, k.PointValue = &onset, &point, &onsetY, &pointY
	return k
}

// maxKneeSteps bounds the length of the curve that a knee is looked for on.
const maxKneeSteps = 10_000

// whole makes the points monotone and reads them at every whole X, or at every
// so many where they span more than maxKneeSteps.
func whole(points []LifePoint) (x, y []float64, step float64) {
	px, py := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		px[i], py[i] = p.X, p.Value
	}
	py = falling(py)
	first, last := math.Ceil(px[0]), math.Floor(px[len(px)-1])
	step = max(1, math.Ceil((last-first)/maxKneeSteps))
	from := 0
	for v := first; v <= last; v += step {
		var value float64
		value, from = at(px, py, v, from)
		x, y = append(x, v), append(y, value)
	}
	return x, y, step
}

// smooth fits a line plus an exponential over u in 0…1 and returns the fitted
// curve. It is false where the best fit does not bend down.
func smooth(u, y []float64) ([]float64, bool) {
	fit := func(a float64) ([4]float64, float64) {
		e := normal{n: 3}
		for i := range u {
			e.add([4]float64{1, u[i], math.Exp(a * (u[i] - 1))}, y[i]-y[0], 1)
		}
		beta, rss, ok := e.solve()
		if !ok {
			rss = math.Inf(1)
		}
		return beta, rss
	}
	// Rates of less than 1 are as good as a parabola, and of more than 200 a step.
	const lo, hi, steps = 0.0, 5.3, 40 // of ln a
	best, least := lo, math.Inf(1)
	for i := range steps + 1 {
		p := lo + (hi-lo)*float64(i)/steps
		if _, rss := fit(math.Exp(p)); rss < least {
			best, least = p, rss
		}
	}
	const step = (hi - lo) / steps
	a := math.Exp(goldenMin(best-step, best+step, 1e-6, func(p float64) float64 { _, rss := fit(math.Exp(p)); return rss }))
	beta, _ := fit(a)
	out := make([]float64, len(u))
	for i := range u {
		out[i] = y[0] + beta[0] + beta[1]*u[i] + beta[2]*math.Exp(a*(u[i]-1))
	}
	return out, beta[2] < 0
}

// bend is how many times steeper the curve falls behind the point than before
// the onset.
func bend(u, curve []float64, onset, point float64) float64 {
	slope := func(from, to float64) float64 {
		n := len(u) - 1
		a, b := int(from*float64(n)), int(to*float64(n))
		if b <= a {
			return 0
		}
		return (curve[a] - curve[b]) / (u[b] - u[a])
	}
	before, behind := slope(0, onset), slope(point, 1)
	if behind <= 0 {
		return 0
	}
	return behind / max(before, behind/1000)
}
