package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// months is the saving month by month, or bill by bill, over the rows that
// count; its sums are those of the saving.
func months(v *savings.Avoided, unit string) *table {
	if v == nil {
		return nil
	}
	t := table{Title: "Month by month", Head: []string{"Month", "Days", "Expected, " + unit, "Used, " + unit, "Saved, " + unit, "Saved, %"}}
	name := monthOf
	if v.Fit.Interval == energy.Billing {
		t.Title, t.Head = "Bill by bill", append([]string{"Bill from"}, t.Head[2:]...)
		name = dated
	}
	var label string
	var sum monthSum
	for _, p := range v.Series {
		if n := name(p.Start); n != label {
			t.add(label, sum, v.Fit.Interval)
			label, sum = n, monthSum{}
		}
		sum.add(p)
	}
	t.add(label, sum, v.Fit.Interval)
	t.Foot = monthSum{days: -1, expected: v.Baseline, used: v.Observed}.cells("In all", v.Fit.Interval)
	if v.Adjusted != 0 {
		t.Note = "What was expected includes the non-routine adjustments."
	}
	return &t
}

type monthSum struct {
	days           int // with both; −1 is not shown
	expected, used float64
}

func (m *monthSum) add(p savings.Point) {
	if p.Observed != nil && p.Baseline != nil {
		m.days++
		m.expected += *p.Baseline
		m.used += *p.Observed
	}
}

func (t *table) add(label string, m monthSum, i energy.Interval) {
	if label != "" {
		t.Rows = append(t.Rows, m.cells(label, i))
	}
}

func (m monthSum) cells(label string, i energy.Interval) []any {
	out := []any{label}
	if i != energy.Billing {
		days := count(m.days)
		if m.days < 0 {
			days.Text = ""
		}
		out = append(out, days)
	}
	if m.days == 0 {
		missing := Number{Text: none}
		return append(out, missing, missing, missing, missing)
	}
	saved := m.expected - m.used
	share := known(energy.Known(saved/m.expected), func(x float64) Number { return Number{x, decimals(100*x, 1)} })
	n := alike(&m.expected, &m.used, &saved)
	return append(out, n[0], n[1], n[2], share)
}

// mostCoefficients is how many coefficients are listed; a model of hours has
// thousands.
const mostCoefficients = 60

// coefficients lists them with their units.
func coefficients(f *energy.Fit, unit string) *table {
	if len(f.Coefficients) == 0 {
		return nil
	}
	t := table{Title: "Coefficients", Head: []string{"Name", "Value", "Unit", "In °C"}}
	for i, c := range f.Coefficients {
		if i == mostCoefficients {
			t.Note = fmt.Sprintf("The first %d of %s; the rest is in the result that this page was made from.", i, count(len(f.Coefficients)).Text)
			break
		}
		of, other := unitOf(c, f.Interval, unit)
		t.Rows = append(t.Rows, []any{c.Name, digits(c.Value), of, other})
	}
	return &t
}

// unitOf is the unit of a coefficient, told by its name, and what it is by °C.
func unitOf(c energy.Coefficient, i energy.Interval, unit string) (of, celsius string) {
	per := "day"
	if i == energy.Hourly {
		per = "h"
	}
	name := c.Name
	switch {
	case strings.HasSuffix(name, "_point_f"):
		return "°F", decimals(energy.CelsiusOf(c.Value), 1) + " °C"
	case strings.HasSuffix(name, "smoothing_f"):
		return "°F", decimals(c.Value/1.8, 2) + " K"
	case strings.Contains(name, "beta"), strings.HasSuffix(name, "slope"), strings.Contains(name, "temperature["), strings.Contains(name, "bin_"):
		return fmt.Sprintf("%s/(°F·%s)", unit, per), digits(c.Value*1.8).Text + fmt.Sprintf(" %s/(K·%s)", unit, per)
	}
	return unit + "/" + per, ""
}

