// Package compare sets a building beside itself a year ago and beside its peers.
//
// It is pure.
package compare

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Years is a period beside the same one a year before, by the mean use of the
// days that are known in both, so that gaps do not look like savings. It does
// not correct for weather; a baseline does.
type Years struct {
	Now      energy.Period  `json:"now"`
	Before   energy.Period  `json:"before"`
	Days     int            `json:"days"` // known in both
	Use      float64        `json:"use"`  // over those days
	Earlier  float64        `json:"earlier_use"`
	Change   float64        `json:"change"`
	Fraction *float64       `json:"fraction"` // of the earlier use; negative where use fell
	Verdict  energy.Verdict `json:"verdict"`
}

// minPaired is the share of the days that must be known in both years.
const minPaired = 0.9

// YearOnYear pairs the rows by their place in the period, and so 29 February with
// the day in its place. The error wraps energy.ErrInsufficientData where no pair
// is known.
func YearOnYear(now, before []energy.Row) (*Years, error) {
	y := Years{
		Now: energy.Span(now), Before: energy.Span(before),
		Verdict: energy.Verdict{Sufficient: true, Criteria: "compare/1", Reasons: []energy.Reason{}},
	}
	n := min(len(now), len(before))
	for i := range n {
		if math.IsNaN(now[i].Use) || math.IsNaN(before[i].Use) {
			continue
		}
		y.Days++
		y.Use += now[i].Use
		y.Earlier += before[i].Use
	}
	if y.Days == 0 {
		return nil, energy.Lacking("compare/1", "no_pairs", "no day is known in both years")
	}
	if float64(y.Days) < minPaired*float64(max(len(now), len(before))) {
		y.Verdict.Add(energy.Reason{
			Code: "few_pairs", Critical: true, Text: "too few days are known in both years",
			Values: map[string]float64{"days": float64(y.Days)},
		})
	}
	y.Change = y.Use - y.Earlier
	y.Fraction = energy.Known(y.Change / y.Earlier)
	return &y, nil
}

// Rank is a value among those of peers.
type Rank struct {
	Value      float64 `json:"value"`
	Peers      int     `json:"peers"`
	Percentile float64 `json:"percentile"` // share of the peers at or below the value, 0…100
	Median     float64 `json:"median"`
	Quarter    float64 `json:"first_quartile"`
}

// minPeers keeps a peer from being told by its rank.
const minPeers = 5

// Among ranks a value, such as an intensity per square metre, among its peers'.
// Below five peers there is no rank: it would tell what the others use.
func Among(value float64, peers []float64) (*Rank, error) {
	var known []float64
	for _, p := range peers {
		if !math.IsNaN(p) && !math.IsInf(p, 0) {
			known = append(known, p)
		}
	}
	if len(known) < minPeers || math.IsNaN(value) {
		return nil, energy.Lacking("compare/1", "too_few_peers", "a rank needs at least five peers")
	}
	slices.Sort(known)
	r := Rank{Value: value, Peers: len(known)}
	below := 0
	for _, p := range known {
		if p <= value {
			below++
		}
	}
	r.Percentile = 100 * float64(below) / float64(len(known))
	r.Median, r.Quarter = energy.Quantile(known, 0.5), energy.Quantile(known, 0.25)
	return &r, nil
}
