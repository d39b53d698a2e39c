package accounts_test

import (
	"math"
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
			Output:    map[string]accounts.Deeds{"station/s": {Swaps: 50, Told: 50, HandedMilliW: 50_000_000}, "station/other": {Swaps: 7}},
		}, time.UTC, func(asset string) bool { return asset == "station/s" })
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
