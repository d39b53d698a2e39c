package assess

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// eemeter's sample as a register that is read at midnight and hourly
// temperatures in °C, through the whole of it, gives eemeter's saving.
func TestRegisterToSaving(t *testing.T) {
	at, use := measured.Values(t, time.RFC3339, "building", "eemeter", "il-electricity-cdd-hdd-daily.csv.gz")
	var register []prepare.Point
	total := 1000.0
	for i := range at {
		register = append(register, prepare.Point{TS: at[i].UTC().Truncate(24 * time.Hour).UnixMilli(), Value: total})
		total += use[i] // the last one is NaN, and no sample follows it
	}
	at, temps := measured.Values(t, time.RFC3339, "building", "eemeter", "il-tempF.csv.gz")
	var weather []prepare.Point
	for i := range at {
		weather = append(weather, prepare.Point{TS: at[i].UnixMilli(), Value: energy.CelsiusOf(temps[i])})
	}
	rows := func(from, to time.Time) []energy.Row {
		bounds := prepare.Days(from, to)
		return prepare.Rows(bounds, prepare.Register(register, bounds, 26*time.Hour), prepare.Temperatures(weather, bounds))
	}
	start := time.Date(2016, 12, 26, 0, 0, 0, 0, time.UTC)
	end := time.Date(2017, 1, 4, 0, 0, 0, 0, time.UTC)
	q := Request{
		Baseline: rows(start.AddDate(0, 0, -400), start), Reporting: rows(end, end.AddDate(0, 0, 365)),
		Interval: energy.Daily, Model: caltrack.DailyModel,
	}
	a, err := Assess(q)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Verdict.Sufficient || a.Avoided == nil {
		t.Fatalf("got %+v", a.Verdict)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"saving", a.Avoided.Saving, 793.9084964725369},
		{"uncertainty", a.Avoided.Uncertainty.Plus, 315.4153675313854},
		{"adjusted R²", *a.Fit.Statistics.AdjR2, 0.7684732992831338},
		{"CV(RMSE)", *a.Fit.Statistics.CVRMSE, 0.2536152232413613},
	} {
		if math.Abs(c.got-c.want) > 1e-6*c.want {
			t.Errorf("%s: got %.9g, want %.9g", c.name, c.got, c.want)
		}
	}
	q.Model = ""
	if a, err = Assess(q); err != nil || a.Choice == nil || len(a.Choice.Scores) < 8 {
		t.Fatalf("got %+v, %v", a.Choice, err)
	}
	// The sample was made with a saving of 1,000 of 10,000.
	if d := math.Abs(a.Avoided.Saving - 1000); d > a.Avoided.Uncertainty.Plus {
		t.Errorf("%s: got %g ± %g, want 1000 inside", a.Fit.Model, a.Avoided.Saving, a.Avoided.Uncertainty.Plus)
	}
}
