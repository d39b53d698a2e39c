package api

import "github.com/fleetwatt/fleetwatt/fleet/battery"

// BatteryScore is a battery's health in one number, and why.
type BatteryScore struct {
	Basis
	Score      *float64    `json:"score" doc:"0…100, after the gates"`
	Uncapped   *float64    `json:"uncapped" doc:"0…100, before them"`
	Confidence *float64    `json:"confidence" doc:"0…1"`
	AgeDays    *float64    `json:"age_days" doc:"age of the newest capacity, in days"`
	Parts      []ScorePart `json:"parts" nullable:"false" doc:"the measures and their weights"`
	Gates      []ScoreGate `json:"gates" nullable:"false" doc:"findings that cap the score, the lowest first"`
}

// ScorePart is one measure that goes into a score.
type ScorePart struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit"`
	Value    *float64 `json:"value" doc:"null: not measured"`
	StdErr   *float64 `json:"standard_error"`
	Score    *float64 `json:"score" doc:"0…100; null: not measured"`
	Weight   float64  `json:"weight" doc:"its share of the parts that were measured, 0…1"`
	GoodFrom float64  `json:"good_from" doc:"the value that scores 100"`
	BadFrom  float64  `json:"bad_from" doc:"the value that scores 0"`
	AgeDays  *float64 `json:"age_days" doc:"age of its newest datum, in days"`
	Reason   string   `json:"reason,omitempty" doc:"why it is missing"`
}

// ScoreGate is a finding that caps a score, whatever the parts say.
type ScoreGate struct {
	Name string  `json:"name"`
	Cap  float64 `json:"cap"`
	Why  string  `json:"why"`
}

// CapacityFit is the capacity from many measurements of part of the range.
type CapacityFit struct {
	Basis
	CapacityAh     *float64 `json:"capacity_ah"`
	StdErrAh       *float64 `json:"standard_error_ah"`
	EffectiveCount float64  `json:"effective_count" doc:"how many equally new measurements it is worth"`
	Directions     string   `json:"directions" doc:"discharges, or all where those were too few"`
}

// EnergyHealth is what a battery can deliver when it is discharged from full.
type EnergyHealth struct {
	Basis
	EnergyWh *float64 `json:"energy_wh"`
	StdErrWh *float64 `json:"standard_error_wh"`
	RatedWh  *float64 `json:"rated_wh" doc:"null: rated_capacity_ah or rated_voltage_v is not set"`
	SoHPct   *float64 `json:"soh_pct" doc:"energy_wh / rated_wh · 100: the state of certified energy"`
}

// BatteryResistance is the resistance at 25 °C and half charge.
type BatteryResistance struct {
	Basis
	MOhm        *float64 `json:"mohm"`
	StdErrMOhm  *float64 `json:"standard_error_mohm"`
	ActivationK *float64 `json:"activation_k" doc:"how fast its logarithm falls with temperature: Ea/R in K"`
	IncreasePct *float64 `json:"increase_pct" doc:"since new; null: it was not seen new"`
}

// CellImbalance is how far the cells are apart.
type CellImbalance struct {
	Basis
	MedianMV        *float64 `json:"median_mv"`
	P95MV           *float64 `json:"p95_mv"`
	TrendMV         *float64 `json:"trend_mv_per_30_days" doc:"null below four weeks of data"`
	CapacityLostPct *float64 `json:"capacity_lost_pct" doc:"share of the capacity that the weakest cell keeps from use; null where the voltage says too little of the charge"`
	At              string   `json:"at,omitempty" doc:"rest, or any where the current was never known to rest"`
}

// SelfDischarge is what a battery loses at rest.
type SelfDischarge struct {
	Basis
	PctPerMonth *float64 `json:"pct_per_month" doc:"of the whole range, per 30 days"`
	StdErrPct   *float64 `json:"standard_error_pct"`
	DaysAtRest  float64  `json:"days_at_rest"`
}

// RoundTrip is the energy out per energy in over closed loops.
type RoundTrip struct {
	Basis
	RoundTripPct *float64 `json:"round_trip_pct" doc:"energy"`
	StdErrPct    *float64 `json:"standard_error_pct"`
	CoulombicPct *float64 `json:"coulombic_pct" doc:"charge"`
}

// WarrantyState is where a battery stands against its warranty.
type WarrantyState struct {
	Basis
	Covered *bool          `json:"covered" doc:"no limit is exceeded; null: no terms are set"`
	Claim   *bool          `json:"claim" doc:"the state of health is below what is guaranteed while it is covered"`
	Items   []WarrantyItem `json:"items" nullable:"false" doc:"each limit, and how much of it is used"`
}

// WarrantyItem is one limit of a warranty.
type WarrantyItem struct {
	Name     string   `json:"name"`
	Used     float64  `json:"used"`
	Limit    float64  `json:"limit"`
	UsedPct  float64  `json:"used_pct"`
	State    string   `json:"state" enum:"within,near,exceeded" doc:"near: from 90 % on"`
	LeftDays *float64 `json:"left_days" doc:"at the pace so far; null: not used at all"`
}

func viewScore(s battery.HealthScore) BatteryScore {
	view := BatteryScore{
		Basis: basisOf(s.Basis), Score: s.Score, Uncapped: s.Uncapped, AgeDays: s.AgeDays,
		Parts: []ScorePart{}, Gates: []ScoreGate{},
	}
	if s.OK() {
		view.Confidence = &s.Confidence
	}
	for _, p := range s.Parts {
		view.Parts = append(view.Parts, ScorePart{
			Name: p.Name, Unit: p.Unit, Value: p.Value, StdErr: p.StdErr, Score: p.Score, Weight: p.Weight,
			GoodFrom: p.Ramp.Good, BadFrom: p.Ramp.Bad, AgeDays: p.AgeDays, Reason: p.Reason,
		})
	}
	for _, g := range s.Gates {
		view.Gates = append(view.Gates, ScoreGate(g))
	}
	return view
}

func viewFit(f battery.CapacityFit) CapacityFit {
	return CapacityFit{basisOf(f.Basis), f.CapacityAh, f.StdErrAh, f.Effective, f.Directions}
}

func viewEnergy(e battery.EnergyHealth) EnergyHealth {
	return EnergyHealth{basisOf(e.Basis), e.EnergyWh, e.StdErrWh, e.RatedWh, e.SoHPct}
}

func viewResistance(r battery.Resistance) BatteryResistance {
	view := BatteryResistance{Basis: basisOf(r.Basis), MOhm: r.MOhm, StdErrMOhm: r.StdErr, IncreasePct: r.IncreasePct}
	if r.OK() {
		view.ActivationK = &r.TemperatureK
	}
	return view
}

func viewImbalance(i battery.Imbalance) CellImbalance {
	return CellImbalance{basisOf(i.Basis), i.MedianMV, i.P95MV, i.TrendMV, i.CapacityPct, i.At}
}

func viewSelfDischarge(s battery.SelfDischarge) SelfDischarge {
	return SelfDischarge{basisOf(s.Basis), s.PctPerMonth, s.StdErrPct, s.Days}
}

func viewEfficiency(e battery.Efficiency) RoundTrip {
	return RoundTrip{basisOf(e.Basis), e.RoundTripPct, e.StdErrPct, e.CoulombicPct}
}

func viewWarranty(w battery.Warranty) WarrantyState {
	view := WarrantyState{Basis: basisOf(w.Basis), Items: []WarrantyItem{}}
	if w.OK() {
		view.Covered, view.Claim = &w.Covered, &w.Claim
	}
	for _, i := range w.Items {
		view.Items = append(view.Items, WarrantyItem(i))
	}
	return view
}
