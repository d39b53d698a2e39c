package energy

import "math"

// Criterion is one limit and how a result stands to it.
type Criterion struct {
	Name  string   `json:"name"`
	Limit float64  `json:"limit"`
	Value *float64 `json:"value"` // nil where it cannot be computed, which does not pass
	Pass  bool     `json:"pass"`
}

// Guideline14 are the limits of ASHRAE Guideline 14-2014 that a baseline of a
// whole building has to meet:
//
//   - prescriptive path (4.3.2.1): CV(RMSE) at most 20 % where the reporting
//     period is under 12 months, 25 % up to 60, 30 % beyond; net determination
//     bias below 0.005 %, which only a linear fit with an intercept has;
//   - performance path (4.3.2.2): uncertainty below 50 % of the saving at 68 %
//     confidence;
//   - calibration (4.3.2.4): NMBE within 10 % for hours and 5 % for longer rows.
//
// u is the uncertainty at 68 % confidence of the saving; nil where there is
// none yet.
func Guideline14(fit Fit, reportingMonths float64, u *Uncertainty) []Criterion {
	limit := 0.20
	switch {
	case reportingMonths > 60:
		limit = 0.30
	case reportingMonths >= 12:
		limit = 0.25
	}
	bias := 0.05
	if fit.Interval == Hourly {
		bias = 0.10
	}
	s := fit.Statistics
	out := []Criterion{
		below("cvrmse", limit, s.CVRMSEAdj),
		below("net_determination_bias", 0.00005, s.NMBE),
		below("nmbe", bias, s.NMBE),
	}
	if u != nil {
		out = append(out, below("fractional_savings_uncertainty_68", 0.5, u.Fraction))
	}
	return out
}

func below(name string, limit float64, value *float64) Criterion {
	c := Criterion{Name: name, Limit: limit, Value: value}
	c.Pass = value != nil && math.Abs(*value) <= limit
	return c
}
