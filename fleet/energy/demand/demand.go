// Package demand describes the power of a building over time: its peaks, its
// base load, how evenly it draws, and by how much a measure lowered its peak.
//
// It is pure. Rows are hours or shorter, their use in kWh.
package demand

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results.
const Version = "demand/2"

// Profile is the shape of a load.
type Profile struct {
	Period     energy.Period `json:"period"`
	PeakKW     float64       `json:"peak_kw"`
	PeakAt     time.Time     `json:"peak_at"`
	MeanKW     float64       `json:"mean_kw"`
	BaseKW     float64       `json:"base_kw"`     // 5th percentile, below which the load hardly falls
	LoadFactor *float64      `json:"load_factor"` // mean/peak
	// Duration is the load duration curve: the load that is exceeded for each
	// whole percent of the time, from 0 to 100.
	Duration []float64 `json:"duration_kw"`
	Rows     int       `json:"rows"`
	Missing  int       `json:"missing_rows"`
}

// basePercentile is the quantile that is called the base load (Mathieu et al.
// 2011 take 2.5 to 5 %).
const basePercentile = 0.05

// Describe is the profile of rows. The error wraps energy.ErrInsufficientData.
func Describe(rows []energy.Row) (*Profile, error) {
	p := Profile{Period: energy.Span(rows)}
	loads := make([]float64, 0, len(rows))
	var sum, hours float64
	for i := range rows {
		r := &rows[i]
		if math.IsNaN(r.Use) {
			p.Missing++
			continue
		}
		h := r.End.Sub(r.Start).Hours()
		kw := r.Use / h
		if len(loads) == 0 || kw > p.PeakKW {
			p.PeakKW, p.PeakAt = kw, r.Start
		}
		loads = append(loads, kw)
		sum, hours = sum+r.Use, hours+h
	}
	if len(loads) == 0 {
		return nil, energy.Lacking(Version, "no_use", "no use is known")
	}
	p.Rows, p.MeanKW = len(loads), sum/hours
	p.LoadFactor = energy.Known(p.MeanKW / p.PeakKW)
	slices.Sort(loads)
	p.BaseKW = energy.Quantile(loads, basePercentile)
	for i := range 101 {
		p.Duration = append(p.Duration, energy.Quantile(loads, 1-float64(i)/100))
	}
	return &p, nil
}

// Window is the hours of a system peak that demand is counted in: the clock
// hours [FromHour, ToHour) of some weekdays and months.
type Window struct {
	Name     string         `json:"name"`
	Months   []time.Month   `json:"months,omitempty"`   // none: all
	Weekdays []time.Weekday `json:"weekdays,omitempty"` // none: all
	FromHour int            `json:"from_hour"`
	ToHour   int            `json:"to_hour"`
}

func (w Window) holds(t time.Time) bool {
	return t.Hour() >= w.FromHour && t.Hour() < w.ToHour &&
		(len(w.Months) == 0 || slices.Contains(w.Months, t.Month())) &&
		(len(w.Weekdays) == 0 || slices.Contains(w.Weekdays, t.Weekday()))
}

// Reduction is how far demand fell against an hourly baseline.
type Reduction struct {
	Version string     `json:"version"`
	Fit     energy.Fit `json:"fit"`
	// A peak is the mean of the PeakRows highest rows of the period, whenever they
	// were; its time is that of the highest one.
	PeakRows       int       `json:"peak_rows"`
	BaselinePeakKW float64   `json:"baseline_peak_kw"`
	BaselinePeakAt time.Time `json:"baseline_peak_at"`
	PeakKW         float64   `json:"peak_kw"`
	PeakAt         time.Time `json:"peak_at"`
	// The rows that no load of the building explains, and so are in no peak.
	BaselineOutliers int      `json:"baseline_outlier_rows"`
	Outliers         int      `json:"outlier_rows"`
	PeakSavedKW      float64  `json:"peak_saved_kw"`
	PeakFraction     *float64 `json:"peak_fraction"`
	// Coincident is the mean over the hours of the window.
	Window           Window   `json:"window"`
	WindowRows       int      `json:"window_rows"`
	WindowBaselineKW *float64 `json:"window_baseline_kw"`
	WindowKW         *float64 `json:"window_kw"`
	WindowSavedKW    *float64 `json:"window_saved_kw"`
	WindowFraction   *float64 `json:"window_fraction"`
	WindowPlusKW     *float64 `json:"window_plus_minus_kw"`
	PeakPlusKW       *float64 `json:"peak_plus_minus_kw"` // how peaks differ from period to period
	Confidence       float64  `json:"confidence"`
	Rows             int      `json:"rows"`
	MissingRows      int      `json:"missing_rows"`
}

