package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// meterLog is what a building's controller has to send.
type meterLog struct {
	t      *testing.T
	schema *devices.Schema
	id     string
	byTS   map[int64]*telemetry.Reading
}

func newMeterLog(t *testing.T, id string) *meterLog {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return &meterLog{t, schema, id, map[int64]*telemetry.Reading{}}
}

func (l *meterLog) put(at time.Time, field string, v float64) {
	ts := at.UnixMilli()
	r := l.byTS[ts]
	if r == nil {
		r = &telemetry.Reading{Kind: devices.KindBuilding, Device: l.id, TS: ts}
		l.byTS[ts] = r
	}
	r.Set(telemetry.Value{Field: l.schema.Field(devices.KindBuilding, field), Num: v})
}

// register makes a counter of use: it is read at the start of each amount and at
// the end of the last one that is known.
func (l *meterLog) register(field string, at []time.Time, use []float64, scale float64) {
	total, end := 0.0, at[len(at)-1].Add(at[len(at)-1].Sub(at[len(at)-2]))
	for i := range at {
		l.put(at[i], field, total)
		if math.IsNaN(use[i]) {
			return
		}
		total += use[i] * scale
	}
	l.put(end, field, total)
}

func (l *meterLog) readings() []telemetry.Reading {
	var out []telemetry.Reading
	for _, r := range l.byTS {
		out = append(out, *r)
	}
	slices.SortFunc(out, telemetry.Compare)
	return out
}

// building registers a building on a site of a zone.
func (s *server) building(id, zone string, area float64) {
	s.t.Helper()
	s.call(http.StatusCreated, http.MethodPost, "/api/v1/sites", fmt.Sprintf(`{"id":"site-%s","name":"Site of %s","time_zone":%q}`, id, id, zone))
	s.call(http.StatusCreated, http.MethodPost, "/api/v1/buildings", fmt.Sprintf(`{"id":%q,"name":"Building %s","site_id":"site-%s","floor_area_m2":%g}`, id, id, id, area))
}

// enter makes an entry of a building.
func (s *server) enter(method, path, body string) {
	s.t.Helper()
	want := http.StatusOK
	if method == http.MethodPost && !strings.HasSuffix(path, "s/x") {
		want = http.StatusCreated
	}
	s.call(want, method, "/api/v1"+path, body)
}

// importFile sends one of the measured files.
func (s *server) importFile(path, file string) {
	s.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	s.importCSV(path, string(raw))
}

// importCSV sends a table and returns the answer.
func (s *server) importCSV(path, table string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/v1"+path, strings.NewReader(table))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("import %s: got %s, %s, %v", path, res.Status, body, err)
	}
	return body
}

// saved is what the API says of one measure on one meter.
type saved struct {
	Status, Reason, Meter, Model, Formula, Unit string
	Reasons                                     []struct {
		Code     string
		Critical bool
	}
	Saving      *float64
	PlusMinus   *float64 `json:"plus_minus"`
	Observed    *float64
	Baseline    *float64 `json:"adjusted_baseline"`
	SavedMinor  *int64   `json:"saved_minor"`
	AvoidedKG   *float64 `json:"avoided_kg"`
	Significant *bool
	Assessment  struct {
		Fit struct {
			Coefficients []energy.Coefficient
			Statistics   energy.Statistics
		}
	}
}

func (v *saved) coefficient(name string) float64 {
	for _, c := range v.Assessment.Fit.Coefficients {
		if c.Name == name {
			return c.Value
		}
	}
	return math.NaN()
}

func (v *saved) has(code string) bool {
	for _, r := range v.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// savingOf is the only saving of a building, which stands.
func (s *server) savingOf(id string) saved {
	s.t.Helper()
	all := get[struct{ Items []saved }](s, "/api/v1/buildings/"+id+"/savings").Items
	if len(all) != 1 || all[0].Status != "ok" || all[0].Saving == nil {
		s.t.Fatalf("%s: got %+v, want one saving that stands", id, all)
	}
	return all[0]
}

func (s *server) near(what string, got, want, relative float64) {
	s.t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		s.t.Errorf("%s: got %.12g, want %.12g within %g", what, got, want, relative)
	}
}

