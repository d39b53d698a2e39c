package api

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/compare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// BuildingRow is a building in one line. What is not known is null.
type BuildingRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name,omitempty"`
	OwnerID     string   `json:"owner_id,omitempty"`
	SiteID      string   `json:"site_id,omitempty"`
	City        string   `json:"city,omitempty"`
	FloorM2     float64  `json:"floor_area_m2,omitempty"`
	AsOf        *Time    `json:"as_of" nullable:"true" doc:"end of the newest whole local day; null before the first result"`
	Status      string   `json:"status" enum:"ok,insufficient_data" doc:"of the savings"`
	Reason      string   `json:"reason,omitempty"`
	Version     string   `json:"version"`
	Model       string   `json:"model,omitempty" doc:"of electricity's baseline"`
	SavingKWh   *float64 `json:"saving_kwh" doc:"of electricity and gas, since the newest measure on each"`
	PlusKWh     *float64 `json:"saving_plus_minus_kwh"`
	BaselineKWh *float64 `json:"baseline_kwh"`
	SavingPct   *float64 `json:"saving_pct"`
	Significant *bool    `json:"significant"`
	SavedMinor  *int64   `json:"saved_minor"`
	Currency    string   `json:"currency,omitempty"`
	AvoidedKG   *float64 `json:"avoided_kg"`
	UseKWh      *float64 `json:"use_kwh" doc:"of electricity and gas, over 365 days"`
	KWhPerM2    *float64 `json:"kwh_per_m2_year"`
	KGPerM2     *float64 `json:"kg_per_m2_year"`
	PeerRank    *float64 `json:"kwh_per_m2_percentile" doc:"share of the selection at or below, 0…100; null below five buildings"`
	PeakKW      *float64 `json:"peak_kw"`
	LoadFactor  *float64 `json:"load_factor"`
	PeakPct     *float64 `json:"peak_reduction_pct"`
	ForecastPct *float64 `json:"forecast_accuracy_pct"`
	GreenPct    *float64 `json:"green_pct"`
	WaterPct    *float64 `json:"water_saving_pct"`
	FollowedPct *float64 `json:"automation_pct"`
	CarbonPct   *float64 `json:"carbon_reduction_pct"`
	Anomalies   *int     `json:"anomalies" doc:"days outside of the band"`
	OpenShifts  *int     `json:"open_shifts" doc:"changes of use that last"`
	TargetsMet  int      `json:"targets_met"`
}

func buildingRow(h *building.Headline) BuildingRow {
	at := timeOf(h.AsOf)
	return BuildingRow{
		ID: h.Building, AsOf: &at, Status: string(h.Status), Reason: h.Reason, Version: h.Version, Model: h.Model,
		SavingKWh: h.SavingKWh, PlusKWh: h.PlusKWh, BaselineKWh: h.BaselineKWh, SavingPct: h.SavingPct, Significant: h.Significant,
		SavedMinor: h.SavedMinor, Currency: h.Currency, AvoidedKG: h.AvoidedKG, UseKWh: h.UseKWh, KWhPerM2: h.KWhPerM2, KGPerM2: h.KGPerM2,
		PeakKW: h.PeakKW, LoadFactor: h.LoadFactor, PeakPct: h.PeakPct, ForecastPct: h.ForecastPct, GreenPct: h.GreenPct, WaterPct: h.WaterPct,
		FollowedPct: h.FollowedPct, CarbonPct: h.CarbonPct, Anomalies: h.Anomalies, OpenShifts: h.OpenShifts, TargetsMet: h.TargetsMet,
	}
}

type buildingRowsInput struct {
	Query
	AsOf
}

// Selection narrows a portfolio.
type Selection struct {
	AsOf
	OwnerID string `query:"owner_id" maxLength:"64" doc:"only what this owner owns"`
	SiteID  string `query:"site_id" maxLength:"64" doc:"only what stands on this site"`
}

