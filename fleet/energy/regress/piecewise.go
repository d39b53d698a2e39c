package regress

// Piecewise writes the basis of a continuous line that bends at the knots, which
// ascend, into out, one longer than they are. The first number is x up to the
// first knot, each other one how far x has come between its two knots; so the
// coefficients are the slopes between the knots (Price 2010, Methods for
// analyzing electric load shape and its variability, LBNL-3713E). Without a knot
// it is x itself.
func Piecewise(x float64, knots, out []float64) {
	for i := range out {
		switch {
		case i == 0 && len(knots) == 0:
			out[0] = x
		case i == 0:
			out[0] = min(x, knots[0])
		case i == len(knots):
			out[i] = max(x-knots[i-1], 0)
		default:
			out[i] = min(max(x-knots[i-1], 0), knots[i]-knots[i-1])
		}
	}
}
