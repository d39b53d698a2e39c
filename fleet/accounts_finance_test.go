package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// A swap of a battery at a station is one swap, whoever has the two: of an owner who
// has both, and of all owners together.
func TestEachSwapIsCountedOnce(t *testing.T) {
	b := newBooks(t, 1)
	_, err := b.ledger.PutTerm(t.Context(), ledger.PriceTerms, "p", "ann", accounts.Price{
		ID: "p", Use: accounts.PerSwap, From: daycount.Of(2026, 1, 1), Price: "2.00", Currency: "EUR", BatteryPPM: 500_000,
	})
	b.ok(err)
	// acme has s1 and b1, bolt s3 and b2.
	for i, at := range [][2]string{{"s1", "b1"}, {"s1", "b2"}, {"s3", "b1"}, {"s3", "b2"}, {"nobodys", "b1"}, {"s1", "nobodys"}} {
		_, err := b.ledger.AppendEvents(t.Context(), []telemetry.Event{{
			Kind: devices.KindStation, Device: at[0], ID: fmt.Sprint(i), TS: time.Date(2026, 2, 5+i, 12, 0, 0, 0, time.UTC).UnixMilli(), Type: "swap.completed",
			Data: []byte(fmt.Sprintf(`{"battery_out":%q,"energy_wh":%d}`, at[1], 1000)),
		}})
		b.ok(err)
	}
	for _, tt := range []struct {
		question Question
		swaps    int64
		earned   int64
	}{
		{Question{Owners: []string{"acme"}}, 5, 200 + 100 + 100 + 100 + 100},
		{Question{Owners: []string{"bolt"}}, 3, 100 + 100 + 200},
		{Question{}, 6, 1000}, // half of the last two is nobody's
		{Question{Asset: "battery/b1"}, 3, 300},
		{Question{Asset: "station/s1"}, 3, 100 + 100 + 100},
	} {
		r, err := b.accounts(b.ledger).Finance(t.Context(), tt.question)
		b.ok(err)
		var swaps, handed, earned int64
		for _, m := range r.Track.Months {
			swaps, handed, earned = swaps+m.Swaps, handed+m.HandedMilliW, earned+m.Revenue
		}
		if swaps != tt.swaps || handed != tt.swaps*1_000_000 || earned != tt.earned {
			t.Errorf("%+v: got %d swaps of %d mWh for %d, want %d for %d", tt.question, swaps, handed, earned, tt.swaps, tt.earned)
		}
	}
}

// What an owner's battery did at a station that he sold in the month is its buyer's,
// where batteries have no share of a swap.
func TestSwapsOfASoldStation(t *testing.T) {
	b := newBooks(t, 1)
	sold := time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	b.sell("station/s1", sold)
	_, err := b.ledger.PutTerm(t.Context(), ledger.PriceTerms, "p", "ann", accounts.Price{ID: "p", Use: accounts.PerSwap, From: daycount.Of(2026, 1, 1), Price: "2.00", Currency: "EUR"})
	b.ok(err)
	for i, at := range []time.Time{sold.Add(-time.Hour), sold.Add(time.Hour), sold.Add(2 * time.Hour)} {
		_, err := b.ledger.AppendEvents(t.Context(), []telemetry.Event{{
			Kind: devices.KindStation, Device: "s1", ID: fmt.Sprint(i), TS: at.UnixMilli(), Type: "swap.completed", Data: []byte(`{"battery_out":"b1"}`),
		}})
		b.ok(err)
	}
	for owner, want := range map[string]int64{"acme": 1, "bolt": 2, "": 3} {
		q := Question{Owners: []string{owner}}
		if owner == "" {
			q.Owners = nil
		}
		r, err := b.accounts(b.ledger).Finance(t.Context(), q)
		b.ok(err)
		if m := r.Track.Months[0]; m.Swaps != want || m.Revenue != 200*want {
			t.Errorf("%q: got %d swaps for %d, want %d", owner, m.Swaps, m.Revenue, want)
		}
	}
}

