// Package assess takes the rows of one meter through the whole of measurement
// and verification: it inspects them, checks that they suffice, chooses and fits
// the baseline, and computes the savings. It answers with one result that can be
// stored and served, and that holds no number without what speaks against it.
//
// It is pure.
package assess

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// Version names the rules of this package in results.
const Version = "assess/3"

// The codes that this package adds.
const (
	BaselineShift  = "baseline_not_steady"
	ReportingShort = "no_reporting_period"
	PoorModel      = "model_explains_little"
	Implausible    = "saving_not_plausible"
	ReportingShift = "reporting_not_steady"
)

// Request is one meter of one building.
type Request struct {
	Baseline  []energy.Row // before the measure, ascending
	Reporting []energy.Row // after it; may be none
	Typical   []energy.Row // the weather of a typical year; may be none

	Interval energy.Interval // of the rows
	Model    string          // the id of one model; empty chooses
	// Choice is that of an earlier assessment of the same baseline: it is taken as
	// it is, not made again, which is most of the work. Nil makes it.
	Choice      *choose.Choice
	Requirement caltrack.Requirement
	Option      savings.Option
	Confidence  float64 // 0.9 by default
	Adjustments []savings.Adjustment
	// DropZeros takes zeros of a meter that is never near zero otherwise for
	// missing, as CalTRACK does for electricity (2.2.1.4). Without it they count,
	// as in eemeter, and are warned of.
	DropZeros   bool
	HeatingOnly bool // a gas meter, which cools nothing (CalTRACK 2.0, 3.2.1.1)
	// Holidays are the local dates, 2006-01-02 and ascending, on which the building
	// rests as on its quietest day of the week. Nil finds them by the use where the
	// model is chosen; a model that was asked for gets none, as in the reference
	// implementations.
	Holidays []string
	// Memory holds the baselines of earlier assessments, and takes in this one's.
	// Nil works everything out.
	Memory *Memory
}

// Assessment is the result.
type Assessment struct {
	Version    string              `json:"version"`
	Verdict    energy.Verdict      `json:"verdict"` // on the savings as a whole
	Fit        *energy.Fit         `json:"fit"`     // nil where none could be fitted
	Choice     *choose.Choice      `json:"choice"`  // nil where the model was given
	Shifts     []watch.Shift       `json:"baseline_shifts"`
	Avoided    *savings.Avoided    `json:"avoided"`    // nil without a reporting period or a fit
	Normalised *savings.Normalised `json:"normalised"` // nil without a typical year or a model of the reporting period
	// Residuals are those of the baseline, for a portfolio; nil without a fit and
	// for bills.
	Residuals *energy.Weekly `json:"baseline_residuals"`
	// Rest is when the building rests, holidays among it, where that was looked for
	// or stated; see Prepare.
	Rest *prepare.Rest `json:"rest"`

	model     energy.Model
	once      *once        // the same, for the rows of the request
	digest    string       // of the baseline; empty without a memory
	reporting []energy.Row // as they were set against the baseline
}

// once remembers the predictions of the rows that it was last asked for, which
// several checks look at.
type once struct {
	energy.Model
	first     *energy.Row
	rows      int
	predicted []float64
}

// Predict implements energy.Model.
func (o *once) Predict(rows []energy.Row) []float64 {
	if len(rows) == 0 {
		return o.Model.Predict(rows)
	}
	if o.first != &rows[0] || o.rows != len(rows) {
		o.first, o.rows, o.predicted = &rows[0], len(rows), o.Model.Predict(rows)
	}
	return slices.Clone(o.predicted)
}

// Model is the baseline, to predict with; nil where there is none.
func (a *Assessment) Model() energy.Model { return a.model }

// Reporting are the rows of the reporting period as they were set against the
// baseline, holidays marked, and what the baseline expects of them, without
// adjustments. They are not to be changed.
func (a *Assessment) Reporting() (rows []energy.Row, expected []float64) {
	if a.once == nil || len(a.reporting) == 0 {
		return nil, nil
	}
	return a.reporting, a.once.Predict(a.reporting)
}

