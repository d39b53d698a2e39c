package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/compare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// A buyer is told of a building what it is, and what it did since he has had it:
// figures of the seller's time are marked by 4711, those of his own by 1234.
func TestYearsOfAnother(t *testing.T) {
	x, sale := sold(t, func(*Options) {})
	const id, theirs, own = "alpha7f3-building", 4711, 1234
	before, after, last := sale.Add(-time.Hour), sale.Add(time.Hour), sale.Add(72*time.Hour)
	past, present := energy.Period{From: before, To: after}, energy.Period{From: after, To: last}
	money := func(minor int64) *tariff.Money { return &tariff.Money{Minor: minor, Currency: "EUR"} }
	year := building.MeterCost{Basis: building.Basis{Status: building.OK}, Latest: &tariff.Bill{Period: past, Use: theirs},
		Years: map[string]tariff.Bill{"2025": {Period: past, Use: theirs}, "2026": {Period: present, Use: own}}}
	emitted := building.MeterCarbon{Basis: building.Basis{Status: building.OK}, Latest: &carbon.Location{Period: past, KG: theirs},
		Years: map[string]carbon.Location{"2025": {Period: past, KG: theirs}, "2026": {Period: present, KG: own}}}
	x.commit(ledger.Changes{Parts: []ledger.Part{&ledger.BuildingChange{Building: id, Result: &building.Result{
		Building: id, AsOf: sale.AddDate(0, 0, 5),
		Cost:   building.Cost{Meters: []building.MeterCost{year, {Latest: &tariff.Bill{Period: present, Use: own}}}},
		Carbon: building.Carbon{Meters: []building.MeterCarbon{emitted}, Market: &carbon.Market{KG: theirs}},
		Demand: building.Demand{Months: []building.MonthlyMaximum{{Month: "2026-02", PeakKW: theirs}, {Month: "2026-03", PeakKW: own}}},
		Usage: building.Usage{Meters: []building.MeterUse{
			{Use: energy.Known(own), YearOnYear: &compare.Years{Before: past, Earlier: theirs}}, {YearOnYear: &compare.Years{Before: present, Earlier: own}},
		}},
		Anomaly: []building.Anomalies{{
			Days: []watch.Anomaly{{Start: before, Observed: theirs}, {Start: after, Observed: own}},
			Shifts: []building.Shift{
				{Shift: watch.Shift{Onset: before, End: &sale, PerRow: theirs}},
				{Shift: watch.Shift{Onset: before, PerRow: own}, Cost: money(theirs)},
				{Shift: watch.Shift{Onset: after, PerRow: own}, Cost: money(own)},
			},
		}},
		Savings: []building.Saving{{Assessment: &assess.Assessment{Avoided: &savings.Avoided{
			Saving: own, Series: []savings.Point{{Start: before, Cumulative: theirs}, {Start: after, Cumulative: own}},
		}}}},
	}}}})
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	for _, c := range []struct {
		path        string
		theirs, own int
	}{
		{"cost", 2, 2}, {"carbon", 3, 1}, {"demand", 1, 1}, {"usage", 1, 2}, {"anomalies", 3, 4}, {"savings?series=true", 1, 3},
	} {
		at := prefix + "/buildings/" + id + "/" + c.path
		count := func(body string) [2]int { return [2]int{strings.Count(body, ":4711"), strings.Count(body, ":1234")} }
		if got, want := count(x.ask(b, http.MethodGet, at, "").body), [2]int{0, c.own}; got != want {
			t.Errorf("%s: the buyer is told of %v figures, want %v", c.path, got, want)
		}
		if got, want := count(x.get(at).body), [2]int{c.theirs, c.own}; got != want {
			t.Errorf("%s: an administrator is told of %v figures, want %v", c.path, got, want)
		}
	}
	if got := x.ask(b, http.MethodGet, prefix+"/buildings/"+id+"/cost", "").body; !strings.Contains(got, `"code":"before_present_owner"`) {
		t.Errorf("no reason why there is no year in %s", got)
	}
	for key, want := range map[string]bool{b: true, testKey: false} {
		page := x.ask(key, http.MethodGet, prefix+"/buildings/"+id+"/savings/report?format=md", "")
		if got := strings.Contains(page.body, "begin on "+sale.Format("2 January 2006")); got != want || page.status != http.StatusOK {
			t.Errorf("report: got %v %s, want %v", got, page.body, want)
		}
	}
}

