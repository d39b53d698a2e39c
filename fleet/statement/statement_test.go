package statement

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

func event(id string, at int64, kind Kind, minor int64, asset string) Event {
	return Event{ID: id, At: at, Kind: kind, Amount: money.Of(minor, "EUR"), Asset: asset}
}

// What happens at the instant of the sale is the new owner's; a gap is nobody's.
func TestSaleDividesTheMonth(t *testing.T) {
	from, to := march.Bounds(time.UTC)
	sale := from + 1000
	b := Book{
		Zone: time.UTC,
		Owned: []Ownership{
			{"b1", "old", 0, sale}, {"b1", "new", sale, sale + 500}, {"b1", "newest", sale + 600, Forever},
		},
		Events: []Event{
			event("a", sale-1, SwapPrice, 100, "b1"), event("b", sale, SwapPrice, 200, "b1"), event("c", sale+500, SwapPrice, 400, "b1"),
			event("d", sale+599, EnergyCost, 7, "b1"), event("e", sale+600, SwapPrice, 800, "b1"), event("f", to, SwapPrice, 1600, "b1"),
			event("g", from-1, SwapPrice, 3200, "b1"), event("h", sale, SwapPrice, 5, "b2"), event("a", sale-1, SwapPrice, 100, "b1"),
		},
	}
	got, err := Build(b, march)
	if err != nil {
		t.Fatal(err)
	}
	net := map[string]int64{}
	for _, s := range got.Statements {
		net[s.Owner] = s.Sections[0].Totals.Net.Minor
	}
	if d := cmp.Diff(map[string]int64{"old": 100, "new": 200, "newest": 800}, net); d != "" {
		t.Error(d)
	}
	var nobody []string
	for _, u := range got.Unowned {
		nobody = append(nobody, fmt.Sprint(u.Event, u.Amount.Minor))
	}
	if d := cmp.Diff([]string{"h5", "c400", "d-7"}, nobody); d != "" {
		t.Error(d)
	}
}

// An event of an asset that names its owner is his, whoever has the asset then, and
// his contract shares it.
func TestEventThatNamesItsOwner(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	e := event("a", from, SwapPrice, 1000, "b1")
	e.Owner = "old"
	got, err := Build(Book{
		Zone: time.UTC, Owned: []Ownership{{"b1", "old", 0, from}, {"b1", "new", from, Forever}}, Events: []Event{e},
		Contracts: []Contract{{ID: "c", Owner: "old", Currency: "EUR", Assets: []string{"b1"}, Agreements: []waterfall.Agreement{{
			ID: "h", Party: "Host", Basis: waterfall.ByRevenue, From: 0, Tiers: []waterfall.Tier{{Share: 100_000}},
		}}}},
	}, march)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := got.Of("old")
	if len(s.Sections) != 1 || s.Sections[0].Totals.Revenue.Minor != 1000 || s.Sections[0].Totals.Shares.Minor != -100 || len(got.Unowned) > 0 {
		t.Errorf("got %+v, %+v", s, got.Unowned)
	}
}

