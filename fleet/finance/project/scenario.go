package project

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Range is the least, the likeliest and the most that something may be.
type Range struct {
	Low  float64
	Mode float64
	High float64
}

// Just is a range that is one number.
func Just(v float64) Range { return Range{v, v, v} }

func (r Range) check(name string) error {
	if !(r.Low >= 0 && r.Low <= r.Mode && r.Mode <= r.High) || math.IsInf(r.High, 0) {
		return fmt.Errorf("%w: %s from %v over %v to %v", ErrPlan, name, r.Low, r.Mode, r.High)
	}
	return nil
}

// at is the quantile u of the triangular distribution over the range (Kotz & van
// Dorp 2004, Beyond Beta, ch. 1). Over 0.8, 1 and 1.2, 5 % are below 0.8632456.
func (r Range) at(u float64) float64 {
	width := r.High - r.Low
	if width == 0 {
		return r.Mode
	}
	if below := (r.Mode - r.Low) / width; u < below {
		return r.Low + math.Sqrt(u*width*(r.Mode-r.Low))
	}
	return r.High - math.Sqrt((1-u)*width*(r.High-r.Mode))
}

// told is the quantile u of what is below the range's numbers with 5, 50 and 95 %:
// linear between them, and beyond the ends no further than these, as nothing is told
// of there. Over 2, 4 and 30, a quarter is below 2.8889, and a half below 4, which of
// a triangle are 7 %.
func (r Range) told(u float64) float64 {
	const tail = 0.05
	if u < 0.5 {
		return r.Low + max(0, u-tail)/(0.5-tail)*(r.Mode-r.Low)
	}
	return r.High - max(0, 1-tail-u)/(0.5-tail)*(r.High-r.Mode)
}

// Uncertainty is how far a plan's inputs may be off. Factors multiply the plan's;
// the life stands for itself, as the remaining life of a battery that its health
// tells, at 5, 50 and 95 %.
type Uncertainty struct {
	Revenue  Range // factor
	Cost     Range // factor
	Residual Range // factor, of recycling too
	Life     Range // years
}

func (u Uncertainty) check() error {
	for _, r := range []struct {
		name string
		Range
	}{{"revenue", u.Revenue}, {"cost", u.Cost}, {"residual value", u.Residual}, {"life", u.Life}} {
		if err := r.check(r.name); err != nil {
			return err
		}
	}
	if u.Life.Low <= 0 || u.Life.High > mostYears {
		return fmt.Errorf("%w: a life of %v to %v years", ErrPlan, u.Life.Low, u.Life.High)
	}
	return nil
}

// with is the plan with other inputs.
func (p Plan) with(revenue, cost, residual, life float64) Plan {
	p.Revenue *= revenue
	p.Cost *= cost
	p.Residual *= residual
	p.Recycling *= residual
	p.Life = life
	return p
}

// draw is the plan with inputs drawn independently of each other.
func (p Plan) draw(u Uncertainty, r *rand.Rand) Plan {
	return p.with(u.Revenue.at(r.Float64()), u.Cost.at(r.Float64()), u.Residual.at(r.Float64()), u.Life.told(r.Float64()))
}

// Scenarios are a plan as it is likeliest, and with every input at the end that is
// worse, or better, for the owner. A longer life is better.
type Scenarios struct {
	Base Outcome `json:"base"`
	Low  Outcome `json:"low"`
	High Outcome `json:"high"`
}

// Scenarios computes them.
func (p Plan) Scenarios(u Uncertainty) (Scenarios, error) {
	if err := u.check(); err != nil {
		return Scenarios{}, err
	}
	var s Scenarios
	for _, c := range []struct {
		into *Outcome
		plan Plan
		name string
	}{
		{&s.Base, p.with(u.Revenue.Mode, u.Cost.Mode, u.Residual.Mode, u.Life.Mode), "base"},
		{&s.Low, p.with(u.Revenue.Low, u.Cost.High, u.Residual.Low, u.Life.Low), "low"},
		{&s.High, p.with(u.Revenue.High, u.Cost.Low, u.Residual.High, u.Life.High), "high"},
	} {
		o, err := c.plan.Outcome()
		if err != nil {
			return Scenarios{}, fmt.Errorf("scenario %s: %w", c.name, err)
		}
		*c.into = o
	}
	return s, nil
}
