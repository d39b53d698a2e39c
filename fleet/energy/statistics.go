package energy

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Statistics says how well predictions meet observations. Numbers that do not
// exist for the data (a ratio to a mean of zero, a correlation of constants) are
// nil.
//
// The definitions are those of ASHRAE Guideline 14-2014, and CalTRACK
// 2.0, 4.3.2.2, in the form that eemeter uses them; residuals are predicted − observed.
type Statistics struct {
	N int `json:"n"` // pairs of an observation and a prediction
	// Parameters is p, the number of fitted parameters beside the intercept.
	Parameters int `json:"parameters"`

	Observed     float64 `json:"observed"`      // sum
	Predicted    float64 `json:"predicted"`     // sum
	ObservedMean float64 `json:"observed_mean"` // of absolute values, since a meter with solar generation can have a mean of zero
	ObservedVar  float64 `json:"observed_variance"`
	PredictedVar float64 `json:"predicted_variance"`

	R2      *float64 `json:"r_squared"`          // squared correlation
	AdjR2   *float64 `json:"r_squared_adjusted"` // 1 − (1−R²)(n−1)/(n−p−1)
	RMSE    float64  `json:"rmse"`               // √(Σr²/n)
	RMSEAdj *float64 `json:"rmse_adjusted"`      // √(Σr²/(n−p))
	// CVRMSE is RMSE / mean; CVRMSEAdj takes RMSEAdj.
	CVRMSE    *float64 `json:"cvrmse"`
	CVRMSEAdj *float64 `json:"cvrmse_adjusted"`
	MAPE      *float64 `json:"mape"` // mean of |r/observed| where the observation is above zero
	NMAE      *float64 `json:"nmae"` // Σ|r| / Σ observed
	NMBE      *float64 `json:"nmbe"` // Σr / Σ observed
	Zeros     int      `json:"zeros"`

	// Autocorrelation is ρ, of each residual with the next.
	Autocorrelation *float64 `json:"autocorrelation"`
	// NPrime is n′ = n(1−ρ)/(1+ρ), the number of independent observations.
	NPrime *float64 `json:"n_prime"`
	// Slow is what n′ does not see; nil where there are too few rows to see more.
	Slow *Slow `json:"slow_noise"`
}

// Measure compares observations with predictions, pair by pair; pairs with a
// NaN are left out. Parameters does not count the intercept.
//
// Worked case: observed 1 3 4 1 6, predicted 2 3 3 2 4, two parameters: R² 0.972,
// CV(RMSE) 0.394 (adjusted 0.509), MAPE 0.517, NMBE −0.067, ρ −0.674, n′ 25.694.
func Measure(observed, predicted []float64, parameters int) Statistics {
	o, p, r := make([]float64, 0, len(observed)), make([]float64, 0, len(observed)), make([]float64, 0, len(observed))
	for i := range observed {
		if finite(observed[i]) && finite(predicted[i]) {
			o, p = append(o, observed[i]), append(p, predicted[i])
			r = append(r, predicted[i]-observed[i])
		}
	}
	s := Statistics{N: len(o), Parameters: parameters}
	if s.N == 0 {
		return s
	}
	n, k := float64(s.N), float64(parameters)
	var squares, absolute, magnitude, relative float64
	for i := range o {
		s.Observed += o[i]
		s.Predicted += p[i]
		magnitude += math.Abs(o[i])
		squares += r[i] * r[i]
		absolute += math.Abs(r[i])
		if o[i] > 0 {
			relative += math.Abs(r[i] / o[i])
		} else {
			s.Zeros++
		}
	}
	s.ObservedMean = magnitude / n
	s.ObservedVar, s.PredictedVar = stat.PopVariance(o, nil), stat.PopVariance(p, nil)
	s.RMSE = math.Sqrt(squares / n)
	s.CVRMSE = Known(s.RMSE / s.ObservedMean)
	if n > k {
		adjusted := math.Sqrt(squares / (n - k))
		s.RMSEAdj, s.CVRMSEAdj = &adjusted, Known(adjusted/s.ObservedMean)
	}
	s.MAPE = Known(relative / float64(s.N-s.Zeros))
	s.NMAE, s.NMBE = Known(absolute/s.Observed), Known((s.Predicted-s.Observed)/s.Observed)
	if r2 := stat.Correlation(o, p, nil); s.N > 1 && finite(r2) {
		r2 *= r2
		s.R2 = &r2
		if n > k+1 {
			s.AdjR2 = Known(1 - (1-r2)*(n-1)/(n-k-1))
		}
	}
	if s.N > 2 {
		s.correlate(stat.Correlation(r[1:], r[:len(r)-1], nil))
	}
	s.Slow = slow(r)
	return s
}

func (s *Statistics) correlate(rho float64) {
	s.Autocorrelation = Known(rho)
	if s.Autocorrelation != nil && math.Abs(rho) < 1 {
		s.NPrime = Known(float64(s.N) * (1 - rho) / (1 + rho))
	}
}

// Student is the two-sided quantile of Student's t: the half width, in standard
// errors, of an interval of the given confidence, between 0 and 1. It is NaN
// below one degree of freedom.
func Student(confidence, degrees float64) float64 {
	if degrees < 1 || confidence <= 0 || confidence >= 1 {
		return math.NaN()
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: degrees}.Quantile(1 - (1-confidence)/2)
}

// Select reorders numbers, none of them NaN, so that the k-th smallest, from 0, is
// at k, none before it is greater and none after it is less (Hoare 1961, Algorithm
// 65: Find). It returns that number.
func Select(x []float64, k int) float64 {
	for low, high := 0, len(x)-1; low < high; {
		pivot, i, j := x[low+(high-low)/2], low, high
		for i <= j {
			for x[i] < pivot {
				i++
			}
			for x[j] > pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return x[k]
		}
	}
	return x[k]
}

// QuantileOf is Quantile of numbers in any order, which it changes.
func QuantileOf(x []float64, q float64) float64 {
	at := q * float64(len(x)-1)
	i := int(at)
	low := Select(x, i)
	if i+1 >= len(x) {
		return low
	}
	return low + (at-float64(i))*(slices.Min(x[i+1:])-low)
}

// Quantile interpolates between the order statistics of sorted numbers, of which
// there is at least one (type 7 of Hyndman & Fan 1996). q is 0…1.
func Quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
