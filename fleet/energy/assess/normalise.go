package assess

import (
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// A reporting period of so many days has a model of its own. With hours it is
// fitted to whole spans of so many days since the measure, so that it is fitted once
// in that time and not every night: the weighted model of hours takes longer than
// all else.
const (
	minReporting = 330
	spanOfHours  = 28
)

// normalise compares the baseline with a model of the reporting period, both in
// the weather of a typical year.
func (a *Assessment) normalise(q Request, fitters []energy.Fitter) {
	if len(q.Typical) == 0 {
		return
	}
	rows := q.Reporting
	if q.Interval == energy.Hourly {
		rows = wholeSpans(rows)
	}
	if span := energy.Span(rows); span.To.Sub(span.From).Hours() < 24*minReporting {
		return
	}
	if v := caltrack.Sufficiency(rows, q.Interval, caltrack.Requirement{Coverage: q.Requirement.Coverage}); !v.Sufficient {
		return // the reporting period has no model of its own yet
	}
	at := slices.IndexFunc(fitters, func(f energy.Fitter) bool { return f.ID == a.Fit.Model })
	if at < 0 {
		return
	}
	if q.Interval != energy.Hourly || a.digest == "" {
		a.normaliseBy(fitters[at], rows, q)
		return
	}
	digest := digestOf(rows, "normalised", []string{a.digest, digestOf(q.Typical, "typical", q.Confidence)})
	var before *savings.Normalised
	if q.Memory.take(digest, &before) {
		a.Normalised = before
		return
	}
	a.normaliseBy(fitters[at], rows, q)
	q.Memory.keep(digest, a.Normalised)
}

// normaliseBy does so with the model that is fitted to the rows.
func (a *Assessment) normaliseBy(f energy.Fitter, rows []energy.Row, q Request) {
	if after, err := f.Fit(rows); err == nil {
		a.Normalised, _ = savings.Normalise(a.model, after, q.Typical, q.Confidence)
	}
}

// wholeSpans are the rows up to the end of the last whole span of spanOfHours
// days since the first of them.
func wholeSpans(rows []energy.Row) []energy.Row {
	p := energy.Span(rows)
	end := p.From
	for next := end; !next.After(p.To); next = next.AddDate(0, 0, spanOfHours) {
		end = next
	}
	n := slices.IndexFunc(rows, func(r energy.Row) bool { return r.End.After(end) })
	if n < 0 {
		return rows
	}
	return rows[:n]
}
