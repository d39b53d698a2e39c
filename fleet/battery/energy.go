package battery

import "math"

// EnergyVersion names the rules of AssessEnergy.
const EnergyVersion = "energy/1"

// EnergyHealth is what a battery can deliver when it is discharged from full.
type EnergyHealth struct {
	Basis
	EnergyWh *float64 `json:"energy_wh"`
	StdErrWh *float64 `json:"standard_error_wh"`
	RatedWh  *float64 `json:"rated_wh"` // null: not registered
	// SoHPct is EnergyWh over the rated energy; what the regulation calls the
	// state of certified energy.
	SoHPct *float64 `json:"soh_pct"`
}

// AssessEnergy gives the usable energy from discharges in ascending time: that
// of the newest full one, unless there are partial ones more than 60 days newer;
// then, or without one, the median of the newest ten partial ones, each drawn on
// to the whole range in proportion to the state of charge. ratedWh is 0 where it
// is not known.
func AssessEnergy(measured []Capacity, ratedWh float64) EnergyHealth {
	h := EnergyHealth{Basis: basis("", EnergyVersion)}
	if ratedWh > 0 {
		h.RatedWh = &ratedWh
	}
	var full, windows []Capacity
	for k := len(measured) - 1; k >= 0; k-- {
		switch c := measured[k]; {
		case c.ChargeAh <= 0 || c.EnergyWh <= 0:
		case c.Method == FullDischarge && len(full) == 0:
			full = append(full, c)
		case c.Method == SoCWindow && c.MeanCurrentA < 0 && len(windows) < windowsPerEstimate:
			windows = append(windows, c)
		}
	}
	if len(full) > 0 && len(windows) > 0 && windows[0].To-full[0].To > fullDischargeLasts {
		full = nil
	}
	used := full
	if len(used) == 0 {
		used = windows
	}
	if len(used) == 0 {
		h.lacking("no discharge from full to the cut-off voltage, and none over 40 % of the range, was seen whole")
		return h
	}
	wh := make([]float64, len(used))
	for k, c := range used {
		wh[k] = c.EnergyWh * c.CapacityAh / c.ChargeAh
	}
	mid := median(wh)
	se := mid * used[0].StdErrAh / used[0].CapacityAh
	if len(wh) > 1 {
		se = 1.2533 * spread(wh, mid) / math.Sqrt(float64(len(wh)))
	}
	h.Method = used[0].Method
	h.over(used[len(used)-1].From, used[0].To, len(used))
	h.EnergyWh, h.StdErrWh = &mid, &se
	if ratedWh <= 0 {
		h.lacking("rated_capacity_ah or rated_voltage_v is not set, so there is nothing to compare the energy with")
		return h
	}
	soh := mid / ratedWh * 100
	h.SoHPct = &soh
	h.ok()
	return h
}
