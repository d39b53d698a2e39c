// Package watch compares a building with its baseline day by day: days that fall
// outside what the model allows, shifts that stay, and what tomorrow should
// bring.
//
// It is pure.
package watch

import (
	"math"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results.
const Version = "watch/1"

// Anomaly is a row outside the band of the model.
type Anomaly struct {
	Start    time.Time `json:"start"`
	Observed float64   `json:"observed"`
	Expected float64   `json:"expected"`
	Low      float64   `json:"low"` // of the band
	High     float64   `json:"high"`
	Score    float64   `json:"score"` // residual over its standard deviation
}

// Anomalies are the rows outside the band that holds the given share of the rows
// of a building that has not changed, for example 0.95. The band is
//
//	expected ± t·s·√(1 + 1/n)
//
// with s the adjusted RMSE of the baseline: the prediction interval of one row,
// without the leverage of its temperature. The error wraps
// energy.ErrInsufficientData.
func Anomalies(model energy.Model, rows []energy.Row, share float64) ([]Anomaly, error) {
	s := model.Describe().Statistics
	sigma, err := spread(s)
	if err != nil {
		return nil, err
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(max(s.N-s.Parameters-1, 1))}.Quantile(1 - (1-share)/2)
	half := t * sigma * math.Sqrt(1+1/float64(s.N))
	out := []Anomaly{}
	for i, p := range model.Predict(rows) {
		r := rows[i].Use - p
		if math.Abs(r) > half { // false for NaN
			out = append(out, Anomaly{
				Start: rows[i].Start, Observed: rows[i].Use, Expected: p, Low: p - half, High: p + half, Score: r / sigma,
			})
		}
	}
	return out, nil
}

func spread(s energy.Statistics) (float64, error) {
	if s.RMSEAdj == nil || *s.RMSEAdj == 0 {
		return 0, energy.Lacking(Version, "no_residuals", "the baseline does not say how far its rows lie from it")
	}
	return *s.RMSEAdj, nil
}
