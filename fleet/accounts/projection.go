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

// leastLife and longestLife bound a remaining life as plans have it, in years: a
// day, and what is taken where nobody can tell its end.
const (
	leastLife   = 1.0 / 365
	longestLife = 30
)

// span is the life as plans have it.
func (l LifeLeft) span() project.Range {
	years := func(v float64) float64 { return min(max(v, leastLife), longestLife) }
	r := project.Just(years(*l.Median))
	if l.Low == nil {
		return r
	}
	r.Low, r.High = min(years(*l.Low), r.Mode), longestLife
	if l.High != nil {
		r.High = max(years(*l.High), r.Mode)
	}
	return r
}

// ranges are how far the future may be from the past year: what is likeliest, and
// the ends that we assume; in words, too.
func ranges(l LifeLeft) (u project.Uncertainty, said string) {
	u = project.Uncertainty{
		Revenue:  project.Range{Low: 0.8, Mode: 1, High: 1.2},
		Cost:     project.Range{Low: 0.9, Mode: 1, High: 1.2},
		Residual: project.Just(1),
		Life:     l.span(),
	}
	life := fmt.Sprintf("the life from %.3g to %.3g years", u.Life.Low, u.Life.High)
	drawn := ", and the life at the odds of 5, 50 and 95 % that its ends and the base stand for"
	switch {
	case l.Low == nil:
		life, drawn = fmt.Sprintf("the life %.3g years exactly, as it was entered", u.Life.Mode), ""
	case l.High == nil:
		life += ", the longest that is taken, as no high end is foreseen"
	}
	return u, fmt.Sprintf("revenue %v to %v, costs %v to %v of the base, %s; the simulation draws revenue and costs from triangles%s",
		u.Revenue.Low, u.Revenue.High, u.Cost.Low, u.Cost.High, life, drawn)
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
	u, said := ranges(a.Life)
	plan := project.Plan{
		Start: a.Today, Investment: max(0, open), Revenue: max(0, float64(revenue)*yearly), Cost: max(0, float64(costs)*yearly),
		Fade: a.Fade, Residual: a.Residual, Life: u.Life.Mode, Rate: a.Rate,
	}
	p := Projection{Status: finance.OK, Plan: &plan, Rests: len(over), Ranges: said}
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
	p.Whole, err = wholeLife(plan, r.Flows, r.Invested)
	r.Projection = p
	return err
}

// wholeLife is what was and what is to come as one investment, from the first flow.
// Its return on investment is that of what was paid for assets, as of what was.
func wholeLife(plan project.Plan, past []finance.Flow, invested float64) (out project.Outcome, err error) {
	plan.Investment = 0
	future, err := plan.Flows()
	if err != nil {
		return out, err
	}
	flows := append(append([]finance.Flow{}, past...), future...)
	out.Years = plan.Life
	if len(past) > 0 {
		out.Years += daycount.Actual365F.Years(past[0].Date, plan.Start)
	}
	npv, err := finance.XNPV(plan.Rate, flows, daycount.Actual365F)
	if err != nil {
		return out, err
	}
	out.NPV = finance.Have(npv)
	if out.IRR, err = finance.XIRR(flows, daycount.Actual365F); err != nil {
		return out, err
	}
	var net float64
	for _, f := range flows {
		net += f.Amount
	}
	out.ROI = finance.Have(net / invested)
	if out.Annualised, err = finance.Annualised(net/invested, out.Years); err != nil {
		return out, err
	}
	if out.Payback, err = finance.XPayback(0, flows, daycount.Actual365F); err != nil {
		return out, err
	}
	out.Discounted, err = finance.XPayback(plan.Rate, flows, daycount.Actual365F)
	return out, err
}
