package ledger_test

import (
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// factsOf is a day with so many readings and some measurements.
func factsOf(day int64, readings int, found ...battery.Capacity) dossier.Day {
	d := dossier.Measure(day, nil, dossier.Sheet{}, dossier.DefaultRules()) // an empty day
	d.Readings, d.Capacities = readings, found
	return d
}

func commitBatteries(t *testing.T, l *ledger.Ledger, results ...ledger.BatteryResult) {
	t.Helper()
	var parts []ledger.Part
	for _, r := range results {
		parts = append(parts, ledger.BatteryResults{r})
	}
	ok(t, l.Commit(t.Context(), ledger.Changes{Job: "battery", Parts: parts}))
}

// A day is replaced by one of as many readings or more, and its measurements with
// it; never by one of fewer.
func TestBatteryDaysStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	const day5 = 5 * telemetry.Day
	early, late := capacity(battery.FullDischarge, day5, 1.856487), capacity(battery.FullDischarge, day5+telemetry.Day-1, 1.8)
	window, next := capacity(battery.SoCWindow, day5, 1.9), capacity(battery.SoCWindow, day5+telemetry.Day, 1.7)
	check := func(what string, want ...battery.Capacity) {
		t.Helper()
		got, err := l.Capacities(ctx, devices.Ref{Kind: devices.KindBattery, ID: "b"})
		ok(t, err)
		if len(got) != len(want) {
			t.Fatalf("%s: got %d capacities, want %d", what, len(got), len(want))
		}
		for k := range want {
			if got[k].From != want[k].From || got[k].Method != want[k].Method || math.Abs(got[k].CapacityAh/want[k].CapacityAh-1) > 1e-7 {
				t.Errorf("%s: got %+v, want %+v", what, got[k], want[k])
			}
		}
	}
	check("before any")
	commitBatteries(t, l,
		ledger.BatteryResult{Device: "b", Days: []dossier.Day{factsOf(6, 9, next), factsOf(5, 10, late, window, early)}},
		ledger.BatteryResult{Device: "a", Days: []dossier.Day{factsOf(5, 1, early)}})
	check("by start, then method", early, window, late, next)
	commitBatteries(t, l, ledger.BatteryResult{Device: "b", Days: []dossier.Day{factsOf(5, 9)}})
	check("fewer readings", early, window, late, next)
	commitBatteries(t, l, ledger.BatteryResult{Device: "b", Days: []dossier.Day{factsOf(5, 10, late)}})
	check("as many readings", late, next)

	days, err := l.BatteryDays(ctx, "b", 5, 6)
	ok(t, err)
	if len(days) != 1 || days[0].Day != 5 || days[0].Readings != 10 {
		t.Errorf("got days %+v, want the fifth alone", days)
	}
	found, err := l.BatteryFindings(ctx, []string{"a", "b", "nobody"}, 5, 7)
	ok(t, err)
	if len(found) != 2 || len(found["b"]) != 2 || found["b"][1].Day != 6 || len(found["a"]) != 1 {
		t.Errorf("got findings %+v", found)
	}
	other, err := l.Capacities(ctx, devices.Ref{Kind: devices.KindStation, ID: "b"})
	ok(t, err)
	if len(other) != 0 {
		t.Errorf("got capacities of a station")
	}
}

// Dossiers, points, standings and records come back as they were saved; records
// from the day given on are replaced, those before stay.
func TestBatteryStateStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	x := dossier.New("b")
	x.Newest = []battery.Capacity{capacity(battery.SoCWindow, 9, 2), capacity(battery.FullDischarge, 1, 3)}
	points := []battery.HealthPoint{{At: 7, SoH: 0.1 + 0.2, StdErr: 1e-3, Expected: battery.Ageing{Days: 3}}}
	all := dossier.Standing{
		Device: "b", Day: 20, First: 3, Days: 12, ToldDay: 19, Status: "ok", HealthScore: ptr(81.25), SoHPct: ptr(90.5), BehindKnee: true,
		OutlookStatus: "ok", RULDays: battery.Interval{Low: ptr(1.0), Median: ptr(2.0)}, ReplaceAt: battery.Interval{Median: ptr(1.7e12)},
		ThroughputWh: 1e6, Swaps: 3, SwapsPerDay: ptr(0.1), Events: 2, WarrantyState: "near", Covered: true, SoCPct: ptr(0.0), SoCAt: 5, CommissionedAt: 6,
	}
	none := dossier.Standing{Device: "a", Status: "insufficient_data", Reason: "why", OutlookReason: "why not"}
	records := []dossier.Record{{Day: 6, HealthScore: ptr(80.5)}, {Day: 13, ReplaceAt: battery.Interval{Low: ptr(1.7e12 + 1)}}, {Day: 20}}
	commitBatteries(t, l,
		ledger.BatteryResult{Device: "b", State: x.Append(nil), Points: dossier.AppendPoints(nil, points), Standing: &all, History: records},
		ledger.BatteryResult{Device: "a", Standing: &none})

	dossiers, err := l.Dossiers(ctx, []string{"a", "b"})
	ok(t, err)
	if len(dossiers) != 1 {
		t.Fatalf("got %d dossiers, want 1", len(dossiers))
	}
	same(t, "dossier", dossiers["b"].Append(nil), x.Append(nil))
	gotPoints, err := l.HealthPoints(ctx, []string{"a", "b"})
	ok(t, err)
	same(t, "points", gotPoints, map[string][]battery.HealthPoint{"b": points})
	latest, err := l.LatestCapacities(ctx, devices.KindBattery)
	ok(t, err)
	same(t, "latest capacities", latest, map[string][]battery.Capacity{"b": {x.Newest[1], x.Newest[0]}})
	standings, err := l.Standings(ctx)
	ok(t, err)
	same(t, "standings", standings, []dossier.Standing{none, all})
	standings, err = l.StandingsOf(ctx, []string{"b", "nobody"})
	ok(t, err)
	same(t, "standings of one", standings, []dossier.Standing{all})

	history := func(what string, want ...dossier.Record) {
		t.Helper()
		got, err := l.BatteryHistory(ctx, "b", 0, 100)
		ok(t, err)
		same(t, what, got, want)
		n := 0
		ok(t, l.BatteryHistories(ctx, 0, 100, func(id string, r dossier.Record) error {
			same(t, what+", of all", r, want[n])
			n++
			return nil
		}))
	}
	history("history", records...)
	later := dossier.Record{Day: 14, HealthScore: ptr(70.5)}
	commitBatteries(t, l, ledger.BatteryResult{Device: "b", Since: 13, History: []dossier.Record{later}})
	history("replaced from a day on", records[0], later)
}

