package choose

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
)

// A model that was stored as JSON predicts what it did before, and says so of
// itself.
func TestStoredModelsPredictTheSame(t *testing.T) {
	hours := tropical(365)
	days := toDays(hours)
	for _, c := range []struct {
		fitters []energy.Fitter
		rows    []energy.Row
	}{{Daily(caltrack.Options{}), days}, {Hourly(), hours}} {
		for _, f := range c.fitters {
			m, err := f.Fit(c.rows)
			if err != nil {
				t.Errorf("%s: %v", f.ID, err)
				continue
			}
			raw, err := json.Marshal(m)
			if err != nil {
				t.Errorf("%s: %v", f.ID, err)
				continue
			}
			again, err := Stored(f.ID, raw)
			if err != nil {
				t.Errorf("%s: %v", f.ID, err)
				continue
			}
			same := []cmp.Option{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()} // to the bit
			if diff := cmp.Diff(m.Predict(c.rows), again.Predict(c.rows), same...); diff != "" {
				t.Errorf("%s predicts otherwise (-want +got):\n%.500s", f.ID, diff)
			}
			fit := m.Describe()
			if diff := cmp.Diff(fit, again.Describe(), same...); diff != "" {
				t.Errorf("%s says otherwise (-want +got):\n%.500s", f.ID, diff)
			}
			if fit.Model != f.ID || fit.Version == "" || fit.Formula == "" || fit.Period != energy.Span(c.rows) || fit.Temperatures.MinF == nil {
				t.Errorf("%s does not describe itself: %+v", f.ID, fit)
			}
			if fit.Statistics.N != len(c.rows) {
				t.Errorf("%s: got statistics of %d rows, want %d", f.ID, fit.Statistics.N, len(c.rows))
			}
		}
	}
}

// A row without a temperature has no prediction, from any model.
func TestNoTemperatureNoPrediction(t *testing.T) {
	days := toDays(tropical(365))
	blind := append([]energy.Row{}, days...)
	for i := range blind {
		blind[i].TempF = math.NaN()
	}
	for _, f := range Daily(caltrack.Options{}) {
		m, err := f.Fit(days)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Predict(blind) {
			if !math.IsNaN(p) {
				t.Errorf("%s: got %g", f.ID, p)
				break
			}
		}
	}
}

// Bytes of another model, or of none, are no model.
func TestStoredRefuses(t *testing.T) {
	for _, c := range []struct{ name, id, raw string }{
		{"an unknown id", "oracle", `{}`},
		{"another model", caltrack.DailyModel, `{"model": "towt-daily"}`},
		{"no JSON", caltrack.DailyModel, `{`},
	} {
		if m, err := Stored(c.id, []byte(c.raw)); err == nil {
			t.Errorf("%s: got %+v, want an error", c.name, m)
		}
	}
}
