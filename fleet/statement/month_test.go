package statement

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

var march = Month{2026, time.March}

func berlin(t testing.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zones here: %v", err)
	}
	return l
}

// fleet is a simulated month: 60 batteries, of which ten are sold on the 15th, 4
// stations, 9 000 swaps, subscriptions over the batteries that were had, energy by
// tariff, upkeep; and events of the days before and behind.
func fleet(zone *time.Location) Book {
	r := rand.New(rand.NewPCG(3, 26))
	from, to := march.Bounds(zone)
	const day = 86_400_000
	b := Book{Zone: zone}
	var batteries []string
	sold := time.Date(2026, 3, 15, 12, 0, 0, 0, zone).UnixMilli()
	for i := range 60 {
		id := fmt.Sprintf("bat-%02d", i)
		batteries = append(batteries, id)
		owner := []string{"alpha", "beta", "gamma"}[i%3]
		if i < 10 {
			b.Owned = append(b.Owned, Ownership{id, owner, 0, sold}, Ownership{id, "delta", sold, Forever})
		} else {
			b.Owned = append(b.Owned, Ownership{id, owner, 0, Forever})
		}
	}
	for i := range 4 {
		b.Owned = append(b.Owned, Ownership{fmt.Sprintf("st-%d", i), "alpha", 0, Forever})
	}
	add := func(kind Kind, at int64, minor int64, asset string) {
		b.Events = append(b.Events, Event{ID: fmt.Sprintf("e%05d", len(b.Events)), At: at, Kind: kind, Amount: money.Of(minor, "EUR"), Asset: asset})
	}
	tariff := money.Price{PerUnit: money.Ratio{Num: 2137, Den: 10_000}, Currency: "EUR"}
	for range 9000 {
		at := from - 2*day + r.Int64N(to-from+4*day)
		asset := batteries[r.IntN(len(batteries))]
		add(SwapPrice, at, 199+r.Int64N(300), asset)
		b.Events[len(b.Events)-1].Swaps = 1
		cost, err := tariff.Of(money.Ratio{Num: r.Int64N(2500), Den: 1000})
		if err != nil {
			panic(err)
		}
		add(EnergyCost, at+1000, cost.Minor, asset)
		if r.IntN(200) == 0 {
			add(SwapPrice, at+5000, -199, asset)
		}
	}
	for range 300 {
		among := []Portion{}
		for range 1 + r.IntN(5) {
			among = append(among, Portion{batteries[r.IntN(len(batteries))], 1 + r.Int64N(40)})
		}
		add(Subscription, from+r.Int64N(to-from), 2999, "")
		b.Events[len(b.Events)-1].Among = among
	}
	for i := range 4 {
		add(Rent, from, 450_00, fmt.Sprintf("st-%d", i)) // at the first instant
		add(Rent, to, 450_00, fmt.Sprintf("st-%d", i))   // the next month's
		add(Maintenance, from+r.Int64N(to-from), 80_00+r.Int64N(10_000), fmt.Sprintf("st-%d", i))
	}
	add(Insurance, from+day, 123_45, "")
	b.Events[len(b.Events)-1].Owner = "beta"
	add(CarbonCredits, from+3*day, 77_77, "st-1")
	add(CapitalCost, sold, 9_000_00, "bat-05")
	add(ResidualValue, sold+day, 310_00, "bat-40")
	add(Recycling, sold+day, 12_50, "bat-40")
	return b
}

// The independent sum: every raw event, one by one, by a search through the list
// of ownerships; months by the local clock's own words.
func independent(t *testing.T, b Book, owner string, want ...Kind) int64 {
	t.Helper()
	var sum int64
	for _, e := range b.Events {
		if time.UnixMilli(e.At).In(b.Zone).Format("2006-01") != "2026-03" {
			continue
		}
		listed := len(want) == 0
		for _, k := range want {
			listed = listed || k == e.Kind
		}
		if !listed {
			continue
		}
		sign := int64(1)
		switch e.Kind {
		case EnergyCost, Maintenance, Rent, Insurance, OtherCost, CapitalCost:
			sign = -1
		}
		mine := func(asset string) bool {
			for _, o := range b.Owned {
				if o.Asset == asset && o.From <= e.At && e.At < o.To {
					return o.Owner == owner
				}
			}
			return false
		}
		switch {
		case e.Owner != "":
			if e.Owner == owner {
				sum += sign * e.Amount.Minor
			}
		case e.Asset != "":
			if mine(e.Asset) {
				sum += sign * e.Amount.Minor
			}
		default:
			// Hamilton's shares by hand, for amounts above 0.
			var total, given int64
			for _, p := range e.Among {
				total += p.Weight
			}
			parts := make([]int64, len(e.Among))
			rests := make([]int64, len(e.Among))
			for i, p := range e.Among {
				parts[i], rests[i] = e.Amount.Minor*p.Weight/total, e.Amount.Minor*p.Weight%total
				given += parts[i]
			}
			for ; given < e.Amount.Minor; given++ {
				best := 0
				for i := range rests {
					if rests[i] > rests[best] {
						best = i
					}
				}
				parts[best]++
				rests[best] = -1
			}
			for i, p := range e.Among {
				if mine(p.Asset) {
					sum += sign * parts[i]
				}
			}
		}
	}
	return sum
}

