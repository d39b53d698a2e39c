// Package demand describes the power of a building over time: its peaks, its
// base load, how evenly it draws, and by how much a measure lowered its peak.
//
// It is pure. Rows are hours or shorter, their use in kWh.
package demand

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results.
const Version = "demand/1"

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
	var loads []float64
	var sum, hours float64
	for _, r := range rows {
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
	// Peak compares the highest demands of the period, whenever they were.
	BaselinePeakKW float64   `json:"baseline_peak_kw"`
	BaselinePeakAt time.Time `json:"baseline_peak_at"`
	PeakKW         float64   `json:"peak_kw"`
	PeakAt         time.Time `json:"peak_at"`
	PeakSavedKW    float64   `json:"peak_saved_kw"`
	PeakFraction   *float64  `json:"peak_fraction"`
	// Coincident is the mean over the hours of the window.
	Window           Window   `json:"window"`
	WindowRows       int      `json:"window_rows"`
	WindowBaselineKW *float64 `json:"window_baseline_kw"`
	WindowKW         *float64 `json:"window_kw"`
	WindowSavedKW    *float64 `json:"window_saved_kw"`
	WindowFraction   *float64 `json:"window_fraction"`
	WindowPlusKW     *float64 `json:"window_plus_minus_kw"`
	PeakPlusKW       *float64 `json:"peak_plus_minus_kw"` // of a single row of the baseline
	Confidence       float64  `json:"confidence"`
	Rows             int      `json:"rows"`
	MissingRows      int      `json:"missing_rows"`
}

// Reduce compares demand with the baseline. A model predicts the usual hour, so
// its highest prediction is below the highest hour of the same building: to
// compare like with like, the peak of the baseline is the highest prediction
// plus what the highest hour of the baseline period had above its own.
func Reduce(model energy.Model, baseline, reporting []energy.Row, w Window, confidence float64) (*Reduction, error) {
	d := Reduction{Version: Version, Fit: model.Describe(), Window: w, Confidence: confidence}
	excess := peakExcess(model, baseline)
	var windowBase, window, rowHours float64
	for i, p := range model.Predict(reporting) {
		r := reporting[i]
		if math.IsNaN(p) || math.IsNaN(r.Use) {
			d.MissingRows++
			continue
		}
		h := r.End.Sub(r.Start).Hours()
		rowHours = h
		base, kw := p/h, r.Use/h
		if d.Rows == 0 || base > d.BaselinePeakKW {
			d.BaselinePeakKW, d.BaselinePeakAt = base, r.Start
		}
		if d.Rows == 0 || kw > d.PeakKW {
			d.PeakKW, d.PeakAt = kw, r.Start
		}
		d.Rows++
		if w.holds(r.Start) {
			windowBase, window = windowBase+base, window+kw
			d.WindowRows++
		}
	}
	if d.Rows == 0 {
		return nil, energy.Lacking(Version, "no_reporting_data", "no hour of the reporting period has both use and baseline")
	}
	d.BaselinePeakKW += excess
	d.PeakSavedKW = d.BaselinePeakKW - d.PeakKW
	d.PeakFraction = energy.Known(d.PeakSavedKW / d.BaselinePeakKW)
	s := d.Fit.Statistics
	if s.RMSEAdj != nil {
		degrees := float64(s.N - s.Parameters - 1)
		d.PeakPlusKW = energy.Known(energy.Student(confidence, degrees) * *s.RMSEAdj * math.Sqrt(1+1/float64(s.N)) / rowHours)
	}
	if n := float64(d.WindowRows); n > 0 {
		d.WindowBaselineKW, d.WindowKW = energy.Known(windowBase/n), energy.Known(window/n)
		d.WindowSavedKW = energy.Known((windowBase - window) / n)
		d.WindowFraction = energy.Known((windowBase - window) / windowBase)
		if u := energy.SavingUncertainty(s, energy.Hourly, d.WindowRows, n*rowHours/24, confidence); u != nil {
			d.WindowPlusKW = energy.Known(u.Plus / (n * rowHours))
		}
	}
	return &d, nil
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

// peakExcess is by how much, in kW, the highest hour of the baseline period is
// above the highest prediction for it.
func peakExcess(model energy.Model, rows []energy.Row) float64 {
	high, predicted := math.Inf(-1), math.Inf(-1)
	for i, p := range model.Predict(rows) {
		if !math.IsNaN(p) && !math.IsNaN(rows[i].Use) {
			h := rows[i].End.Sub(rows[i].Start).Hours()
			high, predicted = max(high, rows[i].Use/h), max(predicted, p/h)
		}
	}
	if math.IsInf(high, 0) {
		return 0
	}
	return high - predicted
}
