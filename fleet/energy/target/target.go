// Package target holds the goals of a building portfolio and says how it stands
// to them: the value, how sure it is, and where it is going.
//
// It is pure, and computes none of the values but the share of time that a
// setpoint was followed.
package target

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// Version names the rules of this package in results.
const Version = "target/1"

// Target is a goal: the value is to be above the limit.
type Target struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Limit float64 `json:"limit"`
	// Definition says what is measured against what.
	Definition string `json:"definition"`
}

// The ids of the goals.
const (
	EnergySavings     = "energy_savings"
	PeakReduction     = "peak_reduction"
	ForecastAccuracy  = "forecast_accuracy"
	AutomationSuccess = "automation_success"
	CarbonReduction   = "carbon_reduction"
	WaterSavings      = "water_savings"
	GreenEnergy       = "green_energy"
)

// All are the goals of a building portfolio, all in percent.
func All() []Target {
	return []Target{
		{EnergySavings, "Energy savings", "%", 20, "avoided energy use over the adjusted baseline"},
		{PeakReduction, "Peak reduction", "%", 15, "fall of the highest demand against the hourly baseline"},
		{ForecastAccuracy, "Forecast accuracy", "%", 90, "100 − MAPE of the load of the day ahead"},
		{AutomationSuccess, "Automation success", "%", 95, "share of the time in use in which the setpoint is followed within tolerance"},
		{CarbonReduction, "Carbon reduction", "%", 25, "avoided emissions over those of the adjusted baseline, location-based"},
		{WaterSavings, "Water savings", "%", 15, "avoided water use over the baseline"},
		{GreenEnergy, "Green energy", "%", 30, "share of use from own generation and certified supply"},
	}
}

// Status is how a value stands to its target.
type Status string

// The states.
const (
	Met          Status = "met"
	Missed       Status = "missed"
	Insufficient Status = "insufficient_data"
)

// Measured is a value to be judged. History are earlier values, the oldest
// first, one for each month; a NaN is a month without one.
type Measured struct {
	Value   float64
	Plus    *float64 // half width of its interval
	History []float64
	Reason  string // why there is no value, where it is NaN
}

// Standing is how a portfolio or a building stands to one target.
type Standing struct {
	Target
	Version string   `json:"version"`
	Status  Status   `json:"status"`
	Value   *float64 `json:"value"`
	Plus    *float64 `json:"plus_minus"`
	// Sure says that the interval lies wholly on the side of the value.
	Sure   bool   `json:"sure"`
	Trend  *Trend `json:"trend"`
	Reason string `json:"reason,omitempty"`
}

// Judge sets a value against a target. A value that is not known is never a
// zero.
func Judge(t Target, m Measured) Standing {
	s := Standing{Target: t, Version: Version, Status: Insufficient, Reason: m.Reason, Trend: TrendOf(m.History)}
	if s.Value = energy.Known(m.Value); s.Value == nil {
		if s.Reason == "" {
			s.Reason = "the value is not known"
		}
		return s
	}
	s.Plus = m.Plus
	s.Status = Missed
	if m.Value > t.Limit {
		s.Status = Met
	}
	s.Sure = m.Plus != nil && math.Abs(m.Value-t.Limit) > *m.Plus
	return s
}

// Trend is the slope of monthly values.
type Trend struct {
	PerMonth  float64  `json:"per_month"`
	Plus      *float64 `json:"plus_minus"` // 90 %
	Direction string   `json:"direction"`  // "up", "down" or "flat": no slope is sure
	Months    int      `json:"months"`
}

// minMonths is the fewest months that have a trend.
const minMonths = 4

// TrendOf fits a line to monthly values; nil below four that are known.
func TrendOf(history []float64) *Trend {
	var ones, x, y []float64
	for i, v := range history {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			ones, x, y = append(ones, 1), append(x, float64(i)), append(y, v)
		}
	}
	if len(y) < minMonths {
		return nil
	}
	s, err := regress.Least([][]float64{ones, x}, y, nil)
	if err != nil || s.Dropped[1] {
		return nil
	}
	t := Trend{PerMonth: s.Coefficients[1], Months: len(y), Direction: "flat"}
	plus := energy.Student(0.9, float64(len(y)-2)) * s.StdErrors[1]
	t.Plus = energy.Known(plus)
	switch {
	case t.PerMonth > plus:
		t.Direction = "up"
	case t.PerMonth < -plus:
		t.Direction = "down"
	}
	return &t
}
