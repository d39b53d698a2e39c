package config

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// What is set is what the rules say, and the rest is as it was; what makes no
// sense is told by its key.
func TestBatterySection(t *testing.T) {
	c, _, err := load(t, `
battery:
  end_of_life_pct: 70
  sensor_error_pct: 2
  score_weights: {efficiency: 0, resistance: 0.4}
  limits: {charge_low_c: 2, max_voltage_v: 58.8}
  warranty: {years: 8, guaranteed_soh_pct: 70}
  ageing_models: {lto: naumann_lfp}
`, nil)
	if err != nil || c.Validate() != nil {
		t.Fatal(err, c.Validate())
	}
	r := c.Battery.Rules()
	for _, n := range []struct {
		name      string
		got, want float64
	}{
		{"end of life of the score", r.Score.EndOfLifePct, 70}, {"of the outlook", r.Outlook.Life.EndOfLife, 0.7}, {"of the knee", r.Knee.EndOfLife, 0.7},
		{"efficiency", r.Score.Efficiency.Weight, 0}, {"resistance", r.Score.Resistance.Weight, 0.4}, {"capacity", r.Score.Capacity.Weight, 0.5},
		{"charging in the cold", r.Limits.ChargeLowC, 2}, {"voltage", r.Limits.MaxVoltageV, 58.8}, {"heat", r.Limits.HighC, 55},
		{"sensor", math.Round(r.Degradation.BiasErr*1e6) / 1e6, 0.011547},
		{"years", r.Warranty.Years, 8}, {"guarantee", r.Warranty.GuaranteedSoH, 70}, {"cycles", r.Warranty.Cycles, 0},
	} {
		if n.got != n.want {
			t.Errorf("%s: got %v, want %v", n.name, n.got, n.want)
		}
	}
	if m := r.Models["LTO"]; m.Name != "naumann_lfp" {
		t.Errorf("got model %q of LTO, want naumann_lfp", m.Name)
	}
	for _, tt := range []struct{ file, want string }{
		{"battery: {end_of_life_pct: 120}", "battery: end_of_life_pct 120"},
		{"battery: {sensor_error_pct: -1}", "battery: sensor_error_pct"},
		{"battery: {score_weights: {capacity: 0}}", "battery: score_weights.capacity"},
		{"battery: {limits: {deep_soc_pct: 101}}", "battery: limits.deep_soc_pct"},
		{"battery: {warranty: {years: -1}}", "battery: warranty.years"},
		{"battery: {ageing_models: {LFP: nobody}}", "battery: ageing_models.LFP"},
		{"battery: {end_of_live_pct: 80}", "end_of_live_pct"},
	} {
		c, _, err := load(t, tt.file+"\n", nil)
		if err = errors.Join(err, c.Validate()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.file, err, tt.want)
		}
	}
}
