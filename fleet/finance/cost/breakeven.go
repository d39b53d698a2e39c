package cost

import (
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// ErrQuantity is returned for a quantity below 0, or a number that is not finite.
var ErrQuantity = errors.New("a quantity is below 0 or not finite")

// Use is what an asset could deliver in a period and what that earns and costs.
type Use struct {
	Capacity float64 // units in a period at full use, as swaps
	Price    float64 // a unit; below 0 where more was paid back than it brought
	Variable float64 // cost of a unit, as its energy; below 0 where it was paid for
	Fixed    float64 // cost of the period whatever is delivered, with the period's part of the investment
}

// BreakEven is the share of the capacity from which what is delivered pays the
// fixed costs: Fixed/(Capacity·(Price−Variable)), by Brealey, Myers & Allen, ch.
// 10. 1000 units at 3.00, of which 1.20 is energy, with 900 fixed break even at
// 0.5. It is none where no use is enough: where a unit brings no more than it
// costs, or the share is above 1, which the reason then tells.
func BreakEven(u Use) (finance.Value, error) {
	margin := u.Price - u.Variable
	if !(u.Capacity >= 0 && u.Fixed >= 0) || math.IsInf(u.Capacity+u.Fixed, 0) || math.IsNaN(margin) || math.IsInf(margin, 0) {
		return finance.Value{}, fmt.Errorf("%w: %+v", ErrQuantity, u)
	}
	switch {
	case u.Fixed == 0 && margin >= 0:
		return finance.Have(0), nil
	case margin <= 0:
		return finance.Lack(finance.None, "a unit brings no more than it costs"), nil
	case u.Capacity == 0:
		return finance.Lack(finance.Insufficient, "the capacity is not known"), nil
	}
	share := u.Fixed / (u.Capacity * margin)
	if share > 1 {
		return finance.Lack(finance.None, fmt.Sprintf("it would take %.4g times its capacity", share)), nil
	}
	return finance.Have(share), nil
}
