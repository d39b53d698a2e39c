package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// FleetReplacements are how many batteries are due for replacement, by month.
type FleetReplacements struct {
	Level   float64            `json:"level" doc:"of the intervals that the expectation rests on"`
	Later   float64            `json:"later" doc:"batteries expected behind the last month"`
	Unknown int                `json:"unknown" doc:"batteries of which it can't be told"`
	Items   []ReplacementMonth `json:"items" nullable:"false" doc:"every month; the first holds what is due already"`
}

// ReplacementMonth is what a month's budget has to reckon with.
type ReplacementMonth struct {
	Month     string   `json:"month" doc:"YYYY-MM, UTC"`
	Due       int      `json:"due" doc:"batteries whose median falls in it"`
	Expected  float64  `json:"expected" doc:"by the probability that each falls in it"`
	Batteries []string `json:"batteries" nullable:"false" doc:"ids of those due"`
}

type replacementsInput struct {
	Query
	FleetScope
	Months int `query:"months" minimum:"1" maximum:"240" default:"24" doc:"how many, from the present one on"`
}

// FleetWarranty is where the fleet stands against its warranties.
type FleetWarranty struct {
	Claims   ClaimsRate      `json:"claims"`
	Covered  int             `json:"covered" doc:"batteries within every limit"`
	Near     int             `json:"near" doc:"batteries that have used 90 % of a limit"`
	Exceeded int             `json:"exceeded" doc:"batteries beyond a limit"`
	Open     int             `json:"open_claims" doc:"batteries below the guaranteed state of health while covered"`
	Items    []WarrantyWatch `json:"items" nullable:"false" doc:"batteries to watch: near a limit, beyond one, or with a claim"`
}

// ClaimsRate is the rate of claims in a fleet.
type ClaimsRate struct {
	Basis
	PerYear *float64 `json:"per_battery_year"`
	Low     *float64 `json:"low" doc:"5 %"`
	High    *float64 `json:"high" doc:"95 %"`
}

// WarrantyWatch is a battery to watch.
type WarrantyWatch struct {
	ID                   string   `json:"id"`
	OwnerID              string   `json:"owner_id,omitempty"`
	SiteID               string   `json:"site_id,omitempty"`
	Chemistry            string   `json:"chemistry,omitempty"`
	Warranty             string   `json:"warranty" enum:"within,near,exceeded" doc:"the worst of its limits"`
	Covered              bool     `json:"covered"`
	Claim                bool     `json:"claim"`
	SoHPct               *float64 `json:"soh_pct"`
	EquivalentFullCycles *float64 `json:"equivalent_full_cycles"`
	ThroughputWh         float64  `json:"energy_throughput_wh"`
	NegativeEvents       int      `json:"negative_events"`
	Commissioned         *Time    `json:"commissioned,omitempty"`
	AsOf                 Time     `json:"as_of"`
}

type warrantyInput struct {
	Query
	FleetScope
}

func (a *API) routeReplacements() {
	addReport(a, operation{
		right: access.Read, id: "get-fleet-replacements", path: "/fleet/replacements", tag: "fleet",
		summary: "Batteries due for replacement, by month",
	}, tableSpec{name: "replacements", filters: []string{"due", "expected", "month"}, sort: []string{"month"}},
		func(d *FleetReplacements) *[]ReplacementMonth { return &d.Items }, a.replacements)
	addReport(a, operation{
		right: access.Read, id: "get-fleet-warranty", path: "/fleet/warranty", tag: "fleet",
		summary: "Warranty: claims rate and the batteries to watch",
		notes:   "The terms are configuration; without any there is nothing to watch.",
	}, tableSpec{
		name: "warranty", filters: []string{"warranty", "claim", "covered", "soh_pct", "chemistry"}, sort: []string{"id"},
	}, func(d *FleetWarranty) *[]WarrantyWatch { return &d.Items }, a.warranty)
}

func (a *API) replacements(ctx context.Context, in *replacementsInput) (FleetReplacements, error) {
	of, err := a.members(ctx, in.FleetScope)
	if err != nil {
		return FleetReplacements{}, err
	}
	seen := standingsOf(of)
	level := a.opts.Book.Rules().Outlook.Life.Level
	plan := battery.Schedule(dossier.Due(seen, level), a.opts.Now(), in.Months)
	out := FleetReplacements{Level: level, Later: plan.Later, Unknown: plan.Unknown + len(of) - len(seen), Items: []ReplacementMonth{}}
	for _, m := range plan.Months {
		out.Items = append(out.Items, ReplacementMonth{m.Month, m.Due, m.Expected, m.IDs})
	}
	return out, nil
}

func (a *API) warranty(ctx context.Context, in *warrantyInput) (FleetWarranty, error) {
	of, err := a.members(ctx, in.FleetScope)
	if err != nil {
		return FleetWarranty{}, err
	}
	claims := dossier.Claims(standingsOf(of))
	out := FleetWarranty{
		Claims: ClaimsRate{basisOf(claims.Basis), claims.PerYear, claims.Low, claims.High}, Items: []WarrantyWatch{},
	}
	for _, m := range of {
		s := m.standing
		if !m.seen || s.WarrantyState == "" {
			continue
		}
		if s.Covered {
			out.Covered++
		}
		switch s.WarrantyState {
		case "near":
			out.Near++
		case "exceeded":
			out.Exceeded++
		}
		if s.Claim {
			out.Open++
		}
		if s.Claim || s.WarrantyState != "within" {
			out.Items = append(out.Items, viewWatch(m))
		}
	}
	return out, nil
}

func viewWatch(m member) WarrantyWatch {
	s := m.standing
	return WarrantyWatch{
		ID: m.ID, OwnerID: m.OwnerID, SiteID: m.SiteID, Chemistry: m.Chemistry, Warranty: s.WarrantyState, Covered: s.Covered, Claim: s.Claim,
		SoHPct: s.SoHPct, EquivalentFullCycles: s.EquivalentFullCycles, ThroughputWh: s.ThroughputWh, NegativeEvents: s.Events,
		Commissioned: timePtr(m.Commissioned), AsOf: Time((s.Day + 1) * telemetry.Day),
	}
}
