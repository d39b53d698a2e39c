package battery

import (
	"math"
	"slices"
)

// HealthStatus says whether a state of health can be given.
type HealthStatus string

// The states of an assessment.
const (
	HealthOK           HealthStatus = "ok"
	HealthInsufficient HealthStatus = "insufficient_data"
)

// Health is what the measurements of a battery's capacity say of it today.
type Health struct {
	Status          HealthStatus `json:"status"`
	Reason          string       `json:"reason,omitempty"` // why something is missing, and what to do
	Method          Method       `json:"method,omitempty"`
	Version         string       `json:"version"`
	CapacityAh      *float64     `json:"capacity_ah"`       // null: not measured
	StdErrAh        *float64     `json:"standard_error_ah"` // null: not known
	RatedCapacityAh *float64     `json:"rated_capacity_ah"` // null: not registered
	SoHPct          *float64     `json:"soh_pct"`           // CapacityAh / RatedCapacityAh · 100
	MeasuredAt      *int64       `json:"measured_at"`       // Unix milliseconds, end of the newest measurement used
	Measurements    int          `json:"measurements"`      // how many the capacity rests on
}

// windowsPerEstimate is how many SoCWindows an estimate is the median of.
const windowsPerEstimate = 10

// fullDischargeLasts is how long a full discharge is preferred to newer
// SoCWindows, in ms: 60 days.
const fullDischargeLasts = 60 * 24 * 3600 * 1000

// Assess gives the capacity and the state of health from measurements in
// ascending time. The newest full discharge counts as it is, unless there are
// SoCWindows more than 60 days newer; then, or without one, it is the median of
// the newest ten SoCWindows. A DischargeToRest says nothing of the capacity but
// a lower bound, and is not used. ratedAh is 0 where it is not known.
func Assess(measured []Capacity, ratedAh float64) Health {
	h := Health{Version: Version}
	full, windows := newest(measured, FullDischarge, 1), newest(measured, SoCWindow, windowsPerEstimate)
	if len(full) > 0 && len(windows) > 0 && windows[0].To-full[0].To > fullDischargeLasts {
		full = nil
	}
	switch {
	case h.use(full):
	case h.use(windows):
	case len(newest(measured, DischargeToRest, 1)) > 0:
		h.Reason = "cutoff_voltage_v is not set, so it is not known which discharges were full"
	default:
		h.Reason = "no discharge from full to the cut-off voltage, and no charge or discharge over 40 % of the range, was seen whole"
	}
	return h.Rated(ratedAh)
}

// Rated compares the capacity with a rating; 0: not known.
func (h Health) Rated(ratedAh float64) Health {
	h.Status, h.RatedCapacityAh, h.SoHPct = HealthInsufficient, nil, nil
	if ratedAh > 0 {
		h.RatedCapacityAh = &ratedAh
	}
	if h.CapacityAh == nil {
		return h
	}
	if ratedAh <= 0 {
		h.Reason = "rated_capacity_ah is not set, so there is nothing to compare the capacity with"
		return h
	}
	soh := *h.CapacityAh / ratedAh * 100
	h.Status, h.Reason, h.SoHPct = HealthOK, "", &soh
	return h
}

// newest returns the last n measurements by one method.
func newest(measured []Capacity, m Method, n int) []Capacity {
	var out []Capacity
	for k := len(measured) - 1; k >= 0 && len(out) < n; k-- {
		if measured[k].Method == m {
			out = append(out, measured[k])
		}
	}
	return out
}

// use takes the capacity from measurements by one method, the newest first.
func (h *Health) use(by []Capacity) bool {
	if len(by) == 0 {
		return false
	}
	h.Method = by[0].Method
	h.MeasuredAt = &by[0].To
	h.Measurements = len(by)
	capacity, stdErr := by[0].CapacityAh, by[0].StdErrAh
	if len(by) > 1 {
		capacity, stdErr = medianOf(by)
	}
	h.CapacityAh, h.StdErrAh = &capacity, &stdErr
	return true
}

// medianOf returns the median of the capacities and its standard error,
// 1.2533·σ/√n with σ = 1.4826·MAD, the values for a normal distribution (Huber,
// Robust Statistics, §5.1). Example: 9, 10 and 14 Ah give 10 ± 1.07 Ah.
func medianOf(by []Capacity) (median, stdErr float64) {
	v := make([]float64, len(by))
	for k, c := range by {
		v[k] = c.CapacityAh
	}
	median = middle(v)
	for k := range v {
		v[k] = math.Abs(v[k] - median)
	}
	return median, 1.2533 * 1.4826 * middle(v) / math.Sqrt(float64(len(v)))
}

func middle(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}
