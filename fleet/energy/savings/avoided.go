// Package savings sets what a building used against what a baseline says it
// would have used: avoided use in the weather that was, and normalised savings
// in the weather of a typical year, with how sure they are.
//
// It is pure, and knows no model by name.
package savings

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// Version names the rules of this package in results.
const Version = "savings/2"

// Option is the boundary of a saving (IPMVP Core Concepts).
type Option string

// The options that a baseline serves.
const (
	WholeFacility Option = "C"
	Isolation     Option = "B" // a sub-meter on what was changed
)

// Adjustment is a non-routine adjustment: use that has nothing to do with the
// measure, such as a tenant who moved in. It is added to the baseline.
type Adjustment struct {
	Period energy.Period `json:"period"`
	PerDay float64       `json:"per_day"` // in the unit of the meter; negative where use fell away
	Reason string        `json:"reason"`
}

// Request says what a saving is to be computed for.
type Request struct {
	Model       energy.Model
	Rows        []energy.Row // of the reporting period
	Option      Option       // WholeFacility by default
	Confidence  float64      // 0.9 by default
	Adjustments []Adjustment
	MinCoverage float64 // share of the reporting days that must be known; 0.9 by default
}

// Point is one row of the reporting period, or one day of hours. Cumulative and
// Plus, the half width of its band, run from the first row.
type Point struct {
	Start      time.Time `json:"start"`
	Observed   *float64  `json:"observed"` // of a day of hours, over those that count
	Baseline   *float64  `json:"baseline"` // adjusted
	Cumulative float64   `json:"cumulative_saving"`
	Plus       *float64  `json:"plus_minus"`
}

// Avoided is avoided energy use: adjusted baseline − observed, over the rows
// where both are known (CalTRACK 2.0, 3.6.1; IPMVP's
// avoided energy consumption).
type Avoided struct {
	Version     string              `json:"version"`
	Option      Option              `json:"ipmvp_option"`
	Fit         energy.Fit          `json:"fit"`
	Reporting   energy.Period       `json:"reporting"`
	Rows        int                 `json:"rows"`         // that count
	MissingRows int                 `json:"missing_rows"` // without use or temperature
	Observed    float64             `json:"observed"`
	Baseline    float64             `json:"baseline"` // adjusted
	Adjusted    float64             `json:"adjustments_total"`
	Adjustments []Adjustment        `json:"adjustments"`
	Saving      float64             `json:"saving"`
	Fraction    *float64            `json:"fraction"` // of the baseline
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
	Regression  *energy.OLSBand     `json:"regression_band"`
	// SlowPlus is the half width that noise of days and weeks leaves, by
	// energy.Slow; nil where it cannot be told.
	SlowPlus    *float64           `json:"slow_plus_minus"`
	Significant bool               `json:"significant"` // neither interval holds zero
	Guideline14 []energy.Criterion `json:"guideline_14"`
	Verdict     energy.Verdict     `json:"verdict"`
	Series      []Point            `json:"series"`
}

// The codes of the verdict on a saving.
const (
	NoReporting    = "no_reporting_data"
	LowCoverage    = "reporting_coverage_low"
	Extrapolated   = "temperature_outside_baseline"
	NoUncertainty  = "uncertainty_unknown"
	NotSignificant = "saving_within_uncertainty"
	SlowNoise      = "noise_too_slow"
	PoorFit        = "fit_outside_guideline_14"
	ShortOfReason  = "adjustment_without_reason"
)

const (
	extrapolatedShare  = 0.05 // of the rows that may lie outside the temperatures of the baseline
	guidelineConfident = 0.68 // of the limit of Guideline 14 on uncertainty
	daysPerMonth       = 30.4
)

// Avoid computes avoided use. What cannot be said is said in the verdict; where
// no row counts the error wraps energy.ErrInsufficientData.
func Avoid(q Request) (*Avoided, error) {
	if q.Confidence == 0 {
		q.Confidence = 0.9
	}
	if q.Option == "" {
		q.Option = WholeFacility
	}
	if q.MinCoverage == 0 {
		q.MinCoverage = 0.9
	}
	a := Avoided{
		Version: Version, Option: q.Option, Fit: q.Model.Describe(), Reporting: energy.Span(q.Rows),
		Adjustments: slices.Clone(q.Adjustments),
		Verdict:     energy.Verdict{Sufficient: true, Criteria: Version, Reasons: []energy.Reason{}},
	}
	far, days := a.sum(q)
	if a.Rows == 0 {
		a.Verdict.Add(energy.Reason{Code: NoReporting, Critical: true, Text: "no row of the reporting period has both use and baseline"})
		return nil, a.Verdict.Err()
	}
	a.Saving = a.Baseline - a.Observed
	a.Fraction = energy.Known(a.Saving / a.Baseline)
	s := a.Fit.Statistics
	a.Uncertainty = energy.SavingUncertainty(s, a.Fit.Interval, a.Rows, days, q.Confidence).Of(a.Saving)
	a.Regression = energy.RegressionUncertainty(s, a.Rows, a.Observed/float64(a.Rows), q.Confidence)
	at68 := energy.SavingUncertainty(s, a.Fit.Interval, a.Rows, days, guidelineConfident).Of(a.Saving)
	a.Guideline14 = energy.Guideline14(a.Fit, days/daysPerMonth, at68)
	a.SlowPlus = energy.Known(s.Slow.Over(a.Rows, q.Confidence))
	a.Significant = significant(a.Saving, a.Uncertainty, a.SlowPlus)
	a.judge(q, far)
	return &a, nil
}

