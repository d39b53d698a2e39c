package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

func rent(id string, at, minor int64) accounts.Entry {
	return accounts.Entry{ID: id, At: at, Kind: statement.Rent, Amount: money.Of(minor, "EUR"), Asset: "site/s", Partner: "L", Note: "n"}
}

func TestMoneyStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	shared := accounts.Entry{
		ID: "sub", At: 5, Kind: statement.Subscription, Amount: money.Of(-1<<53, "JPY"),
		Among: []statement.Portion{{Asset: "battery/a", Weight: 2}, {Asset: "battery/b", Weight: 1}},
	}
	enter := func(want int, entries ...accounts.Entry) {
		t.Helper()
		created, err := l.EnterMoney(ctx, entries, "ann")
		ok(t, err)
		if created != want {
			t.Errorf("created: got %d, want %d", created, want)
		}
	}
	enter(2, rent("b", 10, 100), shared)
	enter(1, rent("b", 10, 100), rent("a", 10, 7))
	if n, err := l.EnterMoney(ctx, []accounts.Entry{rent("new", 1, 1), rent("b", 10, 101)}, "bob"); n != 0 || !errors.Is(err, ledger.ErrBooked) {
		t.Errorf("another of the same id: got %d, %v", n, err)
	}
	first := rent("b", 10, 100)
	enter(1, first.Reversal("", 20, "twice"))
	enter(0, first.Reversal("", 20, "twice"))
	for name, tt := range map[string]struct {
		of   accounts.Entry
		want error
	}{
		"twice":      {first.Reversal("again", 20, "twice"), ledger.ErrReversed},
		"a reversal": {ptr(first.Reversal("", 20, "twice")).Reversal("back", 20, "back"), ledger.ErrReversed},
		"nothing":    {ptr(rent("none", 1, 1)).Reversal("", 1, "x"), ledger.ErrNoMoney},
	} {
		if _, err := l.EnterMoney(ctx, []accounts.Entry{tt.of}, "ann"); !errors.Is(err, tt.want) {
			t.Errorf("reverse %s: got %v, want %v", name, err, tt.want)
		}
	}
	read := func(q ledger.MoneyQuery) (ids []string) {
		t.Helper()
		found, err := l.Money(ctx, q)
		ok(t, err)
		for _, e := range found {
			if e.EnteredBy != "ann" || e.EnteredAt == 0 {
				t.Errorf("%s: entered by %q at %d", e.ID, e.EnteredBy, e.EnteredAt)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	for name, tt := range map[string]struct {
		q    ledger.MoneyQuery
		want []string
	}{
		"all":      {ledger.MoneyQuery{}, []string{"sub", "a", "b", "b:reversal"}},
		"asset":    {ledger.MoneyQuery{Asset: "site/s"}, []string{"a", "b", "b:reversal"}},
		"kind":     {ledger.MoneyQuery{Kinds: []statement.Kind{statement.Subscription}}, []string{"sub"}},
		"window":   {ledger.MoneyQuery{Window: telemetry.Window{From: 10, To: 20}}, []string{"a", "b"}},
		"partner":  {ledger.MoneyQuery{Partner: "M"}, nil},
		"ids":      {ledger.MoneyQuery{IDs: []string{"a", "zz"}}, []string{"a"}},
		"no ids":   {ledger.MoneyQuery{IDs: []string{}}, nil},
		"an owner": {ledger.MoneyQuery{Owner: "o"}, nil},
	} {
		if diff := cmp.Diff(tt.want, read(tt.q)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	found, err := l.Money(ctx, ledger.MoneyQuery{IDs: []string{"sub"}})
	ok(t, err)
	if !found[0].Same(&shared) {
		t.Errorf("got %+v, want %+v", found[0], shared)
	}
}

func TestTermsStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	put := func(id string, v any, version int64) {
		t.Helper()
		term, err := l.PutTerm(ctx, ledger.PriceTerms, id, "ann", v)
		ok(t, err)
		if term.Version != version || term.ChangedBy != "ann" {
			t.Errorf("%s: got %+v, want version %d", id, term, version)
		}
	}
	put("b", 1, 1)
	put("b", 1, 1)
	put("b", 2, 2)
	put("a", 3, 1)
	put("c", 4, 1)
	put("c", nil, 2)
	if _, err := l.PutTerm(ctx, ledger.PriceTerms, "c", "ann", nil); !errors.Is(err, ledger.ErrNoMoney) {
		t.Errorf("withdrawn twice: got %v", err)
	}
	if _, err := l.PutTerm(ctx, ledger.ContractTerms, "b", "ann", nil); !errors.Is(err, ledger.ErrNoMoney) {
		t.Errorf("withdraw nothing: got %v", err)
	}
	all, err := l.Terms(ctx, ledger.PriceTerms)
	ok(t, err)
	got := map[string]string{}
	for _, term := range all {
		got[term.ID] = string(term.Payload)
	}
	if diff := cmp.Diff(map[string]string{"a": "3", "b": "2"}, got); diff != "" {
		t.Error(diff)
	}
	put("c", 5, 3)
	history, err := l.TermHistory(ctx, ledger.PriceTerms, "c")
	ok(t, err)
	if len(history) != 3 || history[0].Version != 3 || len(history[1].Payload) != 0 {
		t.Errorf("history: got %+v", history)
	}
	if _, err := l.TermHistory(ctx, ledger.ContractTerms, "c"); !errors.Is(err, ledger.ErrNoMoney) {
		t.Errorf("history of nothing: got %v", err)
	}
}

func TestClosingsStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	told := func(m string) accounts.Statement {
		month, err := statement.ParseMonth(m)
		ok(t, err)
		return accounts.Statement{
			Statement: statement.Statement{Owner: "o", Month: month, Zone: "UTC", Sections: []statement.Section{{Currency: "EUR", Lines: []statement.Line{{
				Kind: statement.Rent, Amount: money.Of(-1<<60, "EUR"), Entries: []statement.Entry{{Event: "e", At: 1, Amount: money.Of(-1<<60, "EUR")}},
			}}}}},
			Corrections: []accounts.Correction{{Month: month, Minor: 3}}, Output: map[string]accounts.Deeds{"a": {Swaps: 2}},
		}
	}
	for _, m := range []string{"2026-02", "2026-01"} {
		c, err := l.CloseMonth(ctx, "o", m, "ann", told(m))
		ok(t, err)
		if c.ClosedBy != "ann" || c.ClosedAt == 0 {
			t.Errorf("got %+v", c)
		}
	}
	if _, err := l.CloseMonth(ctx, "o", "2026-01", "bob", accounts.Statement{}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("closed twice: got %v", err)
	}
	all, err := l.Closings(ctx, "o")
	ok(t, err)
	if len(all) != 2 || all[0].Month != "2026-01" || all[1].ClosedBy != "ann" {
		t.Fatalf("got %+v", all)
	}
	if diff := cmp.Diff(told("2026-01"), all[0].Told); diff != "" {
		t.Error(diff)
	}
	if none, err := l.Closings(ctx, "p"); err != nil || len(none) != 0 {
		t.Errorf("of another owner: got %v, %v", none, err)
	}
}

func TestPaidSwaps(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	event := func(station, id string, ts int64, kind, data string) telemetry.Event {
		return telemetry.Event{Kind: devices.KindStation, Device: station, ID: id, TS: ts, Type: kind, Data: []byte(data)}
	}
	_, err := l.AppendEvents(ctx, []telemetry.Event{
		event("b", "2", 20, "swap.completed", `{"battery_out":"x","energy_wh":1000.25}`),
		event("b", "1", 10, "swap.completed", `{"battery_out":7,"energy_wh":"much"}`),
		event("a", "1", 30, "swap.completed", `[]`),
		event("a", "2", 31, "swap.failed", `{}`),
		event("c", "1", 40, "swap.completed", `{"energy_wh":-3}`),
	})
	ok(t, err)
	read := func(stations []string, from, to int64) []accounts.Swap {
		t.Helper()
		var out []accounts.Swap
		ok(t, l.PaidSwaps(ctx, stations, telemetry.Window{From: from, To: to}, func(s accounts.Swap) error {
			out = append(out, s)
			return nil
		}))
		return out
	}
	want := []accounts.Swap{
		{Station: "a", ID: "1", At: 30}, {Station: "b", ID: "1", At: 10}, {Station: "b", ID: "2", At: 20, Battery: "x", MilliWh: ptr(int64(1000250))},
		{Station: "c", ID: "1", At: 40, MilliWh: ptr(int64(-3000))},
	}
	if diff := cmp.Diff(want, read(nil, 0, 100)); diff != "" {
		t.Errorf("all: %s", diff)
	}
	if diff := cmp.Diff(want[1:2], read([]string{"b"}, 10, 20)); diff != "" {
		t.Errorf("one station in a window: %s", diff)
	}
	if got := read([]string{}, 0, 100); got != nil {
		t.Errorf("no station: got %+v", got)
	}
	stop := errors.New("stop")
	if err := l.PaidSwaps(ctx, nil, telemetry.Window{From: 0, To: 100}, func(accounts.Swap) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of take", err)
	}
}

// Spans are those of what is asked about, in the window of each.
func TestMoneySpans(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	for i, ts := range []int64{10, 20, 30} {
		_, err := l.AppendEvents(ctx, []telemetry.Event{
			{Kind: devices.KindStation, Device: "a", ID: fmt.Sprint(i), TS: ts, Type: "swap.completed"},
			{Kind: devices.KindStation, Device: "b", ID: fmt.Sprint(i), TS: 10 * ts, Type: "swap.completed"},
			{Kind: devices.KindStation, Device: "a", ID: fmt.Sprint("failed", i), TS: 100 * ts, Type: "swap.failed"},
		})
		ok(t, err)
		var days []ledger.StationDay
		for k, known := range []int64{0, 5, 0} { // of three days that begin one after the other the middle one
			d := station.Day{Day: 3*int64(i) + int64(k), Window: station.Window{From: ts + int64(k), To: ts + int64(k) + 1}, Readings: 1, Meter: station.Meter{KnownMS: known}}
			days = append(days, ledger.StationDay{Day: d, Totals: station.Totals{MeterMS: known}})
		}
		ok(t, l.Commit(ctx, ledger.Changes{Parts: []ledger.Part{
			ledger.StationResults{Station: "a", Rules: "r", Days: days},
			ledger.StationSwaps{Station: "a", Day: ts, Batteries: map[string]dossier.Swaps{"x": {Out: 1}, "y": {In: 1}}},
			ledger.StationSwaps{Station: "b", Day: ts + 1, Batteries: map[string]dossier.Swaps{"x": {Out: 1}, "z": {Out: 1}}},
		}}))
	}
	held := func(id string, from, to int64) ledger.Held {
		return ledger.Held{ID: id, Window: telemetry.Window{From: from, To: to}}
	}
	all := func(id string) ledger.Held { return held(id, math.MinInt64, math.MaxInt64) }
	many := []ledger.Held{all("x")}
	for i := range 1200 {
		many = append(many, all(fmt.Sprint("none", i)))
	}
	const day = telemetry.Day
	for _, tt := range []struct {
		name        string
		span        func(context.Context, []ledger.Held) (first, last int64, found bool, err error)
		of          []ledger.Held
		first, last int64 // of nothing: 0
	}{
		{"swaps", l.SwapSpan, []ledger.Held{all("b"), all("a"), all("none")}, 10, 300},
		{"swaps in windows", l.SwapSpan, []ledger.Held{held("a", 11, 30), held("b", 0, 101)}, 20, 100},
		{"no swaps", l.SwapSpan, []ledger.Held{held("a", 0, 10), all("none")}, 0, 0},
		{"of nobody", l.SwapSpan, nil, 0, 0},
		{"batteries", l.HandedSpan, []ledger.Held{all("x")}, 10 * day, 32*day - 1},
		{"of a part of a day", l.HandedSpan, []ledger.Held{held("x", 11*day+5, 20*day+1)}, 11 * day, 21*day - 1},
		{"up to a day", l.HandedSpan, []ledger.Held{held("x", 11*day+5, 20*day)}, 11 * day, 12*day - 1},
		{"many", l.HandedSpan, many, 10 * day, 32*day - 1},
		{"never handed out", l.HandedSpan, []ledger.Held{all("y")}, 0, 0},
		{"energy", l.DrawnSpan, []ledger.Held{all("a"), all("b")}, 11, 31},
		{"energy in a window", l.DrawnSpan, []ledger.Held{held("a", 12, 31)}, 21, 21},
	} {
		first, last, found, err := tt.span(ctx, tt.of)
		if err != nil || found != (tt.last != 0) || found && (first != tt.first || last != tt.last) {
			t.Errorf("%s: got %d to %d, %v, %v, want %d to %d", tt.name, first, last, found, err, tt.first, tt.last)
		}
	}
}

func TestKeptMonthsStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	in := accounts.Inputs{Swaps: 3, Prices: map[string]int64{"p": 2, "q": 1}, Contracts: map[string]int64{}, Rest: "r"}
	told := accounts.Statement{Statement: statement.Statement{Month: statement.Month{Year: 2026, Month: 3}}, BuiltAt: 100, Gaps: []accounts.Gap{{Code: accounts.NoPrice, Asset: "station/s", Count: 2}}}
	kept := func(of accounts.Inputs, now int64) *accounts.Statement {
		t.Helper()
		got, is, err := l.KeptMonth(ctx, "o", "2026-03", of, now)
		ok(t, err)
		if is != (got != nil) {
			t.Errorf("got %v and %v", is, got)
		}
		return got
	}
	if got := kept(in, 0); got != nil {
		t.Errorf("before anything was kept: got %+v", got)
	}
	for _, until := range []int64{500, 0} { // the second takes the place of the first
		told.BuiltAt++
		ok(t, l.KeepMonth(ctx, "o", "2026-03", accounts.Month{Inputs: in, Until: until, Told: told}))
		if diff := cmp.Diff(&told, kept(in, 499)); diff != "" {
			t.Error(diff)
		}
		if got := kept(in, 500); (got == nil) != (until > 0) {
			t.Errorf("until %d: got %+v at 500", until, got)
		}
	}
	other := in
	other.Prices = map[string]int64{"p": 3, "q": 1}
	if got := kept(other, 0); got != nil {
		t.Errorf("of another version of a price: got %+v", got)
	}
}

// What months are made of is told apart: any change of what is asked about, and
// nothing else.
func TestMoneyInputs(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	swap := func(station, id, kind string, ts int64) {
		_, err := l.AppendEvents(ctx, []telemetry.Event{{Kind: devices.KindStation, Device: station, ID: id, TS: ts, Type: kind, Data: []byte(`{}`)}})
		ok(t, err)
	}
	swap("a", "1", "swap.completed", 10)
	swap("a", "1", "swap.completed", 10) // the same
	swap("a", "2", "swap.failed", 10)
	swap("a", "3", "swap.completed", 20) // behind the window
	swap("b", "1", "swap.completed", 19)
	swap("c", "1", "swap.completed", 15) // of nobody that is asked about
	for _, tt := range []struct {
		stations []string
		want     map[string]int64
	}{
		{[]string{"a", "b", "none"}, map[string]int64{"a": 1, "b": 1}},
		{[]string{}, map[string]int64{}},
		{nil, map[string]int64{"a": 1, "b": 1, "c": 1}},
	} {
		got, err := l.SwapCounts(ctx, tt.stations, telemetry.Window{From: 10, To: 20})
		ok(t, err)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("swaps at %q: %s", tt.stations, diff)
		}
	}
	draw := func(id string, day, mwh int64) {
		hours := rollup.Day{Hours: []rollup.Bucket{{Start: day * telemetry.Day, Stats: []rollup.Stat{{Field: "energy_wh", Samples: int(mwh)}}}}}
		ok(t, l.Commit(ctx, ledger.Changes{
			Rollups: []ledger.RollupDay{{DeviceDay: telemetry.DeviceDay{Kind: devices.KindStation, Device: id, Day: day}, Day: hours}},
		}))
	}
	digest := func(hours bool) string {
		t.Helper()
		d, err := l.DrawnDigest(ctx, []string{"a"}, 5, 6, hours)
		ok(t, err)
		return d
	}
	days, hours := digest(false), digest(true)
	draw("a", 6, 1)
	if digest(false) != days || digest(true) == hours {
		t.Error("hours count where they are asked about, and there alone")
	}
	hours = digest(true)
	draw("b", 6, 1)
	draw("a", 9, 1)
	if digest(true) != hours {
		t.Error("another station or day changes it")
	}
	draw("a", 6, 2)
	if digest(true) == hours {
		t.Error("a change does not")
	}
	ok(t, l.Commit(ctx, ledger.Changes{Parts: []ledger.Part{ledger.StationResults{Station: "a", Rules: "r", Days: []ledger.StationDay{{Day: station.Day{Day: 5, Readings: 1}}}}}}))
	if digest(false) == days {
		t.Error("a day that was worked out does not change it")
	}
}
