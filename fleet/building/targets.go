package building

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// ratio is a part and its whole.
type ratio struct{ of, all float64 }

// targetOf is the goal that a saving on a meter counts for.
func targetOf(m Meter) string {
	if m == Water {
		return target.WaterSavings
	}
	return target.EnergySavings + "/" + string(m)
}

// carbonOf names the emissions that a saving on a meter avoids.
func carbonOf(m Meter) string { return target.CarbonReduction + "/" + string(m) }

// remember keeps the months of the newest saving that counts for a goal. A
// measure that comes after another on the same meter takes its place.
func (e *evaluation) remember(name string, rows []energy.Row, baseline []float64, g *carbon.Grid) {
	months := map[string]*ratio{}
	var c calendar
	for i := range rows {
		r := &rows[i]
		factor := 1.0
		if g != nil {
			f, known := g.Factor.Over(*r)
			if known < 1 {
				continue
			}
			factor = f
		}
		month := c.month(r.Start)
		if months[month] == nil {
			months[month] = &ratio{}
		}
		months[month].of += (baseline[i] - r.Use) * factor
		months[month].all += baseline[i] * factor
	}
	e.months[name] = months
}

// calendar names the months of instants, which ascend.
type calendar struct {
	name string
	next time.Time // month
}

func (c *calendar) month(at time.Time) string {
	if !at.Before(c.next) {
		y, m, _ := at.Date()
		c.name, c.next = at.Format("2006-01"), time.Date(y, m+1, 1, 0, 0, 0, 0, at.Location())
	}
	return c.name
}

// history adds up the months of several savings, in percent.
func (e *evaluation) history(names ...string) map[string]float64 {
	sums := map[string]ratio{}
	for _, name := range names {
		for month, r := range e.months[name] {
			s := sums[month]
			sums[month] = ratio{s.of + r.of, s.all + r.all}
		}
	}
	return percents(sums)
}

func percents(sums map[string]ratio) map[string]float64 {
	out := map[string]float64{}
	for month, s := range sums {
		if v := 100 * s.of / s.all; !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[month] = v
		}
	}
	return out
}

// monthsOf are the values of a history, a NaN for a month without one.
func monthsOf(history map[string]float64) []float64 {
	if len(history) == 0 {
		return nil
	}
	var names []string
	for n := range history {
		names = append(names, n)
	}
	slices.Sort(names)
	at, err := time.Parse("2006-01", names[0])
	if err != nil {
		return nil
	}
	var out []float64
	for ; at.Format("2006-01") <= names[len(names)-1]; at = at.AddDate(0, 1, 0) {
		v, ok := history[at.Format("2006-01")]
		if !ok {
			v = math.NaN()
		}
		out = append(out, v)
	}
	return out
}

// newest is the latest measure on a meter whose saving stands; otherwise why
// there is none.
func newest(all []Saving, m Meter) (*Saving, string) {
	why := ""
	for i := len(all) - 1; i >= 0; i-- {
		s := &all[i]
		if s.Meter != m {
			continue
		}
		if s.Status == OK && s.Assessment != nil && s.Assessment.Avoided != nil {
			return s, ""
		}
		if why == "" {
			why = s.firstReason()
		}
	}
	return nil, why
}

// firstReason is the text of the first critical reason.
func (b *Basis) firstReason() string {
	for _, r := range b.Reasons {
		if r.Critical {
			return r.Text
		}
	}
	return ""
}

// targets judges the building by the goals of a portfolio.
func (e *evaluation) targets(r *Result) []target.Standing {
	why := e.why(r)
	var out []target.Standing
	for _, t := range target.All() {
		out = append(out, judge(t, r.Headline.Parts[t.ID], why[t.ID]))
	}
	return out
}

// judge sets a part against a goal.
func judge(t target.Target, p Part, why string) target.Standing {
	m := target.Measured{Value: math.NaN(), Reason: why, History: monthsOf(p.History)}
	if p.All != 0 {
		m.Value = 100 * p.Of / p.All
		if p.Plus != nil {
			m.Plus = energy.Known(100 * *p.Plus / math.Abs(p.All))
		}
	}
	return target.Judge(t, m)
}

// why says for each goal what keeps it from being told.
func (e *evaluation) why(r *Result) map[string]string {
	saving := func(meters ...Meter) string {
		for _, m := range meters {
			if _, why := newest(r.Savings, m); why != "" {
				return why
			}
		}
		return "no measure was entered that concerns the meter"
	}
	out := map[string]string{
		target.EnergySavings:     saving(Electricity, Gas),
		target.WaterSavings:      saving(Water),
		target.CarbonReduction:   "no meter with a saving has emission factors",
		target.PeakReduction:     r.Demand.firstReason(),
		target.ForecastAccuracy:  r.Forecast.firstReason(),
		target.AutomationSuccess: "too little is known of indoor_c and setpoint_c in the time in use",
		target.GreenEnergy:       r.Usage.SolarWhy,
	}
	if out[target.PeakReduction] == "" {
		out[target.PeakReduction] = saving(Electricity)
		if n := len(r.Demand.Reductions); n > 0 {
			out[target.PeakReduction] = r.Demand.Reductions[n-1].firstReason()
		}
	}
	return out
}

