package cost

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

func TestLevelised(t *testing.T) {
	got, err := Levelised(0.1, []float64{1000, 100, 100, 100}, []float64{0, 500, 500, 500})
	if err != nil || got.Status != finance.OK || math.Abs(*got.Value-1.0042296) > 5e-8 {
		t.Errorf("got %+v %v, want 1.0042296", got, err)
	}
	if got, err := Levelised(0.1, []float64{1000}, []float64{0}); err != nil || got.Status != finance.Insufficient {
		t.Errorf("nothing delivered: got %+v %v", got, err)
	}
	if _, err := Levelised(0.1, []float64{1}, []float64{-1}); !errors.Is(err, ErrQuantity) {
		t.Errorf("got %v, want %v", err, ErrQuantity)
	}
	if _, err := Levelised(-1, []float64{1}, []float64{1}); !errors.Is(err, finance.ErrRate) {
		t.Errorf("got %v, want %v", err, finance.ErrRate)
	}
}

// Sold at its levelised cost, the output returns just the rate.
func TestLevelisedCostReturnsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.01, 0.5).Draw(t, "rate")
		costs, output := []float64{rapid.Float64Range(100, 1e5).Draw(t, "purchase")}, []float64{0}
		for range rapid.IntRange(1, 20).Draw(t, "years") {
			costs = append(costs, rapid.Float64Range(0, 100).Draw(t, "cost"))
			output = append(output, rapid.Float64Range(10, 1000).Draw(t, "output"))
		}
		price, err := Levelised(rate, costs, output)
		if err != nil {
			t.Fatal(err)
		}
		flows := make([]float64, len(costs))
		for i := range flows {
			flows[i] = output[i]**price.Value - costs[i]
		}
		got, err := finance.IRR(flows)
		if err != nil {
			t.Fatal(err)
		}
		if near, ok := got.Nearest(rate); !ok || math.Abs(near-rate) > 1e-9 {
			t.Fatalf("got %v, want %v", got, rate)
		}
	})
}

func TestTotalCostOfOwnership(t *testing.T) {
	life := Life{Purchases: []float64{1000}, Operating: []float64{100, 100, 100}, Recovered: []float64{0, 0, 200}}
	got, err := TotalCostOfOwnership(0.1, life)
	if err != nil || math.Abs(got.Total-1098.42224) > 5e-6 || math.Abs(*got.PerYear.Value-441.69184) > 5e-6 {
		t.Errorf("got %+v %v %v, want 1098.42224 and 441.69184", got, *got.PerYear.Value, err)
	}
	if got, err = TotalCostOfOwnership(0, life); err != nil || got.Total != 1100 || *got.PerYear.Value != 1100./3 {
		t.Errorf("no rate: got %+v %v, want 1100", got, err)
	}
	if got, err = TotalCostOfOwnership(0.1, Life{}); err != nil || got.Total != 0 || got.PerYear.Status != finance.Insufficient {
		t.Errorf("no year: got %+v %v", got, err)
	}
	// 1000 and 500 back in the first year, 1000 three years later, 1 in the fifth.
	got, err = TotalCostOfOwnership(0.08, Life{Purchases: []float64{1000, 0, 0, 1000}, Operating: []float64{0, 0, 0, 0, 1}, Recovered: []float64{500}})
	if want := 1000 + 1000/(1.08*1.08*1.08) + 1/math.Pow(1.08, 5) - 500/1.08; err != nil || math.Abs(got.Total-want) > 1e-9 ||
		math.Abs(got.Recovered-500/1.08) > 1e-9 || math.Abs(*got.PerYear.Value*(1-math.Pow(1.08, -5))/0.08-want) > 1e-9 {
		t.Errorf("bought and sold later: got %+v %v, want %v", got, err, want)
	}
}

func TestBreakEven(t *testing.T) {
	for _, c := range []struct {
		name   string
		use    Use
		status finance.Status
		want   float64
	}{
		{"half", Use{1000, 3, 1.2, 900}, finance.OK, 0.5},
		{"never", Use{1000, 3, 3, 900}, finance.None, 0},
		{"above full use", Use{1000, 3, 1.2, 9000}, finance.None, 0},
		{"nothing to pay", Use{1000, 3, 1.2, 0}, finance.OK, 0},
		{"unknown capacity", Use{0, 3, 1.2, 900}, finance.Insufficient, 0},
		{"paid back", Use{1000, -3, 1.2, 900}, finance.None, 0},
		{"energy is paid for", Use{1000, 1, -0.8, 900}, finance.OK, 0.5},
	} {
		got, err := BreakEven(c.use)
		v, _ := got.Get()
		if err != nil || got.Status != c.status || math.Abs(v-c.want) > 1e-12 {
			t.Errorf("%s: got %+v %v, want %s %v", c.name, got, err, c.status, c.want)
		}
	}
	inf := math.Inf(1)
	for _, u := range []Use{{1, math.NaN(), 1, 1}, {1, inf, inf, 1}, {1, 1, -inf, 1}, {-1, 2, 1, 1}, {1, 2, 1, -1}, {inf, 2, 1, 1}} {
		if _, err := BreakEven(u); !errors.Is(err, ErrQuantity) {
			t.Errorf("%+v: got %v, want %v", u, err, ErrQuantity)
		}
	}
}
