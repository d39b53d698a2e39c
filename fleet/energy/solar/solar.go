// Package solar says how green a building's energy is: how much of its own
// generation it uses, and how much of its use that covers.
//
// It is pure.
package solar

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Share is how generation and use meet.
type Share struct {
	Period     energy.Period `json:"period"`
	Use        float64       `json:"use"` // of the building, from the grid and its own generation
	Generation float64       `json:"generation"`
	Own        float64       `json:"own_use"` // Σ min(use, generation)
	// Standby is what the inverter itself drew, where its meter counts that as
	// negative generation. It is in no other number.
	Standby float64 `json:"inverter_standby"`
	Import  float64 `json:"import"`
	Export  float64 `json:"export"`
	// SelfConsumption is Own/Generation, SelfSufficiency is Own/Use; nil
	// without any.
	SelfConsumption *float64 `json:"self_consumption"`
	SelfSufficiency *float64 `json:"self_sufficiency"`
	// Green is the share of use from own generation and, by its share, from
	// green imports.
	Green   *float64 `json:"green_share"`
	Missing int      `json:"missing_rows"`
}

// Match sets use against generation row by row. Both are in the same unit, over
// the same rows; the shorter the rows the truer the result, since within a row
// they are taken to meet. greenImport is the green share of what the grid
// supplies, 0…1.
func Match(rows []energy.Row, generation []float64, greenImport float64) Share {
	s := Share{Period: energy.Span(rows)}
	for i, r := range rows {
		if math.IsNaN(r.Use) || math.IsNaN(generation[i]) {
			s.Missing++
			continue
		}
		generated := max(generation[i], 0)
		own := max(min(r.Use, generated), 0)
		s.Use += r.Use
		s.Generation += generated
		s.Standby += generated - generation[i]
		s.Own += own
		s.Import += r.Use - own
		s.Export += generated - own
	}
	s.SelfConsumption = energy.Known(s.Own / s.Generation)
	s.SelfSufficiency = energy.Known(s.Own / s.Use)
	s.Green = energy.Known((s.Own + s.Import*greenImport) / s.Use)
	return s
}