// PortfolioSavings is the saving of many buildings.
type PortfolioSavings struct {
	Status      string       `json:"status" enum:"ok,insufficient_data"`
	Reason      string       `json:"reason,omitempty"`
	Method      string       `json:"method,omitempty"`
	Version     string       `json:"version"`
	Buildings   int          `json:"buildings" doc:"that the sum is of"`
	SavingKWh   *float64     `json:"saving_kwh"`
	PlusKWh     *float64     `json:"plus_minus_kwh" doc:"half width of the interval of the sum: together's where it is known, otherwise that of independent errors"`
	Together    *SumInterval `json:"together,omitempty" doc:"the interval with errors that go together, as under one weather; absent where fewer than two buildings tell how"`
	Standard    *SumInterval `json:"standard,omitempty" doc:"the interval of the standard, which takes the buildings as independent"`
	Confidence  *float64     `json:"confidence"`
	BaselineKWh *float64     `json:"baseline_kwh"`
	SavingPct   *float64     `json:"saving_pct"`
	Significant *bool        `json:"significant"`
	Money       []Sum        `json:"saved" nullable:"false" doc:"by currency"`
	AvoidedKG   *float64     `json:"avoided_kg"`
	Left        []LeftOut    `json:"left_out" nullable:"false" doc:"buildings that are not in the sum, each with its reason"`
	Members     []ShareRow   `json:"members" nullable:"false"`
}

// SumInterval is the half width of an interval around a sum, and how it was made.
type SumInterval struct {
	PlusKWh     float64  `json:"plus_minus_kwh"`
	Method      string   `json:"method"`
	Correlation *float64 `json:"residual_correlation,omitempty" doc:"0…1, mean correlation of the weekly residuals of two buildings before their measures; absent where the method knows none"`
}

// Sum is money in one currency.
type Sum struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// LeftOut is a building that is not in a sum.
type LeftOut struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// ShareRow is a building's part of a sum.
type ShareRow struct {
	ID          string   `json:"id"`
	SavingKWh   float64  `json:"saving_kwh"`
	BaselineKWh float64  `json:"baseline_kwh"`
	PlusKWh     *float64 `json:"plus_minus_kwh"`
}

// PortfolioTargets are how many buildings stand to their goals.
type PortfolioTargets struct {
	Status string          `json:"status" enum:"ok,insufficient_data"`
	Reason string          `json:"reason,omitempty"`
	Items  []PortfolioGoal `json:"items" nullable:"false"`
}

// PortfolioGoal is how they stand to one.
type PortfolioGoal struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Unit       string   `json:"unit"`
	Definition string   `json:"definition"`
	Version    string   `json:"version"`
	Limit      float64  `json:"limit" doc:"the value is to be above"`
	Status     string   `json:"status" enum:"met,missed,insufficient_data"`
	Reason     string   `json:"reason,omitempty"`
	Value      *float64 `json:"value"`
	PlusMinus  *float64 `json:"plus_minus"`
	Sure       bool     `json:"sure" doc:"the interval lies wholly on the side of the value"`
	Trend      string   `json:"trend,omitempty" doc:"up, down or flat; absent below four months"`
	PerMonth   *float64 `json:"per_month" doc:"slope of the monthly values"`
	Buildings  int      `json:"buildings" doc:"that have a value"`
}

