package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatteryPassport is the dynamic data of a battery passport under Regulation
// (EU) 2023/1542, Annexes VII and XIII.
type BatteryPassport struct {
	Battery  string           `json:"battery" doc:"id"`
	AsOf     *Time            `json:"as_of" nullable:"true" doc:"end of the newest day with data that counts"`
	Version  string           `json:"version" doc:"of the rules and of the data model"`
	Complete bool             `json:"complete" doc:"nothing that the schema requires is missing"`
	Document PassportDocument `json:"document" doc:"the performance data of the BatteryPass model 1.2.1; it passes the model's schema where complete. A required value that neither the data nor the sheet carries is left out, not made up"`
	Missing  []PassportGap    `json:"missing" nullable:"false" doc:"what the schema requires and is not available, with the reason"`
	Declared []PassportAsNew  `json:"declared" nullable:"false" doc:"values of the document that are the maker's of the new battery, as they were not measured, with the reason; their last update is that of the declaration"`
	Points   []PassportPoint  `json:"points" nullable:"false" doc:"the Commission's dynamic data points 51–71"`
}

// PassportDocument is the JSON of the BatteryPass performance model 1.2.1, whose
// spelling it keeps.
type PassportDocument struct {
	Technical map[string]any `json:"batteryTechicalProperties"`
	Condition map[string]any `json:"batteryCondition"`
}

// PassportGap is a required value that is not available.
type PassportGap struct {
	Path   string `json:"path"`
	Status string `json:"status" enum:"not available"`
	Reason string `json:"reason"`
}

// PassportAsNew is a value of the document that was not measured, and is what the
// maker declares of the new battery.
type PassportAsNew struct {
	Path   string `json:"path"`
	Status string `json:"status" enum:"declared"`
	Reason string `json:"reason" doc:"why it was not measured"`
}

// PassportPoint is one of the Commission's data points.
type PassportPoint struct {
	Nr         int     `json:"nr"`
	Name       string  `json:"name"`
	Status     string  `json:"status" enum:"available,not available"`
	Value      any     `json:"value" doc:"null: not available"`
	Unit       string  `json:"unit,omitempty"`
	LastUpdate *string `json:"last_update" format:"date-time" doc:"null: not available"`
	Reason     string  `json:"reason,omitempty" doc:"why it is not available"`
}

func (a *API) routePassport() {
	add(a, operation{
		right: access.Read, id: "get-battery-passport", method: http.MethodGet, path: "/batteries/{id}/passport", tag: "batteries",
		summary: "The dynamic data of its battery passport",
		notes: "Regulation (EU) 2023/1542, Annex VII, and the Commission's data points 51–71, in the BatteryPass performance schema 1.2.1. " +
			"What the maker declares is entered by PUT passport/sheet; ratings default to those of the battery.",
		errors: []int{http.StatusNotFound},
	}, a.passport)
}

func (a *API) passport(ctx context.Context, in *asOfInput) (*itemOutput[BatteryPassport], error) {
	b, err := a.opts.Registry.GetBattery(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := a.assessment(ctx, in.ID, in.AsOf)
	if err != nil {
		return nil, err
	}
	sheet, err := a.opts.Batteries.Sheet(ctx, in.ID)
	if err != nil && !errors.Is(err, ledger.ErrNoSheet) {
		return nil, err
	}
	instant, asked, err := in.at()
	if err != nil {
		return nil, err
	}
	facts := found.Passport
	for _, i := range sheet.Incidents {
		if !asked || i.At < instant.UnixMilli() {
			facts.Incidents = append(facts.Incidents, i)
		}
	}
	p := battery.NewPassport(declared(sheet, b), facts)
	view := BatteryPassport{
		Battery: in.ID, AsOf: since1970(found.AsOf), Version: p.Version, Complete: p.Complete,
		Document: PassportDocument(p.Document), Missing: []PassportGap{}, Declared: []PassportAsNew{}, Points: []PassportPoint{},
	}
	for _, g := range p.Missing {
		view.Missing = append(view.Missing, PassportGap{Path: g.Path, Status: notAvailable, Reason: g.Reason})
	}
	for _, g := range p.Declared {
		view.Declared = append(view.Declared, PassportAsNew{Path: g.Path, Status: "declared", Reason: g.Reason})
	}
	for _, x := range p.Points {
		point := PassportPoint{Nr: x.Nr, Name: x.Name, Status: "available", Value: x.Value, Unit: x.Unit, LastUpdate: x.LastUpdate, Reason: x.Reason}
		if x.Value == nil {
			point.Status = notAvailable
		}
		view.Points = append(view.Points, point)
	}
	return &itemOutput[BatteryPassport]{Body: view}, nil
}

const notAvailable = "not available"

// declared is the sheet with the battery's ratings where it leaves them out.
func declared(sheet ledger.Sheet, b devices.Battery) battery.PassportSheet {
	s := sheet.Declared
	if s.At == 0 {
		s.At = b.UpdatedAt.UnixMilli()
	}
	for _, p := range []struct {
		to    **float64
		rated float64
	}{
		{&s.RatedCapacityAh, b.RatedCapacityAh}, {&s.RatedEnergyKWh, b.RatedCapacityAh * b.RatedVoltageV / 1000},
		{&s.NominalV, b.RatedVoltageV}, {&s.MinV, b.CutoffVoltageV},
	} {
		if *p.to == nil && p.rated > 0 {
			*p.to = &p.rated
		}
	}
	return s
}
