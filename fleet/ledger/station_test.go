package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// stationDay is a day of which every sum is another number.
func stationDay(day int64) ledger.StationDay {
	c := station.CalendarOf(time.UTC)
	n := day % 100
	d := station.Day{Day: day, Window: c.Window(day), Readings: 5, Heard: 1000 + n}
	d.States = station.StateTime{MS: map[string]int64{"in_service": 900 + n, "fault": 7 * n}, Reports: 3}
	d.Slots = station.SlotTime{
		CoveredMS: 800 + n, ChargingMS: 790 + n, Total: 9600 + n, Ready: 4000 + n, Charging: 2000 + n, Faulty: 11 * n,
		ByReady: map[int]int64{0: 13 * n, 5: 700}, Reports: 3,
	}
	d.Meter = station.Meter{MilliWh: 17 * n, KnownMS: 600 + n, Resets: 1}
	d.Charges = station.Charges{Count: int(2 * n), MilliWh: 19 * n, Told: 1, ReturnS: []float64{float64(n), 30}}
	one, took, wh := 1, 120.5, 900.25
	for k := range n {
		at := d.From + k*1000
		d.Visits = append(d.Visits, station.Visit{At: at + 60_000, Came: at, Outcome: station.Done, SwapS: &took, EnergyWh: &wh, Charged: &one})
	}
	d.Visits = append(d.Visits,
		station.Visit{At: d.From + 9*3600_000, Outcome: station.Failed, Reason: "queue_full"},
		station.Visit{At: d.From + 10*3600_000, Outcome: station.Reneged})
	return ledger.StationDay{Day: d, Totals: d.Totals(c, station.ForStation())}
}

func commitStation(t *testing.T, l *ledger.Ledger, r ledger.StationResults) {
	t.Helper()
	if err := l.Commit(t.Context(), ledger.Changes{Job: "stations", Parts: []ledger.Part{r}}); err != nil {
		t.Fatal(err)
	}
}

func TestStationDaysStored(t *testing.T) {
	l := fresh(t)
	days := []ledger.StationDay{stationDay(20010), stationDay(20011), stationDay(20013)}
	commitStation(t, l, ledger.StationResults{Station: "a", Rules: "r1", Days: days})
	commitStation(t, l, ledger.StationResults{Station: "b", Rules: "r1", Days: days[:1]})
	read := func(first, last int64) []station.Day {
		t.Helper()
		got, err := l.StationDays(t.Context(), "a", first, last)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if diff := cmp.Diff([]station.Day{days[1].Day, days[2].Day}, read(20011, 20013)); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	// The sums in columns are those of the days.
	want := days[0].Totals
	want.Add(&days[1].Totals)
	got, err := l.StationTotals(t.Context(), 20010, 20012)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]station.Totals{"a": want, "b": days[0].Totals}, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	spans, err := l.StationSpans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]ledger.DaySpan{"a": {20010, 20013}, "b": {20010, 20010}}, spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if span, ok, err := l.StationSpan(t.Context(), "a"); err != nil || !ok || span != spans["a"] {
		t.Errorf("span: got %v, %v, %v", span, ok, err)
	}
	if _, ok, err := l.StationSpan(t.Context(), "none"); err != nil || ok {
		t.Errorf("span of nobody: got %v, %v", ok, err)
	}

	// A day is replaced, one that holds nothing any more goes.
	changed := stationDay(20099)
	changed.Day.Day = 20011
	commitStation(t, l, ledger.StationResults{Station: "a", Rules: "r2", Days: []ledger.StationDay{changed}, Empty: []int64{20010}})
	if got := read(0, 30000); len(got) != 2 || len(got[0].Visits) != len(changed.Visits) {
		t.Errorf("after a change: got %d days", len(got))
	}
	if rules, err := l.StationRules(t.Context(), "a"); err != nil || !cmp.Equal(rules, []string{"r1", "r2"}) {
		t.Errorf("rules: got %v, %v", rules, err)
	}
	commitStation(t, l, ledger.StationResults{Station: "a", Rules: "r2", Days: days[:1], Afresh: true})
	if got := read(0, 30000); len(got) != 1 || got[0].Day != 20010 {
		t.Errorf("afresh: got %d days", len(got))
	}
}

func TestStationFaultsStored(t *testing.T) {
	l := fresh(t)
	faults := []station.Fault{{From: 5, To: 9, Slot: 2, Code: "x", Attended: 7}, {From: 6, Code: "y"}}
	commitStation(t, l, ledger.StationResults{Station: "a", Faults: faults})
	commitStation(t, l, ledger.StationResults{Station: "b", Faults: faults[1:]})
	commitStation(t, l, ledger.StationResults{Station: "a"}) // as they were
	got, err := l.StationFaults(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]station.Fault{"a": faults, "b": faults[1:]}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	commitStation(t, l, ledger.StationResults{Station: "a", Faults: []station.Fault{}})
	if got, err := l.StationFaults(t.Context(), "a"); err != nil || len(got) != 0 {
		t.Errorf("after all were withdrawn: got %v, %v", got, err)
	}
}
