// Package regress solves weighted least squares, plainly and with one level per
// group. Columns that are a combination of earlier ones are dropped, as R's lm
// does. It knows nothing of energy.
package regress

import (
	"errors"
	"math"
)

// ErrRows is returned where there are fewer rows with weight than columns that
// can be told apart, or none.
var ErrRows = errors.New("too few rows")

// tolerance is the share of its length that a column must keep beside the
// earlier ones; dqrdc2 in R uses the same.
const tolerance = 1e-7

// Solution is a fit.
type Solution struct {
	Coefficients []float64 // zero for dropped columns
	StdErrors    []float64 // zero for dropped columns; NaN without a degree of freedom left
	Dropped      []bool
	Rank         int
	SSE          float64 // weighted sum of squared residuals
	Rows         int     // with a weight above zero
}

// Least minimises Σ w(y − Σ bⱼxⱼ)² by Householder reflections. columns[j][i] is
// row i of column j; a column of ones is not added. w may be nil. The arguments
// are not changed.
func Least(columns [][]float64, y, w []float64) (Solution, error) {
	work := make([][]float64, len(columns))
	for j, c := range columns {
		work[j] = scale(c, w)
	}
	return solve(work, scale(y, w), weighted(len(y), w))
}

func weighted(n int, w []float64) int {
	if w == nil {
		return n
	}
	rows := 0
	for _, x := range w {
		if x > 0 {
			rows++
		}
	}
	return rows
}

func scale(x, w []float64) []float64 {
	out := make([]float64, len(x))
	copy(out, x)
	for i := range w {
		out[i] *= math.Sqrt(w[i])
	}
	return out
}

// solve works in place. The columns that stay are reflected in turn, so that a
// holds R above its diagonal.
func solve(a [][]float64, y []float64, rows int) (Solution, error) {
	s := Solution{
		Coefficients: make([]float64, len(a)), StdErrors: make([]float64, len(a)),
		Dropped: make([]bool, len(a)), Rows: rows,
	}
	if rows == 0 {
		return s, ErrRows
	}
	original := make([]float64, len(a))
	for j := range a {
		original[j] = norm(a[j])
	}
	var kept []int
	diagonal := make([]float64, 0, len(a))
	for j := range a {
		k := len(kept)
		if k >= len(y) {
			s.Dropped[j] = true
			continue
		}
		left := norm(a[j][k:])
		if left <= tolerance*original[j] || original[j] == 0 {
			s.Dropped[j] = true
			continue
		}
		diagonal = append(diagonal, reflect(a, y, j, k, left))
		kept = append(kept, j)
	}
	s.Rank = len(kept)
	if s.Rank > rows {
		return s, ErrRows
	}
	for _, r := range y[s.Rank:] {
		s.SSE += r * r
	}
	for k := s.Rank - 1; k >= 0; k-- {
		b := y[k]
		for l := k + 1; l < s.Rank; l++ {
			b -= a[kept[l]][k] * s.Coefficients[kept[l]]
		}
		s.Coefficients[kept[k]] = b / diagonal[k]
	}
	s.errors(a, kept, diagonal)
	return s, nil
}

// reflect applies to the columns from j on, and to y, the reflection that sends
// column j below row k to a multiple of the unit vector, and returns the
// multiple.
func reflect(a [][]float64, y []float64, j, k int, length float64) float64 {
	v := a[j][k:]
	d := -math.Copysign(length, v[0])
	v[0] -= d
	half := -d * v[0] // vᵀv/2
	apply := func(x []float64) {
		var dot float64
		for i := range v {
			dot += v[i] * x[i]
		}
		dot /= half
		for i := range v {
			x[i] -= dot * v[i]
		}
	}
	for l := j + 1; l < len(a); l++ {
		apply(a[l][k:])
	}
	apply(y[k:])
	return d
}

// errors are the roots of the diagonal of σ²(RᵀR)⁻¹.
func (s *Solution) errors(a [][]float64, kept []int, diagonal []float64) {
	variance := math.NaN()
	if s.Rows > s.Rank {
		variance = s.SSE / float64(s.Rows-s.Rank)
	}
	column := make([]float64, s.Rank)
	sums := make([]float64, s.Rank)
	for c := range s.Rank { // column c of R⁻¹
		for k := c; k >= 0; k-- {
			x := 0.0
			if k == c {
				x = 1
			}
			for l := k + 1; l <= c; l++ {
				x -= a[kept[l]][k] * column[l]
			}
			column[k] = x / diagonal[k]
			sums[k] += column[k] * column[k]
		}
	}
	for k, j := range kept {
		s.StdErrors[j] = math.Sqrt(variance * sums[k])
	}
}

func norm(x []float64) float64 {
	var most float64
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	if most == 0 {
		return 0
	}
	var sum float64
	for _, v := range x {
		sum += v / most * (v / most)
	}
	return most * math.Sqrt(sum)
}
