package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// plainEstate is an estate in a slice.
type plainEstate struct {
	owned []statement.Ownership
	zone  *time.Location            // of everything
	zones map[string]*time.Location // of owners in another
	site  string                    // of every station
}

func (e *plainEstate) Ownerships(_ context.Context, owner, kind string) ([]statement.Ownership, error) {
	var out []statement.Ownership
	for _, o := range e.owned {
		if (owner == "" || o.Owner == owner) && strings.HasPrefix(o.Asset, kind) {
			out = append(out, o)
		}
	}
	return out, nil
}

func (e *plainEstate) Place(_ context.Context, id string) (accounts.Station, error) {
	return accounts.Station{ID: id, Site: e.site, Zone: e.zone}, nil
}

func (e *plainEstate) SiteOf(context.Context, string) (string, error) { return e.site, nil }

func (e *plainEstate) Zone(_ context.Context, owner string) (*time.Location, error) {
	if z := e.zones[owner]; z != nil {
		return z, nil
	}
	return e.zone, nil
}

func (e *plainEstate) Owners(context.Context) ([]string, error) { return []string{"acme", "bolt"}, nil }

// forgetful are books that have kept no month.
type forgetful struct{ Books }

func (forgetful) KeptMonth(context.Context, string, string, accounts.Inputs, int64) (*accounts.Statement, bool, error) {
	return nil, false, nil
}

// books is a fleet with money, as it changes.
type books struct {
	t      *testing.T
	ledger *ledger.Ledger
	estate *plainEstate
	now    time.Time
	rng    *rand.Rand
	n      int
}

func newBooks(t *testing.T, seed uint64) *books {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b := &books{
		t: t, now: time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC), rng: rand.New(rand.NewPCG(seed, 1)),
		estate: &plainEstate{zone: zone, site: "yard", owned: []statement.Ownership{
			{Asset: "station/s1", Owner: "acme", To: statement.Forever}, {Asset: "station/s2", Owner: "acme", To: statement.Forever},
			{Asset: "station/s3", Owner: "bolt", To: statement.Forever}, {Asset: "battery/b1", Owner: "acme", To: statement.Forever},
			{Asset: "battery/b2", Owner: "bolt", To: statement.Forever}, {Asset: "building/h1", Owner: "acme", To: statement.Forever},
			{Asset: "site/yard", Owner: "acme", To: statement.Forever},
		}},
	}
	b.ledger, err = ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{Now: func() time.Time { return b.now }})
	b.ok(err)
	t.Cleanup(func() {
		if err := b.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *books) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) accounts(books Books) *Accounts {
	return &Accounts{Estate: b.estate, Books: books, Now: func() time.Time { return b.now }}
}

// at is some instant from January to a few days ahead of now.
func (b *books) at() time.Time {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return from.Add(time.Duration(b.rng.Int64N(int64(b.now.Sub(from)))))
}

func (b *books) one(of ...string) string { return of[b.rng.IntN(len(of))] }

// swap tells of a swap, late or not.
func (b *books) swap() {
	b.n++
	at := b.at().UnixMilli()
	_, err := b.ledger.AppendEvents(b.t.Context(), []telemetry.Event{{
		Kind: devices.KindStation, Device: b.one("s1", "s2", "s3", "nobodys"), ID: fmt.Sprint("swap-", b.n), TS: at, Type: "swap.completed",
		Data: []byte(fmt.Sprintf(`{"battery_out":%q,"energy_wh":%d}`, b.one("b1", "b2"), b.rng.IntN(2000))),
	}})
	b.ok(err)
}

func (b *books) enter() {
	b.n++
	e := accounts.Entry{ID: fmt.Sprint("e", b.n), At: b.at().UnixMilli(), Kind: statement.Rent, Amount: money.Of(b.rng.Int64N(9999), "EUR"), Asset: b.one("station/s1", "station/s3", "building/h1")}
	if b.rng.IntN(3) == 0 {
		e.Kind = statement.CapitalCost
	}
	if b.rng.IntN(3) == 0 {
		e.Kind, e.Asset = statement.EnergySavings, b.one("building/h1", "site/yard", "")
		if e.Asset == "" {
			e.Owner = "acme"
		}
	}
	all := []accounts.Entry{e}
	if b.rng.IntN(3) == 0 {
		all = append(all, e.Reversal("", b.at().UnixMilli(), "no"))
	}
	_, err := b.ledger.EnterMoney(b.t.Context(), all, "ann")
	b.ok(err)
}

