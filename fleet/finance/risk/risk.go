// Package risk owns how uneven returns are and how much hangs on few: volatility,
// the ratios of Sharpe and Sortino, drawdowns, concentration. Returns are shares a
// period, of periods of one length; it knows no dates but to hand back, no assets
// and no currency.
package risk

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// ErrInput is returned for numbers that are not finite or can't be what they are
// given as.
var ErrInput = errors.New("invalid input")

// LeastReturns is the fewest returns that a measure of their spread is told of: of
// two, the standard error is as large as 0.7 times the measure itself.
const LeastReturns = 3

const fewReturns = "fewer than 3 returns"

// Measure is a number a year, and its standard error, null where none is known.
type Measure struct {
	finance.Value
	StandardError *float64 `json:"standard_error"`
	Count         int      `json:"count"` // returns it rests on
}

func lacking(n int, s finance.Status, reason string) Measure {
	return Measure{Value: finance.Lack(s, reason), Count: n}
}

func having(n int, v, standardError float64) Measure {
	m := Measure{Value: finance.Have(v), Count: n}
	if m.Status == finance.OK && !math.IsNaN(standardError) && !math.IsInf(standardError, 0) {
		m.StandardError = &standardError
	}
	return m
}

func check(periodsPerYear float64, values ...float64) error {
	if !(periodsPerYear > 0) || math.IsInf(periodsPerYear, 0) {
		return fmt.Errorf("%w: %v periods a year", ErrInput, periodsPerYear)
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %v", ErrInput, v)
		}
	}
	return nil
}

// Volatility is the standard deviation of the returns, of the sample (n−1), a
// year: σ·√periods. 1 %, 3 %, −2 % by month are 0.0871780. It takes the returns to
// be independent, and its standard error, σ/√(2(n−1)), to be normal.
func Volatility(returns []float64, periodsPerYear float64) (Measure, error) {
	if err := check(periodsPerYear, returns...); err != nil {
		return Measure{}, err
	}
	n := len(returns)
	if n < LeastReturns {
		return lacking(n, finance.Insufficient, fewReturns), nil
	}
	v := stat.StdDev(returns, nil) * math.Sqrt(periodsPerYear)
	return having(n, v, v/math.Sqrt(2*float64(n-1))), nil
}

// Sharpe is the mean of the returns above a riskless one by their standard
// deviation, a year (Sharpe 1994, Journal of Portfolio Management 21:49):
// mean(r−f)/σ(r−f)·√periods. f is the riskless return of a period. 1 %, 3 %, −2 %
// by month and f = 0 are 0.9176629. Its standard error is that of Lo (2002,
// Financial Analysts Journal 58:36) for independent returns: √((1+S²/2)/n),
// S of a period. It is none where the returns do not differ.
func Sharpe(returns []float64, riskless, periodsPerYear float64) (Measure, error) {
	if err := check(periodsPerYear, append([]float64{riskless}, returns...)...); err != nil {
		return Measure{}, err
	}
	n := len(returns)
	if n < LeastReturns {
		return lacking(n, finance.Insufficient, fewReturns), nil
	}
	mean, deviation := stat.MeanStdDev(returns, nil)
	if deviation <= rounding*math.Abs(mean) {
		return lacking(n, finance.None, "the returns do not differ"), nil
	}
	s := (mean - riskless) / deviation
	year := math.Sqrt(periodsPerYear)
	return having(n, s*year, math.Sqrt((1+s*s/2)/float64(n))*year), nil
}

// rounding is what equal numbers' standard deviation may come out at, of their
// size.
const rounding = 1e-14

// Sortino is the mean of the returns above a target by their downside deviation,
// a year (Sortino & Price 1994, Journal of Investing 3:59):
//
//	mean(r−T) / √(Σ min(0, r−T)²/n) · √periods
//
// All n returns count in the deviation, not only those below the target. 1 %, 3 %,
// −2 % by month and T = 0 are 2. It is none where no return is below the target.
func Sortino(returns []float64, target, periodsPerYear float64) (Measure, error) {
	if err := check(periodsPerYear, append([]float64{target}, returns...)...); err != nil {
		return Measure{}, err
	}
	n := len(returns)
	if n < LeastReturns {
		return lacking(n, finance.Insufficient, fewReturns), nil
	}
	var down float64
	for _, r := range returns {
		d := min(0, r-target)
		down += d * d
	}
	if down == 0 {
		return lacking(n, finance.None, "no return is below the target"), nil
	}
	excess := stat.Mean(returns, nil) - target
	return having(n, excess/math.Sqrt(down/float64(n))*math.Sqrt(periodsPerYear), math.NaN()), nil
}
