package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatterySheet is what people declare of a battery for its passport. What is
// absent is not declared.
type BatterySheet struct {
	Status                   string          `json:"status,omitempty" enum:"original,repurposed,re-used,remanufactured,waste" doc:"data point 67"`
	DeclaredAt               *Time           `json:"declared_at,omitempty" doc:"when the maker declared it; default: now"`
	RatedCapacityAh          *float64        `json:"rated_capacity_ah,omitempty" exclusiveMinimum:"0" doc:"default: that of the battery"`
	RatedEnergyKWh           *float64        `json:"rated_energy_kwh,omitempty" exclusiveMinimum:"0" doc:"default: from the battery's rated capacity and voltage"`
	RatedMaximumPowerKW      *float64        `json:"rated_maximum_power_kw,omitempty" exclusiveMinimum:"0"`
	PowerCapabilityRatio     *float64        `json:"power_capability_ratio,omitempty" exclusiveMinimum:"0" doc:"W of power for each Wh of energy"`
	OriginalPower            []SheetPower    `json:"original_power,omitempty" maxItems:"20" doc:"power capability when new"`
	ExpectedCycles           *float64        `json:"expected_cycles,omitempty" exclusiveMinimum:"0"`
	ExpectedYears            *float64        `json:"expected_years,omitempty" exclusiveMinimum:"0" maximum:"100"`
	ExhaustionPct            *float64        `json:"exhaustion_pct,omitempty" minimum:"0" maximum:"100" doc:"capacity threshold for exhaustion"`
	InitialSelfDischargePct  *float64        `json:"initial_self_discharge_pct,omitempty" exclusiveMinimum:"0" maximum:"100" doc:"per month"`
	InitialResistanceOhm     *float64        `json:"initial_resistance_ohm,omitempty" exclusiveMinimum:"0" doc:"of the whole battery"`
	RoundTripPct             *float64        `json:"round_trip_pct,omitempty" exclusiveMinimum:"0" maximum:"100" doc:"energy efficiency when new"`
	RoundTripHalfLifePct     *float64        `json:"round_trip_half_life_pct,omitempty" exclusiveMinimum:"0" maximum:"100" doc:"energy efficiency at half of the cycle life"`
	NominalVoltageV          *float64        `json:"nominal_voltage_v,omitempty" exclusiveMinimum:"0" doc:"default: the battery's rated voltage"`
	MinVoltageV              *float64        `json:"min_voltage_v,omitempty" exclusiveMinimum:"0" doc:"default: the battery's cut-off voltage"`
	MaxVoltageV              *float64        `json:"max_voltage_v,omitempty" exclusiveMinimum:"0"`
	RateC                    *float64        `json:"c_rate,omitempty" exclusiveMinimum:"0"`
	LifeTestRateC            *float64        `json:"life_test_c_rate,omitempty" exclusiveMinimum:"0" doc:"of the cycle-life test"`
	IdleMinC                 *float64        `json:"idle_min_c,omitempty" minimum:"-100" maximum:"200" doc:"°C, lowest when idle"`
	IdleMaxC                 *float64        `json:"idle_max_c,omitempty" minimum:"-100" maximum:"200" doc:"°C, highest when idle"`
	LifetimeReferenceTestURI string          `json:"lifetime_reference_test,omitempty" format:"uri" maxLength:"1024"`
	Incidents                []SheetIncident `json:"incidents,omitempty" maxItems:"200" doc:"negative events that no sensor tells of, such as accidents"`
	UpdatedAt                *Time           `json:"updated_at,omitempty" readOnly:"true"`
}

// SheetPower is the power a battery can give at a state of charge.
type SheetPower struct {
	SoCPct float64 `json:"soc_pct" minimum:"0" maximum:"100"`
	Watts  float64 `json:"power_w" exclusiveMinimum:"0"`
}

// SheetIncident is something that happened to a battery, as told by people.
type SheetIncident struct {
	At   Time   `json:"at"`
	Text string `json:"text" minLength:"1" maxLength:"500"`
}

type sheetInput struct {
	DevicePath
	Body BatterySheet
}

func (a *API) routeBatterySheet() {
	const path, tag = "/batteries/{id}/passport/sheet", "batteries"
	add(a, operation{
		right: access.Read, id: "get-battery-sheet", method: http.MethodGet, path: path, tag: tag,
		summary: "What is declared of it for its passport", errors: []int{http.StatusNotFound},
	}, a.sheet)
	add(a, operation{
		right: access.Enter, id: "put-battery-sheet", method: http.MethodPut, path: path, tag: tag,
		summary: "Declare the maker's data for its passport",
		notes:   "Replaces the whole sheet: what is left out is not declared.",
		errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType},
	}, a.putSheet)
	add(a, operation{
		right: access.Enter, id: "delete-battery-sheet", method: http.MethodDelete, path: path, tag: tag,
		summary: "Withdraw what is declared of it", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		if _, err := a.opts.Registry.GetBattery(ctx, in.ID); err != nil {
			return nil, err
		}
		return nil, a.opts.Batteries.DeleteSheet(ctx, in.ID)
	})
}

