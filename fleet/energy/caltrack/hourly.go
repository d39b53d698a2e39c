package caltrack

import (
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// Hourly is the model of hours: one segment for each month of the year, fitted
// to that month and, at half weight, to the one before and after it (3.7.5).
type Hourly struct {
	energy.Fit
	Segments []Segment `json:"segments"` // those with data, in the order of the months
}

// Segment is the model of one month: a level for each hour of the week, and a
// bent line of the temperature for the occupied hours and another for the rest.
type Segment struct {
	Month      time.Month `json:"month"`
	Occupied   []bool     `json:"occupied"` // 168, from Monday 00:00
	Levels     []*float64 `json:"levels"`   // 168; nil for an hour of the week without data
	InUse      Line       `json:"in_use"`
	Idle       Line       `json:"idle"`
	Parameters int        `json:"parameters"`
}

// Line is a continuous line over the temperature, bent at the knots.
type Line struct {
	KnotsF []float64 `json:"knots_f"`
	Slopes []float64 `json:"slopes"` // per °F, one more than there are knots
}

const hoursOfWeek = 168

// hourOfWeek is counted from Monday 00:00 local time.
func hourOfWeek(t time.Time) int { return (int(t.Weekday())+6)%7*24 + t.Hour() }

// neighbour is the weight of the months beside the segment's own (3.7.5).
const neighbour = 0.5

// weightOf is the weight of a row of month m in the segment of month s.
func weightOf(m, s time.Month) float64 {
	switch (int(m) - int(s) + 12) % 12 {
	case 0:
		return 1
	case 1, 11:
		return neighbour
	}
	return 0
}

// FitHourly fits the hourly model. Rows without use or temperature are left out.
func FitHourly(rows []energy.Row) (*Hourly, error) {
	m := Hourly{Fit: energy.Fit{
		Model: HourlyModel, Version: HourlyVersion, Interval: energy.Hourly, Period: energy.Span(rows), Temperatures: energy.Temperatures(rows),
		Formula: "meter_value ~ C(hour_of_week) - 1 + occupied and unoccupied temperature bins, by month",
	}}
	parameters := 0
	for month := time.January; month <= time.December; month++ {
		s, ok := fitSegment(rows, month)
		if !ok {
			m.Warnings = append(m.Warnings, energy.Reason{Code: "month_without_model", Text: "no model of " + month.String()})
			continue
		}
		m.Segments = append(m.Segments, s)
		parameters += s.Parameters
		m.Coefficients = append(m.Coefficients, s.coefficients()...)
	}
	if len(m.Segments) == 0 {
		return nil, energy.Lacking(HourlyVersion, NoData, "no month has enough hours with both use and temperature")
	}
	observed := make([]float64, len(rows))
	for i, r := range rows {
		observed[i] = r.Use
	}
	m.Statistics = energy.Measure(observed, m.Predict(rows), parameters)
	return &m, nil
}

// sample is the rows of one segment.
type sample struct {
	use, temp, weight []float64
	hour              []int
}

func fitSegment(rows []energy.Row, month time.Month) (Segment, bool) {
	var d sample
	for _, r := range rows {
		if w := weightOf(r.Start.Month(), month); w > 0 && r.Whole() {
			d.use, d.temp = append(d.use, r.Use), append(d.temp, r.TempF)
			d.weight, d.hour = append(d.weight, w), append(d.hour, hourOfWeek(r.Start))
		}
	}
	if len(d.use) == 0 {
		return Segment{}, false
	}
	s := Segment{Month: month, Occupied: d.occupancy(), Levels: make([]*float64, hoursOfWeek)}
	var used, idle []float64
	for i, h := range d.hour {
		if s.Occupied[h] {
			used = append(used, d.temp[i])
		} else {
			idle = append(idle, d.temp[i])
		}
	}
	s.InUse.KnotsF, s.Idle.KnotsF = knots(used), knots(idle)
	a, b := len(s.InUse.KnotsF)+1, len(s.Idle.KnotsF)+1
	columns := make([][]float64, a+b)
	for j := range columns {
		columns[j] = make([]float64, len(d.use))
	}
	basis := make([]float64, max(a, b))
	for i, h := range d.hour {
		offset, line, n := 0, s.InUse, a
		if !s.Occupied[h] {
			offset, line, n = a, s.Idle, b
		}
		regress.Piecewise(d.temp[i], line.KnotsF, basis[:n])
		for j, x := range basis[:n] {
			columns[offset+j][i] = x
		}
	}
	g, err := regress.Leveled(d.hour, hoursOfWeek, columns, d.use, d.weight)
	if err != nil {
		return Segment{}, false
	}
	s.InUse.Slopes, s.Idle.Slopes, s.Parameters = g.Coefficients[:a], g.Coefficients[a:], g.Rank
	for h, l := range g.Levels {
		s.Levels[h] = energy.Known(l)
	}
	return s, true
}

// The degree hours that use is set against to find the occupied hours, °F, and
// the share of positive residuals that makes an hour of the week occupied
// (3.8.3, 3.8.4).
const (
	occupancyHeatingF = 50
	occupancyCoolingF = 65
	occupancyShare    = 0.65
)

// occupancy marks the hours of the week in which use is usually above what the
// temperature alone explains.
func (d *sample) occupancy() []bool {
	n := len(d.use)
	ones, cold, hot := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, t := range d.temp {
		ones[i], cold[i], hot[i] = 1, positive(occupancyHeatingF-t), positive(t-occupancyCoolingF)
	}
	occupied := make([]bool, hoursOfWeek)
	s, err := regress.Least([][]float64{ones, hot, cold}, d.use, d.weight)
	if err != nil {
		return occupied
	}
	var above, all [hoursOfWeek]float64
	for i, h := range d.hour {
		all[h]++
		if d.use[i] > s.Coefficients[0]+s.Coefficients[1]*hot[i]+s.Coefficients[2]*cold[i] {
			above[h]++
		}
	}
	for h := range occupied {
		occupied[h] = above[h] > occupancyShare*all[h]
	}
	return occupied
}

// minBin is how many hours a temperature bin must hold (3.9.1.2).
const minBin = 20

// knots are the bounds of the temperature bins, °F, without those of bins that
// hold too few hours: first from both ends inwards, then in the middle (3.9.1.2).
func knots(temps []float64) []float64 {
	bounds := []float64{30, 45, 55, 65, 75, 90}
	for len(bounds) > 0 {
		counts := make([]int, len(bounds)+1)
		for _, t := range temps {
			i := 0
			for i < len(bounds) && t > bounds[i] {
				i++
			}
			counts[i]++
		}
		drop := make([]bool, len(bounds))
		last := len(counts) - 1
		drop[0] = counts[0] < minBin
		drop[last-1] = drop[last-1] || counts[last] < minBin
		if !drop[0] && !drop[last-1] {
			for i := 1; i < last; i++ {
				drop[i] = counts[i] < minBin
			}
		}
		var left []float64
		for i, b := range bounds {
			if !drop[i] {
				left = append(left, b)
			}
		}
		if len(left) == len(bounds) {
			break
		}
		bounds = left
	}
	return bounds
}

func (s *Segment) coefficients() []energy.Coefficient {
	name := func(format string, args ...any) string {
		return s.Month.String()[:3] + " " + fmt.Sprintf(format, args...)
	}
	var out []energy.Coefficient
	for h, l := range s.Levels {
		if l != nil {
			out = append(out, energy.Coefficient{Name: name("hour_of_week[%d]", h), Value: *l})
		}
	}
	for i, b := range s.InUse.Slopes {
		out = append(out, energy.Coefficient{Name: name("bin_%d_occupied", i), Value: b})
	}
	for i, b := range s.Idle.Slopes {
		out = append(out, energy.Coefficient{Name: name("bin_%d_unoccupied", i), Value: b})
	}
	return out
}

// Describe implements energy.Model.
func (m *Hourly) Describe() energy.Fit { return m.Fit }

// Predict implements energy.Model. Hours of a month or of the week that the
// baseline does not have are NaN.
func (m *Hourly) Predict(rows []energy.Row) []float64 {
	var months [13]*Segment
	for i := range m.Segments {
		months[m.Segments[i].Month] = &m.Segments[i]
	}
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = math.NaN()
		if s := months[r.Start.Month()]; s != nil {
			out[i] = s.predict(hourOfWeek(r.Start), r.TempF)
		}
	}
	return out
}

func (s *Segment) predict(h int, temp float64) float64 {
	if s.Levels[h] == nil {
		return math.NaN()
	}
	line := s.Idle
	if s.Occupied[h] {
		line = s.InUse
	}
	return *s.Levels[h] + line.at(temp)
}

// at is the value of the line; NaN at NaN.
func (l Line) at(temp float64) float64 {
	basis := make([]float64, len(l.Slopes))
	regress.Piecewise(temp, l.KnotsF, basis)
	var sum float64
	for i, b := range l.Slopes {
		sum += b * basis[i]
	}
	return sum
}
