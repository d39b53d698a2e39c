package caltrack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

var dailySamples = []string{"il-electricity-cdd-hdd-daily", "il-gas-hdd-only-daily"}

func baseline(t *testing.T, sample string) *DegreeDay {
	t.Helper()
	m, err := FitDaily(sampleDays(t, sample, blackoutStart.AddDate(0, 0, -365), blackoutStart), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDailyMatchesEEMeter(t *testing.T) {
	for _, sample := range dailySamples {
		t.Run(sample, func(t *testing.T) {
			want := readPublished(t, sample)
			got := baseline(t, sample)
			if string(got.Best.Kind) != want.Best.Type {
				t.Fatalf("kind: got %s, want %s", got.Best.Kind, want.Best.Type)
			}
			near(t, "intercept", got.Best.Intercept, want.Best.Params["intercept"], 1e-9)
			near(t, "beta_hdd", got.Best.Heating, want.Best.Params["beta_hdd"], 1e-9)
			near(t, "beta_cdd", got.Best.Cooling, want.Best.Params["beta_cdd"], 1e-9)
			near(t, "heating balance point", float64(got.Best.HeatingF), want.Best.Params["heating_balance_point"], 0)
			near(t, "cooling balance point", float64(got.Best.CoolingF), want.Best.Params["cooling_balance_point"], 0)
			near(t, "adjusted R²", got.Best.AdjR2, want.Best.R2adj, 1e-9)
			for kind, counts := range want.Candidates {
				for status, n := range counts {
					s := Status(strings.ReplaceAll(strings.ToLower(status), " ", "_"))
					if got.Counts[Kind(kind)][s] != n {
						t.Errorf("%s %s: got %d, want %d", kind, s, got.Counts[Kind(kind)][s], n)
					}
				}
			}
			for i, rival := range want.Top5 {
				c := got.Best
				if i > 0 {
					c = got.Rivals[i-1]
				}
				if c.Formula() != rival[0].(string) {
					t.Errorf("candidate %d: got %s, want %s", i, c.Formula(), rival[0])
				}
				near(t, c.Formula(), c.AdjR2, rival[1].(float64), 1e-7)
			}
			s := got.Statistics
			for name, v := range map[string]float64{
				"merged_length": float64(s.N), "num_parameters": float64(s.Parameters),
				"observed_mean": s.ObservedMean, "observed_variance": s.ObservedVar, "predicted_variance": s.PredictedVar,
				"r_squared": *s.R2, "r_squared_adj": *s.AdjR2, "rmse": s.RMSE, "rmse_adj": *s.RMSEAdj,
				"cvrmse": *s.CVRMSE, "cvrmse_adj": *s.CVRMSEAdj, "mape_no_zeros": *s.MAPE, "nmae": *s.NMAE,
				"autocorr_resid": *s.Autocorrelation, "n_prime": *s.NPrime, "num_meter_zeros": float64(s.Zeros),
			} {
				near(t, name, v, want.Totals[name], 1e-8)
			}
			if b := *s.NMBE; b > 1e-12 || b < -1e-12 {
				t.Errorf("nmbe: got %g, want 0", b)
			}
		})
	}
}

func TestReportingYearMatchesEEMeter(t *testing.T) {
	for _, sample := range dailySamples {
		t.Run(sample, func(t *testing.T) {
			want := readPublished(t, sample).Year
			m := baseline(t, sample)
			rows := sampleDays(t, sample, blackoutEnd, blackoutEnd.AddDate(0, 0, 365))
			var observed, base, heat, cool float64
			for i, l := range m.Loads(rows) {
				observed += rows[i].Use
				base, heat, cool = base+l.Base, heat+l.Heating, cool+l.Cooling
			}
			near(t, "observed", observed, want.Observed, 1e-9)
			near(t, "base", base, want.Base, 1e-9)
			near(t, "heating", heat, want.Heat, 1e-9)
			near(t, "cooling", cool, want.Cool, 1e-9)
			saving := base + heat + cool - observed
			near(t, "saving", saving, want.Savings, 1e-8)
			u := energy.SavingUncertainty(m.Statistics, energy.Daily, want.N, float64(want.N), 0.9).Of(saving)
			near(t, "FSU band", u.Plus, want.Bands["FSU Error Band"], 1e-8)
			near(t, "FSU", *u.Fraction, want.Bands["FSU Error Band"]/want.Savings, 1e-8)
			o := energy.RegressionUncertainty(m.Statistics, want.N, observed/float64(want.N), 0.9)
			near(t, "OLS band", o.Plus, want.Bands["OLS Error Band"], 1e-8)
			near(t, "OLS model error", o.Model, want.Bands["OLS Error Band: Model Error"], 1e-8)
			near(t, "OLS noise", o.Noise, want.Bands["OLS Error Band: Noise"], 1e-8)
		})
	}
}

// eemeter's own tests predict 60 days of rising temperature, of which the last
// has no end.
func TestSixtyDaysMatchEEMeter(t *testing.T) {
	start := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for d := range 59 {
		rows = append(rows, energy.Row{
			Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), Use: 1, TempF: 30 + float64(d), TempCoverage: 1,
		})
	}
	for _, sample := range dailySamples {
		t.Run(sample, func(t *testing.T) {
			want := readPublished(t, sample).Test60
			base := baseline(t, sample)
			after, err := FitDaily(sampleDays(t, sample, blackoutEnd, blackoutEnd.AddDate(0, 0, 365)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var metered, modeled float64
			reporting := after.Predict(rows)
			for i, p := range base.Predict(rows) {
				metered += p - 1
				modeled += p - reporting[i]
			}
			near(t, "metered saving", metered, want.Metered, 1e-9)
			near(t, "modeled saving", modeled, want.Modeled, 1e-8)
			// eemeter takes the use of all 365 days of the baseline.
			u := energy.SavingUncertainty(base.Statistics, energy.Daily, 59, 59, 0.9)
			near(t, "metered band", u.Plus*365/59, want.Bands["FSU Error Band"], 1e-8)
			v := energy.SavingUncertainty(after.Statistics, energy.Daily, 59, 59, 0.9)
			near(t, "modeled band", energy.Combine(u, v).Plus*365/59, want.ModError["FSU Error Band"], 1e-8)
		})
	}
}

func BenchmarkFitDaily(b *testing.B) {
	rows := synthetic(365, 1)
	b.Run(fmt.Sprintf("rows=%d", len(rows)), func(b *testing.B) {
		for b.Loop() {
			if _, err := FitDaily(rows, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
