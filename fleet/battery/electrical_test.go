package battery

import (
	"math"
	"math/rand/v2"
	"testing"
)

// steps of a battery of so many mΩ at 25 °C, seen between two temperatures.
func stepsAt(rng *rand.Rand, n int, mohm, kelvin, lowC, highC, noise float64) []ResistanceStep {
	var out []ResistanceStep
	for k := range n {
		c, z := lowC+(highC-lowC)*rng.Float64(), 20+70*rng.Float64()
		r := mohm * math.Exp(kelvin*(1/(c+zeroC)-1/roomK)+0.1*(z/100-0.5)) * math.Exp(noise*rng.NormFloat64())
		out = append(out, ResistanceStep{At: int64(k) * 3600_000, MOhm: r, TemperatureC: &c, SoCPct: &z, StepA: 20})
	}
	return out
}

// Against a truth made here: resistance at 25 °C from what was seen over the
// year or in winter alone, with a twentieth of the steps gone wild.
func TestResistanceAgainstTruth(t *testing.T) {
	rng, r := rand.New(rand.NewPCG(41, 42)), DefaultResistanceRules()
	tests := []struct {
		name             string
		lowC, highC, pct float64
	}{
		{"over the year", -5, 40, 1.5},
		{"in summer", 22, 35, 1.5},
		{"in winter alone", 0, 10, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stepsAt(rng, 300, 20, 1800, tt.lowC, tt.highC, 0.05)
			for k := 0; k < len(s); k += 20 {
				s[k].MOhm *= 4
			}
			got := FitResistance(s, 16, r)
			if !got.OK() {
				t.Fatal(got.Reason)
			}
			if off := math.Abs(*got.MOhm/20-1) * 100; off > tt.pct {
				t.Errorf("got %.2f ± %.2f mΩ, want 20 within %v %%", *got.MOhm, *got.StdErr, tt.pct)
			}
			if want := (*got.MOhm/16 - 1) * 100; math.Abs(*got.IncreasePct-want) > 1e-9 {
				t.Errorf("got an increase of %v, want %v", *got.IncreasePct, want)
			}
		})
	}
	cold := []ResistanceStep{{MOhm: 20, TemperatureC: num(5)}, {MOhm: 20, TemperatureC: num(5)}, {MOhm: 20, TemperatureC: num(5)}, {MOhm: 20, TemperatureC: num(5)}, {MOhm: 20, TemperatureC: num(5)}}
	if got := FitResistance(cold, 0, r); math.Abs(*got.MOhm-12.35) > 0.01 {
		t.Errorf("from 5 °C alone: got %.3f mΩ, want the worked example's 12.35", *got.MOhm)
	}
	if got := FitResistance(cold, 0, r); got.Method != ReportedResistance {
		t.Errorf("of reported values: got the method %s", got.Method)
	}
	mixed := append(stepsAt(rng, 50, 20, 2000, 20, 30, 0.01), cold...)
	if got := FitResistance(mixed, 0, r); got.Method != CurrentSteps || got.Count != 50 || math.Abs(*got.MOhm-20) > 0.5 {
		t.Errorf("of both: got %+v", got)
	}
	if got := FitResistance(nil, 0, r); got.OK() || got.Reason == "" || got.MOhm != nil {
		t.Errorf("of nothing: got %+v", got)
	}
}

// The 90 % interval of the resistance covers the truth.
func TestResistanceInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 44))
	covered := 0
	const runs = 500
	for range runs {
		got := FitResistance(stepsAt(rng, 100, 20, 2000, 5, 35, 0.05), 0, DefaultResistanceRules())
		if math.Abs(*got.MOhm-20) < 1.645**got.StdErr {
			covered++
		}
	}
	if share := float64(covered) / runs; share < 0.85 || share > 0.97 {
		t.Errorf("covered %.1f %%", share*100)
	}
}

// NASA's B0005: each discharge begins with a step to 2 A. Its resistance grows
// over its life.
func TestResistanceNASA(t *testing.T) {
	r := DefaultResistanceRules()
	cycles := nasaCycles(t)
	of := func(from, to int) float64 {
		var s []ResistanceStep
		for _, c := range cycles[from:to] {
			s = append(s, Steps(c[:5], Ratings{CapacityAh: 2}, r)...)
		}
		got := FitResistance(s, 0, r)
		if !got.OK() {
			t.Fatalf("cycles %d…%d: %s", from+1, to, got.Reason)
		}
		return *got.MOhm
	}
	young, old := of(0, 20), of(148, 168)
	t.Logf("%.1f mΩ in the first 20 cycles, %.1f in the last", young, old)
	if young < 50 || old > 250 || old < 1.05*young {
		t.Errorf("got %.1f and %.1f mΩ, want growth between 50 and 250", young, old)
	}
}

func TestStepsLeaveOut(t *testing.T) {
	base := Sample{VoltageV: 50, SoCPct: 50, TemperatureC: 25}
	load := base
	load.TS, load.CurrentA, load.VoltageV = 5000, -10, 49.8
	tests := []struct {
		name   string
		change func(*Sample)
		want   int
	}{
		{"a step", func(*Sample) {}, 1},
		{"too slow", func(s *Sample) { s.TS = 60_000 }, 0},
		{"too small", func(s *Sample) { s.CurrentA = -0.5 }, 0},
		{"nearly empty", func(s *Sample) { s.SoCPct = 5 }, 0},
		{"voltage up under load", func(s *Sample) { s.VoltageV = 51 }, 0},
		{"no state of charge", func(s *Sample) { s.SoCPct = math.NaN() }, 1},
	}
	for _, tt := range tests {
		b := load
		tt.change(&b)
		got := Steps([]Sample{base, b}, Ratings{CapacityAh: 10}, DefaultResistanceRules())
		if len(got) != tt.want || tt.want == 1 && math.Abs(got[0].MOhm-20) > 1e-9 {
			t.Errorf("%s: got %v, want %d", tt.name, got, tt.want)
		}
	}
}

