package battery

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// The worked numbers of the laws.
func TestAgeingLaws(t *testing.T) {
	n, s := Naumann(), Schmalstieg()
	for _, c := range []struct {
		name              string
		got, want, within float64
	}{
		{"Naumann, a year at 25 °C and half charge", n.Calendar(365, 25, 0.5), 0.042516, 1e-6},
		{"Naumann, 1,000 cycles at 0.5C and depth 0.7", n.Cyclic(1000, 0.5, 0.7, 0.5), 0.044584, 1e-6},
		{"Schmalstieg, a year at 25 °C and half charge", s.Calendar(365, 25, 0.5), 0.0238, 1e-4},
		{"Schmalstieg, 500 cycles of depth 0.7", s.Cyclic(500, 1, 0.7, 0.5), 0.1680, 1e-4},
		{"unspecific, a year", Unspecific().Calendar(365, 25, 0.5), 0.03, 1e-9},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%s: got %.6f, want %.6f", c.name, c.got, c.want)
		}
	}
	for chemistry, want := range map[string]string{"LFP": n.Name, "lfp": n.Name, "NMC811": s.Name, "": "unspecific", "LTO": "unspecific"} {
		if got := ModelFor(chemistry).Name; got != want {
			t.Errorf("%q: got %s, want %s", chemistry, got, want)
		}
	}
}

// Advancing in steps under the same treatment is advancing at once, and no step
// takes loss back.
func TestAgeingIsOfOnePiece(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := ModelFor(rapid.SampledFrom([]string{"LFP", "NMC", "?"}).Draw(t, "chemistry"))
		s := Stress{RateC: rapid.Float64Range(0, 2).Draw(t, "rate"), Depth: rapid.Float64Range(0, 1).Draw(t, "depth")}
		s.Temperatures[rapid.IntRange(0, TemperatureBins-1).Draw(t, "t")] = 1
		s.SoCs[rapid.IntRange(0, SoCBins-1).Draw(t, "z")] = 1
		var a, whole Ageing
		all := s
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			s.Days, s.Cycles = rapid.Float64Range(0, 30).Draw(t, "days"), rapid.Float64Range(0, 30).Draw(t, "cycles")
			all.Days += s.Days
			all.Cycles += s.Cycles
			next := a.Advance(m, s)
			if next.Calendar < a.Calendar || next.Cyclic < a.Cyclic {
				t.Fatalf("got %+v after %+v", next, a)
			}
			a = next
		}
		whole = whole.Advance(m, all)
		if math.Abs(a.Calendar-whole.Calendar) > 1e-9+1e-6*whole.Calendar || math.Abs(a.Cyclic-whole.Cyclic) > 1e-9+1e-6*whole.Cyclic {
			t.Fatalf("in steps %+v, at once %+v", a, whole)
		}
	})
}

// The published month of hourly state of charge and temperature, through our
// daily histograms, against another implementation of the same law, which goes
// through it cycle by cycle and takes the mean square of the voltage: calendar
// within 3 %, cycling within 7 %.
func TestAgeingOfAPublishedProfile(t *testing.T) {
	b, err := os.ReadFile(measured.File(t, "battery", "blast_lite", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]struct {
		Pass struct {
			States map[string]float64 `json:"states"`
			EFC    float64            `json:"efc"`
		} `json:"one_pass_28d"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	want := file["Nmc111_Gr_Sanyo2Ah_Battery"].Pass
	if want.EFC == 0 {
		t.Fatal("the file lacks the cell")
	}
	rows := measured.Table(t, "battery", "blast_lite", "profile.csv")
	num := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// A battery of 1 Ah: the current is the slope of the state of charge. Each
	// hour is cut into quarters, as gaps of an hour are not integrated over.
	var samples []Sample
	for k := 1; k+1 < len(rows); k++ {
		at, z, c := num(rows[k][0]), num(rows[k][1]), num(rows[k][2])
		z2, c2 := num(rows[k+1][1]), num(rows[k+1][2])
		for q := range 4 {
			x := float64(q) / 4
			samples = append(samples, Sample{
				TS: int64((at + 3600*x) * 1000), VoltageV: 3.7, CurrentA: z2 - z,
				SoCPct: 100 * (z + (z2-z)*x), TemperatureC: c + (c2-c)*x,
			})
		}
	}
	tm, m := terms(1), Schmalstieg()
	var a Ageing
	for day := 0; day*96 < len(samples); day++ {
		part := samples[day*96 : min(day*96+97, len(samples))]
		days := float64(part[len(part)-1].TS-part[0].TS) / dayMS
		if s, ok := StressOf(Measure(part, tm), days, tm.Ratings); ok {
			a = a.Advance(m, s)
		}
	}
	t.Logf("calendar %.6f (reference %.6f), cyclic %.6f (%.6f), cycles %.2f (%.2f)",
		a.Calendar, want.States["qLoss_t"], a.Cyclic, want.States["qLoss_EFC"], a.Cycles, want.EFC)
	if math.Abs(a.Calendar/want.States["qLoss_t"]-1) > 0.03 || math.Abs(a.Cyclic/want.States["qLoss_EFC"]-1) > 0.07 || math.Abs(a.Cycles/want.EFC-1) > 0.05 {
		t.Error("too far off")
	}
}
