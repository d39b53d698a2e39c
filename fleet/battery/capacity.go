// Package battery turns the telemetry of a battery into what it means: what it
// went through (Usage, Loops), what it can still do (Capacity, FitCapacity,
// FitResistance, AssessEnergy), how it ages and for how long it will last
// (FitDegradation, FindKnee, Foresee), and what follows for its owner (Score,
// WatchWarranty, Cohorts, Schedule, NewPassport). It is pure: samples in
// ascending time in, results out, each with its method and version, and with the
// reason where there is too little data. It knows nothing of stores, of jobs, or
// of what day it is.
package battery

import (
	"math"
	"slices"
)

// Version names the rules of this package in results. It changes when the same
// telemetry would give another number.
const Version = "capacity/1"

// Method names how a capacity was measured.
type Method string

// The methods.
const (
	// FullDischarge integrates the current from the start of a discharge to
	// the first sample at or below the cut-off voltage.
	FullDischarge Method = "full_discharge"
	// DischargeToRest integrates the current of a discharge until it stops. It
	// stands in where the cut-off voltage is not known, and is a lower bound of
	// the capacity.
	DischargeToRest Method = "discharge_to_rest"
	// SoCWindow divides the charge that moved by the change of the reported
	// state of charge.
	SoCWindow Method = "soc_window"
)

// Capacity is one measurement of a battery's capacity.
//
// Its standard error covers when a discharge began and ended between two samples
// (each uniform over its interval, I·Δt/√12), and the resolution of a reported
// state of charge (0.5 %), where it rests on one. The accuracy of the sensors is
// not in it.
type Capacity struct {
	Method        Method   `json:"method"`
	From          int64    `json:"from"` // Unix milliseconds
	To            int64    `json:"to"`   // Unix milliseconds, of the last sample used
	CapacityAh    float64  `json:"capacity_ah"`
	StdErrAh      float64  `json:"standard_error_ah"`
	ChargeAh      float64  `json:"charge_ah"` // charge that moved, positive
	EnergyWh      float64  `json:"energy_wh"` // energy that moved, positive
	SoCFrom       *float64 `json:"soc_from_pct,omitempty"`
	SoCTo         *float64 `json:"soc_to_pct,omitempty"`
	MeanCurrentA  float64  `json:"mean_current_a"`
	TemperatureC  *float64 `json:"temperature_c,omitempty"` // time-weighted mean
	Samples       int      `json:"samples"`
	MaxGapSeconds float64  `json:"max_gap_s"`
}

// Capacities finds the measurements in samples, which ascend by time, each with
// voltage and current. The results are ascending by From.
//
// A full discharge is integrated by the trapezoidal rule,
//
//	Q = −Σ (Iₖ + Iₖ₊₁)/2 · (tₖ₊₁ − tₖ)/3600,
//
// from the last sample at rest to the first at or below the cut-off voltage, as
// the NASA Ames battery data set defines its capacities (Saha & Goebel 2007). It
// counts only where the battery was seen to start from rest, or at a state of
// charge of Rules.FullSoCPct or more. Where it reports one at the first sample
// under load, z, the sum runs from there and the capacity is Q/z. Example: 2 A at a steady rate for 3,600 s
// between two edges of 18 s is 2.01 Ah.
func Capacities(samples []Sample, ratings Ratings, rules Rules) []Capacity {
	found := discharges(samples, ratings, rules)
	found = append(found, socWindows(samples, ratings, rules)...)
	slices.SortStableFunc(found, func(a, b Capacity) int { return int(a.From - b.From) })
	return found
}

// discharges finds those that run from rest to the cut-off voltage or, where it
// is not known, to rest again.
func discharges(samples []Sample, ratings Ratings, rules Rules) []Capacity {
	idle := rules.idle(ratings.CapacityAh)
	var found []Capacity
	// After a full discharge a battery that was not charged is empty, and a pulse
	// of load brings it to the cut-off again. Where the charge in between was
	// not seen (a test bench that records discharges alone), the next discharge
	// is as long as the last.
	emptySince, last := -1, 0.0
	for i := 0; i < len(samples); i++ {
		if emptySince >= 0 && (samples[i].CurrentA > idle || gapS(samples[i-1], samples[i]) > rules.MaxGapS) {
			emptySince = -1
		}
		if samples[i].CurrentA >= -idle {
			continue
		}
		end, complete := dischargeEnd(samples, i, ratings, rules)
		if complete {
			c, ok := dischargeFrom(samples, i, end, ratings, rules)
			if ok && (emptySince < 0 || c.ChargeAh >= last/2) {
				found = append(found, c)
			}
			if ok && c.Method == FullDischarge && emptySince < 0 {
				emptySince, last = end, c.ChargeAh
			}
		}
		i = skipLoad(samples, end, idle, rules)
	}
	return found
}

