package station

import "math"

// InventoryVersion names the rules of Advise.
const InventoryVersion = "inventory/1"

// Advice is how many packs a station should hold against what it holds.
type Advice struct {
	Basis
	Needed  *int    `json:"packs_needed"`
	Held    float64 `json:"packs_held"` // mean
	Short   int     `json:"packs_short"`
	Idle    int     `json:"packs_idle"`
	Service float64 `json:"service_target"` // share of riders to be served at once
	// Turnover is the mean number of packs that are being charged at the busiest
	// hour, in packs.
	Turnover float64 `json:"packs_in_turnover"`
	// Recharge is the time from a pack's return until it is charged, in seconds,
	// "measured" or "configured".
	Recharge       float64 `json:"recharge_s,omitempty"`
	RechargeMethod string  `json:"recharge_method,omitempty"`
}

// Advise works out how many packs let a share of the riders of the busiest hour
// find a charged one. A pack that was handed in comes back after rechargeS, so
// the packs away are those handed out within that time, of which there are
// λ·T at mean and, arrivals being random, a Poisson number at any instant
// whatever the distribution of T (Palm 1938; Sherbrooke 1968, METRIC). Needed is
// the least S with P(N < S) ≥ target.
//
// Example: 6 an hour and two hours to charge are 12 in turnover; 19 packs serve
// 95 % at once.
func Advise(peakPerHour, rechargeS, held, target float64, w Window) Advice {
	a := Advice{Basis: basis("poisson_base_stock", InventoryVersion, w), Held: held, Service: target}
	switch {
	case !(rechargeS > 0) || math.IsInf(rechargeS, 1):
		a.lacking("the time to recharge a pack is not known")
		return a
	case !(peakPerHour >= 0) || math.IsInf(peakPerHour, 1):
		a.lacking("the demand is not known")
		return a
	case !(target > 0 && target < 1):
		a.lacking("the share of riders to be served must lie between 0 and 1")
		return a
	}
	a.ok(1)
	a.Turnover = peakPerHour * rechargeS / 3600
	needed := stock(a.Turnover, target)
	a.Needed = &needed
	a.Short = max(0, needed-int(math.Floor(held)))
	a.Idle = max(0, int(math.Floor(held))-needed)
	return a
}

// stock is the least s with P(N < s) ≥ target for N of a Poisson distribution.
func stock(mean, target float64) int {
	if mean <= 0 {
		return 0
	}
	below := 0.0
	for s := 0; ; s++ { // ends: s·mean deviations beyond the mean hold all but rounding
		if below >= target || float64(s) > mean+40*math.Sqrt(mean)+40 {
			return s
		}
		lg, _ := math.Lgamma(float64(s) + 1)
		below += math.Exp(float64(s)*math.Log(mean) - mean - lg)
	}
}
