package battery

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func terms(capacityAh float64) Terms {
	return Terms{Ratings{CapacityAh: capacityAh}, DefaultRules(), DefaultLimits()}
}

// near compares floating point numbers that were summed in another order, NaN
// being itself.
var near = cmp.Options{
	cmpopts.EquateApprox(1e-9, 1e-6), cmpopts.EquateEmpty(), cmp.AllowUnexported(edge{}),
	cmpopts.IgnoreFields(Turn{}, "At"), // of two equal turns, either may be the one that stays
	cmp.Comparer(func(a, b maybe) bool { return a == b || a.or(-1) == b.or(-1) }),
}

// One full cycle of a 10 Ah battery: an hour of rest, two at 5 A out, one of
// rest, four at 2.5 A in.
func TestUsageOfOneCycle(t *testing.T) {
	s := bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{4, 2.5, 0}, piece{0, 0, 100})
	u := Measure(s, terms(10))
	got := u.Report(0, 8*3600_000, Ratings{CapacityAh: 10})
	if !got.OK() {
		t.Fatal(got.Reason)
	}
	for _, c := range []struct {
		name              string
		got, want, within float64
	}{
		{"charge", got.ChargeAh, 20, 0.02},
		{"equivalent full cycles", *got.EquivalentFullCycles, 1, 0.001},
		{"rainflow cycles", got.Cycles, 1, 0},
		{"mean depth", *got.MeanDepthPct, 95, 0},
		{"energy", got.EnergyWh, 900, 1},
		{"energy per cycle", *got.EnergyPerCycleWh, 450, 0.5},
		{"temperature", *got.MeanTemperatureC, 25, 1e-9},
		{"charge rate", *got.MeanChargeRateC, 0.25, 0.001},
		{"discharge rate", *got.MeanDischargeRateC, 0.5, 0.001},
		{"time charging", got.ChargingShare, 4. / 8, 0.002},
		{"time discharging", got.DischargingShare, 2. / 8, 0.002},
		{"time resting", got.RestingShare, 2. / 8, 0.002},
		{"coverage", *got.Coverage, 1, 0.001},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if got.Depths[9] != 1 {
		t.Errorf("got depths %v, want one cycle, in two halves, of 90…100 %%", got.Depths)
	}
}

func TestUsageWithoutData(t *testing.T) {
	for _, s := range [][]Sample{nil, {{TS: 1, VoltageV: 50, CurrentA: 1}}, {{TS: 1, VoltageV: 50}, {TS: 86_400_000, VoltageV: 50}}} {
		u := Measure(s, terms(10))
		if got := u.Report(0, 1, Ratings{}); got.OK() || got.Reason == "" {
			t.Errorf("%d samples: got %+v, want a reason why there is nothing", len(s), got.Basis)
		}
	}
}

func anySamples(t *rapid.T) []Sample {
	n := rapid.IntRange(1, 120).Draw(t, "samples")
	ts := int64(0)
	var out []Sample
	for range n {
		ts += rapid.SampledFrom([]int64{1000, 60_000, 900_000, 2_000_000}).Draw(t, "gap")
		s := Sample{
			TS: ts, VoltageV: float64(rapid.IntRange(40, 60).Draw(t, "v")), CurrentA: float64(rapid.IntRange(-40, 20).Draw(t, "i")),
			SoCPct: float64(rapid.IntRange(0, 100).Draw(t, "soc")), TemperatureC: float64(rapid.IntRange(-20, 60).Draw(t, "c")),
		}
		if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
			s.SoCPct, s.TemperatureC = math.NaN(), math.NaN()
		}
		out = append(out, s)
	}
	return out
}

// Counted in pieces, stored and joined, usage is what it is when counted at once.
func TestUsageJoins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, tm := anySamples(t), terms(10)
		tm.Limits.MaxVoltageV = 55
		want := Measure(s, tm)
		var got Usage
		for at := 0; at < len(s); {
			n := min(rapid.IntRange(1, 40).Draw(t, "piece"), len(s)-at)
			b, err := json.Marshal(Measure(s[at:at+n], tm))
			if err != nil {
				t.Fatal(err)
			}
			var part Usage
			if err := json.Unmarshal(b, &part); err != nil {
				t.Fatal(err)
			}
			got.Join(part, tm)
			at += n
		}
		if diff := cmp.Diff(want, got, near); diff != "" {
			t.Fatalf("(-at once +joined):\n%s", diff)
		}
	})
}

// The time in each state and bin adds up to the time covered, and no number is
// below zero.
func TestUsageAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := Measure(anySamples(t), terms(10))
		if got := u.ChargingS + u.DischargingS + u.RestingS; math.Abs(got-u.CoveredS) > 1e-6 {
			t.Fatalf("got %v s in all states, want %v", got, u.CoveredS)
		}
		if rates := sum(u.ChargeRateS[:]) + sum(u.DischargeRateS[:]); math.Abs(rates-u.ChargingS-u.DischargingS) > 1e-6 {
			t.Fatalf("got %v s by C-rate, want %v", rates, u.ChargingS+u.DischargingS)
		}
		for _, v := range []float64{u.InAh, u.OutAh, u.InWh, u.OutWh} {
			if v < 0 {
				t.Fatalf("got %v, want nothing below zero", v)
			}
		}
	})
}

func TestNegativeEvents(t *testing.T) {
	hour := int64(3600_000)
	at := func(h float64, change func(*Sample)) Sample {
		s := Sample{TS: int64(h * float64(hour)), VoltageV: 50, SoCPct: 50, TemperatureC: 25}
		change(&s)
		return s
	}
	none := func(*Sample) {}
	tests := []struct {
		name    string
		kind    Negative
		worst   float64
		trouble func(*Sample)
	}{
		{"deep discharge", DeepDischarge, 3, func(s *Sample) { s.SoCPct = 3 }},
		{"heat", ExtremeHeat, 60, func(s *Sample) { s.TemperatureC = 60 }},
		{"cold", ExtremeCold, -15, func(s *Sample) { s.TemperatureC = -15 }},
		{"charging in heat", ChargingInHeat, 50, func(s *Sample) { s.TemperatureC, s.CurrentA = 50, 5 }},
		{"charging in cold", ChargingInCold, -5, func(s *Sample) { s.TemperatureC, s.CurrentA = -5, 5 }},
		{"over-voltage", OverVoltage, 59, func(s *Sample) { s.VoltageV = 59 }},
		{"over-current charging", OverCurrentCharging, 20, func(s *Sample) { s.CurrentA = 20 }},
		{"over-current discharging", OverCurrentDraining, -35, func(s *Sample) { s.CurrentA = -35 }},
	}
	tm := terms(10)
	tm.Limits.MaxVoltageV = 58
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Half an hour of trouble seen at three samples, then again after a
			// quarter of an hour, then at one sample.
			s := []Sample{
				at(0, none), at(0.25, tt.trouble), at(0.5, tt.trouble), at(0.75, tt.trouble), at(1, none),
				at(1.25, tt.trouble), at(1.5, none),
			}
			u := Measure(s, tm)
			want := Exposure{Count: 2, Seconds: 900 + 1800 + 900, FirstAt: hour / 4, LastAt: hour * 5 / 4, Worst: tt.worst}
			if diff := cmp.Diff(map[Negative]Exposure{tt.kind: want}, u.Events); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
