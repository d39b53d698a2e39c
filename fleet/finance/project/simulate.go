package project

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Quantile is a number that a share of the runs are below.
type Quantile struct {
	P             float64 `json:"p"`
	Value         float64 `json:"value"`
	StandardError float64 `json:"standard_error"` // of the simulation, not of its assumptions
}

// Distribution is how the runs came out.
type Distribution struct {
	Count         int        `json:"count"` // runs that have a number
	Mean          float64    `json:"mean"`
	StandardError float64    `json:"standard_error"` // of the mean
	Quantiles     []Quantile `json:"quantiles"`      // 5, 25, 50, 75, 95 %; none for fewer than 100 runs
}

// Simulation is the spread of a plan's results.
type Simulation struct {
	Runs int          `json:"runs"`
	NPV  Distribution `json:"npv"`
	IRR  Distribution `json:"irr"`  // of the runs that have one rate
	Loss float64      `json:"loss"` // share of the runs with a net present value below 0
	// LossStandardError is √(p(1−p)/n).
	LossStandardError float64 `json:"loss_standard_error"`
}

// Bounds of the number of runs.
const (
	LeastRuns = 100
	MostRuns  = 1_000_000
)

// Simulate computes the plan many times, each with inputs drawn from their ranges
// independently of each other: factors from a triangle, the life by the odds that
// its numbers stand for. The same source gives the same result.
// The spread is that of the ranges: what they leave out, it does not know.
func (p Plan) Simulate(u Uncertainty, runs int, source rand.Source) (Simulation, error) {
	if err := u.check(); err != nil {
		return Simulation{}, err
	}
	if runs < LeastRuns || runs > MostRuns {
		return Simulation{}, fmt.Errorf("%w: %d runs", ErrPlan, runs)
	}
	r := rand.New(source)
	s := Simulation{Runs: runs}
	values := make([]float64, 0, runs)
	rates := make([]float64, 0, runs)
	for range runs {
		drawn := p.draw(u, r)
		flows, err := drawn.Flows()
		if err != nil {
			return Simulation{}, err
		}
		npv, err := finance.XNPV(p.Rate, flows, daycount.Actual365F)
		if err != nil {
			return Simulation{}, fmt.Errorf("present value: %w", err)
		}
		irr, err := finance.XIRR(flows, daycount.Actual365F)
		if err != nil {
			return Simulation{}, fmt.Errorf("rate of return: %w", err)
		}
		values = append(values, npv)
		if irr.Rate != nil {
			rates = append(rates, *irr.Rate)
		}
		if npv < 0 {
			s.Loss++
		}
	}
	s.Loss /= float64(runs)
	s.LossStandardError = math.Sqrt(s.Loss * (1 - s.Loss) / float64(runs))
	s.NPV, s.IRR = distribution(values), distribution(rates)
	return s, nil
}

// distribution sorts the values it is given.
func distribution(values []float64) Distribution {
	n := len(values)
	d := Distribution{Count: n, Quantiles: []Quantile{}}
	if n == 0 {
		return d
	}
	d.Mean = stat.Mean(values, nil)
	if n > 1 {
		d.StandardError = stat.StdDev(values, nil) / math.Sqrt(float64(n))
	}
	if n < LeastRuns {
		return d
	}
	slices.Sort(values)
	for _, p := range []float64{0.05, 0.25, 0.5, 0.75, 0.95} {
		d.Quantiles = append(d.Quantiles, Quantile{p, quantile(values, p), quantileError(values, p)})
	}
	return d
}

// quantile interpolates between the sorted values, which stand at (i+½)/n (Hyndman
// & Fan 1996, American Statistician 50:361, definition 5).
func quantile(sorted []float64, p float64) float64 {
	at := p*float64(len(sorted)) - 0.5
	i := int(math.Floor(at))
	switch {
	case i < 0:
		return sorted[0]
	case i+1 >= len(sorted):
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// quantileError is half the distance between the quantiles one standard error of
// p, √(p(1−p)/n), to either side: it needs no density (Woodruff 1952, JASA 47:635).
func quantileError(sorted []float64, p float64) float64 {
	off := math.Sqrt(p * (1 - p) / float64(len(sorted)))
	return (quantile(sorted, p+off) - quantile(sorted, p-off)) / 2
}
