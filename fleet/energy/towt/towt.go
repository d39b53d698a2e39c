// Package towt fits LBNL's time-of-week-and-temperature baseline (Mathieu, Price,
// Kiliccote & Piette 2011, Quantifying changes in building electricity use, IEEE
// Trans. Smart Grid 2(3); Price 2010, LBNL-3713E), as LBNL's RM&V2.0 and nmecr do:
// a level for each time of the week, and a bent line of the temperature, both
// apart for occupied and unoccupied times. A building that follows its schedule
// more than the weather needs it.
//
// It is pure, and knows nothing of savings.
package towt

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// The ids and the version of the model.
const (
	DailyModel    = "towt-daily"
	HourlyModel   = "towt-hourly"
	WeightedModel = "towt-hourly-weighted" // hours, with a timescale
	Version       = "towt/1"
)

// Options are the choices of a fit. The zero value takes the defaults.
type Options struct {
	Segments int // of the temperature, each with as many rows; 6 by default
	// TimescaleDays fits once for every so many days, each fit weighing the rows
	// around its centre by s²/(s²+Δ²), and averages the predictions by the same
	// weights. 0 fits once, with equal weights. LBNL takes 14 for the shape of
	// load.
	TimescaleDays float64
}

// Model is a fitted baseline.
type Model struct {
	energy.Fit
	KnotsF   []float64 `json:"knots_f"`
	Occupied []bool    `json:"occupied"` // by time of the week from Sunday 00:00: 7 days or 168 hours
	Runs     []Run     `json:"runs"`     // one, or one for each centre
	Scale    float64   `json:"timescale_days,omitempty"`
}

// Run is one weighted fit.
type Run struct {
	Centre time.Time `json:"centre"`
	InUse  Part      `json:"in_use"`
	Idle   Part      `json:"idle"`
}

// Part is the fit of the occupied or the unoccupied times.
type Part struct {
	Levels []*float64 `json:"levels"` // by time of the week; nil for the times of the other part
	Slopes []float64  `json:"slopes"` // per °F, one more than there are knots
	rank   int
}

// Fit fits days or hours. Rows without use or temperature are left out. The
// error wraps energy.ErrInsufficientData.
//
// Worked case, nmecr's meter 2012-03-01 … 2013-02-27 by day: R² 0.8964727414,
// Thursday to Saturday occupied, knots 42.704, 46.893, 51.831, 57.868, 63.416 °F.
func Fit(rows []energy.Row, o Options) (*Model, error) {
	if o.Segments == 0 {
		o.Segments = 6
	}
	m := Model{Fit: energy.Fit{Version: Version, Period: energy.Span(rows), Temperatures: energy.Temperatures(rows)}, Scale: o.TimescaleDays}
	m.Model, m.Interval = DailyModel, energy.Daily
	if len(rows) > 0 && rows[0].Days() < 0.5 {
		m.Model, m.Interval = HourlyModel, energy.Hourly
		if o.TimescaleDays > 0 {
			m.Model = WeightedModel
		}
	}
	d := m.sample(rows)
	if len(d.use) < 2*m.week() {
		return nil, energy.Lacking(Version, "too_few_rows", "fewer than two weeks of rows have both use and temperature")
	}
	m.KnotsF = knots(d.temp, o.Segments)
	m.Occupied = d.occupancy(m.week())
	m.Formula = fmt.Sprintf("use ~ time of week + temperature bent at %d knots, by occupancy", len(m.KnotsF))
	sides := [2]side{m.side(d, true), m.side(d, false)}
	for _, c := range d.centres(o.TimescaleDays) {
		r, err := m.run(sides, c)
		if err != nil {
			return nil, energy.Lacking(Version, "fit_failed", err.Error())
		}
		m.Runs = append(m.Runs, r)
	}
	m.describe(rows)
	return &m, nil
}

// week is the number of times of the week.
func (m *Model) week() int {
	if m.Interval == energy.Hourly {
		return 168
	}
	return 7
}

// timeOfWeek counts from Sunday 00:00 local time.
func (m *Model) timeOfWeek(r *energy.Row) int {
	if m.Interval == energy.Hourly {
		return int(r.Weekday())*24 + r.Start.Hour()
	}
	return int(r.Weekday())
}

// sample is the rows that are whole.
type sample struct {
	use, temp []float64
	week      []int
	at        []time.Time
}

func (m *Model) sample(rows []energy.Row) sample {
	n := len(rows)
	d := sample{make([]float64, 0, n), make([]float64, 0, n), make([]int, 0, n), make([]time.Time, 0, n)}
	for i := range rows {
		if r := &rows[i]; r.Whole() {
			d.use, d.temp = append(d.use, r.Use), append(d.temp, r.TempF)
			d.week, d.at = append(d.week, m.timeOfWeek(r)), append(d.at, r.Start)
		}
	}
	return d
}

// minBeyond is how many rows must lie beyond the outermost knots.
const minBeyond = 20