// A month's first and last hours are those of the zone.
func TestMonthsAreLocal(t *testing.T) {
	zone := berlin(t)
	at := time.Date(2026, 2, 28, 23, 30, 0, 0, time.UTC).UnixMilli() // 00:30 on 1 March in Berlin
	b := Book{Zone: zone, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: []Event{event("a", at, SwapPrice, 1, "b")}}
	for m, want := range map[string]int{"2026-02": 0, "2026-03": 1} {
		month, err := ParseMonth(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Build(b, month)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := got.Of("o")
		if !ok || len(s.Sections) != want {
			t.Errorf("%s: %d sections, want %d", m, len(s.Sections), want)
		}
	}
	from, to := march.Bounds(zone)
	if hours := (to - from) / 3_600_000; hours != 31*24-1 {
		t.Errorf("March 2026 has %d hours in Berlin, want 743", hours)
	}
}

func TestRefunds(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	const day = 86_400_000
	host := waterfall.Agreement{ID: "host", Party: "h", Basis: waterfall.ByRevenue, Tiers: []waterfall.Tier{{Share: 500_000}}, Minimum: 10, Carry: true}
	for _, c := range []struct {
		name   string
		events []Event
		shared int64
		owed   int64
	}{
		{"later", []Event{event("a", from, SwapPrice, 1000, "b"), event("r", from+day, SwapPrice, -400, "b")}, -300, 0},
		{"before", []Event{event("r", from, SwapPrice, -400, "b"), event("a", from+day, SwapPrice, 1000, "b")}, -300, 0},
		{"more than all", []Event{event("r", from, SwapPrice, -1400, "b"), event("a", from+day, SwapPrice, 1000, "b")}, 0, 10},
		{"nothing", nil, 0, 10},
	} {
		got, err := Build(Book{
			Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: c.events,
			Contracts: []Contract{{ID: "c", Owner: "o", Currency: "EUR", Assets: []string{"b"}, Agreements: []waterfall.Agreement{host}}},
		}, march)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		s, _ := got.Of("o")
		if len(s.Sections) != 1 || s.Sections[0].Totals.Shares.Minor != c.shared || got.Settlements[0].Rows[0].Owed != c.owed {
			t.Errorf("%s: got %+v", c.name, s)
		}
	}
}

func TestRefused(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	good := event("a", from, SwapPrice, 1, "b")
	with := func(change func(*Event)) Book {
		e := good
		change(&e)
		return Book{Zone: time.UTC, Events: []Event{good, e}}
	}
	contract := Contract{ID: "c", Owner: "o", Currency: "USD", Assets: []string{"b"}}
	owned := []Ownership{{"b", "o", 0, Forever}}
	for name, c := range map[string]struct {
		book Book
		want error
	}{
		"no id":               {with(func(e *Event) { e.ID = "" }), ErrEvent},
		"another of its id":   {with(func(e *Event) { e.Amount.Minor++ }), ErrEvent},
		"unknown kind":        {with(func(e *Event) { e.Kind = "x" }), ErrEvent},
		"a share":             {with(func(e *Event) { e.Kind = RevenueShare }), ErrEvent},
		"no currency":         {with(func(e *Event) { e.Amount.Currency = "" }), ErrEvent},
		"of nothing":          {with(func(e *Event) { e.Asset = "" }), ErrEvent},
		"of two things":       {with(func(e *Event) { e.ID, e.Among = "z", []Portion{{"b", 1}} }), ErrEvent},
		"several of an owner": {with(func(e *Event) { e.ID, e.Asset, e.Among, e.Owner = "z", "", []Portion{{"b", 1}}, "o" }), ErrEvent},
		"weights":             {with(func(e *Event) { e.ID, e.Asset, e.Among = "z", "", []Portion{{"b", -1}} }), ErrEvent},
		"two owners":          {Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, 9}, {"b", "p", 8, 10}}}, ErrOwnership},
		"owned for no time":   {Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 9, 9}}}, ErrOwnership},
		"revenue in euros":    {Book{Zone: time.UTC, Owned: owned, Events: []Event{good}, Contracts: []Contract{contract}}, ErrContract},
		"two contracts":       {Book{Zone: time.UTC, Contracts: []Contract{contract, {ID: "d", Owner: "o", Currency: "EUR", Assets: []string{"b"}}}}, ErrContract},
		"two of a contract":   {Book{Zone: time.UTC, Contracts: []Contract{contract, contract}}, ErrContract},
		"a contract of costs": {Book{Zone: time.UTC, Contracts: []Contract{{ID: "c", Owner: "o", Currency: "EUR", Assets: []string{"b"}, Kinds: []Kind{Rent}}}}, ErrContract},
	} {
		if _, err := Build(c.book, march); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestOverflowIsAnError(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	b := Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: []Event{
		event("a", from, CarbonCredits, 1<<62, "b"), event("b", from, CarbonCredits, 1<<62, "b"),
	}}
	if _, err := Build(b, march); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("got %v, want %v", err, money.ErrOverflow)
	}
}

