package energy

import (
	"math"
)

// Uncertainty is the half width of a two-sided interval around a saving.
type Uncertainty struct {
	Method     string   `json:"method"`
	Confidence float64  `json:"confidence"` // for example 0.9
	Plus       float64  `json:"plus_minus"` // in the unit of the meter
	Fraction   *float64 `json:"fraction"`   // of the saving; nil where there is none
}

// The methods of Uncertainty.
const (
	// FractionalCalTRACK is the fractional savings uncertainty of Guideline 14
	// with the polynomial that CalTRACK 2.0 (4.3.2.4) puts in the place of 1.26.
	FractionalCalTRACK = "ashrae-14-fsu-caltrack"
	// FractionalLBNL is the same as LBNL's RM&V2.0 and nmecr compute it, from
	// the number of months of the baseline.
	FractionalLBNL = "ashrae-14-fsu-lbnl"
	// RootSumSquares combines independent savings.
	RootSumSquares = "root-sum-squares"
	// CorrelatedSum combines savings whose errors go together.
	CorrelatedSum = "correlated-sum"
)

// autocorrelationFactor is aM² + bM + c over M months, by the length of the
// rows (Sun & Baltazar 2013, Analysis and improvement on the estimation of
// building energy savings uncertainty; CalTRACK 2.0, 4.3.2.4.6), and the 1.26 of
// Guideline 14 for hours.
func autocorrelationFactor(interval Interval, months float64) float64 {
	switch interval {
	case Hourly:
		return 1.26
	case Billing:
		return -0.00022*months*months + 0.03306*months + 0.94054
	}
	return -0.00024*months*months + 0.03535*months + 1.00286
}

// months are the number of reporting rows as months, and m: the rows as they
// are counted.
func months(interval Interval, rows int, days float64) (months, m float64) {
	switch interval {
	case Billing:
		m = math.Round(days / 30)
		return m, m
	case Hourly:
		return float64(rows) / (24 * 30), float64(rows)
	}
	return float64(rows) / 30, float64(rows)
}

// SavingUncertainty is the interval around an avoided use that a baseline
// predicts over rows rows spanning days days:
//
//	± E·t·(aM²+bM+c)·CV·√((n/n′)·(1+2/n′)/m)
//
// E is the mean use of the baseline times the rows, t Student's quantile at n−p
// degrees of freedom, CV the adjusted CV(RMSE), n′ the independent observations
// of the baseline, m the reporting rows and M the months they span (ASHRAE
// Guideline 14-2014, Annex B; CalTRACK 2.0, 4.3.2.4). It is nil where the
// statistics do not carry it.
//
// CalTRACK divides by the baseline of the reporting rows, which is what E stands
// for; eemeter takes the use of the whole baseline for it. The two agree where
// the reporting period is as long as the baseline; elsewhere eemeter's band would
// shrink as the reporting period grows.
//
// Worked case: n 365, p 2, mean 28.5152, adjusted CV 0.2543129, ρ −0.0147957, 365
// days: ± 315.415 at 90 %.
func SavingUncertainty(base Statistics, interval Interval, rows int, days, confidence float64) *Uncertainty {
	plus, ok := NewBand(base, interval, confidence).Over(rows, days)
	if !ok {
		return nil
	}
	return &Uncertainty{Method: FractionalCalTRACK, Confidence: confidence, Plus: plus}
}

// Band is SavingUncertainty for many periods of one baseline.
type Band struct {
	interval Interval
	perRow   float64 // E of one row, t, CV and √((n/n′)(1+2/n′)), multiplied; NaN where it is not known
}

// NewBand takes from the statistics what does not depend on the period.
func NewBand(base Statistics, interval Interval, confidence float64) Band {
	b := Band{interval: interval, perRow: math.NaN()}
	if base.CVRMSEAdj == nil || base.NPrime == nil {
		return b
	}
	n, prime := float64(base.N), *base.NPrime
	b.perRow = base.ObservedMean * Student(confidence, n-float64(base.Parameters)) * *base.CVRMSEAdj * math.Sqrt(n/prime*(1+2/prime))
	return b
}