// Member is the avoided use as a member of a portfolio. It has no uncertainty,
// and so is left out there, where no saving can be stated or told from noise that
// lasts.
func (a *Assessment) Member(id string) savings.Member {
	m := savings.Member{ID: id, Residuals: a.Residuals}
	if v := a.Avoided; v != nil && a.Verdict.Sufficient && v.SlowPlus != nil {
		m.Baseline, m.Saving, m.Uncertainty, m.SlowPlus = v.Baseline, v.Saving, v.Uncertainty, v.SlowPlus
	}
	return m
}

// Assess runs the whole. Where the data does not suffice the verdict says why,
// and the numbers that cannot stand are left out. The error is for a model that
// does not exist.
func Assess(q Request) (*Assessment, error) {
	if q.Confidence == 0 {
		q.Confidence = 0.9
	}
	q.baselineYear()
	fitters, err := fitters(q)
	if err != nil {
		return nil, err
	}
	a := baseline(q, fitters)
	q.restAfter(a.Rest)
	if a.model != nil {
		a.save(q, fitters)
	}
	return a, nil
}

// baseline is the half of an assessment that the reporting period has no part in,
// out of the memory where it is there.
func baseline(q Request, fitters []energy.Fitter) *Assessment {
	digest := ""
	if q.Memory != nil {
		digest = q.digest()
	}
	if a, ok := q.Memory.recall(digest); ok {
		a.digest = digest
		return a
	}
	a := &Assessment{
		digest: digest, Version: Version, Shifts: []watch.Shift{}, Rest: q.restBefore(),
		Verdict: energy.Verdict{Sufficient: true, Criteria: Version, Reasons: []energy.Reason{}},
	}
	q.Baseline = a.inspect(q.Baseline, q)
	a.take(caltrack.Sufficiency(q.Baseline, q.Interval, q.Requirement))
	if a.Verdict.Sufficient && a.fit(q, fitters) {
		a.Residuals = energy.Residuals(a.once, q.Baseline)
		a.steady(q.Baseline)
	}
	q.Memory.retain(digest, a)
	return a
}

// baselineYear sets what the baseline has to have, where the request does not
// say: the 365 days up to its end. Rows before them are left out, since CalTRACK
// takes no more than a year (3.1.3), and days that are not there count as
// missing.
func (q *Request) baselineYear() {
	if q.Requirement != (caltrack.Requirement{}) || len(q.Baseline) == 0 {
		return
	}
	q.Requirement = caltrack.Year()
	q.Requirement.To = energy.Span(q.Baseline).To
	q.Requirement.From = q.Requirement.To.AddDate(0, 0, -q.Requirement.Days)
	if q.Interval == energy.Billing { // bills do not end with a year
		q.Requirement = caltrack.Requirement{Coverage: q.Requirement.Coverage}
		return
	}
	q.Baseline = energy.Period{From: q.Requirement.From, To: q.Requirement.To}.Within(q.Baseline)
}

// fitters are the models to choose from.
func fitters(q Request) ([]energy.Fitter, error) {
	o := caltrack.Options{HeatingOnly: q.HeatingOnly}
	var all []energy.Fitter
	switch q.Interval {
	case energy.Hourly:
		all = choose.Hourly()
	case energy.Daily:
		all = choose.Daily(o)
	case energy.Billing:
		all = choose.Bills(o)
	default:
		return nil, fmt.Errorf("assess: no interval %q", q.Interval)
	}
	if q.Model == "" {
		return all, nil
	}
	for _, f := range all {
		if f.ID == q.Model {
			return []energy.Fitter{f}, nil
		}
	}
	return nil, fmt.Errorf("assess: no model %q of a %s", q.Model, q.Interval)
}

