// Package carbon turns energy into emissions, by the two methods of the GHG
// Protocol Scope 2 Guidance (2015): location-based, by the grid as it was in
// each hour, and market-based, by what was contracted. They are never added.
//
// It is pure.
package carbon

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results.
const Version = "carbon/1"

// Grid is the location-based factor of a grid over time.
type Grid struct {
	ID      string       `json:"id"`      // for example "GB"
	Version string       `json:"version"` // of the data
	Factor  energy.Steps `json:"factor"`  // kg CO₂e per unit of energy
}

// Location is a location-based result.
type Location struct {
	Grid    string        `json:"grid"`
	Version string        `json:"version"`
	Period  energy.Period `json:"period"`
	KG      float64       `json:"kg"`
	// FlatKG is what the mean factor would give, and so what the hours matter.
	FlatKG   float64 `json:"flat_kg"`
	Mean     float64 `json:"mean_factor"` // of the factor over the rows, each row counted once
	Use      float64 `json:"use"`         // that was counted
	Uncount  float64 `json:"use_without_factor"`
	Missing  int     `json:"missing_rows"` // without use
	Coverage float64 `json:"coverage"`     // of the rows that count, 0…1
	// Verdict says whether enough of the rows count: where none does, KG is 0 and
	// means nothing.
	Verdict energy.Verdict `json:"verdict"`
}

// The codes of the verdict on a location-based result.
const (
	NoFactor    = "no_emission_factor"
	LowCoverage = "emission_coverage_low"
)

// minCoverage is the share of the rows that must count.
const minCoverage = 0.9

// Locate sums use × factor over rows:
//
//	kg = Σ Eₜ·fₜ
//
// Rows without a factor for all of their time are not counted, and said to be.
//
// Worked case, building b4 of the Cambridge archive, 2018: 143,718.6 kWh by the
// hour give 32,624.84 kg, by the mean of the year 30,878.60 kg.
func (g Grid) Locate(rows []energy.Row) Location {
	l := Location{
		Grid: g.ID, Version: g.Version, Period: energy.Span(rows),
		Verdict: energy.Verdict{Sufficient: true, Criteria: Version, Reasons: []energy.Reason{}},
	}
	var factors, counted float64
	for _, r := range rows {
		if math.IsNaN(r.Use) {
			l.Missing++
			continue
		}
		factor, known := g.Factor.Over(r)
		if known < 1 {
			l.Uncount += r.Use
			continue
		}
		l.Use += r.Use
		l.KG += r.Use * factor
		factors += factor
		counted++
	}
	if counted > 0 {
		l.Mean = factors / counted
		l.FlatKG = l.Use * l.Mean
		l.Coverage = counted / float64(len(rows))
	}
	switch {
	case counted == 0:
		l.Verdict.Add(energy.Reason{Code: NoFactor, Critical: true, Text: "no row has both use and an emission factor"})
	case l.Coverage < minCoverage:
		l.Verdict.Add(energy.Reason{
			Code: LowCoverage, Critical: true, Text: "too many rows lack use or an emission factor",
			Values: map[string]float64{"coverage": l.Coverage},
		})
	}
	return l
}

// Contract is a market-based factor for a share of the use.
type Contract struct {
	ID     string  `json:"id"`
	Share  float64 `json:"share"`  // of the use, 0…1
	Factor float64 `json:"factor"` // kg CO₂e per unit; 0 for certified renewable supply
}

// Market is a market-based result.
type Market struct {
	KG        float64    `json:"kg"`
	Use       float64    `json:"use"`
	Contracts []Contract `json:"contracts"`
	Residual  float64    `json:"residual_share"` // at the residual mix
}

// Contracted is the market-based result of a use: the contracts, and the residual
// mix for what they do not cover. Shares beyond one in all are cut, in order.
func Contracted(use float64, contracts []Contract, residualFactor float64) Market {
	m := Market{Use: use, Residual: 1, Contracts: []Contract{}}
	for _, c := range contracts {
		c.Share = min(max(c.Share, 0), m.Residual)
		m.Residual -= c.Share
		m.KG += use * c.Share * c.Factor
		m.Contracts = append(m.Contracts, c)
	}
	m.KG += use * m.Residual * residualFactor
	return m
}

// Reduction is the emission that a saving avoids.
type Reduction struct {
	Grid       string   `json:"grid"`
	Version    string   `json:"version"`
	BaselineKG float64  `json:"baseline_kg"`
	KG         float64  `json:"kg"`
	AvoidedKG  float64  `json:"avoided_kg"`
	Fraction   *float64 `json:"fraction"` // of the baseline
	// PlusKG is the half width of the saving's interval at the mean factor of the
	// baseline; the factor itself is taken as exact.
	PlusKG *float64 `json:"plus_minus_kg"`
	Rows   int      `json:"rows"` // that have use, baseline and factor
}

// Avoided sets baseline and use side by side, by the hour: Σ(baseline −
// observed)·factor. A saving at night and one at the evening peak differ. u is
// the uncertainty of the saving over the same rows; nil where it is not known.
func (g Grid) Avoided(rows []energy.Row, baseline []float64, u *energy.Uncertainty) Reduction {
	d := Reduction{Grid: g.ID, Version: g.Version}
	var use float64
	for i, r := range rows {
		factor, known := g.Factor.Over(r)
		if known < 1 || math.IsNaN(r.Use) || math.IsNaN(baseline[i]) {
			continue
		}
		d.Rows++
		use += baseline[i]
		d.BaselineKG += baseline[i] * factor
		d.KG += r.Use * factor
	}
	d.AvoidedKG = d.BaselineKG - d.KG
	d.Fraction = energy.Known(d.AvoidedKG / d.BaselineKG)
	if u != nil {
		d.PlusKG = energy.Known(u.Plus * d.BaselineKG / use)
	}
	return d
}

// Intensity is an amount per square metre of floor and year of 365 days; nil
// without a floor area or a period.
func Intensity(amount float64, p energy.Period, floorM2 float64) *float64 {
	days := p.To.Sub(p.From).Hours() / 24
	if floorM2 <= 0 || days <= 0 {
		return nil
	}
	return energy.Known(amount / floorM2 * 365 / days)
}
