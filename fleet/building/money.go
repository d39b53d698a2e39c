package building

import (
	"math"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// MoneyVersion names the rules by which bills and emissions are made of rows.
const MoneyVersion = "money/1"

// UnpricedUse says that use at some times has no price, and is in no bill.
const UnpricedUse = "use_without_price"

// worth adds to a saving what it is in money and carbon.
func (e *evaluation) worth(s *Saving, m Meter, i *Intervention, q assess.Request) {
	rows, baseline := e.counterfactual(s, m, q)
	if len(rows) == 0 {
		return
	}
	e.remember(targetOf(m), rows, baseline, nil)
	o := e.Plan.Options(m)
	plus := halfWidth(s.Assessment)
	if t := e.Plan.Tariffs[o.Tariff]; t != nil {
		s.Cost = priced(*t, rows, baseline, plus)
		s.Cost.Intervention = i.Cost
	}
	if g := e.Plan.Grids[o.Grid]; g != nil {
		var u *energy.Uncertainty
		if plus != nil && s.Assessment.Avoided.Uncertainty != nil {
			wide := *s.Assessment.Avoided.Uncertainty
			wide.Plus = *plus
			u = &wide
		}
		r := g.Avoided(rows, baseline, u)
		s.Carbon = &r
		e.remember(carbonOf(m), rows, baseline, g)
	}
}

// halfWidth is the wider of the intervals around a saving; nil where there is
// none that can be told.
func halfWidth(a *assess.Assessment) *float64 {
	v := a.Avoided
	if v == nil || v.Uncertainty == nil || v.SlowPlus == nil {
		return nil
	}
	wide := max(v.Uncertainty.Plus, *v.SlowPlus)
	return &wide
}

// priced is the bill of the baseline less that of the use, without charges on
// demand.
func priced(t tariff.Tariff, rows []energy.Row, baseline []float64, plus *float64) *CostSaving {
	c := CostSaving{Tariff: t.ID, Version: t.Version, Reasons: []energy.Reason{}}
	if len(t.Demand) > 0 {
		t.Demand = nil
		c.Reasons = append(c.Reasons, energy.Reason{Code: DemandNotIncluded, Text: "what the measure saves on demand charges is not in this amount"})
	}
	expected := make([]energy.Row, len(rows))
	for i := range rows {
		expected[i] = rows[i]
		expected[i].Use = baseline[i]
	}
	actual, base := t.Price(rows), t.Price(expected)
	c.Actual, c.Baseline = actual.Total, base.Total
	c.Saved = tariff.Money{Minor: base.Total.Minor - actual.Total.Minor, Currency: t.Currency}
	if actual.Unpriced > 0 {
		c.Reasons = append(c.Reasons, unpriced(actual.Unpriced))
	}
	if plus != nil && base.Use > base.Unpriced {
		minor := int64(math.Round(*plus * math.Abs(float64(base.Energy.Minor)) / (base.Use - base.Unpriced)))
		c.Plus = &minor
	}
	return &c
}

func unpriced(use float64) energy.Reason {
	return energy.Reason{Code: UnpricedUse, Text: "use at times without a price is not in the bill", Values: map[string]float64{"use": use}}
}

// finest are the hours of a meter, or its days where the register does not tell
// hours.
func (m *meterRows) finest() []energy.Row {
	if len(m.hourly) > 0 {
		return m.hourly
	}
	return m.daily
}

// years are the calendar years that hold readings of a meter, whole or not.
func (e *evaluation) years(m *meterRows) map[string]energy.Period {
	out := map[string]energy.Period{}
	for y := m.first.Year(); y <= e.table.asOf.Add(-1).Year(); y++ {
		from, to := time.Date(y, 1, 1, 0, 0, 0, 0, e.loc), time.Date(y+1, 1, 1, 0, 0, 0, 0, e.loc)
		p := energy.Period{From: later(from, e.table.days[0]), To: earlier(to, e.table.asOf)}
		if p.To.After(p.From) {
			out[strconv.Itoa(y)] = p
		}
	}
	return out
}

// cost is what the building paid, by meter.
func (e *evaluation) cost() Cost {
	c := Cost{Basis: Basis{Version: MoneyVersion, Reasons: []energy.Reason{}}, Meters: []MeterCost{}}
	for _, m := range Used() {
		rows := e.meter(m)
		t := e.Plan.Tariffs[e.Plan.Options(m).Tariff]
		if !rows.present || t == nil {
			continue
		}
		latest := year(e.table.asOf)
		mc := MeterCost{Basis: Basis{Status: OK, Version: MoneyVersion, Reasons: []energy.Reason{}}, Meter: m, Unit: m.Unit(), Years: map[string]tariff.Bill{}}
		mc.span(latest)
		mc.cover(rows.daily, latest)
		bill := t.Price(latest.Within(rows.finest()))
		mc.Latest = &bill
		if bill.Unpriced > 0 {
			mc.add(unpriced(bill.Unpriced))
		}
		for name, p := range e.years(rows) {
			mc.Years[name] = t.Price(p.Within(rows.finest()))
		}
		if mc.Status == Insufficient {
			mc.Latest = nil
		}
		c.Meters = append(c.Meters, mc)
	}
	c.Status = OK
	if len(c.Meters) == 0 {
		c.add(energy.Reason{Code: TariffMissing, Critical: true, Text: "no meter with readings has a tariff"})
	}
	return c
}

// minKnown is the share of a year that must be known for its use to be told.
const minKnown = 0.9

// ShortYear says that too little of a year is known.
const ShortYear = "too_few_days_of_a_year"

// cover sets the coverage of a period, and says where it is too little.
func (b *Basis) cover(daily []energy.Row, p energy.Period) {
	b.Coverage = coverage(daily, p)
	if b.Coverage == nil || *b.Coverage < minKnown {
		r := energy.Reason{Code: ShortYear, Critical: true, Text: "too few of the 365 days to the newest one are known"}
		if b.Coverage != nil {
			r.Values = map[string]float64{"coverage": *b.Coverage}
		}
		b.add(r)
	}
}

// carbon is what the building emitted.
func (e *evaluation) carbon() Carbon {
	c := Carbon{Basis: Basis{Status: OK, Version: carbon.Version, Reasons: []energy.Reason{}}, Meters: []MeterCarbon{}}
	latest := year(e.table.asOf)
	whole := 0.0
	for _, m := range Used() {
		rows := e.meter(m)
		g := e.Plan.Grids[e.Plan.Options(m).Grid]
		if !rows.present || g == nil {
			continue
		}
		mc := MeterCarbon{Meter: m, Unit: m.Unit(), Years: map[string]carbon.Location{}}
		l := g.Locate(latest.Within(rows.finest()))
		mc.Basis = basisOf(carbon.Version, l.Verdict)
		mc.span(latest)
		mc.cover(rows.daily, latest)
		if mc.Status == OK {
			mc.Latest = &l
			whole += l.KG
		}
		for name, p := range e.years(rows) {
			if y := g.Locate(p.Within(rows.finest())); y.Verdict.Sufficient {
				mc.Years[name] = y
			}
		}
		c.Meters = append(c.Meters, mc)
		for _, r := range mc.Reasons {
			c.add(r)
		}
	}
	if len(c.Meters) == 0 {
		c.add(energy.Reason{Code: GridMissing, Critical: true, Text: "no meter with readings has emission factors"})
	}
	if c.Status == OK {
		c.Intensity = carbon.Intensity(whole, latest, e.Plan.FloorM2)
	}
	c.Market = e.market(latest)
	return c
}

// market is the market-based result of electricity, where the owner said what
// was contracted.
func (e *evaluation) market(p energy.Period) *carbon.Market {
	residual, rows := e.Plan.Settings.Residual, e.meter(Electricity)
	if !rows.present || residual == nil {
		return nil
	}
	if c := coverage(rows.daily, p); c == nil || *c < minKnown {
		return nil
	}
	use, _ := sumOf(p.Within(rows.daily))
	m := carbon.Contracted(use, e.Plan.Settings.Supply, *residual)
	return &m
}
