package battery

import "math"

// ImbalanceVersion names the rules of Imbalance.
const ImbalanceVersion = "imbalance/1"

// CellSpread names imbalance by the spread of the cell voltages.
const CellSpread Method = "cell_voltage_spread"

// CellSample is the lowest and the highest cell voltage at one instant.
type CellSample struct {
	TS         int64   // Unix milliseconds
	MinV, MaxV float64 //
	CurrentA   float64 // NaN: not known
	SoCPct     float64 // NaN: not known
}

// Imbalance is how far the cells of a battery have drifted apart. It is kept
// apart from ageing: balancing brings it back.
type Imbalance struct {
	Basis
	MedianMV *float64 `json:"median_mv"`
	P95MV    *float64 `json:"p95_mv"`
	// TrendMV is per 30 days; null below four weeks of data.
	TrendMV *float64 `json:"trend_mv_per_30_days"`
	// CapacityPct is the share of the capacity that the weakest cell keeps the
	// battery from using; null where the voltage says too little of the charge.
	CapacityPct *float64 `json:"capacity_lost_pct"`
	At          string   `json:"at"` // "rest", or "any" where the current was never known to rest
}

// minSlopeV is the least slope of a cell's voltage over its whole range of
// charge, in V, at which a spread of voltage tells a spread of charge: LFP's
// plateau at 0.1…0.3 V does not.
const minSlopeV = 0.5

// MeasureImbalance takes the spread of the cell voltages while the battery
// rests, at |I| ≤ idleA: under load it holds resistance too. Where no sample is
// known to rest all count. Samples ascend by time.
//
// The lost capacity is the spread over the slope of the voltage by charge, as
// the samples show it between neighbouring tenths of charge (a spread of 10 mV
// where 100 % of charge are 1 V: 1 %).
func MeasureImbalance(samples []CellSample, idleA float64) Imbalance {
	r := Imbalance{Basis: basis(CellSpread, ImbalanceVersion), At: "rest"}
	rest := resting(samples, idleA)
	if len(rest) == 0 {
		rest, r.At = resting(samples, math.Inf(1)), "any"
	}
	if len(rest) < 10 {
		r.Count = len(rest)
		r.lacking("cell_voltage_min_v and cell_voltage_max_v were reported together fewer than ten times")
		return r
	}
	r.over(rest[0].TS, rest[len(rest)-1].TS, len(rest))
	r.ok()
	days, mv := make([]float64, len(rest)), make([]float64, len(rest))
	for k, s := range rest {
		days[k], mv[k] = float64(s.TS-rest[0].TS)/dayMS, 1000*(s.MaxV-s.MinV)
	}
	if days[len(days)-1] >= 28 {
		if slope, _, ok := trend(days, mv); ok {
			slope *= 30
			r.TrendMV = &slope
		}
	}
	mid := middle(mv) // sorts
	p95 := quantile(mv, 0.95)
	r.MedianMV, r.P95MV = &mid, &p95
	if slope := slopeOf(rest); slope >= minSlopeV {
		lost := mid / 1000 / slope * 100
		r.CapacityPct = &lost
	}
	return r
}

// resting keeps the samples whose values can be and whose current is no more
// than idleA; an infinite idleA keeps those of unknown current too.
func resting(samples []CellSample, idleA float64) []CellSample {
	var out []CellSample
	for _, s := range samples {
		if s.MinV > 0 && s.MaxV >= s.MinV && (math.Abs(s.CurrentA) <= idleA || math.IsInf(idleA, 1)) {
			out = append(out, s)
		}
	}
	return out
}

// slopeOf is the median slope of the mean cell voltage, in V over the whole
// range of charge, between neighbouring tenths of charge that were both seen.
func slopeOf(samples []CellSample) float64 {
	var volts [SoCBins][]float64
	for _, s := range samples {
		if !math.IsNaN(s.SoCPct) {
			k := bin(s.SoCPct, 0, socStep, SoCBins)
			volts[k] = append(volts[k], (s.MinV+s.MaxV)/2)
		}
	}
	var slopes []float64
	for k := 1; k < SoCBins; k++ {
		if len(volts[k]) >= 3 && len(volts[k-1]) >= 3 {
			slopes = append(slopes, (median(volts[k])-median(volts[k-1]))*SoCBins)
		}
	}
	if len(slopes) < 3 {
		return 0
	}
	return middle(slopes)
}
