package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

type batterySeriesInput struct {
	DevicePath
	Query
	Span
}

// days are the whole days that the span touches, and what it is in time.
func (s Span) days() (from, to int64, err error) {
	in, err := s.interval()
	if err != nil {
		return 0, 0, err
	}
	w, err := in.open()
	if err != nil {
		return 0, 0, err
	}
	return telemetry.DayOf(w.From), telemetry.DayOf(w.To-1) + 1, nil
}

// HealthRecord is a battery's health at the end of a week, as it was told then.
type HealthRecord struct {
	AsOf                 Time      `json:"as_of" doc:"end of the day up to which data counts"`
	HealthScore          *float64  `json:"health_score"`
	CapacityAh           *float64  `json:"capacity_ah"`
	SoHPct               *float64  `json:"soh_pct"`
	SoHErrPct            *float64  `json:"soh_standard_error_pct"`
	EnergySoHPct         *float64  `json:"energy_soh_pct"`
	ResistanceMOhm       *float64  `json:"resistance_mohm"`
	ImbalanceMV          *float64  `json:"imbalance_mv"`
	RoundTripPct         *float64  `json:"round_trip_pct"`
	EquivalentFullCycles *float64  `json:"equivalent_full_cycles"`
	Utilization          *float64  `json:"utilization" doc:"share of the time with a known state in which it earned, over 30 days"`
	RemainingDays        Quantiles `json:"remaining_days"`
	ReplaceAt            Dates     `json:"replace_at"`
	BehindKnee           bool      `json:"behind_knee"`
}

// BatteryDay is what one UTC day tells of a battery. What the data does not
// carry is null.
type BatteryDay struct {
	Date                 string             `json:"date" doc:"UTC"`
	Readings             int                `json:"readings"`
	Coverage             *float64           `json:"coverage" doc:"share of the day between readings near enough to integrate, 0…1"`
	EnergyInWh           *float64           `json:"energy_in_wh"`
	EnergyOutWh          *float64           `json:"energy_out_wh"`
	ChargeInAh           *float64           `json:"charge_in_ah"`
	ChargeOutAh          *float64           `json:"charge_out_ah"`
	EquivalentFullCycles *float64           `json:"equivalent_full_cycles"`
	ChargingS            *float64           `json:"charging_s"`
	DischargingS         *float64           `json:"discharging_s"`
	RestingS             *float64           `json:"resting_s"`
	MeanTemperatureC     *float64           `json:"mean_temperature_c"`
	MeanSoCPct           *float64           `json:"mean_soc_pct"`
	SwapsOut             *int               `json:"swaps_out" doc:"times it was handed out; null: no swap event up to to names the battery"`
	SwapsIn              *int               `json:"swaps_in" doc:"times it was taken back; null: as swaps_out"`
	NegativeEvents       int                `json:"negative_events" doc:"that began on the day"`
	States               []BatteryStateTime `json:"states" nullable:"false" doc:"time by state"`
}

// BatteryStateTime is the time in one state.
type BatteryStateTime struct {
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
}

func (a *API) routeBatterySeries() {
	const path, tag = "/batteries/{id}", "batteries"
	addTable(a, operation{
		right: access.Read, id: "list-battery-assessments", path: path + "/assessments", tag: tag,
		summary: "Health from week to week", notes: "Those whose as_of lies in [from, to), as told then from the data that is there by now.",
		errors: []int{http.StatusNotFound},
	}, tableSpec{
		name: "assessments", filters: []string{"health", "soh", "as_of"}, sort: []string{"as_of"},
		aliases: map[string]string{"health": "health_score", "soh": "soh_pct"},
	}, a.healthRecords)
	addTable(a, operation{
		right: access.Read, id: "list-battery-days", path: path + "/days", tag: tag,
		summary: "What each day tells: energy, cycles, time by state, swaps, events", notes: "UTC days in [from, to); those without data are absent.",
		errors: []int{http.StatusNotFound},
	}, tableSpec{name: "days", filters: []string{"coverage", "energy_out_wh", "negative_events"}, sort: []string{"date"}}, a.batteryDays)
	addTable(a, operation{
		right: access.Read, id: "list-battery-cycles", path: path + "/cycles", tag: tag,
		summary: "Every measurement of the capacity, by time", notes: "Those that start in [from, to).",
		errors: []int{http.StatusNotFound},
	}, tableSpec{name: "cycles", filters: []string{"method", "capacity_ah", "soh_pct"}, sort: []string{"from"}}, a.batteryCycles)
}

func (a *API) healthRecords(ctx context.Context, in *batterySeriesInput) ([]HealthRecord, error) {
	from, to, err := in.days()
	if err != nil {
		return nil, err
	}
	if err := a.exists(ctx, devices.Ref{Kind: devices.KindBattery, ID: in.ID}); err != nil {
		return nil, err
	}
	// A record is as of the end of its day.
	records, err := a.opts.Batteries.BatteryHistory(ctx, in.ID, from-1, to-1)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	views := make([]HealthRecord, len(records))
	for k, r := range records {
		views[k] = viewRecord(r)
	}
	return views, nil
}

