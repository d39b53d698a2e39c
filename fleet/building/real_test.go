package building

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// schema is the standard one.
func schema(t testing.TB) *devices.Schema {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// log is readings by time, as a store would keep them.
type log struct {
	t      testing.TB
	schema *devices.Schema
	byDay  map[int64]map[int64]*telemetry.Reading
}

func newLog(t testing.TB) *log {
	return &log{t, schema(t), map[int64]map[int64]*telemetry.Reading{}}
}

func (l *log) put(at time.Time, field string, v float64) {
	ts := at.UnixMilli()
	day := telemetry.DayOf(ts)
	if l.byDay[day] == nil {
		l.byDay[day] = map[int64]*telemetry.Reading{}
	}
	r := l.byDay[day][ts]
	if r == nil {
		r = &telemetry.Reading{Kind: devices.KindBuilding, Device: "b", TS: ts}
		l.byDay[day][ts] = r
	}
	r.Set(telemetry.Value{Field: l.schema.Field(devices.KindBuilding, field), Num: v})
}

// register publishes use as a counter, read at the start of each amount and at
// the end of the last one that is known.
func (l *log) register(field string, at []time.Time, use []float64, scale float64) {
	total := 0.0
	for i := range at {
		l.put(at[i], field, total)
		if math.IsNaN(use[i]) {
			return
		}
		total += use[i] * scale
	}
	l.put(at[len(at)-1].Add(at[len(at)-1].Sub(at[len(at)-2])), field, total)
}

func (l *log) days(loc *time.Location) []Day {
	l.t.Helper()
	var out []Day
	for day, byTS := range l.byDay {
		var readings []telemetry.Reading
		for _, r := range byTS {
			readings = append(readings, *r)
		}
		sortReadings(readings)
		d := Fold(day, readings, loc, 1)
		again, err := Decode(d.Encode())
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, again)
	}
	return out
}

func near(t testing.TB, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

// The samples of eemeter, through registers and sensors, give its numbers.
func TestEEMeterSamples(t *testing.T) {
	published := measured.EEMeters(t)
	for _, c := range []struct {
		sample, field string
		meter         Meter
		wh            float64 // of one unit of the file
	}{
		{"il-electricity-cdd-hdd-daily", "energy_wh", Electricity, 1000},
		{"il-gas-hdd-only-daily", "gas_wh", Gas, 29307.1},
	} {
		t.Run(c.sample, func(t *testing.T) {
			l := newLog(t)
			at, use := measured.Values(t, time.RFC3339, "building", "eemeter", c.sample+".csv.gz")
			for i := range at {
				at[i] = at[i].UTC().Truncate(24 * time.Hour) // eemeter sums to UTC days
			}
			l.register(c.field, at, use, c.wh)
			hours, temps := measured.Values(t, time.RFC3339, "building", "eemeter", "il-tempF.csv.gz")
			for i := range hours {
				l.put(hours[i], "outdoor_c", energy.CelsiusOf(temps[i]))
			}
			r, err := Evaluate(Input{Series: Join(l.days(time.UTC)), Plan: &Plan{
				Building: "b", Zone: "UTC", Rules: DefaultRules(),
				Settings: Settings{Meters: map[Meter]*MeterOptions{c.meter: {Model: "caltrack-daily"}}},
				Interventions: []Intervention{{
					ID: "i", Title: "measure", Concerns: []Meter{c.meter},
					Start: "2016-12-26", End: "2017-01-04", ReportingTo: "2018-01-04",
				}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			s := r.Savings[0]
			if s.Status != OK || s.Assessment.Avoided == nil {
				t.Fatalf("got %+v", s.Basis)
			}
			want, scale := published[c.sample], c.wh/1000
			near(t, "saving", s.Assessment.Avoided.Saving, want.Year.Savings*scale, 1e-6)
			near(t, "uncertainty", s.Assessment.Avoided.Uncertainty.Plus, want.Year.Bands["FSU Error Band"]*scale, 1e-6)
			near(t, "adjusted R²", *s.Assessment.Fit.Statistics.AdjR2, want.Totals["r_squared_adj"], 1e-6)
			near(t, "CV(RMSE)", *s.Assessment.Fit.Statistics.CVRMSE, want.Totals["cvrmse"], 1e-6)
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
		})
	}
}

// nmecr's commercial meter, through TOWT by the day.
func TestNmecrMeter(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	at, use := measured.Values(t, layout, "building", "nmecr", "eload.csv")
	days, temps := measured.Values(t, layout, "building", "nmecr", "temp.csv")
	for i := range at { // the file has three days that begin at one o'clock
		at[i], days[i] = at[i].Truncate(24*time.Hour), days[i].Truncate(24*time.Hour)
	}
	l := newLog(t)
	l.register("energy_wh", at, use, 1000)
	for i := range days {
		for h := range 24 { // the file has the mean of the day
			l.put(days[i].Add(time.Duration(h)*time.Hour), "outdoor_c", energy.CelsiusOf(temps[i]))
		}
	}
	r, err := Evaluate(Input{Series: Join(l.days(time.UTC)), Plan: &Plan{
		Building: "b", Zone: "UTC", Rules: DefaultRules(),
		Settings: Settings{Meters: map[Meter]*MeterOptions{Electricity: {Model: "towt-daily"}}},
		Interventions: []Intervention{{
			ID: "i", Title: "measure", Concerns: []Meter{Electricity},
			BaselineFrom: "2012-03-01", Start: "2013-02-28", End: "2014-02-28", ReportingTo: "2015-02-28",
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Savings[0]
	if s.Status != OK || s.Assessment.Avoided == nil {
		t.Fatalf("got %+v", s.Basis)
	}
	near(t, "R²", *s.Assessment.Fit.Statistics.R2, 0.896472741390, 1e-9)
	near(t, "saving", s.Assessment.Avoided.Saving, 408141.594144, 1e-7)
}