func TestSimulatedMonth(t *testing.T) {
	b := fleet(berlin(t))
	var pool []string
	for i := range 60 {
		pool = append(pool, fmt.Sprintf("bat-%02d", i))
	}
	begin := daycount.Of(2025, 1, 1)
	b.Contracts = []Contract{{ID: "site", Owner: "alpha", Currency: "EUR", Assets: pool, Agreements: []waterfall.Agreement{
		{ID: "host", Party: "landlord", From: begin, Priority: 1, Basis: waterfall.ByRevenue, Minimum: 200_00,
			Tiers: []waterfall.Tier{{Above: 0, Share: 80_000}, {Above: 5_000_00, Share: 120_000}}},
		{ID: "operator", Party: "operator", From: begin, Priority: 2, Basis: waterfall.ByRevenue, Fee: 99_00},
	}}}
	got, err := Build(b, march)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Statements) != 4 || len(got.Unowned) != 0 {
		t.Fatalf("%d statements, %d unowned", len(got.Statements), len(got.Unowned))
	}
	for _, s := range got.Statements {
		if len(s.Sections) != 1 {
			t.Fatalf("%s has %d sections", s.Owner, len(s.Sections))
		}
		section := s.Sections[0]
		want := independent(t, b, s.Owner)
		revenue := independent(t, b, s.Owner, SwapPrice, Subscription, EnergySavings, CarbonCredits)
		shared := int64(0)
		if s.Owner == "alpha" {
			// 8 % up to 5000.00, 12 % above, each rounded; and the operator's fee.
			r := independent(t, b, s.Owner, SwapPrice, Subscription)
			shared = (min(r, 5_000_00)*8+50)/100 + (max(0, r-5_000_00)*12+50)/100 + 99_00
			t.Logf("alpha's pool of %d has %d for its agreements", r, shared)
		}
		if got := section.Totals.Net.Minor; got != want-shared {
			t.Errorf("%s: net %d, want %d", s.Owner, got, want-shared)
		}
		if got := section.Totals.Revenue.Minor; got != revenue {
			t.Errorf("%s: revenue %d, want %d", s.Owner, got, revenue)
		}
		if got := section.Totals.Shares.Minor; got != -shared {
			t.Errorf("%s: revenue shares %d, want %d", s.Owner, got, -shared)
		}
		adds(t, section)
		t.Logf("%s: net %v, of %d lines", s.Owner, section.Totals.Net, len(section.Lines))
	}
	landlord := got.Receipts("landlord")
	if len(landlord) != 1 || landlord[0].Owner != "alpha" || landlord[0].Paid <= 0 {
		t.Errorf("the landlord got %+v", landlord)
	}
	if d := cmp.Diff([]Receipt{}, got.Receipts("nobody")); d != "" {
		t.Error(d)
	}
}

// adds checks that a section's lines are the sums of their entries, and its totals
// and those of its assets the sums of its lines.
func adds(t interface {
	Helper()
	Errorf(string, ...any)
}, s Section) {
	t.Helper()
	var net int64
	assets := map[string]int64{}
	for _, l := range s.Lines {
		var sum int64
		for _, e := range l.Entries {
			sum += e.Amount.Minor
		}
		if sum != l.Amount.Minor || l.Amount.Currency != s.Currency {
			t.Errorf("line %s %s: %v of entries of %d", l.Kind, l.Asset, l.Amount, sum)
		}
		net += sum
		assets[l.Asset] += sum
	}
	x := s.Totals
	if x.Net.Minor != net || x.Operating.Minor+x.Capital.Minor != net || x.Revenue.Minor+x.Shares.Minor+x.Costs.Minor != x.Operating.Minor {
		t.Errorf("totals %+v of lines of %d", x, net)
	}
	for _, a := range s.Assets {
		if a.Net.Minor != assets[a.Asset] {
			t.Errorf("asset %q: %v of lines of %d", a.Asset, a.Net, assets[a.Asset])
		}
	}
	if len(s.Assets) != len(assets) {
		t.Errorf("%d assets, lines of %d", len(s.Assets), len(assets))
	}
}