// statistics lists how well the model fits.
func statistics(s energy.Statistics, unit string) *table {
	t := table{Title: "How well the model fits the baseline", Head: []string{"Statistic", "Value"}}
	add := func(name string, n Number) { t.Rows = append(t.Rows, []any{name, n}) }
	add("Rows, n", count(s.N))
	add("Parameters beside the intercept, p", count(s.Parameters))
	add("R²", known(s.R2, statistic))
	add("Adjusted R²", known(s.AdjR2, statistic))
	add("RMSE, "+unit, amount(s.RMSE))
	add("CV(RMSE)", known(s.CVRMSE, percent))
	add("CV(RMSE), with n − p", known(s.CVRMSEAdj, percent))
	add("NMBE", known(s.NMBE, bias))
	add("Autocorrelation of the residuals, ρ", known(s.Autocorrelation, statistic))
	add("Independent rows, n′ = n(1 − ρ)/(1 + ρ)", known(s.NPrime, func(x float64) Number { return Number{x, decimals(x, 1)} }))
	return &t
}

// bias writes a bias in percent, which a fit makes as small as rounding.
func bias(x float64) Number {
	text := decimals(100*x, 3) + " %"
	if math.Abs(100*x) < 0.0005 {
		text = "below 0.001 %"
	}
	return Number{x, text}
}

// guideline lists the limits of Guideline 14.
func guideline(v *savings.Avoided) *table {
	t := table{Title: "Limits of ASHRAE Guideline 14-2014", Head: []string{"Criterion", "Value", "Limit", ""}}
	for _, c := range v.Guideline14 {
		pass := "not met"
		if c.Pass {
			pass = "met"
		}
		write := percent
		if c.Limit < 0.001 {
			write = bias
		}
		t.Rows = append(t.Rows, []any{sentenceCase(criterion(c.Name)), known(c.Value, write), Number{c.Limit, "at most " + limit(c.Limit)}, pass})
	}
	return &t
}

func limit(x float64) string {
	if x < 0.001 {
		return decimals(100*x, 3) + " %"
	}
	return decimals(100*x, 0) + " %"
}

func sentenceCase(s string) string {
	return strings.TrimSuffix(sentence(s), ".")
}

// rivals lists how the models did on days that they had not seen.
func (s *section) rivals(a *assess.Assessment) {
	if a.Choice == nil {
		if a.Fit != nil {
			s.RivalsNote = "The model was asked for; no other was tried."
		}
		return
	}
	c := a.Choice
	t := table{Title: "The model and its rivals", Head: []string{"Model", "Parameters", "CV(RMSE), unseen", "NMBE, unseen", "CV(RMSE), fitted", "Remark"}}
	for _, r := range c.Scores {
		remark := sentenceCase(plain(r.Error))
		switch {
		case r.Model == c.Chosen:
			remark = "Chosen"
		case remark == "" && r.Provisional:
			remark = "No reference implementation gives the same numbers"
		}
		t.Rows = append(t.Rows, []any{
			r.Model, count(r.Parameters), known(r.CVRMSE, percent), known(r.NMBE, percent), known(r.InSample, percent), remark,
		})
	}
	t.Note = fmt.Sprintf("Each was fitted %d times without a part of the baseline, in blocks of %d days, and had to predict that part.", c.Folds, c.Block)
	if c.Chosen != "" {
		t.Note += fmt.Sprintf(" %s was taken: %s.", c.Chosen, plain(c.Reason))
	}
	s.Rivals = &t
}

// adjustments lists what else changed in the building.
func adjustments(v *savings.Avoided, unit string) *table {
	if len(v.Adjustments) == 0 {
		return nil
	}
	t := table{Title: "Non-routine adjustments", Head: []string{"From", "To", unit + " a day", "Reason"}}
	for _, a := range v.Adjustments {
		to := lastDay(a.Period.To)
		if a.Period.To.Equal(a.Period.From) {
			to = dated(a.Period.To)
		}
		t.Rows = append(t.Rows, []any{dated(a.Period.From), to, digits(a.PerDay), plain(a.Reason)})
	}
	t.Note = fmt.Sprintf("In all %s %s were added to the baseline.", amount(v.Adjusted).Text, unit)
	return &t
}

// weekOf is the Monday of the week of an instant, in its own zone.
func weekOf(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, t.Location())
}
