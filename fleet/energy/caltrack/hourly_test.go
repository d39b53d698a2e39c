package caltrack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

const hourlySample = "il-electricity-cdd-hdd-hourly"

// segmentName is what eemeter calls the segment of a month.
func segmentName(m time.Month) string {
	short := func(m time.Month) string { return strings.ToLower(m.String()[:3]) }
	return fmt.Sprintf("%s-%s-%s-weighted", short((m+10)%12+1), short(m), short(m%12+1))
}

func TestHourlyMatchesEEMeter(t *testing.T) {
	want := readPublished(t, hourlySample)
	rows := sampleHours(t, hourlySample, blackoutStart.AddDate(0, 0, -365), blackoutStart)
	m, err := FitHourly(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Segments {
		name := segmentName(s.Month)
		occupied := 0
		for _, o := range s.Occupied {
			if o {
				occupied++
			}
		}
		if occupied != want.Counts[name] {
			t.Errorf("%s: got %d occupied hours, want %d", name, occupied, want.Counts[name])
		}
		bins := func(w []int) []float64 {
			out := []float64{}
			for _, b := range w {
				out = append(out, float64(b))
			}
			return out
		}
		if diff := cmp.Diff(bins(want.OccBins[name]), append([]float64{}, s.InUse.KnotsF...)); diff != "" {
			t.Errorf("%s occupied bins (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(bins(want.UnoBins[name]), append([]float64{}, s.Idle.KnotsF...)); diff != "" {
			t.Errorf("%s unoccupied bins (-want +got):\n%s", name, diff)
		}
	}
	january := m.Segments[0]
	for h, l := range january.Levels {
		near(t, fmt.Sprintf("January hour %d", h), *l, want.January[fmt.Sprintf("C(hour_of_week)[%d]", h)], 1e-9)
	}
	for i, b := range january.InUse.Slopes {
		near(t, "January occupied", b, want.January[fmt.Sprintf("bin_%d_occupied", i)], 1e-8)
	}
	for i, b := range january.Idle.Slopes {
		near(t, "January unoccupied", b, want.January[fmt.Sprintf("bin_%d_unoccupied", i)], 1e-8)
	}
	s := m.Statistics
	for name, v := range map[string]float64{
		"n": float64(s.N), "rmse": s.RMSE, "cvrmse": *s.CVRMSE, "nmbe": *s.NMBE, "autocorr_lag1": *s.Autocorrelation,
		"observed": s.Observed, "predicted": s.Predicted, "r2": *s.R2,
	} {
		near(t, name, v, want.Sample[name], 1e-6)
	}
	year := sampleHours(t, hourlySample, blackoutEnd, blackoutEnd.AddDate(0, 0, 365))
	var observed, predicted float64
	for i, p := range m.Predict(year) {
		observed += year[i].Use
		predicted += p
	}
	near(t, "reporting observed", observed, want.Year.Observed, 1e-9)
	near(t, "counterfactual", predicted, want.Year.Counterfactual, 1e-8)
	near(t, "saving", predicted-observed, want.Year.Savings, 1e-7)

	after, err := FitHourly(year)
	if err != nil {
		t.Fatal(err)
	}
	var metered, modeled float64
	sixty := risingHours()
	reporting := after.Predict(sixty)
	for i, p := range m.Predict(sixty) {
		metered += p - 1
		modeled += p - reporting[i]
	}
	near(t, "metered saving of 60 days", metered, want.Test60.Metered, 1e-8)
	near(t, "modeled saving of 60 days", modeled, want.Test60.Modeled, 1e-7)
}

// risingHours are the hours that eemeter's own tests predict.
func risingHours() []energy.Row {
	start := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for h := range 59*24 + 1 {
		at := start.Add(time.Duration(h) * time.Hour)
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: 1, TempF: 30 + float64(h/24), TempCoverage: 1})
	}
	return rows
}

// The same meter by the clock of its own zone, which changes twice a year, with
// the numbers that eemeter 3.1.1 gives for data in America/Chicago.
func TestHourlyMatchesEEMeterInItsZone(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Skipf("no time zones: %v", err)
	}
	local := func(from, to time.Time) []energy.Row {
		rows := sampleHours(t, hourlySample, from, to)
		for i := range rows {
			rows[i].Start, rows[i].End = rows[i].Start.In(chicago), rows[i].End.In(chicago)
		}
		return rows
	}
	sum := func(x []float64) (s float64) {
		for _, v := range x {
			s += v
		}
		return s
	}
	year := local(blackoutStart.AddDate(0, 0, -365), blackoutStart)
	m, err := FitHourly(year)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "in-sample sum", sum(m.Predict(year)), 10480.3876878049, 1e-9)
	near(t, "counterfactual", sum(m.Predict(local(blackoutEnd, blackoutEnd.AddDate(0, 0, 365)))), 10180.923432467705, 1e-9)
	var occupied []int
	for _, s := range m.Segments {
		n := 0
		for _, o := range s.Occupied {
			if o {
				n++
			}
		}
		occupied = append(occupied, n)
	}
	if diff := cmp.Diff([]int{9, 4, 7, 4, 4, 6, 8, 7, 5, 1, 2, 3}, occupied); diff != "" {
		t.Errorf("occupied hours (-want +got):\n%s", diff)
	}
}

// Hours of the week are read from the clock on the wall: in the night that the
// clock is set back two hours are the same.
func TestHourOfWeekFollowsTheClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zones: %v", err)
	}
	midnight := time.Date(2024, 10, 27, 0, 0, 0, 0, berlin) // a Sunday
	want := []int{144, 145, 146, 146, 147, 148}
	for i, w := range want {
		if got := hourOfWeek(midnight.Add(time.Duration(i) * time.Hour)); got != w {
			t.Errorf("%d hours after midnight: got %d, want %d", i, got, w)
		}
	}
	if got := hourOfWeek(time.Date(2024, 10, 28, 0, 0, 0, 0, berlin)); got != 0 {
		t.Errorf("Monday midnight: got %d, want 0", got)
	}
}
