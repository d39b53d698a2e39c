package assess

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// The size and the length of a shift within the baseline that is warned of, and
// the share of the residuals' variance that a single step explains.
const (
	shiftShare    = 0.15
	shiftDays     = 21
	stepExplained = 0.3
)

// steady looks for a shift within the baseline: another building on the meter, a
// tenant who left, a measure that came early. A baseline across it stands for
// neither side.
func (a *Assessment) steady(rows []energy.Row) {
	if s := watch.FindStep(a.once, rows); s != nil && math.Abs(s.Fraction) >= shiftShare && s.Explained >= stepExplained {
		a.take(energy.Verdict{Reasons: []energy.Reason{{
			Code: BaselineShift, Text: "use within the baseline steps to another level on " + s.At.Format("2006-01-02"),
			Values: map[string]float64{"fraction": s.Fraction, "explained": s.Explained},
		}}})
	}
	shifts, err := watch.Shifts(a.once, rows)
	if err != nil {
		return // a fit without residuals has no shifts
	}
	for _, s := range shifts {
		days := float64(s.Rows)
		if a.Fit.Interval == energy.Hourly {
			days /= 24
		}
		if s.Fraction == nil || math.Abs(*s.Fraction) < shiftShare || days < shiftDays {
			continue
		}
		a.Shifts = append(a.Shifts, s)
		a.take(energy.Verdict{Reasons: []energy.Reason{{
			Code: BaselineShift, Text: "use within the baseline shifts for weeks, from " + s.Onset.Format("2006-01-02"),
			Values: map[string]float64{"fraction": *s.Fraction, "days": days},
		}}})
	}
}

// steadyAfter looks for a step within the reporting period, beside the saving as
// a whole: a second meter, a tenant, a measure that came late or was undone.
func (a *Assessment) steadyAfter(rows []energy.Row) {
	v := a.Avoided
	if !(v.Observed > 0 && v.Baseline > 0) {
		return
	}
	s := watch.FindStep(scaled{a.once, v.Observed / v.Baseline}, rows)
	if s == nil || math.Abs(s.Fraction) < shiftShare || s.Explained < stepExplained {
		return
	}
	a.take(energy.Verdict{Reasons: []energy.Reason{{
		Code: ReportingShift, Text: "use after the measure steps to another level on " + s.At.Format("2006-01-02"),
		Values: map[string]float64{"fraction": s.Fraction, "explained": s.Explained},
	}}})
}

// scaled is a model whose predictions are multiplied.
type scaled struct {
	energy.Model
	by float64
}

func (s scaled) Predict(rows []energy.Row) []float64 {
	out := s.Model.Predict(rows)
	for i := range out {
		out[i] *= s.by
	}
	return out
}
