package simulator

import (
	"hash/fnv"
	"math/rand/v2"
)

// source is the generator of one entity. It depends on the seed and the
// entity's name alone, so adding an entity leaves the draws of all others as
// they were.
func source(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// normal draws from a normal distribution cut off at three standard
// deviations.
func normal(r *rand.Rand, mean, sd float64) float64 {
	return mean + sd*clamp(r.NormFloat64(), -3, 3)
}

// between draws evenly from [low, high).
func between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

func clamp(x, low, high float64) float64 { return max(low, min(high, x)) }