// Reduce compares demand with the baseline. A model predicts the usual hour, so
// its highest predictions are below the highest hours of the same building: to
// compare like with like, the peak of the baseline is that of the predictions
// plus what the peaks of the baseline period had above theirs. The more hours a
// period has the higher its peak, so that these are periods as long as the
// reporting period; one that is longer than the baseline has its peak over as
// many more rows. The error wraps energy.ErrInsufficientData.
func Reduce(model energy.Model, baseline, reporting []energy.Row, w Window, confidence float64) (*Reduction, error) {
	d := Reduction{Version: Version, Fit: model.Describe(), Window: w, Confidence: confidence}
	before, _ := loadsOf(model, baseline)
	after, missing := loadsOf(model, reporting)
	d.Rows, d.MissingRows = len(after), missing
	if d.Rows == 0 {
		return nil, energy.Lacking(Version, "no_reporting_data", "no hour of the reporting period has both use and baseline")
	}
	if len(before) == 0 {
		return nil, energy.Lacking(Version, "no_baseline_data", "no hour of the baseline has both use and prediction")
	}
	d.peaks(before, after)
	d.window(after, reporting[0].End.Sub(reporting[0].Start).Hours())
	return &d, nil
}

// peaks compares the peaks of two periods.
func (d *Reduction) peaks(before, after []load) {
	limit := outlierLimit(before)
	before, d.BaselineOutliers = withoutOutliers(before, limit)
	after, d.Outliers = withoutOutliers(after, limit)
	length := min(len(before), len(after))
	if length == 0 {
		return
	}
	over, periods, s := meanExcess(before, length)
	d.PeakRows = max(1, int(math.Round(float64(rowsOfPeak(length))*float64(len(after))/float64(length))))
	d.BaselinePeakKW, d.PeakKW = highest(d.PeakRows, expected(after))+over, highest(d.PeakRows, measured(after))
	d.BaselinePeakAt = slices.MaxFunc(after, func(a, b load) int { return cmp.Compare(a.predicted, b.predicted) }).at
	d.PeakAt = slices.MaxFunc(after, func(a, b load) int { return cmp.Compare(a.kw, b.kw) }).at
	d.PeakSavedKW = d.BaselinePeakKW - d.PeakKW
	d.PeakFraction = energy.Known(d.PeakSavedKW / d.BaselinePeakKW)
	// The reporting period has an excess of its own, which varies as much as one of
	// the baseline's.
	d.PeakPlusKW = energy.Known(energy.Student(d.Confidence, s.degrees) * math.Sqrt(s.variance*(1+1/float64(periods))))
}

// window compares the mean demand over the hours of the window.
func (d *Reduction) window(after []load, rowHours float64) {
	var base, kw float64
	for _, l := range after {
		if d.Window.holds(l.at) {
			base, kw = base+l.predicted, kw+l.kw
			d.WindowRows++
		}
	}
	n := float64(d.WindowRows)
	if n == 0 {
		return
	}
	d.WindowBaselineKW, d.WindowKW = energy.Known(base/n), energy.Known(kw/n)
	d.WindowSavedKW = energy.Known((base - kw) / n)
	d.WindowFraction = energy.Known((base - kw) / base)
	if u := energy.SavingUncertainty(d.Fit.Statistics, energy.Hourly, d.WindowRows, n*rowHours/24, d.Confidence); u != nil {
		d.WindowPlusKW = energy.Known(u.Plus / (n * rowHours))
	}
}

// Percent is the fall of the peak and the half width of its interval, in percent
// of the baseline's peak; NaN and nil where there is none.
func (d *Reduction) Percent() (value float64, plus *float64) {
	if d.PeakFraction == nil {
		return math.NaN(), nil
	}
	if d.PeakPlusKW != nil {
		plus = energy.Known(100 * *d.PeakPlusKW / math.Abs(d.BaselinePeakKW))
	}
	return 100 * *d.PeakFraction, plus
}
