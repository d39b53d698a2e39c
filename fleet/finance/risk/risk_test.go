package risk

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func TestRatios(t *testing.T) {
	returns := []float64{0.01, 0.03, -0.02}
	for name, c := range map[string]struct {
		do   func() (Measure, error)
		want float64
		err  float64 // of it; NaN: none
	}{
		"volatility": {func() (Measure, error) { return Volatility(returns, 12) }, 0.0871780, 0.0435890},
		"sharpe":     {func() (Measure, error) { return Sharpe(returns, 0, 12) }, 0.9176629, 2.0347852},
		"sortino":    {func() (Measure, error) { return Sortino(returns, 0, 12) }, 2, math.NaN()},
	} {
		got, err := c.do()
		if err != nil || got.Status != finance.OK || math.Abs(*got.Value.Value-c.want) > 5e-8 || got.Count != 3 {
			t.Errorf("%s: got %+v %v, want %v", name, got, err, c.want)
			continue
		}
		if (got.StandardError == nil) != math.IsNaN(c.err) || got.StandardError != nil && math.Abs(*got.StandardError-c.err) > 5e-8 {
			t.Errorf("%s: got standard error %v, want %v", name, *got.StandardError, c.err)
		}
	}
}

func TestWhatRatiosLack(t *testing.T) {
	for name, c := range map[string]struct {
		do   func() (Measure, error)
		want finance.Status
		err  error
	}{
		"two returns":       {func() (Measure, error) { return Volatility([]float64{1, 2}, 12) }, finance.Insufficient, nil},
		"equal returns":     {func() (Measure, error) { return Sharpe([]float64{0.1, 0.1, 0.1}, 0, 12) }, finance.None, nil},
		"none below":        {func() (Measure, error) { return Sortino([]float64{0.1, 0.2, 0.3}, 0, 12) }, finance.None, nil},
		"NaN":               {func() (Measure, error) { return Sharpe([]float64{0.1, math.NaN(), 0.3}, 0, 12) }, "", ErrInput},
		"no periods":        {func() (Measure, error) { return Sortino([]float64{0.1, 0.2, 0.3}, 0, 0) }, "", ErrInput},
		"riskless infinity": {func() (Measure, error) { return Sharpe([]float64{0.1, 0.2, 0.3}, math.Inf(1), 1) }, "", ErrInput},
	} {
		got, err := c.do()
		if !errors.Is(err, c.err) || got.Status != c.want || got.Value.Value != nil {
			t.Errorf("%s: got %+v %v, want %s %v", name, got, err, c.want, c.err)
		}
	}
}

func TestMaxDrawdown(t *testing.T) {
	series := func(values ...float64) (out []Point) {
		for i, v := range values {
			out = append(out, Point{daycount.Date(100 + i), v})
		}
		return out
	}
	day := func(d daycount.Date) *daycount.Date { return &d }
	for _, c := range []struct {
		name   string
		points []Point
		want   Drawdown
	}{
		{"recovered", series(100, 120, 90, 130, 117), Drawdown{Value: finance.Have(0.25), Peak: day(101), Trough: day(102), Recovered: day(103)}},
		{"not yet", series(100, 50, 75), Drawdown{Value: finance.Have(0.5), Peak: day(100), Trough: day(101)}},
		{"from the last day at the peak", series(100, 100, 75, 100), Drawdown{Value: finance.Have(0.25), Peak: day(101), Trough: day(102), Recovered: day(103)}},
		{"never fell", series(1, 2, 2, 3), Drawdown{Value: finance.Have(0)}},
		{"one value", series(1), Drawdown{Value: finance.Lack(finance.Insufficient, "fewer than 2 values")}},
	} {
		got, err := MaxDrawdown(c.points)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for name, bad := range map[string][]Point{"a value of 0": series(1, 0), "one day twice": {{5, 1}, {5, 2}}} {
		if _, err := MaxDrawdown(bad); !errors.Is(err, ErrInput) {
			t.Errorf("%s: got %v, want %v", name, err, ErrInput)
		}
	}
}

// Against all pairs of days.
func TestMaxDrawdownOfAnySeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []Point
		for i, v := range rapid.SliceOfN(rapid.Float64Range(0.1, 10), 2, 30).Draw(t, "values") {
			points = append(points, Point{daycount.Date(i), v})
		}
		want := 0.0
		for i, a := range points {
			for _, b := range points[i:] {
				want = max(want, 1-b.Value/a.Value)
			}
		}
		got, err := MaxDrawdown(points)
		if err != nil || math.Abs(*got.Value.Value-want) > 1e-12 {
			t.Fatalf("got %+v %v, want %v", got, err, want)
		}
	})
}

func TestHerfindahl(t *testing.T) {
	got, err := Herfindahl(map[string]float64{"a": 4, "b": 2, "c": 1, "d": 1, "e": 0})
	if err != nil || *got.Value.Value != 0.34375 || math.Abs(got.Effective-2.90909) > 5e-6 || got.Count != 4 || got.Largest[0] != (Part{"a", 0.5}) {
		t.Errorf("got %+v %v, want 0.34375", got, err)
	}
	if got, err := Herfindahl(nil); err != nil || got.Status != finance.Insufficient {
		t.Errorf("nothing: got %+v %v", got, err)
	}
	if _, err := Herfindahl(map[string]float64{"a": -1}); !errors.Is(err, ErrInput) {
		t.Errorf("got %v, want %v", err, ErrInput)
	}
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.MapOfN(rapid.StringN(1, 4, 8), rapid.Float64Range(0.01, 1e6), 1, 20).Draw(t, "amounts")
		got, err := Herfindahl(amounts)
		if err != nil || *got.Value.Value > 1+1e-12 || *got.Value.Value < 1/float64(len(amounts))-1e-12 {
			t.Fatalf("got %+v %v of %d", got, err, len(amounts))
		}
	})
}
