package battery

import "math"

// LifeVersion names the rules of RemainingLife.
const LifeVersion = "life/2"

// WienerPassage names how remaining life is found.
const WienerPassage Method = "wiener_first_passage"

// LifeRules are what RemainingLife goes by.
type LifeRules struct {
	// EndOfLife is the value at which life ends, in the unit of the points.
	EndOfLife float64
	MinPoints int     // fewer are insufficient
	Level     float64 // of the interval, 0.9 for 5…95 %
	// DriftKnown takes the rate of fade as known, as the published method does,
	// so the interval leaves out that it was learned from few points.
	DriftKnown bool
	// Noise allows for an error of measurement in every value, whose size is
	// found from the values.
	Noise bool
	// MaxLife bounds what is told, in X; what is longer is told to be at least
	// that. 0: no bound.
	MaxLife float64
	// MaxAhead is how much may be left to lose, as a multiple of the loss over the
	// points, for anything to be told; 0: no bound. Further ahead a fade of one
	// shape looks like one of another.
	MaxAhead float64
}

// tooFar is the reason of what MaxAhead holds back.
const tooFar = "more is left to lose than the measurements have seen lost, so how the fade goes on is not known"

func (r LifeRules) tooFar(left, seen float64) bool {
	return r.MaxAhead > 0 && left > r.MaxAhead*seen
}

// DefaultLifeRules suit state of health as a share, measured with error, and look
// ahead for one loss as large as that seen.
func DefaultLifeRules() LifeRules {
	return LifeRules{EndOfLife: 0.8, MinPoints: 20, Level: 0.9, Noise: true, MaxAhead: 1}
}

// Life is how much of the life of a battery remains, in X of its points.
type Life struct {
	Basis
	Low       *float64 `json:"low"`         // of the interval; null: not to be told
	Median    *float64 `json:"median"`      // null: not to be told
	High      *float64 `json:"high"`        // of the interval; null: no bound
	Level     float64  `json:"level"`       // of the interval, 0.9 for 5…95 %, if the fade goes on as a line
	EndOfLife float64  `json:"end_of_life"` // value at which life ends
	Drift     float64  `json:"drift_per_x"` // loss per X
	Sigma     float64  `json:"sigma"`       // of the loss over an X of 1
	Ended     bool     `json:"ended"`       // the end of life is reached: what remains is 0
	// Capped says that a knee lies ahead, behind which the past rate of fade no
	// longer holds, so that the interval was cut.
	Capped bool `json:"capped_at_knee"`
}

// RemainingLife tells how much longer the value of a battery stays above the end
// of life, as the first passage of a Wiener process with drift whose rate and
// diffusion are those of the points seen, by maximum likelihood:
//
//	μ = Σδ/Σx,  σ² = (1/n)·Σ(δ − μx)²/x
//
// of the n steps of loss δ over x (Tang et al. 2014, Energies 7:520). With
// Noise, the process and the error of measurement are told apart by a Kalman
// filter, and the present value and the rate are its (Whitmore 1995, Lifetime
// Data Analysis 1:307). Unless the drift is known, it is also taken to be as unsure
// as the rates of the first and the second half of the loss differ, beyond their
// errors: this is a line, and a fade may bend; where the second is faster by half the
// rate, or slower by all of it, nothing is told. Where it bends sharply behind the
// newest point, as at a knee, what was told before is too long.
//
// Example: NASA's B0005, down to 1.4 Ah, seen up to cycle 80, with the drift
// known and no noise: 40.0 cycles, from 18.9 to 86.3 (5…95 %). It took 45.
func RemainingLife(points []LifePoint, r LifeRules) Life {
	l := Life{Basis: basis(WienerPassage, LifeVersion), Level: r.Level, EndOfLife: r.EndOfLife}
	points = finite(points)
	l.Count = len(points)
	if len(points) < max(r.MinPoints, 3) {
		l.lacking("too few measurements of health to tell how fast it falls")
		return l
	}
	p, bent, ok := wiener(points, r)
	if !ok {
		l.lacking("the measurements of health are all at the same point of life")
		return l
	}
	l.Drift, l.Sigma = p.drift, p.sigma
	if p.distance <= 0 {
		zero := 0.0
		l.Low, l.Median, l.High, l.Ended = &zero, &zero, &zero, true
		l.ok()
		return l
	}
	if p.drift <= 0 {
		l.lacking("health has not fallen over the measurements")
		return l
	}
	if r.tooFar(p.distance, p.drift*(points[len(points)-1].X-points[0].X)) {
		l.lacking(tooFar)
		return l
	}
	if bent {
		l.lacking("health falls at another rate in the second half of the measurements than in the first, which is no line to draw on")
		return l
	}
	l.ok()
	tail := (1 - r.Level) / 2
	l.Low = r.told(p.quantile(tail))
	l.Median = r.told(p.quantile(0.5))
	l.High = r.told(p.quantile(1 - tail))
	return l
}

