package changepoint

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// bounds are the temperatures that a change point may lie between, so that
// enough rows lie on either side.
func (p *problem) bounds() (low, high float64) {
	return p.sorted[fewest], p.sorted[len(p.sorted)-1-fewest]
}

// steps of the grid that a minimum is first looked for on. The error has many
// local minima, since it bends at every temperature.
const (
	singleSteps    = 200
	pairSteps      = 36
	narrowings     = 40 // of a bracket, to about a hundred-millionth
	pairNarrowings = 24
	reach          = 4 // steps to the furthest neighbour
	maxWalk        = 300
)

// search finds the change point of the least error: on a grid, then between the
// neighbours of its best point.
func (p *problem) search(f func(float64) float64) float64 {
	low, high := p.bounds()
	step := (high - low) / singleSteps
	best, at := math.Inf(1), low
	for i := range singleSteps + 1 {
		c := low + float64(i)*step
		if e := f(c); e < best {
			best, at = e, c
		}
	}
	return regress.Golden(f, max(low, at-step), min(high, at+step), narrowings)
}

// searchPair finds the two change points of the least error, the first not above
// the second: for every second one on a grid the best first one, since a steep
// slope on one side outweighs where the other bends, then between the neighbours
// of the best, then downhill.
func (p *problem) searchPair(f func(a, b float64) float64) (a, b float64) {
	low, high := p.bounds()
	step := (high - low) / pairSteps
	first := func(b float64) (a, e float64) {
		a, e = low, math.Inf(1)
		for i := range pairSteps + 1 { // counted, since a step may be too small to add
			x := low + float64(i)*step
			if x > b {
				break
			}
			if d := f(x, b); d < e {
				a, e = x, d
			}
		}
		x := regress.Golden(func(x float64) float64 { return f(x, b) }, max(low, a-step), min(b, a+step), pairNarrowings)
		if d := f(x, b); d < e {
			a, e = x, d
		}
		return a, e
	}
	best := math.Inf(1)
	for i := range pairSteps + 1 {
		y := low + float64(i)*step
		if _, e := first(y); e < best {
			best, b = e, y
		}
	}
	profile := func(y float64) float64 {
		_, e := first(y)
		return e
	}
	if y := regress.Golden(profile, max(low, b-step), min(high, b+step), pairNarrowings); profile(y) < best {
		b = y
	}
	a, best = first(b)
	return p.descend(f, a, b, best, step/pairSteps)
}

// descend walks from a point to the best of its neighbours, diagonal ones among
// them, and takes smaller steps where none is better. The two change points hang
// together, so that one after the other would stop in a narrow valley.
func (p *problem) descend(f func(a, b float64) float64, a, b, best, step float64) (float64, float64) {
	low, high := p.bounds()
	for range maxWalk {
		fromA, fromB := a, b
		for i := -reach; i <= reach; i++ {
			for j := -reach; j <= reach; j++ {
				x, y := fromA+float64(i)*step, fromB+float64(j)*step
				if x < low || y > high || x > y {
					continue
				}
				if e := f(x, y); e < best {
					best, a, b = e, x, y
				}
			}
		}
		if a == fromA && b == fromB {
			step /= reach + 1
		}
		if step < 1e-9*(high-low) {
			break
		}
	}
	return a, b
}
