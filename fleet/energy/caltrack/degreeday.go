// Package caltrack fits the baselines of CalTRACK 2.0 (caltrack.org): degree-day
// models of days and of bills, and the segmented model of hours. It repeats the
// choices of the reference implementation, eemeter 3.1.1, so that an auditor
// gets the same numbers from both.
//
// Section numbers in comments are those of the CalTRACK 2.0 methods.
package caltrack

import (
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// The ids and versions of the models.
const (
	DailyModel     = "caltrack-daily"
	DailyVersion   = "caltrack-daily/2.0.1"
	BillingModel   = "caltrack-billing"
	BillingVersion = "caltrack-billing/2.0.1"
	HourlyModel    = "caltrack-hourly"
	HourlyVersion  = "caltrack-hourly/2.0.1"
)

// Kind says which degree days a model has.
type Kind string

// The kinds, in the order that they are tried.
const (
	InterceptOnly Kind = "intercept_only"
	HeatingOnly   Kind = "hdd_only"
	CoolingOnly   Kind = "cdd_only"
	Both          Kind = "cdd_hdd"
)

// Status is what became of a candidate.
type Status string

// The states of a candidate.
const (
	Qualified    Status = "qualified"
	Disqualified Status = "disqualified"  // a coefficient is negative (3.4.3.2)
	NotAttempted Status = "not_attempted" // too few degree days (3.2.2.2)
)

// Candidate is one model that was tried. Coefficients are per day and per degree
// day in °F.
type Candidate struct {
	Kind      Kind    `json:"kind"`
	Status    Status  `json:"status"`
	Intercept float64 `json:"intercept"`
	Heating   float64 `json:"beta_hdd"`
	Cooling   float64 `json:"beta_cdd"`
	HeatingF  int     `json:"heating_balance_point_f,omitempty"`
	CoolingF  int     `json:"cooling_balance_point_f,omitempty"`
	AdjR2     float64 `json:"r_squared_adjusted"`
}

// Formula writes the candidate as CalTRACK does.
func (c Candidate) Formula() string {
	switch c.Kind {
	case HeatingOnly:
		return fmt.Sprintf("meter_value ~ hdd_%d", c.HeatingF)
	case CoolingOnly:
		return fmt.Sprintf("meter_value ~ cdd_%d", c.CoolingF)
	case Both:
		return fmt.Sprintf("meter_value ~ cdd_%d + hdd_%d", c.CoolingF, c.HeatingF)
	}
	return "meter_value ~ 1"
}

// parameters counts the coefficients beside the intercept.
func (c Candidate) parameters() int {
	switch c.Kind {
	case Both:
		return 2
	case InterceptOnly:
		return 0
	}
	return 1
}

// Options are the choices of a degree-day fit. The zero value is what CalTRACK
// prescribes for electricity.
type Options struct {
	HeatingOnly bool // leave out cooling, as CalTRACK does for gas (3.2.1.1)
}

// DegreeDay is a fitted degree-day model.
type DegreeDay struct {
	energy.Fit
	Best   Candidate               `json:"best"`
	Counts map[Kind]map[Status]int `json:"candidates"`
	Rivals []Candidate             `json:"rivals"` // the next best four
}

// FitDaily fits the daily model (3.2–3.4). Rows without use or temperature are
// left out. The error wraps energy.ErrInsufficientData where no candidate
// qualifies.
//
// Worked case, eemeter's sample il-electricity-cdd-hdd-daily: 13.472386 +
// 2.516255·cdd68 + 1.112295·hdd53, adjusted R² 0.768473.
func FitDaily(rows []energy.Row, o Options) (*DegreeDay, error) {
	m := DegreeDay{Fit: energy.Fit{Model: DailyModel, Version: DailyVersion, Interval: energy.Daily}}
	return m.fit(rows, o, limits{nonZero: 10, total: 20})
}

// FitBilling fits the model of bills: use and degree days per day, weighted by
// the days of the bill (3.4.2).
func FitBilling(rows []energy.Row, o Options) (*DegreeDay, error) {
	m := DegreeDay{Fit: energy.Fit{Model: BillingModel, Version: BillingVersion, Interval: energy.Billing}}
	return m.fit(rows, o, limits{nonZero: 0, total: 20})
}

func (m *DegreeDay) fit(rows []energy.Row, o Options, l limits) (*DegreeDay, error) {
	m.Period, m.Temperatures = energy.Span(rows), energy.Temperatures(rows)
	g := newGrid(rows, m.Interval)
	if len(g.use) == 0 {
		return nil, energy.Lacking(m.Version, "no_data", "no row has both use and temperature")
	}
	candidates := g.candidates(o, l)
	m.Counts = count(candidates)
	best, rivals, ok := choose(candidates)
	if !ok {
		return nil, energy.Lacking(m.Version, "no_candidate", "no candidate model qualifies")
	}
	m.Best, m.Rivals = g.refine(best), rivals
	m.Formula, m.Coefficients = m.Best.Formula(), coefficients(m.Best)
	observed := make([]float64, len(rows))
	for i, r := range rows {
		observed[i] = r.Use
	}
	m.Statistics = energy.Measure(observed, m.Predict(rows), m.Best.parameters())
	return m, nil
}

func coefficients(c Candidate) []energy.Coefficient {
	out := []energy.Coefficient{{Name: "intercept", Value: c.Intercept}}
	if c.Kind == CoolingOnly || c.Kind == Both {
		out = append(out, energy.Coefficient{Name: "beta_cdd", Value: c.Cooling},
			energy.Coefficient{Name: "cooling_balance_point_f", Value: float64(c.CoolingF)})
	}
	if c.Kind == HeatingOnly || c.Kind == Both {
		out = append(out, energy.Coefficient{Name: "beta_hdd", Value: c.Heating},
			energy.Coefficient{Name: "heating_balance_point_f", Value: float64(c.HeatingF)})
	}
	return out
}

// Describe implements energy.Model.
func (m *DegreeDay) Describe() energy.Fit { return m.Fit }

// Predict implements energy.Model.
func (m *DegreeDay) Predict(rows []energy.Row) []float64 {
	out := make([]float64, len(rows))
	for i, l := range m.Loads(rows) {
		out[i] = l.Base + l.Heating + l.Cooling
	}
	return out
}

// Load is a prediction by what it is for, in the unit of the meter.
type Load struct{ Base, Heating, Cooling float64 }

// Loads are the predictions of Predict by what they are for (3.1.1.1). All three
// are NaN where there is no temperature.
func (m *DegreeDay) Loads(rows []energy.Row) []Load {
	out := make([]Load, len(rows))
	for i, r := range rows {
		days := r.Days() // a day of 23 hours uses 23/24 of a day
		h, _ := meanDegreeDays(r, float64(m.Best.HeatingF))
		_, c := meanDegreeDays(r, float64(m.Best.CoolingF))
		base := m.Best.Intercept * days
		if math.IsNaN(r.TempF) {
			base = math.NaN()
		}
		out[i] = Load{Base: base, Heating: m.Best.Heating * h * days, Cooling: m.Best.Cooling * c * days}
	}
	return out
}

// meanDegreeDays are the degree days per day of a row.
func meanDegreeDays(r energy.Row, balance float64) (heating, cooling float64) {
	if r.DayTempsF == nil {
		return positive(balance - r.TempF), positive(r.TempF - balance)
	}
	n := float64(len(r.DayTempsF))
	for _, t := range r.DayTempsF {
		heating += positive(balance-t) / n
		cooling += positive(t-balance) / n
	}
	if math.IsNaN(r.TempF) {
		return math.NaN(), math.NaN()
	}
	return heating, cooling
}

// positive is max(x, 0) that keeps NaN.
func positive(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

// refine solves the best candidate again by orthogonal reflections.
func (g *grid) refine(c Candidate) Candidate {
	ones := make([]float64, len(g.use))
	for i := range ones {
		ones[i] = 1
	}
	columns := [][]float64{ones}
	if c.Kind == CoolingOnly || c.Kind == Both {
		columns = append(columns, g.cooling[c.CoolingF-lowest].raw)
	}
	if c.Kind == HeatingOnly || c.Kind == Both {
		columns = append(columns, g.heating[c.HeatingF-lowest].raw)
	}
	s, err := regress.Least(columns, g.use, g.days)
	if err != nil || s.Rank < len(columns) {
		return c
	}
	c.Intercept = s.Coefficients[0]
	switch c.Kind {
	case HeatingOnly:
		c.Heating = s.Coefficients[1]
	case CoolingOnly:
		c.Cooling = s.Coefficients[1]
	case Both:
		c.Cooling, c.Heating = s.Coefficients[1], s.Coefficients[2]
	}
	return c
}