func (b *books) price() {
	from := daycount.On(b.at())
	p := accounts.Price{ID: b.one("p1", "p2", "p3"), Use: accounts.PerSwap, From: from, Price: fmt.Sprintf("%d.%02d", b.rng.IntN(9), b.rng.IntN(100)), Currency: "EUR"}
	switch b.rng.IntN(5) {
	case 0:
		p.BatteryPPM = 250_000
	case 1:
		to := from + 40
		p.Owner, p.To = "acme", &to
	case 2:
		p.Site = "hill"
	case 3:
		p.ID, p.Use = "grid", accounts.PerDrawn
		if b.rng.IntN(2) == 0 {
			p.Hours = []accounts.HourPrice{{From: 6, To: 22, Price: "0.31"}}
		}
	}
	_, err := b.ledger.PutTerm(b.t.Context(), ledger.PriceTerms, p.ID, "ann", p)
	b.ok(err)
}

func (b *books) contract() {
	c := accounts.Contract{
		ID: "c", Owner: "acme", Currency: "EUR", Kinds: []statement.Kind{statement.SwapPrice, statement.EnergySavings},
		Agreements: []waterfall.Agreement{{
			ID: "op", Party: "Operator", Basis: waterfall.ByRevenue, From: daycount.Of(2026, 1, 10), Minimum: b.rng.Int64N(5000), Carry: b.rng.IntN(2) == 0,
			Tiers: []waterfall.Tier{{Share: 100_000}},
		}},
	}
	_, err := b.ledger.PutTerm(b.t.Context(), ledger.ContractTerms, c.ID, "ann", c)
	b.ok(err)
}

// day works out what a station drew on a day, at two hours of it.
func (b *books) day() {
	early, late := b.rng.Int64N(1e9), b.rng.Int64N(1e9)
	m := station.Meter{MilliWh: early + late, KnownMS: b.rng.Int64N(2) * telemetry.Hour}
	b.draw(b.one("s1", "s2"), b.at(), m, map[int]int64{5: early, 20: late})
}

// draw stores what a station drew on the local day of an instant, and what its register
// rose by in hours from the day's beginning.
func (b *books) draw(id string, at time.Time, m station.Meter, hours map[int]int64) {
	c := station.CalendarOf(b.estate.zone)
	day := c.DayOf(at.UnixMilli())
	d := station.Day{Day: day, Window: c.Window(day), Readings: 1, Meter: m}
	rolled := map[int64][]rollup.Bucket{} // by day of UTC
	for h, mwh := range hours {
		start, wh := d.From+int64(h)*telemetry.Hour, float64(mwh)/1000
		utc := telemetry.DayOf(start)
		rolled[utc] = append(rolled[utc], rollup.Bucket{Start: start, Stats: []rollup.Stat{{Field: "energy_wh", Samples: 2, Delta: &wh}}})
	}
	var days []ledger.RollupDay
	for utc, buckets := range rolled {
		slices.SortFunc(buckets, func(x, y rollup.Bucket) int { return int(x.Start - y.Start) })
		days = append(days, ledger.RollupDay{DeviceDay: telemetry.DeviceDay{Kind: devices.KindStation, Device: id, Day: utc}, Day: rollup.Day{Hours: buckets, Total: rollup.Bucket{Start: utc * telemetry.Day}}})
	}
	b.ok(b.ledger.Commit(b.t.Context(), ledger.Changes{Rollups: days, Parts: []ledger.Part{
		ledger.StationResults{Station: id, Rules: "r", Days: []ledger.StationDay{{Day: d, Totals: d.Totals(c, station.UseRules{})}}},
	}}))
}

// measure works out what the building saved.
func (b *books) measure(months ...building.MonthSaving) {
	b.ok(b.ledger.Commit(b.t.Context(), ledger.Changes{Parts: []ledger.Part{
		&ledger.BuildingChange{Building: "h1", Result: &building.Result{Building: "h1", AsOf: b.now, Months: months}},
	}}))
}

func saved(month, from, to string, minor int64, complete bool) building.MonthSaving {
	plus := minor / 5
	return building.MonthSaving{
		Month: month, Meter: building.Electricity, Intervention: "7", From: building.Date(from), To: building.Date(to), Complete: complete, Method: "m 1, s 2",
		Coverage: 0.97, Saving: 123.5, Unit: "kWh", Saved: tariff.Money{Minor: minor, Currency: "EUR"}, Plus: &plus,
	}
}

