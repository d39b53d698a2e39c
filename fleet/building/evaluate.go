package building

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/weather"
)

// Input is what a result is made of.
type Input struct {
	Plan   *Plan
	Series Series
	// Typical are the hours of a typical year, °C; where there are none they are
	// made of the temperatures of the series, if it has a year of them.
	Typical []prepare.Point
	// Kept is Result.Kept of the run before; nil works everything out. It changes no
	// byte of the result.
	Kept map[string]json.RawMessage
}

// evaluation is one result in the making.
type evaluation struct {
	Input
	loc     *time.Location
	table   *table
	typical []prepare.Point
	memory  *assess.Memory
	hourly  map[Meter][]hourlyFit // of each measure on the meter
	months  map[string]map[string]*ratio

	monthlySavings []MonthSaving
	telling        []telling // of what days the measures so far tell
}

// Evaluate works out everything that the days and the entries give. A building
// that has no readings has a result, too, which says so. The error is for a plan
// that names a zone or a model that does not exist.
func Evaluate(in Input) (*Result, error) {
	e, err := newEvaluation(in)
	if err != nil {
		return nil, err
	}
	r := &Result{Building: in.Plan.Building, AsOf: e.table.asOf}
	if r.Savings, err = e.savings(); err != nil {
		return nil, err
	}
	r.Months = e.monthlySavings
	r.Demand = e.demand(r.Savings)
	present, err := e.present()
	if err != nil {
		return nil, err
	}
	for _, p := range present {
		r.Models = append(r.Models, p.Model)
		r.Anomaly = append(r.Anomaly, e.anomalies(p))
	}
	r.Forecast = e.forecast()
	r.Cost, r.Carbon = e.cost(), e.carbon()
	r.Usage = e.usage()
	r.Headline = e.headline(r)
	r.Targets = e.targets(r)
	r.Kept = e.memory.Used()
	for _, s := range r.Targets {
		if s.Status == "met" {
			r.Headline.TargetsMet++
		}
	}
	return r, nil
}

func newEvaluation(in Input) (*evaluation, error) {
	e := &evaluation{Input: in, memory: assess.Recall(in.Kept), hourly: map[Meter][]hourlyFit{}, months: map[string]map[string]*ratio{}}
	var err error
	if e.loc, err = in.Plan.Location(); err != nil {
		return nil, fmt.Errorf("time zone of %s: %w", in.Plan.Building, err)
	}
	e.Series = in.Series.settled(e.loc)
	gap := time.Duration(in.Plan.Rules.MaxGapHours) * time.Hour
	e.table = newTable(&e.Series, e.loc, e.earliest(), gap)
	e.typical = in.Typical
	if len(e.typical) == 0 && len(e.Series.Outdoor) > 0 {
		// Without a whole year there is no typical one, and normalised savings are
		// left out.
		e.typical, _, _ = weather.Typical(e.Series.Outdoor, e.loc, typicalYear)
	}
	return e, nil
}

// typicalYear is the year that typical weather is put into: one without a 29
// February.
const typicalYear = 2021

// TypicalYear is the year that imported typical weather is to be put into.
func TypicalYear() int { return typicalYear }

// earliest is the start of the first baseline that was entered; zero where none
// was.
func (e *evaluation) earliest() time.Time {
	var first time.Time
	for i := range e.Plan.Interventions {
		s, ok := e.span(&e.Plan.Interventions[i])
		if ok && (first.IsZero() || s.baseline.From.Before(first)) {
			first = s.baseline.From
		}
	}
	return first
}

// span is the time before a measure and after it.
type span struct {
	baseline, reporting energy.Period
	stated              bool // the baseline was entered
}

// span reads the dates of a measure; false where they are none.
func (e *evaluation) span(i *Intervention) (s span, ok bool) {
	var okTo, okEnd bool
	if s.baseline.To, okTo = i.baselineTo().In(e.loc); !okTo {
		return s, false
	}
	if s.reporting.From, okEnd = i.end().In(e.loc); !okEnd {
		return s, false
	}
	s.baseline.From = s.baseline.To.AddDate(0, 0, -baselineDays)
	if i.BaselineFrom != "" {
		if s.baseline.From, ok = i.BaselineFrom.In(e.loc); !ok {
			return s, false
		}
		s.stated = true
	}
	if e.table != nil {
		s.reporting.To = e.table.asOf
	}
	if to, given := i.ReportingTo.In(e.loc); given && (s.reporting.To.IsZero() || to.Before(s.reporting.To)) {
		s.reporting.To = to
	}
	return s, true
}

const (
	baselineDays = 365
	leastDays    = 330 // of a baseline that was entered
)

// interventions are those that concern a meter, the earliest first; of one day,
// by id.
func (e *evaluation) interventions(m Meter) []*Intervention {
	var out []*Intervention
	for i := range e.Plan.Interventions {
		if slices.Contains(e.Plan.Interventions[i].Concerns, m) {
			out = append(out, &e.Plan.Interventions[i])
		}
	}
	slices.SortFunc(out, func(a, b *Intervention) int {
		if a.Start != b.Start {
			return compareStrings(string(a.Start), string(b.Start))
		}
		return compareStrings(a.ID, b.ID)
	})
	return out
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (e *evaluation) meter(m Meter) *meterRows { return &e.table.meters[indexOf(m)] }
