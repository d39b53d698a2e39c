package api

import (
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	plans "github.com/fleetwatt/fleetwatt/fleet/finance/project"
	"github.com/fleetwatt/fleetwatt/fleet/finance/risk"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// FinanceResult is what assets returned. What was paid out is negative. Rates are
// shares, 0.1 for 10 %; amounts in analyses are numbers of the major unit, which
// are booked nowhere.
type FinanceResult struct {
	Status     string             `json:"status" enum:"ok,insufficient_data"`
	Reason     string             `json:"reason,omitempty"`
	Method     string             `json:"method"`
	Version    string             `json:"version"`
	BuiltAt    Time               `json:"built_at"`
	OwnerID    string             `json:"owner_id,omitempty" doc:"whose flows they are: of an asset, those of its present owner while it was his"`
	Currency   string             `json:"currency,omitempty"`
	Currencies []string           `json:"currencies" nullable:"false" doc:"in which something was booked; amounts of several are never added up"`
	Assumed    FinanceAssumptions `json:"assumptions"`
	Totals     *FinanceTotals     `json:"totals,omitempty"`
	Returns    *FinanceReturns    `json:"returns,omitempty"`
	Months     []FinanceMonth     `json:"months" nullable:"false"`
}

// FinanceAssumptions are what returns rest on beside the books.
type FinanceAssumptions struct {
	Rate     float64  `json:"rate" doc:"to discount by, a year"`
	Riskless float64  `json:"riskless" doc:"a year"`
	Life     *float64 `json:"life_years" doc:"remaining; null: not known"`
	LifeLow  *float64 `json:"life_years_low"`
	LifeHigh *float64 `json:"life_years_high" doc:"null beside a low end: beyond what is foreseen, and the projection takes 30; null without one: the life was entered, and is exact, or is not known"`
	Residual float64  `json:"residual" doc:"value at the end of the life, major unit"`
	Fade     float64  `json:"fade" doc:"share of the revenue lost each year to come"`
	Capacity float64  `json:"capacity_swaps_per_day" doc:"0: not known"`
	Convent  string   `json:"convention"`
}

// FinanceTotals are sums over all months.
type FinanceTotals struct {
	Revenue   MoneyAmount `json:"revenue"`
	Shares    MoneyAmount `json:"revenue_shares"`
	Costs     MoneyAmount `json:"operating_costs"`
	Capital   MoneyAmount `json:"capital"`
	Net       MoneyAmount `json:"net"`
	Swaps     int64       `json:"swaps" doc:"each once, though it is a station's and a battery's; of an owner with amounts in several currencies all of his, in each of them"`
	HandedKWh *float64    `json:"handed_kwh" doc:"null: not every swap told it"`
	DrawnKWh  *float64    `json:"drawn_kwh" doc:"while the meters were heard; null: none was"`
}

// FinanceMonth is a month's flow.
type FinanceMonth struct {
	Month       string      `json:"month"`
	Provisional bool        `json:"provisional"`
	Revenue     MoneyAmount `json:"revenue"`
	Shares      MoneyAmount `json:"revenue_shares"`
	Costs       MoneyAmount `json:"operating_costs"`
	Capital     MoneyAmount `json:"capital"`
	Net         MoneyAmount `json:"net"`
	Swaps       int64       `json:"swaps"`
}

// FinanceReturns are the measures.
type FinanceReturns struct {
	Invested   float64              `json:"invested"`
	NPV        FinanceValue         `json:"npv" doc:"on the day of the first flow"`
	XIRR       FinanceRates         `json:"xirr"`
	Payback    FinancePayback       `json:"payback_years"`
	Discounted FinancePayback       `json:"discounted_payback_years"`
	ROI        FinanceValue         `json:"roi" doc:"all that came back less what was paid for assets, over that"`
	Annualised FinanceValue         `json:"annualised_roi"`
	PerKWh     FinanceValue         `json:"cost_per_kwh_handed"`
	PerSwap    FinanceValue         `json:"cost_per_swap"`
	TCO        *FinanceTCO          `json:"total_cost_of_ownership,omitempty" doc:"absent: nothing was bought"`
	BreakEven  FinanceValue         `json:"break_even_utilization" doc:"of months that are over; of the parties' shares, the swaps bear their part of the revenue"`
	Volatility FinanceMeasure       `json:"volatility" doc:"of monthly yields: the operating result over the capital in it, of months that are over"`
	Sharpe     FinanceMeasure       `json:"sharpe"`
	Sortino    FinanceMeasure       `json:"sortino"`
	Drawdown   FinanceDrawdown      `json:"max_drawdown"`
	ByAsset    FinanceConcentration `json:"concentration_by_asset" doc:"Herfindahl's index of the revenue"`
	BySite     FinanceConcentration `json:"concentration_by_site"`
	ByPartner  FinanceConcentration `json:"concentration_by_partner" doc:"of what parties of agreements got"`
	Projection FinanceProjection    `json:"projection"`
}

// FinanceValue is a number, or the reason why there is none.
type FinanceValue finance.Value

// FinancePayback is when an investment has come back, in years from its first flow.
type FinancePayback finance.Payback

// FinanceMeasure is a number a year with its standard error.
type FinanceMeasure risk.Measure

// FinanceTCO is the total cost of ownership, in money of the day of the first purchase:
// purchases count at the beginning of their year since then, all else at its end.
type FinanceTCO struct {
	Purchase  float64      `json:"purchase"`
	Operating float64      `json:"operating"`
	Recovered float64      `json:"recovered" doc:"residual value and recycling; it lowers the total"`
	Total     float64      `json:"total"`
	PerYear   FinanceValue `json:"per_year" doc:"the equal amount a year since the first purchase; a year that has begun counts as whole"`
}

// FinanceConcentration is how much hangs on few: Herfindahl's index.
type FinanceConcentration struct {
	FinanceValue
	Effective float64       `json:"effective_number" doc:"how many equal parts would be as concentrated"`
	Count     int           `json:"count"`
	Largest   []FinancePart `json:"largest" nullable:"false"`
}

// FinancePart is a part of a whole.
type FinancePart risk.Part

// FinanceSpread is how the runs of a simulation came out.
type FinanceSpread struct {
	Runs          int                 `json:"runs"`
	NPV           FinanceDistribution `json:"npv"`
	IRR           FinanceDistribution `json:"irr" doc:"of the runs that have one rate"`
	Loss          float64             `json:"loss" doc:"share of the runs with a net present value below 0"`
	StandardError float64             `json:"loss_standard_error"`
}

// FinanceDistribution is how a number came out.
type FinanceDistribution struct {
	Count         int               `json:"count"`
	Mean          float64           `json:"mean"`
	StandardError float64           `json:"standard_error"`
	Quantiles     []FinanceQuantile `json:"quantiles" nullable:"false"`
}

// FinanceQuantile is a number that a share of the runs are below.
type FinanceQuantile plans.Quantile

// FinanceRates are internal rates of return.
type FinanceRates struct {
	Status     string    `json:"status" enum:"ok,several,none,out_of_range,insufficient"`
	Reason     string    `json:"reason,omitempty"`
	Rate       *float64  `json:"rate" doc:"null unless there is just one"`
	Rates      []float64 `json:"rates" nullable:"false"`
	Unverified []float64 `json:"unverified,omitempty"`
}

// FinanceDrawdown is the largest fall of the index of monthly yields.
type FinanceDrawdown struct {
	FinanceValue
	Peak      string `json:"peak,omitempty"`
	Trough    string `json:"trough,omitempty"`
	Recovered string `json:"recovered,omitempty"`
}

// FinanceOutcome is what a plan comes to.
type FinanceOutcome struct {
	Years      float64        `json:"years"`
	NPV        FinanceValue   `json:"npv"`
	IRR        FinanceRates   `json:"irr"`
	ROI        FinanceValue   `json:"roi"`
	Annualised FinanceValue   `json:"annualised_roi"`
	Payback    FinancePayback `json:"payback_years"`
	Discounted FinancePayback `json:"discounted_payback_years"`
}

// FinanceProjection is what is to come.
type FinanceProjection struct {
	Status  string          `json:"status"`
	Reason  string          `json:"reason,omitempty"`
	Rests   int             `json:"months" doc:"that are over, of the last year with amounts, that it rests on; each counts as whole"`
	Open    *float64        `json:"open" doc:"what has not come back yet: the investment of the scenarios"`
	Revenue *float64        `json:"revenue_per_year"`
	Cost    *float64        `json:"cost_per_year"`
	Ranges  string          `json:"ranges,omitempty" doc:"how far the scenarios are from the base"`
	Whole   *FinanceOutcome `json:"whole_life,omitempty" doc:"what was and what is to come as one investment"`
	Base    *FinanceOutcome `json:"base,omitempty" doc:"from today on"`
	Low     *FinanceOutcome `json:"low,omitempty"`
	High    *FinanceOutcome `json:"high,omitempty"`
	Spread  *FinanceSpread  `json:"simulation,omitempty"`
}

const (
	financeMethod = "statements of all months, as all is known now"
	convention    = "days of the owner's months; Actual/365 Fixed; present value on the day of the first flow; months in unit costs and ratios discounted at (1+rate)^(1/12)−1"
)

func viewRates(r finance.Rates) FinanceRates {
	v := FinanceRates{Status: string(r.Status), Reason: r.Reason, Rate: r.Rate, Rates: r.Rates, Unverified: r.Unverified}
	if v.Rates == nil {
		v.Rates = []float64{}
	}
	return v
}

func viewOutcome(o *plans.Outcome) *FinanceOutcome {
	return &FinanceOutcome{
		o.Years, FinanceValue(o.NPV), viewRates(o.IRR), FinanceValue(o.ROI), FinanceValue(o.Annualised), FinancePayback(o.Payback), FinancePayback(o.Discounted),
	}
}

func viewFinance(r *fleet.Result) FinanceResult {
	a := r.Assumed
	v := FinanceResult{
		Status: "insufficient_data", Reason: "nothing was booked: enter prices and costs", Method: financeMethod, Version: accounts.ReturnsVersion,
		BuiltAt: Time(r.BuiltAt), OwnerID: r.Owner, Currencies: []string{}, Months: []FinanceMonth{},
		Assumed: FinanceAssumptions{a.Rate, a.Riskless, a.Life.Median, a.Life.Low, a.Life.High, a.Residual, a.Fade, a.Capacity, convention},
	}
	for _, c := range r.Currencies {
		v.Currencies = append(v.Currencies, string(c))
	}
	if r.Track == nil {
		return v
	}
	v.Status, v.Reason, v.Currency = "ok", "", string(r.Track.Currency)
	v.Totals = &FinanceTotals{}
	var sum accounts.MonthFlow
	for i := range r.Track.Months {
		m := &r.Track.Months[i]
		v.Months = append(v.Months, viewMonth(m, r.Track.Currency))
		sum.Revenue, sum.Shares, sum.Costs, sum.Capital = sum.Revenue+m.Revenue, sum.Shares+m.Shares, sum.Costs+m.Costs, sum.Capital+m.Capital
		sum.Deeds = sum.Deeds.Add(m.Deeds)
	}
	t := viewMonth(&sum, r.Track.Currency)
	v.Totals = &FinanceTotals{Revenue: t.Revenue, Shares: t.Shares, Costs: t.Costs, Capital: t.Capital, Net: t.Net, Swaps: sum.Swaps}
	const perKWh = 1e6
	if sum.Told == sum.Swaps && sum.Swaps > 0 {
		kWh := float64(sum.HandedMilliW) / perKWh
		v.Totals.HandedKWh = &kWh
	}
	if sum.Metered {
		kWh := float64(sum.DrawnMilliW) / perKWh
		v.Totals.DrawnKWh = &kWh
	}
	v.Returns = viewReturns(r)
	return v
}

func viewMonth(m *accounts.MonthFlow, c money.Currency) FinanceMonth {
	return FinanceMonth{
		Month: m.Month.String(), Provisional: !m.Over, Revenue: minorOf(m.Revenue, c), Shares: minorOf(m.Shares, c), Costs: minorOf(m.Costs, c),
		Capital: minorOf(m.Capital, c), Net: minorOf(m.Operating()+m.Capital, c), Swaps: m.Swaps,
	}
}

func viewReturns(r *fleet.Result) *FinanceReturns {
	x := &r.Returns
	v := &FinanceReturns{
		Invested: x.Invested, NPV: FinanceValue(x.NPV), XIRR: viewRates(x.XIRR), Payback: FinancePayback(x.Payback), Discounted: FinancePayback(x.Discounted),
		ROI: FinanceValue(x.ROI), Annualised: FinanceValue(x.Annualised), PerKWh: FinanceValue(x.PerKWh), PerSwap: FinanceValue(x.PerSwap),
		BreakEven: FinanceValue(x.BreakEven), Volatility: FinanceMeasure(x.Volatility), Sharpe: FinanceMeasure(x.Sharpe), Sortino: FinanceMeasure(x.Sortino),
		Drawdown: FinanceDrawdown{FinanceValue(x.Drawdown.Value), dayText(x.Drawdown.Peak), dayText(x.Drawdown.Trough), dayText(x.Drawdown.Recovered)},
		ByAsset:  partsOf(r.ByAsset), BySite: partsOf(r.BySite), ByPartner: partsOf(r.ByPartner),
	}
	if t := x.TCO; t != nil {
		v.TCO = &FinanceTCO{t.Purchase, t.Operating, t.Recovered, t.Total, FinanceValue(t.PerYear)}
	}
	p := &x.Projection
	v.Projection = FinanceProjection{Status: string(p.Status), Reason: p.Reason, Rests: p.Rests}
	if p.Plan != nil {
		v.Projection.Open, v.Projection.Revenue, v.Projection.Cost = &p.Plan.Investment, &p.Plan.Revenue, &p.Plan.Cost
		v.Projection.Ranges, v.Projection.Spread = p.Ranges, viewSpread(p.Spread)
		v.Projection.Whole = viewOutcome(&p.Whole)
		v.Projection.Base, v.Projection.Low, v.Projection.High = viewOutcome(&p.Forward.Base), viewOutcome(&p.Forward.Low), viewOutcome(&p.Forward.High)
	}
	return v
}

func partsOf(c risk.Concentration) FinanceConcentration {
	v := FinanceConcentration{FinanceValue(c.Value), c.Effective, c.Count, make([]FinancePart, len(c.Largest))}
	for i, p := range c.Largest {
		v.Largest[i] = FinancePart(p)
	}
	return v
}

func viewSpread(s *plans.Simulation) *FinanceSpread {
	if s == nil {
		return nil
	}
	of := func(d plans.Distribution) FinanceDistribution {
		v := FinanceDistribution{d.Count, d.Mean, d.StandardError, make([]FinanceQuantile, len(d.Quantiles))}
		for i, q := range d.Quantiles {
			v.Quantiles[i] = FinanceQuantile(q)
		}
		return v
	}
	return &FinanceSpread{s.Runs, of(s.NPV), of(s.IRR), s.Loss, s.LossStandardError}
}

func dayText(d *daycount.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}