func TestStatementAsJSON(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	got, err := Build(Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: []Event{event("a", from, Rent, 450_00, "b")}}, march)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := got.Of("o")
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"month":"2026-03"`, `"kind":"rent","asset":"b","amount":{"amount":"-450.00","currency":"EUR"}`, `"event":"a"`, `"settlements":[]`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}

// Random books: everything adds up, nothing is lost at a sale, and neither order
// nor doubles change anything.
func TestAnyBookReconciles(t *testing.T) {
	from, to := march.Bounds(time.UTC)
	assets := []string{"b1", "b2", "b3", "s1"}
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Int64Range(from-1000, to+1000)
		b := Book{Zone: time.UTC}
		for _, a := range assets {
			if sale := instant.Draw(t, "sale"); rapid.Bool().Draw(t, "is sold") {
				b.Owned = append(b.Owned, Ownership{a, "o1", 0, sale}, Ownership{a, "o2", sale, Forever})
			} else if rapid.Bool().Draw(t, "is owned") {
				b.Owned = append(b.Owned, Ownership{a, "o1", 0, Forever})
			}
		}
		for i := range rapid.IntRange(0, 30).Draw(t, "events") {
			kind := rapid.SampledFrom(kinds()).Filter(func(k Kind) bool { return k != RevenueShare }).Draw(t, "kind")
			e := event(fmt.Sprint("e", i), instant.Draw(t, "at"), kind, rapid.Int64Range(-500, 5000).Draw(t, "minor"), "")
			switch rapid.IntRange(0, 3).Draw(t, "of") {
			case 0:
				e.Owner = "o1"
			case 1:
				for range rapid.IntRange(1, 4).Draw(t, "portions") {
					e.Among = append(e.Among, Portion{rapid.SampledFrom(assets).Draw(t, "asset"), rapid.Int64Range(1, 9).Draw(t, "weight")})
				}
			default:
				e.Asset = rapid.SampledFrom(assets).Draw(t, "asset")
			}
			if e.Kind == SwapPrice {
				e.Swaps = 1
			}
			b.Events = append(b.Events, e)
		}
		for _, owner := range []string{"o1", "o2"} {
			end := daycount.Date(20_000 + rapid.Int32Range(500, 600).Draw(t, "end"))
			b.Contracts = append(b.Contracts, Contract{ID: "c-" + owner, Owner: owner, Currency: "EUR", Assets: assets[:3], Agreements: []waterfall.Agreement{
				{ID: "h", Party: "host", Basis: waterfall.ByRevenue, Tiers: []waterfall.Tier{{Share: 100_000}, {Above: 3000, Share: 300_000}}, Minimum: 500},
				{ID: "m", Party: "maker", Basis: waterfall.BySwaps, Tiers: []waterfall.Tier{{Share: 50_000, PerSwap: 3}, {Above: 4, Share: 200_000}}, Priority: 1, Carry: true, To: &end},
			}})
		}
		want, err := Build(b, march)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range want.Statements {
			for _, section := range s.Sections {
				adds(t, section)
			}
		}
		b.Events = rapid.Permutation(append(b.Events, b.Events...)).Draw(t, "order")
		b.Owned = rapid.Permutation(b.Owned).Draw(t, "order of owners")
		b.Contracts = rapid.Permutation(b.Contracts).Draw(t, "order of contracts")
		got, err := Build(b, march)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

// Each currency is a section of its own, in the order of their codes.
func TestCurrenciesAreNotMixed(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	yen := event("y", from, SwapPrice, 300, "b")
	yen.Amount.Currency = "JPY"
	got, err := Build(Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: []Event{yen, event("e", from, Rent, 5, "b")}}, march)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := got.Of("o")
	var net []string
	for _, section := range s.Sections {
		net = append(net, section.Totals.Net.String())
	}
	if d := cmp.Diff([]string{"-0.05 EUR", "300 JPY"}, net); d != "" {
		t.Error(d)
	}
}

func TestKinds(t *testing.T) {
	last := -1
	for _, k := range kinds() {
		at := -1
		for i, g := range []Group{Revenue, Shares, Costs, Capital} {
			if k.Group() == g {
				at = i
			}
		}
		if at < last || at < 0 {
			t.Errorf("%s of %q is out of order", k, k.Group())
		}
		last = at
	}
}

// A closing that was tampered with is noticed.
func TestReconcileNotices(t *testing.T) {
	from, _ := march.Bounds(time.UTC)
	b := Book{Zone: time.UTC, Owned: []Ownership{{"b", "o", 0, Forever}}, Events: []Event{event("a", from, SwapPrice, 100, "b")}}
	got, err := Build(b, march)
	if err != nil {
		t.Fatal(err)
	}
	got.Statements[0].Sections[0].Lines[0].Entries[0].Amount.Minor--
	if err := got.reconcile(b, march); !errors.Is(err, ErrReconcile) {
		t.Errorf("got %v, want %v", err, ErrReconcile)
	}
}

func BenchmarkBuild(b *testing.B) {
	book := fleet(berlin(b))
	b.Run(fmt.Sprintf("events=%d", len(book.Events)), func(b *testing.B) {
		for b.Loop() {
			if _, err := Build(book, march); err != nil {
				b.Fatal(err)
			}
		}
	})
}
