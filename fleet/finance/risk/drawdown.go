package risk

import (
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Point is a value on a day: of a portfolio, or of an index of its returns.
type Point struct {
	Date  daycount.Date
	Value float64 // above 0
}

// Drawdown is the largest fall of a value from a peak, as a share of the peak.
type Drawdown struct {
	finance.Value                // 0 where it never fell
	Peak          *daycount.Date `json:"peak"`      // when it fell from
	Trough        *daycount.Date `json:"trough"`    // when it was lowest
	Recovered     *daycount.Date `json:"recovered"` // first day at the peak's value again; null: not yet
}

// MaxDrawdown finds the largest (peak−trough)/peak among points of ascending days
// (Magdon-Ismail & Atiya 2004, Risk 17:99). Of equal ones it is the first. 100,
// 120, 90, 130, 117 fell by 0.25 at most. It is insufficient for fewer than two
// points.
func MaxDrawdown(points []Point) (Drawdown, error) {
	if len(points) < 2 {
		return Drawdown{Value: finance.Lack(finance.Insufficient, "fewer than 2 values")}, nil
	}
	var (
		worst            float64
		peak, top, floor int // of the running search, and of the worst fall
	)
	for i, p := range points {
		if !(p.Value > 0) || math.IsInf(p.Value, 0) {
			return Drawdown{}, fmt.Errorf("%w: value %v on %v", ErrInput, p.Value, p.Date)
		}
		if i > 0 && p.Date <= points[i-1].Date {
			return Drawdown{}, fmt.Errorf("%w: %v does not follow %v", ErrInput, p.Date, points[i-1].Date)
		}
		if p.Value >= points[peak].Value {
			peak = i
		}
		if fall := 1 - p.Value/points[peak].Value; fall > worst {
			worst, top, floor = fall, peak, i
		}
	}
	d := Drawdown{Value: finance.Have(worst)}
	if worst == 0 {
		return d, nil
	}
	peakDate, troughDate := points[top].Date, points[floor].Date
	d.Peak, d.Trough = &peakDate, &troughDate
	for _, p := range points[floor+1:] {
		if p.Value >= points[top].Value {
			d.Recovered = &p.Date
			break
		}
	}
	return d, nil
}
