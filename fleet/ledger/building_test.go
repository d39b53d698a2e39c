package ledger_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

func buildingLedger(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{Now: func() time.Time { return time.UnixMilli(5000) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A change of an entry marks the newest day of the buildings it bears on, and of
// no others.
func TestEntriesMarkTheirBuildings(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	day := func(id string, n int64) telemetry.DeviceDay {
		return telemetry.DeviceDay{Kind: devices.KindBuilding, Device: id, Day: n}
	}
	if err := l.MarkDirty(ctx, []telemetry.DeviceDay{day("a", 1), day("a", 7), day("b", 3), {Kind: devices.KindStation, Device: "a", Day: 9}}); err != nil {
		t.Fatal(err)
	}
	_, seq, err := l.Dirty(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	marked := func(what string, want ...telemetry.DeviceDay) {
		t.Helper()
		days, upTo, err := l.Dirty(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		seq = upTo
		var got []telemetry.DeviceDay
		for _, d := range days {
			got = append(got, d.DeviceDay)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v marked, want %v", what, got, want)
		}
	}
	made, err := l.CreateEntry(ctx, ledger.Interventions, "a", func(id string) any { return map[string]string{"id": id} })
	if err != nil || made.ID == "" {
		t.Fatalf("got %+v, %v", made, err)
	}
	marked("an intervention", day("a", 7))
	if _, err := l.PutEntry(ctx, ledger.Tariffs, "", "t", "", 1); err != nil {
		t.Fatal(err)
	}
	marked("a tariff", day("a", 7), day("b", 3))
	if err := l.DeleteEntry(ctx, ledger.Interventions, "a", made.ID); err != nil {
		t.Fatal(err)
	}
	marked("a removal", day("a", 7))
	if err := l.DeleteEntry(ctx, ledger.Interventions, "a", made.ID); !errors.Is(err, ledger.ErrNoEntry) {
		t.Errorf("got %v, want %v", err, ledger.ErrNoEntry)
	}
	if _, err := l.Entry(ctx, ledger.Interventions, "a", made.ID); !errors.Is(err, ledger.ErrNoEntry) {
		t.Errorf("got %v, want %v", err, ledger.ErrNoEntry)
	}
}

// Imports join: of two values of one time the newer stands.
func TestSeriesMerge(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	add := func(to int64, values ...prepare.Point) ledger.SeriesInfo {
		t.Helper()
		info, err := l.MergeSeries(ctx, ledger.ImportedSeries{
			SeriesInfo: ledger.SeriesInfo{Kind: ledger.Prices, ID: "t", To: time.UnixMilli(to)}, Values: values,
		})
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	add(400, prepare.Point{TS: 200, Value: 2}, prepare.Point{TS: 300, Value: 3})
	if info := add(250, prepare.Point{TS: 100, Value: 1.5}, prepare.Point{TS: 200, Value: 9}); info.Points != 3 || info.From.UnixMilli() != 100 || info.To.UnixMilli() != 400 {
		t.Errorf("got %+v", info)
	}
	s, found, err := l.Series(ctx, ledger.Prices, "t")
	want := []prepare.Point{{TS: 100, Value: 1.5}, {TS: 200, Value: 9}, {TS: 300, Value: 3}}
	if err != nil || !found || !slices.Equal(s.Values, want) {
		t.Errorf("got %v, %v, %v, want %v", s.Values, found, err, want)
	}
	if _, found, err := l.Series(ctx, ledger.Factors, "t"); found || err != nil {
		t.Errorf("got %v, %v of another kind", found, err)
	}
}

// Results read back; the history keeps a row for each day, the newest result all.
func TestBuildingResultsReadBack(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	for day := range 3 {
		at := time.UnixMilli(int64(day) * telemetry.Day).UTC()
		saving := float64(day)
		r := &building.Result{Building: "b", AsOf: at, Headline: building.Headline{Building: "b", AsOf: at, Status: building.OK, SavingKWh: &saving}}
		d := building.Day{Number: int64(day), First: at.UnixMilli() + 1, Last: at.UnixMilli() + 2}
		c := &ledger.BuildingChange{Building: "b", Result: r, Days: []building.Day{d}, State: ledger.BuildingState{Prepared: "p", Evaluated: "e"}}
		if err := l.Commit(ctx, ledger.Changes{Job: "buildings", Parts: []ledger.Part{c}}); err != nil {
			t.Fatal(err)
		}
	}
	r, found, err := l.BuildingResult(ctx, "b", ledger.PartHeadline)
	if err != nil || !found || *r.Headline.SavingKWh != 2 || r.AsOf.UnixMilli() != 2*telemetry.Day {
		t.Errorf("got %+v, %v, %v", r, found, err)
	}
	if days, err := l.BuildingDays(ctx, "b"); err != nil || len(days) != 3 {
		t.Errorf("got %d days, %v", len(days), err)
	}
	if h, err := l.BuildingHistory(ctx, "b", 0, 2*telemetry.Day); err != nil || len(h) != 2 || *h[1].SavingKWh != 1 {
		t.Errorf("history: got %+v, %v", h, err)
	}
	if h, err := l.BuildingHeadlinesAsOf(ctx, telemetry.Day); err != nil || len(h) != 1 || *h[0].SavingKWh != 1 {
		t.Errorf("as of: got %+v, %v", h, err)
	}
	if h, err := l.BuildingHeadlines(ctx); err != nil || len(h) != 1 || *h[0].SavingKWh != 2 {
		t.Errorf("newest: got %+v, %v", h, err)
	}
	if s, err := l.BuildingState(ctx, "b"); err != nil || s.Evaluated != "e" {
		t.Errorf("got %+v, %v", s, err)
	}
}

// What a result has kept for the next stays where a newer one keeps the same, and
// the result is as new as its newest part.
func TestBuildingKeepsWhatIsKept(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	kept := map[string]json.RawMessage{"a": json.RawMessage(`{"x":1}`)}
	for day, k := range []map[string]json.RawMessage{kept, nil} {
		r := &building.Result{Building: "b", AsOf: time.UnixMilli(int64(day) * telemetry.Day).UTC(), Kept: k}
		c := &ledger.BuildingChange{Building: "b", Result: r}
		if err := l.Commit(ctx, ledger.Changes{Job: "buildings", Parts: []ledger.Part{c}}); err != nil {
			t.Fatal(err)
		}
		if !c.Evaluated() {
			t.Error("a packed change has no result")
		}
	}
	r, found, err := l.BuildingResult(ctx, "b")
	if err != nil || !found || string(r.Kept["a"]) != `{"x":1}` || r.AsOf.UnixMilli() != telemetry.Day {
		t.Errorf("got %+v, %v, %v", r, found, err)
	}
}

// A number that a client chose for an id is passed over, and a building has room
// for so many measures.
func TestEntriesTakeFreeIDs(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	for id := range 20 {
		if _, err := l.PutEntry(ctx, ledger.Interventions, "a", strconv.Itoa(id+15), "", 1); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 80 {
		if _, err := l.CreateEntry(ctx, ledger.Interventions, "a", func(string) any { return 2 }); err != nil {
			t.Fatalf("entry %d: %v", n, err)
		}
	}
	if all, err := l.Entries(ctx, ledger.Interventions, "a"); err != nil || len(all) != 100 {
		t.Errorf("got %d entries, %v, want 100", len(all), err)
	}
	if _, err := l.CreateEntry(ctx, ledger.Interventions, "a", func(string) any { return 2 }); !errors.Is(err, ledger.ErrTooMany) {
		t.Errorf("create: got %v, want %v", err, ledger.ErrTooMany)
	}
	if _, err := l.PutEntry(ctx, ledger.Interventions, "a", "mine", "", 1); !errors.Is(err, ledger.ErrTooMany) {
		t.Errorf("put: got %v, want %v", err, ledger.ErrTooMany)
	}
	if _, err := l.PutEntry(ctx, ledger.Interventions, "a", "15", "", 3); err != nil {
		t.Errorf("change: got %v", err)
	}
}

// Weather marks the buildings of its scope, and a series may take the place of
// another.
func TestWeatherMarksItsBuildings(t *testing.T) {
	l, ctx := buildingLedger(t), t.Context()
	var days []telemetry.DeviceDay
	for _, id := range []string{"a", "b", "c"} {
		days = append(days, telemetry.DeviceDay{Kind: devices.KindBuilding, Device: id, Day: 1})
	}
	if err := l.MarkDirty(ctx, days); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scope     string
		buildings []string
		want      string
	}{{"building/a", nil, "a"}, {"site/s", []string{"b", "c"}, "bc"}} {
		_, seq, err := l.Dirty(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		for ts := range int64(2) {
			info, err := l.MergeSeries(ctx, ledger.ImportedSeries{
				SeriesInfo: ledger.SeriesInfo{Kind: ledger.TypicalWeather, ID: c.scope}, Replace: true, Buildings: c.buildings,
				Values: []prepare.Point{{TS: ts, Value: 1}},
			})
			if err != nil || info.Points != 1 || info.From.UnixMilli() != ts {
				t.Errorf("got %+v, %v, want the new value alone", info, err)
			}
		}
		marked, _, err := l.Dirty(ctx, seq)
		got := ""
		for _, d := range marked {
			got += d.Device
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q marked, %v, want %q", c.scope, got, err, c.want)
		}
	}
}