// The samples of eemeter, as registers and sensors over MQTT, give its numbers
// from the API: model, coefficients, statistics, saving and its uncertainty.
func TestBuildingEEMeter(t *testing.T) {
	t.Parallel()
	published := measured.EEMeters(t)
	hours, temps := measured.Values(t, time.RFC3339, "building", "eemeter", "il-tempF.csv.gz")
	s := serve(t)
	cases := []struct {
		sample, field, meter string
		wh                   float64 // of one unit of the file
	}{
		{"il-electricity-cdd-hdd-daily", "energy_wh", "electricity", 1000},
		{"il-gas-hdd-only-daily", "gas_wh", "gas", 29307.1}, // therms
	}
	for _, c := range cases {
		s.building(c.sample, "UTC", 100) // eemeter sums to UTC days, though those of the file are local
		s.enter(http.MethodPut, "/buildings/"+c.sample+"/settings", fmt.Sprintf(`{"meters":{%q:{"model":"caltrack-daily"}}}`, c.meter))
		s.enter(http.MethodPost, "/buildings/"+c.sample+"/interventions", fmt.Sprintf(`{"title":"Retrofit","concerns":[%q],
			"start":"2016-12-26","end":"2017-01-04","reporting_to":"2018-01-04","cost":{"minor":250000,"currency":"USD"},"expected_saving":0.1}`, c.meter))
		l := newMeterLog(t, c.sample)
		at, use := measured.Values(t, time.RFC3339, "building", "eemeter", c.sample+".csv.gz")
		for i := range at {
			at[i] = at[i].UTC().Truncate(24 * time.Hour)
		}
		l.register(c.field, at, use, c.wh)
		for i := range hours {
			l.put(hours[i], "outdoor_c", energy.CelsiusOf(temps[i]))
		}
		s.deliver(c.sample, l.readings(), 1000)
	}
	s.runJob("buildings")
	for _, c := range cases {
		got, want, scale := s.savingOf(c.sample), published[c.sample], c.wh/1000
		s.near(c.sample+" saving", *got.Saving, want.Year.Savings*scale, 1e-6)
		s.near(c.sample+" uncertainty", *got.PlusMinus, want.Year.Bands["FSU Error Band"]*scale, 1e-6)
		s.near(c.sample+" adjusted R²", *got.Assessment.Fit.Statistics.AdjR2, want.Totals["r_squared_adj"], 1e-6)
		s.near(c.sample+" CV(RMSE)", *got.Assessment.Fit.Statistics.CVRMSE, want.Totals["cvrmse"], 1e-6)
		for name, published := range map[string]string{
			"intercept": "intercept", "beta_cdd": "beta_cdd", "beta_hdd": "beta_hdd",
			"cooling_balance_point_f": "cooling_balance_point", "heating_balance_point_f": "heating_balance_point",
		} {
			w, ok := want.Best.Params[published]
			if !ok {
				continue
			}
			if !strings.HasSuffix(name, "_f") {
				w *= scale
			}
			s.near(c.sample+" "+name, got.coefficient(name), w, 1e-6)
		}
		t.Logf("%s: %s, %.6f ± %.6f %s", c.sample, got.Formula, *got.Saving, *got.PlusMinus, got.Unit)
	}
	s.stop()
}

