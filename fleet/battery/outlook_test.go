package battery

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Against batteries made here that stray from the law as its prior says, or
// half as far, some young and some old, each seen by a current sensor that is off:
// the 90 % interval of the days that remain covers the truth 85 to 98 times in a
// hundred, and its median is without bias. A young battery's interval is wider, as
// its points leave the shape of the fade open, which here is the law's.
func TestForeseeAgainstTruth(t *testing.T) {
	tests := []struct {
		name  string
		days  int
		stray float64
		most  float64 // share covered
	}{
		{"half a year old", 180, 0.4, 1},
		{"two years old", 730, 0.4, 0.98},
		{"two years old, close to the law", 730, 0.2, 0.98},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(31, 32))
			m, s, rules := Naumann(), dailyStress(1.5, 32), DefaultOutlookRules()
			rules.Life.MaxAhead = 0 // the fade is known to be of the law's shape
			covered, told := 0, 0
			var ratios []float64
			for range 150 {
				alpha, beta := max(0.1, 1+tt.stray*rng.NormFloat64()), max(0.1, 1+tt.stray*rng.NormFloat64())
				initial := 1 + 0.02*rng.NormFloat64()
				bias := DefaultDegradationRules().BiasErr * rng.NormFloat64() // of its current sensor
				points := aged(rng, m, tt.days, s, initial+bias, alpha, beta, 0.006)
				d := FitDegradation(points, m, DefaultDegradationRules())
				now := points[len(points)-1]
				o := Foresee(points, d, m, s, Knee{}, now.At, rules)
				if !o.OK() {
					t.Fatal(o.Reason)
				}
				left, a, week := 0.0, now.Expected, s
				week.Days, week.Cycles = 7*s.Days, 7*s.Cycles
				for initial-alpha*a.Calendar-beta*a.Cyclic > rules.Life.EndOfLife && left < rules.MaxDays {
					a = a.Advance(m, week)
					left += 7
				}
				if o.Ended || left == 0 {
					continue
				}
				told++
				low := rules.MaxDays
				if o.Days.Low != nil {
					low = *o.Days.Low
				}
				if left >= low && (o.Days.High == nil || left-7 <= *o.Days.High) {
					covered++
				}
				if o.Days.Median != nil && left < rules.MaxDays {
					ratios = append(ratios, *o.Days.Median/left)
				}
			}
			share := float64(covered) / float64(told)
			t.Logf("%d told, %.1f %% covered, median ratio to the truth %.3f", told, share*100, median(ratios))
			if share < 0.85 || share > tt.most {
				t.Errorf("the 90 %% interval covers the truth %.1f %% of the time", share*100)
			}
			if r := median(ratios); r < 0.85 || r > 1.15 {
				t.Errorf("the median is %.2f of the truth", r)
			}
		})
	}
}

func TestForeseeKneesAndGaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	m, s, rules := Naumann(), dailyStress(1, 27), DefaultOutlookRules()
	rules.Life.MaxAhead = 0
	points := aged(rng, m, 730, s, 1, 1, 1, 0.004)
	d := FitDegradation(points, m, DefaultDegradationRules())
	now := points[len(points)-1]
	free := Foresee(points, d, m, s, Knee{}, now.At, rules)
	if !free.OK() || free.Days.Median == nil || math.Abs(*free.Cycles.Median-*free.Days.Median) > 1 {
		t.Fatalf("got %+v, want a cycle a day", free)
	}
	if want := float64(now.At) + *free.Days.Median*dayMS; math.Abs(*free.ReplaceAt.Median-want) > 1 {
		t.Errorf("got %v, want %v", *free.ReplaceAt.Median, want)
	}
	at := func(cycles float64) Knee { return Knee{Found: true, Point: &cycles} }
	ahead := Foresee(points, d, m, s, at(now.Expected.Cycles+100), now.At, rules)
	if !ahead.Capped || *ahead.Days.Median > 100.5 || *ahead.Days.High > 100.5 {
		t.Errorf("got %+v, want it capped at 100 days", ahead)
	}
	// Behind a knee the fade is a hundredth a week.
	for k := range points {
		if k > 60 {
			points[k].SoH = points[60].SoH - 0.002*float64(k-60)
		}
	}
	fast := Foresee(points, FitDegradation(points, m, DefaultDegradationRules()), m, s, at(points[60].Expected.Cycles), now.At, rules)
	left := (points[len(points)-1].SoH - 0.8) / 0.002 * 7
	if !fast.Behind || math.Abs(*fast.Days.Median/left-1) > 0.05 {
		t.Errorf("got %v days behind the knee, want %.0f", *fast.Days.Median, left)
	}
	if o := Foresee(nil, FitDegradation(nil, m, DefaultDegradationRules()), m, s, Knee{}, 0, rules); o.OK() || o.Reason == "" {
		t.Errorf("of nothing: got %+v", o)
	}
	if o := Foresee(points, d, m, Stress{}, Knee{}, 0, rules); o.OK() {
		t.Errorf("without use: got %+v", o)
	}
}
