package watch

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Shift is a change of use that stays.
type Shift struct {
	Onset    time.Time  `json:"onset"`    // the first row of it
	Detected time.Time  `json:"detected"` // the row at which it was sure
	End      *time.Time `json:"end"`      // the first row after it; nil while it lasts
	Rows     int        `json:"rows"`
	PerRow   float64    `json:"per_row"` // mean of observed − expected
	Total    float64    `json:"total"`   // so far, in the unit of the meter
	Fraction *float64   `json:"fraction"`
}

// The reference value and the decision interval of the CUSUM, in standard
// deviations: it answers to shifts of one standard deviation and, for
// independent residuals, gives a false alarm in some thousand rows (Page 1954;
// Montgomery, Introduction to Statistical Quality Control, 9.1: k 0.5 and h 5
// have an average run of 465 rows; 8, of over 20,000).
const (
	slack    = 0.5
	decision = 8
)

// Shifts finds persistent changes against a baseline by a two-sided CUSUM of the
// residuals:
//
//	S⁺ = max(0, S⁺ + z − k),   S⁻ = max(0, S⁻ − z − k)
//
// An alarm at S > h dates the onset to the row after S was last zero. Residuals
// that remember each other wander further, so z is divided by √((1+ρ)/(1−ρ)) of
// the baseline where ρ > 0. A shift ends where the same test, around the shifted
// mean, turns back. Rows without use or temperature are passed over.
func Shifts(model energy.Model, rows []energy.Row) ([]Shift, error) {
	s := model.Describe().Statistics
	sigma, err := spread(s)
	if err != nil {
		return nil, err
	}
	if s.Autocorrelation != nil && *s.Autocorrelation > 0 && *s.Autocorrelation < 1 {
		sigma *= math.Sqrt((1 + *s.Autocorrelation) / (1 - *s.Autocorrelation))
	}
	expected := model.Predict(rows)
	at := make([]int, 0, len(rows))
	for i, p := range expected {
		if !math.IsNaN(p) && !math.IsNaN(rows[i].Use) {
			at = append(at, i)
		}
	}
	residual := func(k int) float64 { return (rows[at[k]].Use - expected[at[k]]) / sigma }
	out := []Shift{}
	for from := 0; from < len(at); {
		onset, alarm := detect(from, len(at), residual)
		if alarm < 0 {
			break
		}
		end := recovered(onset, alarm, len(at), residual)
		out = append(out, sum(rows, expected, at, onset, alarm, end))
		from = end
	}
	return out, nil
}

// detect runs the CUSUM from a row; the alarm is −1 where there is none.
func detect(from, n int, z func(int) float64) (onset, alarm int) {
	var up, down float64
	upFrom, downFrom := from, from
	for k := from; k < n; k++ {
		up, down = max(0, up+z(k)-slack), max(0, down-z(k)-slack)
		if up == 0 {
			upFrom = k + 1
		}
		if down == 0 {
			downFrom = k + 1
		}
		switch {
		case up > decision:
			return upFrom, k
		case down > decision:
			return downFrom, k
		}
	}
	return 0, -1
}

// recovered finds the row at which a shift is over: where residuals have come back
// from its mean by more than half of it, for long enough. It is n while the
// shift lasts.
func recovered(onset, alarm, n int, z func(int) float64) int {
	var mean float64
	for k := onset; k <= alarm; k++ {
		mean += z(k) / float64(alarm-onset+1)
	}
	sign := math.Copysign(1, mean)
	var back float64
	backFrom := alarm + 1
	for k := alarm + 1; k < n; k++ {
		if back = max(0, back+sign*(mean/2-z(k))); back == 0 {
			backFrom = k + 1
		}
		if back > decision {
			return backFrom
		}
	}
	return n
}

func sum(rows []energy.Row, expected []float64, at []int, onset, alarm, end int) Shift {
	s := Shift{Onset: rows[at[onset]].Start, Detected: rows[at[alarm]].Start, Rows: end - onset}
	var base float64
	for _, i := range at[onset:end] {
		s.Total += rows[i].Use - expected[i]
		base += expected[i]
	}
	s.PerRow = s.Total / float64(s.Rows)
	s.Fraction = energy.Known(s.Total / base)
	if end < len(at) {
		s.End = &rows[at[end]].Start
	}
	return s
}
