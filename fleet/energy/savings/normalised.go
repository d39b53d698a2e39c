package savings

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Normalised is the saving in the weather of a typical year: what the baseline
// expects of it less what a model of the reporting period does (IPMVP's
// normalized savings).
type Normalised struct {
	Version     string              `json:"version"`
	Base        energy.Fit          `json:"baseline_fit"`
	After       energy.Fit          `json:"reporting_fit"`
	Weather     energy.Period       `json:"weather"`
	Rows        int                 `json:"rows"`
	Baseline    float64             `json:"baseline"`
	Reporting   float64             `json:"reporting"`
	Saving      float64             `json:"saving"`
	Fraction    *float64            `json:"fraction"` // of the baseline
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
	SlowPlus    *float64            `json:"slow_plus_minus"` // see Avoided
	Significant bool                `json:"significant"`
	Verdict     energy.Verdict      `json:"verdict"`
}

// Normalise compares two models over the rows of a typical year, of which only
// the temperatures count. The error wraps energy.ErrInsufficientData.
func Normalise(base, after energy.Model, typical []energy.Row, confidence float64) (*Normalised, error) {
	n := Normalised{
		Version: Version, Base: base.Describe(), After: after.Describe(), Weather: energy.Span(typical),
		Verdict: energy.Verdict{Sufficient: true, Criteria: Version, Reasons: []energy.Reason{}},
	}
	before, reporting := base.Predict(typical), after.Predict(typical)
	var days float64
	for i := range typical {
		if energy.Known(before[i]) == nil || energy.Known(reporting[i]) == nil {
			continue
		}
		n.Rows++
		days += typical[i].Days()
		n.Baseline += before[i]
		n.Reporting += reporting[i]
	}
	if n.Rows == 0 {
		return nil, energy.Lacking(Version, "no_typical_weather", "no row of the typical year can be predicted by both models")
	}
	if n.Rows*10 < len(typical)*9 {
		n.Verdict.Add(energy.Reason{Code: LowCoverage, Critical: true, Text: "too many rows of the typical year cannot be predicted"})
	}
	n.Saving = n.Baseline - n.Reporting
	n.Fraction = energy.Known(n.Saving / n.Baseline)
	n.Uncertainty = energy.Combine(
		energy.SavingUncertainty(n.Base.Statistics, n.Base.Interval, n.Rows, days, confidence),
		energy.SavingUncertainty(n.After.Statistics, n.After.Interval, n.Rows, days, confidence),
	).Of(n.Saving)
	if n.Uncertainty == nil {
		n.Verdict.Add(energy.Reason{Code: NoUncertainty, Critical: true, Text: "a model does not say how sure it is"})
		return &n, nil
	}
	n.SlowPlus = energy.Known(math.Hypot(
		n.Base.Statistics.Slow.Over(n.Rows, confidence), n.After.Statistics.Slow.Over(n.Rows, confidence),
	))
	if n.Significant = significant(n.Saving, n.Uncertainty, n.SlowPlus); !n.Significant {
		n.Verdict.Add(doubt(n.SlowPlus))
	}
	return &n, nil
}
