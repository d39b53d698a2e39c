package building

import (
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// The codes that a saving adds to those of its assessment.
const (
	NoReadings        = "no_readings_of_the_meter"
	NotHourly         = "register_not_read_hourly"
	BaselineLength    = "baseline_not_a_year"
	OtherInBaseline   = "other_measure_in_baseline"
	OtherInReporting  = "other_measure_in_reporting"
	GenerationBehind  = "generation_behind_the_meter"
	NotYet            = "measure_not_done_yet"
	NoIntervention    = "no_intervention_entered"
	TariffMissing     = "no_tariff"
	GridMissing       = "no_emission_factors"
	DemandNotIncluded = "demand_charges_not_included"
)

// savings are those of every measure on every meter it concerns, in the order of
// the meters.
func (e *evaluation) savings() ([]Saving, error) {
	out := []Saving{}
	for _, m := range Used() {
		for _, i := range e.interventions(m) {
			s, err := e.saving(m, i)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

func (e *evaluation) saving(m Meter, i *Intervention) (Saving, error) {
	s := Saving{Intervention: i.ID, Title: i.Title, Meter: m, Unit: m.Unit(), Expected: i.Expected}
	sp, ok := e.span(i)
	if !ok {
		s.Basis = lacking(assess.Version, NotYet, "the measure has no valid dates")
		return s, nil
	}
	s.Baseline, s.Reporting = sp.baseline, sp.reporting
	q, why := e.request(m, sp)
	if why != nil {
		s.Basis = lacking(assess.Version, why.Code, why.Text)
		return s, nil
	}
	a, err := assess.Assess(q)
	if err != nil {
		return s, err
	}
	s.Assessment = a
	s.Basis = e.basis(m, i, sp, a)
	if s.Status == Insufficient {
		a.Avoided, a.Normalised = nil, nil
	}
	if a.Avoided != nil {
		e.worth(&s, m, i, q)
	}
	return s, nil
}

// request is what the assessment of a measure is asked; a reason where there is
// nothing to ask.
func (e *evaluation) request(m Meter, sp span) (assess.Request, *energy.Reason) {
	o := e.Plan.Options(m)
	rows := e.meter(m)
	if !rows.present {
		return assess.Request{}, &energy.Reason{Code: NoReadings, Text: "no reading of the " + string(m) + " register has come in"}
	}
	if o.Interval == energy.Hourly && len(rows.hourly) == 0 {
		return assess.Request{}, &energy.Reason{Code: NotHourly, Text: "the register is not read often enough to tell its hours apart"}
	}
	q := assess.Request{
		Baseline: within(sp.baseline, rows.of(o.Interval)), Reporting: within(sp.reporting, rows.of(o.Interval)),
		Interval: o.Interval, Model: o.Model, Option: o.Option, Confidence: o.Confidence,
		DropZeros: o.DropZeros, HeatingOnly: *o.HeatingOnly, Adjustments: e.adjustments(m),
		Typical: typicalRows(e.typical, e.loc, typicalYear, o.Interval), Memory: e.memory,
	}
	q.Requirement = caltrack.Requirement{
		Days: daysOf(sp.baseline), Coverage: caltrack.Year().Coverage, From: sp.baseline.From, To: sp.baseline.To,
	}
	return q, nil
}

// daysOf is the length of a period of local days.
func daysOf(p energy.Period) int { return int(math.Round(p.To.Sub(p.From).Hours() / 24)) }

// basis is the verdict of the assessment and what else is to be said.
func (e *evaluation) basis(m Meter, i *Intervention, sp span, a *assess.Assessment) Basis {
	v := a.Verdict
	b := basisOf(a.Version, v)
	b.span(energy.Period{From: sp.baseline.From, To: sp.reporting.To})
	if sp.reporting.To.After(sp.reporting.From) {
		b.Coverage = coverage(within(sp.reporting, e.meter(m).daily), sp.reporting)
	} else {
		b.add(energy.Reason{Code: NotYet, Critical: true, Text: "there is no whole day since the measure was done, on " + string(i.end())})
	}
	for _, r := range e.meter(m).resets {
		b.add(r)
	}
	if days := daysOf(sp.baseline); sp.stated && days != baselineDays {
		b.add(energy.Reason{
			Code: BaselineLength, Critical: days < leastDays, Values: map[string]float64{"days": float64(days)},
			Text: fmt.Sprintf("the baseline that was entered has %d days, and the seasons of a year are not weighed alike", days),
		})
	}
	for _, other := range e.interventions(m) {
		if other.ID == i.ID {
			continue
		}
		if at, ok := other.Start.In(e.loc); ok && sp.baseline.Contains(at) {
			b.add(energy.Reason{Code: OtherInBaseline, Text: "another measure began within the baseline: " + other.Title})
		} else if ok && sp.reporting.Contains(at) {
			b.add(energy.Reason{Code: OtherInReporting, Text: "another measure began since, and its saving is in this one: " + other.Title})
		}
	}
	if m == Electricity && e.meter(Solar).present {
		b.add(energy.Reason{Code: GenerationBehind, Text: "the register counts what came from the grid; what the roof generated and the building used is not in it"})
	}
	return b
}

// adjustments of a meter, by the day.
func (e *evaluation) adjustments(m Meter) []savings.Adjustment {
	var out []savings.Adjustment
	for _, a := range e.Plan.Adjustments {
		from, okFrom := a.From.In(e.loc)
		to, okTo := a.To.In(e.loc)
		if a.Meter != m || !okFrom || !okTo || !to.After(from) {
			continue
		}
		p := energy.Period{From: from, To: to}
		out = append(out, savings.Adjustment{Period: p, PerDay: a.Amount / (to.Sub(from).Hours() / 24), Reason: a.Reason})
	}
	return out
}

// hourlyFit is the hourly model of the baseline of a measure.
type hourlyFit struct {
	intervention string
	model        energy.Model
	baseline     []energy.Row
	err          error
}

// hourlyOf fits the hourly model of a measure's baseline, once.
func (e *evaluation) hourlyOf(m Meter, intervention string, baseline energy.Period) hourlyFit {
	for _, f := range e.hourly[m] {
		if f.intervention == intervention {
			return f
		}
	}
	f := hourlyFit{intervention: intervention, baseline: within(baseline, e.meter(m).hourly)}
	f.model, f.err = e.fitHourly(m, f.baseline, e.memory, caltrack.Requirement{Days: daysOf(baseline), Coverage: 0.9, From: baseline.From, To: baseline.To})
	e.hourly[m] = append(e.hourly[m], f)
	return f
}

// fitHourly fits the hourly model of a meter to rows that suffice. A memory is for
// rows that stay what they are from night to night; otherwise it is nil.
func (e *evaluation) fitHourly(m Meter, rows []energy.Row, memory *assess.Memory, want caltrack.Requirement) (energy.Model, error) {
	if len(e.meter(m).hourly) == 0 {
		return nil, energy.Lacking(Version, NotHourly, "the register is not read often enough to tell its hours apart")
	}
	if err := caltrack.Sufficiency(rows, energy.Hourly, want).Err(); err != nil {
		return nil, err
	}
	id := e.Plan.Options(m).HourlyModel
	for _, f := range choose.Hourly() {
		if f.ID == id {
			return memory.Fit(f, rows)
		}
	}
	return nil, fmt.Errorf("no hourly model %q", id)
}

// counterfactual are rows of a reporting period with the use and what the
// baseline says it would have been, hour by hour where the register tells hours.
// Where the baseline is of days, the baseline of each day is spread over its
// hours as the hourly model spreads it, so that the sum stays; a day that has no
// such model or no hours stands as one row.
func (e *evaluation) counterfactual(s *Saving, m Meter, q assess.Request) (rows []energy.Row, baseline []float64) {
	expected := s.Assessment.Avoided.Series
	if q.Interval == energy.Hourly {
		rows, baseline = s.Assessment.Reporting()
		for i := range rows {
			baseline[i] += adjusted(q.Adjustments, rows[i])
		}
		return known(rows, baseline)
	}
	var hourly []energy.Row
	var shape []float64
	if f := e.hourlyOf(m, s.Intervention, s.Baseline); f.err == nil {
		hourly = within(s.Reporting, e.meter(m).hourly)
		shape = f.model.Predict(hourly)
	}
	rows, baseline = make([]energy.Row, 0, len(hourly)+len(q.Reporting)), make([]float64, 0, len(hourly)+len(q.Reporting))
	at := 0
	for i, day := range q.Reporting {
		if expected[i].Baseline == nil || expected[i].Observed == nil {
			continue
		}
		for at < len(hourly) && hourly[at].Start.Before(day.Start) {
			at++
		}
		end := at
		for end < len(hourly) && hourly[end].Start.Before(day.End) {
			end++
		}
		if r, b, ok := spread(day, *expected[i].Baseline, hourly[at:end], shape[at:end]); ok {
			rows, baseline = append(rows, r...), append(baseline, b...)
			continue
		}
		rows, baseline = append(rows, day), append(baseline, *expected[i].Baseline)
	}
	return rows, baseline
}

// spread gives the hours of a day their part of the day's baseline, in the place of
// their shape; false where an hour is not known.
func spread(day energy.Row, baseline float64, hours []energy.Row, shape []float64) ([]energy.Row, []float64, bool) {
	var sum float64
	for i := range hours {
		if math.IsNaN(hours[i].Use) || !(shape[i] >= 0) {
			return nil, nil, false
		}
		sum += shape[i]
	}
	if len(hours) == 0 || sum <= 0 || hours[0].Start != day.Start || hours[len(hours)-1].End != day.End {
		return nil, nil, false
	}
	for i := range shape {
		shape[i] = baseline * shape[i] / sum
	}
	return hours, shape, true
}

func adjusted(all []savings.Adjustment, r energy.Row) float64 {
	var sum float64
	for _, a := range all {
		from, to := later(a.Period.From, r.Start), earlier(a.Period.To, r.End)
		if to.After(from) {
			sum += a.PerDay * to.Sub(from).Hours() / 24
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// known drops the rows that lack either number.
func known(rows []energy.Row, baseline []float64) ([]energy.Row, []float64) {
	r, b := make([]energy.Row, 0, len(rows)), make([]float64, 0, len(rows))
	for i := range rows {
		if !math.IsNaN(rows[i].Use) && !math.IsNaN(baseline[i]) {
			r, b = append(r, rows[i]), append(b, baseline[i])
		}
	}
	return r, b
}
