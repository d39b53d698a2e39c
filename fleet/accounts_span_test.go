package fleet

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// swapAt is a swap of a battery at a station, as the job of swaps has counted it.
func (b *books) swapAt(at time.Time, id, pack string) {
	b.t.Helper()
	_, err := b.ledger.AppendEvents(b.t.Context(), []telemetry.Event{{
		Kind: devices.KindStation, Device: id, ID: fmt.Sprint(pack, at), TS: at.UnixMilli(), Type: SwapCompleted, Data: fmt.Appendf(nil, `{"battery_out":%q}`, pack),
	}})
	b.ok(err)
	b.ok(b.ledger.Commit(b.t.Context(), ledger.Changes{Parts: []ledger.Part{
		ledger.StationSwaps{Station: id, Day: telemetry.DayOf(at.UnixMilli()), Batteries: map[string]dossier.Swaps{pack: {Out: 1}}},
	}}))
}

// put enters a price that holds from the beginning of 2026.
func (b *books) put(p accounts.Price) {
	b.t.Helper()
	p.From = daycount.Of(2026, 1, 1)
	_, err := b.ledger.PutTerm(b.t.Context(), ledger.PriceTerms, p.ID, "ann", p)
	b.ok(err)
}

func (b *books) book(at time.Time, kind statement.Kind, amount money.Amount, asset string) {
	b.t.Helper()
	_, err := b.ledger.EnterMoney(b.t.Context(), []accounts.Entry{{ID: fmt.Sprint(at, kind, asset), At: at.UnixMilli(), Kind: kind, Amount: amount, Asset: asset}}, "ann")
	b.ok(err)
}

func noon(m time.Month, day int) time.Time { return time.Date(2026, m, day, 12, 0, 0, 0, time.UTC) }

// monthsOf are an owner's, ascending, and what they earn and cost by Finance.
func (b *books) monthsOf(owner string) (months []string, revenue, costs int64) {
	b.t.Helper()
	found, err := b.accounts(b.ledger).Months(b.t.Context(), owner)
	b.ok(err)
	for _, m := range slices.Backward(found) {
		months = append(months, m.Month.String())
	}
	r, err := b.accounts(b.ledger).Finance(b.t.Context(), Question{Owners: []string{owner}})
	b.ok(err)
	for _, m := range r.Track.Months {
		revenue, costs = revenue+m.Revenue, costs+m.Costs
	}
	return months, revenue, costs
}

// Months in which a battery alone earns, at the stations of others, are the owner's
// months, from when on the battery is his.
func TestMonthsOfBatteries(t *testing.T) {
	b := newBooks(t, 1)
	b.estate.owned = []statement.Ownership{
		{Asset: "station/s1", Owner: "acme", To: statement.Forever}, {Asset: "battery/b2", Owner: "bolt", From: noon(1, 20).UnixMilli(), To: statement.Forever},
	}
	for m := time.January; m <= time.April; m++ {
		b.swapAt(noon(m, 10), "s1", "b2")
	}
	b.put(accounts.Price{ID: "p", Use: accounts.PerSwap, Price: "2.00", Currency: "EUR"})
	if months, err := b.accounts(b.ledger).Months(t.Context(), "bolt"); err != nil || months != nil {
		t.Errorf("batteries without a share: got %v, %v", months, err)
	}
	b.put(accounts.Price{ID: "p", Use: accounts.PerSwap, Price: "2.00", Currency: "EUR", BatteryPPM: 500_000})
	months, revenue, _ := b.monthsOf("bolt")
	if want := []string{"2026-02", "2026-03", "2026-04"}; !slices.Equal(months, want) || revenue != 300 {
		t.Errorf("got %v with %d, want %v with 300", months, revenue, want)
	}
	whole, err := b.accounts(b.ledger).Finance(t.Context(), Question{})
	b.ok(err)
	var sum int64
	for _, m := range whole.Track.Months {
		sum += m.Revenue
	}
	if sum != 4*100+300 { // half of January's is nobody's
		t.Errorf("the fleet earned %d, want 700", sum)
	}
}

