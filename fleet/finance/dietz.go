package finance

import (
	"fmt"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// ModifiedDietz is the return of the time from one day to another, of something
// worth so much at its ends and with flows between, weighted by how long they were
// in it (Dietz 1966, Pension Funds; GIPS Standards 2020):
//
//	(end − begin + Σ Fᵢ) / (begin − Σ wᵢ·Fᵢ),  wᵢ = days from the flow to the end / all days
//
// F is signed as all flows here: what the owner pays in is negative, what comes out
// positive. From 1000 to 1100 over 30 days, with 200 paid in after 15, it is −1/11.
// Of one month after another, these are the returns that package risk takes. It is
// none where nothing was in it on average; a flow outside of the days is ErrPeriods.
func ModifiedDietz(from, to daycount.Date, begin, end float64, flows []Flow) (Value, error) {
	if err := finite(begin, end); err != nil {
		return Value{}, err
	}
	if to <= from {
		return Value{}, fmt.Errorf("%w: from %v to %v", ErrPeriods, from, to)
	}
	var gain, in total
	gain.add(end)
	gain.add(-begin)
	in.add(begin)
	for _, f := range flows {
		if err := finite(f.Amount); err != nil {
			return Value{}, err
		}
		if f.Date < from || f.Date > to {
			return Value{}, fmt.Errorf("%w: a flow on %v, from %v to %v", ErrPeriods, f.Date, from, to)
		}
		gain.add(f.Amount)
		in.add(-f.Amount * float64(to-f.Date) / float64(to-from))
	}
	if in.value() <= 0 {
		return Lack(None, "nothing was invested on average"), nil
	}
	return Have(gain.value() / in.value()), nil
}