func (a *API) routeBuildingFleet() {
	addTable(a, operation{
		id: "list-building-results", path: "/fleet/buildings", tag: "fleet", summary: "Buildings with what they use, save and lose", right: access.Read,
		notes: "Retired buildings are left out. The percentile of the intensity is among the rows of the whole fleet.",
	}, tableSpec{
		name: "buildings", sort: []string{"id"},
		aliases: map[string]string{"saving": "saving_kwh", "intensity": "kwh_per_m2_year"},
		filters: []string{"owner_id", "site_id", "city", "status", "saving", "saving_pct", "significant", "intensity", "use_kwh", "peak_kw",
			"peak_reduction_pct", "green_pct", "anomalies", "open_shifts", "targets_met"},
	}, func(ctx context.Context, in *buildingRowsInput) ([]BuildingRow, error) {
		rows, _, err := a.buildingRows(ctx, in.AsOf, func(devices.Building) bool { return true })
		return rows, err
	})
	add(a, operation{
		id: "get-fleet-savings", method: http.MethodGet, path: "/fleet/savings", tag: "fleet",
		summary: "The savings of a portfolio with their interval, and which buildings are not in them", right: access.Read,
	}, a.portfolioSavings)
	add(a, operation{
		id: "get-fleet-targets", method: http.MethodGet, path: "/fleet/targets", tag: "fleet",
		summary: "How a portfolio stands to its goals", right: access.Read,
		notes: "Parts and wholes add up over the buildings that have a value; the forecast's accuracy is their mean.",
	}, a.portfolioTargets)
}

// buildingRows are the buildings in service that are asked for, with their
// headlines; those without one have a row that says so.
func (a *API) buildingRows(ctx context.Context, asOf AsOf, wanted func(devices.Building) bool) ([]BuildingRow, []building.Headline, error) {
	found, err := a.headlines(ctx, asOf)
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[string]*building.Headline, len(found))
	for i := range found {
		byID[found[i].Building] = &found[i]
	}
	all, _, err := a.opts.Registry.ListBuildings(ctx, registry.Filter{})
	if err != nil {
		return nil, nil, err
	}
	sites, err := a.sitesByID(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows := []BuildingRow{}
	var headlines []building.Headline
	for _, b := range all {
		if b.Status == devices.StatusRetired || !wanted(b) {
			continue
		}
		row := BuildingRow{ID: b.ID, Status: string(building.Insufficient), Reason: ErrNoReport.Error(), Version: building.Version}
		if h := byID[b.ID]; h != nil {
			row = buildingRow(h)
			headlines = append(headlines, *h)
		}
		row.Name, row.OwnerID, row.SiteID, row.City, row.FloorM2 = b.Name, b.OwnerID, b.SiteID, sites[b.SiteID].City, b.FloorAreaM2
		rows = append(rows, row)
	}
	rank(rows)
	return rows, headlines, nil
}

func (a *API) headlines(ctx context.Context, asOf AsOf) ([]building.Headline, error) {
	at, given, err := asOf.at()
	switch {
	case err != nil:
		return nil, err
	case given:
		return a.opts.Buildings.BuildingHeadlinesAsOf(ctx, at.UnixMilli())
	}
	return a.opts.Buildings.BuildingHeadlines(ctx)
}

// rank sets each intensity among its peers'.
func rank(rows []BuildingRow) {
	var all []float64
	for _, r := range rows {
		if r.KWhPerM2 != nil {
			all = append(all, *r.KWhPerM2)
		}
	}
	for i := range rows {
		if rows[i].KWhPerM2 == nil {
			continue
		}
		if r, err := compare.Among(*rows[i].KWhPerM2, all); err == nil {
			rows[i].PeerRank = &r.Percentile
		}
	}
}

func (s *Selection) wanted(b devices.Building) bool {
	return (s.OwnerID == "" || b.OwnerID == s.OwnerID) && (s.SiteID == "" || b.SiteID == s.SiteID)
}

