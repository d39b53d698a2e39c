package finance

import "math"

// ROI is the return on investment: (receipts − payments)/payments, over the whole
// time and without regard to when. 1000 paid and 1300 received are 0.3. It is none
// where nothing was paid.
func ROI(amounts []float64) (Value, error) {
	if err := finite(amounts...); err != nil {
		return Value{}, err
	}
	var net, paid total
	for _, a := range amounts {
		net.add(a)
		if a < 0 {
			paid.add(-a)
		}
	}
	if paid.value() == 0 {
		return Lack(None, "nothing was paid"), nil
	}
	return Have(net.value() / paid.value()), nil
}

// leastYears is the least time that a return may be annualised over: less would
// tell of a year what was not seen (CFA Institute, GIPS Standards 2020: returns of
// periods of less than a year are not annualised).
const leastYears = 1

// Annualised is the return a year that, compounded, makes up a return over years:
// (1+total)^(1/years) − 1. 0.3 over 3 years is 0.0913929. It is insufficient for
// less than a year, and none where more than all was lost.
func Annualised(totalReturn, years float64) (Value, error) {
	if err := finite(totalReturn, years); err != nil {
		return Value{}, err
	}
	switch {
	case years < leastYears:
		return Lack(Insufficient, "less than a year is not annualised"), nil
	case totalReturn < -1:
		return Lack(None, "more was lost than invested"), nil
	}
	return Have(math.Pow(1+totalReturn, 1/years) - 1), nil
}
