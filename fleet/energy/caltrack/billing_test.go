package caltrack

import (
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// sampleBills sum a daily sample to bills of some months from a month on. The
// days of the file count as UTC days, as in eemeter.
func sampleBills(t *testing.T, sample string, from time.Time, bills, months int) []energy.Row {
	t.Helper()
	at, values := measured.Values(t, time.RFC3339, "building", "eemeter", sample+".csv.gz")
	var stated []prepare.Interval
	for i := range at {
		day := at[i].UTC().Truncate(24 * time.Hour).UnixMilli()
		stated = append(stated, prepare.Interval{From: day, To: day + 24*3600_000, Value: values[i]})
	}
	var bounds []time.Time
	for i := range bills + 1 {
		bounds = append(bounds, from.AddDate(0, i*months, 0))
	}
	return prepare.Rows(bounds, prepare.Intervals(stated, bounds),
		prepare.Temperatures(temperatures(t, "il-tempF.csv.gz"), bounds))
}

// The numbers are what eemeter 3.1.1 makes of the daily samples summed to bills.
// Those of two months have the temperatures of all their days: a tolerance of 70
// days in compute_temperature_features. create_caltrack_billing_design_matrix has
// one of 35, and so looks at no more than the first 35 days of each bill.
func TestBillingMatchesEEMeter(t *testing.T) {
	month := func(y int, m time.Month) time.Time { return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name, sample               string
		from                       time.Time
		bills, months              int
		formula                    string
		intercept, cooling, heat   float64
		adjusted, cvrmse, rho      float64
		saving, band, ols          float64
		qualifiedBoth, qualifiedCD int
	}{
		{
			name: "electricity by the month", sample: "il-electricity-cdd-hdd-daily", from: month(2015, 12), bills: 13, months: 1,
			formula: "meter_value ~ cdd_64 + hdd_53", intercept: 12.731049057974325, cooling: 1.7879337728165257, heat: 1.1426914489892006,
			adjusted: 0.9866871198092542, cvrmse: 0.03404531183190589, rho: -0.15617704162066828,
			saving: 897.6752104033962, band: 232.90013490928322, ols: 247.5307030525119, qualifiedBoth: 1431, qualifiedCD: 51,
		},
		{
			name: "electricity every two months", sample: "il-electricity-cdd-hdd-daily", from: month(2016, 1), bills: 6, months: 2,
			formula: "meter_value ~ cdd_74 + hdd_41", intercept: 17.954099081873625, cooling: 4.660743550155883, heat: 1.8886797864406493,
			adjusted: 0.9988807556006378, cvrmse: 0.007201290918305388, rho: 0.6460097382487986,
			saving: 792.1287235816144, band: 207.0851459212483, ols: 403.8381448408964, qualifiedBoth: 1431, qualifiedCD: 42,
		},
		{
			name: "gas by the month", sample: "il-gas-hdd-only-daily", from: month(2015, 12), bills: 13, months: 1,
			formula: "meter_value ~ hdd_60", intercept: 0.7399145446615645, heat: 0.21863114006567047,
			adjusted: 0.9961615937570708, cvrmse: 0.05024025616583724, rho: -0.4718057717445609,
			saving: 66.40599807740436, band: 24.725970704161988, ols: 32.51259917658496, qualifiedBoth: 130,
		},
		{
			name: "gas every two months", sample: "il-gas-hdd-only-daily", from: month(2016, 1), bills: 6, months: 2,
			formula: "meter_value ~ hdd_61", intercept: 0.7319258590427874, heat: 0.21118053939695583,
			adjusted: 0.9991209258569647, cvrmse: 0.023302410851431067, rho: -0.7121485976438042,
			saving: 78.9325979128896, band: 7.891093717140231, ols: 50.849662584436324, qualifiedBoth: 114,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			m, err := FitBilling(sampleBills(t, tc.sample, tc.from, tc.bills, tc.months), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Formula != tc.formula {
				t.Errorf("formula: got %s, want %s", m.Formula, tc.formula)
			}
			near(t, "intercept", m.Best.Intercept, tc.intercept, 1e-8)
			near(t, "cooling", m.Best.Cooling, tc.cooling, 1e-8)
			near(t, "heating", m.Best.Heating, tc.heat, 1e-8)
			near(t, "adjusted R²", m.Best.AdjR2, tc.adjusted, 1e-8)
			near(t, "CV(RMSE)", *m.Statistics.CVRMSEAdj, tc.cvrmse, 1e-7)
			near(t, "ρ", *m.Statistics.Autocorrelation, tc.rho, 1e-6)
			near(t, "qualified", float64(m.Counts[Both][Qualified]), float64(tc.qualifiedBoth), 0)
			near(t, "qualified cooling", float64(m.Counts[CoolingOnly][Qualified]), float64(tc.qualifiedCD), 0)

			year := sampleBills(t, tc.sample, month(2017, 1), 12, 1)
			var saving, observed float64
			for i, p := range m.Predict(year) {
				saving += p - year[i].Use
				observed += year[i].Use
			}
			near(t, "saving", saving, tc.saving, 1e-7)
			// eemeter takes the use of all bills of the baseline.
			band := energy.SavingUncertainty(m.Statistics, energy.Billing, 12, 365, 0.9).Plus * float64(tc.bills) / 12
			near(t, "band", band, tc.band, 1e-6)
			near(t, "regression band", energy.RegressionUncertainty(m.Statistics, 12, observed/12, 0.9).Plus, tc.ols, 1e-6)
		})
	}
}
