package station

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

const hour = int64(3600_000)

var day = Window{0, 24 * hour}

func TestUse(t *testing.T) {
	samples := []StateSample{
		{-hour / 2, "idle"}, {hour, "riding"}, {2 * hour, "charging"}, {2*hour + hour/2, "fault"}, {3 * hour, "idle"}, // silent after 4 h
		{10 * hour, "riding"}, {10*hour + hour/2, "idle"},
	}
	got := Use(samples, day, ForBattery())
	// Idle from 0 to 0.5 (an hour after the report), 3–4 and 10.5–11.5.
	want := []Share{{"charging", 1800, 0.1}, {"fault", 1800, 0.1}, {"idle", 9000, 0.5}, {"riding", 5400, 0.3}}
	if diff := cmp.Diff(want, got.States, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if math.Abs(*got.Earning-0.3) > 1e-9 || math.Abs(*got.Availability-0.9) > 1e-9 || math.Abs(*got.Idle-0.6) > 1e-9 || math.Abs(got.UnknownS-19*3600) > 1e-6 {
		t.Errorf("got earning %v, availability %v, idle %v, unknown %v s", *got.Earning, *got.Availability, *got.Idle, got.UnknownS)
	}
	if none := Use(nil, day, ForBattery()); none.Status != Insufficient || none.Reason == "" || none.Earning != nil {
		t.Errorf("of nothing: got %+v", none)
	}
}

// Time in all states and the unknown time add up to the window, and the shares
// to one.
func TestUseAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ts := int64(0)
		var samples []StateSample
		for range rapid.IntRange(0, 50).Draw(t, "samples") {
			ts += rapid.Int64Range(0, 3*hour).Draw(t, "gap")
			samples = append(samples, StateSample{ts - 2*hour, rapid.SampledFrom([]string{"idle", "riding", "fault", ""}).Draw(t, "state")})
		}
		u := Use(samples, day, ForBattery())
		seconds, shares := u.UnknownS, 0.0
		for _, s := range u.States {
			seconds += s.Seconds
			shares += s.Share
		}
		if math.Abs(seconds-86400) > 1e-6 || u.Status == OK && math.Abs(shares-1) > 1e-9 {
			t.Fatalf("got %v s and shares of %v", seconds, shares)
		}
	})
}

func TestServe(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	n := func(v int) *int { return &v }
	visits := []Visit{
		{At: hour, Outcome: Done, SwapS: f(60), EnergyWh: f(1000), Charged: n(3)},
		{At: 2 * hour, Outcome: Done, SwapS: f(120), Charged: n(1)},
		{At: 3 * hour, Outcome: Failed, Reason: "no_charged_pack", Charged: n(0)},
		{At: 4 * hour, Outcome: Reneged},
		{At: 25 * hour, Outcome: Done}, // outside
	}
	got := Serve(visits, day)
	if got.Swaps != 2 || got.Failures != 1 || got.Reneged != 1 || *got.Completion != 0.5 || *got.SwapsPerDay != 2 ||
		math.Abs(*got.PackAvailability-2./3) > 1e-9 || *got.PerSwapWh != 1000 || *got.SwapP50S != 90 || got.Reasons["no_charged_pack"] != 1 {
		t.Errorf("got %+v", got)
	}
	quiet := Serve(nil, day)
	if quiet.Status != OK || *quiet.SwapsPerDay != 0 || quiet.Completion != nil || quiet.EnergyWh != nil || quiet.PackAvailability != nil {
		t.Errorf("of a quiet day: got %+v", quiet)
	}
}

// Over a change of the clock the hour that comes twice is not taken for a busy
// one: one arrival every quarter of an hour is four an hour at every hour.
func TestHourOfDayOverAClockChange(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	from := time.Date(2026, 10, 20, 0, 0, 0, 0, zone)
	w := Window{from.UnixMilli(), from.AddDate(0, 0, 10).UnixMilli()}
	var arrivals []int64
	for ts := w.From; ts < w.To; ts += hour / 4 {
		arrivals = append(arrivals, ts)
	}
	got := HourOfDay(arrivals, w, zone, 8)
	for h, r := range got.PerHour {
		if math.Abs(r-4) > 1e-9 {
			t.Errorf("hour %d: got %v, want 4", h, r)
		}
	}
	if got.Status != OK || math.Abs(*got.PeakLoad-0.5) > 1e-9 {
		t.Errorf("got %+v", got)
	}
	if short := HourOfDay(arrivals, Window{w.From, w.From + hour}, zone, 0); short.Status != Insufficient {
		t.Errorf("of an hour: got %+v", short)
	}
}

