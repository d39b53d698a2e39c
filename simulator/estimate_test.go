package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// sample is what an estimator of capacity has to go by.
type sample struct {
	ts         int64
	soc        float64
	volts      float64
	amps       float64
	capacityAh float64 // the truth
}

func samplesOf(f *Fleet, steps int) map[string][]sample {
	out := map[string][]sample{}
	capacity := map[string]func() float64{}
	for _, p := range f.packs {
		capacity[p.id] = func() float64 { return p.capacityAh }
	}
	for range steps {
		var batch []telemetry.Reading
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindBattery {
				batch = append(batch, telemetry.Reading{Device: r.Device, TS: r.TS, Values: append([]telemetry.Value(nil), r.Values...)})
			}
		}, nil)
		for _, r := range batch {
			soc, _ := r.Num("soc_pct")
			volts, _ := r.Num("voltage_v")
			amps, _ := r.Num("current_a")
			out[r.Device] = append(out[r.Device], sample{r.TS, soc, volts, amps, capacity[r.Device]()})
		}
	}
	return out
}

// runs cuts samples into stretches whose current has one sign.
func runs(s []sample) [][]sample {
	var out [][]sample
	for i := 0; i < len(s); {
		j := i + 1
		for j < len(s) && sign(s[j].amps) == sign(s[i].amps) {
			j++
		}
		if sign(s[i].amps) != 0 {
			out = append(out, s[i:j])
		}
		i = j
	}
	return out
}

func sign(x float64) int {
	switch {
	case x > 0.01:
		return 1
	case x < -0.01:
		return -1
	}
	return 0
}

func chargeAh(s []sample) float64 {
	var ah float64
	for i := 1; i < len(s); i++ {
		ah += (s[i].amps + s[i-1].amps) / 2 * float64(s[i].ts-s[i-1].ts) / 3600e3
	}
	return math.Abs(ah)
}

// The capacity that the trapezoid over samples of 15 minutes gives lies within
// 1.5 % of the truth for every charge and discharge over at least 40 % of the
// range, and for every full discharge; of discharges, what the rounding of charge and current leaves. A full discharge gives a little less
// than the truth, as it runs from just below full to the cut-off just above
// empty.
func TestTrapezoidFindsTheCapacity(t *testing.T) {
	f := newFleet(t, Demo(11, start()))
	cutoff := map[string]float64{}
	for _, b := range f.Inventory().Batteries {
		cutoff[b.ID] = b.CutoffVoltageV
	}
	var charges, discharges, full score
	for id, s := range samplesOf(f, 35*96) {
		for _, r := range runs(s) {
			first, last := r[0], r[len(r)-1]
			if d := math.Abs(last.soc-first.soc) / 100; d >= 0.4 {
				e := chargeAh(r)/d/last.capacityAh - 1
				if last.soc > first.soc {
					charges.add(e)
				} else {
					discharges.add(e)
				}
			}
			if first.soc < 95 || first.amps > 0 {
				continue
			}
			for i, x := range r {
				if x.volts <= cutoff[id] {
					full.add(chargeAh(r[:i+1])/x.capacityAh - 1)
					break
				}
			}
		}
	}
	for _, c := range []struct {
		name  string
		got   score
		least int
		worst float64
	}{
		{"charges", charges, 1000, 0.015},
		{"discharges", discharges, 1000, 0.006},
		{"full discharges", full, 50, 0.015},
	} {
		t.Logf("%s: %d, mean error %+.4f, worst %.4f", c.name, c.got.n, c.got.sum/float64(c.got.n), c.got.worst)
		if c.got.n < c.least || c.got.worst > c.worst {
			t.Errorf("%s: got %d with an error of up to %.4f, want at least %d and at most %v", c.name, c.got.n, c.got.worst, c.least, c.worst)
		}
	}
}

type score struct {
	n          int
	sum, worst float64
}

func (s *score) add(e float64) {
	s.n++
	s.sum += e
	s.worst = max(s.worst, math.Abs(e))
}

// The simulation goes on when the step changes from the backlog's to the live
// one.
func TestStepMayChange(t *testing.T) {
	f := newFleet(t, Demo(4, start()))
	run(f, 10, nil, nil)
	if err := f.SetStep(time.Second); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for range 2 {
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindStation && r.Device == "st-01" {
				got = append(got, r.TS)
			}
		}, nil)
	}
	base := start().Add(150 * time.Minute).UnixMilli()
	if len(got) != 2 || got[0] != base+1000 || got[1] != base+2000 {
		t.Errorf("got %v want %d and %d", got, base+1000, base+2000)
	}
	if err := f.SetStep(0); err == nil {
		t.Error("a step of 0 was taken")
	}
}
