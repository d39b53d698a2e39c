package battery

import "math"

// DegradationVersion names the rules of FitDegradation.
const DegradationVersion = "degradation/1"

// AgeingFit names a published law of ageing fitted to a battery.
const AgeingFit Method = "ageing_law_fit"

// HealthPoint is a measured state of health and what the law expected by then.
// Points are taken to be independent: fits that share measurements are not, so
// one fit for each week, of that week's measurements, is the way to make them.
type HealthPoint struct {
	At       int64   `json:"at"`     // Unix milliseconds
	SoH      float64 `json:"soh"`    // share of the rated capacity, 0…1.2
	StdErr   float64 `json:"stderr"` // of SoH
	Expected Ageing  `json:"expected"`
}

// Degradation is a battery's fade, split by its cause.
type Degradation struct {
	Basis
	Model string `json:"model"` // the law, by name
	// Initial is the share of the rated capacity when it was new; Calendar and
	// Cycling are how many times the law's loss the battery loses.
	Initial  *Estimate `json:"initial_soh"`
	Calendar *Estimate `json:"calendar_factor"`
	Cycling  *Estimate `json:"cycling_factor"`
	// CalendarLoss and CyclingLoss are shares of the rated capacity lost so far;
	// CalendarShare is the first of their sum, 0…1.
	CalendarLoss  *Estimate `json:"calendar_loss"`
	CyclingLoss   *Estimate `json:"cycling_loss"`
	CalendarShare *float64  `json:"calendar_share"`
	SoH           *Estimate `json:"soh"` // fitted, at the newest point
	// Learned is how much of the answer is the battery's own: 1 − the variance
	// of what it lost over that of the law alone. Near 0 it is the law's.
	Learned    float64 `json:"learned"`
	ResidualSD float64 `json:"residual_sd"` // of the points around the fit, robust

	cov   [4][4]float64
	now   Ageing
	rules DegradationRules
}

// Estimate is a number with its standard error.
type Estimate struct {
	Value  float64 `json:"value"`
	StdErr float64 `json:"standard_error"`
}

// DegradationRules are what FitDegradation goes by.
type DegradationRules struct {
	InitialErr float64 // how far a new battery strays from its rated capacity, as a share
	FloorErr   float64 // least standard error taken of a state of health, as a share
	// BiasErr is that of what all measurements of a battery share, as a share: the
	// accuracy of its current sensor, gain and offset over the mean current together.
	// Health is told of the true capacity, so it is in the level, and where little is
	// left to lose it is most of what is not known.
	BiasErr   float64
	MinPoints int // fewer are insufficient
}

// DefaultDegradationRules let a young battery be judged by the law. The current
// sensor is one of ±0.5 %, with errors evenly within, whose standard deviation is
// 0.5/√3 % = 0.3 %; where that of a fleet is known, it is to be set.
func DefaultDegradationRules() DegradationRules {
	return DegradationRules{InitialErr: 0.03, FloorErr: 0.003, BiasErr: 0.003, MinPoints: 2}
}

// FitDegradation fits
//
//	SoH = s₀ − α·L_cal − β·L_cyc
//
// to the points, where L are the losses that a published law expects by the
// battery's own temperature, state of charge, rate and depth, so that √t and
// throughput are in them. s₀, α and β have the law as their prior (s₀ ~ 1, α and
// β ~ 1 with the law's PriorErr, correlated by 0.7), which a battery leaves as its
// measurements grow in number: ridge regression in its Bayesian form (Gelman et al., Bayesian
// Data Analysis, §14.8), with Huber's weights against outliers. Neither loss is
// ever a gain.
//
// The shape of each loss over time is the law's. A battery that fades in another
// shape strays from the fit, which ResidualSD shows; Foresee fits the shape too.
//
// Both losses mostly grow together, so their split leans on the law longer than
// their sum does; the standard errors say how much.
func FitDegradation(points []HealthPoint, m AgeingModel, r DegradationRules) Degradation {
	d := Degradation{Basis: basis(AgeingFit, DegradationVersion), Model: m.Name}
	d.Count = len(points)
	if len(points) < max(r.MinPoints, 1) {
		d.lacking("too few measurements of the state of health")
		return d
	}
	newest := points[len(points)-1]
	d.over(points[0].At, newest.At, len(points))
	held := make([]float64, len(points))
	for k := range held {
		held[k] = 1
	}
	var beta [4]float64
	var free [3]bool
	scale := 1.0
	for range 6 {
		beta, d.cov, free = solveBounded(points, held, m, r, scale)
		scale = holdPoints(points, held, beta, r)
	}
	// A shared error looks like another initial capacity, and does not average out.
	d.cov[0][0] += r.BiasErr * r.BiasErr
	d.ResidualSD = residualSD(points, beta)
	d.ok()
	d.now, d.rules = newest.Expected, r
	estimates := [3]Estimate{}
	for k := range estimates {
		estimates[k] = Estimate{beta[k], math.Sqrt(d.cov[k][k])}
	}
	d.Initial, d.Calendar, d.Cycling = &estimates[0], &estimates[1], &estimates[2]
	d.CalendarLoss = &Estimate{beta[1] * d.now.Calendar, estimates[1].StdErr * d.now.Calendar}
	d.CyclingLoss = &Estimate{beta[2] * d.now.Cyclic, estimates[2].StdErr * d.now.Cyclic}
	if total := d.CalendarLoss.Value + d.CyclingLoss.Value; total > 0 {
		share := d.CalendarLoss.Value / total
		d.CalendarShare = &share
	}
	soh := d.At(d.now)
	d.SoH = &soh
	d.Learned = d.learned(m, free)
	return d
}

