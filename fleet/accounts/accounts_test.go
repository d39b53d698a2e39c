package accounts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

func day(s string) daycount.Date {
	d, err := daycount.Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestPriceThatHolds(t *testing.T) {
	until := day("2026-03-01")
	all := accounts.Prices{
		{ID: "all", Use: accounts.PerSwap, From: day("2026-01-01")},
		{ID: "all-new", Use: accounts.PerSwap, From: day("2026-02-01")},
		{ID: "owner", Use: accounts.PerSwap, Owner: "o", From: day("2026-01-01")},
		{ID: "site", Use: accounts.PerSwap, Site: "x", From: day("2026-01-01"), To: &until},
		{ID: "station", Use: accounts.PerSwap, Station: "s", From: day("2026-02-10")},
		{ID: "station2", Use: accounts.PerSwap, Station: "s", From: day("2026-02-10")},
		{ID: "grid", Use: accounts.PerDrawn, From: day("2026-01-01")},
	}
	for _, tt := range []struct {
		name, station, site, owner, on, want string
	}{
		{"before all", "s", "x", "o", "2025-12-31", ""},
		{"of everybody", "t", "y", "p", "2026-01-31", "all"},
		{"the later of two", "t", "y", "p", "2026-02-01", "all-new"},
		{"the owner's, though older", "t", "y", "o", "2026-02-01", "owner"},
		{"the site's", "t", "x", "o", "2026-02-28", "site"},
		{"the site's has ended", "t", "x", "o", "2026-03-01", "owner"},
		{"the station's, of two alike the greater id", "s", "x", "o", "2026-02-10", "station2"},
		{"the station's has not begun", "s", "x", "o", "2026-02-09", "site"},
	} {
		got := ""
		if p := all.At(accounts.PerSwap, &accounts.Station{ID: tt.station, Site: tt.site}, tt.owner, day(tt.on)); p != nil {
			got = p.ID
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSwapIsBooked(t *testing.T) {
	wh := func(v int64) *int64 { return &v }
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	station := accounts.Station{ID: "s", Zone: tokyo}
	prices := accounts.Prices{
		{ID: "swap", Use: accounts.PerSwap, From: day("2026-03-02"), Price: "2.55", Currency: "EUR", BatteryPPM: 250_000},
		{ID: "kwh", Use: accounts.PerHanded, From: day("2026-03-03"), Price: "0.4375", Currency: "EUR"},
	}
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	among := []statement.Portion{{Asset: "station/s", Weight: 750_000}, {Asset: "battery/b", Weight: 250_000}}
	for _, tt := range []struct {
		name string
		swap accounts.Swap
		want []statement.Event
		gap  string
	}{
		{"yesterday in Tokyo", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-01T14:59:59Z"), Battery: "b"}, nil, accounts.NoPrice},
		{"today in Tokyo", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-01T15:00:00Z"), Battery: "b"},
			[]statement.Event{{ID: "station/s/1", Kind: statement.SwapPrice, Amount: money.Of(255, "EUR"), Among: among, Swaps: 1}}, ""},
		{"nobody's battery", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-02T12:00:00Z")},
			[]statement.Event{{ID: "station/s/1", Kind: statement.SwapPrice, Amount: money.Of(255, "EUR"), Asset: "station/s", Swaps: 1}}, ""},
		{"and energy, 43.75 cents", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-03T12:00:00Z"), Battery: "b", MilliWh: wh(1_000_000)},
			[]statement.Event{
				{ID: "station/s/1", Kind: statement.SwapPrice, Amount: money.Of(255, "EUR"), Among: among, Swaps: 1},
				{ID: "station/s/1/energy", Kind: statement.SwapPrice, Amount: money.Of(44, "EUR"), Asset: "station/s"},
			}, ""},
		{"brought back more", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-03T12:00:00Z"), MilliWh: wh(-5)},
			[]statement.Event{
				{ID: "station/s/1", Kind: statement.SwapPrice, Amount: money.Of(255, "EUR"), Asset: "station/s", Swaps: 1},
				{ID: "station/s/1/energy", Kind: statement.SwapPrice, Amount: money.Of(0, "EUR"), Asset: "station/s"},
			}, ""},
		{"energy not told", accounts.Swap{Station: "s", ID: "1", At: at("2026-03-03T12:00:00Z")},
			[]statement.Event{{ID: "station/s/1", Kind: statement.SwapPrice, Amount: money.Of(255, "EUR"), Asset: "station/s", Swaps: 1}}, accounts.NoEnergy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b accounts.Booked
			if err := b.Swap(&tt.swap, &station, "o", prices); err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				tt.want[i].At = tt.swap.At
			}
			if diff := cmp.Diff(tt.want, b.Events); diff != "" {
				t.Error(diff)
			}
			gap := ""
			for _, g := range b.Gaps() {
				gap += g.Code
				if g.Count != 1 || g.Asset != "station/s" {
					t.Errorf("got gap %+v", g)
				}
			}
			if gap != tt.gap {
				t.Errorf("gap: got %q, want %q", gap, tt.gap)
			}
		})
	}
}

// Energy is booked once for each local day and price; hours of one price are added
// up before they are rounded. Only where the price that holds has hours do they count.
func TestEnergyIsBooked(t *testing.T) {
	kolkata := time.FixedZone("half past", 5*3600+1800)
	evening := []accounts.HourPrice{{From: 18, To: 22, Price: "0.50"}}
	prices := accounts.Prices{
		{ID: "p", Use: accounts.PerDrawn, From: day("2026-01-01"), Price: "0.10", Currency: "EUR", Owner: "o", Hours: evening},
		{ID: "q", Use: accounts.PerDrawn, From: day("2026-01-01"), Price: "0.20", Currency: "EUR", Owner: "plain"},
	}
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, kolkata).UnixMilli()
	all := accounts.Drawn{At: at, MilliWh: 24 * 33_000} // a third of a cent an hour
	for h := range all.Hours {
		all.Hours[h] = 33_000
	}
	late := accounts.Drawn{At: at, MilliWh: 2_000_000}
	late.Hours[21] = 2_000_000
	for _, tt := range []struct {
		name, owner string
		drawn       accounts.Drawn
		want        map[string]int64 // by what follows the day in the id
		gap         string
	}{
		// 20 h · 0.033 kWh · 10 cents = 6.6; 4 h · 0.033 kWh · 50 cents = 6.6
		{"all day", "o", all, map[string]int64{"": 7, "/18-22": 7}, ""},
		{"in the evening alone", "o", late, map[string]int64{"/18-22": 100}, ""},
		{"hours not known", "o", accounts.Drawn{At: at, MilliWh: 2_000_000}, map[string]int64{"": 20}, accounts.NoMeter},
		{"nothing drawn", "o", accounts.Drawn{At: at}, map[string]int64{}, ""},
		{"a price without hours", "plain", late, map[string]int64{"": 40}, ""},
		{"no price", "else", late, map[string]int64{}, accounts.NoPrice},
	} {
		var b accounts.Booked
		here := &accounts.Station{ID: "s", Zone: kolkata}
		price := prices.At(accounts.PerDrawn, here, tt.owner, day("2026-01-05"))
		if err := b.Energy(here, &tt.drawn, price); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := map[string]int64{}
		for _, e := range b.Events {
			got[strings.TrimPrefix(e.ID, "station/s/energy/2026-01-05")] = e.Amount.Minor
			if e.At != at {
				t.Errorf("%s: booked at %d, want the beginning of the day", tt.name, e.At)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		gaps := b.Gaps()
		if len(gaps) > 1 || (len(gaps) == 1) != (tt.gap != "") || tt.gap != "" && gaps[0].Code != tt.gap {
			t.Errorf("%s: got gaps %+v, want %q", tt.name, gaps, tt.gap)
		}
	}
}

// What a closed month said, with all corrections of it, is what it would say now.
func TestCorrectionsComeToTheTruth(t *testing.T) {
	kinds := []statement.Kind{statement.SwapPrice, statement.Rent, statement.CapitalCost}
	month := statement.Month{Year: 2026, Month: 3}
	told := func(t *rapid.T, name string) *statement.Statement {
		s := &statement.Statement{Month: month}
		for _, currency := range []money.Currency{"EUR", "USD"} {
			section := statement.Section{Currency: currency}
			for range rapid.IntRange(0, 4).Draw(t, name) {
				section.Lines = append(section.Lines, statement.Line{
					Kind:   rapid.SampledFrom(kinds).Draw(t, "kind"),
					Asset:  rapid.SampledFrom([]string{"station/a", "station/b"}).Draw(t, "asset"),
					Amount: money.Of(rapid.Int64Range(-1000, 1000).Draw(t, "minor"), currency),
				})
			}
			s.Sections = append(s.Sections, section)
		}
		return s
	}
	sum := func(into map[accounts.Account]int64, s *statement.Statement) {
		for _, section := range s.Sections {
			for _, l := range section.Lines {
				into[accounts.Account{Kind: l.Kind, Asset: l.Asset, Currency: section.Currency}] += l.Amount.Minor
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		closed := told(t, "closed")
		var corrections []accounts.Correction
		for range rapid.IntRange(1, 3).Draw(t, "months") {
			now := told(t, "now")
			corrections = append(corrections, accounts.Correct(closed, now, corrections)...)
			got, want := map[accounts.Account]int64{}, map[accounts.Account]int64{}
			sum(got, closed)
			sum(want, now)
			for _, c := range corrections {
				got[c.Account] += c.Minor
			}
			for account, minor := range got {
				if minor != want[account] {
					t.Fatalf("%+v: got %d, want %d", account, minor, want[account])
				}
				delete(want, account)
			}
			for account, minor := range want {
				if minor != 0 {
					t.Fatalf("%+v: got none, want %d", account, minor)
				}
			}
			if again := accounts.Correct(closed, now, corrections); len(again) != 0 {
				t.Fatalf("corrected twice: %+v", again)
			}
		}
	})
}

func TestReadEntries(t *testing.T) {
	lines, problems, err := accounts.ReadEntries(strings.NewReader("id,kind,at,currency,amount,asset\nx,rent,2026-01-01,JPY,12,site/s\n"))
	if err != nil || len(problems) > 0 || len(lines) != 1 || lines[0].Line != 2 || lines[0].Entry.Amount != money.Of(12, "JPY") {
		t.Errorf("got %+v, %+v, %v", lines, problems, err)
	}
	lines, problems, err = accounts.ReadEntries(strings.NewReader("\ufeffid, kind ,at,currency,amount,asset\nx,rent,2026-01-01,EUR,90071992547409.93,site/s\n"))
	want := []accounts.LineProblem{{Line: 2, Column: "amount", Detail: "is too large"}}
	if diff := cmp.Diff(want, problems); diff != "" || err != nil || len(lines) != 1 {
		t.Errorf("of a spreadsheet: got %+v, %v, %s", lines, err, diff)
	}
	lines, problems, err = accounts.ReadEntries(strings.NewReader("\ufeff\"id\",\"kind\",\"at\",\"currency\",\"amount\",\"asset\"\n\"x\",\"rent\",\"2026-01-01\",\"EUR\",\"12.00\",\"site/s\"\n"))
	if err != nil || len(problems) > 0 || len(lines) != 1 || lines[0].Entry.Amount != money.Of(1200, "EUR") {
		t.Errorf("of one that quotes: got %+v, %+v, %v", lines, problems, err)
	}
	for name, file := range map[string]string{
		"empty": "", "no id": "kind,at,currency,amount\n", "unknown": "id,kind,at,currency,amount,color\n", "twice": "id,kind,at,currency,amount,id\n",
	} {
		if _, _, err := accounts.ReadEntries(strings.NewReader(file)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	var many strings.Builder
	many.WriteString("id,kind,at,currency,amount,asset\n")
	for i := range 1200 {
		fmt.Fprintf(&many, "x%d,bribe,2026-01-01,EUR,1,site/s\n", i)
	}
	if _, problems, err = accounts.ReadEntries(strings.NewReader(many.String())); err != nil || len(problems) != 1000 {
		t.Errorf("got %d problems, %v, want the first 1000", len(problems), err)
	}
}

func FuzzReadEntries(f *testing.F) {
	f.Add("id,kind,at,currency,amount,asset\nx,rent,2026-01-01,EUR,12.00,site/s\n")
	f.Add("id,kind,at,currency,amount,owner_id\n\"x,rent\n")
	f.Fuzz(func(t *testing.T, file string) {
		lines, problems, err := accounts.ReadEntries(strings.NewReader(file))
		if err != nil {
			return
		}
		bad := map[int]bool{}
		for _, p := range problems {
			bad[p.Line] = true
		}
		for _, l := range lines {
			if p := l.Entry.Check(); len(p) > 0 && !bad[l.Line] {
				t.Errorf("line %d is taken with %v", l.Line, p)
			}
		}
	})
}
