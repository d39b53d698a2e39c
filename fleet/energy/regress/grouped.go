package regress

import "math"

// Grouped is a fit with one level per group.
type Grouped struct {
	Solution           // of the columns
	Levels   []float64 // NaN for a group without a row
	Seen     int       // groups with a row
}

// Leveled minimises Σ w(y − level(group) − Σ bⱼxⱼ)². The levels are swept out
// first: the columns and y are centred in each group, and the levels follow
// from the means (Frisch & Waugh 1933; Lovell 1963). Columns that the levels
// explain are dropped. group[i] lies in [0, groups); w may be nil.
func Leveled(group []int, groups int, columns [][]float64, y, w []float64) (Grouped, error) {
	s := sweeper{group: group, w: w, root: make([]float64, len(y)), weight: make([]float64, groups)}
	for i, g := range group {
		s.weight[g] += at(w, i)
		s.root[i] = math.Sqrt(at(w, i))
	}
	g := Grouped{Levels: make([]float64, groups)}
	work, means := make([][]float64, len(columns)), make([][]float64, len(columns))
	for j, c := range columns {
		work[j], means[j] = s.centre(c)
	}
	inner, level := s.centre(y)
	rows := weighted(len(y), w)
	var err error
	if g.Solution, err = solve(work, inner, rows); err != nil {
		return g, err
	}
	for k := range g.Levels {
		g.Levels[k] = math.NaN()
		if s.weight[k] > 0 {
			g.Seen++
			g.Levels[k] = level[k]
			for j, b := range g.Coefficients {
				g.Levels[k] -= b * means[j][k]
			}
		}
	}
	return g, g.count(rows)
}

// count adds the levels to the rank, and takes their degrees of freedom from the
// standard errors.
func (g *Grouped) count(rows int) error {
	columns := g.Rank
	g.Rank += g.Seen
	if g.Rank > rows {
		return ErrRows
	}
	left := math.Sqrt(float64(rows-columns) / float64(rows-g.Rank)) // +Inf without a degree of freedom left
	for j := range g.StdErrors {
		if !g.Dropped[j] {
			g.StdErrors[j] *= left
		}
	}
	return nil
}

// sweeper takes the means of the groups out of columns.
type sweeper struct {
	group     []int
	w, weight []float64 // of the rows, of the groups
	root      []float64 // of w
}

// centre is the column less the mean of its group, multiplied by the root of the
// weight, and the means. A column that the means explain becomes zero.
func (s *sweeper) centre(x []float64) (centred, means []float64) {
	means = make([]float64, len(s.weight))
	for i, g := range s.group {
		if at(s.w, i) > 0 {
			means[g] += at(s.w, i) * x[i]
		}
	}
	for g := range means {
		means[g] /= s.weight[g]
	}
	centred = make([]float64, len(x))
	var full, kept float64
	for i, g := range s.group {
		if w := at(s.w, i); w > 0 {
			centred[i] = s.root[i] * (x[i] - means[g])
			full += w * x[i] * x[i]
			kept += centred[i] * centred[i]
		}
	}
	if math.Sqrt(kept) <= tolerance*math.Sqrt(full) { // what is left is rounding
		clear(centred)
	}
	return centred, means
}

func at(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}
