package regress

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Hinges answers, for any two bends a ≤ b, what a fit of
//
//	y = c + l·min(x−a, 0) + r·max(x−b, 0)
//
// leaves, in the time of two binary searches: the sums of the normal equations
// are differences of running sums over the sorted x, and the two columns never
// overlap. It is for searching; Least solves the fit that is found more exactly.
type Hinges struct {
	x          []float64 // sorted, less shift
	shift      float64
	w, wx, wxx []float64 // running sums, one longer than x
	wy, wxy    []float64
	yy         float64
	sumW, mean float64
}

// NewHinges sorts the rows. w may be nil.
func NewHinges(x, y, w []float64) *Hinges {
	order := make([]int, len(x))
	h := &Hinges{}
	for i := range order {
		order[i] = i
		h.shift += x[i] / float64(len(x))
		h.sumW += at(w, i)
		h.mean += at(w, i) * y[i]
	}
	h.mean /= h.sumW
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	n := len(x) + 1
	h.w, h.wx, h.wxx, h.wy, h.wxy = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for k, i := range order {
		v, u, d := x[i]-h.shift, at(w, i), y[i]-h.mean
		h.x = append(h.x, v)
		h.w[k+1], h.wx[k+1], h.wxx[k+1] = h.w[k]+u, h.wx[k]+u*v, h.wxx[k]+u*v*v
		h.wy[k+1], h.wxy[k+1] = h.wy[k]+u*d, h.wxy[k]+u*v*d
		h.yy += u * d * d
	}
	return h
}

// column is Σw·c, Σw·c² and Σw·c·y of one hinge, with y less its mean.
type column struct{ sum, square, y float64 }

// part is the column of x−a over the rows i to j.
func (h *Hinges) part(i, j int, a float64) column {
	w, wx, wxx := h.w[j]-h.w[i], h.wx[j]-h.wx[i], h.wxx[j]-h.wxx[i]
	return column{wx - a*w, wxx - 2*a*wx + a*a*w, h.wxy[j] - h.wxy[i] - a*(h.wy[j]-h.wy[i])}
}

// Fit is the weighted sum of squares left, and the slopes. A side that is not
// wanted, or has no rows, has slope zero. a is not above b.
func (h *Hinges) Fit(a, b float64, left, right bool) (sse, l, r float64) {
	a, b = a-h.shift, b-h.shift
	var p, q column
	if left {
		p = h.part(0, sort.SearchFloat64s(h.x, a), a)
	}
	if right {
		q = h.part(sort.SearchFloat64s(h.x, b), len(h.x), b)
	}
	// With the intercept taken out, the columns are centred.
	pp, qq := p.square-p.sum*p.sum/h.sumW, q.square-q.sum*q.sum/h.sumW
	pq := -p.sum * q.sum / h.sumW
	const small = 1e-10
	usable := func(centred, whole float64) bool { return whole > 0 && centred > small*whole }
	leftOK, rightOK := left && usable(pp, p.square), right && usable(qq, q.square)
	det := pp*qq - pq*pq
	switch {
	case leftOK && rightOK && det > small*pp*qq:
		l, r = (p.y*qq-q.y*pq)/det, (q.y*pp-p.y*pq)/det
	case leftOK:
		l = p.y / pp
	case rightOK:
		r = q.y / qq
	}
	return math.Max(h.yy-l*p.y-r*q.y, 0), l, r
}
