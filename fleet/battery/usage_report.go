package battery

// Throughput is what a Usage comes to: the numbers that warranties, passports
// and owners ask for.
type Throughput struct {
	Basis
	ChargeAh             float64            `json:"charge_throughput_ah"`   // in and out
	EnergyWh             float64            `json:"energy_throughput_wh"`   // in and out
	EquivalentFullCycles *float64           `json:"equivalent_full_cycles"` // null: rated capacity not registered
	Cycles               float64            `json:"cycles"`                 // rainflow, halves as 0.5, of a depth of 10 % or more
	Depths               [DepthBins]float64 `json:"depth_of_discharge"`     // rainflow cycles, 10 % each
	MeanDepthPct         *float64           `json:"mean_depth_pct"`         // of Cycles, weighted by depth, to the middle of a bin
	EnergyPerCycleWh     *float64           `json:"energy_per_cycle_wh"`    // delivered per equivalent full cycle
	MeanTemperatureC     *float64           `json:"mean_temperature_c"`
	MeanSoCPct           *float64           `json:"mean_soc_pct"`
	MeanChargeRateC      *float64           `json:"mean_charge_rate_c"`
	MeanDischargeRateC   *float64           `json:"mean_discharge_rate_c"`
	ChargingShare        float64            `json:"charging_share"`    // of the time covered
	DischargingShare     float64            `json:"discharging_share"` // of the time covered
	RestingShare         float64            `json:"resting_share"`     // of the time covered
}

// Report makes the numbers of a usage over the window [from, to), Unix
// milliseconds.
//
// Equivalent full cycles are half the charge moved over the rated capacity,
//
//	EFC = Σ|ΔAh| / (2·rated Ah),
//
// so 40 Ah in and 40 Ah out of a 40 Ah battery are one.
func (u Usage) Report(from, to int64, ratings Ratings) Throughput {
	r := Throughput{Basis: basis("usage", UsageVersion)}
	if u.Samples == 0 || u.CoveredS == 0 {
		r.lacking("no two readings of voltage and current near enough to each other to integrate between")
		return r
	}
	r.over(u.First.TS, u.Last.TS, u.Samples)
	r.ok()
	if to > from {
		coverage := min(1, u.CoveredS/(float64(to-from)/1000))
		r.Coverage = &coverage
	}
	r.ChargeAh, r.EnergyWh = u.InAh+u.OutAh, u.InWh+u.OutWh
	r.ChargingShare, r.DischargingShare, r.RestingShare = u.ChargingS/u.CoveredS, u.DischargingS/u.CoveredS, u.RestingS/u.CoveredS
	r.depths(u)
	r.MeanTemperatureC = mean(u.TemperatureKS, sum(u.TemperatureS[:]))
	r.MeanSoCPct = mean(u.SoCPctS, sum(u.SoCS[:]))
	if ratings.CapacityAh > 0 {
		efc := r.ChargeAh / (2 * ratings.CapacityAh)
		r.EquivalentFullCycles = &efc
		r.EnergyPerCycleWh = mean(u.OutWh, efc)
		r.MeanChargeRateC = mean(u.InAh/ratings.CapacityAh*3600, u.ChargingS)
		r.MeanDischargeRateC = mean(u.OutAh/ratings.CapacityAh*3600, u.DischargingS)
	}
	return r
}

// depths counts the open cycles as halves beside those closed. Swings in the
// first bin are too shallow to tell from noise, and are shown there alone.
func (r *Throughput) depths(u Usage) {
	r.Depths = u.Depths
	for _, c := range u.Open.Residue() {
		r.Depths[bin(c.Range, 0, depthStep, DepthBins)] += c.Count
	}
	weighted, weight := 0.0, 0.0
	for k, n := range r.Depths[1:] {
		mid := (float64(k) + 1.5) * depthStep
		r.Cycles += n
		weighted += n * mid * mid
		weight += n * mid
	}
	r.MeanDepthPct = mean(weighted, weight)
}

// mean is total over weight, nil without weight.
func mean(total, weight float64) *float64 {
	if weight <= 0 {
		return nil
	}
	v := total / weight
	return &v
}

func sum(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x
	}
	return total
}
