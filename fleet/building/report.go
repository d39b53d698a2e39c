package building

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

// name is what a report calls the meter.
func (m Meter) name() string {
	switch m {
	case Electricity:
		return "Electricity"
	case Gas:
		return "Gas"
	case Water:
		return "Water"
	}
	return string(m)
}

// Report puts a stored result into a form that is written for people, with the
// rows behind it. Measures that were entered or taken away since the result was
// made are left out.
func Report(in Input, r *Result, about report.Building, made time.Time) (report.Report, error) {
	e, err := newEvaluation(in)
	if err != nil {
		return report.Report{}, err
	}
	out := report.Report{Building: about, Made: made.In(e.loc), Meters: []report.Meter{}}
	if in.Series.Last > 0 {
		out.AsOf = r.AsOf.In(e.loc)
	}
	for i := range r.Savings {
		s := &r.Savings[i]
		for _, iv := range e.interventions(s.Meter) {
			if iv.ID == s.Intervention {
				out.Meters = append(out.Meters, e.reported(s, iv, r))
			}
		}
	}
	if len(out.Meters) == 0 {
		out.Meters = append(out.Meters, nothingDone(e))
	}
	return out, nil
}

// nothingDone stands for the measures of a building that has none.
func nothingDone(e *evaluation) report.Meter {
	v := energy.Verdict{Criteria: Version}
	v.Add(energy.Reason{Code: NoIntervention, Critical: true, Text: "no measure was entered, so that there is nothing that could have saved"})
	return report.Meter{
		Name: Electricity.name(), Unit: Electricity.Unit(), Measure: report.Measure{Title: "No measure", Date: e.table.asOf},
		Assessment: &assess.Assessment{Version: Version, Verdict: v},
	}
}

// reported is one measure on one meter.
func (e *evaluation) reported(s *Saving, iv *Intervention, r *Result) report.Meter {
	at, _ := iv.end().In(e.loc)
	m := report.Meter{
		Name: s.Meter.name(), Source: r.Building + " " + registers()[indexOf(s.Meter)].field, Unit: s.Unit,
		Measure:    report.Measure{Title: iv.Title, Date: at, Cost: iv.Cost, Expected: iv.Expected},
		Assessment: s.Assessment, Carbon: s.Carbon, Peak: reductionOf(r, s),
	}
	if m.Assessment == nil { // there were no readings to assess
		m.Assessment = &assess.Assessment{Version: s.Version}
	}
	// The verdict of the building's days and entries is part of what is to be read.
	v := m.Assessment.Verdict
	v.Sufficient, v.Reasons = s.Status == OK, s.Reasons
	with := *m.Assessment
	with.Verdict = v
	m.Assessment = &with
	if sp, ok := e.span(iv); ok {
		if q, why := e.request(s.Meter, sp); why == nil {
			m.Baseline, m.Reporting = q.Baseline, q.Reporting
			if a := s.Assessment; a != nil && a.Fit != nil {
				m.Baseline, m.Reporting = a.Rest.Mark(q.Baseline), a.Rest.Mark(q.Reporting)
				// Without the model the page lacks its line and has the numbers.
				m.Model, _ = assess.Refit(q, a.Fit.Model, a.Rest)
			}
		}
	}
	if c := s.Cost; c != nil {
		m.Cost = &report.Cost{
			Tariff: c.Tariff, Version: c.Version, Baseline: c.Baseline, Actual: c.Actual, Saved: c.Saved, Plus: c.Plus, Warnings: c.Reasons,
		}
	}
	return m
}

func reductionOf(r *Result, s *Saving) *demand.Reduction {
	if s.Meter != Electricity {
		return nil
	}
	for _, d := range r.Demand.Reductions {
		if d.Intervention == s.Intervention {
			return d.Reduction
		}
	}
	return nil
}
