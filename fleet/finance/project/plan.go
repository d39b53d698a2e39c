// Package project owns what an asset may return over a life that has yet to be
// lived: the flows that a plan foresees, scenarios of it, the spread of its results
// when its inputs are uncertain, and what a new station may return by its peers.
// It knows no assets, no clock and no randomness but what it is given.
package project

import (
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// ErrPlan is returned for a plan, ranges or peers that can't be.
var ErrPlan = errors.New("invalid plan")

// Plan is what is expected of an asset. Amounts are of one currency, in major
// units, and not negative but for Recycling, which is so where it costs.
type Plan struct {
	Start      daycount.Date
	Investment float64 // on Start
	Revenue    float64 // of the first year
	Cost       float64 // of operation, a year
	Fade       float64 // share of the revenue lost with the capacity, a year: 0…1
	Residual   float64 // what it is sold for at the end of its life
	Recycling  float64 // what recycling brings then
	Life       float64 // years from Start: of a battery, its remaining life
	Rate       float64 // to discount by, a year
}

// mostYears bounds a life.
const mostYears = 100

// daysPerYear is that of actual/365F, so that a plan's years are years of XIRR.
const daysPerYear = 365

func (p *Plan) check() error {
	for name, v := range map[string]float64{
		"investment": p.Investment, "revenue": p.Revenue, "cost": p.Cost, "residual": p.Residual, "fade": p.Fade,
	} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %s %v", ErrPlan, name, v)
		}
	}
	if !(p.Rate > -1) || math.IsInf(p.Rate, 0) {
		return fmt.Errorf("%w: rate %v", ErrPlan, p.Rate)
	}
	if p.Fade > 1 || math.IsNaN(p.Recycling) || math.IsInf(p.Recycling, 0) {
		return fmt.Errorf("%w: fade %v, recycling %v", ErrPlan, p.Fade, p.Recycling)
	}
	if !(p.Life > 0 && p.Life <= mostYears) {
		return fmt.Errorf("%w: a life of %v years", ErrPlan, p.Life)
	}
	return nil
}

// Flows are the plan's flows: the investment, then at the end of each year of 365
// days, and of the part of one that the life ends with, its revenue less its cost.
func (p *Plan) Flows() ([]finance.Flow, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	days := max(1, int(math.Round(p.Life*daysPerYear)))
	flows := []finance.Flow{{Date: p.Start, Amount: -p.Investment}}
	revenue := p.Revenue
	for done := 0; done < days; {
		n := min(daysPerYear, days-done)
		done += n
		part := float64(n) / daysPerYear
		flows = append(flows, finance.Flow{Date: p.Start + daycount.Date(done), Amount: part * (revenue - p.Cost)})
		revenue *= 1 - p.Fade
	}
	flows[len(flows)-1].Amount += p.Residual + p.Recycling
	return flows, nil
}

// Outcome is what a plan comes to.
type Outcome struct {
	Years      float64         `json:"years"`
	NPV        finance.Value   `json:"npv"`
	IRR        finance.Rates   `json:"irr"`
	ROI        finance.Value   `json:"roi"`
	Annualised finance.Value   `json:"annualised_roi"`
	Payback    finance.Payback `json:"payback_years"`
	Discounted finance.Payback `json:"discounted_payback_years"`
}

// Outcome computes it. 1000 invested for a life of 3 years with 500 of revenue and
// 100 of cost a year, at 10 %, have a net present value of −5.2592, an internal
// rate of return of 9.70 % and pay back after 2.5 years.
func (p *Plan) Outcome() (Outcome, error) {
	flows, err := p.Flows()
	if err != nil {
		return Outcome{}, err
	}
	const by = daycount.Actual365F
	last := flows[len(flows)-1].Date
	o := Outcome{Years: by.Years(p.Start, last)}
	npv, err := finance.XNPV(p.Rate, flows, by)
	if err != nil {
		return Outcome{}, fmt.Errorf("present value: %w", err)
	}
	o.NPV = finance.Have(npv)
	if o.IRR, err = finance.XIRR(flows, by); err != nil {
		return Outcome{}, fmt.Errorf("rate of return: %w", err)
	}
	amounts := make([]float64, len(flows))
	for i, f := range flows {
		amounts[i] = f.Amount
	}
	if o.ROI, err = finance.ROI(amounts); err != nil {
		return Outcome{}, fmt.Errorf("return: %w", err)
	}
	o.Annualised = o.ROI
	if total, ok := o.ROI.Get(); ok {
		if o.Annualised, err = finance.Annualised(total, o.Years); err != nil {
			return Outcome{}, fmt.Errorf("annualised return: %w", err)
		}
	}
	if o.Payback, err = finance.XPayback(0, flows, by); err != nil {
		return Outcome{}, fmt.Errorf("payback: %w", err)
	}
	if o.Discounted, err = finance.XPayback(p.Rate, flows, by); err != nil {
		return Outcome{}, fmt.Errorf("discounted payback: %w", err)
	}
	return o, nil
}
