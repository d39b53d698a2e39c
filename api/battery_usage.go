package api

import (
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Throughput is what a battery went through in a stretch of time. What the data
// does not carry is null.
type Throughput struct {
	Basis
	ChargeThroughputAh   *float64 `json:"charge_throughput_ah" doc:"in and out"`
	EnergyThroughputWh   *float64 `json:"energy_throughput_wh" doc:"in and out"`
	EnergyInWh           *float64 `json:"energy_in_wh,omitempty"`
	EnergyOutWh          *float64 `json:"energy_out_wh,omitempty"`
	EquivalentFullCycles *float64 `json:"equivalent_full_cycles" doc:"charge in and out over twice the rated capacity; null: rated_capacity_ah is not set"`
	Cycles               *float64 `json:"cycles" doc:"rainflow cycles (ASTM E1049-85) of a depth of 10 % or more, halves as 0.5"`
	MeanDepthPct         *float64 `json:"mean_depth_pct" doc:"of cycles, weighted by depth"`
	EnergyPerCycleWh     *float64 `json:"energy_per_cycle_wh" doc:"delivered per equivalent full cycle"`
	MeanTemperatureC     *float64 `json:"mean_temperature_c"`
	MeanSoCPct           *float64 `json:"mean_soc_pct"`
	MeanChargeRateC      *float64 `json:"mean_charge_rate_c"`
	MeanDischargeRateC   *float64 `json:"mean_discharge_rate_c"`
	ChargingShare        *float64 `json:"charging_share" doc:"of the time covered, 0…1"`
	DischargingShare     *float64 `json:"discharging_share" doc:"of the time covered, 0…1"`
	RestingShare         *float64 `json:"resting_share" doc:"of the time covered, 0…1"`
}

// Bin is one bar of a histogram, [from, to); null: open.
type Bin struct {
	From  *float64 `json:"from"`
	To    *float64 `json:"to"`
	Value float64  `json:"value"`
}

// Histograms are how long a battery was under what.
type Histograms struct {
	DepthOfDischarge []Bin `json:"depth_of_discharge_pct" nullable:"false" doc:"rainflow cycles by their depth in %"`
	ChargeRate       []Bin `json:"charge_rate_c" nullable:"false" doc:"seconds by C-rate; all 0 where rated_capacity_ah is not set"`
	DischargeRate    []Bin `json:"discharge_rate_c" nullable:"false" doc:"seconds by C-rate; all 0 where rated_capacity_ah is not set"`
	Temperature      []Bin `json:"temperature_c" nullable:"false" doc:"seconds by temperature in °C"`
	SoC              []Bin `json:"soc_pct" nullable:"false" doc:"seconds by state of charge in %"`
}

// NegativeEvent is one kind of event that a battery passport has to report.
type NegativeEvent struct {
	Kind    string  `json:"kind"`
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	FirstAt Time    `json:"first_at"`
	LastAt  Time    `json:"last_at"`
	Worst   float64 `json:"worst" doc:"the value farthest beyond the limit, in the limit's unit"`
}

// BatteryUtilization is how a battery spent a stretch of time.
type BatteryUtilization struct {
	Basis
	EarningShare *float64            `json:"earning_share" doc:"utilization: share of the time with a known state in which it earned, 0…1"`
	IdleShare    *float64            `json:"idle_share" doc:"share in which it neither earned nor was unavailable"`
	Availability *float64            `json:"availability" doc:"share in which it was in none of the states that count as unavailable"`
	UnknownS     float64             `json:"unknown_s" doc:"seconds of the window without a known state"`
	States       []BatteryStateShare `json:"states" nullable:"false" doc:"by state"`
}

// BatteryStateShare is the time in one state.
type BatteryStateShare struct {
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share" doc:"of the time with a known state, 0…1"`
}

// viewThroughput shows a report; u is the usage that it is of, nil where that is
// not at hand.
func viewThroughput(t battery.Throughput, u *battery.Usage) Throughput {
	view := Throughput{
		Basis: basisOf(t.Basis), EquivalentFullCycles: t.EquivalentFullCycles, MeanDepthPct: t.MeanDepthPct,
		EnergyPerCycleWh: t.EnergyPerCycleWh, MeanTemperatureC: t.MeanTemperatureC, MeanSoCPct: t.MeanSoCPct,
		MeanChargeRateC: t.MeanChargeRateC, MeanDischargeRateC: t.MeanDischargeRateC,
	}
	if t.OK() {
		view.ChargeThroughputAh, view.EnergyThroughputWh, view.Cycles = &t.ChargeAh, &t.EnergyWh, &t.Cycles
		if u != nil {
			view.EnergyInWh, view.EnergyOutWh = &u.InWh, &u.OutWh
		}
		view.ChargingShare, view.DischargingShare, view.RestingShare = &t.ChargingShare, &t.DischargingShare, &t.RestingShare
	}
	return view
}

func viewHistograms(t battery.Throughput, u battery.Usage) Histograms {
	return Histograms{
		DepthOfDischarge: bins(t.Depths[:], 0, 10, false, false),
		ChargeRate:       bins(u.ChargeRateS[:], 0, 0.25, false, true),
		DischargeRate:    bins(u.DischargeRateS[:], 0, 0.25, false, true),
		Temperature:      bins(u.TemperatureS[:], -20, 5, true, true),
		SoC:              bins(u.SoCS[:], 0, 10, false, false),
	}
}

// bins are the bars of a histogram whose first starts at floor; openBelow and
// openAbove say that its ends have no bound.
func bins(values []float64, floor, step float64, openBelow, openAbove bool) []Bin {
	out := make([]Bin, len(values))
	for k, v := range values {
		from, to := floor+float64(k)*step, floor+float64(k+1)*step
		out[k] = Bin{&from, &to, v}
	}
	if openBelow {
		out[0].From = nil
	}
	if openAbove {
		out[len(out)-1].To = nil
	}
	return out
}

// viewNegative lists the kinds that occurred.
func viewNegative(events map[battery.Negative]battery.Exposure) []NegativeEvent {
	out := []NegativeEvent{}
	for _, k := range battery.Negatives() {
		if e, ok := events[k]; ok && (e.Count > 0 || e.Seconds > 0) {
			out = append(out, NegativeEvent{string(k), e.Count, e.Seconds, Time(e.FirstAt), Time(e.LastAt), e.Worst})
		}
	}
	return out
}

func viewUtilization(u station.Utilization) BatteryUtilization {
	view := BatteryUtilization{
		Basis: stationBasisOf(u.Basis), EarningShare: u.Earning, IdleShare: u.Idle, Availability: u.Availability,
		UnknownS: u.UnknownS, States: []BatteryStateShare{},
	}
	for _, s := range u.States {
		view.States = append(view.States, BatteryStateShare{s.State, s.Seconds, s.Share})
	}
	return view
}
