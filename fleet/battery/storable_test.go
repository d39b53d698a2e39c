package battery

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the telemetry, every result can be stored: no NaN and no infinity
// gets into one, and one without data says why.
func TestResultsCanBeStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySamples(t)
		for k := range s {
			s[k].TS += int64(rapid.IntRange(0, 3).Draw(t, "spread")) * 1000
		}
		r := Ratings{CapacityAh: rapid.SampledFrom([]float64{0, 10}).Draw(t, "rated"), CutoffVoltageV: rapid.SampledFrom([]float64{0, 42}).Draw(t, "cutoff")}
		rules, tm := DefaultRules(), Terms{r, DefaultRules(), DefaultLimits()}
		found, steps := Capacities(s, r, rules), Steps(s, r, DefaultResistanceRules())
		var cells []CellSample
		for _, x := range s {
			cells = append(cells, CellSample{x.TS, x.VoltageV / 16, x.VoltageV / 15.9, x.CurrentA, x.SoCPct})
		}
		u := Measure(s, tm)
		var points []HealthPoint
		var life []LifePoint
		var a Ageing
		if stress, ok := StressOf(u, 1, r); ok {
			for k := range rapid.IntRange(0, 80).Draw(t, "points") {
				a = a.Advance(Naumann(), stress)
				soh := rapid.Float64Range(0, 1.2).Draw(t, "soh")
				points = append(points, HealthPoint{int64(k) * dayMS, soh, 0.01, a})
				life = append(life, LifePoint{a.Cycles, soh})
			}
		}
		d := FitDegradation(points, Naumann(), DefaultDegradationRules())
		recent, _ := StressOf(u, 1, r)
		knee := FindKnee(life, DefaultKneeRules())
		report, fit, ohms := u.Report(0, s[len(s)-1].TS+1, r), FitCapacity(found, DefaultFitRules()), FitResistance(steps, 20, DefaultResistanceRules())
		cell, back, energy := MeasureImbalance(cells, 0.5), RoundTrip(Loops(s, rules)), AssessEnergy(found, 500)
		rest := MeasureSelfDischarge(Rests(s, 1, DefaultRestRules()), DefaultRestRules())
		left, outlook := RemainingLife(life, DefaultLifeRules()), Foresee(points, d, Naumann(), recent, knee, 0, DefaultOutlookRules())
		for _, x := range []struct {
			basis Basis
			value any
		}{
			{report.Basis, report}, {fit.Basis, fit}, {ohms.Basis, ohms}, {cell.Basis, cell}, {back.Basis, back}, {energy.Basis, energy},
			{rest.Basis, rest}, {d.Basis, d}, {knee.Basis, knee}, {left.Basis, left}, {outlook.Basis, outlook},
		} {
			if _, err := json.Marshal(x.value); err != nil {
				t.Fatalf("%T: %v", x.value, err)
			}
			if x.basis.OK() == (x.basis.Reason != "") {
				t.Fatalf("%T: %+v", x.value, x.basis)
			}
		}
		if b, err := json.Marshal(u); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(b, &Usage{}); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := json.Marshal(maybe(math.NaN())); err != nil {
		t.Fatal(err)
	}
}
