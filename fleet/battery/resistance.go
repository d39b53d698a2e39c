package battery

import "math"

// ResistanceVersion names the rules of FitResistance.
const ResistanceVersion = "resistance/1"

// How a resistance was measured.
const (
	// CurrentSteps is from steps of the current, seen by us.
	CurrentSteps Method = "current_steps"
	// ReportedResistance is what the battery says of itself.
	ReportedResistance Method = "reported_resistance"
)

// ResistanceStep is the resistance that one step of the current shows, or that
// the battery reported by itself.
type ResistanceStep struct {
	At           int64    `json:"at"` // Unix milliseconds
	MOhm         float64  `json:"mohm"`
	TemperatureC *float64 `json:"temperature_c,omitempty"`
	SoCPct       *float64 `json:"soc_pct,omitempty"`
	StepA        float64  `json:"step_a"` // change of the current; 0: reported
}

// ResistanceRules are what Steps and FitResistance go by.
type ResistanceRules struct {
	MaxStepS              float64 // longest time between the two samples of a step, in seconds
	MinStepC              float64 // least change of the current, as a share of the rated capacity per hour
	MinStepA              float64 // the same where the rated capacity is unknown
	LowSoCPct, HighSoCPct float64 // steps outside are left out: resistance rises at both ends
	MinCount              int     // fewer steps are insufficient
	HalfLifeDays          float64 // a step this much older than the newest counts half
}

// DefaultResistanceRules suit telemetry of a few seconds to 20 s. What is
// measured is the ohmic resistance and what of the polarisation builds up within
// the step, so batteries compare only where they report alike often.
func DefaultResistanceRules() ResistanceRules {
	return ResistanceRules{MaxStepS: 20, MinStepC: 0.2, MinStepA: 1, LowSoCPct: 15, HighSoCPct: 95, MinCount: 5, HalfLifeDays: 20}
}

// Steps finds the steps of the current in samples, which ascend by time: two
// neighbours whose currents differ by enough. The resistance is ΔU/ΔI
// (as the d.c. resistance of IEC 61960-3, with one step in place of two loads). Steps where it
// comes out negative are left out.
func Steps(samples []Sample, ratings Ratings, r ResistanceRules) []ResistanceStep {
	least := r.MinStepA
	if ratings.CapacityAh > 0 {
		least = r.MinStepC * ratings.CapacityAh
	}
	var out []ResistanceStep
	for k := 1; k < len(samples); k++ {
		a, b := samples[k-1], samples[k]
		di := b.CurrentA - a.CurrentA
		// The comparison with NaN is false: then nothing speaks against it.
		if gapS(a, b) > r.MaxStepS || math.Abs(di) < least || math.IsNaN(di) || b.SoCPct < r.LowSoCPct || b.SoCPct > r.HighSoCPct {
			continue
		}
		if ohm := (b.VoltageV - a.VoltageV) / di; ohm > 0 {
			out = append(out, ResistanceStep{At: b.TS, MOhm: 1000 * ohm, TemperatureC: known(b.TemperatureC), SoCPct: known(b.SoCPct), StepA: di})
		}
	}
	return out
}

// Resistance is a battery's resistance at 25 °C and half charge.
type Resistance struct {
	Basis
	MOhm   *float64 `json:"mohm"`
	StdErr *float64 `json:"standard_error_mohm"`
	// TemperatureK is how fast the logarithm falls with temperature, as an
	// activation temperature Ea/R in K.
	TemperatureK float64 `json:"activation_k"`
	// IncreasePct is against the reference given; null without one.
	IncreasePct *float64 `json:"increase_pct"`
}

// What is expected of the dependence on temperature before a battery's own is
// seen: Ea of 8…25 kJ/mol for lithium-ion cells above freezing.
const (
	activationK, activationErrK = 2000, 1000
	socSlope, socSlopeErr       = 0, 0.3 // of the logarithm, over the whole range
)

