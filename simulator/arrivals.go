package simulator

import (
	"math"
	"math/rand/v2"
)

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
// between two arrivals is exponentially distributed with mean 1. Where days
// differ by more than chance, each has a gamma-distributed factor of mean 1, so
// that the count of a day is negative binomial.
type arrivals struct {
	hour    [24]float64 // arrivals per second
	weekday [7]float64  // relative
	left    float64     // of the integral to the next arrival
	rng     *rand.Rand

	shape  float64 // of the gamma distribution; 0: every day has a factor of 1
	day    int64   // that factor belongs to
	factor float64
}

// newArrivals makes a process with a mean number of arrivals a day, whose
// variance over days is dispersion times that mean (below 1: 1).
func newArrivals(perDay, dispersion float64, rng *rand.Rand) *arrivals {
	a := &arrivals{hour: arrivalsByHour(), weekday: arrivalsByWeekday(), rng: rng, day: math.MinInt64, factor: 1}
	scale(a.hour[:], 24*perDay/86400)
	scale(a.weekday[:], 7)
	if dispersion > 1 {
		a.shape = perDay / (dispersion - 1)
	}
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

// next is the number of arrivals within dt seconds at local time c, where the
// season makes them season times as many.
func (a *arrivals) next(c clock, season, dt float64) int {
	if a.shape > 0 && c.day != a.day {
		a.day, a.factor = c.day, gamma(a.rng, a.shape)/a.shape
	}
	a.left -= a.hour[int(c.hour)] * a.weekday[c.weekday] * a.factor * season * dt
	n := 0
	for a.left <= 0 {
		n++
		a.left += a.rng.ExpFloat64()
	}
	return n
}

// gamma draws from the gamma distribution of a shape and scale 1 (Marsaglia &
// Tsang, ACM Trans. Math. Softw. 26 (2000) 363).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if u := r.Float64(); math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
