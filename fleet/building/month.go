package building

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// MonthSaving is what a measure saved on a meter in a local month, in money: what
// contracts of shared savings share. Where several measures concern a meter, the
// first one tells of each day, as its saving holds those of the later ones: what a
// day saved does not change with a measure that comes after it. A month has no amount
// where too much of its own use has no price, whatever other months lack.
type MonthSaving struct {
	Month        string       `json:"month"`          // 2006-01
	Zone         string       `json:"zone,omitempty"` // whose midnights begin the days
	Meter        Meter        `json:"meter"`
	Intervention string       `json:"intervention"` // its id
	From         Date         `json:"from"`         // of the month's days that the measure tells of
	To           Date         `json:"to"`           // exclusive
	Complete     bool         `json:"complete"`     // no further day of the month is to come
	Method       string       `json:"method"`       // the model of the baseline and its version, and those of the saving
	Coverage     float64      `json:"coverage"`     // of those days, 0…1
	Saving       float64      `json:"saving"`
	Unit         string       `json:"unit"`
	Saved        tariff.Money `json:"saved"` // rounded month by month: the sum may differ from the whole in its last unit
	// Plus is the half width of the interval around Saved: that of the whole saving by
	// the root of the month's part of its days, as errors of days add up; nil where it
	// is not known.
	Plus *int64 `json:"plus_minus_minor"`
	// Lacks says why there is no amount: Saved is none then, not 0. Nil: there is one.
	Lacks *energy.Reason `json:"lacks,omitempty"`
}

// telling is a span of days that a measure tells of on a meter.
type telling struct {
	meter Meter
	days  energy.Period
}

// monthly divides a saving among the months of its rows.
func (e *evaluation) monthly(s *Saving, m Meter, t tariff.Tariff, rows []energy.Row, baseline []float64) {
	t.Demand = nil // as in the whole
	whole := length(rows)
	var to int
	for from := 0; from < len(rows); from = to {
		start := rows[from].Start.In(e.loc)
		month := energy.Period{From: time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, e.loc)}
		month.To = month.From.AddDate(0, 1, 0)
		to = from + begun(rows[from:], month.To)
		for _, days := range e.untold(m, energy.Period{From: later(month.From, s.Reporting.From), To: earlier(month.To, s.Reporting.To)}) {
			a, b := from+begun(rows[from:to], days.From), from+begun(rows[from:to], days.To)
			if a == b {
				continue
			}
			e.telling = append(e.telling, telling{m, days})
			v := e.part(s, t, days, rows[a:b], baseline[a:b])
			v.Month, v.Meter = start.Format("2006-01"), m
			v.Complete = !e.table.asOf.Before(month.To) || days.To.Before(e.table.asOf)
			if v.Lacks == nil && s.Cost != nil && s.Cost.Plus != nil {
				plus := int64(math.Round(float64(*s.Cost.Plus) * math.Sqrt(float64(length(rows[a:b]))/float64(whole))))
				v.Plus = &plus
			}
			e.monthlySavings = append(e.monthlySavings, v)
		}
	}
}

// part is what some days saved.
func (e *evaluation) part(s *Saving, t tariff.Tariff, days energy.Period, rows []energy.Row, baseline []float64) MonthSaving {
	actual, base := bills(t, rows, baseline)
	v := MonthSaving{
		Zone: e.loc.String(), Intervention: s.Intervention, From: dateOf(days.From), To: dateOf(days.To),
		Method:   s.Assessment.Avoided.Fit.Model + " " + s.Assessment.Avoided.Fit.Version + ", " + s.Version,
		Coverage: min(1, float64(length(rows))/float64(days.To.Sub(days.From))), Unit: s.Unit,
		Saved: tariff.Money{Minor: base.Total.Minor - actual.Total.Minor, Currency: t.Currency},
	}
	for i := range rows {
		v.Saving += baseline[i] - rows[i].Use
	}
	for _, b := range []*tariff.Bill{&actual, &base} {
		if why := unpriced(b); why != nil && fewPriced(b) {
			v.Lacks, v.Saved.Minor = why, 0
			break
		}
	}
	return v
}

// length is how long rows are, all told.
func length(rows []energy.Row) (d time.Duration) {
	for i := range rows {
		d += rows[i].End.Sub(rows[i].Start)
	}
	return d
}

// begun is how many of the rows, which are by time, begin before an instant.
func begun(rows []energy.Row, at time.Time) int {
	return sort.Search(len(rows), func(i int) bool { return !rows[i].Start.Before(at) })
}

// untold are the parts of a period of which no earlier measure tells, by time.
func (e *evaluation) untold(m Meter, p energy.Period) []energy.Period {
	left := []energy.Period{p}
	for _, o := range e.telling {
		if o.meter != m {
			continue
		}
		var rest []energy.Period
		for _, l := range left {
			rest = append(rest, energy.Period{From: l.From, To: earlier(l.To, o.days.From)}, energy.Period{From: later(l.From, o.days.To), To: l.To})
		}
		left = slices.DeleteFunc(rest, func(l energy.Period) bool { return !l.From.Before(l.To) })
	}
	return left
}

func dateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }
