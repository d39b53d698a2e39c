package towt

import (
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// Describe implements energy.Model.
func (m *Model) Describe() energy.Fit { return m.Fit }

// Predict implements energy.Model. A prediction below zero is zero; a time of the
// week that the baseline does not have is NaN.
func (m *Model) Predict(rows []energy.Row) []float64 {
	out := m.estimate(rows)
	for i, x := range out {
		if x < 0 {
			out[i] = 0
		}
	}
	return out
}

// estimate averages the runs.
func (m *Model) estimate(rows []energy.Row) []float64 {
	out := make([]float64, len(rows))
	basis := make([]float64, len(m.KnotsF)+1)
	for i := range rows {
		r := &rows[i]
		if math.IsNaN(r.TempF) {
			out[i] = math.NaN()
			continue
		}
		regress.Piecewise(r.TempF, m.KnotsF, basis)
		out[i] = m.average(m.timeOfWeek(r), r.Start.UnixNano(), basis)
	}
	return out
}

// average is the prediction for a time of the week at an instant in Unix
// nanoseconds.
func (m *Model) average(week int, at int64, basis []float64) float64 {
	for n := len(basis); n > 0 && basis[n-1] == 0; n-- { // segments above the temperature
		basis = basis[:n-1]
	}
	var sum, weights float64
	for k := range m.Runs {
		p := &m.Runs[k].Idle
		if m.Occupied[week] {
			p = &m.Runs[k].InUse
		}
		if p.Levels[week] == nil {
			return math.NaN()
		}
		x := *p.Levels[week]
		for j, b := range basis {
			x += p.Slopes[j] * b
		}
		w := m.weight(time.Duration(at - m.Runs[k].Centre.UnixNano()))
		sum, weights = sum+w*x, weights+w
	}
	return sum / weights
}

// coefficientCount is the number of all coefficients of one run, the levels of
// the times of the week among them.
func (m *Model) coefficientCount() int {
	most := 0
	for _, r := range m.Runs {
		most = max(most, r.InUse.rank+r.Idle.rank)
	}
	return most
}

// describe fills in the statistics over the rows of the fit. Parameters counts
// the coefficients of one run but for one, since the levels hold the intercept.
func (m *Model) describe(rows []energy.Row) {
	observed := make([]float64, len(rows))
	for i, r := range rows {
		observed[i] = r.Use
	}
	m.Statistics = energy.Measure(observed, m.estimate(rows), m.coefficientCount()-1)
	if m.Scale > 0 {
		return
	}
	add := func(part string, p Part) {
		for w, l := range p.Levels {
			if l != nil {
				m.Coefficients = append(m.Coefficients, energy.Coefficient{Name: fmt.Sprintf("%s time_of_week[%d]", part, w), Value: *l})
			}
		}
		for j, b := range p.Slopes {
			if p.rank > 0 {
				m.Coefficients = append(m.Coefficients, energy.Coefficient{Name: fmt.Sprintf("%s temperature[%d]", part, j), Value: b})
			}
		}
	}
	add("occupied", m.Runs[0].InUse)
	add("unoccupied", m.Runs[0].Idle)
}
