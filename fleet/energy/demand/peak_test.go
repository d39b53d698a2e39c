package demand

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The highest values are the end of all values sorted, however many are wanted and
// however they are cut.
func TestTopIsTheEndOfTheSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 300).Draw(t, "values")
		if rapid.Bool().Draw(t, "ties") {
			for i := range values {
				values[i] = float64(int(values[i]))
			}
		}
		n := rapid.IntRange(1, len(values)).Draw(t, "n")
		cut := rapid.IntRange(0, len(values)).Draw(t, "cut")
		parts := [][]float64{slices.Clone(values[:cut]), slices.Clone(values[cut:])}
		slices.Sort(values)
		if got, want := top(n, parts...), values[len(values)-n:]; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// The jackknife is that of the definition: the variance of what is left when each
// part is taken away.
func TestJackknifeByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(2, 400).Draw(t, "size")
		kw := rapid.SliceOfN(rapid.Float64Range(0, 50), size, size).Draw(t, "kw")
		predicted := rapid.SliceOfN(rapid.Float64Range(0, 50), size, size).Draw(t, "predicted")
		n := rowsOfPeak(size)
		groups := min(blocks, size/max(n, 2))
		if groups < 2 {
			return
		}
		var each []float64
		mean, want := 0.0, 0.0
		for g := range groups {
			from, to := g*size/groups, (g+1)*size/groups
			e := highest(n, kw[:from], kw[to:]) - highest(n, predicted[:from], predicted[to:])
			each, mean = append(each, e), mean+e/float64(groups)
		}
		for _, e := range each {
			want += (e - mean) * (e - mean)
		}
		want = want * float64(groups-1) / float64(groups)
		if got := jackknife(kw, predicted, n); got != want {
			t.Fatalf("got %g, want %g", got, want)
		}
	})
}
