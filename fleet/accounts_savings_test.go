package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// share makes an owner share energy savings from a day to another; nil: for good.
func (b *books) share(owner string, from daycount.Date, to *daycount.Date) {
	b.t.Helper()
	_, err := b.ledger.PutTerm(b.t.Context(), ledger.ContractTerms, "of-"+owner, "ann", accounts.Contract{
		ID: "of-" + owner, Owner: owner, Currency: "EUR", Kinds: []statement.Kind{statement.EnergySavings},
		Agreements: []waterfall.Agreement{{ID: "op", Party: "Operator", Basis: waterfall.ByRevenue, From: from, To: to, Tiers: []waterfall.Tier{{Share: 100_000}}}},
	})
	b.ok(err)
}

func (b *books) month(owner string, y int, m time.Month) accounts.Statement {
	b.t.Helper()
	s, err := b.accounts(b.ledger).Statement(b.t.Context(), owner, statement.Month{Year: y, Month: m}, true)
	b.ok(err)
	return s
}

// hand enters savings by hand at noon of a day.
func hand(id string, day time.Time, minor int64, asset, owner string) accounts.Entry {
	return accounts.Entry{ID: id, At: day.Add(12 * time.Hour).UnixMilli(), Kind: statement.EnergySavings, Amount: money.Of(minor, "EUR"), Asset: asset, Owner: owner}
}

func revenueOf(s accounts.Statement) (n int64) {
	for _, section := range s.Sections {
		n += section.Totals.Revenue.Minor
	}
	return n
}

// What was saved before a contract's agreements begin, or after they end, is nobody's
// to share: it neither corrects closed months nor makes months of before.
func TestSavingsOutsideAgreements(t *testing.T) {
	b := newBooks(t, 1)
	_, err := b.ledger.EnterMoney(t.Context(), []accounts.Entry{{
		ID: "r", At: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixMilli(), Kind: statement.Rent, Amount: money.Of(100, "EUR"), Asset: "building/h1",
	}}, "ann")
	b.ok(err)
	for _, m := range []time.Month{1, 2} {
		_, err := b.accounts(b.ledger).CloseStatement(t.Context(), "acme", statement.Month{Year: 2026, Month: m}, "ann")
		b.ok(err)
	}
	b.measure(
		saved("2025-02", "2025-02-01", "2025-03-01", 1000, true), saved("2026-02", "2026-02-01", "2026-03-01", 2800, true),
		saved("2026-03", "2026-03-01", "2026-04-01", 3100, true), saved("2026-04", "2026-04-01", "2026-04-20", 1900, false),
	)
	to := daycount.Of(2026, 4, 11)
	b.share("acme", daycount.Of(2026, 3, 22), &to)
	months, err := b.accounts(b.ledger).Months(t.Context(), "acme")
	b.ok(err)
	if oldest := months[len(months)-1].Month; oldest != (statement.Month{Year: 2026, Month: 1}) {
		t.Errorf("the oldest month is %s, want that of the rent", oldest)
	}
	for _, tt := range []struct {
		month   time.Month
		revenue int64
		savings int
	}{{1, 0, 0}, {2, 0, 0}, {3, 1000, 1}, {4, 1000, 1}} {
		s := b.month("acme", 2026, tt.month)
		if got := revenueOf(s); got != tt.revenue || len(s.Savings) != tt.savings || len(s.Corrections)+len(s.Gaps) > 0 {
			t.Errorf("%s: got %d of %d savings, corrections %v, gaps %v; want %d of %d", tt.month, got, len(s.Savings), s.Corrections, s.Gaps, tt.revenue, tt.savings)
		}
	}
}

// Seller and buyer, each with a calendar of his own, have all days of a building
// between them, and none of them twice.
func TestEachSavedDayIsOneOwners(t *testing.T) {
	b := newBooks(t, 1)
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		b.ok(err)
		return z
	}
	kolkata, auckland, honolulu := zone("Asia/Kolkata"), zone("Pacific/Auckland"), zone("Pacific/Honolulu")
	long := daycount.Of(2026, 1, 1)
	b.share("acme", long, nil)
	b.share("bolt", long, nil)
	at := func(day, hour int) time.Time { return time.Date(2026, 2, day, hour, 30, 0, 0, time.UTC) }
	for _, zones := range [][2]*time.Location{{kolkata, time.UTC}, {auckland, honolulu}, {honolulu, auckland}} {
		for _, here := range []*time.Location{auckland, b.estate.zone} {
			for _, sold := range []time.Time{at(14, 21), at(15, 6), at(28, 20), at(0, 11)} {
				b.estate.zones = map[string]*time.Location{"acme": zones[0], "bolt": zones[1]}
				b.sell("building/h1", sold)
				v := saved("2026-02", "2026-02-01", "2026-03-01", 2800, true)
				v.Zone = here.String()
				b.measure(v)
				var want int64
				for day := 1; day <= 28; day++ {
					if daycount.Of(2026, 2, day).Start(here).Before(sold) {
						want += 100
					}
				}
				seller, buyer := revenueOf(b.month("acme", 2026, 2)), revenueOf(b.month("bolt", 2026, 2))
				if seller != want || seller+buyer != 2800 {
					t.Errorf("sold %s, building in %s, owners in %v: got %d and %d, want %d of 2800", sold, here, zones, seller, buyer, want)
				}
			}
		}
	}
}