// take adds the reasons of another verdict, each code once.
func (a *Assessment) take(v energy.Verdict) {
	for _, r := range v.Reasons {
		if !a.Verdict.Has(r.Code) {
			a.Verdict.Add(r)
		}
	}
}

func (a *Assessment) inspect(rows []energy.Row, q Request) []energy.Row {
	if q.Interval == energy.Billing {
		var unusual []energy.Reason
		rows, unusual = caltrack.CleanBills(rows, caltrack.LongestBill(rows))
		a.take(energy.Verdict{Reasons: unusual})
	}
	for _, r := range prepare.Inspect(rows) {
		a.take(energy.Verdict{Reasons: []energy.Reason{r}})
	}
	if q.DropZeros {
		return prepare.WithoutZeros(rows, prepare.SuspectZeros(rows))
	}
	return rows
}

// fit fits the model that was asked for, or the best one.
func (a *Assessment) fit(q Request, fitters []energy.Fitter) bool {
	var model energy.Model
	var err error
	switch {
	case q.Model != "":
		model, err = fitters[0].Fit(q.Baseline)
	case q.Choice != nil:
		a.Choice = q.Choice
		model, err = again(q.Choice, fitters, q.Baseline)
	default:
		var c choose.Choice
		model, c, err = choose.Best(q.Baseline, fitters, choose.Options{})
		a.Choice = &c
	}
	if err != nil {
		a.fail(err)
		return false
	}
	a.describe(model)
	if s := a.Fit.Statistics; s.AdjR2 == nil || *s.AdjR2 < leastR2 {
		a.Verdict.Add(energy.Reason{Code: PoorModel, Text: "the model explains less than 30 % of the variation of the use"})
	}
	if a.Choice != nil {
		a.take(a.Choice.Verdict)
	}
	return true
}

// describe takes a model for that of the baseline.
func (a *Assessment) describe(m energy.Model) {
	fit := m.Describe()
	a.model, a.Fit, a.once = m, &fit, &once{Model: m}
}

// again fits the model of an earlier choice.
func again(c *choose.Choice, fitters []energy.Fitter, rows []energy.Row) (energy.Model, error) {
	for _, f := range fitters {
		if f.ID == c.Chosen {
			return f.Fit(rows)
		}
	}
	return nil, energy.Lacking(Version, choose.NoModel, "the earlier choice has no model that exists")
}

// fail records why something could not be computed.
func (a *Assessment) fail(err error) {
	var i *energy.Insufficient
	if errors.As(err, &i) {
		a.take(i.Verdict)
		return
	}
	a.Verdict.Add(energy.Reason{Code: "fit_failed", Critical: true, Text: err.Error()})
}

const (
	plausible = 0.6 // share of the baseline that a measure changes at most
	leastR2   = 0.3 // adjusted, below which a model explains little
)

// save computes the savings.
func (a *Assessment) save(q Request, fitters []energy.Fitter) {
	if len(q.Reporting) == 0 {
		a.Verdict.Add(energy.Reason{Code: ReportingShort, Critical: true, Text: "there is no reporting period yet"})
		return
	}
	q.Reporting = a.inspect(q.Reporting, q)
	a.reporting = q.Reporting
	if !a.Verdict.Sufficient {
		return
	}
	var err error
	a.Avoided, err = savings.Avoid(savings.Request{
		Model: a.once, Rows: q.Reporting, Option: q.Option, Confidence: q.Confidence, Adjustments: q.Adjustments,
	})
	if err != nil {
		a.fail(err)
		return
	}
	a.take(a.Avoided.Verdict)
	a.steadyAfter(q.Reporting)
	if f := a.Avoided.Fraction; f == nil || math.Abs(*f) > plausible {
		a.Verdict.Add(energy.Reason{Code: Implausible, Text: "use changed by more than 60 %, which is more often the meter than a measure"})
	}
	a.normalise(q, fitters)
}
