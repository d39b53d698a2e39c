package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationBenchmarks compare stations by one measure.
type StationBenchmarks struct {
	Measure string             `json:"measure"`
	By      string             `json:"by"`
	LowGood bool               `json:"low_is_good" doc:"whether a smaller value is the better one"`
	Version string             `json:"version"`
	Groups  []StationGroup     `json:"groups" nullable:"false" doc:"by name"`
	Ranks   []StationRank      `json:"stations" nullable:"false" doc:"by id"`
	Lacking []StationNotRanked `json:"insufficient" nullable:"false" doc:"stations without the measure, and why"`
}

// StationGroup is what the stations of a group are like.
type StationGroup struct {
	Group string  `json:"group" doc:"empty: stations without one"`
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P10   float64 `json:"p10"`
	P25   float64 `json:"p25"`
	P50   float64 `json:"p50"`
	P75   float64 `json:"p75"`
	P90   float64 `json:"p90"`
}

// StationRank is where a station stands in its group.
type StationRank struct {
	ID         string   `json:"id"`
	Group      string   `json:"group"`
	Value      float64  `json:"value"`
	Percentile *float64 `json:"percentile" doc:"share of the group that it is better than, those equal counting half, in %; null in a group of fewer than three"`
}

// StationNotRanked is a station without the measure.
type StationNotRanked struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// stationMeasure is what stations can be compared by.
type stationMeasure struct {
	value   func(*StationFleetRow) *float64
	lowGood bool
}

func stationMeasures() map[string]stationMeasure {
	count := func(n *int) *float64 {
		if n == nil {
			return nil
		}
		v := float64(*n)
		return &v
	}
	return map[string]stationMeasure{
		"swaps_per_day":             {value: func(r *StationFleetRow) *float64 { return r.SwapsPerDay }},
		"completion":                {value: func(r *StationFleetRow) *float64 { return r.Completion }},
		"charged_pack_availability": {value: func(r *StationFleetRow) *float64 { return r.PackAvailability }},
		"grid_wh_per_swap":          {value: func(r *StationFleetRow) *float64 { return r.PerSwap }, lowGood: true},
		"station_uptime":            {value: func(r *StationFleetRow) *float64 { return r.Uptime }},
		"mttr_hours":                {value: func(r *StationFleetRow) *float64 { return r.MTTRHours }, lowGood: true},
		"utilization":               {value: func(r *StationFleetRow) *float64 { return r.Utilization }},
		"peak_utilization":          {value: func(r *StationFleetRow) *float64 { return r.PeakUtilization }},
		"packs_short":               {value: func(r *StationFleetRow) *float64 { return count(r.PacksShort) }, lowGood: true},
		"packs_idle":                {value: func(r *StationFleetRow) *float64 { return count(r.PacksIdle) }, lowGood: true},
	}
}

type stationBenchmarksInput struct {
	StationWindow
	By      string `query:"by" enum:"fleet,owner,site,city,size" default:"fleet" doc:"what stations are compared within"`
	Measure string `query:"measure" enum:"swaps_per_day,completion,charged_pack_availability,grid_wh_per_swap,station_uptime,mttr_hours,utilization,peak_utilization,packs_short,packs_idle" default:"completion"`
}

func (a *API) routeStationBenchmarks() {
	add(a, operation{
		right: access.Read, id: "get-station-benchmarks", method: http.MethodGet, path: "/fleet/stations/benchmarks", tag: "fleet",
		summary: "Percentiles of a measure across stations",
		notes:   "The stations themselves, sorted and as CSV, are under /fleet/stations.",
	}, a.stationBenchmarks)
}

func (a *API) stationBenchmarks(ctx context.Context, in *stationBenchmarksInput) (*itemOutput[StationBenchmarks], error) {
	rows, err := a.stationRows(ctx, &in.StationWindow)
	if err != nil {
		return nil, err
	}
	measure, ok := stationMeasures()[in.Measure]
	if !ok {
		return nil, badParameter("query.measure", "no such measure", in.Measure)
	}
	groupOf := map[string]func(*StationFleetRow) string{
		"fleet": func(*StationFleetRow) string { return "fleet" },
		"owner": func(r *StationFleetRow) string { return r.OwnerID },
		"site":  func(r *StationFleetRow) string { return r.SiteID },
		"city":  func(r *StationFleetRow) string { return r.City },
		"size":  func(r *StationFleetRow) string { return r.Size },
	}[in.By]
	if groupOf == nil {
		return nil, badParameter("query.by", "no such grouping", in.By)
	}
	out := StationBenchmarks{Measure: in.Measure, By: in.By, LowGood: measure.lowGood, Version: station.BenchmarkVersion,
		Groups: []StationGroup{}, Ranks: []StationRank{}, Lacking: []StationNotRanked{}}
	var entries []station.Entry
	for i := range rows {
		r := &rows[i]
		if v := measure.value(r); v != nil {
			entries = append(entries, station.Entry{ID: r.ID, Group: groupOf(r), Value: *v})
			continue
		}
		reason := r.Reason
		if reason == "" {
			reason = "the data does not carry it"
		}
		out.Lacking = append(out.Lacking, StationNotRanked{r.ID, reason})
	}
	for _, g := range station.RollUp(entries) {
		out.Groups = append(out.Groups, StationGroup{g.Group, g.Count, g.Mean, g.P10, g.P25, g.P50, g.P75, g.P90})
	}
	for _, s := range station.Rank(entries, measure.lowGood) {
		out.Ranks = append(out.Ranks, StationRank(s))
	}
	return &itemOutput[StationBenchmarks]{Body: out}, nil
}