// At is the state of health where the law expects the loss a.
func (d Degradation) At(a Ageing) Estimate {
	row := [3]float64{1, -a.Calendar, -a.Cyclic}
	value := d.Initial.Value + row[1]*d.Calendar.Value + row[2]*d.Cycling.Value
	return Estimate{value, math.Sqrt(max(0, quadratic(d.cov, row)))}
}

func quadratic(cov [4][4]float64, row [3]float64) float64 {
	v := 0.0
	for i := range row {
		for j := range row {
			v += row[i] * cov[i][j] * row[j]
		}
	}
	return v
}

// learned compares the variance of the loss so far with the law's own.
func (d Degradation) learned(m AgeingModel, free [3]bool) float64 {
	row := [3]float64{0, -d.now.Calendar, -d.now.Cyclic}
	prior := m.PriorErr * m.PriorErr * (row[1]*row[1] + row[2]*row[2] + 2*tie*row[1]*row[2])
	if prior <= 0 || !free[1] && !free[2] {
		return 0
	}
	return max(0, 1-quadratic(d.cov, row)/prior)
}

// tie is how much the two factors are expected to stray from the law together: a
// cell that is better made than those the law was fitted to mostly is so in both.
const tie = 0.7

// prior adds what is expected of the unknowns: of the factors as their mean, 1,
// and as their difference, 0. One that is not free is nothing.
func prior(e *normal, free [3]bool, err, initialErr float64) {
	e.add([4]float64{1}, 1, 1/(initialErr*initialErr))
	if free[1] && free[2] {
		e.add([4]float64{0, 0.5, 0.5}, 1, 2/(err*err*(1+tie)))
		e.add([4]float64{0, 1, -1}, 0, 1/(2*err*err*(1-tie)))
		return
	}
	for k := 1; k < 3; k++ {
		row, want, sd := [4]float64{}, 1.0, err
		if !free[k] {
			want, sd = 0, err/1000
		}
		row[k] = 1
		e.add(row, want, 1/(sd*sd))
	}
}

// solveBounded solves for the unknowns, setting to nothing a loss that would be
// a gain.
func solveBounded(points []HealthPoint, held []float64, m AgeingModel, r DegradationRules, scale float64) (beta [4]float64, cov [4][4]float64, free [3]bool) {
	free = [3]bool{true, true, true}
	for range 3 {
		e := normal{n: 3}
		prior(&e, free, m.PriorErr, r.InitialErr)
		for k, p := range points {
			sd := scale * math.Hypot(p.StdErr, r.FloorErr)
			e.add([4]float64{1, -p.Expected.Calendar, -p.Expected.Cyclic}, p.SoH, held[k]/(sd*sd))
		}
		beta, cov, _ = e.solveCov() // the priors make it positive definite
		switch {
		case free[1] && beta[1] < 0 && beta[1] <= beta[2]:
			free[1] = false
		case free[2] && beta[2] < 0:
			free[2] = false
		case free[1] && beta[1] < 0:
			free[1] = false
		default:
			beta[1], beta[2] = max(0, beta[1]), max(0, beta[2])
			return beta, cov, free
		}
	}
	return beta, cov, free
}

// holdPoints sets the weights against outliers, and returns by how much the
// points scatter more than their stated errors.
func holdPoints(points []HealthPoint, held []float64, beta [4]float64, r DegradationRules) float64 {
	res := make([]float64, len(points))
	for k, p := range points {
		res[k] = residual(p, beta) / math.Hypot(p.StdErr, r.FloorErr)
	}
	scale := max(1, spread(res, 0))
	for k := range res {
		held[k] = huber(res[k] / scale)
	}
	return scale
}

func residual(p HealthPoint, beta [4]float64) float64 {
	return p.SoH - (beta[0] - beta[1]*p.Expected.Calendar - beta[2]*p.Expected.Cyclic)
}

func residualSD(points []HealthPoint, beta [4]float64) float64 {
	res := make([]float64, len(points))
	for k, p := range points {
		res[k] = residual(p, beta)
	}
	return spread(res, 0)
}
