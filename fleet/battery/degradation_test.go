package battery

import (
	"math"
	"math/rand/v2"
	"testing"
)

// dailyStress is a battery that is ridden once a day at room temperature.
func dailyStress(cycles, celsius float64) Stress {
	s := Stress{Days: 1, Cycles: cycles, RateC: 0.5, Depth: 0.7}
	s.Temperatures[bin(celsius, temperatureFloor, temperatureStep, TemperatureBins)] = 1
	s.SoCs[5] = 1
	return s
}

// aged makes weekly measurements of a battery that ages alpha and beta times as
// much as the law says.
func aged(rng *rand.Rand, m AgeingModel, days int, s Stress, initial, alpha, beta, noise float64) []HealthPoint {
	var a Ageing
	var out []HealthPoint
	for day := range days {
		a = a.Advance(m, s)
		if day%7 == 6 {
			out = append(out, HealthPoint{
				At: int64(day) * dayMS, StdErr: noise, Expected: a,
				SoH: initial - alpha*a.Calendar - beta*a.Cyclic + noise*rng.NormFloat64(),
			})
		}
	}
	return out
}

// Two years of a battery that ages half as fast again as the law says are
// learned; the interval of its health covers the truth.
func TestDegradationAgainstTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	m, s := Naumann(), dailyStress(1, 27)
	covered, worst := 0, 0.0
	const runs = 300
	for range runs {
		initial, alpha, beta := 1+0.02*rng.NormFloat64(), 0.7+rng.Float64(), 0.7+rng.Float64()
		points := aged(rng, m, 730, s, initial, alpha, beta, 0.005)
		d := FitDegradation(points, m, DefaultDegradationRules())
		if !d.OK() {
			t.Fatal(d.Reason)
		}
		now := points[len(points)-1].Expected
		truth := initial - alpha*now.Calendar - beta*now.Cyclic
		worst = max(worst, math.Abs(d.SoH.Value-truth))
		if loss := alpha*now.Calendar + beta*now.Cyclic; math.Abs(d.CalendarLoss.Value+d.CyclingLoss.Value-loss) < 0.02 {
			covered++
		}
		if d.Learned < 0.5 {
			t.Errorf("after two years %.0f %% is learned, want most", d.Learned*100)
		}
	}
	if worst > 0.006 {
		t.Errorf("the state of health is up to %.4f off", worst)
	}
	if covered < runs*9/10 {
		t.Errorf("the loss so far is within 2 %% of capacity in %d of %d", covered, runs)
	}
	t.Logf("state of health at most %.4f off; loss within 0.02 in %d of %d", worst, covered, runs)
}

// Where what it does can tell the causes apart (a year of rest, then a year of
// work), the split is found.
func TestDegradationSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	m := Naumann()
	rest, work := dailyStress(0, 27), dailyStress(3, 27)
	var a Ageing
	var points []HealthPoint
	for day := range 730 {
		if day < 365 {
			a = a.Advance(m, rest)
		} else {
			a = a.Advance(m, work)
		}
		if day%7 == 6 {
			points = append(points, HealthPoint{int64(day) * dayMS, 1 - 0.6*a.Calendar - 1.6*a.Cyclic + 0.003*rng.NormFloat64(), 0.003, a})
		}
	}
	d := FitDegradation(points, m, DefaultDegradationRules())
	want := 0.6 * a.Calendar / (0.6*a.Calendar + 1.6*a.Cyclic)
	if math.Abs(*d.CalendarShare-want) > 0.08 {
		t.Errorf("got a calendar share of %.3f, want %.3f", *d.CalendarShare, want)
	}
}

// A young battery gets the law's answer, and outliers move nothing much.
func TestDegradationPriorAndOutliers(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	m, s := Naumann(), dailyStress(1, 27)
	young := FitDegradation(aged(rng, m, 14, s, 1, 1, 1, 0.01), m, DefaultDegradationRules())
	if !young.OK() || math.Abs(young.Calendar.Value-1) > 0.2 || young.Learned > 0.3 {
		t.Errorf("two weeks old: got %+v", young)
	}
	points := aged(rng, m, 730, s, 1, 1.3, 0.8, 0.004)
	clean := FitDegradation(points, m, DefaultDegradationRules())
	for k := 5; k < len(points); k += 10 {
		points[k].SoH -= 0.2
	}
	if dirty := FitDegradation(points, m, DefaultDegradationRules()); math.Abs(dirty.SoH.Value-clean.SoH.Value) > 0.004 {
		t.Errorf("a tenth of outliers moves it from %.4f to %.4f", clean.SoH.Value, dirty.SoH.Value)
	}
	// A battery that seems to grow has lost nothing, rather than less than that.
	up := aged(rng, m, 730, s, 1, -1, -1, 0.001)
	if d := FitDegradation(up, m, DefaultDegradationRules()); d.Calendar.Value < 0 || d.Cycling.Value < 0 {
		t.Errorf("got a gain: %+v, %+v", d.Calendar, d.Cycling)
	}
	if d := FitDegradation(nil, m, DefaultDegradationRules()); d.OK() || d.Reason == "" {
		t.Errorf("of nothing: got %+v", d)
	}
}
