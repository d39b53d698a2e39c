package building

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
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
	out := l.days(time.UTC)
	slices.SortFunc(out, func(a, b Day) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// nights is how many a benchmark works through: the choice of the present model
// stands for so many.
const nights = choiceDays

// One building, from its kept days to its result: two years of hours and the
// nights that follow, a measure after the first year. A first night has nothing to
// go by; the others have what the night before kept. Ten thousand buildings on two
// cores in five minutes leave 60 ms of CPU for each. cpu-ms/night does not count
// what else the machine does.
func BenchmarkEvaluate(b *testing.B) {
	const first = 730
	days := yearsOf(b, first+nights, time.Hour)
	bytes := 0
	for i := range days {
		bytes += len(days[i].Encode())
	}
	for _, o := range []MeterOptions{
		{Interval: energy.Daily}, {Interval: energy.Daily, Model: "caltrack-daily"},
		{Interval: energy.Hourly}, {Interval: energy.Hourly, Model: "towt-hourly-weighted"},
	} {
		plan := &Plan{
			Building: "b", Zone: "UTC", Rules: DefaultRules(), Settings: Settings{Meters: map[Meter]*MeterOptions{Electricity: &o}},
			Interventions: []Intervention{{ID: "i", Title: "LED", Concerns: []Meter{Electricity}, Start: "2023-01-01"}},
		}
		name := fmt.Sprintf("interval=%s/model=%s", o.Interval, cmp.Or(o.Model, "auto"))
		b.Run(name+"/night=first", func(b *testing.B) {
			b.ReportMetric(float64(bytes)/float64(len(days)), "B/day")
			evaluateNights(b, plan, days[:first], 1, nil)
		})
		b.Run(name+"/night=later", func(b *testing.B) {
			before, err := Evaluate(Input{Plan: plan, Series: Join(days[:first])})
			if err != nil || before.Savings[0].Status != OK || before.Savings[0].Assessment.Normalised == nil {
				b.Fatalf("got %+v, %v", before, err)
			}
			runtime.GC()
			evaluateNights(b, plan, days[:first+1:len(days)], nights, before.Kept)
		})
	}
}

// evaluateNights works through nights of a building, of which days are all until
// the first, and reports the CPU of one.
func evaluateNights(b *testing.B, plan *Plan, days []Day, nights int, kept map[string]json.RawMessage) {
	b.Helper()
	began := cpuSeconds(b)
	for b.Loop() {
		in := Input{Plan: plan, Kept: kept}
		for n := range nights {
			in.Series = Join(days[:len(days)+n])
			r, err := Evaluate(in)
			if err != nil {
				b.Fatal(err)
			}
			in.Kept = r.Kept
		}
	}
	b.ReportMetric(1000*(cpuSeconds(b)-began)/float64(b.N*nights), "cpu-ms/night")
}

// cpuSeconds is what this process has used, in user and kernel mode.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
