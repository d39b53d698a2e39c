// Package draw makes the random numbers of the simulation: one generator for
// each entity, so that what one draws changes nothing for another and the order
// in which they are stepped does not matter. It knows nothing of what is drawn.
package draw

import (
	"hash/fnv"
	"math/rand/v2"
)

// Source is the generator of one entity. It depends on the seed and the
// entity's name alone, so adding an entity leaves the draws of all others as
// they were.
func Source(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Normal draws from a normal distribution cut off at three standard
// deviations.
func Normal(r *rand.Rand, mean, sd float64) float64 {
	return mean + sd*max(-3, min(3, r.NormFloat64()))
}

// Between draws evenly from [low, high).
func Between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

// Wait draws the time to the next event of a Poisson process, in ms: at most
// 30,000 years, which it is where the process has no events.
func Wait(r *rand.Rand, perYear float64) int64 {
	const yearMS, never = 365 * 86400e3, 1e15
	if perYear <= 0 {
		return never
	}
	return int64(min(never, r.ExpFloat64()*yearMS/perYear))
}
