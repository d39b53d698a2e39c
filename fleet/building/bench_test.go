package building

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// yearsOf are days of a building with an hourly register and weather.
func yearsOf(b *testing.B, days int, step time.Duration) []Day {
	b.Helper()
	l := newLog(b)
	rng := rand.New(rand.NewPCG(1, 1))
	from := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	total := 0.0
	for at := from; at.Before(from.AddDate(0, 0, days)); at = at.Add(step) {
		c := 10 - 11*math.Cos(2*math.Pi*float64(at.YearDay())/365) - 4*math.Cos(2*math.Pi*float64(at.Hour())/24) + rng.NormFloat64()
		l.put(at, "energy_wh", math.Round(total))
		l.put(at, "outdoor_c", math.Round(c*10)/10)
		load := 5000 + 300*max(15-c, 0) + 500*max(c-20, 0) + 300*rng.NormFloat64()
		if h := at.Hour(); h > 6 && h < 19 && at.Weekday() != time.Sunday {
			load += 8000
		}
		total += load * step.Hours()
	}
	return l.days(time.UTC)
}

// One building, from its kept days to its result: two years of hours, a measure
// after the first.
func BenchmarkEvaluate(b *testing.B) {
	days := yearsOf(b, 730, time.Hour)
	bytes := 0
	for i := range days {
		bytes += len(days[i].Encode())
	}
	for _, model := range []string{"auto", "caltrack-daily"} {
		plan := &Plan{
			Building: "b", Zone: "UTC", Rules: DefaultRules(),
			Settings:      Settings{Meters: map[Meter]*MeterOptions{Electricity: {Model: model}}},
			Interventions: []Intervention{{ID: "i", Title: "LED", Concerns: []Meter{Electricity}, Start: "2023-01-01"}},
		}
		b.Run("model="+model, func(b *testing.B) {
			b.ReportMetric(float64(bytes)/float64(len(days)), "B/day")
			for b.Loop() {
				if _, err := Evaluate(Input{Plan: plan, Series: Join(days)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