func TestUseSlots(t *testing.T) {
	samples := []SlotSample{
		{0, 10, 5, 3, 2, 0}, {6 * hour, 10, 0, 8, 2, 0}, {12 * hour, 10, 2, 4, 3, 1}, {18 * hour, 10, 3, 3, 4, 0},
	}
	got := UseSlots(samples, day, 12*3600)
	if got.Status != OK || got.Total != 10 || math.Abs(*got.ReadyMean-2.5) > 1e-9 || math.Abs(*got.Charging-0.45) > 1e-9 ||
		math.Abs(*got.Occupied-0.7) > 1e-9 || math.Abs(*got.Faulty-0.025) > 1e-9 || got.NoneReadyS != 6*3600 || *got.Service != 0.75 || *got.ReadyP05 != 0 || *got.Coverage != 1 {
		t.Errorf("got %+v", got)
	}
	if none := UseSlots([]SlotSample{{0, -1, -1, -1, -1, -1}}, day, 3600); none.Status != Insufficient || none.ReadyMean != nil {
		t.Errorf("of nothing: got %+v", none)
	}
}

func TestReliability(t *testing.T) {
	faults := []Fault{
		{From: -2 * hour, To: hour},                        // from before: an hour of it counts
		{From: 3 * hour, To: 5 * hour, Attended: 4 * hour}, //
		{From: 4 * hour, To: 6 * hour, Attended: 4 * hour}, // overlaps
		{From: 23 * hour, Slot: 2},                         // open: one slot for an hour
		{From: 5 * hour, To: 7 * hour, Slot: 1},            // an hour of it beyond the station's
		{From: 30 * hour, To: 31 * hour},                   // after
	}
	got := Reliability(faults, day, 4, true)
	want := map[string]float64{
		"station": 20. / 24, "slots": (96. - 16 - 1 - 1) / 96, "mtbf": 20. / 4, "mttr": (2 + 2 + 2) / 3., "response": 0.5,
	}
	have := map[string]float64{
		"station": *got.StationUp, "slots": *got.SlotsUp, "mtbf": *got.MTBFHours, "mttr": *got.MTTRHours, "response": *got.RespondHours,
	}
	if diff := cmp.Diff(want, have, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Faults != 4 || got.OpenFaults != 1 {
		t.Errorf("got %d faults, %d open, want 4 and 1", got.Faults, got.OpenFaults)
	}
	if calm := Reliability(nil, day, 4, true); calm.Status != OK || *calm.StationUp != 1 || calm.MTBFHours != nil {
		t.Errorf("without faults: got %+v", calm)
	}
	if mute := Reliability(nil, day, 4, false); mute.Status != Insufficient || mute.StationUp != nil {
		t.Errorf("of a station that never reports: got %+v", mute)
	}
}

func TestAdvise(t *testing.T) {
	got := Advise(6, 7200, 15.7, 0.95, day)
	if got.Status != OK || *got.Needed != 19 || got.Turnover != 12 || got.Short != 4 || got.Idle != 0 {
		t.Errorf("got %+v of %d packs, want 19", got, *got.Needed)
	}
	if got := Advise(6, 7200, 25, 0.95, day); got.Idle != 6 || got.Short != 0 {
		t.Errorf("got %+v, want 6 idle", got)
	}
	for _, c := range [][3]float64{{6, 0, 0.9}, {math.NaN(), 7200, 0.9}, {6, 7200, 1}} {
		if got := Advise(c[0], c[1], 10, c[2], day); got.Status != Insufficient || got.Needed != nil || got.Reason == "" {
			t.Errorf("%v: got %+v", c, got)
		}
	}
}

func TestRankAndRollUp(t *testing.T) {
	entries := []Entry{{"a", "LFP", 90}, {"b", "LFP", 80}, {"c", "LFP", 90}, {"d", "LFP", 100}, {"e", "NMC", 70}}
	var got []float64
	for _, s := range Rank(entries, false)[:4] {
		got = append(got, *s.Percentile)
	}
	if diff := cmp.Diff([]float64{50, 12.5, 50, 87.5}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := Rank(entries, true); *s[3].Percentile != 12.5 || s[4].Percentile != nil {
		t.Errorf("got %+v", s)
	}
	want := []Group{{"LFP", 4, 90, 360, 83, 87.5, 90, 92.5, 97}, {"NMC", 1, 70, 70, 70, 70, 70, 70, 70}}
	if diff := cmp.Diff(want, RollUp(entries), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
