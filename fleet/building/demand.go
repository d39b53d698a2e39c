package building

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
)

// demand describes the load of the newest year, and what the measures on
// electricity did to its peak.
func (e *evaluation) demand(all []Saving) Demand {
	d := Demand{Basis: Basis{Status: OK, Version: demand.Version, Reasons: []energy.Reason{}}, Reductions: []DemandSaving{}, Months: []MonthlyMaximum{}}
	rows := e.meter(Electricity)
	if len(rows.hourly) == 0 {
		code, text := NotHourly, "the electricity register is not read often enough to tell its hours apart"
		if !rows.present {
			code, text = NoReadings, "no reading of the electricity register has come in"
		}
		d.add(energy.Reason{Code: code, Critical: true, Text: text})
		return d
	}
	p := year(e.table.asOf)
	p.From = later(p.From, rows.first)
	latest := within(p, rows.hourly)
	d.span(p)
	d.Coverage = coverage(rows.daily, p)
	var err error
	if d.Profile, err = demand.Describe(latest); err != nil {
		d.fail(err)
		return d
	}
	if daysOf(p) < baselineDays || d.Coverage == nil || *d.Coverage < minKnown {
		d.add(energy.Reason{Code: ShortYear, Text: "the load of a whole year is not known, and its highest hour may lie in the rest"})
	}
	d.Months = monthly(latest)
	for i := range all {
		if s := &all[i]; s.Meter == Electricity {
			d.Reductions = append(d.Reductions, e.reduction(s))
		}
	}
	return d
}

// reduction is what one measure did to the peak.
func (e *evaluation) reduction(s *Saving) DemandSaving {
	out := DemandSaving{Basis: Basis{Status: OK, Version: demand.Version, Reasons: []energy.Reason{}}, Intervention: s.Intervention}
	out.span(energy.Period{From: s.Baseline.From, To: s.Reporting.To})
	out.Coverage = s.Coverage
	f := e.hourlyOf(Electricity, s.Intervention, s.Baseline)
	if f.err != nil {
		out.fail(f.err)
		return out
	}
	r, err := demand.Reduce(f.model, f.baseline, within(s.Reporting, e.meter(Electricity).hourly), e.Plan.Settings.window(), e.Plan.Options(Electricity).Confidence)
	if err != nil {
		out.fail(err)
		return out
	}
	if 10*r.MissingRows > r.Rows+r.MissingRows {
		out.add(energy.Reason{
			Code: "reporting_coverage_low", Critical: true, Text: "too many hours of the reporting period lack use or temperature",
			Values: map[string]float64{"hours": float64(r.Rows), "missing": float64(r.MissingRows)},
		})
		return out
	}
	out.Reduction = r
	return out
}

// monthly are the highest hours of the months.
func monthly(rows []energy.Row) []MonthlyMaximum {
	out := []MonthlyMaximum{}
	var c calendar
	for i := range rows {
		r := &rows[i]
		if math.IsNaN(r.Use) {
			continue
		}
		kw, month := r.Use/r.End.Sub(r.Start).Hours(), c.month(r.Start)
		n := len(out)
		if n == 0 || out[n-1].Month != month {
			out = append(out, MonthlyMaximum{Month: month, PeakKW: kw, At: r.Start, Hours: 1})
			continue
		}
		out[n-1].Hours++
		if kw > out[n-1].PeakKW {
			out[n-1].PeakKW, out[n-1].At = kw, r.Start
		}
	}
	return out
}
