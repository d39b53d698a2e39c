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
	points, undated, err := a.points(ctx, in)
	if err != nil {
		return FleetCohorts{}, err
	}
	var all []battery.Member
	for _, p := range points {
		all = append(all, p...)
	}
	out := FleetCohorts{Version: battery.CohortVersion, Undated: undated, Items: []CohortCell{}}
	for _, c := range battery.Cohorts(all) {
		out.Items = append(out.Items, CohortCell(c))
	}
	return out, nil
}

func (a *API) outliers(ctx context.Context, in *cohortsInput) (FleetOutliers, error) {
	points, undated, err := a.points(ctx, in)
	if err != nil {
		return FleetOutliers{}, err
	}
	var newest []battery.Member
	for _, p := range points {
		newest = append(newest, p[len(p)-1])
	}
	out := FleetOutliers{Version: battery.CohortVersion, Undated: undated, Items: []BatteryOutlier{}}
	for _, o := range battery.Outliers(newest) {
		out.Items = append(out.Items, BatteryOutlier(o))
	}
	return out, nil
}

// points are the points of health of each battery that has any, ascending by
// time, and how many batteries are of no cohort.
func (a *API) points(ctx context.Context, in *cohortsInput) (points [][]battery.Member, undated int, err error) {
	day, err := in.day()
	if err != nil {
		return nil, 0, err
	}
	of, err := a.members(ctx, in.FleetScope)
	if err != nil {
		return nil, 0, err
	}
	commissioned := make(map[string]time.Time, len(of))
	for _, m := range of {
		if m.Commissioned == nil {
			undated++
			continue
		}
		commissioned[m.ID] = *m.Commissioned
	}
	last := ""
	end := int64(math.MaxInt64)
	if day != math.MaxInt64 {
		end = day + 1
	}
	err = a.opts.Batteries.BatteryHistories(ctx, math.MinInt64, end, func(id string, r dossier.Record) error {
		found := dossier.Members(id, commissioned[id], []dossier.Record{r}) // none of no cohort
		switch {
		case len(found) == 0:
		case id == last:
			points[len(points)-1] = append(points[len(points)-1], found...)
		default:
			points, last = append(points, found), id
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read histories: %w", err)
	}
	return points, undated, nil
}