func (b *books) somehow() {
	switch b.rng.IntN(12) {
	case 0:
		b.price()
	case 1:
		b.contract()
	case 2, 3:
		b.enter()
	case 4, 5:
		b.day()
	case 6:
		b.measure(saved("2026-02", "2026-02-10", "2026-03-01", b.rng.Int64N(5000)-500, true), saved("2026-04", "2026-04-01", "2026-04-20", 777, false))
	case 7:
		b.estate.site = b.one("yard", "hill")
	case 8: // sold, and what is told of the past too
		b.sell(b.one("station/s2", "building/h1"), b.at())
	case 9:
		b.now = b.now.Add(time.Duration(b.rng.Int64N(int64(30 * time.Hour))))
	default:
		b.swap()
	}
}

// sell makes an asset acme's until an instant, and bolt's from then on.
func (b *books) sell(asset string, at time.Time) {
	sold := at.UnixMilli()
	b.estate.owned = slices.DeleteFunc(b.estate.owned, func(o statement.Ownership) bool { return o.Asset == asset })
	b.estate.owned = append(b.estate.owned, statement.Ownership{Asset: asset, Owner: "acme", To: sold}, statement.Ownership{Asset: asset, Owner: "bolt", From: sold, To: statement.Forever})
}

// told is all that is answered of an owner; entries are folded.
type told struct {
	Months   []Month
	Months2  []accounts.Statement
	Finance  Result
	Partners []Partner
}

func (b *books) told(a *Accounts, owner string) told {
	var out told
	var err error
	out.Months, err = a.Months(b.t.Context(), owner)
	b.ok(err)
	for _, m := range out.Months {
		s, err := a.Statement(b.t.Context(), owner, m.Month, false)
		b.ok(err)
		if len(s.Sections) > 0 && len(s.Sections[0].Lines) > 0 && s.Sections[0].Lines[0].Folded == nil {
			accounts.Fold(&s, b.estate.zone)
		}
		out.Months2 = append(out.Months2, s)
	}
	out.Finance, err = a.Finance(b.t.Context(), Question{Owners: []string{owner}, Currency: "EUR"})
	b.ok(err)
	out.Partners, err = a.Partners(b.t.Context(), []string{owner})
	b.ok(err)
	return out
}

// Whatever has changed since months were kept, and whenever it is asked, the
// answer is that of making all of them anew.
func TestKeptMonthsEqualThoseMadeAnew(t *testing.T) {
	asked, kept := 0, 0
	for seed := range uint64(2) {
		b := newBooks(t, seed)
		for range 30 {
			b.swap()
			b.day()
		}
		b.price()
		for step := range 30 {
			if b.rng.IntN(3) == 0 {
				_, err := b.accounts(b.ledger).keepMonths(t.Context())
				b.ok(err)
				b.now = b.now.Add(time.Second)
			}
			if b.rng.IntN(3) > 0 {
				b.somehow()
			}
			for _, owner := range []string{"acme", "bolt"} {
				got, want := b.told(b.accounts(b.ledger), owner), b.told(b.accounts(forgetful{b.ledger}), owner)
				for _, m := range got.Months2 {
					asked++
					if m.BuiltAt < b.now.UnixMilli() {
						kept++
					}
				}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(accounts.Statement{}, "BuiltAt"), cmpopts.EquateEmpty(), cmp.AllowUnexported(accounts.Track{})); diff != "" {
					t.Fatalf("seed %d, step %d, %s (-anew +kept): %s", seed, step, owner, diff)
				}
			}
		}
	}
	t.Logf("%d statements asked for, %d of them kept", asked, kept)
	if kept < asked/3 || kept == asked {
		t.Errorf("%d of %d were kept ones: the test shows little", kept, asked)
	}
}

// A month that a job has kept is not made again unless something of it has
// changed, and then that one alone.
func TestKeptMonthsMadeOnce(t *testing.T) {
	b := newBooks(t, 1)
	for range 100 {
		b.swap()
	}
	b.price()
	keep := func() int {
		t.Helper()
		n, err := b.accounts(b.ledger).keepMonths(t.Context())
		b.ok(err)
		return n
	}
	if n := keep(); n != 8 {
		t.Errorf("at first: got %d months made, want four of two owners", n)
	}
	if n := keep(); n != 0 {
		t.Errorf("again: got %d months made, want none", n)
	}
	_, err := b.ledger.AppendEvents(t.Context(), []telemetry.Event{{
		Kind: devices.KindStation, Device: "s3", ID: "late", TS: time.Date(2026, 2, 5, 0, 0, 0, 0, time.UTC).UnixMilli(), Type: "swap.completed", Data: []byte(`{}`),
	}})
	b.ok(err)
	if n := keep(); n != 1 {
		t.Errorf("with a late swap: got %d months made, want that of the station's owner", n)
	}
	b.now = b.now.AddDate(0, 0, 12) // April is over
	if n := keep(); n != 2 {
		t.Errorf("when a month is over: got %d months made, want that of both owners", n)
	}
}

