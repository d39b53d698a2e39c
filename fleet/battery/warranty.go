package battery

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// WarrantyVersion names the rules of WatchWarranty.
const WarrantyVersion = "warranty/1"

// WarrantyTerms are the limits of a warranty; 0 is none.
type WarrantyTerms struct {
	Years          float64 `json:"years"`           // since commissioning
	Cycles         float64 `json:"cycles"`          // equivalent full cycles
	ThroughputWh   float64 `json:"throughput_wh"`   // in and out
	HeatHours      float64 `json:"heat_hours"`      // beyond Limits.HighC
	ColdHours      float64 `json:"cold_hours"`      // beyond Limits.LowC
	OverCurrents   int     `json:"over_currents"`   // events
	DeepDischarges int     `json:"deep_discharges"` // events
	GuaranteedSoH  float64 `json:"guaranteed_soh"`  // %, promised until the limits are used up
}

// WarrantyUse is what a battery has used up.
type WarrantyUse struct {
	AgeDays      float64
	Cycles       float64
	ThroughputWh float64
	Events       map[Negative]Exposure
	SoHPct       *float64 // nil: not known
}

// WarrantyItem is one limit and how much of it is used.
type WarrantyItem struct {
	Name     string   `json:"name"`
	Used     float64  `json:"used"`
	Limit    float64  `json:"limit"`
	UsedPct  float64  `json:"used_pct"`
	State    string   `json:"state"`     // "within", "near" from 90 % on, "exceeded"
	LeftDays *float64 `json:"left_days"` // at the pace so far; null: not used at all
}

// Warranty is where a battery stands.
type Warranty struct {
	Basis
	Items []WarrantyItem `json:"items"`
	// Covered says that no limit is exceeded; Claim that the state of health is
	// below what is guaranteed while it is covered.
	Covered bool `json:"covered"`
	Claim   bool `json:"claim"`
}

// WatchWarranty compares what a battery has used with its terms.
func WatchWarranty(t WarrantyTerms, u WarrantyUse) Warranty {
	w := Warranty{Basis: basis("limits", WarrantyVersion), Items: []WarrantyItem{}, Covered: true}
	add := func(name string, used, limit float64) {
		if limit <= 0 {
			return
		}
		item := WarrantyItem{Name: name, Used: used, Limit: limit, UsedPct: 100 * used / limit, State: "within"}
		switch {
		case used > limit:
			item.State, w.Covered = "exceeded", false
		case used >= 0.9*limit:
			item.State = "near"
		}
		if used > 0 && u.AgeDays > 0 {
			left := max(0, (limit-used)/used*u.AgeDays)
			item.LeftDays = &left
		}
		w.Items = append(w.Items, item)
	}
	add("years", u.AgeDays/365.25, t.Years)
	add("cycles", u.Cycles, t.Cycles)
	add("throughput_wh", u.ThroughputWh, t.ThroughputWh)
	add("heat_hours", u.Events[ExtremeHeat].Seconds/3600, t.HeatHours)
	add("cold_hours", u.Events[ExtremeCold].Seconds/3600, t.ColdHours)
	add("over_currents", float64(u.Events[OverCurrentCharging].Count+u.Events[OverCurrentDraining].Count), float64(t.OverCurrents))
	add("deep_discharges", float64(u.Events[DeepDischarge].Count), float64(t.DeepDischarges))
	w.Count = len(w.Items)
	if len(w.Items) == 0 {
		w.Covered = false
		w.lacking("no terms of warranty are set")
		return w
	}
	w.ok()
	w.Claim = w.Covered && t.GuaranteedSoH > 0 && u.SoHPct != nil && *u.SoHPct < t.GuaranteedSoH
	return w
}

// Claims is the rate of claims in a fleet.
type Claims struct {
	Basis
	PerYear *float64 `json:"per_battery_year"`
	Low     *float64 `json:"low"`  // 5 %
	High    *float64 `json:"high"` // 95 %
}

// ClaimsRate is claims per year and battery with the exact 90 % interval of a
// Poisson rate, χ²(0.05; 2n)/2 … χ²(0.95; 2n+2)/2 over the time (Garwood 1936,
// Biometrika 28:437). Example: none in 100 battery years is 0 … 0.030.
func ClaimsRate(claims int, batteryYears float64) Claims {
	c := Claims{Basis: basis("poisson", WarrantyVersion)}
	c.Count = claims
	if batteryYears <= 0 || math.IsNaN(batteryYears) || claims < 0 {
		c.lacking("no battery was in service")
		return c
	}
	c.ok()
	n := float64(claims)
	rate, low, high := n/batteryYears, 0.0, mathext.GammaIncRegInv(n+1, 0.95)/batteryYears
	if claims > 0 {
		low = mathext.GammaIncRegInv(n, 0.05) / batteryYears
	}
	c.PerYear, c.Low, c.High = &rate, &low, &high
	return c
}