func (a *API) portfolioSavings(ctx context.Context, in *Selection) (*itemOutput[PortfolioSavings], error) {
	rows, headlines, err := a.buildingRows(ctx, in.AsOf, in.wanted)
	if err != nil {
		return nil, err
	}
	p, insufficient := building.Portfolio(headlines)
	out := PortfolioSavings{
		Status: string(building.OK), Version: savings.Version, Buildings: len(p.Members),
		Money: []Sum{}, Left: []LeftOut{}, Members: []ShareRow{},
	}
	inSum := map[string]bool{}
	for _, m := range p.Members {
		inSum[m.ID] = true
		out.Members = append(out.Members, ShareRow{ID: m.ID, SavingKWh: m.Saving, BaselineKWh: m.Baseline, PlusKWh: m.SlowPlus})
	}
	for _, r := range rows {
		if inSum[r.ID] {
			continue
		}
		why := r.Reason
		if text, ok := insufficient[r.ID]; ok {
			why = text
		} else if slices.Contains(p.Left, r.ID) {
			why = "its saving does not say how sure it is"
		}
		out.Left = append(out.Left, LeftOut{ID: r.ID, Reason: why})
	}
	if len(p.Members) == 0 {
		out.Status, out.Reason = string(building.Insufficient), "no building of the selection has a saving that stands"
		return &itemOutput[PortfolioSavings]{Body: out}, nil
	}
	out.SavingKWh, out.BaselineKWh = &p.Saving, &p.Baseline
	if p.Fraction != nil {
		percent := 100 * *p.Fraction
		out.SavingPct = &percent
	}
	if u := building.Interval(p); u != nil {
		significant := math.Abs(p.Saving) > u.Plus
		out.PlusKWh, out.Confidence, out.Method, out.Significant = &u.Plus, &u.Confidence, u.Method, &significant
		out.Standard = &SumInterval{PlusKWh: p.Uncertainty.Plus, Method: p.Uncertainty.Method}
	}
	if u := p.Together; u != nil {
		out.Together = &SumInterval{u.Plus, u.Method, p.Correlation}
	}
	out.worth(headlines, inSum)
	return &itemOutput[PortfolioSavings]{Body: out}, nil
}

// worth adds up money and carbon of the buildings in the sum.
func (p *PortfolioSavings) worth(headlines []building.Headline, inSum map[string]bool) {
	money := map[string]int64{}
	kg, known := 0.0, true
	for i := range headlines {
		h := &headlines[i]
		if !inSum[h.Building] {
			continue
		}
		if h.SavedMinor != nil {
			money[h.Currency] += *h.SavedMinor
		}
		if h.AvoidedKG == nil {
			known = false
		} else {
			kg += *h.AvoidedKG
		}
	}
	for _, c := range slices.Sorted(maps.Keys(money)) {
		p.Money = append(p.Money, Sum{Minor: money[c], Currency: c})
	}
	if known && !math.IsNaN(kg) {
		p.AvoidedKG = &kg
	}
}

func (a *API) portfolioTargets(ctx context.Context, in *Selection) (*itemOutput[PortfolioTargets], error) {
	_, headlines, err := a.buildingRows(ctx, in.AsOf, in.wanted)
	if err != nil {
		return nil, err
	}
	standings, buildings := building.PortfolioTargets(headlines)
	out := PortfolioTargets{Status: string(building.Insufficient), Reason: "no goal has a value", Items: []PortfolioGoal{}}
	for _, s := range standings {
		goal := PortfolioGoal{
			ID: s.ID, Name: s.Name, Unit: s.Unit, Definition: s.Definition, Version: s.Version, Limit: s.Limit,
			Status: string(s.Status), Reason: s.Reason, Value: s.Value, PlusMinus: s.Plus, Sure: s.Sure, Buildings: buildings[s.ID],
		}
		if s.Trend != nil {
			goal.Trend, goal.PerMonth = s.Trend.Direction, &s.Trend.PerMonth
		}
		if s.Status != target.Insufficient {
			out.Status, out.Reason = string(building.OK), ""
		}
		out.Items = append(out.Items, goal)
	}
	return &itemOutput[PortfolioTargets]{Body: out}, nil
}

// noReport makes an answer of a building without a result.
func noReport(err error) error {
	if errors.Is(err, ErrNoReport) {
		return huma.Error404NotFound(ErrNoReport.Error())
	}
	return err
}