// Of a battery whose health tells no high end of its life the projection says what
// it takes for it, and one that may end today has a projection, too.
func TestProjectionByOutlook(t *testing.T) {
	b := newBooks(t, 1)
	entries := []accounts.Entry{{ID: "buy", At: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).UnixMilli(), Kind: statement.CapitalCost, Amount: money.Of(100_000, "EUR"), Asset: "battery/b1"}}
	for m := time.January; m <= time.April; m++ {
		entries = append(entries, accounts.Entry{
			ID: m.String(), At: time.Date(2026, m, 3, 0, 0, 0, 0, time.UTC).UnixMilli(), Kind: statement.Subscription, Amount: money.Of(4000, "EUR"), Asset: "battery/b1",
		})
	}
	_, err := b.ledger.EnterMoney(t.Context(), entries, "ann")
	b.ok(err)
	days := func(v float64) *float64 { return &v }
	for _, tt := range []struct {
		name string
		told battery.Interval
		high float64
		said string
	}{
		{"closed", battery.Interval{Low: days(5 * 365), Median: days(8 * 365), High: days(12 * 365)}, 12, "the life from 5 to 12 years;"},
		{"open", battery.Interval{Low: days(5 * 365), Median: days(8 * 365)}, 30, "the life from 5 to 30 years, the longest that is taken, as no high end is foreseen;"},
		{"may end today", battery.Interval{Low: days(0), Median: days(365), High: days(730)}, 2, "to 2 years;"},
	} {
		err := b.ledger.Commit(t.Context(), ledger.Changes{Job: "battery", Parts: []ledger.Part{ledger.BatteryResults{{Device: "b1", Standing: &dossier.Standing{Device: "b1", ToldDay: telemetry.DayOf(b.now.UnixMilli()) - 1, RULDays: tt.told}}}}})
		b.ok(err)
		r, err := b.accounts(b.ledger).Finance(t.Context(), Question{Asset: "battery/b1", Assumed: accounts.Assumptions{Rate: 0.08, Runs: 100}})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if p := r.Returns.Projection; p.Status != finance.OK || p.Forward.High.Years != tt.high || !strings.Contains(p.Ranges, tt.said) {
			t.Errorf("%s: got %s %s, %v years, %q", tt.name, p.Status, p.Reason, p.Forward.High.Years, p.Ranges)
		}
	}
}

// A party is told the months in which an agreement of it was in force, of several in
// one month but that one; not those in which it was but paid what it was owed.
func TestMonthsOfAPartner(t *testing.T) {
	b := newBooks(t, 1)
	to := daycount.Of(2026, 2, 1)
	agreement := func(id string) waterfall.Agreement {
		return waterfall.Agreement{ID: id, Party: "Operator", Basis: waterfall.ByRevenue, From: daycount.Of(2026, 1, 1), To: &to, Fee: 500, Carry: true}
	}
	_, err := b.ledger.PutTerm(t.Context(), ledger.ContractTerms, "c", "ann", accounts.Contract{
		ID: "c", Owner: "acme", Currency: "EUR", Agreements: []waterfall.Agreement{agreement("a"), agreement("b")},
	})
	b.ok(err)
	var entries []accounts.Entry
	for m, minor := range map[time.Month]int64{time.January: 100, time.February: 300, time.March: 9000} {
		entries = append(entries, accounts.Entry{ID: m.String(), At: time.Date(2026, m, 3, 0, 0, 0, 0, time.UTC).UnixMilli(), Kind: statement.Subscription, Amount: money.Of(minor, "EUR"), Asset: "station/s1"})
	}
	_, err = b.ledger.EnterMoney(t.Context(), entries, "ann")
	b.ok(err)
	got, err := b.accounts(b.ledger).Partners(t.Context(), []string{"acme"})
	b.ok(err)
	month := func(m time.Month) statement.Month { return statement.Month{Year: 2026, Month: m} }
	want := []Partner{{Party: "Operator", Currency: "EUR", Owner: "acme", Paid: money.Of(1000, "EUR"), Owed: money.Zero("EUR"), Months: 1, First: month(1), Last: month(3)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
