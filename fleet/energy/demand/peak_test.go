package demand

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The highest values are the end of all values sorted, however many are wanted and
// however the loads are cut.
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
		loads := make([]load, len(values))
		for i, v := range values {
			loads[i].kw = v
		}
		slices.Sort(values)
		if got, want := top(n, measured, loads[:cut], loads[cut:]), values[len(values)-n:]; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
