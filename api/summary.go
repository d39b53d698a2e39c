package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// FleetSummary is the fleet at a glance.
type FleetSummary struct {
	Owners    int          `json:"owners"`
	Sites     int          `json:"sites"`
	Stations  StatusCounts `json:"stations"`
	Batteries StatusCounts `json:"batteries"`
	Buildings StatusCounts `json:"buildings"`
	SoH       SoHSpread    `json:"soh"`
	Ingest    *Accounting  `json:"ingest,omitempty" doc:"of the whole server, for who sees all of it"`
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
		right: access.Read, id: "get-fleet-summary", method: http.MethodGet, path: "/fleet/summary", tag: "fleet",
		summary: "Counts, health, accounting and extent of the whole fleet",
	}, a.summary)
}

func (a *API) summary(ctx context.Context, _ *struct{}) (*itemOutput[FleetSummary], error) {
	var out FleetSummary
	if access.From(ctx).SeesAll() {
		accounting := a.opts.Ingest.Accounting()
		out.Ingest = &accounting
	}
	part, err := a.fleet.part(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	batteries := part.sum()
	out.Batteries, out.SoH = batteries.statuses, batteries.soh
	rest, err := a.counts(ctx, part)
	if err != nil {
		return nil, err
	}
	out.Owners, out.Sites, out.Stations, out.Buildings = rest.owners, rest.sites, rest.stations, rest.buildings
	if out.Telemetry, err = a.fleetExtent(ctx, part.extent()); err != nil {
		return nil, err
	}
	return &itemOutput[FleetSummary]{Body: out}, nil
}

// fleetCounts are what the registry has beside batteries.
type fleetCounts struct {
	owners, sites       int
	stations, buildings StatusCounts
}

// counts are those that the caller sees. The part of the fleet is of the newest
// state of the registry, whatever it is that has changed there.
func (a *API) counts(ctx context.Context, part fleetPart) (fleetCounts, error) {
	build := func() (fleetCounts, error) { return a.count(ctx) }
	if !part.some {
		return build()
	}
	return attempt(part.snapshot, "counts "+question(part.filter), build)
}

func (a *API) count(ctx context.Context) (c fleetCounts, err error) {
	reg := a.opts.Registry
	stations, _, err := reg.ListStations(ctx, registry.Filter{})
	if err != nil {
		return c, err
	}
	for _, s := range stations {
		c.stations.count(s.Status)
	}
	buildings, _, err := reg.ListBuildings(ctx, registry.Filter{})
	if err != nil {
		return c, err
	}
	for _, b := range buildings {
		c.buildings.count(b.Status)
	}
	if _, c.owners, err = reg.ListOwners(ctx, registry.Filter{Limit: 1}); err != nil {
		return c, err
	}
	_, c.sites, err = reg.ListSites(ctx, registry.Filter{Limit: 1})
	return c, err
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

// batterySum are the batteries of a part at a glance.
type batterySum struct {
	statuses StatusCounts
	soh      SoHSpread
}

func (p fleetPart) sum() batterySum {
	if !p.some {
		return batterySum{}
	}
	return recall(p.snapshot, "sum "+question(p.filter), unmoved[batterySum](keeps(p.filter)), func() (batterySum, int) {
		s := batterySum{soh: spread(p.batteries())}
		for _, b := range p.batteries() {
			s.statuses.count(b.Status)
		}
		return s, 0
	})
}

// extent is from the first day with data of any battery of the part to the end of
// the last; nil without data. It only grows, and not beyond the outermost days of
// all batteries, so one that reaches these holds until they move: at midnight, when
// each battery begins a day, few do.
func (p fleetPart) extent() *Extent {
	if !p.some {
		return nil
	}
	build := func() (e *Extent, _ int) {
		for _, b := range p.batteries() {
			if w, ok := p.spans.get(b, p.whole); ok {
				e = e.with(w)
			}
		}
		return e, 0
	}
	about := fmt.Sprintf("extent %s %t ", question(p.filter), p.whole)
	most, version := p.spans.bounds()
	same := unmoved[*Extent](keeps(p.filter))
	e := recall(p.snapshot, about+fmt.Sprint(most), same, build)
	if e != nil && (telemetry.Window{From: int64(e.From), To: int64(e.To)}) == most {
		return e
	}
	return recall(p.snapshot, about+strconv.Itoa(version), same, build)
}

func spread(batteries []*known) SoHSpread {
	var s SoHSpread
	var known []float64
	for _, b := range batteries {
		if b.Status == devices.StatusRetired {
			continue
		}
		if soh := b.health().SoHPct; soh != nil {
			known = append(known, *soh)
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
// last; nil without data. That of the batteries is known.
func (a *API) fleetExtent(ctx context.Context, whole *Extent) (*Extent, error) {
	for _, kind := range devices.Kinds() {
		if kind == devices.KindBattery {
			continue
		}
		extents, err := a.extents(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, w := range extents {
			whole = whole.with(w)
		}
	}
	return whole, nil
}

// with is the extent that has w in it too; nil: there is none yet.
func (e *Extent) with(w telemetry.Window) *Extent {
	if e == nil {
		return &Extent{From: Time(w.From), To: Time(w.To)}
	}
	return &Extent{From: min(e.From, Time(w.From)), To: max(e.To, Time(w.To))}
}
