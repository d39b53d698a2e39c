package simulator

import "math/rand/v2"

// arrivalsByHour counts 4,572 battery-swap arrivals of June 2022 at an urban
// and a highway station by hour of the day (station data of
// LH0605/BSS-Simulation-System, MIT). The busiest hour is the one from 14:00.
func arrivalsByHour() [24]float64 {
	return [24]float64{
		87, 48, 21, 8, 9, 33, 97, 184, 249, 268, 272, 260,
		265, 265, 287, 261, 282, 277, 257, 270, 266, 262, 194, 150,
	}
}

// arrivalsByWeekday is the mean number of arrivals at the urban station of the
// same data by day of the week, from Monday. With three to six days each the
// differences are hardly more than chance.
func arrivalsByWeekday() [7]float64 {
	return [7]float64{116.33, 106.33, 119, 120.83, 119, 113, 115.33}
}

// arrivals is an inhomogeneous Poisson process: the integral of its rate
// between two arrivals is exponentially distributed with mean 1.
type arrivals struct {
	hour    [24]float64 // arrivals per second
	weekday [7]float64  // relative
	left    float64     // of the integral to the next arrival
	rng     *rand.Rand
}

func newArrivals(perDay float64, rng *rand.Rand) *arrivals {
	a := &arrivals{hour: arrivalsByHour(), weekday: arrivalsByWeekday(), rng: rng}
	scale(a.hour[:], 24*perDay/86400)
	scale(a.weekday[:], 7)
	a.left = rng.ExpFloat64()
	return a
}

// scale makes x add up to total.
func scale(x []float64, total float64) {
	var sum float64
	for _, v := range x {
		sum += v
	}
	for i := range x {
		x[i] *= total / sum
	}
}

// next is the number of arrivals within dt seconds at local time c.
func (a *arrivals) next(c clock, dt float64) int {
	a.left -= a.hour[int(c.hour)] * a.weekday[c.weekday] * dt
	n := 0
	for a.left <= 0 {
		n++
		a.left += a.rng.ExpFloat64()
	}
	return n
}
