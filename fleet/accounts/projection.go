package accounts

import (
	"fmt"
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/project"
)

// leastMonths are the fewest that a projection rests on.
const leastMonths = 3

// longestLife bounds a remaining life, in years, whose end nobody can tell.
const longestLife = 30

// ranges are how far the future may be from the past year: what is likeliest, and
// the ends that we assume.
func ranges(l LifeLeft) project.Uncertainty {
	u := project.Uncertainty{
		Revenue:  project.Range{Low: 0.8, Mode: 1, High: 1.2},
		Cost:     project.Range{Low: 0.9, Mode: 1, High: 1.2},
		Residual: project.Just(1),
		Life:     project.Just(*l.Median),
	}
	if l.Low != nil && l.High != nil && *l.Low <= *l.Median && *l.Median <= *l.High {
		u.Life = project.Range{Low: *l.Low, Mode: *l.Median, High: *l.High}
	}
	return u
}

// project foresees what is to come.
func (t *Track) project(a Assumptions, r *Returns) error {
	over := t.over()
	over = over[max(0, len(over)-12):]
	lack := func(reason string) error {
		r.Projection = Projection{Status: finance.Insufficient, Reason: reason, Rests: len(over)}
		return nil
	}
	switch {
	case t.bought <= 0:
		return lack(noPurchase)
	case len(over) < leastMonths:
		return lack(fmt.Sprintf("only %d months are over; at least %d are needed", len(over), leastMonths))
	case a.Life.Median == nil:
		return lack(a.Life.Reason)
	case *a.Life.Median <= 0:
		return lack("the end of its life has come")
	}
	var revenue, costs int64
	for _, m := range over {
		revenue += m.Revenue + m.Shares
		costs -= m.Costs
	}
	open := 0.0
	for _, f := range r.Flows {
		open -= f.Amount
	}
	yearly := 12 / float64(len(over)) / t.scale()
	plan := project.Plan{
		Start: a.Today, Investment: max(0, open), Revenue: max(0, float64(revenue)*yearly), Cost: max(0, float64(costs)*yearly),
		Fade: a.Fade, Residual: a.Residual, Life: min(*a.Life.Median, longestLife), Rate: a.Rate,
	}
	u := ranges(a.Life)
	p := Projection{Status: finance.OK, Plan: &plan, Rests: len(over), Ranges: u}
	var err error
	if p.Forward, err = plan.Scenarios(u); err != nil {
		return err
	}
	if a.Runs > 0 {
		spread, err := plan.Simulate(u, a.Runs, rand.NewPCG(a.Seed, 0))
		if err != nil {
			return err
		}
		p.Spread = &spread
	}
	p.Whole, err = wholeLife(plan, r.Flows)
	r.Projection = p
	return err
}

// wholeLife is what was and what is to come as one investment, from the first flow.
func wholeLife(plan project.Plan, past []finance.Flow) (out project.Outcome, err error) {
	plan.Investment = 0
	future, err := plan.Flows()
	if err != nil {
		return out, err
	}
	flows := append(append([]finance.Flow{}, past...), future...)
	out.Years = daycount.Actual365F.Years(past[0].Date, plan.Start) + plan.Life
	npv, err := finance.XNPV(plan.Rate, flows, daycount.Actual365F)
	if err != nil {
		return out, err
	}
	out.NPV = finance.Have(npv)
	if out.IRR, err = finance.XIRR(flows, daycount.Actual365F); err != nil {
		return out, err
	}
	amounts := make([]float64, len(flows))
	for i, f := range flows {
		amounts[i] = f.Amount
	}
	if out.ROI, err = finance.ROI(amounts); err != nil {
		return out, err
	}
	out.Annualised = finance.Lack(finance.Insufficient, "see roi")
	if total, ok := out.ROI.Get(); ok {
		if out.Annualised, err = finance.Annualised(total, out.Years); err != nil {
			return out, err
		}
	}
	if out.Payback, err = finance.XPayback(0, flows, daycount.Actual365F); err != nil {
		return out, err
	}
	out.Discounted, err = finance.XPayback(plan.Rate, flows, daycount.Actual365F)
	return out, err
}
