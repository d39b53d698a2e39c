package regress

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func draws(t *rapid.T, n int) (x, z, y, w []float64) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for range n {
		x, z = append(x, 60+20*rng.NormFloat64()), append(z, rng.NormFloat64())
		y, w = append(y, 10+rng.NormFloat64()), append(w, 0.1+rng.Float64())
	}
	return x, z, y, w
}

func constant(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// The residuals of a least-squares fit are orthogonal to every column.
func TestLeastIsOrthogonal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(5, 50).Draw(t, "n")
		x, z, y, w := draws(t, n)
		columns := [][]float64{constant(n, 1), x, z}
		s, err := Least(columns, y, w)
		if err != nil {
			t.Fatal(err)
		}
		var sse float64
		for j, c := range columns {
			var dot, size float64
			sse = 0
			for i := range y {
				r := y[i]
				for k, b := range s.Coefficients {
					r -= b * columns[k][i]
				}
				dot, size = dot+w[i]*r*c[i], size+w[i]*math.Abs(r*c[i])
				sse += w[i] * r * r
			}
			if math.Abs(dot) > 1e-8*size {
				t.Fatalf("column %d: residuals not orthogonal: %g of %g", j, dot, size)
			}
		}
		if math.Abs(sse-s.SSE) > 1e-8*sse+1e-12 {
			t.Fatalf("sum of squares: got %g, want %g", s.SSE, sse)
		}
	})
}

// A level per group is the same as a column per group.
func TestLeveledIsLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n, groups = 60, 4
		x, z, y, w := draws(t, n)
		group := make([]int, n)
		var columns [][]float64
		for g := range groups {
			columns = append(columns, make([]float64, n))
			for i := g; i < n; i += groups {
				group[i], columns[g][i] = g, 1
			}
		}
		want, err := Least(append(columns, x, z), y, w)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Leveled(group, groups, [][]float64{x, z}, y, w)
		if err != nil {
			t.Fatal(err)
		}
		all := append(append([]float64{}, got.Levels...), got.Coefficients...)
		for j := range all {
			if math.Abs(all[j]-want.Coefficients[j]) > 1e-8*(1+math.Abs(want.Coefficients[j])) {
				t.Fatalf("coefficient %d: got %g, want %g", j, all[j], want.Coefficients[j])
			}
		}
		if got.Rank != want.Rank || math.Abs(got.StdErrors[0]-want.StdErrors[groups]) > 1e-8*want.StdErrors[groups] {
			t.Fatalf("got rank %d error %g, want %d %g", got.Rank, got.StdErrors[0], want.Rank, want.StdErrors[groups])
		}
	})
}

// The quick search finds what the fit would.
func TestHingesAreLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 60
		x, _, y, w := draws(t, n)
		a := rapid.Float64Range(40, 60).Draw(t, "a")
		b := a + rapid.Float64Range(0, 15).Draw(t, "width")
		left, right := make([]float64, n), make([]float64, n)
		for i, v := range x {
			left[i], right[i] = min(v-a, 0), max(v-b, 0)
		}
		want, err := Least([][]float64{constant(n, 1), left, right}, y, w)
		if err != nil {
			t.Fatal(err)
		}
		sse, l, r := NewHinges(x, y, w).Fit(a, b, true, true)
		for _, c := range [][2]float64{{sse, want.SSE}, {l, want.Coefficients[1]}, {r, want.Coefficients[2]}} {
			if math.Abs(c[0]-c[1]) > 1e-6*(1+math.Abs(c[1])) {
				t.Fatalf("got %g, want %g", c[0], c[1])
			}
		}
	})
}

func TestDroppedColumns(t *testing.T) {
	y := []float64{1, 2, 4, 3, 5}
	x := []float64{1, 2, 3, 4, 5}
	twice := []float64{2, 4, 6, 8, 10}
	s, err := Least([][]float64{constant(5, 1), x, twice, constant(5, 0)}, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rank != 2 || s.Dropped[1] || !s.Dropped[2] || !s.Dropped[3] {
		t.Errorf("got rank %d, dropped %v, want 2 and the last two", s.Rank, s.Dropped)
	}
	if math.Abs(s.Coefficients[1]-0.9) > 1e-12 {
		t.Errorf("slope: got %g, want 0.9", s.Coefficients[1])
	}
	if math.Abs(s.StdErrors[1]-0.25166114784235) > 1e-9 { // √(1.9/3/10)
		t.Errorf("standard error: got %g, want 0.251661", s.StdErrors[1])
	}
}

func TestGolden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64Range(-5, 5).Draw(t, "minimum")
		got := Golden(func(x float64) float64 { return math.Abs(x - want) }, -10, 10, 60)
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("got %g, want %g", got, want)
		}
	})
}

func TestTooFewRows(t *testing.T) {
	for name, w := range map[string][]float64{"no rows": {}, "no weight": {0, 0}} {
		y := make([]float64, len(w))
		if _, err := Least([][]float64{constant(len(w), 1)}, y, w); !errors.Is(err, ErrRows) {
			t.Errorf("%s: got %v, want %v", name, err, ErrRows)
		}
	}
}

func TestPiecewiseIsContinuousAndSumsToX(t *testing.T) {
	knots := []float64{30, 45, 55}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-50, 150).Draw(t, "x")
		out := make([]float64, 4)
		Piecewise(x, knots, out)
		var sum float64
		for _, v := range out {
			sum += v
		}
		if math.Abs(sum-x) > 1e-9 {
			t.Fatalf("slopes of one do not give x: got %g, want %g", sum, x)
		}
	})
	one := make([]float64, 1)
	if Piecewise(7, nil, one); one[0] != 7 {
		t.Errorf("without knots: got %g, want 7", one[0])
	}
}
