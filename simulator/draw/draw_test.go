package draw_test

import (
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

func TestSourceDependsOnSeedAndName(t *testing.T) {
	first := func(seed uint64, name string) uint64 { return draw.Source(seed, name).Uint64() }
	one, again := first(1, "a"), first(1, "a")
	if one != again || one == first(1, "b") || one == first(2, "a") {
		t.Error("a generator must depend on its seed and its name, and on nothing else")
	}
}

// The means of 20,000 draws lie within four standard errors of what they should.
func TestMeans(t *testing.T) {
	const n = 20000
	r := draw.Source(3, "means")
	for _, c := range []struct {
		name     string
		draw     func() float64
		mean, sd float64
	}{
		{"normal", func() float64 { return draw.Normal(r, 5, 2) }, 5, 2},
		{"between", func() float64 { return draw.Between(r, -1, 3) }, 1, 4 / math.Sqrt(12)},
		{"wait", func() float64 { return float64(draw.Wait(r, 365)) / 86400e3 }, 1, 1},
	} {
		sum := 0.0
		for range n {
			sum += c.draw()
		}
		if got := sum / n; math.Abs(got-c.mean) > 4*c.sd/math.Sqrt(n) {
			t.Errorf("%s: mean %v want %v", c.name, got, c.mean)
		}
	}
	if got := draw.Wait(r, 0); got != 1e15 {
		t.Errorf("nothing ever happens: got %d", got)
	}
	if got := draw.Wait(r, 1e-300); got != 1e15 {
		t.Errorf("next to nothing ever happens: got %d", got)
	}
}