// FitResistance fits
//
//	ln R = ln R₂₅ + K·(1/T − 1/298.15) + s·(z − ½)
//
// to the steps, with a prior on K (2000 ± 1000 K) and on s (0 ± 0.3), Huber's
// weights and a fading memory, so that a battery seen in one season only is
// compared at 25 °C all the same. Where there are enough steps seen by us, what
// the battery reported is left out. referenceMOhm is the resistance when new, 0
// where it is not known.
//
// Example: 20 mΩ seen at 5 °C alone are 12.35 mΩ at 25 °C, by K = 2000.
func FitResistance(steps []ResistanceStep, referenceMOhm float64, r ResistanceRules) Resistance {
	steps, method := preferred(steps, max(1, r.MinCount))
	out := Resistance{Basis: basis(method, ResistanceVersion)}
	out.Count = len(steps)
	if len(steps) < max(1, r.MinCount) {
		out.lacking("too few steps of the current between readings that are seconds apart, and resistance_mohm is not reported")
		return out
	}
	newest := steps[0].At
	for _, s := range steps {
		newest = max(newest, s.At)
	}
	held := make([]float64, len(steps))
	for k := range held {
		held[k] = 1
	}
	beta, se := fitResistance(steps, held, newest, r, 0.1)
	for range 6 {
		res := make([]float64, len(steps))
		for k, s := range steps {
			row := resistanceRow(s)
			res[k] = math.Log(s.MOhm) - beta[0] - beta[1]*row[1] - beta[2]*row[2]
		}
		scale := max(1e-3, spread(res, 0))
		for k := range res {
			held[k] = huber(res[k] / scale)
		}
		beta, se = fitResistance(steps, held, newest, r, scale)
	}
	oldest := newest
	for _, s := range steps {
		oldest = min(oldest, s.At)
	}
	out.over(oldest, newest, len(steps))
	out.ok()
	mohm := math.Exp(beta[0])
	err := mohm * se
	out.MOhm, out.StdErr, out.TemperatureK = &mohm, &err, beta[1]*kelvinScale
	if referenceMOhm > 0 {
		more := (mohm/referenceMOhm - 1) * 100
		out.IncreasePct = &more
	}
	return out
}

// preferred are the steps seen by us, if they are enough, or those reported.
func preferred(steps []ResistanceStep, enough int) ([]ResistanceStep, Method) {
	var seen, reported []ResistanceStep
	for _, s := range steps {
		switch {
		case !(s.MOhm > 0) || math.IsInf(s.MOhm, 1): // its logarithm would be none
		case s.StepA == 0:
			reported = append(reported, s)
		default:
			seen = append(seen, s)
		}
	}
	if len(seen) >= enough || len(reported) < enough {
		return seen, CurrentSteps
	}
	return reported, ReportedResistance
}

// kelvinScale keeps the unknowns of the fit of one size.
const kelvinScale = 1000

// resistanceRow is a step at 25 °C and half charge where it says neither.
func resistanceRow(s ResistanceStep) [4]float64 {
	row := [4]float64{1}
	if s.TemperatureC != nil {
		row[1] = kelvinScale * (1/(*s.TemperatureC+zeroC) - 1/roomK)
	}
	if s.SoCPct != nil {
		row[2] = *s.SoCPct/100 - 0.5
	}
	return row
}

func fitResistance(steps []ResistanceStep, held []float64, newest int64, r ResistanceRules, scale float64) (beta [4]float64, stdErr float64) {
	e := normal{n: 3}
	e.add([4]float64{0, 1}, activationK/kelvinScale, kelvinScale*kelvinScale/(activationErrK*activationErrK))
	e.add([4]float64{0, 0, 1}, socSlope, 1/(socSlopeErr*socSlopeErr))
	for k, s := range steps {
		w := held[k] * math.Exp2(-float64(newest-s.At)/dayMS/r.HalfLifeDays)
		e.add(resistanceRow(s), math.Log(s.MOhm), w/(scale*scale))
	}
	beta, cov, _ := e.solveCov() // the priors make it positive definite
	return beta, math.Sqrt(cov[0][0])
}