// A month begins with the midnight of the building's calendar.
func TestMonthOfTheSale(t *testing.T) {
	for _, c := range []struct {
		day  int64
		want bool
	}{
		{telemetry.DayOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), false},
		{telemetry.DayOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()), true},
	} {
		if got := (ownership{day: c.day}).beforeMonth("2026-03"); got != c.want {
			t.Errorf("from day %d: got %v, want %v", c.day, got, c.want)
		}
	}
	x, _ := sold(t, func(*Options) {})
	x.commit(ledger.Changes{Parts: []ledger.Part{&ledger.BuildingChange{Building: "alpha7f3-building", Result: &building.Result{
		Building: "alpha7f3-building", AsOf: clock, Demand: building.Demand{Months: []building.MonthlyMaximum{{Month: "2026-01"}, {Month: "2026-02"}}},
	}}}})
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	midnight := time.Date(2026, 2, 1, 0, 0, 0, 0, time.FixedZone("", 3600)) // in Berlin
	for at, want := range map[time.Time][]string{midnight: {`"month":"2026-02"`}, midnight.Add(30 * time.Minute): nil} {
		if a := x.do(http.MethodPatch, prefix+"/buildings/alpha7f3-building", `{"owner_since":"`+at.Format(time.RFC3339)+`"}`); a.status != http.StatusOK {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		got := regexp.MustCompile(`"month":"[0-9-]*"`).FindAllString(x.ask(b, http.MethodGet, prefix+"/buildings/alpha7f3-building/demand", "").body, -1)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("since %s: %s", at, diff)
		}
	}
}

// A station that was down at the sale is down for its buyer, from the sale on.
func TestFaultOverTheSale(t *testing.T) {
	x, sale := sold(t, func(*Options) {})
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	const day = 24 * 3600_000
	ms := sale.UnixMilli()
	x.commit(ledger.Changes{Parts: []ledger.Part{ledger.StationResults{Station: "alpha7f3-station", Rules: "r", Faults: []station.Fault{
		{From: ms - 3*day, To: ms, Code: "mended before"},
		{From: ms - 2*day, To: ms + 3*day, Slot: 2, Code: "mended since", Attended: ms + 2*day},
		{From: ms - day, Code: "dead", Attended: ms - day/2},
	}}}})
	const at = prefix + "/stations/alpha7f3-station/reliability?days=30"
	var got StationReliabilityAnswer
	x.ask(b, http.MethodGet, at, "").into(t, &got)
	attended, mended := Time(ms+2*day), Time(ms+3*day)
	if diff := cmp.Diff([]StationFault{
		{From: Time(ms), To: &mended, Slot: 2, Code: "mended since", Attended: &attended}, {From: Time(ms), Code: "dead"},
	}, got.Faults); diff != "" {
		t.Error(diff)
	}
	if u := got.Uptime; u.StationUp == nil || *u.StationUp != 0 || *u.OpenFaults != 1 || *u.Faults != 0 {
		t.Errorf("got %+v, want a station that is down by a fault that began before", u)
	}
	if body := x.ask(b, http.MethodGet, prefix+"/fleet/stations?days=30&fields=id,faults,open_faults", "").body; !strings.Contains(body, `{"id":"alpha7f3-station","faults":0,"open_faults":1}`) {
		t.Errorf("among all: got %s", body)
	}
	all := must[StationReliabilityAnswer](x.server, http.StatusOK, http.MethodGet, at, "")
	if len(all.Faults) != 3 || all.Faults[2].From != Time(ms-day) || all.Faults[2].Attended == nil {
		t.Errorf("an administrator is told of %+v", all.Faults)
	}
}

// What is kept of a stream is no way to what was before the sale, nor is what comes
// late.
func TestStreamOverTheSale(t *testing.T) {
	x, sale := sold(t, func(*Options) {})
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	ref := devices.Ref{Kind: devices.KindBattery, ID: "alpha7f3-battery"}
	send := func(at time.Time, id string) {
		ts := at.UnixMilli()
		r := telemetry.Reading{Kind: ref.Kind, Device: ref.ID, TS: ts}
		r.Set(telemetry.Value{Field: x.readings.schema.Field(ref.Kind, "soc_pct"), Num: 50})
		x.live.Observe(ref, 0, &wire.Decoded{Readings: []telemetry.Reading{r}, Events: []telemetry.Event{
			{Kind: ref.Kind, Device: ref.ID, ID: id, TS: ts, Type: "note", Data: []byte(`{}`)},
		}})
	}
	all := x.openAs(testKey, "?kind=battery", "")
	send(sale.Add(-2*time.Hour), "first")
	first := all()
	send(sale.Add(-time.Millisecond), "kept")
	send(sale, "at the sale")
	buyer, again := x.openAs(b, "?kind=battery", ""), x.openAs(b, "?kind=battery", first.id)
	send(sale.Add(-time.Hour), "late")
	send(sale.Add(time.Hour), "since")
	hear := func(name string, next func() heard, want ...string) {
		t.Helper()
		for _, at := range want {
			for _, topic := range []string{"telemetry", "event"} {
				if got := next(); got.event != topic || !strings.Contains(got.data, at) {
					t.Fatalf("%s: got %+v, want %s of %s", name, got, topic, at)
				}
			}
		}
	}
	text := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
	hear("the buyer", buyer, text(sale.Add(time.Hour)))
	hear("the buyer who comes back", again, text(sale), text(sale.Add(time.Hour)))
	if got := all(); got.event != "event" {
		t.Errorf("an administrator is told %+v", got)
	}
	hear("an administrator", all, text(sale.Add(-time.Millisecond)), text(sale), text(sale.Add(-time.Hour)), text(sale.Add(time.Hour)))
}
