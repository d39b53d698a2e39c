package savings

import (
	"maps"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Member is the saving of one building in a portfolio.
type Member struct {
	ID          string              `json:"id"`
	Baseline    float64             `json:"baseline"`
	Saving      float64             `json:"saving"`
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
	// SlowPlus is Avoided's: the wider of the two counts in Together.
	SlowPlus *float64 `json:"slow_plus_minus"`
	// Residuals of its baseline say how its error goes with those of others; nil
	// where they are not known.
	Residuals *energy.Weekly `json:"-"`
}

// Portfolio is the saving of many buildings.
type Portfolio struct {
	Members  []Member `json:"members"`
	Left     []string `json:"left_out"` // those without an uncertainty
	Baseline float64  `json:"baseline"`
	Saving   float64  `json:"saving"`
	Fraction *float64 `json:"fraction"`
	// Uncertainty is that of the standard, which takes the buildings as
	// independent.
	Uncertainty *energy.Uncertainty `json:"uncertainty"`
	// Together is the same with errors that go together, by Correlation; nil where
	// that is not known.
	Together *energy.Uncertainty `json:"uncertainty_together"`
	// Correlation is the mean correlation of the weekly residuals of two buildings,
	// weighted by their uncertainties, and 0 at least; nil where fewer than two
	// have any.
	Correlation *float64 `json:"residual_correlation"`
	Significant bool     `json:"significant"` // neither interval holds zero
}

// Aggregate sums the savings, and their uncertainties as the root of the sum of
// squares (CalTRACK 2.0, 4.3.2.5). A member without an uncertainty is named and
// left out, since a sum with it could not say how sure it is.
//
// Buildings under one sky are wrong together: what no model knows, the sun, the
// holidays, the economy, moves all of them. So the errors of a hundred do not
// cancel as those of dice do, and Together is
//
//	±² = ΣUᵢ² + ρ·((ΣUᵢ)² − ΣUᵢ²)
//
// with U the wider of the two half widths of each and ρ the mean correlation of their residuals before the measure, where it is
// above zero (the variance of a sum; for one correlation, Lohr, Sampling: Design
// and Analysis, 5.2).
//
// Worked case: four of ± 10 are ± 20 independent, and ± √(400 + 0.5·1200) = 31.6
// where ρ is 0.5.
func Aggregate(members []Member) Portfolio {
	p := Portfolio{Members: []Member{}, Left: []string{}}
	var parts []*energy.Uncertainty
	var sum, squares float64
	for _, m := range members {
		if m.Uncertainty == nil {
			p.Left = append(p.Left, m.ID)
			continue
		}
		p.Members = append(p.Members, m)
		p.Baseline += m.Baseline
		p.Saving += m.Saving
		sum += m.widest()
		squares += m.widest() * m.widest()
		parts = append(parts, m.Uncertainty)
	}
	p.Fraction = energy.Known(p.Saving / p.Baseline)
	p.Uncertainty = energy.Combine(parts...).Of(p.Saving)
	p.Correlation = correlation(p.Members)
	if p.Uncertainty == nil {
		return p
	}
	p.Significant = math.Abs(p.Saving) > p.Uncertainty.Plus
	if p.Correlation == nil {
		return p
	}
	together := energy.Uncertainty{
		Method: energy.CorrelatedSum, Confidence: p.Uncertainty.Confidence,
		Plus: math.Sqrt(squares + *p.Correlation*max(sum*sum-squares, 0)),
	}
	p.Together = together.Of(p.Saving)
	p.Significant = math.Abs(p.Saving) > max(p.Uncertainty.Plus, together.Plus)
	return p
}

// widest is the half width of the wider interval.
func (m Member) widest() float64 {
	if m.SlowPlus != nil {
		return max(m.Uncertainty.Plus, *m.SlowPlus)
	}
	return m.Uncertainty.Plus
}

// correlation is Portfolio.Correlation. With z the residuals of a building,
// centred and of unit variance, the products of all pairs of a week are the
// square of the sum less the sum of squares, so that it takes one pass; a week
// counts for the pairs that both have it.
func correlation(members []Member) *float64 {
	type week struct{ sum, squares, weight, weightSquares float64 }
	weeks := map[int]*week{}
	for _, m := range members {
		for k, z := range standard(m.Residuals) {
			if z == nil {
				continue
			}
			at := m.Residuals.First + k
			if weeks[at] == nil {
				weeks[at] = &week{}
			}
			w, u := weeks[at], m.widest()
			w.sum += u * *z
			w.squares += u * u * *z * *z
			w.weight += u
			w.weightSquares += u * u
		}
	}
	var products, pairs float64
	for _, at := range slices.Sorted(maps.Keys(weeks)) { // sums in one order are the same sums
		w := weeks[at]
		products += w.sum*w.sum - w.squares
		pairs += w.weight*w.weight - w.weightSquares
	}
	if !(pairs > 0) {
		return nil
	}
	return energy.Known(min(max(products/pairs, 0), 1))
}

// fewestWeeks is how many residuals say how they go with others.
const fewestWeeks = 20

// standard centres residuals and divides them by their standard deviation; nil
// where they are too few, or all the same.
func standard(w *energy.Weekly) []*float64 {
	if w == nil {
		return nil
	}
	var n, mean, squares float64
	for _, x := range w.Sums {
		if x != nil {
			n++
			mean += *x
		}
	}
	mean /= n
	for _, x := range w.Sums {
		if x != nil {
			squares += (*x - mean) * (*x - mean)
		}
	}
	if n < fewestWeeks || !(squares > 0) {
		return nil
	}
	out := make([]*float64, len(w.Sums))
	for i, x := range w.Sums {
		if x != nil {
			z := (*x - mean) / math.Sqrt(squares/n)
			out[i] = &z
		}
	}
	return out
}
