package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// FleetCohorts are states of health by month of commissioning and age.
type FleetCohorts struct {
	Version string       `json:"version" doc:"of the rules"`
	Undated int          `json:"undated" doc:"batteries of no cohort, as it is not known when they were commissioned"`
	Items   []CohortCell `json:"items" nullable:"false"`
}

// CohortCell is the health of the batteries of one month of commissioning at one
// age.
type CohortCell struct {
	Month     string  `json:"month" doc:"of commissioning, YYYY-MM, UTC"`
	AgeMonths int     `json:"age_months" doc:"whole ones of 30.4375 days"`
	Batteries int     `json:"batteries"`
	MedianPct float64 `json:"median_soh_pct"`
	P10Pct    float64 `json:"p10_soh_pct"`
	P90Pct    float64 `json:"p90_soh_pct"`
}

// FleetOutliers are batteries that are unlike the others of their cohort.
type FleetOutliers struct {
	Version string           `json:"version" doc:"of the rules"`
	Undated int              `json:"undated" doc:"batteries of no cohort, as it is not known when they were commissioned"`
	Items   []BatteryOutlier `json:"items" nullable:"false"`
}

// BatteryOutlier is a battery that is unlike the others of its cohort.
type BatteryOutlier struct {
	ID        string  `json:"id"`
	Month     string  `json:"month" doc:"of commissioning, YYYY-MM, UTC"`
	AgeMonths int     `json:"age_months"`
	SoHPct    float64 `json:"soh_pct"`
	MedianPct float64 `json:"median_soh_pct" doc:"of the cohort"`
	Score     float64 `json:"score" doc:"modified z-score; below 0: worse than the others"`
}

type cohortsInput struct {
	Query
	FleetScope
	AsOf
}

func (a *API) routeCohorts() {
	addReport(a, operation{
		right: access.Read, id: "get-fleet-cohorts", path: "/fleet/cohorts", tag: "fleet",
		summary: "State of health by month of commissioning and age", notes: "From each battery's weekly records.",
	}, tableSpec{name: "cohorts", filters: []string{"month", "age_months", "batteries", "median_soh_pct"}, sort: []string{"month", "age_months"}},
		func(d *FleetCohorts) *[]CohortCell { return &d.Items }, a.cohorts)
	addReport(a, operation{
		right: access.Read, id: "get-fleet-outliers", path: "/fleet/outliers", tag: "fleet",
		summary: "Batteries unlike the others of their cohort, the worst first",
		notes:   "By each battery's newest record. Beyond 3.5 of the modified z-score; a cohort of less than five batteries has none.",
	}, tableSpec{name: "outliers", filters: []string{"score", "soh_pct", "month"}}, func(d *FleetOutliers) *[]BatteryOutlier { return &d.Items }, a.outliers)
}

func (a *API) cohorts(ctx context.Context, in *cohortsInput) (FleetCohorts, error) {
	out := FleetCohorts{Version: battery.CohortVersion, Items: []CohortCell{}}
	var table battery.CohortTable
	var err error
	if out.Undated, err = a.points(ctx, in, table.Add); err != nil {
		return FleetCohorts{}, err
	}
	for _, c := range table.Cells() {
		out.Items = append(out.Items, CohortCell(c))
	}
	return out, nil
}

func (a *API) outliers(ctx context.Context, in *cohortsInput) (FleetOutliers, error) {
	out := FleetOutliers{Version: battery.CohortVersion, Items: []BatteryOutlier{}}
	var newest []battery.Member
	var err error
	out.Undated, err = a.points(ctx, in, func(m battery.Member) {
		if n := len(newest); n > 0 && newest[n-1].ID == m.ID {
			newest = newest[:n-1]
		}
		newest = append(newest, m)
	})
	if err != nil {
		return FleetOutliers{}, err
	}
	for _, o := range battery.Outliers(newest) {
		out.Items = append(out.Items, BatteryOutlier(o))
	}
	return out, nil
}

// points yields the points of health of the batteries by battery and time, and
// tells how many batteries are of no cohort.
func (a *API) points(ctx context.Context, in *cohortsInput, yield func(battery.Member)) (undated int, err error) {
	day, err := in.day()
	if err != nil {
		return 0, err
	}
	of, err := a.members(ctx, in.FleetScope)
	if err != nil {
		return 0, err
	}
	commissioned := make(map[string]time.Time, len(of))
	for _, m := range of {
		if m.Commissioned == nil {
			undated++
			continue
		}
		commissioned[m.ID] = *m.Commissioned
	}
	end := int64(math.MaxInt64)
	if day != math.MaxInt64 {
		end = day + 1
	}
	err = a.opts.Batteries.BatteryHistories(ctx, math.MinInt64, end, func(id string, r dossier.Record) error {
		if m, ok := dossier.Member(id, commissioned[id], r); ok { // none of no cohort
			yield(m)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read histories: %w", err)
	}
	return undated, nil
}
