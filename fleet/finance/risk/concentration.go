package risk

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// Part is one site's, customer's or partner's part of a whole.
type Part struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // of the whole
}

// Concentration is how much hangs on few.
type Concentration struct {
	finance.Value         // Herfindahl's index, 1/n…1
	Effective     float64 `json:"effective_number"` // how many equal parts would be as concentrated
	Largest       []Part  `json:"largest"`          // descending, ten at most
	Count         int     `json:"count"`            // parts that are not 0
}

// mostListed bounds Largest.
const mostListed = 10

// Herfindahl is the sum of the squares of the shares (Herfindahl 1950; Hirschman
// 1964, American Economic Review 54:761). Four customers with half, a quarter and
// two eighths of the revenue are 0.34375, as concentrated as 2.90909 equal ones.
// Amounts are by name, at least 0, and it is insufficient where all are 0.
func Herfindahl(amounts map[string]float64) (Concentration, error) {
	names := slices.Sorted(maps.Keys(amounts))
	var whole float64
	for _, name := range names {
		a := amounts[name]
		if !(a >= 0) || math.IsInf(a, 0) {
			return Concentration{}, fmt.Errorf("%w: %v of %q", ErrInput, a, name)
		}
		whole += a
	}
	c := Concentration{Largest: []Part{}}
	if whole == 0 || math.IsInf(whole, 0) {
		c.Value = finance.Lack(finance.Insufficient, "there is nothing to share")
		return c, nil
	}
	var index float64
	for _, name := range names {
		if share := amounts[name] / whole; share > 0 {
			index += share * share
			c.Largest = append(c.Largest, Part{name, share})
		}
	}
	c.Count = len(c.Largest)
	slices.SortStableFunc(c.Largest, func(a, b Part) int { return cmp.Compare(b.Share, a.Share) })
	c.Largest = c.Largest[:min(len(c.Largest), mostListed)]
	c.Value, c.Effective = finance.Have(index), 1/index
	return c, nil
}
