package battery

import (
	"math/rand/v2"
	"testing"
)

// aDay is a day of a battery that is ridden and charged, at one reading every
// step seconds.
func aDay(step float64) []Sample {
	return bench(step, piece{3, 0, 95}, piece{2, -10, 95}, piece{2, 0, 45}, piece{4, 5, 45}, piece{3, 0, 95}, piece{3, -10, 95}, piece{1, 0, 20}, piece{6, 5, 20}, piece{0, 0, 95})
}

// One battery's day: what a nightly run does for each.
func BenchmarkDay(b *testing.B) {
	for _, c := range []struct {
		name string
		step float64
	}{{"step=15m", 900}, {"step=1m", 60}, {"step=10s", 10}} {
		b.Run(c.name, func(b *testing.B) {
			s, tm := aDay(c.step), terms(40)
			b.ReportAllocs()
			for b.Loop() {
				Measure(s, tm)
				Capacities(s, tm.Ratings, tm.Rules)
				Loops(s, tm.Rules)
				Steps(s, tm.Ratings, DefaultResistanceRules())
			}
		})
	}
}

// One battery's outlook from two years of weekly health.
func BenchmarkForesee(b *testing.B) {
	m, s := Naumann(), dailyStress(1, 27)
	points := aged(rand.New(rand.NewPCG(1, 2)), m, 730, s, 1, 1.2, 0.8, 0.005)
	b.ReportAllocs()
	for b.Loop() {
		d := FitDegradation(points, m, DefaultDegradationRules())
		Foresee(points, d, m, s, Knee{}, 0, DefaultOutlookRules())
	}
}

// One battery's capacity from a hundred and twenty partial charges.
func BenchmarkFitCapacity(b *testing.B) {
	r := DefaultFitRules()
	w := windows(rand.New(rand.NewPCG(1, 2)), 120, 40, 0, r)
	b.ReportAllocs()
	for b.Loop() {
		FitCapacity(w, r)
	}
}
