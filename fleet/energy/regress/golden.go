package regress

// Golden narrows the minimum of f between low and high by the golden section,
// each round to 0.618 of the bracket. Where f has several minima it finds one of
// them.
func Golden(f func(float64) float64, low, high float64, rounds int) float64 {
	const ratio = 0.6180339887498949
	x, y := high-ratio*(high-low), low+ratio*(high-low)
	fx, fy := f(x), f(y)
	for range rounds {
		if fx <= fy {
			high, y, fy = y, x, fx
			x = high - ratio*(high-low)
			fx = f(x)
		} else {
			low, x, fx = x, y, fy
			y = low + ratio*(high-low)
			fy = f(y)
		}
	}
	return (low + high) / 2
}
