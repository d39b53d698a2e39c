package measured

import (
	"encoding/json"
	"os"
	"testing"
)

// EEMeter is what eemeter's CalTRACK 2.0 methods say of one of its samples.
type EEMeter struct {
	Totals map[string]float64 `json:"totals_metrics"`
	Best   struct{ Params map[string]float64 }
	Year   struct {
		Savings float64
		Bands   map[string]float64 `json:"error_bands"`
	} `json:"reporting_year"`
}

// EEMeters are the published numbers by sample, under the terms of File.
func EEMeters(t testing.TB) map[string]EEMeter {
	t.Helper()
	raw, err := os.ReadFile(File(t, "building", "eemeter", "expected_caltrack2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var published map[string]EEMeter
	if err := json.Unmarshal(raw, &published); err != nil {
		t.Fatal(err)
	}
	return published
}
