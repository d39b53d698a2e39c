package api

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// batteryMeasure is what batteries can be compared by.
type batteryMeasure struct {
	value    func(*dossier.Standing) *float64
	lowGood  bool
	recorded bool // a dossier.Record holds it too
}

// of is the member's value; nil where it has none.
func (b batteryMeasure) of(m *member) *float64 {
	if !m.seen {
		return nil
	}
	return b.value(m.standing)
}

func batteryMeasures() map[string]batteryMeasure {
	return map[string]batteryMeasure{
		"health_score":            {value: func(s *dossier.Standing) *float64 { return s.HealthScore }, recorded: true},
		"soh_pct":                 {value: func(s *dossier.Standing) *float64 { return s.SoHPct }, recorded: true},
		"energy_soh_pct":          {value: func(s *dossier.Standing) *float64 { return s.EnergySoHPct }, recorded: true},
		"remaining_days":          {value: func(s *dossier.Standing) *float64 { return s.RULDays.Median }, recorded: true},
		"equivalent_full_cycles":  {value: func(s *dossier.Standing) *float64 { return s.EquivalentFullCycles }, lowGood: true, recorded: true},
		"utilization":             {value: func(s *dossier.Standing) *float64 { return s.Utilization }, recorded: true},
		"availability":            {value: func(s *dossier.Standing) *float64 { return s.Availability }},
		"swaps_per_day":           {value: func(s *dossier.Standing) *float64 { return s.SwapsPerDay }},
		"energy_per_swap_wh":      {value: func(s *dossier.Standing) *float64 { return s.EnergyPerSwapWh }},
		"round_trip_pct":          {value: func(s *dossier.Standing) *float64 { return s.RoundTripPct }, recorded: true},
		"resistance_increase_pct": {value: func(s *dossier.Standing) *float64 { return s.ResistanceIncreasePct }, lowGood: true},
		"imbalance_mv":            {value: func(s *dossier.Standing) *float64 { return s.ImbalanceMV }, lowGood: true, recorded: true},
	}
}

func batteryMeasureNames() []string { return slices.Sorted(maps.Keys(batteryMeasures())) }

type benchmarksInput struct {
	Query
	FleetScope
	By      string `query:"by" enum:"fleet,chemistry,owner,model,site,city" default:"chemistry" doc:"what batteries are compared within; a model is a chemistry with its ratings"`
	Measure string `query:"measure" enum:"availability,energy_per_swap_wh,energy_soh_pct,equivalent_full_cycles,health_score,imbalance_mv,remaining_days,resistance_increase_pct,round_trip_pct,soh_pct,swaps_per_day,utilization" default:"health_score"`
}

// BatteryBenchmarks compare groups of batteries by one measure.
type BatteryBenchmarks struct {
	Measure string         `json:"measure"`
	By      string         `json:"by"`
	LowGood bool           `json:"low_is_good" doc:"whether a smaller value is the better one"`
	Version string         `json:"version" doc:"of the rules"`
	Unknown int            `json:"unknown" doc:"batteries without the measure"`
	Items   []BatteryGroup `json:"items" nullable:"false"`
}

// BatteryGroup is what the batteries of a group are like.
type BatteryGroup struct {
	Group string  `json:"group" doc:"empty: batteries without one"`
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P10   float64 `json:"p10"`
	P25   float64 `json:"p25"`
	P50   float64 `json:"p50"`
	P75   float64 `json:"p75"`
	P90   float64 `json:"p90"`
}

// BatteryRank is where a battery stands in its group.
type BatteryRank struct {
	ID         string   `json:"id"`
	Group      string   `json:"group" doc:"empty: batteries without one"`
	Value      float64  `json:"value"`
	Percentile *float64 `json:"percentile" doc:"share of the group that it is better than, those equal counting half, in %; null in a group of fewer than three"`
}

func (a *API) routeBatteryBenchmarks() {
	addReport(a, operation{
		right: access.Read, id: "get-fleet-benchmarks", path: "/fleet/benchmarks", tag: "fleet",
		summary: "Groups of batteries compared by a measure",
	}, tableSpec{name: "benchmarks", filters: []string{"count", "p50"}, sort: []string{"group"}}, func(d *BatteryBenchmarks) *[]BatteryGroup { return &d.Items }, a.benchmarks)
	addTable(a, operation{
		right: access.Read, id: "list-fleet-ranks", path: "/fleet/benchmarks/batteries", tag: "fleet",
		summary: "Where each battery stands in its group by a measure",
	}, tableSpec{name: "ranks", filters: []string{"group", "value", "percentile"}, sort: []string{"id"}}, a.ranks)
}

func (a *API) benchmarks(ctx context.Context, in *benchmarksInput) (BatteryBenchmarks, error) {
	entries, total, err := a.compared(ctx, in)
	if err != nil {
		return BatteryBenchmarks{}, err
	}
	out := BatteryBenchmarks{
		Measure: in.Measure, By: in.By, LowGood: batteryMeasures()[in.Measure].lowGood, Version: station.BenchmarkVersion,
		Unknown: total - len(entries), Items: []BatteryGroup{},
	}
	for _, g := range station.RollUp(entries) {
		out.Items = append(out.Items, BatteryGroup{g.Group, g.Count, g.Mean, g.P10, g.P25, g.P50, g.P75, g.P90})
	}
	return out, nil
}

func (a *API) ranks(ctx context.Context, in *benchmarksInput) ([]BatteryRank, error) {
	entries, _, err := a.compared(ctx, in)
	if err != nil {
		return nil, err
	}
	out := make([]BatteryRank, 0, len(entries))
	for _, s := range station.Rank(entries, batteryMeasures()[in.Measure].lowGood) {
		out = append(out, BatteryRank(s))
	}
	return out, nil
}

// compared are the batteries that have the measure, in their groups, and how
// many there are with those that have not.
func (a *API) compared(ctx context.Context, in *benchmarksInput) (entries []station.Entry, total int, err error) {
	of, err := a.members(ctx, in.FleetScope)
	if err != nil {
		return nil, 0, err
	}
	group, err := a.grouping(ctx, in.By)
	if err != nil {
		return nil, 0, err
	}
	measure := batteryMeasures()[in.Measure]
	for k := range of {
		if v := measure.of(&of[k]); v != nil {
			entries = append(entries, station.Entry{ID: of[k].ID, Group: group(&of[k]), Value: *v})
		}
	}
	return entries, len(of), nil
}

// grouping tells the group of a battery.
func (a *API) grouping(ctx context.Context, by string) (func(*member) string, error) {
	switch by {
	case "chemistry":
		return func(m *member) string { return m.Chemistry }, nil
	case "owner":
		return func(m *member) string { return m.OwnerID }, nil
	case "site":
		return func(m *member) string { return m.SiteID }, nil
	case "model":
		return model, nil
	case "city":
		sites, _, err := a.opts.Registry.ListSites(ctx, registry.Filter{})
		if err != nil {
			return nil, err
		}
		cities := make(map[string]string, len(sites))
		for _, s := range sites {
			cities[s.ID] = s.City
		}
		return func(m *member) string { return cities[m.SiteID] }, nil
	}
	return func(*member) string { return "fleet" }, nil
}

// model is a chemistry with its ratings, as the registry has no other name for
// it: "NMC 40 Ah 48 V". Batteries without any of them have none.
func model(m *member) string {
	if m.Chemistry == "" && m.RatedCapacityAh == 0 && m.RatedVoltageV == 0 {
		return ""
	}
	return fmt.Sprintf("%s %g Ah %g V", m.Chemistry, m.RatedCapacityAh, m.RatedVoltageV)
}
