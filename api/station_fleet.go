package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationFleetRow is a station with its results.
type StationFleetRow struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	OwnerID string `json:"owner_id,omitempty"`
	SiteID  string `json:"site_id,omitempty"`
	City    string `json:"city,omitempty"`
	Slots   int    `json:"slots,omitempty"`
	Size    string `json:"size,omitempty" doc:"class by slots"`
	Basis

	Known            int      `json:"days_with_data"`
	Swaps            *int     `json:"swaps"`
	Failures         *int     `json:"failures"`
	Reneged          *int     `json:"reneged"`
	SwapsPerDay      *float64 `json:"swaps_per_day"`
	Completion       *float64 `json:"completion"`
	PackAvailability *float64 `json:"charged_pack_availability"`
	GridWh           *float64 `json:"grid_wh"`
	PerSwap          *float64 `json:"grid_wh_per_swap"`
	Charges          *int     `json:"charges"`
	Availability     *float64 `json:"availability" doc:"by state"`
	Uptime           *float64 `json:"station_uptime" doc:"by faults"`
	Faults           *int     `json:"faults"`
	OpenFaults       *int     `json:"open_faults"`
	MTBFHours        *float64 `json:"mtbf_hours"`
	MTTRHours        *float64 `json:"mttr_hours"`
	Occupied         *float64 `json:"occupied_share" doc:"of slots"`
	PackInService    *float64 `json:"pack_in_service" doc:"share of the time with a charged pack"`
	Utilization      *float64 `json:"utilization" doc:"share of its servers' time spent on swaps"`
	PeakHour         *int     `json:"peak_hour"`
	PeakUtilization  *float64 `json:"peak_utilization"`
	PacksNeeded      *int     `json:"packs_needed"`
	PacksShort       *int     `json:"packs_short"`
	PacksIdle        *int     `json:"packs_idle"`

	totals station.Totals
}

type stationFleetInput struct {
	Query
	StationWindow
}

func (a *API) routeStationFleet() {
	addTable(a, operation{
		right: access.Read, id: "list-station-results", path: "/fleet/stations", tag: "fleet",
		summary: "Stations with how well they serve",
		notes:   "Over whole days of each station's time zone. Retired stations are left out.",
	}, tableSpec{
		name: "stations", sort: []string{"id"},
		filters: []string{"owner_id", "site_id", "city", "size", "status", "coverage", "swaps", "swaps_per_day", "completion", "charged_pack_availability",
			"grid_wh", "station_uptime", "availability", "open_faults", "utilization", "peak_utilization", "pack_in_service", "packs_short", "packs_idle"},
	}, func(ctx context.Context, in *stationFleetInput) ([]StationFleetRow, error) {
		return a.stationRows(ctx, &in.StationWindow)
	})
	a.routeStationBenchmarks()
	a.routeGeography()
}

// stationFleet is what the rows of a fleet are made of.
type stationFleet struct {
	api    *API
	sites  map[string]devices.Site
	faults map[string][]station.Fault
	totals map[int64]map[string]station.Totals // by last day
	zones  map[string]station.Calendar
}

// stationRows are all stations but the retired, by id.
func (a *API) stationRows(ctx context.Context, in *StationWindow) ([]StationFleetRow, error) {
	at, err := a.instant(in.AsOf)
	if err != nil {
		return nil, err
	}
	stations, _, err := a.opts.Registry.ListStations(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	spans, err := a.opts.Stations.StationSpans(ctx)
	if err != nil {
		return nil, err
	}
	f := stationFleet{api: a, totals: map[int64]map[string]station.Totals{}, zones: map[string]station.Calendar{}}
	if f.faults, err = a.opts.Stations.StationFaults(ctx, ""); err != nil {
		return nil, err
	}
	if f.sites, err = a.sitesByID(ctx); err != nil {
		return nil, err
	}
	rows := make([]StationFleetRow, 0, len(stations))
	for _, s := range stations {
		if s.Status == devices.StatusRetired {
			continue
		}
		q := stationAsked{id: s.ID, setting: f.setting(&s)}
		q.last = q.setting.Calendar.LastComplete(at.UnixMilli())
		q.first = q.last - int64(in.Days) + 1
		var span ledger.DaySpan
		span, q.hasData = spans[s.ID]
		q.setting.FirstDay = span.First
		t, err := f.totalsOf(ctx, &q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, f.row(&s, &q, t))
	}
	return rows, nil
}

func (a *API) sitesByID(ctx context.Context) (map[string]devices.Site, error) {
	sites, _, err := a.opts.Registry.ListSites(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]devices.Site, len(sites))
	for _, s := range sites {
		byID[s.ID] = s
	}
	return byID, nil
}

func (f *stationFleet) setting(s *devices.Station) station.Setting {
	zone := f.sites[s.SiteID].TimeZone
	c, ok := f.zones[zone]
	if !ok {
		c = calendarOf(f.sites[s.SiteID])
		f.zones[zone] = c
	}
	return station.Setting{Calendar: c, Rules: f.api.opts.StationRules(s.ID), Slots: s.Slots}
}

// totalsOf adds up the days asked for, of all stations whose last day is the same
// at once.
func (f *stationFleet) totalsOf(ctx context.Context, q *stationAsked) (*station.Totals, error) {
	all, ok := f.totals[q.last]
	if !ok {
		var err error
		if all, err = f.api.opts.Stations.StationTotals(ctx, q.first, q.last); err != nil {
			return nil, err
		}
		f.totals[q.last] = all
	}
	t := all[q.id]
	return &t, nil
}

func (f *stationFleet) row(s *devices.Station, q *stationAsked, t *station.Totals) StationFleetRow {
	site := f.sites[s.SiteID]
	faults, w := f.faults[s.ID], q.window()
	h := station.Sum(t, faults, len(faults) > 0, w, q.setting)
	row := StationFleetRow{
		ID: s.ID, Name: s.Name, OwnerID: s.OwnerID, SiteID: s.SiteID, City: site.City, Slots: s.Slots, Size: sizeOf(s.Slots),
		Basis: stationBasisOf(station.BasisOf(t, w)), Known: t.Days, totals: *t,
	}
	if t.Days == 0 {
		return row
	}
	row.Swaps, row.Failures, row.Reneged, row.Charges = &t.Swaps, &t.Failures, &t.Reneged, &t.Charges
	row.SwapsPerDay, row.Completion, row.PackAvailability = t.SwapsPerDay(w), t.Completion(), t.PackAvailability()
	row.GridWh, row.PerSwap = h.Energy.GridWh, h.Energy.PerSwap
	row.Availability = t.Share(t.StateMS-t.UnavailableMS, t.StateMS)
	row.Occupied, row.PackInService = t.Occupied(), t.Share(t.SlotMS-t.NoneReadyMS, t.SlotMS)
	row.Utilization, row.PeakHour, row.PeakUtilization = h.Load.Utilization, h.Demand.PeakHour, h.Demand.PeakLoad
	if up := uptimeOf(h.Uptime); up.Faults != nil {
		row.Uptime, row.Faults, row.OpenFaults, row.MTBFHours, row.MTTRHours = up.StationUp, up.Faults, up.OpenFaults, up.MTBFHours, up.MTTRHours
	}
	if h.Stock.Status == station.OK {
		row.PacksNeeded, row.PacksShort, row.PacksIdle = h.Stock.Needed, &h.Stock.Short, &h.Stock.Idle
	}
	return row
}
