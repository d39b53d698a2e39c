// Package annuity owns loans and savings of equal payments: what they are worth at
// either end, and how each payment divides into interest and principal. It knows
// no dates: periods are of one length, and rates are of a period.
package annuity

import (
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// ErrInput is returned for numbers that are not finite, a rate of −1 or less, and
// periods that can't be.
var ErrInput = errors.New("invalid input")

// Due is when in its period a payment falls.
type Due float64

// When payments fall.
const (
	AtEnd   Due = 0
	AtStart Due = 1
)

// Terms are those of an annuity. Present, Payment and Future are signed as flows:
// a loan taken is positive, what is paid back negative; they satisfy, as in
// spreadsheets,
//
//	FV + PV·(1+r)^n + PMT·(1+r·due)·((1+r)^n − 1)/r = 0
//
// and FV + PV + PMT·n = 0 at a rate of 0.
type Terms struct {
	Rate    float64
	Periods float64
	Payment float64
	Present float64
	Future  float64
	Due     Due
}

func (t Terms) check() error {
	for _, v := range []float64{t.Rate, t.Periods, t.Payment, t.Present, t.Future} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %v", ErrInput, v)
		}
	}
	if t.Rate <= -1 || t.Due != AtEnd && t.Due != AtStart {
		return fmt.Errorf("%w: rate %v, due %v", ErrInput, t.Rate, float64(t.Due))
	}
	return nil
}

// growth is (1+r)^n, and gathered what payments of 1 grow to: (1+r·due)·((1+r)^n−1)/r.
func (t Terms) growth(n float64) (growth, gathered float64) {
	if t.Rate == 0 {
		return 1, n
	}
	less := math.Expm1(n * math.Log1p(t.Rate))
	return 1 + less, (1 + t.Rate*float64(t.Due)) * less / t.Rate
}

// FutureValue is what is left after all periods. 100 now and 100 a month for ten
// years at 5 %/12 a month are 15692.928894335751.
func (t Terms) FutureValue() (float64, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	growth, gathered := t.growth(t.Periods)
	return -t.Present*growth - t.Payment*gathered, nil
}

// PresentValue is what the payments and the future value are worth today.
func (t Terms) PresentValue() (float64, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	growth, gathered := t.growth(t.Periods)
	return -(t.Future + t.Payment*gathered) / growth, nil
}

// EqualPayment is the payment each period. 200000 over 15 years at 7.5 %/12 a month
// are −1854.0247200054619.
func (t Terms) EqualPayment() (float64, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	if t.Periods <= 0 {
		return 0, fmt.Errorf("%w: %v periods", ErrInput, t.Periods)
	}
	growth, gathered := t.growth(t.Periods)
	return -(t.Future + t.Present*growth) / gathered, nil
}

// Part divides the equal payment of a period, counted from 1, into interest and
// principal, which add up to it.
func (t Terms) Part(period int) (interest, principal float64, err error) {
	payment, err := t.EqualPayment()
	if err != nil {
		return 0, 0, err
	}
	if period < 1 || float64(period) > t.Periods {
		return 0, 0, fmt.Errorf("%w: period %d of %v", ErrInput, period, t.Periods)
	}
	if period == 1 && t.Due == AtStart {
		return 0, payment, nil
	}
	interest = -t.Rate * t.owed(float64(period-1))
	if t.Due == AtStart {
		interest /= 1 + t.Rate
	}
	return interest, payment - interest, nil
}

// owed is the balance after k equal payments, in a form that loses nothing where
// (1+r)^n is huge: (PV·(1−q^(k−n)) − FV·(q^(k−n)−q^−n)) / (1−q^−n), q = 1+r.
func (t Terms) owed(k float64) float64 {
	if t.Rate == 0 {
		return t.Present - (t.Present+t.Future)*k/t.Periods
	}
	force := math.Log1p(t.Rate)
	left := -math.Expm1((k - t.Periods) * force)
	all := -math.Expm1(-t.Periods * force)
	return (t.Present*left - t.Future*(all-left)) / all
}

// Length is the number of periods until the future value is reached; none where it
// never is.
func (t Terms) Length() (finance.Value, error) {
	if err := t.check(); err != nil {
		return finance.Value{}, err
	}
	if t.Rate == 0 {
		if t.Payment == 0 {
			return finance.Lack(finance.None, "nothing is paid"), nil
		}
		return finance.Have(-(t.Future + t.Present) / t.Payment), nil
	}
	z := t.Payment * (1 + t.Rate*float64(t.Due)) / t.Rate
	ratio := (z - t.Future) / (z + t.Present)
	if !(ratio > 0) || math.IsInf(ratio, 0) {
		return finance.Lack(finance.None, "the payments never make up for it"), nil
	}
	return finance.Have(math.Log(ratio) / math.Log1p(t.Rate)), nil
}

// RateOf is the rate of a period: with the flows of all three, an internal rate of
// return, and like those there may be none or several. Periods must be whole.
func (t Terms) RateOf() (finance.Rates, error) {
	t.Rate = 0
	if err := t.check(); err != nil {
		return finance.Rates{}, err
	}
	n := int(t.Periods)
	if float64(n) != t.Periods || n < 1 || n > mostPeriods {
		return finance.Rates{}, fmt.Errorf("%w: %v periods", ErrInput, t.Periods)
	}
	flows := make([]float64, n+1)
	flows[0] += t.Present
	flows[n] += t.Future
	first := 1 - int(t.Due)
	for i := first; i < first+n; i++ {
		flows[i] += t.Payment
	}
	return finance.IRR(flows)
}

// mostPeriods bounds RateOf: 100 years of days.
const mostPeriods = 36_525
