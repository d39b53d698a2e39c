package finance

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// NPV is the net present value of amounts one period apart, the first of them
// today: Σ aᵢ/(1+rate)^i for i from 0 (Brealey, Myers & Allen, Principles of
// Corporate Finance, ch. 2). The rate is that of a period and above −1.
//
// −40000, 5000, 8000, 12000, 30000 at 8 % are 3065.222668179. Spreadsheets' NPV
// counts from 1 and has 2838.169137203, which is NPVFromOne.
func NPV(rate float64, amounts []float64) (float64, error) {
	return npv(rate, amounts, 0)
}

// NPVFromOne is NPV with the first amount one period from today.
func NPVFromOne(rate float64, amounts []float64) (float64, error) {
	return npv(rate, amounts, 1)
}

func npv(rate float64, amounts []float64, first int) (float64, error) {
	if err := discountable(rate); err != nil {
		return 0, err
	}
	if err := finite(amounts...); err != nil {
		return 0, err
	}
	var t total
	for i, a := range amounts {
		if a != 0 {
			t.add(a * math.Pow(1+rate, -float64(i+first)))
		}
	}
	return t.value(), finite(t.value())
}

// NFV is what amounts at the ends of periods 1, 2, … are worth at the end of
// period n: Σ aᵢ(1+rate)^(n−i). 1050, 1350, 1350, 1450 at 3 % after 6 periods
// are 5750.16.
func NFV(rate, n float64, amounts []float64) (float64, error) {
	pv, err := NPVFromOne(rate, amounts)
	if err != nil {
		return 0, err
	}
	v := pv * math.Pow(1+rate, n)
	return v, finite(n, v)
}

// XNPV is the present value, on the earliest day among the flows, of flows on
// any days in any order: Σ aᵢ/(1+rate)^tᵢ, with tᵢ the years since that day by
// the convention. The rate is a year's and above −1. Unlike some programs it takes
// flows of one sign, too, and is 0 for none.
//
// −1000 on 2015-06-11, −9000 on 2015-07-21, 20000 on 2018-06-10, −3000 on
// 2015-10-17 at 10 % are 2218.42566365675.
func XNPV(rate float64, flows []Flow, c daycount.Convention) (float64, error) {
	if err := discountable(rate); err != nil {
		return 0, err
	}
	if len(flows) == 0 {
		return 0, nil
	}
	first, _ := span(flows)
	var t total
	for _, f := range flows {
		if err := finite(f.Amount); err != nil {
			return 0, err
		}
		if f.Amount != 0 {
			t.add(f.Amount * math.Pow(1+rate, -c.Years(first, f.Date)))
		}
	}
	return t.value(), finite(t.value())
}

// XNFV is what the flows are worth on the last day among them: XNPV compounded
// over the years from the first to the last. −1000 on 2026-01-01 and 500 on
// 2027-01-01 are −600 then, at 10 %.
func XNFV(rate float64, flows []Flow, c daycount.Convention) (float64, error) {
	pv, err := XNPV(rate, flows, c)
	if err != nil || len(flows) == 0 {
		return 0, err
	}
	first, last := span(flows)
	v := pv * math.Pow(1+rate, c.Years(first, last))
	return v, finite(v)
}

func span(flows []Flow) (first, last daycount.Date) {
	first, last = flows[0].Date, flows[0].Date
	for _, f := range flows {
		first, last = min(first, f.Date), max(last, f.Date)
	}
	return first, last
}
