package battery

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSelfDischarge(t *testing.T) {
	var s []Sample
	for h := range 24 * 10 { // ten days at rest, from 80 to 79 %
		s = append(s, Sample{TS: int64(h) * 3600_000, VoltageV: 50, SoCPct: 80 - float64(h)/240, TemperatureC: 25})
	}
	rests := Rests(s, 0.1, DefaultRestRules())
	got := MeasureSelfDischarge(rests, DefaultRestRules())
	if !got.OK() || math.Abs(*got.PctPerMonth-3) > 0.01 || len(rests) != 1 {
		t.Errorf("got %+v of %d rests, want 3 %% a month of one", got, len(rests))
	}
	charged := append([]Sample{}, s...)
	charged[120].CurrentA = 5
	if two := Rests(charged, 0.1, DefaultRestRules()); len(two) != 2 {
		t.Errorf("got %d rests around a charge, want 2", len(two))
	}
	silent := append(append([]Sample{}, s[:100]...), s[130:]...)
	if two := Rests(silent, 0.1, DefaultRestRules()); len(two) != 2 {
		t.Errorf("got %d rests around a silence, want 2", len(two))
	}
	if none := MeasureSelfDischarge(Rests(s[:20], 0.1, DefaultRestRules()), DefaultRestRules()); none.OK() || none.Reason == "" {
		t.Errorf("of twenty hours: got %+v", none)
	}
}

func TestWarranty(t *testing.T) {
	terms := WarrantyTerms{Years: 5, Cycles: 2000, HeatHours: 10, OverCurrents: 3, GuaranteedSoH: 80}
	soh := 75.0
	use := WarrantyUse{AgeDays: 365.25, Cycles: 1850, SoHPct: &soh, Events: map[Negative]Exposure{
		ExtremeHeat: {Count: 4, Seconds: 3600}, OverCurrentCharging: {Count: 1}, OverCurrentDraining: {Count: 1},
	}}
	got := WatchWarranty(terms, use)
	states := map[string]string{}
	for _, i := range got.Items {
		states[i.Name] = i.State
	}
	if diff := cmp.Diff(map[string]string{"years": "within", "cycles": "near", "heat_hours": "within", "over_currents": "within"}, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Covered || !got.Claim {
		t.Errorf("got covered %v, claim %v, want both", got.Covered, got.Claim)
	}
	if left := *got.Items[1].LeftDays; math.Abs(left-150.0/1850*365.25) > 1e-9 {
		t.Errorf("got %v days of cycles left", left)
	}
	use.Events[OverCurrentCharging] = Exposure{Count: 3}
	if got := WatchWarranty(terms, use); got.Covered || got.Claim {
		t.Error("a limit that is exceeded leaves the battery covered")
	}
	if got := WatchWarranty(WarrantyTerms{}, use); got.OK() || got.Reason == "" {
		t.Errorf("without terms: got %+v", got)
	}
}

// Garwood's interval for 0 and 10 events (90 %: 0…2.996 and 5.425…16.962).
func TestClaimsRate(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high float64
	}{{0, 0, 2.9957}, {10, 5.4254, 16.9622}} {
		got := ClaimsRate(c.n, 100)
		if math.Abs(*got.PerYear-float64(c.n)/100) > 1e-12 || math.Abs(*got.Low*100-c.low) > 1e-3 || math.Abs(*got.High*100-c.high) > 1e-3 {
			t.Errorf("%d claims: got %v, %v…%v", c.n, *got.PerYear, *got.Low*100, *got.High*100)
		}
	}
	if got := ClaimsRate(0, 0); got.OK() {
		t.Errorf("of no battery: got %+v", got)
	}
}

func TestCohortsAndOutliers(t *testing.T) {
	day := func(y int, m time.Month) time.Time { return time.Date(y, m, 10, 0, 0, 0, 0, time.UTC) }
	var members []Member
	for k := range 20 {
		members = append(members, Member{fmt.Sprintf("a%02d", k), day(2025, 3), 400, 95 + float64(k%5)/2})
	}
	members = append(members, Member{"bad", day(2025, 3), 401, 80}, Member{"bad", day(2025, 3), 402, 82}, Member{"young", day(2026, 1), 95, 99})
	want := []CohortCell{
		{"2025-03", 13, 21, 96, 95, 97},
		{"2026-01", 3, 1, 99, 99, 99},
	}
	var table CohortTable
	for _, m := range members {
		table.Add(m)
	}
	if diff := cmp.Diff(want, table.Cells()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out := Outliers(members)
	if len(out) != 2 || out[0].ID != "bad" || out[0].SoHPct != 80 || out[0].Score > -10 {
		t.Errorf("got %+v, want the bad one's two points", out)
	}
	var one []Member
	for k := range 20 {
		one = append(one, Member{"one", day(2025, 3), 400, 95 - 10*float64(k/19)})
	}
	if out := Outliers(one); len(out) != 0 {
		t.Errorf("got %+v of one battery, want none: it is no cohort", out)
	}
	// One battery that is measured often is not what the others are held against.
	for k := range 4 {
		one = append(one, Member{fmt.Sprintf("b%d", k), day(2025, 3), 400, 85 + float64(k)})
	}
	if out := Outliers(one); len(out) == 0 || out[len(out)-1].ID != "one" {
		t.Errorf("got %+v, want the battery of many points", out)
	}
}

func TestSchedule(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	on := func(y int, m time.Month, d int) *float64 {
		v := float64(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).UnixMilli())
		return &v
	}
	due := []Due{
		{ID: "now", Ended: true},
		{ID: "january", At: Interval{on(2026, 12, 15), on(2027, 1, 15), on(2027, 2, 15)}, Level: 0.9},
		{ID: "late", At: Interval{on(2029, 1, 1), on(2030, 1, 1), nil}, Level: 0.9},
		{ID: "unsure", Unsure: "no data"},
	}
	s := Schedule(due, now, 6)
	var counts []int
	total := s.Later
	for _, m := range s.Months {
		counts = append(counts, m.Due)
		total += m.Expected
	}
	if diff := cmp.Diff([]int{1, 0, 1, 0, 0, 0}, counts); diff != "" {
		t.Errorf("due by month (-want +got):\n%s", diff)
	}
	if s.Months[0].Month != "2026-11" || s.Months[2].IDs[0] != "january" || s.Unknown != 1 || math.Abs(total-3) > 1e-9 {
		t.Errorf("got %+v, adding up to %v, want 3", s, total)
	}
}

// Every battery with an answer is in exactly one month or later, in chance.
func TestScheduleAddsUp(t *testing.T) {
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var due []Due
		for range rapid.IntRange(0, 20).Draw(t, "batteries") {
			low := float64(now.UnixMilli()) + rapid.Float64Range(0, 500*dayMS).Draw(t, "low")
			mid := low + rapid.Float64Range(0, 500*dayMS).Draw(t, "median")
			high := mid + rapid.Float64Range(0, 500*dayMS).Draw(t, "high")
			d := Due{At: Interval{&low, &mid, &high}, Level: 0.9}
			if rapid.Bool().Draw(t, "open") {
				d.At.High = nil
			}
			due = append(due, d)
		}
		s := Schedule(due, now, rapid.IntRange(0, 40).Draw(t, "months"))
		total := s.Later
		for _, m := range s.Months {
			if m.Expected < -1e-9 {
				t.Fatalf("got %v in %s", m.Expected, m.Month)
			}
			total += m.Expected
		}
		if math.Abs(total-float64(len(due))) > 1e-6 {
			t.Fatalf("got %v in all, want %d", total, len(due))
		}
	})
}