// Building b4 of the Cambridge archive by the hour: what its year 2019 saved
// against 2018, what it emitted by the hour of the British grid, what it cost at
// half-hourly prices, and its highest hour.
func TestBuildingCambridge(t *testing.T) {
	t.Parallel()
	const layout = "2006-01-02 15:04:05"
	raw, err := os.ReadFile(measured.File(t, "building", "cambridge", "expected_b4.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Savings struct {
			Reporting      float64            `json:"reporting_kwh"`
			Counterfactual float64            `json:"counterfactual_kwh"`
			Saving         float64            `json:"savings_kwh"`
			Bands          map[string]float64 `json:"error_bands"`
		} `json:"b4_base2018_rep2019"`
		Carbon struct {
			KG float64 `json:"kg_hourly"`
		} `json:"carbon_b4_2018"`
		Carbon2019 struct {
			Peak float64 `json:"peak_kwh_per_h"`
		} `json:"carbon_b4_2019"`
		Cost float64 `json:"agile_cost_b4_2019_gbp"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	s.building("b4", "UTC", 1000)
	s.enter(http.MethodPut, "/grids/GB", `{"version":"2018"}`)
	s.importFile("/grids/GB/factors", measured.File(t, "building", "cambridge", "gb_carbon_intensity_2018.csv"))
	s.enter(http.MethodPut, "/tariffs/agile", `{"version":"2019","currency":"GBP","dynamic":true}`)
	s.importFile("/tariffs/agile/prices?scale=100", measured.File(t, "building", "cambridge", "agile_price_2019.csv"))
	s.enter(http.MethodPut, "/buildings/b4/settings", `{"meters":{"electricity":{"model":"caltrack-daily","tariff":"agile","grid":"GB"}}}`)
	s.enter(http.MethodPost, "/buildings/b4/interventions", `{"title":"LED","concerns":["electricity"],"start":"2019-01-01"}`)
	l := newMeterLog(t, "b4")
	var at []time.Time
	var use []float64
	for _, year := range []string{"2018", "2019"} {
		a, u := measured.Values(t, layout, "building", "cambridge", "b4_electricity_"+year+".csv")
		at, use = append(at, a...), append(use, u...)
		hours, temps := measured.Values(t, layout, "building", "cambridge", "bedford_weather_"+year+".csv")
		for i := range hours {
			l.put(hours[i], "outdoor_c", temps[i])
		}
	}
	l.register("energy_wh", at, use, 1000)
	s.deliver("b4", l.readings(), 1000)
	s.runJob("buildings")

	got := s.savingOf("b4")
	s.near("observed", *got.Observed, want.Savings.Reporting, 1e-9)
	s.near("baseline", *got.Baseline, want.Savings.Counterfactual, 1e-8)
	s.near("saving", *got.Saving, want.Savings.Saving, 1e-7)
	s.near("uncertainty", *got.PlusMinus, want.Savings.Bands["FSU Error Band"], 1e-7)
	if !got.has("zeros_may_be_missing") {
		t.Errorf("the zeros of 2019 are not warned of: %+v", got.Reasons)
	}
	carbon := get[struct {
		Result struct {
			Meters []struct {
				Years map[string]struct{ KG float64 }
			}
		}
	}](s, "/api/v1/buildings/b4/carbon").Result.Meters
	s.near("kg of 2018", carbon[0].Years["2018"].KG, want.Carbon.KG, 1e-9)
	cost := get[struct {
		Result struct {
			Meters []struct {
				Years map[string]struct{ Total struct{ Minor int64 } }
			}
		}
	}](s, "/api/v1/buildings/b4/cost").Result.Meters
	s.near("pence of 2019", float64(cost[0].Years["2019"].Total.Minor), want.Cost*100, 1e-6)
	peak := get[struct {
		Result struct {
			Profile struct {
				PeakKW float64 `json:"peak_kw"`
			}
		}
	}](s, "/api/v1/buildings/b4/demand").Result.Profile.PeakKW
	s.near("peak of 2019", peak, want.Carbon2019.Peak, 1e-9)
	t.Logf("%.2f ± %.2f kWh, %.2f kg in 2018, £ %.2f in 2019, peak %.1f kW", *got.Saving, *got.PlusMinus,
		carbon[0].Years["2018"].KG, float64(cost[0].Years["2019"].Total.Minor)/100, peak)

	for accept, begins := range map[string]string{"text/html": "<!DOCTYPE html>", "text/markdown": "# "} {
		format := strings.TrimPrefix(accept, "text/")
		if format == "markdown" {
			format = "md"
		}
		page := string(s.call(http.StatusOK, http.MethodGet, "/api/v1/buildings/b4/savings/report?format="+format, ""))
		if !strings.HasPrefix(strings.ToUpper(page), strings.ToUpper(begins)) || !strings.Contains(page, "10,443") && !strings.Contains(page, "10443") {
			t.Errorf("%s: got %.300s", accept, page)
		}
	}
	for _, path := range []string{"model", "anomalies", "forecast", "targets", "usage", "history"} {
		if b := s.call(http.StatusOK, http.MethodGet, "/api/v1/buildings/b4/"+path, ""); len(b) < 200 {
			t.Errorf("%s: got %s", path, b)
		}
	}
	fleet := get[struct {
		Status    string
		SavingKWh float64 `json:"saving_kwh"`
		Buildings int
	}](s, "/api/v1/fleet/savings")
	if fleet.Status != "ok" || fleet.Buildings != 1 || math.Abs(fleet.SavingKWh-*got.Saving) > 1e-6 {
		t.Errorf("portfolio: got %+v", fleet)
	}
	if goals := get[struct{ Items []any }](s, "/api/v1/fleet/targets").Items; len(goals) != 7 {
		t.Errorf("got %d goals, want 7", len(goals))
	}
	if csv := string(s.call(http.StatusOK, http.MethodGet, "/api/v1/fleet/buildings?format=csv&sort=-saving", "")); !strings.Contains(csv, "\nb4,") {
		t.Errorf("got %s", csv)
	}
	s.stop()
}

// The commercial meter of nmecr, daily, through TOWT: its fit and its saving.
func TestBuildingNmecr(t *testing.T) {
	t.Parallel()
	const layout = "2006-01-02 15:04:05"
	at, use := measured.Values(t, layout, "building", "nmecr", "eload.csv")
	days, temps := measured.Values(t, layout, "building", "nmecr", "temp.csv")
	for i := range at { // the file has three days that begin at one o'clock
		at[i], days[i] = at[i].Truncate(24*time.Hour), days[i].Truncate(24*time.Hour)
	}
	s := serve(t)
	s.building("nmecr", "UTC", 5000)
	s.enter(http.MethodPut, "/buildings/nmecr/settings", `{"meters":{"electricity":{"model":"towt-daily"}}}`)
	s.enter(http.MethodPost, "/buildings/nmecr/interventions", `{"title":"Retrofit","concerns":["electricity"],"baseline_from":"2012-03-01",
		"start":"2013-02-28","end":"2014-02-28","reporting_to":"2015-02-28"}`)
	l := newMeterLog(t, "nmecr")
	l.register("energy_wh", at, use, 1000)
	for i := range days {
		for h := range 24 { // the file has the mean of the day
			l.put(days[i].Add(time.Duration(h)*time.Hour), "outdoor_c", energy.CelsiusOf(temps[i]))
		}
	}
	s.deliver("nmecr", l.readings(), 1000)
	s.runJob("buildings")
	got := s.savingOf("nmecr")
	s.near("R²", *got.Assessment.Fit.Statistics.R2, 0.896472741390, 1e-6)
	s.near("use", *got.Observed, 5101761.6, 1e-9)
	s.near("adjusted baseline", *got.Baseline, 5509903.19414, 1e-8)
	s.near("saving", *got.Saving, 408141.594144, 1e-6)
	if !got.has("baseline_not_a_year") {
		t.Errorf("a baseline of 364 days is not warned of: %+v", got.Reasons)
	}
	t.Logf("R² %.10f, saving %.2f of %.2f kWh", *got.Assessment.Fit.Statistics.R2, *got.Saving, *got.Baseline)
	s.stop()
}