func viewRecord(r dossier.Record) HealthRecord {
	return HealthRecord{
		AsOf: Time((r.Day + 1) * telemetry.Day), HealthScore: r.HealthScore, CapacityAh: r.CapacityAh, SoHPct: r.SoHPct, SoHErrPct: r.SoHErrPct,
		EnergySoHPct: r.EnergySoHPct, ResistanceMOhm: r.ResistanceMOhm, ImbalanceMV: r.ImbalanceMV, RoundTripPct: r.RoundTripPct,
		EquivalentFullCycles: r.EquivalentFullCycles, Utilization: r.Utilization, RemainingDays: Quantiles(r.RULDays),
		ReplaceAt: datesOf(r.ReplaceAt), BehindKnee: r.BehindKnee,
	}
}

// daysOf returns a battery and what is stored of its days in [from, to), without
// those that can't be read.
func (a *API) daysOf(ctx context.Context, id string, from, to int64) (devices.Battery, []dossier.Day, error) {
	b, err := a.opts.Registry.GetBattery(ctx, id)
	if err != nil {
		return b, nil, err
	}
	days, err := a.opts.Batteries.BatteryDays(ctx, id, from, to)
	if err != nil {
		return b, nil, fmt.Errorf("read days: %w", err)
	}
	return b, slices.DeleteFunc(days, func(d dossier.Day) bool { return d.Unread }), nil
}

func (a *API) batteryDays(ctx context.Context, in *batterySeriesInput) ([]BatteryDay, error) {
	from, to, err := in.days()
	if err != nil {
		return nil, err
	}
	b, days, err := a.daysOf(ctx, in.ID, from, to)
	if err != nil {
		return nil, err
	}
	swaps, err := a.opts.Batteries.BatterySwaps(ctx, in.ID, from, to)
	if err != nil {
		return nil, fmt.Errorf("read swaps: %w", err)
	}
	known := len(swaps) > 0
	if !known {
		if known, err = a.opts.Batteries.Swapped(ctx, in.ID, math.MinInt64, from); err != nil {
			return nil, fmt.Errorf("read swaps: %w", err)
		}
	}
	byDay := make(map[int64]dossier.Swaps, len(swaps))
	for _, s := range swaps {
		byDay[s.Day] = s
	}
	views := make([]BatteryDay, len(days))
	for k := range days {
		views[k] = viewDay(&days[k], dossier.SheetOf(b).Ratings)
		if known {
			s := byDay[days[k].Day]
			views[k].SwapsOut, views[k].SwapsIn = &s.Out, &s.In
		}
	}
	return views, nil
}

func viewDay(d *dossier.Day, ratings battery.Ratings) BatteryDay {
	start := d.Day * telemetry.Day
	view := BatteryDay{Date: Time(start).date(), Readings: d.Readings, States: []BatteryStateTime{}}
	u := &d.Usage
	if t := u.Report(start, start+telemetry.Day, ratings); t.OK() {
		number := func(v float64) *float64 { return figuresOf(&v) }
		view.Coverage = t.Coverage
		view.EnergyInWh, view.EnergyOutWh, view.ChargeInAh, view.ChargeOutAh = number(u.InWh), number(u.OutWh), number(u.InAh), number(u.OutAh)
		view.ChargingS, view.DischargingS, view.RestingS = number(u.ChargingS), number(u.DischargingS), number(u.RestingS)
		view.EquivalentFullCycles = figuresOf(t.EquivalentFullCycles)
		view.MeanTemperatureC, view.MeanSoCPct = figuresOf(t.MeanTemperatureC), figuresOf(t.MeanSoCPct)
	}
	for _, e := range u.Events {
		view.NegativeEvents += e.Count
	}
	for _, s := range d.States {
		view.States = append(view.States, BatteryStateTime(s))
	}
	return view
}

func (a *API) batteryCycles(ctx context.Context, in *batterySeriesInput) ([]Partial, error) {
	span, err := in.interval()
	if err != nil {
		return nil, err
	}
	w, err := span.open()
	if err != nil {
		return nil, err
	}
	b, err := a.opts.Registry.GetBattery(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	measured, err := a.opts.Results.Capacities(ctx, devices.Ref{Kind: devices.KindBattery, ID: in.ID})
	if err != nil {
		return nil, fmt.Errorf("read capacities: %w", err)
	}
	views := []Partial{}
	for _, c := range measured {
		if w.Contains(c.From) {
			views = append(views, viewCapacity(c, b.RatedCapacityAh))
		}
	}
	return views, nil
}
