package accounts_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// yearOf is a year of months that each earn 150.00 by 50 swaps of 1 kWh and cost
// 50.00, 20.00 of it energy, after a purchase of 1000.00 on its first day.
func yearOf(currency money.Currency) accounts.Tracks {
	tracks := accounts.Tracks{}
	for m := time.January; m <= time.December; m++ {
		at := time.Date(2025, m, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		line := func(kind statement.Kind, minor int64) statement.Line {
			a := money.Of(minor, currency)
			return statement.Line{Group: kind.Group(), Kind: kind, Asset: "station/s", Amount: a, Entries: []statement.Entry{{Event: string(kind), At: at, Amount: a}}}
		}
		lines := []statement.Line{line(statement.SwapPrice, 15000), line(statement.EnergyCost, -2000), line(statement.Rent, -3000)}
		if m == time.January {
			lines = append(lines, line(statement.CapitalCost, -100000))
		}
		tracks.Add(&accounts.Statement{
			Statement: statement.Statement{Month: statement.Month{Year: 2025, Month: m}, Sections: []statement.Section{{Currency: currency, Lines: lines}}},
		}, time.UTC, accounts.Deeds{Swaps: 50, Told: 50, HandedMilliW: 50_000_000}, func(asset string) bool { return asset == "station/s" })
	}
	return tracks
}

func TestReturnsByHand(t *testing.T) {
	life := 4.0
	r, err := yearOf("EUR")["EUR"].Worth(accounts.Assumptions{
		Today: daycount.Of(2026, time.January, 1), Life: accounts.LifeLeft{Median: &life}, Capacity: 10, Runs: 100, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, v finance.Value, want float64) {
		t.Helper()
		if got, ok := v.Get(); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %+v, want %v", what, v, want)
		}
	}
	near("present value at nothing", r.NPV, 200)
	near("return on investment", r.ROI, 0.2)
	near("annualised", r.Annualised, 0.2)
	near("cost of a swap", r.PerSwap, 1600.0/600)
	near("cost of a kWh", r.PerKWh, 1600.0/600)
	near("payback", r.Payback.Value, 273.0/365) // with the tenth month, on 2025-10-01
	if r.TCO == nil || math.Abs(r.TCO.Total-1600) > 1e-9 || r.Invested != 1000 {
		t.Errorf("total cost of ownership: got %+v of %v", r.TCO, r.Invested)
	}
	// 30.00 a month of rent and 1000.00 over five years are 12·30/365 + 1000/1825 a
	// day; a swap leaves 3.00 − 0.40.
	near("break even", r.BreakEven, (360.0/365+1000.0/1825)/(10*2.6))
	want, err := finance.XIRR(r.Flows, daycount.Actual365F)
	if err != nil || *r.XIRR.Rate != *want.Rate || len(r.Flows) != 12 {
		t.Errorf("rate: got %+v, want %+v", r.XIRR, want)
	}
	if r.Volatility.Count != 11 || *r.Volatility.Value.Value != 0 || r.Sharpe.Status == finance.OK {
		t.Errorf("eleven equal months: got volatility %+v, Sharpe %+v", r.Volatility, r.Sharpe)
	}
	p := r.Projection
	if p.Status != finance.OK || p.Plan.Investment != 0 || p.Plan.Revenue != 1800 || p.Plan.Cost != 600 || p.Rests != 12 || p.Spread.Runs != 100 {
		t.Errorf("projection: got %+v, %+v", p, p.Plan)
	}
	near("whole life", p.Whole.NPV, 200+4*1200)
	near("its return on investment", p.Whole.ROI, (200+4*1200)/1000.)
}

func TestReturnsThatAreNotKnown(t *testing.T) {
	track := yearOf("JPY")["JPY"]
	if got := track.Months[0].Swaps; got != 50 || len(track.Months) != 12 {
		t.Errorf("got %d swaps in the first of %d months", got, len(track.Months))
	}
	r, err := track.Worth(accounts.Assumptions{Today: daycount.Of(2026, time.January, 1), Life: accounts.LifeLeft{Reason: "ask"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Invested != 100_000 { // yen have no minor unit
		t.Errorf("invested: got %v", r.Invested)
	}
	if r.BreakEven.Status != finance.Insufficient || r.Projection.Status != finance.Insufficient || r.Projection.Reason != "ask" {
		t.Errorf("got %+v, %+v", r.BreakEven, r.Projection)
	}
	none, err := (&accounts.Track{Currency: "EUR"}).Worth(accounts.Assumptions{Rate: 0.1})
	if err != nil || none.NPV.Status != finance.Insufficient || none.ROI.Status != finance.Insufficient || none.XIRR.Rate != nil || none.TCO != nil {
		t.Errorf("of nothing: got %+v, %v", none, err)
	}
}

// A life that was entered is exact. One that is foreseen without a high end lasts
// as long as any is taken to, which the words say: it is less sure than the exact
// one, to its better side above all.
func TestProjectionByLife(t *testing.T) {
	of := func(years ...float64) (l accounts.LifeLeft) {
		for i, into := range []**float64{&l.Median, &l.Low, &l.High} {
			if i < len(years) {
				*into = &years[i]
			}
		}
		return l
	}
	project := func(l accounts.LifeLeft) accounts.Projection {
		t.Helper()
		r, err := yearOf("EUR")["EUR"].Worth(accounts.Assumptions{Today: daycount.Of(2026, time.January, 1), Life: l, Rate: 0.08, Runs: 1000, Seed: 1})
		if err != nil || r.Projection.Status != finance.OK {
			t.Fatalf("got %+v, %v", r.Projection, err)
		}
		return r.Projection
	}
	for _, tt := range []struct {
		name            string
		life            accounts.LifeLeft
		low, base, high float64 // years
		said            string
	}{
		{"entered", of(4), 4, 4, 4, "the life 4 years exactly, as it was entered;"},
		{"foreseen", of(4, 2, 6), 2, 4, 6, "the life from 2 to 6 years;"},
		{"no high end", of(4, 2), 2, 4, 30, "the life from 2 to 30 years, the longest that is taken, as no high end is foreseen;"},
		{"may end today", of(4, 0, 6), 1.0 / 365, 4, 6, "the life from 0.00274 to 6 years;"},
		{"longer than any is taken", of(200, 20, 400), 20, 30, 30, "the life from 20 to 30 years;"},
		{"all beyond that", of(200, 100), 30, 30, 30, "the life from 30 to 30 years, the longest that is taken,"},
	} {
		p := project(tt.life)
		got := [3]float64{p.Forward.Low.Years, p.Forward.Base.Years, p.Forward.High.Years}
		for i, want := range [3]float64{tt.low, tt.base, tt.high} {
			if math.Abs(got[i]-want) > 1e-9 {
				t.Errorf("%s: got %v years, want %v, %v and %v", tt.name, got, tt.low, tt.base, tt.high)
				break
			}
		}
		if !strings.Contains(p.Ranges, tt.said) || p.Plan.Life != p.Forward.Base.Years {
			t.Errorf("%s: got %q and a life of %v, want %q", tt.name, p.Ranges, p.Plan.Life, tt.said)
		}
	}
	breakEven := func(l accounts.LifeLeft) float64 {
		r, err := yearOf("EUR")["EUR"].Worth(accounts.Assumptions{Today: daycount.Of(2026, time.January, 1), Life: l, Capacity: 10})
		if err != nil {
			t.Fatal(err)
		}
		return *r.BreakEven.Value
	}
	if got, want := breakEven(of(200)), breakEven(of(30)); got != want {
		t.Errorf("break even: got %v for a life longer than any is taken, want %v", got, want)
	}
	exact, open := project(of(4)), project(of(4, 2))
	for name, npv := range map[string]func(accounts.Projection) (low, high float64){
		"scenarios": func(p accounts.Projection) (low, high float64) {
			return *p.Forward.Low.NPV.Value, *p.Forward.High.NPV.Value
		},
		"simulation": func(p accounts.Projection) (low, high float64) {
			return p.Spread.NPV.Quantiles[0].Value, p.Spread.NPV.Quantiles[4].Value
		},
	} {
		low, high := npv(open)
		if least, most := npv(exact); low >= least || high < 2*most {
			t.Errorf("%s: got a present value from %v to %v without a high end, from %v to %v exactly", name, low, high, least, most)
		}
	}
}

// Owners' months add up whatever their order and however far apart they are; what
// an owner's assets did counts in the currencies that he has amounts in, alone.
func TestTracksOfSeveralOwners(t *testing.T) {
	month := func(owner string, currency money.Currency, y int, m time.Month, provisional bool) *accounts.Statement {
		a := money.Of(100, currency)
		return &accounts.Statement{Provisional: provisional, Statement: statement.Statement{
			Owner: owner, Month: statement.Month{Year: y, Month: m},
			Sections: []statement.Section{{Currency: currency, Lines: []statement.Line{{Group: statement.Revenue, Kind: statement.SwapPrice, Asset: "station/" + owner, Amount: a}}}},
		}}
	}
	all := []*accounts.Statement{
		month("early", "EUR", 2025, 11, false), month("early", "EUR", 2025, 12, false), month("late", "EUR", 2026, 3, false), month("late", "EUR", 2026, 4, true),
		month("other", "USD", 2025, 10, false), month("other", "USD", 2026, 3, false),
	}
	orders := [][]int{{0, 1, 2, 3, 4, 5}, {4, 5, 2, 3, 0, 1}, {2, 3, 4, 5, 0, 1}}
	for _, order := range orders {
		tracks := accounts.Tracks{}
		for _, k := range order {
			tracks.Add(all[k], time.UTC, accounts.Deeds{Swaps: 1}, func(string) bool { return true })
		}
		for currency, want := range map[money.Currency]string{
			"EUR": "2025-11:100/1 2025-12:100/1 2026-01:0/0 2026-02:0/0 2026-03:100/1 2026-04:100/1?",
			"USD": "2025-10:100/1 2025-11:0/0 2025-12:0/0 2026-01:0/0 2026-02:0/0 2026-03:100/1",
		} {
			var got []string
			for _, m := range tracks[currency].Months {
				text := fmt.Sprintf("%s:%d/%d", m.Month, m.Revenue, m.Swaps)
				if !m.Over {
					text += "?"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%v, %s: got %s, want %s", order, currency, got, want)
			}
		}
	}
}

// lines are the entries of a month, by kind.
type lines map[statement.Kind][]onDay

type onDay struct {
	day   int
	minor int64
}

// worth is what the lines of months from January 2025 are worth in July 2026. There
// are 100 swaps in each.
func worth(t *testing.T, months ...lines) accounts.Returns {
	t.Helper()
	tracks := accounts.Tracks{}
	for i, of := range months {
		first := time.Date(2025, time.January+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		s := &accounts.Statement{Statement: statement.Statement{Month: statement.Month{Year: first.Year(), Month: first.Month()}, Sections: []statement.Section{{Currency: "EUR"}}}}
		for kind, entries := range of {
			l := statement.Line{Group: kind.Group(), Kind: kind, Asset: "station/s", Amount: money.Zero("EUR")}
			for _, e := range entries {
				l.Amount.Minor += e.minor
				l.Entries = append(l.Entries, statement.Entry{At: first.AddDate(0, 0, e.day-1).UnixMilli(), Amount: money.Of(e.minor, "EUR")})
			}
			s.Sections[0].Lines = append(s.Sections[0].Lines, l)
		}
		tracks.Add(s, time.UTC, accounts.Deeds{Swaps: 100, Told: 100}, func(string) bool { return true })
	}
	life := 4.0
	r, err := tracks["EUR"].Worth(accounts.Assumptions{Today: daycount.Of(2026, time.July, 1), Rate: 0.08, Life: accounts.LifeLeft{Median: &life}, Capacity: 10})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was entered as bought on a wrong day, and taken back, is not when the
// investment began, whenever it was taken back before that.
func TestPurchaseTakenBack(t *testing.T) {
	months := func(wrong ...onDay) []lines {
		out := []lines{{statement.Rent: {{3, -1}}, statement.CapitalCost: wrong}, {}, {}, {statement.CapitalCost: {{1, -100000}}}}
		for range 8 {
			out = append(out, lines{statement.SwapPrice: {{1, 20000}}})
		}
		return out
	}
	got, later, want := worth(t, months(onDay{1, -70000}, onDay{1, 70000})...), worth(t, months(onDay{1, -100000}, onDay{20, 100000})...), worth(t, months()...)
	for name, v := range map[string][2]finance.Value{
		"npv": {got.NPV, want.NPV}, "annualised": {got.Annualised, want.Annualised}, "payback": {got.Payback.Value, want.Payback.Value},
		"tco a year": {got.TCO.PerYear, want.TCO.PerYear}, "break even": {got.BreakEven, want.BreakEven},
		"annualised, later": {later.Annualised, want.Annualised}, "tco a year, later": {later.TCO.PerYear, want.TCO.PerYear},
		"break even, later": {later.BreakEven, want.BreakEven},
	} {
		if a, ok := v[0].Get(); !ok || a != *v[1].Value {
			t.Errorf("%s: got %+v, want %v", name, v[0], *v[1].Value)
		}
	}
}

// What is bought and sold later counts by its own year since the first purchase.
func TestOwnershipOfLaterPurchases(t *testing.T) {
	months := make([]lines, 37)
	months[0] = lines{statement.CapitalCost: {{5, -100000}}}
	months[11] = lines{statement.ResidualValue: {{5, 50000}}}
	months[36] = lines{statement.CapitalCost: {{5, -100000}}, statement.Rent: {{5, -100}}}
	tco := worth(t, months...).TCO
	for name, v := range map[string][2]float64{
		"purchase":  {tco.Purchase, 1000 + 1000/(1.08*1.08*1.08)},
		"operating": {tco.Operating, 1 / math.Pow(1.08, 4)},
		"recovered": {tco.Recovered, 500 / 1.08},
		"total":     {tco.Total, tco.Purchase + tco.Operating - tco.Recovered},
	} {
		if math.Abs(v[0]-v[1]) > 1e-9 {
			t.Errorf("%s: got %v, want %v", name, v[0], v[1])
		}
	}
}

// What comes in on the day of the purchase may be as much as was paid.
func TestPurchaseThatIsPaidBackAtOnce(t *testing.T) {
	r := worth(t, lines{statement.CapitalCost: {{1, -100}}, statement.Subscription: {{1, 100}}}, lines{statement.Rent: {}}, lines{}, lines{})
	if v, ok := r.ROI.Get(); len(r.Flows) > 0 || !ok || v != 0 || r.NPV.Status != finance.Insufficient {
		t.Errorf("got %v of %+v, %+v", r.ROI, r.Flows, r.NPV)
	}
	if p := r.Projection; p.Status != finance.OK || p.Whole.Years != 4 {
		t.Errorf("got %+v", p)
	}
}

// A swap bears its part of what parties get, not that of a subscription; and where it
// brings nothing, as after refunds, no use is enough.
func TestBreakEvenBySwapsAlone(t *testing.T) {
	near := func(name string, months []lines, want float64) {
		t.Helper()
		if got, ok := worth(t, months...).BreakEven.Get(); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	// 31 days of rent at 10.00 a day, by 10 swaps a day at 4.00 less a quarter.
	alone := lines{statement.SwapPrice: {{1, 40000}}, statement.Rent: {{1, -31000}}, statement.RevenueShare: {{1, -10000}}}
	near("swaps", []lines{alone}, 10./(10*3))
	near("and a subscription", []lines{{
		statement.SwapPrice: {{1, 40000}}, statement.Rent: {{1, -31000}}, statement.Subscription: {{1, 400000}}, statement.RevenueShare: {{1, -110000}},
	}}, 10./(10*3))
	for name, of := range map[string]lines{
		"refunds":              {statement.SwapPrice: {{1, -100}}, statement.Rent: {{1, -31000}}},
		"refunds, and a share": {statement.SwapPrice: {{1, -100}}, statement.Subscription: {{1, 50}}, statement.Rent: {{1, -31000}}, statement.RevenueShare: {{1, -10}}},
	} {
		if got := worth(t, of).BreakEven; got.Status != finance.None {
			t.Errorf("%s: got %+v, want none", name, got)
		}
	}
	near("energy is paid for", []lines{{statement.SwapPrice: {{1, 20000}}, statement.EnergyCost: {{1, 10000}}, statement.Rent: {{1, -31000}}}}, 10./(10*3))
}

// The first month's loss is a fall, too. What has lost everything has no index.
func TestDrawdownFromTheFirstMonth(t *testing.T) {
	bought := lines{statement.CapitalCost: {{1, -100000}}}
	earn := func(minor int64) lines { return lines{statement.OtherCost: {{1, minor}}} }
	d := worth(t, bought, earn(-10000), earn(5000), earn(20000)).Drawdown
	if v, ok := d.Get(); !ok || math.Abs(v-0.1) > 1e-12 || *d.Peak != daycount.Of(2025, time.February, 1) || *d.Trough != daycount.Of(2025, time.March, 1) || *d.Recovered != daycount.Of(2025, time.May, 1) {
		t.Errorf("got %+v", d)
	}
	for name, months := range map[string][]lines{
		"all of it":  {bought, earn(-100000), earn(1000)},
		"more twice": {bought, earn(1000), earn(-300000), earn(-300000)},
	} {
		if got := worth(t, months...).Drawdown; got.Status != finance.None || got.Reason == "" || got.Peak != nil {
			t.Errorf("%s: got %+v, want none", name, got)
		}
	}
}