// parts are the numbers behind the goals.
func (e *evaluation) parts(r *Result) map[string]Part {
	out := map[string]Part{}
	if p, ok := e.savedPart(r.Savings, Electricity, Gas); ok {
		p.History = e.history(targetOf(Electricity), targetOf(Gas))
		out[target.EnergySavings] = p
	}
	if p, ok := e.savedPart(r.Savings, Water); ok {
		p.History = e.history(targetOf(Water))
		out[target.WaterSavings] = p
	}
	if p, ok := e.carbonPart(r.Savings); ok {
		out[target.CarbonReduction] = p
	}
	if d := lastReduction(r.Demand.Reductions); d != nil {
		out[target.PeakReduction] = Part{Of: d.PeakSavedKW, All: d.BaselinePeakKW, Plus: d.PeakPlusKW}
	}
	if b := r.Forecast.Backtest; r.Forecast.Status == OK && b != nil && b.Accuracy != nil {
		p := Part{Of: *b.Accuracy / 100, All: 1}
		if b.Plus != nil {
			p.Plus = energy.Known(*b.Plus / 100)
		}
		out[target.ForecastAccuracy] = p
	}
	if p, ok := e.followedPart(); ok {
		out[target.AutomationSuccess] = p
	}
	if s := r.Usage.Solar; s != nil {
		out[target.GreenEnergy] = Part{Of: *s.Green * s.Use, All: s.Use, History: e.greenHistory(s.Period)}
	}
	return out
}

// savedPart adds up the newest savings of meters of one unit. An interval stands
// only where each has one.
func (e *evaluation) savedPart(all []Saving, meters ...Meter) (Part, bool) {
	var p Part
	found, sure, square := false, true, 0.0
	for _, m := range meters {
		s, _ := newest(all, m)
		if s == nil {
			continue
		}
		found = true
		p.Of += s.Assessment.Avoided.Saving
		p.All += s.Assessment.Avoided.Baseline
		if plus := halfWidth(s.Assessment); plus != nil {
			square += *plus * *plus
		} else {
			sure = false
		}
	}
	if found && sure {
		p.Plus = energy.Known(math.Sqrt(square))
	}
	return p, found
}

// standardPlus is the half width of the standard's interval around the newest
// savings of meters of one unit; nil where one has none.
func standardPlus(all []Saving, meters ...Meter) *float64 {
	square := 0.0
	for _, m := range meters {
		s, _ := newest(all, m)
		if s == nil {
			continue
		}
		u := s.Assessment.Avoided.Uncertainty
		if u == nil {
			return nil
		}
		square += u.Plus * u.Plus
	}
	return energy.Known(math.Sqrt(square))
}

func (e *evaluation) carbonPart(all []Saving) (Part, bool) {
	var p Part
	found, sure, square := false, true, 0.0
	for _, m := range Used() {
		s, _ := newest(all, m)
		if s == nil || s.Carbon == nil {
			continue
		}
		found = true
		p.Of, p.All = p.Of+s.Carbon.AvoidedKG, p.All+s.Carbon.BaselineKG
		if s.Carbon.PlusKG != nil {
			square += *s.Carbon.PlusKG * *s.Carbon.PlusKG
		} else {
			sure = false
		}
	}
	if found && sure {
		p.Plus = energy.Known(math.Sqrt(square))
	}
	p.History = e.history(carbonOf(Electricity), carbonOf(Gas), carbonOf(Water))
	return p, found
}

// followedPart is how the setpoint was followed in the year to the newest day.
func (e *evaluation) followedPart() (Part, bool) {
	from := telemetry.DayOf(year(e.table.asOf).From.UnixMilli())
	var days []target.Followed
	months := map[string]ratio{}
	var p Part
	for _, d := range e.Series.Followed {
		if d.Number < from {
			continue
		}
		days = append(days, d.Followed)
		p.Of, p.All = p.Of+d.Good, p.All+d.All
		month := time.UnixMilli(d.Number * telemetry.Day).UTC().Format("2006-01")
		months[month] = ratio{months[month].of + d.Good, months[month].all + d.All}
	}
	f, err := target.FollowDays(days)
	if err != nil {
		return p, false
	}
	if f.Plus != nil {
		p.Plus = energy.Known(*f.Plus / 100 * p.All)
	}
	p.History = percents(months)
	return p, true
}

func (e *evaluation) greenHistory(p energy.Period) map[string]float64 {
	out := map[string]float64{}
	for at := time.Date(p.From.Year(), p.From.Month(), 1, 0, 0, 0, 0, e.loc); at.Before(p.To); at = at.AddDate(0, 1, 0) {
		month := energy.Period{From: later(at, p.From), To: earlier(at.AddDate(0, 1, 0), p.To)}
		if s, _ := e.match(month); s != nil {
			out[at.Format("2006-01")] = 100 * *s.Green
		}
	}
	return out
}
