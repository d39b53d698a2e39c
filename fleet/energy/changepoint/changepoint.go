// Package changepoint fits the classic inverse models of use against outdoor
// temperature: the mean, a line, and lines that bend at one or two change points
// (Kissock, Haberl & Claridge 2003, Inverse modeling toolkit, ASHRAE RP-1050;
// ASHRAE Guideline 14-2014, Annex D). They are the plainest baselines that an
// auditor can redo by hand.
//
// It is pure, and knows nothing of savings.
package changepoint

import (
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// Version names the rules of this package in results.
const Version = "changepoint/1"

// Shape is the form of a model, named by its number of parameters.
type Shape string

// The shapes.
const (
	Mean         Shape = "mean"
	Line         Shape = "slr"
	ThreeHeating Shape = "3ph" // falls to a change point, flat beyond
	ThreeCooling Shape = "3pc" // flat to a change point, rises beyond
	Four         Shape = "4p"  // two slopes that meet
	Five         Shape = "5p"  // falls, flat, rises
)

// Shapes are all shapes, the plainest first.
func Shapes() []Shape { return []Shape{Mean, Line, ThreeHeating, ThreeCooling, Four, Five} }

// Model is a fitted baseline: Intercept + Left·min(T−c₁, 0) + Right·max(T−c₂, 0)
// per day, or Intercept + Right·T for a line.
type Model struct {
	energy.Fit
	Shape     Shape   `json:"shape"`
	Intercept float64 `json:"intercept"`
	Left      float64 `json:"left_slope"`  // per °F, negative where cold raises the use
	Right     float64 `json:"right_slope"` // per °F
	LeftF     float64 `json:"left_change_point_f"`
	RightF    float64 `json:"right_change_point_f"`
}

// fewest is how many rows lie on either side of a change point.
const fewest = 10

// Fit fits one shape to rows of a day or a bill, by the use per day. Rows without
// use or temperature are left out. The error wraps energy.ErrInsufficientData.
//
// Worked case, nmecr's meter 2012-03-01 … 2013-02-27: a line has intercept
// 31401.7374, slope −287.6236 and R² 0.6908902469; four parameters reach R²
// 0.7197438069.
func Fit(rows []energy.Row, shape Shape) (*Model, error) {
	m := Model{Shape: shape, Fit: energy.Fit{
		Model: "changepoint-" + string(shape), Version: Version, Interval: energy.Daily, Period: energy.Span(rows),
		Temperatures: energy.Temperatures(rows),
	}}
	p := newProblem(rows)
	if len(p.use) < 2*fewest+2 {
		return nil, energy.Lacking(Version, "too_few_rows", "too few rows have both use and temperature")
	}
	if low, high := p.bounds(); m.bends() && low == high {
		return nil, energy.Lacking(Version, "temperature_constant", "the temperature hardly ever changes, so nothing bends with it")
	}
	if len(rows) > 0 && rows[0].Days() > 2 {
		m.Interval = energy.Billing
	}
	if err := m.solve(p); err != nil {
		return nil, energy.Lacking(Version, "fit_failed", err.Error())
	}
	observed := make([]float64, len(rows))
	for i, r := range rows {
		observed[i] = r.Use
	}
	m.describe()
	m.Statistics = energy.Measure(observed, m.Predict(rows), len(m.Coefficients)-1)
	return &m, nil
}

// bends reports whether the shape has a change point.
func (m *Model) bends() bool { return m.Shape != Mean && m.Shape != Line }

// problem is the rows that are whole, by day.
type problem struct {
	use, temp, days, ones []float64
	sorted                []float64 // temperatures
	hinges                *regress.Hinges
}

func newProblem(rows []energy.Row) problem {
	var p problem
	for _, r := range rows {
		if r.Whole() {
			p.use, p.temp = append(p.use, r.Use/r.Days()), append(p.temp, r.TempF)
			p.days, p.ones = append(p.days, r.Days()), append(p.ones, 1)
		}
	}
	p.sorted = slices.Sorted(slices.Values(p.temp))
	if len(p.temp) > 0 {
		p.hinges = regress.NewHinges(p.temp, p.use, p.days)
	}
	return p
}

func (m *Model) solve(p problem) error {
	switch m.Shape {
	case Mean, Line:
		columns := [][]float64{p.ones}
		if m.Shape == Line {
			columns = append(columns, p.temp)
		}
		s, err := regress.Least(columns, p.use, p.days)
		if err != nil {
			return err
		}
		m.Intercept = s.Coefficients[0]
		if m.Shape == Line {
			m.Right = s.Coefficients[1]
		}
		return nil
	case ThreeHeating, ThreeCooling, Four:
		at := p.search(func(c float64) float64 { return m.remainder(p, c, c) })
		m.take(m.bend(p, at, at), at, at)
	case Five:
		a, b := p.searchPair(func(a, b float64) float64 { return m.remainder(p, a, b) })
		m.take(m.bend(p, a, b), a, b)
	default:
		return fmt.Errorf("no shape %q", m.Shape)
	}
	if m.Left == 0 && m.Right == 0 {
		return fmt.Errorf("no change point in the temperatures")
	}
	return nil
}

// remainder is the sum of squares that the shape leaves with given change points.
func (m *Model) remainder(p problem, a, b float64) float64 {
	sse, _, _ := p.hinges.Fit(a, b, m.Shape != ThreeCooling, m.Shape != ThreeHeating)
	return sse
}

// bend solves the shape for given change points; its coefficients are the
// intercept, the left and the right slope. A fit that fails has an infinite
// error.
func (m *Model) bend(p problem, a, b float64) regress.Solution {
	zero := make([]float64, len(p.temp))
	left, right := zero, zero
	if m.Shape != ThreeCooling {
		left = hinge(p.temp, func(t float64) float64 { return min(t-a, 0) })
	}
	if m.Shape != ThreeHeating {
		right = hinge(p.temp, func(t float64) float64 { return max(t-b, 0) })
	}
	s, err := regress.Least([][]float64{p.ones, left, right}, p.use, p.days)
	if err != nil {
		s.SSE = math.Inf(1)
	}
	return s
}

func (m *Model) take(s regress.Solution, a, b float64) {
	m.Intercept, m.Left, m.Right = s.Coefficients[0], s.Coefficients[1], s.Coefficients[2]
	m.LeftF, m.RightF = a, b
}

func hinge(x []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}

// describe writes the formula and the coefficients that the shape has.
func (m *Model) describe() {
	add := func(name string, v float64) {
		m.Coefficients = append(m.Coefficients, energy.Coefficient{Name: name, Value: v})
	}
	add("intercept", m.Intercept)
	switch m.Shape {
	case Mean:
		m.Formula = "use ~ 1"
	case Line:
		m.Formula = "use ~ T"
		add("slope", m.Right)
	case ThreeHeating:
		m.Formula = "use ~ min(T−c, 0)"
		add("left_slope", m.Left)
		add("change_point_f", m.LeftF)
	case ThreeCooling:
		m.Formula = "use ~ max(T−c, 0)"
		add("right_slope", m.Right)
		add("change_point_f", m.RightF)
	case Four:
		m.Formula = "use ~ min(T−c, 0) + max(T−c, 0)"
		add("left_slope", m.Left)
		add("right_slope", m.Right)
		add("change_point_f", m.LeftF)
	case Five:
		m.Formula = "use ~ min(T−a, 0) + max(T−b, 0)"
		add("left_slope", m.Left)
		add("right_slope", m.Right)
		add("left_change_point_f", m.LeftF)
		add("right_change_point_f", m.RightF)
	}
}

// Describe implements energy.Model.
func (m *Model) Describe() energy.Fit { return m.Fit }

// Predict implements energy.Model.
func (m *Model) Predict(rows []energy.Row) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		perDay := m.Intercept
		switch {
		case math.IsNaN(r.TempF):
			perDay = math.NaN()
		case m.Shape == Line:
			perDay += m.Right * r.TempF
		default:
			perDay += m.Left*min(r.TempF-m.LeftF, 0) + m.Right*max(r.TempF-m.RightF, 0)
		}
		out[i] = perDay * r.Days()
	}
	return out
}