// What buildings saved is booked by itself where a contract shares it, for the days
// on which the building was the owner's, unless somebody entered it.
func TestMeasuredSavings(t *testing.T) {
	b := newBooks(t, 1)
	b.sell("building/h1", time.Date(2026, 2, 20, 12, 0, 0, 0, b.estate.zone))
	b.measure(saved("2026-02", "2026-02-10", "2026-03-01", 1900+7, true), saved("2026-03", "2026-03-01", "2026-03-11", -500, false))
	february := statement.Month{Year: 2026, Month: 2}
	read := func(owner string, m statement.Month) accounts.Statement {
		t.Helper()
		s, err := b.accounts(b.ledger).Statement(t.Context(), owner, m, true)
		b.ok(err)
		return s
	}
	if s := read("acme", february); len(s.Sections)+len(s.Savings)+len(s.Gaps) != 0 {
		t.Errorf("without a contract: got %+v", s)
	}
	b.contract()
	s := read("acme", february)
	// 1907 over 19 days are 101 on the first seven of them and 100 on the others; eleven begin before the sale.
	line := s.Sections[0].Lines[0]
	if line.Kind != statement.EnergySavings || line.Asset != "building/h1" || line.Amount != money.Of(1107, "EUR") || len(line.Entries) != 11 {
		t.Errorf("got line %+v", line)
	}
	want := accounts.Saving{
		Asset: "building/h1", Meter: "electricity", Measure: "7", From: daycount.Of(2026, 2, 10), To: daycount.Of(2026, 3, 1), Method: "m 1, s 2",
		Coverage: 0.97, Quantity: 123.5, Unit: "kWh", Measured: money.Of(1907, "EUR"), Plus: s.Savings[0].Plus, Booked: money.Of(1107, "EUR"),
	}
	if diff := cmp.Diff([]accounts.Saving{want}, s.Savings); diff != "" || *s.Savings[0].Plus != 381 {
		t.Error(diff)
	}
	if got := s.Sections[0].Settlements[0].Revenue; got != 1107 {
		t.Errorf("the contract shared %d, want 1107", got)
	}
	if _, err := b.ledger.PutTerm(t.Context(), ledger.ContractTerms, "d", "ann", accounts.Contract{
		ID: "d", Owner: "bolt", Currency: "USD", Kinds: []statement.Kind{statement.EnergySavings},
		Agreements: []waterfall.Agreement{{ID: "a", Party: "P", Basis: waterfall.ByRevenue, From: daycount.Of(2026, 1, 1), Fee: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	gaps := read("bolt", february).Gaps
	if len(gaps) != 1 || gaps[0].Code != accounts.NoSaving || !strings.Contains(gaps[0].Text, "another currency") {
		t.Errorf("in another currency: got %+v", gaps)
	}
	b.sell("building/h1", time.UnixMilli(statement.Forever-1))
	march := read("acme", statement.Month{Year: 2026, Month: 3})
	if !march.Savings[0].Provisional || march.Provisional || march.Sections[0].Totals.Revenue.Minor != -500 {
		t.Errorf("the rest of March is still to come: got %+v", march)
	}
	if gaps := read("acme", statement.Month{Year: 2026, Month: 1}).Gaps; len(gaps) != 1 || gaps[0].Code != accounts.NoSaving {
		t.Errorf("a month without a result: got %+v", gaps)
	}
	by := accounts.Entry{ID: "hand", At: time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC).UnixMilli(), Kind: statement.EnergySavings, Amount: money.Of(42, "EUR"), Asset: "building/h1"}
	for _, tt := range []struct {
		entry accounts.Entry
		want  int64
	}{{by, 42}, {by.Reversal("", by.At, "no"), 1907}} {
		_, err := b.ledger.EnterMoney(t.Context(), []accounts.Entry{tt.entry}, "ann")
		b.ok(err)
		if got := read("acme", february).Sections[0].Totals.Revenue.Minor; got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.entry.ID, got, tt.want)
		}
	}
}
