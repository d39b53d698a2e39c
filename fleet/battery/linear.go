package battery

import "math"

// normal holds the normal equations of a linear least-squares problem of up to
// four unknowns: A·β = b, with Σw·y² to tell the sum of squares that is left.
type normal struct {
	n  int
	a  [4][4]float64
	b  [4]float64
	yy float64
}

// add takes one row of n values with its target and weight.
func (e *normal) add(row [4]float64, y, w float64) {
	for i := range e.n {
		for j := range e.n {
			e.a[i][j] += w * row[i] * row[j]
		}
		e.b[i] += w * row[i] * y
	}
	e.yy += w * y * y
}

// factored is the lower triangle of Cholesky's factorisation of A.
type factored struct {
	n int
	l [4][4]float64
}

// factor is false where A is not positive definite.
func (e *normal) factor() (f factored, ok bool) {
	f.n = e.n
	for i := range e.n {
		for j := range i + 1 {
			s := e.a[i][j]
			for k := range j {
				s -= f.l[i][k] * f.l[j][k]
			}
			if i != j {
				f.l[i][j] = s / f.l[j][j]
				continue
			}
			if s <= 1e-14*e.a[i][i] {
				return f, false
			}
			f.l[i][i] = math.Sqrt(s)
		}
	}
	return f, true
}

// solve returns x of A·x = b.
func (f *factored) solve(b [4]float64) [4]float64 {
	for i := range f.n {
		for k := range i {
			b[i] -= f.l[i][k] * b[k]
		}
		b[i] /= f.l[i][i]
	}
	for i := f.n - 1; i >= 0; i-- {
		for k := i + 1; k < f.n; k++ {
			b[i] -= f.l[k][i] * b[k]
		}
		b[i] /= f.l[i][i]
	}
	return b
}

// solve returns β and the sum of squares that it leaves; false where A is not
// positive definite.
func (e *normal) solve() (beta [4]float64, rss float64, ok bool) {
	f, ok := e.factor()
	if !ok {
		return beta, 0, false
	}
	beta = f.solve(e.b)
	rss = e.yy
	for i := range e.n {
		rss -= beta[i] * e.b[i]
	}
	return beta, max(0, rss), true
}

// solveCov returns β and the inverse of A, its covariance where the weights are
// inverse variances.
func (e *normal) solveCov() (beta [4]float64, cov [4][4]float64, ok bool) {
	f, ok := e.factor()
	if !ok {
		return beta, cov, false
	}
	for i := range e.n {
		var unit [4]float64
		unit[i] = 1
		cov[i] = f.solve(unit)
	}
	return f.solve(e.b), cov, true
}