// A battery of 48 V and 100 mΩ, charged and discharged at 5 A between 20 and
// 90 %: 47.5 of 48.5 V come back.
func TestRoundTrip(t *testing.T) {
	soc, ts := 90.0, int64(0)
	var s []Sample
	for range 5 {
		for _, leg := range []struct{ amps, to float64 }{{0, 90}, {-5, 20}, {0, 20}, {5, 90}} {
			for range 30 { // rest at the turn, or at least half an hour
				s = append(s, Sample{TS: ts, CurrentA: leg.amps, VoltageV: 48 + 0.1*leg.amps, SoCPct: soc, TemperatureC: 25})
				ts += 60_000
				soc += leg.amps / 10 * 100 / 60
			}
			for leg.amps != 0 && (leg.to-soc)*leg.amps > 1e-9 {
				s = append(s, Sample{TS: ts, CurrentA: leg.amps, VoltageV: 48 + 0.1*leg.amps, SoCPct: soc, TemperatureC: 25})
				ts += 60_000
				soc += leg.amps / 10 * 100 / 60
			}
		}
	}
	loops := Loops(s, DefaultRules())
	got := RoundTrip(loops)
	if !got.OK() {
		t.Fatal(got.Reason)
	}
	if want := 100 * 47.5 / 48.5; math.Abs(*got.RoundTripPct-want) > 0.4 {
		t.Errorf("got %.2f ± %.2f %% over %d loops, want %.2f", *got.RoundTripPct, *got.StdErrPct, len(loops), want)
	}
	if math.Abs(*got.CoulombicPct-100) > 0.4 {
		t.Errorf("got a coulombic efficiency of %.2f %%, want 100", *got.CoulombicPct)
	}
	// A gap on the way leaves the loops that it broke out.
	cut := append([]Sample{}, s[:200]...)
	cut = append(cut, s[260:]...)
	mute := append([]Sample{}, s...)
	mute[len(s)/3].VoltageV, mute[len(s)/2].CurrentA = math.NaN(), math.NaN()
	if holed := RoundTrip(Loops(mute, DefaultRules())); !holed.OK() || !(math.Abs(*holed.RoundTripPct-*got.RoundTripPct) < 0.4) || !(*holed.CoulombicPct > 90) {
		t.Errorf("with a sample without voltage: got %+v", holed)
	}
	if less := Loops(cut, DefaultRules()); len(less) >= len(loops) {
		t.Errorf("got %d loops with a gap, %d without", len(less), len(loops))
	}
	if got := RoundTrip(nil); got.OK() || got.Reason == "" {
		t.Errorf("of nothing: got %+v", got)
	}
}

func TestImbalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(45, 46))
	cells := func(spreadMV, growthMV, slope float64) []CellSample {
		var out []CellSample
		for k := range 1000 {
			z, day := 100*rng.Float64(), float64(k)/10
			mid, mv := 3.3+slope*z/100, spreadMV+growthMV*day/30+rng.NormFloat64()
			amps := 0.0
			if k%2 == 1 {
				amps, mv = 20, mv+50 // resistance under load
			}
			out = append(out, CellSample{TS: int64(day * dayMS), MinV: mid - mv/2000, MaxV: mid + mv/2000, CurrentA: amps, SoCPct: z})
		}
		return out
	}
	got := MeasureImbalance(cells(20, 3, 0.9), 0.5)
	if !got.OK() || got.At != "rest" || math.Abs(*got.MedianMV-25) > 0.5 || math.Abs(*got.TrendMV-3) > 0.2 {
		t.Errorf("got %+v, want a median of 25 mV that grows by 3 mV a month", got)
	}
	if got.CapacityPct == nil || math.Abs(*got.CapacityPct-2.8) > 0.2 {
		t.Errorf("got %v %% of capacity, want 2.8", got.CapacityPct)
	}
	if flat := MeasureImbalance(cells(20, 0, 0.1), 0.5); flat.CapacityPct != nil {
		t.Errorf("on a flat curve: got %v %%, want none told", *flat.CapacityPct)
	}
	if none := MeasureImbalance(nil, 0.5); none.OK() || none.Reason == "" {
		t.Errorf("of nothing: got %+v", none)
	}
}

func TestAssessEnergy(t *testing.T) {
	full := bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0})
	rated := Ratings{CapacityAh: 10, CutoffVoltageV: 40.05}
	found := Capacities(full, rated, DefaultRules())
	got := AssessEnergy(found, 500)
	if !got.OK() || got.Method != FullDischarge || math.Abs(*got.EnergyWh-450) > 5 || math.Abs(*got.SoHPct-90) > 1 {
		t.Errorf("got %+v, want 450 Wh, 90 %%", got)
	}
	part := bench(10, piece{1, 0, 80}, piece{1, -5, 80}, piece{1, 0, 30}, piece{0, 0, 30})
	if got := AssessEnergy(Capacities(part, rated, DefaultRules()), 0); got.OK() || got.EnergyWh == nil || math.Abs(*got.EnergyWh-455) > 5 {
		t.Errorf("got %+v, want about 455 Wh and no share of a rated energy", got)
	}
	if got := AssessEnergy(nil, 500); got.OK() || got.EnergyWh != nil {
		t.Errorf("of nothing: got %+v", got)
	}
}