// dischargeEnd follows the discharge whose first sample under load is onset. It
// returns the last sample that belongs to it, and whether it came to its end
// rather than being broken off by a charge or a gap.
func dischargeEnd(samples []Sample, onset int, ratings Ratings, rules Rules) (end int, complete bool) {
	idle := rules.idle(ratings.CapacityAh)
	end = onset
	returned := 0.0 // Ah
	for k := onset + 1; k < len(samples); k++ {
		a, s := samples[k-1], samples[k]
		if s.CurrentA > idle {
			returned += max(0, (a.CurrentA+s.CurrentA)/2) * gapS(a, s) / 3600
		}
		load := s.CurrentA < -idle
		switch {
		case gapS(a, s) > rules.MaxGapS, s.TS-samples[onset].TS >= rules.MaxSpanMS:
			return end, false
		case s.CurrentA > idle && returned >= rules.RegenShare*ratings.CapacityAh:
			return end, false
		case load && ratings.CutoffVoltageV > 0 && s.VoltageV <= ratings.CutoffVoltageV:
			return k, true
		case load:
			end = k
		case ratings.CutoffVoltageV <= 0 && s.CurrentA <= idle: // at rest again
			return end, end > onset
		}
	}
	return end, false
}

// skipLoad passes over what is left of a load that has been dealt with.
func skipLoad(samples []Sample, end int, idle float64, rules Rules) int {
	for end+1 < len(samples) && samples[end+1].CurrentA < -idle && gapS(samples[end], samples[end+1]) <= rules.MaxGapS {
		end++
	}
	return end
}

func dischargeFrom(samples []Sample, onset, end int, ratings Ratings, rules Rules) (Capacity, bool) {
	idle := rules.idle(ratings.CapacityAh)
	start, method := onset, FullDischarge
	if ratings.CutoffVoltageV <= 0 {
		method = DischargeToRest
	}
	fromRest := onset > 0 && math.Abs(samples[onset-1].CurrentA) <= idle && gapS(samples[onset-1], samples[onset]) <= rules.MaxGapS
	if fromRest {
		start = onset - 1
	}
	soc := samples[start].SoCPct
	switch {
	// Both are false for NaN: then nothing speaks against it.
	case soc < rules.FullSoCPct, method == FullDischarge && samples[end].SoCPct > rules.EmptySoCPct:
		return Capacity{}, false
	case !fromRest && math.IsNaN(soc):
		return Capacity{}, false
	}
	if end == onset {
		return Capacity{}, false
	}
	// When the load came on between two samples is not known. Where the battery
	// reports what was left of a full charge at the first sample under load, that
	// tells more than the trapezoid from rest does.
	left, first := samples[onset].SoCPct, 0.0
	if math.IsNaN(left) {
		left = 100
		first = edgeAh(samples[start], samples[min(start+1, end)])
	} else {
		start = onset
	}
	c := integrate(samples[start : end+1])
	c.Method = method
	c.CapacityAh = c.ChargeAh / (left / 100)
	if start == onset {
		first = c.CapacityAh * socStdErrPct / left
	}
	c.StdErrAh = math.Hypot(first, edgeAh(samples[end-1], samples[end]))
	return c, c.ChargeAh > 0 && left > 0 // a gauge that fell from full to nothing tells nothing
}

// edgeAh is the standard deviation of the charge at a step of the current whose
// instant is known only to lie between two samples.
func edgeAh(a, b Sample) float64 {
	i := max(math.Abs(a.CurrentA), math.Abs(b.CurrentA))
	return i * gapS(a, b) / 3600 / math.Sqrt(12)
}

// gapS is the time between two samples in seconds.
func gapS(a, b Sample) float64 { return float64(b.TS-a.TS) / 1000 }