// What was entered for a building stands in the place of what was measured, until it
// is taken back, at whatever time. What was entered for its site, or for the owner,
// may hold it: it is held back, and the statement says so.
func TestEnteredAndMeasuredSavings(t *testing.T) {
	february, march := time.Date(2026, 2, 5, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		entry accounts.Entry
		back  time.Time
		want  [2]int64 // revenue of February and March
		gap   string
	}{
		{"for the building", hand("e", february, 42, "building/h1", ""), time.Time{}, [2]int64{42, 3000}, ""},
		{"and taken back a month later", hand("e", february, 42, "building/h1", ""), march, [2]int64{42 + 2000, 3000 - 42}, ""},
		{"for the site", hand("e", february, 1950, "site/yard", ""), time.Time{}, [2]int64{1950, 3000}, "for the site"},
		{"and taken back", hand("e", february, 1950, "site/yard", ""), march, [2]int64{1950 + 2000, 3000 - 1950}, ""},
		{"for the owner", hand("e", february, 1950, "", "acme"), time.Time{}, [2]int64{1950, 3000}, "for the owner"},
		{"for something else", hand("e", february, 7, "station/s1", ""), time.Time{}, [2]int64{2007, 3000}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBooks(t, 1)
			b.share("acme", daycount.Of(2026, 1, 1), nil)
			b.measure(saved("2026-02", "2026-02-01", "2026-03-01", 2000, true), saved("2026-03", "2026-03-01", "2026-04-01", 3000, true))
			entries := []accounts.Entry{tt.entry}
			if !tt.back.IsZero() {
				entries = append(entries, tt.entry.Reversal("", tt.back.UnixMilli(), "no"))
			}
			_, err := b.ledger.EnterMoney(t.Context(), entries, "ann")
			b.ok(err)
			s := b.month("acme", 2026, 2)
			if got := [2]int64{revenueOf(s), revenueOf(b.month("acme", 2026, 3))}; got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if told := len(s.Gaps) == 1 && strings.Contains(s.Gaps[0].Text, tt.gap); told != (tt.gap != "") || !told && len(s.Gaps) > 0 {
				t.Errorf("got gaps %+v, want %q", s.Gaps, tt.gap)
			}
		})
	}
}

// A swap of an owner's battery at a station that nobody owns makes the month anew
// that a job has kept.
func TestKeptMonthHearsOfStationsOfNobody(t *testing.T) {
	b := newBooks(t, 1)
	_, err := b.ledger.PutTerm(t.Context(), ledger.PriceTerms, "p", "ann", accounts.Price{
		ID: "p", Use: accounts.PerSwap, From: daycount.Of(2026, 1, 1), Price: "2.00", Currency: "EUR", BatteryPPM: 500_000,
	})
	b.ok(err)
	swap := func(id, at string) {
		_, err := b.ledger.AppendEvents(t.Context(), []telemetry.Event{{
			Kind: devices.KindStation, Device: at, ID: id, TS: time.Date(2026, 2, 5, 0, 0, 0, 0, time.UTC).UnixMilli(), Type: "swap.completed", Data: []byte(`{"battery_out":"b1"}`),
		}})
		b.ok(err)
	}
	read := func(books Books) int64 {
		s, err := b.accounts(books).Statement(t.Context(), "acme", statement.Month{Year: 2026, Month: 2}, false)
		b.ok(err)
		return revenueOf(s)
	}
	swap("1", "s1")
	_, err = b.accounts(b.ledger).keepMonths(t.Context())
	b.ok(err)
	before := read(b.ledger)
	swap("2", "nobodys")
	if kept, anew := read(b.ledger), read(forgetful{b.ledger}); kept != anew || kept == before {
		t.Errorf("got %d, and %d when made anew; %d before", kept, anew, before)
	}
}

// A month that was measured but lacks prices is not in the statement, which says why;
// it is when they have come in, in a month that was closed as a correction.
func TestSavingsThatLackPrices(t *testing.T) {
	b := newBooks(t, 1)
	b.share("acme", daycount.Of(2026, 1, 1), nil)
	priced := saved("2026-02", "2026-02-01", "2026-03-01", 2800, true)
	lacks := saved("2026-02", "2026-02-01", "2026-03-01", 0, true)
	lacks.Lacks = &energy.Reason{Code: building.UnpricedUse, Text: "no price"}
	march := saved("2026-03", "2026-03-01", "2026-04-01", 3100, true)
	b.measure(lacks, march)
	months, err := b.accounts(b.ledger).Months(t.Context(), "acme")
	b.ok(err)
	february := b.month("acme", 2026, 2)
	if oldest := months[len(months)-1].Month; oldest != february.Month {
		t.Errorf("the oldest month is %s, want %s, which is to be closed", oldest, february.Month)
	}
	if gaps := february.Gaps; len(february.Savings) > 0 || revenueOf(february) != 0 || len(gaps) != 1 || gaps[0].Code != accounts.NoSaving || !strings.HasSuffix(gaps[0].Text, "not all known: no price") {
		t.Errorf("got %+v", february)
	}
	if s := b.month("acme", 2026, 3); revenueOf(s) != 3100 || len(s.Gaps) > 0 {
		t.Errorf("got %d, %+v", revenueOf(s), s.Gaps)
	}
	_, err = b.accounts(b.ledger).CloseStatement(t.Context(), "acme", february.Month, "ann")
	b.ok(err)
	b.measure(priced, march)
	var corrected int64
	s := b.month("acme", 2026, 3)
	for _, c := range s.Corrections {
		if c.Kind == statement.EnergySavings && c.Month == february.Month {
			corrected += c.Minor
		}
	}
	if corrected != 2800 || revenueOf(s) != 3100 {
		t.Errorf("got a correction of %d, want 2800: %+v", corrected, s.Corrections)
	}
}
