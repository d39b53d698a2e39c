package report

import (
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report/chart"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// The classes of the style sheet.
const (
	classUsed     = "used"
	classExpected = "expected"
	classSaved    = "saved"
)

// figures are the charts that there is data for.
func figures(m Meter) []figure {
	var out []figure
	for _, f := range []figure{againstTemperature(m), overTime(m), cumulative(m), monthly(m)} {
		if f.Chart != "" {
			out = append(out, f)
		}
	}
	return out
}

// dayRows are rows no shorter than a day: hours are summed to local days, of
// which both the use and what was expected are known.
type dayRow struct {
	start          time.Time
	days           float64
	tempC          float64
	used, expected float64
}

// dayRowsOf sums rows to days; a day that lacks more than a tenth of its hours is
// left out. What was expected is NaN without a model.
func dayRowsOf(rows []energy.Row, model energy.Model) []dayRow {
	expected := make([]float64, len(rows))
	if model != nil {
		expected = model.Predict(rows)
	}
	var out []dayRow
	var day dayRow
	flush := func() {
		if day.days > 0.9 {
			day.tempC /= day.days
			if model == nil {
				day.expected = math.NaN()
			}
			out = append(out, day)
		}
		day = dayRow{}
	}
	for i, r := range rows {
		if i == 0 || r.Days() > 0.5 || r.Start.Format(time.DateOnly) != rows[i-1].Start.Format(time.DateOnly) {
			flush()
		}
		if !r.Whole() || math.IsNaN(expected[i]) {
			continue
		}
		if day.days == 0 {
			day.start = r.Start
		}
		d := r.Days()
		day.days += d
		day.tempC += energy.CelsiusOf(r.TempF) * d
		day.used += r.Use
		day.expected += expected[i]
	}
	flush()
	return out
}

// againstTemperature sets the days of the baseline, and what the model makes of
// them, against the temperature. A model of the temperature alone is a curve.
func againstTemperature(m Meter) figure {
	days := dayRowsOf(m.Baseline, m.Model)
	used := chart.Series{Name: "used before", Kind: chart.Dots, Class: classUsed}
	expected := chart.Series{Name: "expected by the model", Kind: chart.Dots, Class: classExpected}
	for _, d := range days {
		used.Points = append(used.Points, chart.Point{X: d.tempC, Y: d.used / d.days})
		expected.Points = append(expected.Points, chart.Point{X: d.tempC, Y: d.expected / d.days})
	}
	caption := "Each dot is one day of the baseline."
	if len(days) > 0 && days[0].days > 2 {
		caption = "Each dot is one bill of the baseline."
	}
	if curve := curveOf(m); curve != nil {
		expected.Kind, expected.Points = chart.Line, curve
		caption += " The line is the model."
	} else if m.Model != nil {
		caption += " The model knows more than the temperature, such as the day of the week, so that it has no single line."
	}
	f := figure{Title: "The model against temperature", Caption: caption}
	if m.Model == nil {
		f.Title = "Use against temperature"
	}
	c := chart.Chart{
		Title: "Use a day against outdoor temperature, before the measure",
		X:     "outdoor temperature, °C", Y: plain(m.Unit) + " a day", FromY0: true, Series: []chart.Series{used, expected},
	}
	return f.with(c)
}

// curveOf is what a model expects of a day at each temperature of the baseline;
// nil where it is not the same on every day of the year and the week, or where
// there is no model.
func curveOf(m Meter) []chart.Point {
	if m.Model == nil {
		return nil
	}
	f := m.Model.Describe()
	if f.Interval == energy.Hourly || f.Temperatures.MinF == nil || len(m.Baseline) == 0 {
		return nil
	}
	const steps, gap = 120, 39 // every 39 days are all days of the week and all seasons
	from := m.Baseline[0].Start
	var rows []energy.Row
	for k := range steps + 1 {
		t := *f.Temperatures.MinF + (*f.Temperatures.MaxF-*f.Temperatures.MinF)*float64(k)/steps
		for d := range 10 {
			at := from.AddDate(0, 0, d*gap)
			rows = append(rows, energy.Row{Start: at, End: at.Add(24 * time.Hour), TempF: t, TempCoverage: 1})
		}
	}
	predicted := m.Model.Predict(rows)
	var out []chart.Point
	for i := 0; i < len(rows); i += 10 {
		for _, p := range predicted[i : i+10] {
			if !(math.Abs(p-predicted[i]) <= 1e-9*math.Abs(p)) {
				return nil
			}
		}
		out = append(out, chart.Point{X: energy.CelsiusOf(rows[i].TempF), Y: predicted[i]})
	}
	return out
}

// overTime sets what was used beside what was expected, before the measure and
// after it, by the week.
func overTime(m Meter) figure {
	used := chart.Series{Name: "used", Kind: chart.Line, Class: classUsed}
	expected := chart.Series{Name: "expected without the measure", Kind: chart.Line, Class: classExpected}
	var w week
	put := func() {
		x := float64(w.start.AddDate(0, 0, 3).Unix())
		used.Points = append(used.Points, chart.Point{X: x, Y: w.used / w.days})
		expected.Points = append(expected.Points, chart.Point{X: x, Y: w.expected / w.days})
		w = week{}
	}
	for _, d := range daysOf(m) {
		start := weekOf(d.start)
		if d.days > 2 {
			start = d.start // a bill stands for itself
		}
		if w.days > 0 && !start.Equal(w.start) {
			put()
		}
		if n := len(used.Points); n > 0 && w.days == 0 && float64(start.Unix())-used.Points[n-1].X > 75*86400 {
			used.Points = append(used.Points, chart.Point{X: used.Points[n-1].X, Y: math.NaN()})
			expected.Points = append(expected.Points, chart.Point{X: used.Points[n-1].X, Y: math.NaN()})
		}
		w.start = start
		w.days, w.used, w.expected = w.days+d.days, w.used+d.used, w.expected+d.expected
	}
	if w.days > 0 {
		put()
	}
	f := figure{Title: "Used and expected over time", Caption: "Means of each week. What is between the lines after the measure is the saving."}
	switch {
	case m.Assessment.Fit == nil:
		f.Title, f.Caption = "Use over time", "Means of each week."
	case m.Assessment.Fit.Interval == energy.Billing:
		f.Caption = "Means of each bill. What is between the lines after the measure is the saving."
	}
	return f.with(chart.Chart{
		Title: "Use over time, and what the baseline expects",
		Y:     plain(m.Unit) + " a day", Zone: zoneOf(m), FromY0: true, Series: []chart.Series{used, expected}, Marks: markOf(m),
	})
}

type week struct {
	start                time.Time
	days, used, expected float64
}

// daysOf are the days before and after the measure. After it the assessment says
// what was expected, with adjustments.
func daysOf(m Meter) []dayRow {
	out := dayRowsOf(m.Baseline, m.Model)
	v := m.Assessment.Avoided
	if v == nil {
		return append(out, dayRowsOf(m.Reporting, m.Model)...)
	}
	lengths := map[int64]float64{} // of bills
	if v.Fit.Interval == energy.Billing {
		for _, r := range m.Reporting {
			lengths[r.Start.Unix()] = r.Days()
		}
	}
	for _, p := range v.Series {
		if p.Observed == nil || p.Baseline == nil {
			continue
		}
		d := dayRow{start: p.Start, days: 1, used: *p.Observed, expected: *p.Baseline}
		if l := lengths[p.Start.Unix()]; l > 0 {
			d.days = l
		}
		out = append(out, d)
	}
	return out
}

// cumulative is the saving so far, with its band.
func cumulative(m Meter) figure {
	v := m.Assessment.Avoided
	if v == nil {
		return figure{}
	}
	saved := chart.Series{Name: "saved so far", Kind: chart.Line, Class: classSaved}
	band := chart.Series{Name: fmt.Sprintf("interval at %s", confidence(v)), Kind: chart.Band, Class: classSaved}
	for _, p := range v.Series {
		x := float64(p.Start.Unix())
		saved.Points = append(saved.Points, chart.Point{X: x, Y: p.Cumulative})
		if p.Plus != nil {
			band.Points = append(band.Points, chart.Point{X: x, Low: p.Cumulative - *p.Plus, High: p.Cumulative + *p.Plus})
		}
	}
	f := figure{Title: "Saved so far", Caption: bandCaption(v)}
	return f.with(chart.Chart{
		Title: "Cumulative saving with its interval", Y: plain(m.Unit), Zone: zoneOf(m), FromY0: true,
		Series: []chart.Series{band, saved}, Marks: markOf(m),
	})
}

// monthly is the saving of each month, beside its middle. Bills have none.
func monthly(m Meter) figure {
	v := m.Assessment.Avoided
	if v == nil || v.Fit.Interval == energy.Billing {
		return figure{}
	}
	saved := chart.Series{Name: "saved in the month", Kind: chart.Bars, Class: classSaved}
	for _, p := range v.Series {
		if p.Observed == nil || p.Baseline == nil {
			continue
		}
		y, month, _ := p.Start.Date()
		x := float64(time.Date(y, month, 15, 0, 0, 0, 0, p.Start.Location()).Unix())
		if n := len(saved.Points); n == 0 || saved.Points[n-1].X != x {
			saved.Points = append(saved.Points, chart.Point{X: x})
		}
		saved.Points[len(saved.Points)-1].Y += *p.Baseline - *p.Observed
	}
	if len(saved.Points) < 2 || len(saved.Points) > mostBars {
		return figure{}
	}
	f := figure{Title: "Saved month by month", Caption: "Over the days that count. A month with fewer of them saves less."}
	return f.with(chart.Chart{Title: "Saving of each month", Y: plain(m.Unit), Zone: zoneOf(m), FromY0: true, Series: []chart.Series{saved}})
}

// mostBars is how many months there is room for.
const mostBars = 25

func bandCaption(v *savings.Avoided) string {
	if v.Uncertainty == nil {
		return "The saving since the measure. How sure it is is not known."
	}
	return "The saving since the measure, and its interval by " + method(v.Uncertainty.Method) + "."
}

// zoneOf is the time zone of the rows.
func zoneOf(m Meter) *time.Location {
	for _, rows := range [][]energy.Row{m.Reporting, m.Baseline} {
		if len(rows) > 0 {
			return rows[0].Start.Location()
		}
	}
	return time.UTC
}

func markOf(m Meter) []chart.Mark {
	if m.Measure.Date.IsZero() {
		return nil
	}
	return []chart.Mark{{X: float64(m.Measure.Date.Unix()), Text: "measure"}}
}

// with draws the chart of a figure.
func (f figure) with(c chart.Chart) figure {
	f.Chart = c.SVG()
	for _, s := range c.Series {
		if !(chart.Chart{Series: []chart.Series{s}}).Empty() {
			f.Legend = append(f.Legend, legend{string(s.Kind) + " " + s.Class, s.Name})
		}
	}
	return f
}
