package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// BatteryHealth is how a battery is and what that rests on. It depends on the
// telemetry and the ratings alone: not on when it was computed, nor on the
// order in which readings arrived.
type BatteryHealth struct {
	Battery         string    `json:"battery" doc:"id"`
	Status          string    `json:"status" enum:"ok,insufficient_data"`
	Reason          string    `json:"reason,omitempty" doc:"why something is missing, and what to do"`
	Method          string    `json:"method,omitempty" doc:"how capacity_ah was measured"`
	Version         string    `json:"version" doc:"of the rules; equal versions give equal results"`
	CapacityAh      *float64  `json:"capacity_ah"`
	StdErrAh        *float64  `json:"standard_error_ah"`
	RatedCapacityAh *float64  `json:"rated_capacity_ah"`
	CutoffVoltageV  *float64  `json:"cutoff_voltage_v"`
	SoHPct          *float64  `json:"soh_pct" doc:"capacity_ah / rated_capacity_ah · 100"`
	MeasuredAt      *Time     `json:"measured_at" nullable:"true" doc:"end of the newest measurement used"`
	Measurements    int       `json:"measurements" doc:"how many capacity_ah rests on"`
	Cycles          []Cycle   `json:"cycles" nullable:"false" doc:"discharges in time order: full ones, or, where cutoff_voltage_v is not set, each to where its current stopped"`
	Partials        []Partial `json:"partials" nullable:"false" doc:"measurements over a part of the range, in time order"`
}

// Cycle is one discharge, counted.
type Cycle struct {
	Cycle int `json:"cycle" doc:"from 1"`
	Partial
}

// Partial is one measurement of the capacity.
type Partial struct {
	From          Time     `json:"from"`
	To            Time     `json:"to"`
	Method        string   `json:"method" enum:"full_discharge,discharge_to_rest,soc_window" doc:"discharge_to_rest is a lower bound"`
	CapacityAh    float64  `json:"capacity_ah"`
	StdErrAh      float64  `json:"standard_error_ah"`
	SoHPct        *float64 `json:"soh_pct" doc:"null: rated_capacity_ah is not known, or capacity_ah is a lower bound"`
	ChargeAh      float64  `json:"charge_ah" doc:"charge that moved"`
	EnergyWh      float64  `json:"energy_wh" doc:"energy that moved"`
	SoCFromPct    *float64 `json:"soc_from_pct,omitempty"`
	SoCToPct      *float64 `json:"soc_to_pct,omitempty"`
	MeanCurrentA  float64  `json:"mean_current_a"`
	TemperatureC  *float64 `json:"temperature_c,omitempty" doc:"mean over time"`
	Samples       int      `json:"samples"`
	MaxGapSeconds float64  `json:"max_gap_s"`
}

func (a *API) routeHealth() {
	add(a, operation{
		right: access.Read, id: "get-battery-health", method: http.MethodGet, path: "/batteries/{id}/health", tag: "batteries",
		summary: "Capacity, state of health and every measurement of them", errors: []int{http.StatusNotFound},
	}, a.batteryHealth)
}

func (a *API) batteryHealth(ctx context.Context, in *DevicePath) (*itemOutput[BatteryHealth], error) {
	b, err := a.opts.Registry.GetBattery(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	measured, err := a.opts.Results.Capacities(ctx, devices.Ref{Kind: devices.KindBattery, ID: in.ID})
	if err != nil {
		return nil, fmt.Errorf("read capacities: %w", err)
	}
	return &itemOutput[BatteryHealth]{Body: viewHealth(b, measured)}, nil
}

func viewHealth(b devices.Battery, measured []battery.Capacity) BatteryHealth {
	h := battery.Assess(measured, b.RatedCapacityAh)
	view := BatteryHealth{
		Battery: b.ID, Status: string(h.Status), Reason: h.Reason, Method: string(h.Method), Version: h.Version,
		CapacityAh: figuresOf(h.CapacityAh), StdErrAh: figuresOf(h.StdErrAh), RatedCapacityAh: h.RatedCapacityAh, SoHPct: figuresOf(h.SoHPct),
		MeasuredAt: (*Time)(h.MeasuredAt), Measurements: h.Measurements,
		Cycles: []Cycle{}, Partials: []Partial{},
	}
	if b.CutoffVoltageV > 0 {
		view.CutoffVoltageV = &b.CutoffVoltageV
	}
	for _, c := range measured {
		p := viewCapacity(c, b.RatedCapacityAh)
		if c.Method == battery.SoCWindow {
			view.Partials = append(view.Partials, p)
		} else {
			view.Cycles = append(view.Cycles, Cycle{Cycle: len(view.Cycles) + 1, Partial: p})
		}
	}
	return view
}

func viewCapacity(c battery.Capacity, ratedAh float64) Partial {
	p := Partial{
		From: Time(c.From), To: Time(c.To), Method: string(c.Method),
		CapacityAh: figures(c.CapacityAh), StdErrAh: figures(c.StdErrAh), ChargeAh: figures(c.ChargeAh), EnergyWh: figures(c.EnergyWh),
		SoCFromPct: figuresOf(c.SoCFrom), SoCToPct: figuresOf(c.SoCTo), MeanCurrentA: figures(c.MeanCurrentA), TemperatureC: figuresOf(c.TemperatureC),
		Samples: c.Samples, MaxGapSeconds: figures(c.MaxGapSeconds),
	}
	if ratedAh > 0 && c.Method != battery.DischargeToRest {
		soh := figures(c.CapacityAh / ratedAh * 100)
		p.SoHPct = &soh
	}
	return p
}

// figures is v to the seven digits that measurements are kept to: what more they
// show comes from how they are kept.
func figures(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 7, 64), 64)
	if err != nil { // impossible: it was a number
		return v
	}
	return r
}

func figuresOf(v *float64) *float64 {
	if v == nil {
		return nil
	}
	r := figures(*v)
	return &r
}
