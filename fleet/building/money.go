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
const MoneyVersion = "money/2"

// The codes of what is in no bill.
const (
	UnpricedUse   = "use_without_price"  // the tariff has none at the time
	MixedUse      = "use_across_prices"  // the register is read too seldom to tell at which price
	UnknownUse    = "rows_without_use"   // the use of some rows is not known
	DemandUnknown = "demand_not_metered" // the register is read too seldom for a charge on demand
)

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
		e.inMoney(s, m, i, *t, rows, baseline, plus)
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

// inMoney adds what a saving is in money, as a whole where enough of it has a price,
// and month by month.
func (e *evaluation) inMoney(s *Saving, m Meter, i *Intervention, t tariff.Tariff, rows []energy.Row, baseline []float64, plus *float64) {
	cost, why := priced(t, rows, baseline, plus)
	if why != nil {
		s.add(*why)
	} else {
		cost.Intervention = i.Cost
		s.Cost = cost
	}
	e.monthly(s, m, t, rows, baseline)
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
// demand; or the reason why there is none: too much of the use has no price. The
// saving of energy stands without it.
func priced(t tariff.Tariff, rows []energy.Row, baseline []float64, plus *float64) (*CostSaving, *energy.Reason) {
	c := CostSaving{Tariff: t.ID, Version: t.Version, Reasons: []energy.Reason{}}
	if len(t.Demand) > 0 {
		t.Demand = nil
		c.Reasons = append(c.Reasons, energy.Reason{Code: DemandNotIncluded, Text: "what the measure saves on demand charges is not in this amount"})
	}
	actual, base := bills(t, rows, baseline)
	c.Actual, c.Baseline = actual.Total, base.Total
	c.Saved = tariff.Money{Minor: base.Total.Minor - actual.Total.Minor, Currency: t.Currency}
	for _, b := range []*tariff.Bill{&actual, &base} {
		why := unpriced(b)
		if why == nil {
			continue
		}
		why.Critical = false
		if fewPriced(b) {
			return nil, why
		}
		if len(c.Reasons) == 0 || c.Reasons[len(c.Reasons)-1].Code != why.Code {
			c.Reasons = append(c.Reasons, *why)
		}
	}
	if plus != nil && base.Use > base.Unpriced {
		minor := int64(math.Round(*plus * math.Abs(float64(base.Energy.Minor)) / (base.Use - base.Unpriced)))
		c.Plus = &minor
	}
	return &c, nil
}

// bills are that of the use and that of the baseline.
func bills(t tariff.Tariff, rows []energy.Row, baseline []float64) (actual, base tariff.Bill) {
	expected := make([]energy.Row, len(rows))
	for i := range rows {
		expected[i] = rows[i]
		expected[i].Use = baseline[i]
	}
	return t.Price(rows), t.Price(expected)
}

// fewPriced reports whether too much of the use in a bill has no price.
func fewPriced(b *tariff.Bill) bool { return math.Abs(b.Unpriced) > (1-minKnown)*math.Abs(b.Use) }

// unpriced is what to say of use that is not in a bill; nil where all is. It keeps
// the bill from being told where the price changes within rows, or where the rest
// is too little.
func unpriced(b *tariff.Bill) *energy.Reason {
	switch {
	case b.Mixed > 0:
		return &energy.Reason{
			Code: MixedUse, Critical: true, Text: "the price changes between two readings of the register, and how much was used at which is not known",
			Values: map[string]float64{"use": b.Mixed},
		}
	case b.Unpriced != 0:
		return &energy.Reason{
			Code: UnpricedUse, Critical: b.Unpriced > (1-minKnown)*b.Use, Text: "use at times without a price is not in the bill",
			Values: map[string]float64{"use": b.Unpriced},
		}
	}
	return nil
}

// lacks says what is not in a bill.
func (b *Basis) lacks(bill *tariff.Bill, t *tariff.Tariff) {
	if why := unpriced(bill); why != nil {
		b.add(*why)
	}
	if bill.Missing > 0 {
		b.add(energy.Reason{
			Code: UnknownUse, Text: "use that is not known by the hour, or by the day where the register does not tell hours, is not in the bill",
			Values: map[string]float64{"rows": float64(bill.Missing)},
		})
	}
	if bill.Long > 0 && len(t.Demand) > 0 {
		b.add(energy.Reason{
			Code: DemandUnknown, Text: "the register is not read every hour, and its charges on demand are not in the bill",
			Values: map[string]float64{"rows": float64(bill.Long)},
		})
	}
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
		mc.cover(rows.finest(), latest)
		bill := t.Price(within(latest, rows.finest()))
		mc.Latest = &bill
		mc.lacks(&bill, t)
		for name, p := range e.years(rows) {
			y := t.Price(within(p, rows.finest()))
			if y.Unpriced == 0 || y.Unpriced < y.Use { // otherwise nothing is priced
				mc.Years[name] = y
			}
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
	whole, counted := 0.0, 0
	for _, m := range Used() {
		rows := e.meter(m)
		if !rows.present {
			continue
		}
		mc := MeterCarbon{Basis: Basis{Status: OK, Version: carbon.Version, Reasons: []energy.Reason{}}, Meter: m, Unit: m.Unit(), Years: map[string]carbon.Location{}}
		g := e.Plan.Grids[e.Plan.Options(m).Grid]
		if g == nil {
			mc.add(energy.Reason{Code: GridMissing, Critical: true, Text: "the meter has no emission factors"})
			c.Meters = append(c.Meters, mc)
			continue
		}
		counted++
		l := g.Locate(within(latest, rows.finest()))
		mc.Basis = basisOf(carbon.Version, l.Verdict)
		mc.span(latest)
		mc.cover(rows.finest(), latest)
		if mc.Status == OK {
			mc.Latest = &l
			whole += l.KG
		}
		for name, p := range e.years(rows) {
			if y := g.Locate(within(p, rows.finest())); y.Verdict.Sufficient {
				mc.Years[name] = y
			}
		}
		c.Meters = append(c.Meters, mc)
		for _, r := range mc.Reasons {
			c.add(r)
		}
	}
	switch {
	case counted == 0:
		c.add(energy.Reason{Code: GridMissing, Critical: true, Text: "no meter with readings has emission factors"})
	case counted < len(c.Meters):
		c.add(energy.Reason{Code: GridMissing, Text: "some meters with readings have no emission factors, and what they emit is not counted"})
	}
	if c.Status == OK && counted == len(c.Meters) {
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
	use, _ := sumOf(within(p, rows.daily))
	m := carbon.Contracted(use, e.Plan.Settings.Supply, *residual)
	return &m
}
