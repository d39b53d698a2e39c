package savings_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

const layout = "2006-01-02 15:04:05"

// b4 are the rows of building b4 in a year, with what bounds makes of it.
func b4(t *testing.T, year string, cut func(from, to time.Time) []time.Time) []energy.Row {
	t.Helper()
	at, use := measured.Values(t, layout, "building", "cambridge", "b4_electricity_"+year+".csv")
	weather, temps := measured.Values(t, layout, "building", "cambridge", "bedford_weather_"+year+".csv")
	var stated []prepare.Interval
	var points []prepare.Point
	for i := range at {
		ms := at[i].UnixMilli()
		stated = append(stated, prepare.Interval{From: ms, To: ms + 3600_000, Value: use[i]})
	}
	for i := range weather {
		points = append(points, prepare.Point{TS: weather[i].UnixMilli(), Value: temps[i]})
	}
	bounds := cut(at[0], at[len(at)-1].Add(time.Hour))
	return prepare.Rows(bounds, prepare.Intervals(stated, bounds), prepare.Temperatures(points, bounds))
}

func steps(t *testing.T, scale float64, file string) energy.Steps {
	t.Helper()
	at, values := measured.Values(t, layout, "building", "cambridge", file)
	s := energy.Steps{Until: at[len(at)-1].Add(time.Hour)}
	for i := range at {
		s.Steps = append(s.Steps, energy.Step{From: at[i], Value: scale * values[i]})
	}
	return s
}

type expected struct {
	Savings struct {
		Params         map[string]float64
		R2adj          float64
		Reporting      float64            `json:"reporting_kwh"`
		Counterfactual float64            `json:"counterfactual_kwh"`
		Saving         float64            `json:"savings_kwh"`
		Bands          map[string]float64 `json:"error_bands"`
		Totals         map[string]float64
	} `json:"b4_base2018_rep2019"`
	Carbon struct {
		KWh, KG float64
		Hourly  float64 `json:"kg_hourly"`
		Flat    float64 `json:"kg_annual_avg"`
		Mean    float64 `json:"mean_ci"`
		Peak    float64 `json:"peak_kwh_per_h"`
		PeakAt  string  `json:"peak_at"`
	} `json:"carbon_b4_2018"`
	Cost float64 `json:"agile_cost_b4_2019_gbp"`
}

func readExpected(t *testing.T) expected {
	t.Helper()
	raw, err := os.ReadFile(measured.File(t, "building", "cambridge", "expected_b4.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e expected
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func TestCambridgeSaving(t *testing.T) {
	want := readExpected(t).Savings
	m, err := caltrack.FitDaily(b4(t, "2018", prepare.Days), caltrack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]float64{
		"intercept": want.Params["intercept"], "beta_cdd": want.Params["beta_cdd"], "beta_hdd": want.Params["beta_hdd"],
		"cooling_balance_point_f": want.Params["cooling_balance_point"], "heating_balance_point_f": want.Params["heating_balance_point"],
	} {
		got, ok := m.Coefficient(name)
		if !ok {
			t.Fatalf("no coefficient %s in %s", name, m.Formula)
		}
		near(t, name, got, w, 1e-9)
	}
	after := b4(t, "2019", prepare.Days)
	a, err := savings.Avoid(savings.Request{Model: m, Rows: after})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "observed", a.Observed, want.Reporting, 1e-12)
	near(t, "baseline", a.Baseline, want.Counterfactual, 1e-9)
	near(t, "saving", a.Saving, want.Saving, 1e-8)
	near(t, "uncertainty", a.Uncertainty.Plus, want.Bands["FSU Error Band"], 1e-8)
	near(t, "regression band", a.Regression.Plus, want.Bands["OLS Error Band"], 1e-8)
	near(t, "last cumulative", a.Series[364].Cumulative, want.Saving, 1e-8)
	near(t, "last band", *a.Series[364].Plus, want.Bands["FSU Error Band"], 1e-8)
	if !a.Significant || !a.Verdict.Has(savings.PoorFit) {
		t.Errorf("got significant %v and %+v, want true and a warning of the fit", a.Significant, a.Verdict)
	}
	if _, err := json.Marshal(a); err != nil {
		t.Error(err)
	}
}

// In 2019 a gap of 46 hours was written as zeros.
func TestCambridgeZerosAreSeen(t *testing.T) {
	for _, c := range []struct {
		year string
		want int
	}{{"2018", 0}, {"2019", 46}} {
		rows := b4(t, c.year, prepare.Hours)
		got := prepare.SuspectZeros(rows)
		if len(got) != c.want {
			t.Errorf("%s: got %d suspect zeros, want %d", c.year, len(got), c.want)
		}
		flagged := false
		for _, r := range prepare.Inspect(rows) {
			flagged = flagged || r.Code == prepare.ZerosSuspected
		}
		if flagged != (c.want > 0) {
			t.Errorf("%s: got flag %v", c.year, flagged)
		}
	}
}

func TestCambridgeCarbonCostAndPeak(t *testing.T) {
	want := readExpected(t)
	rows := b4(t, "2018", prepare.Hours)
	g := carbon.Grid{ID: "GB", Version: "2018", Factor: steps(t, 1, "gb_carbon_intensity_2018.csv")}
	l := g.Locate(rows)
	near(t, "kWh", l.Use, want.Carbon.KWh, 1e-12)
	near(t, "kg by the hour", l.KG, want.Carbon.Hourly, 1e-12)
	near(t, "kg by the year", l.FlatKG, want.Carbon.Flat, 1e-12)
	near(t, "mean factor", l.Mean, want.Carbon.Mean, 1e-12)
	p, err := demand.Describe(rows)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "peak", p.PeakKW, want.Carbon.Peak, 1e-12)
	if got := p.PeakAt.Format("2006-01-02 15:04:05-07:00"); got != want.Carbon.PeakAt {
		t.Errorf("peak at: got %s, want %s", got, want.Carbon.PeakAt)
	}
	prices := steps(t, 100, "agile_price_2019.csv")
	bill := tariff.Tariff{ID: "agile", Version: "2019", Currency: "GBP", Dynamic: &prices}.Price(b4(t, "2019", prepare.Hours))
	near(t, "cost in pence", float64(bill.Total.Minor), want.Cost*100, 1e-6)
}