// Swaps of a station and day replace those of before, and add up over stations.
func TestBatterySwapsStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	commit := func(s ...ledger.StationSwaps) {
		t.Helper()
		var parts []ledger.Part
		for _, p := range s {
			parts = append(parts, p)
		}
		ok(t, l.Commit(ctx, ledger.Changes{Job: "battery-swaps", Parts: parts}))
	}
	commit(
		ledger.StationSwaps{Station: "s", Day: 4, Batteries: map[string]dossier.Swaps{"a": {Out: 1}, "b": {In: 1, Out: 2}}},
		ledger.StationSwaps{Station: "r", Day: 4, Batteries: map[string]dossier.Swaps{"b": {In: 3}}},
		ledger.StationSwaps{Station: "s", Day: 5, Batteries: map[string]dossier.Swaps{"b": {In: 1}}})
	commit(ledger.StationSwaps{Station: "s", Day: 5, Batteries: map[string]dossier.Swaps{"b": {Out: 7}}})
	want := []dossier.Swaps{{Day: 4, In: 4, Out: 2}, {Day: 5, Out: 7}}
	got, err := l.BatterySwaps(ctx, "b", 0, 9)
	ok(t, err)
	same(t, "of one", got, want)
	for _, tt := range []struct {
		id       string
		from, to int64
		want     bool
	}{
		{"b", math.MinInt64, 4, false}, {"b", math.MinInt64, 5, true}, {"b", 5, 6, true}, {"b", 6, math.MaxInt64, false}, {"b", 5, 5, false},
		{"a", 5, 9, false}, {"c", math.MinInt64, math.MaxInt64, false},
	} {
		was, err := l.Swapped(ctx, tt.id, tt.from, tt.to)
		ok(t, err)
		if was != tt.want {
			t.Errorf("%s swapped from %d to %d: got %v", tt.id, tt.from, tt.to, was)
		}
	}
	all, err := l.SwapsByDay(ctx, []string{"a", "b", "c"}, 4, 6)
	ok(t, err)
	same(t, "of several", all, map[string][]dossier.Swaps{"a": {{Day: 4, Out: 1}}, "b": want})
}

// Today's use is that of one day; that of another is not given out for it.
func TestBatteryTodayStored(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	_, found, err := l.BatteryToday(ctx, "b")
	ok(t, err)
	if found {
		t.Error("there is one before any was saved")
	}
	for day := int64(3); day < 5; day++ {
		today := dossier.NewToday(day)
		today.Add(dossier.Reading{Sample: battery.Sample{TS: day*telemetry.Day + 5, VoltageV: 50, CurrentA: 1}, State: "riding"}, dossier.Sheet{}, dossier.DefaultRules())
		ok(t, l.Commit(ctx, ledger.Changes{Job: "battery-today", Parts: []ledger.Part{ledger.BatteriesToday{"b": today}}}))
	}
	got, found, err := l.BatteryToday(ctx, "b")
	ok(t, err)
	if !found || got.Day != 4 || got.Readings != 1 || got.State != "riding" {
		t.Errorf("got %+v, %v, want one reading of day 4", got, found)
	}
	for day, want := range map[int64]int{3: 0, 4: 1} {
		some, err := l.BatteriesToday(ctx, []string{"b", "c"}, day)
		ok(t, err)
		if len(some) != want {
			t.Errorf("day %d: got %d batteries, want %d", day, len(some), want)
		}
	}
}