func (a *API) sheet(ctx context.Context, in *DevicePath) (*itemOutput[BatterySheet], error) {
	if _, err := a.opts.Registry.GetBattery(ctx, in.ID); err != nil {
		return nil, err
	}
	s, err := a.opts.Batteries.Sheet(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &itemOutput[BatterySheet]{Body: viewSheet(s)}, nil
}

func (a *API) putSheet(ctx context.Context, in *sheetInput) (*itemOutput[BatterySheet], error) {
	if _, err := a.opts.Registry.GetBattery(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	stored, err := a.opts.Batteries.PutSheet(ctx, in.ID, in.Body.sheet(a.opts.Now()))
	if err != nil {
		return nil, err
	}
	return &itemOutput[BatterySheet]{Body: viewSheet(stored)}, nil
}

// check finds pairs that contradict each other.
func (s *BatterySheet) check() error {
	for _, pair := range []struct {
		name      string
		low, high *float64
	}{
		{"body.max_voltage_v", s.MinVoltageV, s.MaxVoltageV}, {"body.max_voltage_v", s.NominalVoltageV, s.MaxVoltageV},
		{"body.nominal_voltage_v", s.MinVoltageV, s.NominalVoltageV}, {"body.idle_max_c", s.IdleMinC, s.IdleMaxC},
	} {
		if pair.low != nil && pair.high != nil && *pair.low > *pair.high {
			return badParameter(pair.name, "is below the value that it must not be below", *pair.high)
		}
	}
	return nil
}

func (s *BatterySheet) sheet(now time.Time) ledger.Sheet {
	at := timeOf(now)
	if s.DeclaredAt != nil {
		at = *s.DeclaredAt
	}
	out := ledger.Sheet{Declared: battery.PassportSheet{
		Status: s.Status, At: int64(at), RatedCapacityAh: s.RatedCapacityAh, RatedEnergyKWh: s.RatedEnergyKWh,
		RatedMaximumPowerKW: s.RatedMaximumPowerKW, PowerCapabilityRatioPct: s.PowerCapabilityRatio,
		ExpectedCycles: s.ExpectedCycles, ExpectedYears: s.ExpectedYears, ExhaustionPct: s.ExhaustionPct,
		InitialSelfDischargePct: s.InitialSelfDischargePct, InitialResistanceOhm: s.InitialResistanceOhm,
		RoundTripPct: s.RoundTripPct, RoundTripHalfLifePct: s.RoundTripHalfLifePct,
		NominalV: s.NominalVoltageV, MinV: s.MinVoltageV, MaxV: s.MaxVoltageV, RateC: s.RateC, LifeTestRateC: s.LifeTestRateC,
		IdleMinC: s.IdleMinC, IdleMaxC: s.IdleMaxC, LifetimeReferenceTestURI: s.LifetimeReferenceTestURI,
	}}
	for _, p := range s.OriginalPower {
		out.Declared.OriginalPower = append(out.Declared.OriginalPower, battery.PowerAt(p))
	}
	for _, i := range s.Incidents {
		out.Incidents = append(out.Incidents, battery.Incident{At: int64(i.At), Text: i.Text})
	}
	return out
}

func viewSheet(stored ledger.Sheet) BatterySheet {
	d := stored.Declared
	view := BatterySheet{
		Status: d.Status, DeclaredAt: since1970(d.At), RatedCapacityAh: d.RatedCapacityAh, RatedEnergyKWh: d.RatedEnergyKWh,
		RatedMaximumPowerKW: d.RatedMaximumPowerKW, PowerCapabilityRatio: d.PowerCapabilityRatioPct,
		ExpectedCycles: d.ExpectedCycles, ExpectedYears: d.ExpectedYears, ExhaustionPct: d.ExhaustionPct,
		InitialSelfDischargePct: d.InitialSelfDischargePct, InitialResistanceOhm: d.InitialResistanceOhm,
		RoundTripPct: d.RoundTripPct, RoundTripHalfLifePct: d.RoundTripHalfLifePct,
		NominalVoltageV: d.NominalV, MinVoltageV: d.MinV, MaxVoltageV: d.MaxV, RateC: d.RateC, LifeTestRateC: d.LifeTestRateC,
		IdleMinC: d.IdleMinC, IdleMaxC: d.IdleMaxC, LifetimeReferenceTestURI: d.LifetimeReferenceTestURI,
		UpdatedAt: timePtr(&stored.UpdatedAt),
	}
	for _, p := range d.OriginalPower {
		view.OriginalPower = append(view.OriginalPower, SheetPower(p))
	}
	for _, i := range stored.Incidents {
		view.Incidents = append(view.Incidents, SheetIncident{At: Time(i.At), Text: i.Text})
	}
	return view
}
