package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// FleetSummary is the fleet at a glance.
type FleetSummary struct {
	Owners    int          `json:"owners"`
	Sites     int          `json:"sites"`
	Stations  StatusCounts `json:"stations"`
	Batteries StatusCounts `json:"batteries"`
	Buildings StatusCounts `json:"buildings"`
	SoH       SoHSpread    `json:"soh"`
	Ingest    Accounting   `json:"ingest"`
	Telemetry *Extent      `json:"telemetry,omitempty" doc:"the days with data of the whole fleet; absent without any"`
}

// StatusCounts are devices by their status.
type StatusCounts struct {
	Total     int `json:"total"`
	Active    int `json:"active"`
	Unclaimed int `json:"unclaimed"`
	Retired   int `json:"retired"`
}

// SoHSpread is the state of health over all batteries but the retired.
type SoHSpread struct {
	Count     int      `json:"count" doc:"batteries whose state of health is known"`
	Unknown   int      `json:"unknown" doc:"batteries without"`
	MinPct    *float64 `json:"min_pct"`
	MedianPct *float64 `json:"median_pct"`
	MaxPct    *float64 `json:"max_pct"`
}

func (a *API) routeFleet() {
	add(a, operation{
		id: "get-fleet-summary", method: http.MethodGet, path: "/fleet/summary", tag: "fleet",
		summary: "Counts, health, accounting and extent of the whole fleet",
	}, a.summary)
}

func (a *API) summary(ctx context.Context, _ *struct{}) (*itemOutput[FleetSummary], error) {
	reg := a.opts.Registry
	out := FleetSummary{Ingest: a.opts.Ingest.Accounting()}
	batteries, _, err := reg.ListBatteries(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	for _, b := range batteries {
		out.Batteries.count(b.Status)
	}
	stations, _, err := reg.ListStations(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	for _, s := range stations {
		out.Stations.count(s.Status)
	}
	buildings, _, err := reg.ListBuildings(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	for _, b := range buildings {
		out.Buildings.count(b.Status)
	}
	if _, out.Owners, err = reg.ListOwners(ctx, registry.Filter{Limit: 1}); err != nil {
		return nil, err
	}
	if _, out.Sites, err = reg.ListSites(ctx, registry.Filter{Limit: 1}); err != nil {
		return nil, err
	}
	measured, err := a.opts.Results.LatestCapacities(ctx, devices.KindBattery)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	out.SoH = spread(batteries, measured)
	if out.Telemetry, err = a.fleetExtent(ctx); err != nil {
		return nil, err
	}
	return &itemOutput[FleetSummary]{Body: out}, nil
}

func (c *StatusCounts) count(s devices.Status) {
	c.Total++
	switch s {
	case devices.StatusActive:
		c.Active++
	case devices.StatusUnclaimed:
		c.Unclaimed++
	case devices.StatusRetired:
		c.Retired++
	}
}

func spread(batteries []devices.Battery, measured map[string][]battery.Capacity) SoHSpread {
	var s SoHSpread
	var known []float64
	for _, b := range batteries {
		if b.Status == devices.StatusRetired {
			continue
		}
		if h := battery.Assess(measured[b.ID], b.RatedCapacityAh); h.SoHPct != nil {
			known = append(known, *h.SoHPct)
		} else {
			s.Unknown++
		}
	}
	s.Count = len(known)
	if n := len(known); n > 0 {
		slices.Sort(known)
		median := (known[(n-1)/2] + known[n/2]) / 2
		s.MinPct, s.MedianPct, s.MaxPct = &known[0], &median, &known[n-1]
	}
	return s
}

// fleetExtent is from the first day with data of any device to the end of the
// last; nil without data.
func (a *API) fleetExtent(ctx context.Context) (*Extent, error) {
	var whole *Extent
	for _, kind := range devices.Kinds() {
		extents, err := a.extents(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, w := range extents {
			if whole == nil {
				whole = &Extent{From: Time(w.From), To: Time(w.To)}
			}
			whole.From, whole.To = min(whole.From, Time(w.From)), max(whole.To, Time(w.To))
		}
	}
	return whole, nil
}
