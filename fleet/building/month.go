package building

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// MonthSaving is what a measure saved on a meter in a local month, in money: what
// contracts of shared savings share. Where several measures concern a meter, the
// first one tells, whose saving holds those of the later ones: what a month saved
// does not change with a measure that comes after it.
type MonthSaving struct {
	Month        string       `json:"month"` // 2006-01
	Meter        Meter        `json:"meter"`
	Intervention string       `json:"intervention"` // its id
	From         Date         `json:"from"`         // of the month's days that the measure is judged by
	To           Date         `json:"to"`           // exclusive
	Complete     bool         `json:"complete"`     // no further day of the month is to come
	Method       string       `json:"method"`       // the model of the baseline and its version, and those of the saving
	Coverage     float64      `json:"coverage"`     // of those days, 0…1
	Saving       float64      `json:"saving"`
	Unit         string       `json:"unit"`
	Saved        tariff.Money `json:"saved"`
	// Plus is the half width of the interval around Saved: that of the whole saving by
	// the root of the month's part of its rows, as errors of rows add up; nil where it
	// is not known.
	Plus *int64 `json:"plus_minus_minor"`
}

// monthly divides a saving that has been priced among the months of its rows.
func (e *evaluation) monthly(s *Saving, m Meter, t tariff.Tariff, rows []energy.Row, baseline []float64) {
	t.Demand = nil // as in the whole
	var to int
	for from := 0; from < len(rows); from = to {
		start := rows[from].Start.In(e.loc)
		month := energy.Period{From: time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, e.loc)}
		month.To = month.From.AddDate(0, 1, 0)
		var known, saved float64
		for to = from; to < len(rows) && rows[to].Start.Before(month.To); to++ {
			known += rows[to].Days()
			saved += baseline[to] - rows[to].Use
		}
		judged := energy.Period{From: later(month.From, s.Reporting.From), To: earlier(month.To, s.Reporting.To)}
		v := MonthSaving{
			Month: start.Format("2006-01"), Meter: m, Intervention: s.Intervention, From: dateOf(judged.From), To: dateOf(judged.To),
			Complete: !e.table.asOf.Before(month.To) || s.Reporting.To.Before(e.table.asOf),
			Method:   s.Assessment.Avoided.Fit.Model + " " + s.Assessment.Avoided.Fit.Version + ", " + s.Version,
			Coverage: min(1, known/(judged.To.Sub(judged.From).Hours()/24)), Saving: saved, Unit: s.Unit,
			Saved: tariff.Money{Minor: billed(t, rows[from:to], baseline[from:to]), Currency: t.Currency},
		}
		if s.Cost.Plus != nil {
			plus := int64(math.Round(float64(*s.Cost.Plus) * math.Sqrt(float64(to-from)/float64(len(rows)))))
			v.Plus = &plus
		}
		if !e.told(&v) {
			e.monthlySavings = append(e.monthlySavings, v)
		}
	}
}

// billed is the bill of the baseline less that of the use, in minor units.
func billed(t tariff.Tariff, rows []energy.Row, baseline []float64) int64 {
	expected := make([]energy.Row, len(rows))
	for i := range rows {
		expected[i] = rows[i]
		expected[i].Use = baseline[i]
	}
	actual, base := t.Price(rows), t.Price(expected)
	return base.Total.Minor - actual.Total.Minor
}

// told reports whether an earlier measure tells of days of the month.
func (e *evaluation) told(v *MonthSaving) bool {
	for i := range e.monthlySavings {
		if o := &e.monthlySavings[i]; o.Meter == v.Meter && o.From < v.To && v.From < o.To {
			return true
		}
	}
	return false
}

func dateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }
