package simulator

import (
	"fmt"
	"math"
)

// Tariff is the price of a kilowatt-hour by the local hour of the day, in minor
// units of one currency (cents). All zero: nothing is charged.
type Tariff [24]float64

// TimeOfUse is a tariff of a low price from 23 to 7, a high one from 17 to 21
// and a middle one otherwise.
func TimeOfUse(low, middle, high float64) Tariff {
	var t Tariff
	for h := range t {
		switch {
		case h >= 23 || h < 7:
			t[h] = low
		case h >= 17 && h < 21:
			t[h] = high
		default:
			t[h] = middle
		}
	}
	return t
}

// cost is what wh cost at a local time, in minor units.
func (t *Tariff) cost(c clock, wh float64) float64 { return t[int(c.hour)] * wh / 1000 }

// dear reports whether a kilowatt-hour costs more than in the mean over the day.
func (t *Tariff) dear(c clock) bool {
	mean := 0.0
	for _, p := range t {
		mean += p / float64(len(t))
	}
	return t[int(c.hour)] > mean
}

func (t *Tariff) validate() error {
	for h, p := range t {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return fmt.Errorf("tariff: price %v from %d h: want a number", p, h)
		}
	}
	return nil
}
