package accounts

import (
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/cost"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/project"
	"github.com/fleetwatt/fleetwatt/fleet/finance/risk"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// ReturnsVersion names the rules by which returns are made of statements.
const ReturnsVersion = "returns/2"

// Assumptions are what returns rest on beside the books.
type Assumptions struct {
	Today    daycount.Date
	Rate     float64  // to discount by, a year
	Riskless float64  // return a year
	Life     LifeLeft // years
	Residual float64  // what it is sold for at the end of its life, major units
	Fade     float64  // share of the revenue lost each year of what is to come
	Capacity float64  // swaps a day at full use; 0: not known
	Seed     uint64   // of the simulation
	Runs     int      // of the simulation; 0: none
}

// LifeLeft is how long the assets will serve on, in years. A nil median is not
// known. Without a low end the life was entered, and is exact; with one it is
// foreseen, and a nil high end is beyond what is told.
type LifeLeft struct {
	Low, Median, High *float64
	Reason            string // why it is not known
}

// Returns is what a track is worth. Amounts are in major units.
type Returns struct {
	Flows      []finance.Flow
	Invested   float64 // paid for assets
	NPV        finance.Value
	XIRR       finance.Rates
	Payback    finance.Payback
	Discounted finance.Payback
	ROI        finance.Value
	Annualised finance.Value
	PerKWh     finance.Value
	PerSwap    finance.Value
	TCO        *cost.Ownership // nil: nothing was bought
	BreakEven  finance.Value
	Volatility risk.Measure
	Sharpe     risk.Measure
	Sortino    risk.Measure
	Drawdown   risk.Drawdown
	Projection Projection
}

// noPurchase says that there is nothing to set the earnings against.
const noPurchase = "no capital cost was entered; enter what the assets cost"

// noSplit says why what was done is not set against amounts.
const noSplit = "there are amounts in several currencies: costs are not added up, and swaps not told apart"

// Worth works out what a track returned.
func (t *Track) Worth(a Assumptions) (Returns, error) {
	r := Returns{Flows: t.flows(), Invested: float64(t.bought) / t.scale()}
	for _, step := range []func(Assumptions, *Returns) error{t.discount, t.ratios, t.unitCosts, t.ownership, t.breakEven, t.risks, t.project} {
		if err := step(a, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (t *Track) discount(a Assumptions, r *Returns) error {
	npv, err := finance.XNPV(a.Rate, r.Flows, daycount.Actual365F)
	if err != nil {
		return err
	}
	r.NPV = finance.Have(npv)
	if len(r.Flows) == 0 {
		r.NPV = finance.Lack(finance.Insufficient, "nothing was booked, or all of it cancels out on its day")
	}
	if r.XIRR, err = finance.XIRR(r.Flows, daycount.Actual365F); err != nil {
		return err
	}
	if r.Payback, err = finance.XPayback(0, r.Flows, daycount.Actual365F); err != nil {
		return err
	}
	r.Discounted, err = finance.XPayback(a.Rate, r.Flows, daycount.Actual365F)
	return err
}

// ratios set everything that came back against what was paid for assets.
func (t *Track) ratios(a Assumptions, r *Returns) error {
	lack := finance.Lack(finance.Insufficient, noPurchase)
	since, bought := t.since()
	if !bought {
		r.ROI, r.Annualised = lack, lack
		return nil
	}
	var back int64
	for i := range t.Months {
		back += t.Months[i].Operating() + t.Months[i].Capital
	}
	total := float64(back) / float64(t.bought) // Capital holds what was paid, negative
	r.ROI = finance.Have(total)
	var err error
	r.Annualised, err = finance.Annualised(total, daycount.Actual365F.Years(since, a.Today))
	return err
}

// unitCosts are all costs over all that was delivered, both discounted by month.
func (t *Track) unitCosts(a Assumptions, r *Returns) error {
	if t.mixed {
		r.PerSwap = finance.Lack(finance.Insufficient, noSplit)
		r.PerKWh = r.PerSwap
		return nil
	}
	costs, kWh, swaps := make([]float64, len(t.Months)), make([]float64, len(t.Months)), make([]float64, len(t.Months))
	untold := int64(0)
	for i, m := range t.Months {
		costs[i] = -float64(m.Costs+m.Capital) / t.scale()
		kWh[i], swaps[i] = float64(m.HandedMilliW)/perKWh, float64(m.Swaps)
		untold += m.Swaps - m.Told
	}
	monthly := math.Pow(1+a.Rate, 1.0/12) - 1
	var err error
	if r.PerSwap, err = cost.Levelised(monthly, costs, swaps); err != nil {
		return err
	}
	if untold > 0 {
		r.PerKWh = finance.Lack(finance.Insufficient, fmt.Sprintf("%d swaps do not tell how much energy was handed out", untold))
		return nil
	}
	r.PerKWh, err = cost.Levelised(monthly, costs, kWh)
	return err
}

// ownership is the total cost since the first purchase, by years from then.
func (t *Track) ownership(a Assumptions, r *Returns) error {
	since, bought := t.since()
	if !bought {
		return nil
	}
	y, m, _ := since.Civil()
	yearOf := func(of statement.Month) int { return max(0, (of.Year-y)*12+int(of.Month)-int(m)) / 12 }
	years := yearOf(t.Months[len(t.Months)-1].Month) + 1
	life := cost.Life{Purchases: make([]float64, years), Operating: make([]float64, years), Recovered: make([]float64, years)}
	for i := range t.Months {
		f := &t.Months[i]
		year := yearOf(f.Month)
		life.Purchases[year] += float64(f.Recovered-f.Capital) / t.scale()
		life.Operating[year] -= float64(f.Costs) / t.scale()
		life.Recovered[year] += float64(f.Recovered) / t.scale()
	}
	tco, err := cost.TotalCostOfOwnership(a.Rate, life)
	r.TCO = &tco
	return err
}

// breakEven is the use from which a day's swaps pay that day's costs. Of what the
// parties of agreements got, the swaps bear their part of the revenue.
func (t *Track) breakEven(a Assumptions, r *Returns) error {
	var swaps, revenue, energy, fixed, days float64
	for _, m := range t.over() {
		shares := float64(m.Shares)
		if m.Revenue > 0 {
			shares *= float64(m.Swapped) / float64(m.Revenue)
		}
		swaps += float64(m.Swaps)
		revenue += (float64(m.Swapped) + shares) / t.scale()
		energy -= float64(m.Energy) / t.scale()
		fixed -= float64(m.Costs-m.Energy) / t.scale()
		days += float64(daycount.Of(m.Month.Year, m.Month.Month+1, 1) - daycount.Of(m.Month.Year, m.Month.Month, 1))
	}
	since, bought := t.since()
	switch {
	case t.mixed:
		r.BreakEven = finance.Lack(finance.Insufficient, noSplit)
	case a.Capacity <= 0:
		r.BreakEven = finance.Lack(finance.Insufficient, "say how many swaps a day are full use: capacity_swaps_per_day")
	case swaps == 0 || days == 0:
		r.BreakEven = finance.Lack(finance.Insufficient, "no swap in a month that is over")
	case bought && a.Life.Median == nil:
		r.BreakEven = finance.Lack(finance.Insufficient, "the investment can't be spread: "+a.Life.Reason)
	default:
		fixed /= days
		if bought {
			life := daycount.Actual365F.Years(since, a.Today) + min(*a.Life.Median, longestLife)
			fixed += (r.Invested - a.Residual) / max(life*365, 1)
		}
		var err error
		r.BreakEven, err = cost.BreakEven(cost.Use{Capacity: a.Capacity, Price: revenue / swaps, Variable: energy / swaps, Fixed: max(0, fixed)})
		return err
	}
	return nil
}

// yields are what each month that is over returned of the capital in it then, and
// the index that they make, from the beginning of the first. A month that loses all of
// it, or more, has no point there.
func (t *Track) yields() (returns []float64, index []risk.Point) {
	var capital int64
	value := 1.0
	for _, m := range t.over() {
		if capital > 0 {
			y := float64(m.Operating()) / float64(capital)
			if returns = append(returns, y); len(returns) == 1 {
				index = append(index, risk.Point{Date: daycount.Of(m.Month.Year, m.Month.Month, 1), Value: value})
			}
			if value *= 1 + y; value > 0 {
				index = append(index, risk.Point{Date: daycount.Of(m.Month.Year, m.Month.Month+1, 1), Value: value})
			}
		}
		capital -= m.Capital
	}
	return returns, index
}

func (t *Track) risks(a Assumptions, r *Returns) error {
	returns, index := t.yields()
	monthly := math.Pow(1+a.Riskless, 1.0/12) - 1
	var err error
	if r.Volatility, err = risk.Volatility(returns, 12); err != nil {
		return err
	}
	if r.Sharpe, err = risk.Sharpe(returns, monthly, 12); err != nil {
		return err
	}
	if r.Sortino, err = risk.Sortino(returns, monthly, 12); err != nil {
		return err
	}
	if r.Drawdown, err = risk.MaxDrawdown(index); err != nil {
		return err
	}
	if len(returns) >= len(index) && len(returns) > 0 {
		r.Drawdown = risk.Drawdown{Value: finance.Lack(finance.None, "a month lost all of the capital that was in it, or more")}
	}
	if t.bought <= 0 {
		lack := finance.Lack(finance.Insufficient, noPurchase)
		r.Volatility.Value, r.Sharpe.Value, r.Sortino.Value, r.Drawdown.Value = lack, lack, lack, lack
	}
	return nil
}

// Projection is what is to come: what has not come back yet, set against what the
// months of the last year say that the next will bring.
type Projection struct {
	Status  finance.Status
	Reason  string
	Plan    *project.Plan   // nil: there is none
	Rests   int             // months that it rests on
	Whole   project.Outcome // what was and what is to come as one investment
	Forward project.Scenarios
	Spread  *project.Simulation // nil: not asked for
	Ranges  string              // how far the scenarios are from the base
}