// told bounds a quantile; nil is no bound.
func (r LifeRules) told(x float64) *float64 {
	if r.MaxLife > 0 {
		x = min(x, r.MaxLife)
	}
	if math.IsInf(x, 1) {
		return nil
	}
	return &x
}

// wiener estimates the process from the points, whose X ascends.
// bent says that its halves differ too much to be a line.
func wiener(points []LifePoint, r LifeRules) (p passage, bent, ok bool) {
	p, ok = steady(points, r)
	if !ok || r.DriftKnown {
		return p, false, ok
	}
	middle := len(points) / 2
	a, okA := steady(points[:middle+1], r)
	b, okB := steady(points[middle:], r)
	if okA && okB {
		change, admitted := b.drift-a.drift, math.Hypot(a.driftErr, b.driftErr)
		p.driftErr = math.Sqrt(p.driftErr*p.driftErr + max(0, change*change-admitted*admitted))
		bent = math.Max(2*change, -change) > math.Abs(p.drift) && math.Abs(change) > 2*admitted
	}
	return p, bent, true
}

// steady estimates the process as one of a constant drift.
func steady(points []LifePoint, r LifeRules) (passage, bool) {
	var total, span float64
	var loss, dx []float64
	for k := 1; k < len(points); k++ {
		a, b := points[k-1], points[k]
		if b.X <= a.X {
			continue
		}
		loss, dx = append(loss, a.Value-b.Value), append(dx, b.X-a.X)
		total += a.Value - b.Value
		span += b.X - a.X
	}
	if span <= 0 {
		return passage{}, false
	}
	p := passage{distance: points[len(points)-1].Value - r.EndOfLife, drift: total / span}
	squares := 0.0
	for k := range loss {
		d := loss[k] - p.drift*dx[k]
		squares += d * d / dx[k]
	}
	p.sigma = math.Sqrt(squares / float64(len(loss)))
	if r.Noise {
		if f := filter(points); f.sigma > 0 {
			p.sigma, p.drift, p.distance, p.distanceErr = f.sigma, f.drift, f.level-r.EndOfLife, f.levelErr
			if !r.DriftKnown {
				p.driftErr = f.driftErr
			}
			return p, true
		}
	}
	if !r.DriftKnown {
		p.driftErr = p.sigma / math.Sqrt(span)
	}
	return p, true
}

// CapAtKnee cuts the remaining life where a knee lies ahead: behind its point the
// past rate of fade does not hold, so nothing beyond it is promised. Such a knee is
// one that others of its kind have taught, as those that FindKnee finds are passed.
// now is the X of the newest point. Where the knee is passed already, the fade since then is
// what counts, and the caller gives RemainingLife the points behind it.
func (l Life) CapAtKnee(k Knee, now float64) Life {
	if !l.OK() || l.Ended || !k.Found || *k.Point <= now {
		return l
	}
	left := *k.Point - now
	cut := func(x *float64) *float64 {
		if x != nil && *x <= left {
			return x
		}
		l.Capped = true
		return &left
	}
	l.Low, l.Median, l.High = cut(l.Low), cut(l.Median), cut(l.High)
	return l
}

// BehindKnee is the part of the points that a forecast may rest on once a knee
// is passed: those behind its point, or from its onset, or the newest, whichever
// are enough first. Without a knee it is all of them. X ascends.
func BehindKnee(points []LifePoint, k Knee, atLeast int) []LifePoint {
	if !k.Found {
		return points
	}
	for _, from := range []*float64{k.Point, k.Onset} {
		for i, p := range points {
			if from != nil && p.X >= *from {
				if len(points)-i >= atLeast {
					return points[i:]
				}
				break
			}
		}
	}
	return points[max(0, len(points)-atLeast):]
}
