package caltrack

import (
	"strconv"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// ukSample are rows of eemeter's real British meter.
func ukSample(t *testing.T, bounds []time.Time) []energy.Row {
	t.Helper()
	at, use := measured.Values(t, "2006-01-02 15:04:05-07:00", "building", "eemeter", "uk-electricity-hdd-only-hourly-sample-0.csv.gz")
	var stated []prepare.Interval
	for i := range at {
		ms := at[i].UnixMilli()
		stated = append(stated, prepare.Interval{From: ms, To: ms + 3600_000, Value: use[i]})
	}
	var temps []prepare.Point
	for _, row := range measured.Table(t, "building", "eemeter", "uk-tempC-sample-0.csv.gz")[1:] {
		ts, err := time.Parse("2006-01-02 15:04:05", row[1])
		if err != nil {
			t.Fatal(err)
		}
		c, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		temps = append(temps, prepare.Point{TS: ts.UnixMilli(), Value: c})
	}
	return prepare.Rows(bounds, prepare.Intervals(stated, bounds), prepare.Temperatures(temps, bounds))
}

// A real house, with the numbers that eemeter 3.1.1 gives for the year up to and
// the one from 2 April 2021.
func TestBritishMeterMatchesEEMeter(t *testing.T) {
	middle := time.Date(2021, 4, 2, 0, 0, 0, 0, time.UTC)
	from, to := middle.AddDate(0, 0, -365), middle.AddDate(0, 0, 365)

	m, err := FitHourly(ukSample(t, prepare.Hours(from, middle)))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "in-sample sum", m.Statistics.Predicted, 1565.812868590871, 1e-9)
	near(t, "in-sample RMSE", m.Statistics.RMSE, 0.11976960449156399, 1e-8)
	wantOccupied := []int{36, 43, 34, 26, 22, 24, 32, 38, 33, 38, 39, 42}
	for i, s := range m.Segments {
		n := 0
		for _, o := range s.Occupied {
			if o {
				n++
			}
		}
		if n != wantOccupied[i] {
			t.Errorf("%v: got %d occupied hours, want %d", s.Month, n, wantOccupied[i])
		}
	}
	var hours float64
	for _, p := range m.Predict(ukSample(t, prepare.Hours(middle, to))) {
		hours += p
	}
	near(t, "counterfactual by the hour", hours, 1554.6987152560596, 1e-8)

	d, err := FitDaily(ukSample(t, prepare.Days(from, middle)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Formula != "meter_value ~ hdd_56" {
		t.Errorf("got %s, want meter_value ~ hdd_56", d.Formula)
	}
	near(t, "intercept", d.Best.Intercept, 3.7255003296451306, 1e-9)
	near(t, "heating", d.Best.Heating, 0.06925159342349041, 1e-9)
	near(t, "CV(RMSE)", *d.Statistics.CVRMSE, 0.3199597722373315, 1e-9)
	near(t, "ρ", *d.Statistics.Autocorrelation, 0.2882638334896764, 1e-9)
	var saving float64
	year := ukSample(t, prepare.Days(middle, to))
	for i, p := range d.Predict(year) {
		saving += p - year[i].Use
	}
	near(t, "saving", saving, 205.05424906490572, 1e-8)
	near(t, "band", energy.SavingUncertainty(d.Statistics, energy.Daily, 365, 365, 0.9).Plus, 81.40306646106379, 1e-8)
}
