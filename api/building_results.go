package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// routeBuildingResults serves what was worked out of buildings, and takes in what
// their owners enter.
func (a *API) routeBuildingResults() {
	if a.opts.Buildings == nil {
		return
	}
	a.routeInterventions()
	a.routeAdjustments()
	a.routeBuildingSettings()
	a.routeTariffs()
	a.routeGrids()
	a.routeWeather()
	a.routeBuildingSavings()
	a.routeBuildingParts()
	a.routeBuildingReport()
	a.routeBuildingFleet()
}

const buildingsTag = "buildings"

// BuildingPath names a building.
type BuildingPath struct {
	ID string `path:"id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._:-]+$" doc:"id of the building"`
}

// BuildingEntryPath names an entry of a building.
type BuildingEntryPath struct {
	BuildingPath
	Entry string `path:"entry" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._:-]+$" doc:"id of the entry"`
}

func (a *API) buildingExists(ctx context.Context, id string) error {
	return a.exists(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id})
}

// noEntry makes a 404 of an entry that is not there.
func noEntry(err error) error {
	if errors.Is(err, ledger.ErrNoEntry) {
		return huma.Error404NotFound(err.Error())
	}
	return err
}

// wrong is a 422 that names what is wrong with an entry; nil where nothing is.
func wrong(problems []building.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	out := make([]registry.Problem, len(problems))
	for i, p := range problems {
		out[i] = registry.Problem(p)
	}
	return unprocessable(out)
}

// BuildingBasis says what a result of a building rests on, with everything that
// speaks against it.
type BuildingBasis struct {
	Basis
	Reasons []BuildingReason `json:"reasons" nullable:"false" doc:"what speaks against the result; a critical one keeps it from being told"`
}

// BuildingReason is one thing that speaks against a result.
type BuildingReason struct {
	Code     string             `json:"code" doc:"stable, snake_case"`
	Critical bool               `json:"critical"`
	Text     string             `json:"text"`
	Values   map[string]float64 `json:"values,omitempty"`
	Advice   string             `json:"advice,omitempty" doc:"what to do about it"`
}

// Detail is part of a result as it was worked out, down to coefficients and
// statistics. Its shape goes with the version beside it.
type Detail struct{ value any }

// MarshalJSON is the part itself.
func (d Detail) MarshalJSON() ([]byte, error) { return marshal(d.value) }

// Schema says that it may be anything, null included.
func (Detail) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "as it was worked out, or null; its shape goes with the version"}
}

// BuildingAnswer is one part of what is known of a building.
type BuildingAnswer struct {
	Building string `json:"building"`
	AsOf     *Time  `json:"as_of" nullable:"true" doc:"end of the newest whole local day that it takes in; null before the first result"`
	BuildingBasis
	Result Detail `json:"result"`
}

// part is one route of a part of the result.
type part struct {
	name, summary, notes string
	of                   ledger.BuildingPart
	view                 func(*building.Result) (building.Basis, any)
}

func (a *API) routeBuildingParts() {
	for _, p := range []part{
		{"model", "The present model of each meter, with its fit and its rivals", "", ledger.PartModels, viewModels},
		{"demand", "Peaks, base load, load duration, and how far measures lowered the peak", "", ledger.PartDemand,
			func(r *building.Result) (building.Basis, any) { return r.Demand.Basis, r.Demand }},
		{"carbon", "Emissions: location-based by the hour, and market-based kept apart", "", ledger.PartCarbon,
			func(r *building.Result) (building.Basis, any) { return r.Carbon.Basis, r.Carbon }},
		{"cost", "Bills by the tariffs that were entered", "Amounts are integers of minor units.", ledger.PartCost,
			func(r *building.Result) (building.Basis, any) { return r.Cost.Basis, r.Cost }},
		{"anomalies", "Days outside of the model's band, and shifts that stay, with what they have cost", "", ledger.PartAnomaly, viewAnomalies},
		{"forecast", "The load of the next day by the hour, and how good such forecasts were", "", ledger.PartForecast,
			func(r *building.Result) (building.Basis, any) { return r.Forecast.Basis, r.Forecast }},
		{"targets", "The seven goals of a building: value, interval, trend", "", ledger.PartTargets, viewTargets},
		{"usage", "The use of the last year, beside the one before, and how green it was", "", ledger.PartUsage,
			func(r *building.Result) (building.Basis, any) { return r.Usage.Basis, r.Usage }},
	} {
		add(a, operation{
			id: "get-building-" + p.name, method: http.MethodGet, path: "/buildings/{id}/" + p.name, tag: buildingsTag,
			summary: p.summary, notes: p.notes, right: access.Read, errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *BuildingPath) (*itemOutput[BuildingAnswer], error) {
			return a.buildingPart(ctx, in.ID, p)
		})
	}
}

func (a *API) buildingPart(ctx context.Context, id string, p part) (*itemOutput[BuildingAnswer], error) {
	if err := a.buildingExists(ctx, id); err != nil {
		return nil, err
	}
	r, found, err := a.opts.Buildings.BuildingResult(ctx, id, p.of)
	if err != nil {
		return nil, err
	}
	out := &itemOutput[BuildingAnswer]{Body: BuildingAnswer{Building: id}}
	if !found {
		out.Body.BuildingBasis = notYet()
		return out, nil
	}
	at := timeOf(r.AsOf)
	basis, result := p.view(r)
	out.Body.AsOf, out.Body.BuildingBasis, out.Body.Result = &at, buildingBasisOf(basis), Detail{result}
	return out, nil
}

// notYet is the basis of a building that the job has not come to.
func notYet() BuildingBasis {
	return BuildingBasis{Basis: lacking(building.Version, ErrNoReport.Error()), Reasons: []BuildingReason{}}
}

func viewModels(r *building.Result) (building.Basis, any) {
	b := building.Basis{Version: building.Version}
	for i := range r.Models {
		b = oneOf(b, r.Models[i].Basis)
	}
	return orNothing(b, len(r.Models)), r.Models
}

func viewAnomalies(r *building.Result) (building.Basis, any) {
	b := building.Basis{Version: building.Version}
	for i := range r.Anomaly {
		b = oneOf(b, r.Anomaly[i].Basis)
	}
	return orNothing(b, len(r.Anomaly)), r.Anomaly
}

func viewTargets(r *building.Result) (building.Basis, any) {
	b := building.Basis{Version: building.Version, Status: building.Insufficient}
	for _, t := range r.Targets {
		if t.Value != nil {
			b.Status = building.OK
		}
	}
	return b, r.Targets
}

// oneOf is the basis of several results: ok where one of them is.
func oneOf(all, b building.Basis) building.Basis {
	if all.Status == "" || b.Status == building.OK && all.Status != building.OK {
		version := all.Version
		all = b
		all.Version = version
	}
	return all
}

func orNothing(b building.Basis, n int) building.Basis {
	if n == 0 {
		b.Status = building.Insufficient
	}
	return b
}