// Over is the half width for a period of rows that span days; false where it is
// not known.
func (b Band) Over(rows int, days float64) (plus float64, ok bool) {
	span, m := months(b.interval, rows, days)
	plus = b.perRow * float64(rows) * autocorrelationFactor(b.interval, span) / math.Sqrt(m)
	return plus, rows > 0 && finite(plus)
}

// Of sets the fraction that the uncertainty is of a saving.
func (u *Uncertainty) Of(saving float64) *Uncertainty {
	if u == nil {
		return nil
	}
	out := *u
	out.Fraction = nil
	if saving != 0 {
		out.Fraction = Known(u.Plus / math.Abs(saving))
	}
	return &out
}

// LBNLUncertainty is the interval that LBNL's RM&V2.0 and nmecr give a saving of
// rows rows:
//
//	± t·α·√(MSE·(1+2/n)·m),   MSE = Σr²/(n−p)
//
// with n′ for n where hours or days have ρ ≥ 0.5, and α from the months of the
// baseline (1.26 for hours). parameters counts every coefficient.
func LBNLUncertainty(base Statistics, interval Interval, parameters, rows int, confidence float64) *Uncertainty {
	n := float64(base.N)
	if interval != Billing && base.Autocorrelation != nil && *base.Autocorrelation >= 0.5 {
		if base.NPrime == nil {
			return nil
		}
		n = *base.NPrime
	}
	degrees := n - float64(parameters)
	if degrees < 1 || rows == 0 {
		return nil
	}
	span := float64(base.N)
	if interval == Daily {
		span /= 30
	}
	mse := base.RMSE * base.RMSE * float64(base.N) / degrees
	plus := Student(confidence, degrees) * autocorrelationFactor(interval, span) *
		math.Sqrt(mse*(1+2/n)*float64(rows))
	if !finite(plus) {
		return nil
	}
	return &Uncertainty{Method: FractionalLBNL, Confidence: confidence, Plus: plus}
}

// OLSBand is the other interval that CalTRACK reports: the error of the model's
// mean and the noise of the reporting rows, combined. It takes the mean use of
// the reporting rows.
type OLSBand struct {
	Plus  float64 `json:"plus_minus"`
	Model float64 `json:"model_error"` // t·RMSE·m/√n·√(1+(ȳ−ȳ′)²/Var y)
	Noise float64 `json:"noise"`       // t·RMSE·√(m·n/n′)
}

// RegressionUncertainty is the band of an aggregate of regression predictions
// (CalTRACK 2.0 as eemeter computes it, after Koran et al. 2017, A comparison of
// approaches to estimating the time-aggregated uncertainty of savings).
func RegressionUncertainty(base Statistics, rows int, reportingMean, confidence float64) *OLSBand {
	if base.RMSEAdj == nil || base.NPrime == nil || base.ObservedVar == 0 || rows == 0 {
		return nil
	}
	n, m := float64(base.N), float64(rows)
	scale := Student(confidence, n-float64(base.Parameters)) * *base.RMSEAdj
	far := base.ObservedMean - reportingMean
	b := OLSBand{
		Model: scale * m / math.Sqrt(n) * math.Sqrt(1+far*far/base.ObservedVar),
		Noise: scale * math.Sqrt(m*n / *base.NPrime),
	}
	b.Plus = math.Hypot(b.Model, b.Noise)
	if !finite(b.Plus) {
		return nil
	}
	return &b
}

// Combine is the interval around a sum of independent savings, the root of the
// sum of their squares (CalTRACK 2.0, 4.3.2.5). They share one confidence;
// it is nil where they do not, or one is missing.
func Combine(parts ...*Uncertainty) *Uncertainty {
	if len(parts) == 0 {
		return nil
	}
	out := Uncertainty{Method: RootSumSquares}
	for i, u := range parts {
		if u == nil || i > 0 && u.Confidence != out.Confidence {
			return nil
		}
		out.Confidence = u.Confidence
		out.Plus = math.Hypot(out.Plus, u.Plus)
	}
	return &out
}
