package savings

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Member is the saving of one building in a portfolio.
type Member struct {
	ID          string              `json:"id"`
	Baseline    float64             `json:"baseline"`
	Saving      float64             `json:"saving"`
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
}

// Portfolio is the saving of many buildings, which are taken as independent.
type Portfolio struct {
	Members     []Member            `json:"members"`
	Left        []string            `json:"left_out"` // those without an uncertainty
	Baseline    float64             `json:"baseline"`
	Saving      float64             `json:"saving"`
	Fraction    *float64            `json:"fraction"`
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
	Significant bool                `json:"significant"`
}

// Aggregate sums the savings, and their uncertainties as the root of the sum of
// squares (CalTRACK 2.0, 4.3.2.5). A member without an uncertainty is named and
// left out, since a sum with it could not say how sure it is.
func Aggregate(members []Member) Portfolio {
	p := Portfolio{Members: []Member{}, Left: []string{}}
	var parts []*energy.Uncertainty
	for _, m := range members {
		if m.Uncertainty == nil {
			p.Left = append(p.Left, m.ID)
			continue
		}
		p.Members = append(p.Members, m)
		p.Baseline += m.Baseline
		p.Saving += m.Saving
		parts = append(parts, m.Uncertainty)
	}
	p.Fraction = energy.Known(p.Saving / p.Baseline)
	p.Uncertainty = energy.Combine(parts...).Of(p.Saving)
	p.Significant = p.Uncertainty != nil && math.Abs(p.Saving) > p.Uncertainty.Plus
	return p
}
