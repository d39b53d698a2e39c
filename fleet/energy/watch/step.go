package watch

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Step is the best single step through the residuals of a baseline: the instant
// that parts them into two levels as far apart as can be.
type Step struct {
	At        time.Time `json:"at"`        // the first row of the second level
	Fraction  float64   `json:"fraction"`  // the second level less the first, of the mean use
	Explained float64   `json:"explained"` // share of the residuals' variance, 0…1
}

// minLevel is the shortest level, in days.
const minLevel = 21

// FindStep looks for a step in the rows that a model was itself fitted to. A
// CUSUM cannot: there a step makes the residuals resemble each other, and so
// hides in their spread. The split that leaves the least squares is taken (the
// first split of binary segmentation, Scott & Knott 1974, Biometrics 30). It is
// nil where the rows are too few.
func FindStep(model energy.Model, rows []energy.Row) *Step {
	residuals, at := make([]float64, 0, len(rows)), make([]time.Time, 0, len(rows))
	var use, sum, squares float64
	for i, p := range model.Predict(rows) {
		if r := rows[i].Use - p; !math.IsNaN(r) {
			residuals, at = append(residuals, r), append(at, rows[i].Start)
			use, sum, squares = use+rows[i].Use, sum+r, squares+r*r
		}
	}
	n := float64(len(residuals))
	if n == 0 || use == 0 {
		return nil
	}
	spread := squares - sum*sum/n
	var best Step
	var left float64
	for k, r := range residuals {
		if k > 0 && at[k].Sub(at[0]).Hours() >= 24*minLevel && at[len(at)-1].Sub(at[k]).Hours() >= 24*minLevel {
			a, b := left/float64(k), (sum-left)/(n-float64(k))
			if e := float64(k) * (n - float64(k)) / n * (b - a) * (b - a) / spread; e > best.Explained {
				best = Step{At: at[k], Fraction: (b - a) / (use / n), Explained: e}
			}
		}
		left += r
	}
	if best.At.IsZero() {
		return nil
	}
	return &best
}
