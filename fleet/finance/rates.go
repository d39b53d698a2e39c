package finance

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Rates are the internal rates of return of some flows: the rates above −1 at which
// their present value is 0. Any of Rates, put into NPV or XNPV of the flows from the
// first that is not 0, gives 0 to within some ten-millionths of the amounts.
type Rates struct {
	Status Status    `json:"status"` // ok: one; several; none; out_of_range: only the two below
	Reason string    `json:"reason,omitempty"`
	Rate   *float64  `json:"rate"`  // null unless there is just one
	Rates  []float64 `json:"rates"` // all of them, ascending
	// Unverified are further zeros of the present value, near −1 as a rule, whose
	// discount factors are so large that no number is near enough to the rate to make
	// it 0. The first flows have no part in them, so they are no returns on those.
	Unverified []float64 `json:"unverified,omitempty"`
	// Beyond says that there is another zero at a rate of −100 % or of infinity, as
	// far as numbers go.
	Beyond bool `json:"beyond,omitempty"`
}

// DefaultGuess is the rate near which spreadsheets begin to look.
const DefaultGuess = 0.1

// Nearest is the one of the rates that is nearest to a guess, by the force of
// interest ln(1+rate). Where there are several, none of them is the return: this
// picks one, as a program would that knows of no other.
func (r Rates) Nearest(guess float64) (rate float64, ok bool) {
	best := math.Inf(1)
	for _, v := range r.Rates {
		if d := math.Abs(math.Log1p(v) - math.Log1p(guess)); d < best {
			best, rate, ok = d, v, true
		}
	}
	return rate, ok
}

// IRR finds the internal rates of return, each period, of amounts one period
// apart: the zeros of NPV. −100, 39, 59, 55, 20 return 0.28094842116.
//
// An amount that is not finite is ErrNotFinite. A flow may have no rate, as one of
// one sign, or −100, 150, −100; and several, as −100, 230, −132: Rates says so.
// Scaling all amounts by one factor changes nothing, nor do zeros before or behind.
func IRR(amounts []float64) (Rates, error) {
	terms := make([]term, len(amounts))
	for i, a := range amounts {
		terms[i] = term{float64(i), a}
	}
	return ratesOf(terms)
}

// XIRR finds the internal rates of return, each year, of flows on any days in any
// order: the zeros of XNPV. By Actual365F, −1000 on 2015-06-11, −9000 on
// 2015-07-21, 20000 on 2018-06-10 and −3000 on 2015-10-17 return 0.16353715844.
//
// What holds for IRR holds here. It needs no guess. Programs that start from one
// and accept a rate once the present value is below a thousandth of the currency
// find one rate of several, and none where Rates has them as Unverified.
func XIRR(flows []Flow, c daycount.Convention) (Rates, error) {
	if len(flows) == 0 {
		return ratesOf(nil)
	}
	first, _ := span(flows)
	terms := make([]term, len(flows))
	for i, f := range flows {
		terms[i] = term{c.Years(first, f.Date), f.Amount}
	}
	return ratesOf(terms)
}

func ratesOf(terms []term) (Rates, error) {
	for _, t := range terms {
		if err := finite(t.a); err != nil {
			return Rates{}, err
		}
	}
	r := Rates{Status: None, Rates: []float64{}}
	f := newExposum(terms)
	switch {
	case len(f) == 0:
		r.Status, r.Reason = Insufficient, "nothing was paid or received, so any rate would do"
		return r, nil
	case f.changes() == 0:
		r.Reason = "all flows have the same sign, or fall on one day"
		return r, nil
	}
	forces, beyond, complete := f.zeros()
	if !complete {
		r.Status, r.Reason = Insufficient, "the rates are too many and too near each other to be told apart"
		return r, nil
	}
	r.Beyond = beyond
	for _, x := range forces {
		if f.verifiable(x) {
			r.Rates = append(r.Rates, math.Expm1(x))
		} else {
			r.Unverified = append(r.Unverified, math.Expm1(x))
		}
	}
	switch {
	case len(r.Rates) == 1:
		r.Status, r.Rate = OK, &r.Rates[0]
	case len(r.Rates) > 1:
		r.Status, r.Reason = Several, "the flows change sign more than once, and their present value is 0 at more than one rate"
	case beyond || len(r.Unverified) > 0:
		r.Status, r.Reason = OutOfRange, "the present value is 0 only at a rate that is as good as −100 %, or beyond any number"
	default:
		r.Reason = "the present value is 0 at no rate"
	}
	return r, nil
}

// MIRR is the modified internal rate of return: what is paid out is financed at
// one rate, what comes in is reinvested at another until the last period, and the
// result has one answer always (Lin 1976, Engineering Economist 21:237; as
// spreadsheets have it):
//
//	(FV(positive, reinvest) / −PV(negative, finance))^(1/(n−1)) − 1
//
// −1000, 100, 250, 500, 500 at 10 % and 10 % are 0.10401626745. Without both
// payments and receipts it is none.
func MIRR(amounts []float64, finance, reinvest float64) (Value, error) {
	for _, rate := range []float64{finance, reinvest} {
		if err := discountable(rate); err != nil {
			return Value{}, err
		}
	}
	if err := finite(amounts...); err != nil {
		return Value{}, err
	}
	n := len(amounts) - 1
	var in, out total
	for i, a := range amounts {
		switch {
		case a > 0:
			in.add(a * math.Pow(1+reinvest, float64(n-i)))
		case a < 0:
			out.add(-a * math.Pow(1+finance, -float64(i)))
		}
	}
	if in.value() == 0 || out.value() == 0 {
		return Lack(None, "payments and receipts are both needed"), nil
	}
	return Have(math.Pow(in.value()/out.value(), 1/float64(n)) - 1), nil
}
