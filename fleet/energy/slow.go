package energy

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// Slow is how residuals hang together over days. The lag of one hour does not
// show it where an hour's own noise hides what lasts for weeks, so the residuals
// are summed first: the hours of a year to days.
type Slow struct {
	Rows            int     `json:"rows"` // of one sum
	Sums            int     `json:"sums"`
	Autocorrelation float64 `json:"autocorrelation"` // of each sum with the next
	Variance        float64 `json:"variance"`        // of a sum
}

// The most sums that residuals are cut to, a year of days, and the fewest that
// say how slow they are.
const (
	mostSums   = 365
	fewestSums = 60
)

func slow(residuals []float64) *Slow {
	s := Slow{Rows: max(1, len(residuals)/mostSums)}
	sums := make([]float64, 0, mostSums+1)
	for i := 0; i+s.Rows <= len(residuals); i += s.Rows {
		var sum float64
		for _, r := range residuals[i : i+s.Rows] {
			sum += r
		}
		sums = append(sums, sum)
	}
	if s.Sums = len(sums); s.Sums < fewestSums {
		return nil
	}
	s.Autocorrelation, s.Variance = stat.Correlation(sums[1:], sums[:s.Sums-1], nil), stat.PopVariance(sums, nil)
	if !finite(s.Autocorrelation) || !finite(s.Variance) {
		return nil
	}
	return &s
}

// fewestPrime is how many independent sums a baseline must hold. With fewer, what
// is left of slow noise in its residuals says too little of what there was: the
// fit has taken the rest for weather.
const fewestPrime = 30

// slowTerms is how many terms of a baseline follow the seasons, and so take slow
// noise for weather: the level and two slopes.
const slowTerms = 3

// Over is the half width of the interval around a saving of reporting rows that
// the slow noise leaves. It takes away the bias of ρ (Kendall 1954, Note on bias
// in the estimation of autocorrelation, Biometrika 41) and counts n′ degrees of
// freedom, where Guideline 14 counts n. It is +Inf where the noise is so slow
// that the baseline has seen too little of it to tell.
// Without a Slow, which takes sixty rows, it is zero: nothing is added to what n′
// says.
func (s *Slow) Over(rows int, confidence float64) float64 {
	if s == nil {
		return 0
	}
	n, m := float64(s.Sums), float64(rows)/float64(s.Rows)
	rho := max(s.Autocorrelation, 0)
	rho = min(rho+(1+3*rho)/n, 1)
	prime := n * (1 - rho) / (1 + rho)
	if prime < fewestPrime {
		return math.Inf(1)
	}
	degrees := prime - slowTerms
	variance := s.Variance * n / degrees // of independent sums, as many as n′
	return Student(confidence, degrees) * math.Sqrt(variance*(m+m*m/n))
}