// Months in which a station but draws energy that is priced are months of its
// owner, and can be closed.
func TestMonthsOfEnergy(t *testing.T) {
	b := newBooks(t, 1)
	for m := time.January; m <= time.April; m++ {
		b.draw("s1", noon(m, 10), station.Meter{MilliWh: 100_000_000, KnownMS: telemetry.Day}, nil)
	}
	b.draw("s1", noon(1, 1).AddDate(0, 0, -1), station.Meter{MilliWh: 100_000_000, KnownMS: telemetry.Day}, nil) // before the price
	b.draw("s3", noon(3, 1), station.Meter{MilliWh: 1, KnownMS: 1}, nil)                                         // bolt's
	b.swapAt(noon(2, 10), "s1", "b1")
	months := func() []string {
		got, _, _ := b.monthsOf("acme")
		return got
	}
	b.put(accounts.Price{ID: "p", Use: accounts.PerSwap, Price: "2.00", Currency: "EUR"})
	if got := months(); !slices.Equal(got, []string{"2026-02"}) {
		t.Errorf("without a price of energy: got %v", got)
	}
	b.put(accounts.Price{ID: "of bolt", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Owner: "bolt"})
	b.put(accounts.Price{ID: "of another station", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Station: "s3"})
	b.put(accounts.Price{ID: "of another site", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Site: "elsewhere"})
	if got := months(); !slices.Equal(got, []string{"2026-02"}) {
		t.Errorf("with prices that do not hold: got %v", got)
	}
	b.put(accounts.Price{ID: "grid", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR"})
	got, _, costs := b.monthsOf("acme")
	if want := []string{"2026-01", "2026-02", "2026-03", "2026-04"}; !slices.Equal(got, want) || costs != -4*3000 {
		t.Errorf("got %v with costs of %d, want %v with -12000", got, costs, want)
	}
	if _, err := b.accounts(b.ledger).CloseStatement(t.Context(), "acme", statement.Month{Year: 2026, Month: 1}, "ann"); err != nil {
		t.Errorf("close January: %v", err)
	}
}

// Hours divide what a day drew, which has no spikes of the register; a price by the
// hour changes nothing where it does not hold.
func TestEnergyByTheHour(t *testing.T) {
	b := newBooks(t, 1)
	hours := map[int]int64{}
	for h := range 24 { // 4 kWh, 8 from 18:00 on, and a spike at noon
		hours[h] = int64(4_000_000 * (1 + h/18))
	}
	hours[12] = 899_000_000_000
	b.draw("s1", noon(2, 9), station.Meter{MilliWh: 120_000_000, KnownMS: telemetry.Day}, hours)
	costs := func() (minor, mwh int64) {
		t.Helper()
		s, err := b.accounts(b.ledger).Statement(t.Context(), "acme", statement.Month{Year: 2026, Month: 2}, false)
		b.ok(err)
		return s.Sections[0].Totals.Costs.Minor, s.Own.DrawnMilliW
	}
	b.put(accounts.Price{ID: "acme", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Owner: "acme"})
	if minor, mwh := costs(); minor != -3600 || mwh != 120_000_000 {
		t.Errorf("got %d for %d mWh, want -3600 for 120 kWh", minor, mwh)
	}
	_, err := b.accounts(b.ledger).CloseStatement(t.Context(), "acme", statement.Month{Year: 2026, Month: 2}, "ann")
	b.ok(err)
	corrections := func() []accounts.Correction {
		t.Helper()
		s, err := b.accounts(b.ledger).Statement(t.Context(), "acme", statement.Month{Year: 2026, Month: 3}, false)
		b.ok(err)
		return s.Corrections
	}
	night := []accounts.HourPrice{{From: 22, To: 24, Price: "0.10"}, {From: 0, To: 6, Price: "0.10"}}
	b.put(accounts.Price{ID: "bolt", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Owner: "bolt", Hours: night})
	if got := corrections(); len(got) != 0 {
		t.Errorf("with the hourly price of another: got corrections %+v", got)
	}
	b.put(accounts.Price{ID: "acme", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR", Owner: "acme", Hours: night})
	if got := corrections(); len(got) != 1 || got[0].Minor != (6*4+2*8)*20 { // of which a kWh is 0.20 cheaper
		t.Errorf("with an hourly price: got corrections %+v, want 8.00", got)
	}
}

// Swaps are not set against amounts where they may be another currency's.
func TestUnitCostsInTwoCurrencies(t *testing.T) {
	b := newBooks(t, 1)
	for i, currency := range []money.Currency{"EUR", "USD"} {
		id := fmt.Sprint("s", i+1)
		b.put(accounts.Price{ID: id, Use: accounts.PerSwap, Price: "4.00", Currency: currency, Station: id})
		b.book(noon(1, 5), statement.Rent, money.Of(1000, currency), "station/"+id)
		for day := range 10 + 10*i {
			b.swapAt(noon(1, 6+day), id, "b1")
		}
	}
	for _, tt := range []struct {
		name string
		q    Question
		want float64 // NaN: not told
	}{
		{"of the owner", Question{Owners: []string{"acme"}, Currency: "EUR"}, math.NaN()},
		{"of everybody", Question{Currency: "USD"}, math.NaN()},
		{"of a station", Question{Asset: "station/s1"}, 1},
		{"of the other", Question{Asset: "station/s2"}, 0.5},
	} {
		tt.q.Assumed.Capacity = 10
		r, err := b.accounts(b.ledger).Finance(t.Context(), tt.q)
		b.ok(err)
		got, known := r.Returns.PerSwap.Get()
		if even, ok := r.Returns.BreakEven.Get(); known == math.IsNaN(tt.want) || ok != known || known && math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: got %v a swap, break-even %v (%s), want %v", tt.name, got, even, r.Returns.BreakEven.Reason, tt.want)
		}
		if !known && (r.Returns.PerKWh.Status != finance.Insufficient || r.Returns.BreakEven.Status != finance.Insufficient) {
			t.Errorf("%s: got %+v a kWh and break-even %+v, want too little", tt.name, r.Returns.PerKWh, r.Returns.BreakEven)
		}
	}
	mixed, err := b.accounts(b.ledger).Finance(t.Context(), Question{Assumed: accounts.Assumptions{Rate: 0.08}})
	if !errors.Is(err, ErrMixed) || mixed.Assumed.Rate != 0.08 || mixed.Assumed.Today == 0 {
		t.Errorf("without a currency: got %v under %+v", err, mixed.Assumed)
	}
}

// A station that was sold is one peer, by the record of who has it now.
func TestExpansionBySoldStation(t *testing.T) {
	b := newBooks(t, 1)
	b.now = time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
	b.sell("station/s2", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	b.put(accounts.Price{ID: "swap", Use: accounts.PerSwap, Price: "1.00", Currency: "EUR"})
	b.put(accounts.Price{ID: "grid", Use: accounts.PerDrawn, Price: "0.30", Currency: "EUR"})
	for at, minor := range map[time.Time]int64{noon(1, 1): 100_000, noon(7, 2): 40_000} {
		b.book(at, statement.CapitalCost, money.Of(minor, "EUR"), "station/s2")
	}
	for m := time.January; m <= time.November; m++ {
		b.book(noon(m, 5), statement.Subscription, money.Of(10_000, "EUR"), "station/s2")
		b.book(noon(m, 5), statement.Subscription, money.Of(10_000, "EUR"), "station/s1")
	}
	b.book(noon(1, 2), statement.CapitalCost, money.Of(100_000, "EUR"), "station/s1")
	lat, lon := 52.0, 13.0
	site := devices.Site{ID: "yard", OwnerID: "acme", Latitude: &lat, Longitude: &lon}
	x, err := b.accounts(b.ledger).Expand(t.Context(), []string{"acme", "bolt"}, site, map[string]devices.Site{"yard": site})
	b.ok(err)
	got := map[string]float64{}
	for _, p := range x.Peers {
		got[p.ID] += p.Return
	}
	// 1200 a year of 1000, and of 400 from July on
	if len(x.Peers) != 2 || x.Count != 2 || math.Abs(got["s1"]-1.2) > 1e-9 || math.Abs(got["s2"]-3) > 1e-9 || x.Left != 1 {
		t.Errorf("got peers %v, %d left, want s1 at 1.2 and s2 at 3, and s3 left", x.Peers, x.Left)
	}
}

// What was left of a battery's life when its health was told has passed in part.
func TestLifeSinceItWasTold(t *testing.T) {
	b := newBooks(t, 1)
	b.book(noon(1, 5), statement.CapitalCost, money.Of(1000, "EUR"), "battery/b1")
	days := func(v float64) *float64 { return &v }
	for _, tt := range []struct {
		name   string
		ago    int64 // days since the end of the day as of which it was told
		median float64
	}{{"now", 0, 2}, {"a year ago", 365, 1}, {"long ago", 3650, 0}} {
		b.now = time.Date(2026, 4, 20, 0, 0, 0, 0, time.UTC)
		b.ok(b.ledger.Commit(t.Context(), ledger.Changes{Job: "battery", Parts: []ledger.Part{ledger.BatteryResults{{Device: "b1", Standing: &dossier.Standing{
			Device: "b1", ToldDay: telemetry.DayOf(b.now.UnixMilli()) - tt.ago - 1, RULDays: battery.Interval{Low: days(365), Median: days(730)},
		}}}}}))
		r, err := b.accounts(b.ledger).Finance(t.Context(), Question{Asset: "battery/b1"})
		b.ok(err)
		if l := r.Assumed.Life; l.Median == nil || math.Abs(*l.Median-tt.median) > 1e-9 || *l.Low != max(0, tt.median-1) || l.High != nil {
			t.Errorf("%s: got %v to %v years, want a median of %v", tt.name, *l.Low, *l.Median, tt.median)
		}
	}
}
