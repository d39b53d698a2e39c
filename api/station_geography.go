package api

import (
	"context"
	"maps"
	"slices"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// GeographyRow is a site or a city with what its stations did.
type GeographyRow struct {
	Place            string   `json:"place" doc:"site id or city; empty: stations without"`
	Stations         int      `json:"stations"`
	Reporting        int      `json:"stations_with_data"`
	Batteries        int      `json:"batteries" doc:"registered there"`
	Swaps            *int     `json:"swaps"`
	Failures         *int     `json:"failures"`
	Reneged          *int     `json:"reneged"`
	Completion       *float64 `json:"completion"`
	PackAvailability *float64 `json:"charged_pack_availability"`
	GridWh           *float64 `json:"grid_wh"`
	GridCoverage     *float64 `json:"grid_coverage" doc:"share of the stations' days with data that the meters cover"`
	Status           string   `json:"status" enum:"ok,insufficient_data"`
	Reason           string   `json:"reason,omitempty"`
	Version          string   `json:"version"`
}

type geographyInput struct {
	Query
	StationWindow
	By string `query:"by" enum:"site,city" default:"city"`
}

func (a *API) routeGeography() {
	addTable(a, operation{
		right: access.Read, id: "get-fleet-geography", path: "/fleet/geography", tag: "fleet",
		summary: "Stations, batteries, swaps, energy and completion by site or city",
		notes:   "Over whole days of each station's time zone. Retired devices are left out.",
	}, tableSpec{name: "geography", sort: []string{"place"}, filters: []string{"place", "status", "swaps", "completion"}}, a.geography)
}

func (a *API) geography(ctx context.Context, in *geographyInput) ([]GeographyRow, error) {
	stations, err := a.stationRows(ctx, &in.StationWindow)
	if err != nil {
		return nil, err
	}
	batteries, _, err := a.opts.Registry.ListBatteries(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	sites, err := a.sitesByID(ctx)
	if err != nil {
		return nil, err
	}
	place := func(siteID string) string {
		if in.By == "site" {
			return siteID
		}
		return sites[siteID].City
	}
	rows, sums := map[string]*GeographyRow{}, map[string]*station.Totals{}
	at := func(siteID string) (*GeographyRow, *station.Totals) {
		name := place(siteID)
		if rows[name] == nil {
			rows[name], sums[name] = &GeographyRow{Place: name, Version: station.AssessVersion}, &station.Totals{}
		}
		return rows[name], sums[name]
	}
	for i := range stations {
		row, sum := at(stations[i].SiteID)
		row.Stations++
		if stations[i].totals.Days > 0 {
			row.Reporting++
		}
		sum.Add(&stations[i].totals)
	}
	for _, b := range batteries {
		if b.Status != devices.StatusRetired {
			row, _ := at(b.SiteID)
			row.Batteries++
		}
	}
	out := make([]GeographyRow, 0, len(rows))
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row, t := rows[name], sums[name]
		row.Status = string(station.OK)
		if row.Reporting == 0 {
			row.Status, row.Reason = string(station.Insufficient), "nothing was received from a station here in the window"
		} else {
			row.Swaps, row.Failures, row.Reneged, row.Completion, row.PackAvailability = &t.Swaps, &t.Failures, &t.Reneged, t.Completion(), t.PackAvailability()
			row.GridWh, row.GridCoverage = t.EnergyWh(), t.Share(t.MeterMS, t.LengthMS)
		}
		out = append(out, *row)
	}
	return out, nil
}
