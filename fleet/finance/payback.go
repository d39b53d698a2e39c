package finance

import (
	"cmp"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Payback is when an investment has come back.
type Payback struct {
	// Value is the time from the first flow, in years, until what was
	// received has made up for what was paid. None: it never does, within the flows,
	// or had always done so.
	Value
	// Open is what is still to come back at the end of the flows; 0 if nothing is.
	Open float64 `json:"open"`
	// Again says that after it came back, more was paid than received once more.
	Again bool `json:"again"`
}

// XPayback is the payback, in years by the convention, of flows on any days in any
// order, discounted at a rate a year; at 0 it is the simple one. Between two days with
// flows the later flow is taken to come in evenly (Brealey, Myers & Allen, ch. 5).
//
// −1000 and then 400 a year come back after 2.5 years; at 10 %, after 3.01925.
func XPayback(rate float64, flows []Flow, c daycount.Convention) (Payback, error) {
	if len(flows) == 0 {
		return payback(rate, nil)
	}
	first, _ := span(flows)
	terms := make([]term, len(flows))
	for i, f := range flows {
		terms[i] = term{c.Years(first, f.Date), f.Amount}
	}
	slices.SortStableFunc(terms, func(a, b term) int { return cmp.Compare(a.t, b.t) })
	merged := terms[:1]
	for _, k := range terms[1:] {
		if last := &merged[len(merged)-1]; last.t == k.t {
			last.a += k.a
		} else {
			merged = append(merged, k)
		}
	}
	return payback(rate, merged)
}

// payback goes along terms of ascending times.
func payback(rate float64, terms []term) (Payback, error) {
	if err := discountable(rate); err != nil {
		return Payback{}, err
	}
	p := Payback{Value: Lack(None, "what came in was never less than what was paid")}
	var running total
	var sum, size, before float64
	for _, k := range terms {
		if err := finite(k.a); err != nil {
			return Payback{}, err
		}
		worth := k.a * math.Pow(1+rate, -k.t)
		running.add(worth)
		size += math.Abs(worth)
		was := sum
		if sum = running.value(); math.Abs(sum) <= 4*epsilon*size {
			sum = 0 // but for what is rounded, as of 0.1+0.2−0.3
		}
		switch {
		case sum < 0 && p.Status == OK:
			p.Again = true
		case sum < 0:
			p.Value = Lack(None, "it does not come back within the flows")
		case was < 0 && p.Status != OK:
			p.Value = Have(before + (k.t-before)*was/(was-sum))
		}
		before = k.t
	}
	p.Open = max(0, -sum)
	return p, finite(sum)
}