// knots divide the temperatures into segments of as many rows. Knots with
// too few rows beyond them are dropped; one stays in any case.
func knots(temps []float64, segments int) []float64 {
	spare, n := slices.Clone(temps), len(temps)
	var out []float64
	for i := 1; i <= segments; i++ {
		at := int(math.Floor(float64(n)-float64(n)/float64(segments)*float64(segments-i)+0.001)) - 1
		if at < 0 {
			continue
		}
		if k := energy.Select(spare, at); len(out) == 0 || k > out[len(out)-1] {
			out = append(out, k)
		}
	}
	beyond := func(k float64, above bool) int {
		c := 0
		for _, t := range temps {
			if above && t > k || !above && t < k {
				c++
			}
		}
		return c
	}
	for len(out) > 1 && beyond(out[len(out)-1], true) < minBeyond {
		out = out[:len(out)-1]
	}
	for len(out) > 1 && beyond(out[0], false) < minBeyond {
		out = out[1:]
	}
	return out
}

// The temperatures beyond which use is set against degrees to find the occupied
// times, °F; the share of positive residuals that makes a time of the week
// occupied; and the fewest times that count as a schedule.
const (
	coldF          = 50
	hotF           = 65
	occupiedShare  = 0.65
	fewestOccupied = 3
)

// occupancy marks the times of the week in which use is usually above what the
// temperature alone explains.
func (d *sample) occupancy(week int) []bool {
	n := len(d.use)
	ones, cold, hot := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, t := range d.temp {
		ones[i], cold[i], hot[i] = 1, min(t-coldF, 0), max(t-hotF, 0)
	}
	out := make([]bool, week)
	s, err := regress.Least([][]float64{ones, cold, hot}, d.use, nil)
	if err != nil {
		return out
	}
	above, all := make([]float64, week), make([]float64, week)
	for i, w := range d.week {
		all[w]++
		if d.use[i] > s.Coefficients[0]+s.Coefficients[1]*cold[i]+s.Coefficients[2]*hot[i] {
			above[w]++
		}
	}
	occupied := 0
	for w := range out {
		out[w] = above[w] > occupiedShare*all[w]
		if out[w] {
			occupied++
		}
	}
	if occupied < fewestOccupied {
		clear(out)
	}
	return out
}

// centres are the instants that the weighted fits are centred on: rows that cut
// the sample into spans of the timescale.
func (d *sample) centres(scale float64) []time.Time {
	if scale <= 0 {
		return []time.Time{d.at[0]}
	}
	n := len(d.at)
	days := d.at[n-1].Sub(d.at[0]).Hours() / 24
	spans := max(1, int(math.Ceil(days/scale)))
	width := float64(n-1) / float64(spans)
	var out []time.Time
	for i := spans; i >= 0; i-- {
		out = append(out, d.at[int(math.Floor(float64(n)-width*float64(i)+0.001))-1])
	}
	return out
}

// weight is s²/(s²+Δ²), with Δ in days, of a row so far from the centre; one
// without a timescale.
func (m *Model) weight(since time.Duration) float64 {
	if m.Scale <= 0 {
		return 1
	}
	days := since.Hours() / 24
	return m.Scale * m.Scale / (m.Scale*m.Scale + days*days)
}

func (m *Model) run(sides [2]side, centre time.Time) (Run, error) {
	r := Run{Centre: centre}
	var err error
	if r.InUse, err = m.part(&sides[0], centre); err != nil {
		return r, err
	}
	r.Idle, err = m.part(&sides[1], centre)
	return r, err
}

// side is the occupied or the unoccupied rows, with the basis of their
// temperatures. Runs differ by the weights alone.
type side struct {
	week    []int
	use     []float64
	at      []int64 // Unix nanoseconds
	columns [][]float64
	weight  []float64 // of the run at hand
}

func (m *Model) side(d sample, occupied bool) side {
	n := 0
	for _, w := range d.week {
		if m.Occupied[w] == occupied {
			n++
		}
	}
	s := side{
		week: make([]int, 0, n), use: make([]float64, 0, n), at: make([]int64, 0, n), weight: make([]float64, n),
		columns: make([][]float64, len(m.KnotsF)+1),
	}
	for j := range s.columns {
		s.columns[j] = make([]float64, 0, n)
	}
	basis := make([]float64, len(s.columns))
	for i, w := range d.week {
		if m.Occupied[w] != occupied {
			continue
		}
		s.week, s.use, s.at = append(s.week, w), append(s.use, d.use[i]), append(s.at, d.at[i].UnixNano())
		regress.Piecewise(d.temp[i], m.KnotsF, basis)
		for j, x := range basis {
			s.columns[j] = append(s.columns[j], x)
		}
	}
	return s
}

// part fits the occupied or the unoccupied rows. A part without rows predicts
// nothing.
func (m *Model) part(s *side, centre time.Time) (Part, error) {
	p := Part{Levels: make([]*float64, m.week()), Slopes: make([]float64, len(s.columns))}
	if len(s.week) == 0 {
		return p, nil
	}
	from := centre.UnixNano()
	for i, at := range s.at {
		s.weight[i] = m.weight(time.Duration(at - from))
	}
	g, err := regress.Leveled(s.week, m.week(), s.columns, s.use, s.weight)
	if err != nil {
		return p, err
	}
	for w, l := range g.Levels {
		p.Levels[w] = energy.Known(l)
	}
	p.Slopes, p.rank = g.Coefficients, g.Rank
	return p, nil
}