// sum adds up the rows; far counts those outside the temperatures of the
// baseline, days is what the rows that count span.
func (a *Avoided) sum(q Request) (far int, days float64) {
	band := energy.NewBand(a.Fit.Statistics, a.Fit.Interval, q.Confidence)
	hours := a.Fit.Interval == energy.Hourly
	var calendar prepare.Calendar
	for i, p := range q.Model.Predict(q.Rows) {
		r := &q.Rows[i]
		extra := adjust(q.Adjustments, r)
		if !hours || calendar.Turns(r.Start) { // hours join the point of their day
			a.Series = append(a.Series, Point{Start: r.Start})
		}
		point := &a.Series[len(a.Series)-1]
		if !hours {
			point.Observed, point.Baseline = energy.Known(r.Use), energy.Known(p+extra)
		}
		if !finite(r.Use) || !finite(p+extra) {
			a.MissingRows++
			point.Cumulative = a.Baseline - a.Observed
			continue
		}
		a.Rows++
		days += r.Days()
		a.Observed += r.Use
		a.Baseline += p + extra
		a.Adjusted += extra
		if a.Fit.Temperatures.Beyond(r.TempF) {
			far++
		}
		point.Cumulative = a.Baseline - a.Observed
		if hours {
			point.Observed, point.Baseline = plus(point.Observed, r.Use), plus(point.Baseline, p+extra)
		}
		switch half, ok := band.Over(a.Rows, days); {
		case !ok:
			point.Plus = nil
		case point.Plus == nil:
			point.Plus = energy.Known(half)
		default:
			*point.Plus = half
		}
	}
	return far, days
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// plus adds to a sum, which nil begins.
func plus(sum *float64, x float64) *float64 {
	if sum == nil {
		return energy.Known(x)
	}
	*sum += x
	return sum
}

// significant reports whether a saving is beyond both half widths. The formula of
// Guideline 14 counts what slow noise repeats as if it were new, so that its
// interval alone is too narrow where residuals last.
func significant(saving float64, u *energy.Uncertainty, slow *float64) bool {
	return u != nil && slow != nil && math.Abs(saving) > max(u.Plus, *slow)
}

// doubt is the reason why a saving is not significant.
func doubt(slow *float64) energy.Reason {
	if slow == nil {
		return energy.Reason{Code: SlowNoise, Text: "the use wanders for weeks with no reason in the weather, so that a saving cannot be told from it"}
	}
	return energy.Reason{Code: NotSignificant, Text: "the saving is smaller than its uncertainty"}
}

// Percent is the saving as a share of the baseline, and the half width of the
// wider of its intervals, both in percent; NaN and nil where there is none.
func (a *Avoided) Percent() (value float64, plus *float64) {
	if a.Fraction == nil {
		return math.NaN(), nil
	}
	if a.Uncertainty != nil && a.SlowPlus != nil {
		plus = energy.Known(100 * max(a.Uncertainty.Plus, *a.SlowPlus) / math.Abs(a.Baseline))
	}
	return 100 * *a.Fraction, plus
}

// adjust is what the adjustments add to a row.
func adjust(adjustments []Adjustment, r *energy.Row) float64 {
	var sum float64
	for _, a := range adjustments {
		from, to := a.Period.From, a.Period.To
		if from.Before(r.Start) {
			from = r.Start
		}
		if to.After(r.End) {
			to = r.End
		}
		if to.After(from) {
			sum += a.PerDay * to.Sub(from).Hours() / 24
		}
	}
	return sum
}

func (a *Avoided) judge(q Request, far int) {
	all := a.Rows + a.MissingRows
	if c := float64(a.Rows) / float64(all); c < q.MinCoverage {
		a.Verdict.Add(energy.Reason{
			Code: LowCoverage, Critical: true, Text: "too many rows of the reporting period lack use or temperature",
			Values: map[string]float64{"rows": float64(a.Rows), "all": float64(all)},
		})
	}
	if float64(far) > extrapolatedShare*float64(a.Rows) {
		a.Verdict.Add(energy.Reason{
			Code: Extrapolated, Text: "the weather goes beyond that of the baseline", Values: map[string]float64{"rows": float64(far)},
		})
	}
	for _, c := range a.Guideline14 {
		if !c.Pass && c.Name == "cvrmse" {
			a.Verdict.Add(energy.Reason{Code: PoorFit, Text: "CV(RMSE) of the baseline is above the limit of Guideline 14"})
		}
	}
	for _, j := range q.Adjustments {
		if j.Reason == "" {
			a.Verdict.Add(energy.Reason{Code: ShortOfReason, Critical: true, Text: "a non-routine adjustment needs a reason"})
		}
	}
	switch {
	case a.Uncertainty == nil:
		a.Verdict.Add(energy.Reason{Code: NoUncertainty, Critical: true, Text: "the baseline does not say how sure it is"})
	case !a.Significant:
		a.Verdict.Add(doubt(a.SlowPlus))
	}
}
