package station

import "slices"

// ascending is a sorted copy.
func ascending(v []float64) []float64 {
	out := slices.Clone(v)
	slices.Sort(out)
	return out
}

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}

// quantile of ascending values by linear interpolation (Hyndman & Fan 1996,
// type 7). p is in 0…1 and there is at least one value.
func quantile(v []float64, p float64) float64 {
	at := p * float64(len(v)-1)
	k := int(at)
	if k >= len(v)-1 {
		return v[len(v)-1]
	}
	return v[k] + (v[k+1]-v[k])*(at-float64(k))
}
