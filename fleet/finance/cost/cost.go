// Package cost owns what a unit of service costs over an asset's life: levelised
// costs of a kilowatt-hour or a swap, the total cost of ownership, and the use from
// which an asset earns its keep. It knows no currency: all amounts are of one, in
// major units, and costs are positive here.
package cost

import (
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// Levelised is the cost of each unit delivered that pays all costs at a rate of
// return (IEA & NEA, Projected Costs of Generating Electricity, 2020):
//
//	Σ costᵢ·(1+r)^−i / Σ outputᵢ·(1+r)^−i
//
// i counts periods from 0. What the asset is sold for in the end is a negative
// cost. The output is kWh delivered, swaps, or any other.
//
// 1000, 100, 100, 100 for 0, 500, 500, 500 kWh at 10 % are 1.0042296 a kWh. It is
// insufficient where nothing was delivered.
func Levelised(rate float64, costs, output []float64) (finance.Value, error) {
	for i, q := range output {
		if q < 0 {
			return finance.Value{}, fmt.Errorf("%w: output %v of period %d", ErrQuantity, q, i)
		}
	}
	paid, err := finance.NPV(rate, costs)
	if err != nil {
		return finance.Value{}, err
	}
	delivered, err := finance.NPV(rate, output)
	if err != nil {
		return finance.Value{}, err
	}
	if delivered == 0 {
		return finance.Lack(finance.Insufficient, "nothing was delivered"), nil
	}
	return finance.Have(paid / delivered), nil
}

// Life is what assets cost from their first purchase on, of years 1, 2, … since.
type Life struct {
	Purchases []float64 // at the beginning of each year: the first today
	Operating []float64 // energy, maintenance, rent, insurance; at the end of each year
	Recovered []float64 // what sales and recycling bring, or cost where negative; at the end of each year
}

// Ownership is the total cost of ownership, in today's money.
type Ownership struct {
	Purchase  float64       `json:"purchase"`
	Operating float64       `json:"operating"`
	Recovered float64       `json:"recovered"` // it lowers the total
	Total     float64       `json:"total"`
	PerYear   finance.Value `json:"per_year"` // the equal amount at the end of each year that is worth the total
}

// TotalCostOfOwnership is the present value of a life's costs at a rate a year
// (Ellram 1995, Int. J. Physical Distribution 25(8):4, discounted). What a year costs
// to run, and what it brings back, counts at its end, and what is paid for assets
// ahead of that, at its beginning, as the first purchase does (the end-of-period
// convention of Park, Contemporary Engineering Economics, with later purchases taken
// as the first). The equal amount a year is Total·r/(1−(1+r)^−n), n the years (Park's
// capital recovery factor).
//
// 1000, then 100 a year for 3 years and 200 back, at 10 % are 1098.42224, or
// 441.69184 a year.
func TotalCostOfOwnership(rate float64, l Life) (Ownership, error) {
	n := max(len(l.Purchases), len(l.Operating), len(l.Recovered))
	recovered, err := finance.NPVFromOne(rate, l.Recovered)
	if err != nil {
		return Ownership{}, err
	}
	operating, err := finance.NPVFromOne(rate, l.Operating)
	if err != nil {
		return Ownership{}, err
	}
	purchase, err := finance.NPV(rate, l.Purchases)
	if err != nil {
		return Ownership{}, err
	}
	o := Ownership{Purchase: purchase, Operating: operating, Recovered: recovered, Total: purchase + operating - recovered}
	switch {
	case n == 0:
		o.PerYear = finance.Lack(finance.Insufficient, "it lives for no whole year")
	case rate == 0:
		o.PerYear = finance.Have(o.Total / float64(n))
	default:
		o.PerYear = finance.Have(o.Total * rate / -math.Expm1(-float64(n)*math.Log1p(rate)))
	}
	return o, nil
}
